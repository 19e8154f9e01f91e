#include "consult.h"

#include "base/log.h"
#include "wire/hooking.h"
#include "wire/names.h"
#include "wire/refusal.h"

#include <stdlib.h>

enum { WISHES_MAX = 256, WISHES_BYTES = WISHES_MAX * (4 + 1 + CHANNEL_MAX), GRANTS_MAX = 1 << 20 };
enum { HEADERS_MAX = 32768, NAME_MAX_BYTES = 128 };

struct consultation {
    bool is_introduced;  /* the application has said who it is */
    struct buf wishes;   /* as in CONSULT */
    struct buf asked[3]; /* lists: subscribe (of history too), publish, presence */
};

void consult_free(struct consultation *c)
{
    if (!c)
        return;
    buf_fini(&c->wishes);
    for (size_t i = 0; i < COUNT_OF(c->asked); i++)
        buf_fini(&c->asked[i]);
    free(c);
}

static struct consultation *need(struct visit *v)
{
    struct consultation *c = v->consultation;
    if (c)
        return c;
    c = v->consultation = must_alloc(sizeof *c);
    buf_init(&c->wishes, WISHES_BYTES);
    for (size_t i = 0; i < COUNT_OF(c->asked); i++)
        buf_init(&c->asked[i], WISHES_BYTES);
    return c;
}

static bool read_answer(const struct msg_advised *m, struct fault *why)
{
    return m->code == REFUSE_NOT || fail(why, m->code, "%.*s", FMT(m->detail));
}

/* Of two times, 0 for never. */
static Msec earlier(Msec a, Msec b)
{
    return a && (!b || a < b) ? a : b;
}

/* ---- who it is ---- */

bool consult_is_due(const struct visit *v)
{
    return hook_wants(v->worker->options, HOOK_AUTHORIZE) &&
           !(v->consultation && v->consultation->is_introduced);
}

/* As a web server names it: HTTP_X_SESSION. */
static Str value_of(const struct visit *v, Str header)
{
    char name[NAME_MAX_BYTES];
    size_t n = (size_t)snprintf(name, sizeof name, "HTTP_%.*s", FMT(header));
    if (n >= sizeof name)
        return STR_NONE;
    for (char *p = name; *p; p++)
        *p = *p == '-' ? '_' : *p >= 'a' && *p <= 'z' ? (char)(*p - 'a' + 'A') : *p;
    return request_var(v->request, name);
}

static void put_headers(const struct visit *v, struct buf *list)
{
    Str names = str_of(v->worker->options->hook_headers);
    for (Str name; str_cut(&names, ',', &name);) {
        Str value = value_of(v, str_trim(name));
        if (value.len && list_put(list, str_trim(name)))
            list_put(list, value);
    }
}

static void add(struct buf *list, Str one, Str more)
{
    buf_init(list, GRANTS_MAX);
    buf_put(list, one);
    buf_put(list, more);
}

/* What it said goes with what was known before; a user that is known stays that user. */
static void take_introduction(struct visit *v, const struct msg_advised *m)
{
    struct visitor *who = &v->visitor;
    const struct token *old = who->token;
    struct grants more = {0}, *own = &who->rights.grants;
    struct buf lists[3];
    Str rest = m->grants;
    if (list_next(&rest, &more.subscribe) && list_next(&rest, &more.publish))
        list_next(&rest, &more.presence);
    add(&lists[0], own->subscribe, more.subscribe);
    add(&lists[1], own->publish, more.publish);
    add(&lists[2], own->presence, more.presence);
    bool is_new = !who->user.len && m->user.len > 0;
    struct token *token = token_copy(&(struct token){
        .user = is_new ? m->user : who->user,
        .id = old ? old->id : STR_NONE,
        .public = old && old->public.len ? old->public : m->public,
        .issued = is_new ? link_wall(v->worker->link) : who->issued,
        .expires = who->expires,
        .grants = {buf_str(&lists[0]), buf_str(&lists[1]), buf_str(&lists[2])},
    });
    for (size_t i = 0; i < COUNT_OF(lists); i++)
        buf_fini(&lists[i]);
    token_unref(who->token);
    who->token = token;
    who->user = token->user;
    who->issued = token->issued;
    who->asked_until = m->until;
    who->rights.grants = token->grants;
    who->is_browsers_doing |= is_new; /* by what the browser sends by itself */
}

