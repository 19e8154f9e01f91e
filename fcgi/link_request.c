#include "link_request.h"

#include "wire/refusal.h"

#include <assert.h>
#include <stdlib.h>

void link_requests_init(struct link_requests *q, const struct options *options)
{
    *q = (struct link_requests){.options = options};
    list_init(&q->all);
    list_init(&q->failed);
    map_init(&q->by_ref);
}

static void free_all(struct list *head)
{
    struct list *node, *safe;
    LIST_EACH(node, safe, head)
    {
        struct link_request *r = CONTAINER_OF(node, struct link_request, node);
        buf_fini(&r->body);
        free(r);
    }
}

void link_requests_fini(struct link_requests *q)
{
    free_all(&q->all);
    free_all(&q->failed);
    map_fini(&q->by_ref);
}

static bool is_hasty(const struct link_request *r)
{
    return r->patience != LINK_ALWAYS;
}

/* Takes it out of the counts. */
static void uncount(struct link_requests *q, struct link_request *r)
{
    if (r->verb == VERB_PUBLISH) {
        q->publishes--;
        q->publish_bytes -= r->size;
    }
    if (is_hasty(r) && !r->is_sent)
        q->waiting--;
    map_del(&q->by_ref, str_make(r->ref, sizeof r->ref));
    list_remove(&r->node);
}

static void fail_with(struct link_requests *q, struct link_request *r, int code)
{
    uncount(q, r);
    r->code = code;
    list_append(&q->failed, &r->node);
}

static void put_ref(struct link_requests *q, struct link_request *r, struct buf *body)
{
    uint64_t ref = ++q->last_ref;
    for (size_t i = sizeof r->ref; i-- > 0; ref >>= 8)
        r->ref[i] = (char)(ref & 0xff);
    assert(body->len >= sizeof r->ref);
    r->body = *body;
    buf_init(body, 0);
    memcpy(r->body.p, r->ref, sizeof r->ref);
    r->size = r->body.len;
}

struct link_request *link_requests_add(struct link_requests *q, enum verb verb, struct buf *body,
                                       enum link_patience patience, Msec now)
{
    struct link_request *r = must_alloc(sizeof *r);
    r->verb = verb;
    r->patience = patience;
    r->waits = now;
    put_ref(q, r, body);
    map_put(&q->by_ref, str_make(r->ref, sizeof r->ref), r);
    list_append(&q->all, &r->node);
    if (is_hasty(r))
        q->waiting++;
    if (verb == VERB_PUBLISH) {
        q->publishes++;
        q->crowd = q->publishes > q->crowd ? q->publishes : q->crowd;
        q->publish_bytes += r->size;
    }
    if (q->publishes > PUBLISHES_MAX || q->publish_bytes > PUBLISH_BYTES_MAX)
        fail_with(q, r, REFUSE_OVERLOAD);
    else if (is_hasty(r) && q->waiting > q->options->max_waiting)
        fail_with(q, r, REFUSE_HUB_AWAY);
    return r;
}

void link_requests_remove(struct link_requests *q, struct link_request *r)
{
    if (r->code)
        list_remove(&r->node);
    else
        uncount(q, r);
    buf_fini(&r->body);
    free(r);
}

void link_requests_sent(struct link_requests *q, struct link_request *r, Msec now)
{
    if (is_hasty(r))
        q->waiting--;
    if (!r->was_sent)
        r->first_sent = now;
    r->is_repeated = r->was_sent;
    r->is_sent = r->was_sent = true;
}

static enum verb question_of(enum verb answer)
{
    static const enum verb questions[VERB_COUNT] = {
        [VERB_OPENED] = VERB_OPEN,     [VERB_CHANGED] = VERB_CHANGE,
        [VERB_ROWS] = VERB_FETCH,      [VERB_PUBLISHED] = VERB_PUBLISH,
        [VERB_ANSWER] = VERB_QUERY,    [VERB_TICKETED] = VERB_TICKET,
        [VERB_REDEEMED] = VERB_REDEEM, [VERB_ADVISED] = VERB_CONSULT,
    };
    return questions[answer];
}

bool link_request_is_answer(enum verb verb, Str body)
{
    union {
        struct msg_opened opened;
        struct msg_changed changed;
        struct msg_rows rows;
        struct msg_published published;
        struct msg_answer answer;
        struct msg_ticketed ticketed;
        struct msg_redeemed redeemed;
        struct msg_advised advised;
    } m;
    if (verb == VERB_OPENED)
        return msg_opened_unpack(body, &m.opened);
    if (verb == VERB_CHANGED)
        return msg_changed_unpack(body, &m.changed);
    if (verb == VERB_ROWS)
        return msg_rows_unpack(body, &m.rows);
    if (verb == VERB_PUBLISHED)
        return msg_published_unpack(body, &m.published);
    if (verb == VERB_TICKETED)
        return msg_ticketed_unpack(body, &m.ticketed);
    if (verb == VERB_REDEEMED)
        return msg_redeemed_unpack(body, &m.redeemed);
    if (verb == VERB_ADVISED)
        return msg_advised_unpack(body, &m.advised);
    return msg_answer_unpack(body, &m.answer);
}

