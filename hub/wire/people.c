#include "wire/people.h"

#include "base/json.h"

static const char *is_verified(Str key)
{
    return key.len && key.p[0] == PERSON_USER ? "true" : "false";
}

static bool put_who(struct buf *out, Str key)
{
    buf_putz(out, "{\"user\":");
    json_put_str(out, str_skip(key, 1));
    return buf_printf(out, ",\"verified\":%s", is_verified(key));
}

bool person_put(struct buf *out, const struct person *p)
{
    put_who(out, p->key);
    buf_printf(out, ",\"devices\":%u,\"since\":%llu,\"public\":", p->devices,
               (unsigned long long)p->since);
    buf_put(out, p->public.len ? p->public : STR("null"));
    return buf_putc(out, '}');
}

bool person_put_key(struct buf *out, Str key)
{
    put_who(out, key);
    return buf_putc(out, '}');
}

bool people_put(struct buf *out, const struct people *p)
{
    buf_putz(out, "{\"channel\":");
    json_put_str(out, p->channel);
    buf_printf(out, ",\"version\":%llu,\"state\":{\"count\":%u,\"anonymous\":%u",
               (unsigned long long)p->version, p->count, p->anonymous);
    if (!p->is_crowd) {
        buf_putz(out, ",\"users\":[");
        buf_put(out, p->users);
        buf_putc(out, ']');
    }
    return buf_putz(out, "}}");
}
