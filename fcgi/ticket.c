#include "ticket.h"

#include "base/log.h"
#include "base/random.h"
#include "wire/refusal.h"

#include <stdlib.h>

enum { TICKET_MAX = 256 };

static void on_ticketed(struct visit *v, Str body)
{
    struct msg_ticketed m;
    struct fault why = {0};
    struct buf json;
    if (!msg_ticketed_unpack(body, &m))
        fail(&why, REFUSE_INTERNAL, "the hub's answer is not readable");
    else if (m.code != REFUSE_NOT)
        fail(&why, m.code, "%.*s", FMT(m.detail));
    if (why.code) {
        visit_refuse(v, &why);
        return;
    }
    buf_init(&json, TICKET_MAX);
    buf_printf(&json, "{\"ticket\":\"%s\"}", (const char *)v->state);
    visit_answer_json(v, &json);
    buf_fini(&json);
}

static void put_grants(struct buf *out, const struct grants *g)
{
    buf_init(out, ANSWER_HEAD_MAX + 4 * TOKEN_MAX);
    list_put(out, g->subscribe);
    list_put(out, g->publish);
    list_put(out, g->presence);
}

void ticket_give(struct visit *v)
{
    const struct visitor *who = &v->visitor;
    char digest[ACCOUNT_DIGEST], *text = must_alloc(RANDOM_NAME);
    struct buf body, grants;
    Msec end = who->expires;
    struct fault why;
    v->state = text;
    v->free_state = free;
    if (!who->user.len) {
        fail(&why, REFUSE_UNAUTHORIZED, "Authorization: a ticket is for a user");
        visit_refuse(v, &why);
        return;
    }
    if (who->asked_until && (!end || who->asked_until < end))
        end = who->asked_until;
    random_name(text);
    account_digest(str_of(text), digest);
    put_grants(&grants, &who->rights.grants);
    buf_init(&body, ANSWER_HEAD_MAX + 8 * TOKEN_MAX);
    msg_ticket_pack(&body, &(struct msg_ticket){
                               .digest = str_of(digest),
                               .user = who->user,
                               .grants = buf_str(&grants),
                               .expires = end,
                               .token = who->token ? who->token->id : STR_NONE,
                               .issued = who->issued,
                               .public = who->token ? who->token->public : STR_NONE,
                           });
    buf_fini(&grants);
    visit_ask(v, VERB_TICKET, &body, LINK_BRIEF, on_ticketed);
}

bool ticket_is_shown(const struct visit *v)
{
    return !v->visitor.token && query_has(&v->query, "ticket");
}

static bool take(struct visit *v, Str body, struct fault *why)
{
    struct msg_redeemed m;
    if (!msg_redeemed_unpack(body, &m))
        return fail(why, REFUSE_INTERNAL, "the hub's answer is not readable");
    if (m.code != REFUSE_NOT || !m.user.len) {
        log_info("ticket refused", kv("address", v->visitor.address));
        return fail(why, REFUSE_INVALID_TOKEN, "invalid_token");
    }
    struct token t = {.user = m.user,
                      .id = m.token,
                      .public = m.public,
                      .issued = m.issued,
                      .expires = m.expires};
    if (list_next(&m.grants, &t.grants.subscribe) && list_next(&m.grants, &t.grants.publish))
        list_next(&m.grants, &t.grants.presence);
    struct visitor *who = &v->visitor;
    who->token = token_copy(&t);
    who->user = who->token->user;
    who->rights.grants = who->token->grants;
    who->issued = m.issued;
    who->expires = m.expires;
    if (m.expires && link_wall(v->worker->link) >= m.expires)
        return fail(why, REFUSE_INVALID_TOKEN, "invalid_token");
    return auth_review(roster_accounts(v->worker->roster), who, why);
}

static void on_redeemed(struct visit *v, Str body)
{
    struct fault why = {0};
    if (take(v, body, &why))
        v->go(v);
    else
        visit_refuse(v, &why);
}

void ticket_take(struct visit *v, void (*go)(struct visit *v))
{
    char digest[ACCOUNT_DIGEST];
    struct buf body;
    account_digest(query_get(&v->query, "ticket"), digest);
    v->go = go;
    buf_init(&body, ANSWER_HEAD_MAX);
    msg_redeem_pack(&body, &(struct msg_redeem){.digest = str_of(digest)});
    visit_ask(v, VERB_REDEEM, &body, LINK_BRIEF, on_redeemed);
}
