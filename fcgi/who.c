#include "who.h"

#include "channels.h"
#include "consult.h"
#include "wire/refusal.h"

static void on_answer(struct visit *v, Str body)
{
    struct msg_answer m;
    struct fault why = {0};
    struct buf json;
    if (!msg_answer_unpack(body, &m))
        fail(&why, REFUSE_INTERNAL, "the hub's answer is not readable");
    else if (!m.text.len)
        fail(&why, REFUSE_HUB_AWAY, "the hub has just started: the workers are asked");
    if (why.code) {
        visit_refuse(v, &why);
        return;
    }
    buf_init(&json, m.text.len + 1);
    buf_put(&json, m.text);
    visit_answer_json(v, &json);
    buf_fini(&json);
}

static bool read_channel(struct channels *c, const struct visit *v, struct fault *why)
{
    channels_init(c, 1, MAY_PRESENCE, &v->visitor.rights);
    bool ok = channels_add_query(c, &v->query, "channel", why) &&
              (c->n || fail(why, REFUSE_MALFORMED, "channel: is missing"));
    if (!ok && why->code == REFUSE_WRONG_FIELD)
        why->code = REFUSE_MALFORMED;
    return ok;
}

void who_page(struct visit *v)
{
    struct channels c;
    struct fault why = {0};
    struct buf body;
    bool ok = read_channel(&c, v, &why);
    if (ok && consult_wishes(v, who_page)) {
        channels_fini(&c);
        return;
    }
    if (ok) {
        Str list = buf_str(&c.list);
        struct msg_query m = {.what = STR("presence")};
        list_next(&list, &m.channel);
        buf_init(&body, ANSWER_HEAD_MAX);
        msg_query_pack(&body, &m);
        visit_ask(v, VERB_QUERY, &body, LINK_BRIEF, on_answer);
    } else {
        visit_refuse(v, &why);
    }
    channels_fini(&c);
}
