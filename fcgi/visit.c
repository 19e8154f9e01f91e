#include "visit.h"

#include "base/log.h"
#include "wire/refusal.h"

#include <stdlib.h>

static void free_visit(struct visit *v)
{
    if (v->free_state)
        v->free_state(v->state);
    consult_free(v->consultation);
    v->worker->visits--;
    visitor_fini(&v->visitor);
    request_free(v->request);
    query_fini(&v->query);
    buf_fini(&v->name);
    free(v);
}

/* Users are the hub's to count. */
static Str limited(const struct visit *v, char key[ADDRESS_KEY])
{
    Str trusted = str_of(v->worker->options->trusted_proxies);
    return v->visitor.user.len ? STR_NONE : address_key(trusted, v->visitor.address, key);
}

bool visit_admit(struct visit *v, enum rate rate, struct fault *why)
{
    char key[ADDRESS_KEY];
    struct worker *w = v->worker;
    return limits_admit(&w->limits, rate, limited(v, key), loop_now(w->loop), why);
}

void visit_charge(struct visit *v, enum rate rate, uint64_t n)
{
    char key[ADDRESS_KEY];
    struct worker *w = v->worker;
    limits_charge(&w->limits, rate, limited(v, key), n, loop_now(w->loop));
}

/* An answer is written whole and the outlet ended at once, so there is never room to wait for. */
static void on_writable(void *owner)
{
    (void)owner;
}

static void on_gone(void *owner)
{
    struct visit *v = owner;
    if (v->asked)
        link_cancel(v->worker->link, v->asked);
    free_visit(v);
}

static const struct outlet_owner_ops owner_ops = {on_writable, on_gone, NULL};

struct visit *visit_new(struct worker *w, struct request *r, struct outlet *o)
{
    struct visit *v = must_alloc(sizeof *v);
    v->worker = w;
    v->request = r;
    v->outlet = o;
    v->cors = cors_judge(str_of(w->options->origins), request_var(r, "HTTP_ORIGIN"));
    buf_init(&v->name, 1024);
    o->owner_ops = &owner_ops;
    o->owner = v;
    w->visits++;
    w->requests++;
    return v;
}

void visit_answer(struct visit *v, struct answer *a)
{
    struct buf b;
    struct outlet *o = v->outlet;
    buf_init(&b, ANSWER_HEAD_MAX + a->body.len);
    a->cors = v->cors;
    a->has_no_content = v->is_head;
    answer_put(&b, a);
    struct chunk *c = chunk_take(&b);
    o->ops->write(o, c);
    chunk_unref(c);
    o->ops->finish(o);
    free_visit(v);
}

void visit_answer_json(struct visit *v, const struct buf *json)
{
    visit_answer(v, &(struct answer){
                        .status = 200,
                        .title = "OK",
                        .type = "application/json",
                        .body = buf_str(json),
                    });
}

void visit_refuse(struct visit *v, const struct fault *why)
{
    struct buf body;
    buf_init(&body, ANSWER_HEAD_MAX);
    v->worker->refused++;
    log_debug("refused", kz("code", refusal_code(why->code)), kz("detail", why->text),
              kv("address", v->visitor.address));
    bool is_stream = v->wants_stream && is_passing(why);
    struct answer a = is_stream ? answer_bye(why, &body) : answer_problem(why, &body);
    visit_answer(v, &a);
    buf_fini(&body);
}

void visit_leave(struct visit *v)
{
    free_visit(v);
}

static void on_link_answer(void *owner, Str body, const struct fault *why)
{
    struct visit *v = owner;
    v->asked = NULL;
    if (why && why->code)
        visit_refuse(v, why);
    else
        v->on_answer(v, body);
}

void visit_ask(struct visit *v, enum verb verb, struct buf *body, enum link_patience patience,
               void (*on_answer)(struct visit *v, Str body))
{
    v->on_answer = on_answer;
    v->asked = link_ask(v->worker->link, verb, body, patience, on_link_answer, v);
}