bool link_requests_answers(enum verb verb)
{
    return question_of(verb) != VERB_NONE;
}

struct link_request *link_requests_find(const struct link_requests *q, enum verb answer, Str body)
{
    if (body.len < REQUEST_REF)
        return NULL;
    struct link_request *r = map_get(&q->by_ref, str_make(body.p, REQUEST_REF));
    return r && r->was_sent && r->verb == question_of(answer) ? r : NULL;
}

void link_requests_break(struct link_requests *q, Msec now)
{
    struct list *node, *safe;
    LIST_EACH(node, safe, &q->all)
    {
        struct link_request *r = CONTAINER_OF(node, struct link_request, node);
        if (!r->is_sent)
            continue;
        r->is_sent = false;
        r->waits = now;
        if (is_hasty(r))
            q->waiting++;
        if (r->patience == LINK_ONCE)
            fail_with(q, r, REFUSE_UNKNOWN_OUTCOME);
    }
}

/* What has become of it by now: a refusal, or 0. A publish that was ever sent may have been
 * written, so nothing else than "unknown" may be said of it. */
static int outcome(const struct link_requests *q, const struct link_request *r, Msec now)
{
    bool is_late = r->was_sent && now - r->first_sent >= q->options->publish_timeout;
    if (!is_hasty(r))
        return 0;
    if (r->verb == VERB_PUBLISH && r->was_sent)
        return is_late ? REFUSE_UNKNOWN_OUTCOME : 0;
    if (r->is_sent)
        return is_late ? REFUSE_HUB_AWAY : 0;
    return now - r->waits >= q->options->hub_wait ? REFUSE_HUB_AWAY : 0;
}

void link_requests_expire(struct link_requests *q, Msec now)
{
    struct list *node, *safe;
    LIST_EACH(node, safe, &q->all)
    {
        struct link_request *r = CONTAINER_OF(node, struct link_request, node);
        int code = outcome(q, r, now);
        if (code)
            fail_with(q, r, code);
    }
}

/* Of a full queue or disk, of a user who is disabled now: the same request, had it come at another
 * moment, might have passed. */
static bool is_passing(int code)
{
    return code == REFUSE_FORBIDDEN ||
           (code && (refusal_status(code) >= 500 || refusal_retry(code)));
}

/* A publish that was said again is refused: what became of it the first time is not known. */
static bool is_doubtful(const struct link_request *r, Str body)
{
    struct msg_published m;
    if (r->verb != VERB_PUBLISH || !r->is_repeated || !msg_published_unpack(body, &m))
        return false;
    bool is_refused = is_passing(m.code);
    for (Str item; list_next(&m.results, &item);) {
        struct msg_result result;
        is_refused |= msg_result_unpack(item, &result) && is_passing(result.code);
    }
    return is_refused;
}

void link_requests_answer(struct link_requests *q, struct link_request *r, Str body)
{
    if (is_doubtful(r, body)) {
        fail_with(q, r, REFUSE_UNKNOWN_OUTCOME);
        return;
    }
    link_answer *answer = r->answer;
    void *owner = r->owner;
    link_requests_remove(q, r);
    answer(owner, body, NULL);
}

static void explain(const struct link_requests *q, int code, struct fault *why)
{
    if (code == REFUSE_OVERLOAD)
        fail(why, code, "%d publishes or %d bytes are in flight", PUBLISHES_MAX, PUBLISH_BYTES_MAX);
    else if (code == REFUSE_UNKNOWN_OUTCOME)
        fail(why, code, "sent to the hub, and no answer came");
    else
        fail(why, code, "hub_wait is %llu ms, max_waiting is %llu",
             (unsigned long long)q->options->hub_wait, (unsigned long long)q->options->max_waiting);
}

void link_requests_settle(struct link_requests *q)
{
    while (!list_is_empty(&q->failed)) {
        struct link_request *r = CONTAINER_OF(q->failed.next, struct link_request, node);
        struct fault why;
        explain(q, r->code, &why);
        link_answer *answer = r->answer;
        void *owner = r->owner;
        link_requests_remove(q, r);
        answer(owner, STR_NONE, &why);
    }
}