static bool introduce(struct visit *v, Str body, struct fault *why)
{
    struct msg_advised m;
    bool is_post = str_eq(request_var(v->request, "REQUEST_METHOD"), STR("POST"));
    if (!msg_advised_unpack(body, &m))
        return fail(why, REFUSE_INTERNAL, "the hub's answer is not readable");
    if (!read_answer(&m, why))
        return false;
    need(v)->is_introduced = true;
    take_introduction(v, &m);
    return (!is_post || auth_origin(v->worker->options, v->request, &v->visitor, why)) &&
           auth_review(roster_accounts(v->worker->roster), &v->visitor, why);
}

static void on_introduced(struct visit *v, Str body)
{
    struct fault why = {0};
    if (introduce(v, body, &why))
        v->go(v);
    else
        visit_refuse(v, &why);
}

static void ask(struct visit *v, struct msg_consult *m, void (*go)(struct visit *v),
                void (*on_answer)(struct visit *v, Str body))
{
    struct buf body;
    v->go = go;
    m->user = v->visitor.user;
    buf_init(&body, WISHES_BYTES + 2 * HEADERS_MAX);
    msg_consult_pack(&body, m);
    visit_ask(v, VERB_CONSULT, &body, LINK_BRIEF, on_answer);
}

void consult_connection(struct visit *v, void (*go)(struct visit *v))
{
    struct buf headers;
    buf_init(&headers, HEADERS_MAX);
    put_headers(v, &headers);
    struct fault why;
    if (headers.full) {
        fail(&why, REFUSE_TOO_LARGE, "hook_headers: have more than %d bytes", HEADERS_MAX);
        visit_refuse(v, &why);
    } else {
        ask(v, &(struct msg_consult){.address = v->visitor.address, .headers = buf_str(&headers)},
            go, on_introduced);
    }
    buf_fini(&headers);
}

/* ---- what it may ---- */

void consult_begin(struct visit *v)
{
    const struct options *o = v->worker->options;
    if (hook_is_on(o) && hook_has_rules(o))
        v->visitor.rights.wishes = &need(v)->wishes;
}

static struct buf *list_of(struct consultation *c, char action)
{
    switch (action - '0') {
    case MAY_PUBLISH:
        return &c->asked[1];
    case MAY_PRESENCE:
        return &c->asked[2];
    default:
        return &c->asked[0];
    }
}

static void on_advised(struct visit *v, Str body)
{
    struct consultation *c = v->consultation;
    struct msg_advised m;
    struct fault why = {0};
    if (!msg_advised_unpack(body, &m))
        fail(&why, REFUSE_INTERNAL, "the hub's answer is not readable");
    if (why.code || !read_answer(&m, &why)) {
        visit_refuse(v, &why);
        return;
    }
    for (Str wish; list_next(&m.wishes, &wish);)
        if (wish.len)
            list_put(list_of(c, wish.p[0]), str_skip(wish, 1));
    struct visitor *who = &v->visitor;
    who->rights.wishes = NULL;
    who->rights.asked =
        (struct grants){buf_str(&c->asked[0]), buf_str(&c->asked[1]), buf_str(&c->asked[2])};
    who->asked_until = earlier(who->asked_until, m.until);
    v->go(v);
}

bool consult_wishes(struct visit *v, void (*go)(struct visit *v))
{
    if (!v->visitor.rights.wishes || !v->consultation->wishes.len)
        return false;
    if (v->free_state)
        v->free_state(v->state);
    v->state = NULL;
    v->free_state = NULL;
    ask(v, &(struct msg_consult){.wishes = buf_str(&v->consultation->wishes)}, go, on_advised);
    return true;
}
