#include "auth.h"

#include "answer.h"
#include "wire/names.h"
#include "wire/refusal.h"

bool auth_visitor(const struct options *o, const struct request *r, struct visitor *out,
                  struct fault *why)
{
    *out = (struct visitor){.address = request_var(r, "REMOTE_ADDR")};
    if (o->trust_remote_user)
        out->user = request_var(r, "REMOTE_USER");
    if (out->user.len && !user_is_valid(out->user, "REMOTE_USER", why)) {
        if (why)
            why->code = REFUSE_FORBIDDEN;
        return false;
    }
    out->rights = (struct rights){
        .access = (enum access)o->access,
        .user = out->user,
        .for_all = str_of(o->channels_for_all),
    };
    return true;
}

bool auth_origin(const struct options *o, const struct request *r, const struct visitor *v,
                 struct fault *why)
{
    Str origin = request_var(r, "HTTP_ORIGIN");
    if (!v->user.len || !origin.len || is_listed(str_of(o->origins), origin))
        return true;
    Str host = origin;
    size_t scheme = str_find(host, ':');
    host = str_skip(host, scheme + strlen("://"));
    if (host.len && str_eq_nocase(host, request_var(r, "HTTP_HOST")))
        return true;
    return fail(why, REFUSE_FORBIDDEN, "Origin: %.*s is not among the origins", FMT(origin));
}

bool auth_is_allowed(Str addresses, Str address)
{
    Str mapped = STR("::ffff:");
    if (str_starts(address, mapped))
        address = str_skip(address, mapped.len);
    return address.len && is_listed(addresses, address);
}
