#include "account.h"

#include "engine.h"

#include <stdlib.h>

struct accounting {
    struct account_op change; /* first */
    struct asker asker;
};

static void on_done(struct hub *h, struct op *op);
static struct op_owner owner = {on_done};

void account_start(struct hub *h, Str rows)
{
    accounts_init(&h->accounts);
    accounts_take(&h->accounts, rows);
}

void account_fini(struct hub *h)
{
    accounts_fini(&h->accounts);
}

static void say(struct hub *h, struct peer *p, const struct msg_accounts *m)
{
    struct buf body;
    buf_init(&body, BODY_MAX);
    msg_accounts_pack(&body, m);
    peer_send(h, p, VERB_ACCOUNTS, &body);
}

void account_welcome(struct hub *h, struct peer *p)
{
    struct buf rows;
    size_t at = 0;
    bool more = true;
    buf_init(&rows, BODY_MAX);
    for (bool begins = true; more && !p->is_gone; begins = false) {
        buf_clear(&rows);
        more = accounts_put(&h->accounts, &at, LIST_PIECE, &rows);
        say(h, p, &(struct msg_accounts){begins, more, buf_str(&rows)});
    }
    buf_fini(&rows);
}

static void tell_all(struct hub *h, Str rows)
{
    struct peer *p;
    for (size_t at = 0; (p = map_next(&h->peers.by_id, &at));)
        if (p->is_welcome)
            say(h, p, &(struct msg_accounts){.rows = rows});
}

static void on_done(struct hub *h, struct op *op)
{
    struct accounting *a = (struct accounting *)(void *)op;
    if (op->why.code) {
        admin_refuse(h, &a->asker, op->why.code, op->why.text);
    } else {
        accounts_take(&h->accounts, buf_str(&a->change.rows));
        tell_all(h, buf_str(&a->change.rows));
        admin_answer(h, &a->asker, STR_NONE);
    }
    asker_fini(&a->asker);
    buf_fini(&a->change.rows);
    free(a);
}

bool account_change(struct hub *h, struct asker *asker, struct buf *rows, struct fault *why)
{
    size_t more = 0;
    if (h->is_stopping)
        return fail(why, REFUSE_STOPPING, "the hub stops");
    Str rest = buf_str(rows);
    for (Str item; list_next(&rest, &item);) {
        struct msg_account m;
        more += msg_account_unpack(item, &m) && !m.gone;
    }
    if (more && h->accounts.rows.len + more > h->o->max_accounts)
        return fail(why, REFUSE_LIMIT, "max_accounts is %llu",
                    (unsigned long long)h->o->max_accounts);
    struct accounting *a = must_alloc(sizeof *a);
    a->change.op.kind = OP_ACCOUNT;
    a->change.rows = *rows;
    a->asker = *asker;
    asker->peer = NULL;
    buf_init(rows, 0);
    hub_submit(h, &a->change.op, &owner);
    return true;
}

bool account_is_good(const struct hub *h, Str user, struct fault *why)
{
    const struct account *row = accounts_find(&h->accounts, ACCOUNT_USER, user, STR(""));
    return !row || !row->value || fail(why, REFUSE_FORBIDDEN, "user: is disabled");
}
