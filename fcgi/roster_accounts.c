/* What the hub says of users: kept, and held against every stream. */
#include "inside.h"

const struct accounts *roster_accounts(const struct roster *r)
{
    return r->knows_accounts ? &r->accounts : NULL;
}

static void review_all(struct roster *r)
{
    struct list *node, *safe;
    LIST_EACH(node, safe, &r->streams)
    stream_review(CONTAINER_OF(node, struct stream, node));
}

/* The one user that all rows are about; empty: it may be anyone. */
static Str only_user(Str rows)
{
    Str user = STR_NONE;
    for (Str item; list_next(&rows, &item);) {
        struct msg_account m;
        if (!msg_account_unpack(item, &m))
            continue;
        if (!m.user.len || (user.len && !str_eq(user, m.user)))
            return STR_NONE;
        user = m.user;
    }
    return user;
}

static void review_changed(struct roster *r, Str rows)
{
    Str user = only_user(rows);
    struct list *node, *safe;
    LIST_EACH(node, safe, &r->streams)
    {
        struct stream *s = CONTAINER_OF(node, struct stream, node);
        if (!user.len || str_eq(stream_user(s), user))
            stream_review(s);
    }
}

void roster_on_accounts(struct roster *r, const struct msg_accounts *m)
{
    if (m->begins || r->is_learning) {
        if (m->begins) {
            accounts_fini(&r->learned);
            accounts_init(&r->learned);
        }
        accounts_take(&r->learned, m->rows);
        r->is_learning = m->more;
        if (m->more)
            return;
        struct accounts before = r->accounts;
        r->accounts = r->learned;
        accounts_fini(&before);
        accounts_init(&r->learned);
        r->knows_accounts = true;
        review_all(r);
    } else if (r->knows_accounts) {
        accounts_take(&r->accounts, m->rows);
        review_changed(r, m->rows);
    }
}

void roster_on_kick(struct roster *r, const struct msg_kick *m)
{
    struct list *node, *safe;
    LIST_EACH(node, safe, &r->streams)
    {
        struct stream *s = CONTAINER_OF(node, struct stream, node);
        if (m->client.len ? s->page && str_eq(page_name(s->page), m->client)
                          : s->user_len && str_eq(stream_user(s), m->user))
            stream_bye(s, BYE_KICKED);
    }
}
