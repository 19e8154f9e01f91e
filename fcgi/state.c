#include "state.h"

#include "wire/refusal.h"

void state_health(struct visit *v)
{
    struct buf json;
    buf_init(&json, 256);
    buf_printf(&json, "{\"ok\":true,\"worker\":%u,\"streams\":%zu}", v->worker->number,
               roster_streams(v->worker->roster));
    visit_answer_json(v, &json);
    buf_fini(&json);
}

static bool is_ready(const struct worker *w, struct fault *why)
{
    if (w->is_stopping)
        return fail(why, REFUSE_STOPPING, "this worker stops");
    if (link_is_rejected(w->link, why))
        return false;
    if (!link_is_up(w->link))
        return fail(why, REFUSE_HUB_AWAY, "no link to the hub");
    if (!link_is_writable(w->link))
        return fail(why, REFUSE_DISK_FULL, "the hub's log cannot be written");
    return true;
}

void state_ready(struct visit *v)
{
    struct fault why = {0};
    if (!is_ready(v->worker, &why)) {
        visit_refuse(v, &why);
        return;
    }
    struct buf json;
    char head[CURSOR_TEXT];
    buf_init(&json, 256);
    Str cursor = cursor_print(link_head(v->worker->link), head);
    buf_printf(&json, "{\"ready\":true,\"head\":\"%.*s\"}", FMT(cursor));
    visit_answer_json(v, &json);
    buf_fini(&json);
}

static void on_metrics(struct visit *v, Str body)
{
    struct msg_answer m;
    if (!msg_answer_unpack(body, &m)) {
        visit_refuse(v, &(struct fault){REFUSE_INTERNAL, "the hub's answer is not readable"});
        return;
    }
    visit_answer(v, &(struct answer){
                        .status = 200,
                        .title = "OK",
                        .type = "text/plain; version=0.0.4; charset=utf-8",
                        .body = m.text,
                    });
}

void state_metrics(struct visit *v)
{
    struct fault why;
    if (!auth_is_allowed(str_of(v->worker->options->metrics_allow), v->visitor.address)) {
        fail(&why, REFUSE_FORBIDDEN, "metrics: this address is not in metrics_allow");
        visit_refuse(v, &why);
        return;
    }
    struct buf body;
    buf_init(&body, 64);
    msg_query_pack(&body, &(struct msg_query){.what = STR("metrics")});
    visit_ask(v, VERB_QUERY, &body, LINK_BRIEF, on_metrics);
}
