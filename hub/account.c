#include "account.h"

#include "base/log.h"
#include "engine.h"

#include <stdlib.h>

enum { SWEEP_MS = 600000, SWEPT_MOST = 4096, SKEW_MS = 60000, STEADY_MS = 12 * 3600000 };

struct accounting {
    struct account_op change; /* first */
    struct asker asker;       /* without a peer: nobody */
};

static void on_done(struct hub *h, struct op *op);
static struct op_owner owner = {on_done};

void account_start(struct hub *h, Str rows)
{
    struct buf ours; /* of all but when users were seen: that is nothing to decide by */
    struct msg_account m;
    Str rest = rows;
    buf_init(&ours, SIZE_MAX / 2);
    for (Str item; list_next(&rest, &item);)
        if (msg_account_unpack(item, &m) && m.kind != ACCOUNT_SEEN)
            list_put(&ours, item);
    accounts_init(&h->accounts);
    accounts_take(&h->accounts, buf_str(&ours));
    buf_fini(&ours);
    seen_start(h, rows);
}

void account_fini(struct hub *h)
{
    accounts_fini(&h->accounts);
    seen_fini(&h->seen);
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
    h->is_changing = false;
    if (!op->why.code) {
        accounts_take(&h->accounts, buf_str(&a->change.rows));
        seen_take(h, buf_str(&a->change.rows));
        tell_all(h, buf_str(&a->change.rows));
    }
    if (a->asker.peer && op->why.code)
        admin_refuse(h, &a->asker, op->why.code, op->why.text);
    else if (a->asker.peer)
        admin_answer(h, &a->asker, STR_NONE);
    asker_fini(&a->asker);
    buf_fini(&a->change.rows);
    free(a);
    admin_go_on(h);
}

bool account_change(struct hub *h, struct asker *asker, struct buf *rows, struct fault *why)
{
    size_t more = 0;
    if (h->is_stopping)
        return fail(why, REFUSE_STOPPING, "the hub stops");
    Str rest = buf_str(rows);
    for (Str item; list_next(&rest, &item);) {
        struct msg_account m;
        more += msg_account_unpack(item, &m) && !m.gone &&
                !accounts_find(&h->accounts, m.kind, m.user, m.name);
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
    h->is_changing = true;
    hub_submit(h, &a->change.op, &owner);
    return true;
}

/* The clock was not set for long: one that is ahead, as it may be at boot, must not end what still
 * holds. */
static bool is_steady(struct hub *h)
{
    int64_t off = (int64_t)(h->now.wall - h->steady.wall - (h->now.mono - h->steady.mono));
    if (off > SKEW_MS || off < -SKEW_MS)
        h->steady = h->now;
    return h->now.mono - h->steady.mono >= STEADY_MS;
}

/* Later by how far clocks may differ. */
static bool is_over(const struct hub *h, const struct account *row)
{
    if (row->kind == ACCOUNT_ID)
        return row->time + h->o->token_life + SKEW_MS < h->now.wall;
    return row->kind == ACCOUNT_TOKEN && row->value && row->value + SKEW_MS < h->now.wall;
}

void account_expire(struct hub *h)
{
    struct buf rows;
    struct asker nobody = {0};
    struct fault why;
    const struct account *row;
    size_t n = 0;
    if (h->is_changing || h->now.mono < h->next_sweep)
        return;
    h->next_sweep = h->now.mono + SWEEP_MS;
    if (!is_steady(h))
        return;
    buf_init(&rows, BODY_MAX);
    for (size_t at = 0; n < SWEPT_MOST && (row = map_next(&h->accounts.rows, &at));)
        if (is_over(h, row))
            n += account_put(
                &rows, &(struct msg_account){
                           .kind = row->kind, .user = row->user, .name = row->name, .gone = 1});
    if (n && !account_change(h, &nobody, &rows, &why))
        log_debug("accounts", kz("kept", why.text));
    buf_fini(&rows);
}

bool account_is_good(const struct hub *h, Str user, struct fault *why)
{
    const struct account *row = accounts_find(&h->accounts, ACCOUNT_USER, user, STR(""));
    return !row || !row->value || fail(why, REFUSE_FORBIDDEN, "user: is disabled");
}
