#include "refresh.h"

#include "base/json.h"
#include "media.h"
#include "wire/names.h"
#include "wire/refusal.h"

#include <stdlib.h>

static bool take(char **client, Str name, struct fault *why)
{
    if (!client_is_valid(name, "clientId", why))
        return false;
    *client = str_dup(name);
    return true;
}

static bool refuse_field(Str name, struct fault *why)
{
    return fail(why, REFUSE_WRONG_FIELD, "%.*s: no such field", FMT(name));
}

static bool read_json(char **client, Str body, struct fault *why)
{
    void *at = NULL;
    Str name;
    const Json *value;
    Json *whole = json_parse(body, why);
    if (!whole)
        return false;
    bool ok = json_is_object(whole) || fail(why, REFUSE_WRONG_FIELD, "body: is not an object");
    while (ok && json_each(whole, &at, &name, &value))
        ok = str_eq(name, STR("clientId")) || refuse_field(name, why);
    value = ok ? json_get(whole, "clientId") : NULL;
    if (ok && !json_is_string(value))
        ok = fail(why, REFUSE_WRONG_FIELD, "clientId: a string is needed");
    ok = ok && take(client, json_str(value), why);
    json_free(whole);
    return ok;
}

static bool read_form(char **client, Str body, struct fault *why)
{
    struct query q;
    if (!query_parse(&q, body, "body", why))
        return false;
    bool ok = true;
    for (size_t i = 0; ok && i < q.n; i++)
        ok = str_eq(q.v[i].name, STR("clientId")) || refuse_field(q.v[i].name, why);
    ok = ok && take(client, query_get(&q, "clientId"), why);
    query_fini(&q);
    return ok;
}

bool refresh_read(char **client, Str type, Str body, struct fault *why)
{
    enum media media;
    if (!media_of(type, &media, why))
        return false;
    if (media == MEDIA_NDJSON)
        return fail(why, REFUSE_MEDIA_TYPE, "Content-Type: application/x-ndjson is for send");
    return media == MEDIA_FORM ? read_form(client, body, why) : read_json(client, body, why);
}

static void on_changed(struct visit *v, Str body)
{
    struct msg_changed m;
    struct fault why = {0};
    if (!msg_changed_unpack(body, &m))
        fail(&why, REFUSE_INTERNAL, "the hub's answer is not readable");
    else if (m.code != REFUSE_NOT)
        fail(&why, m.code, "%.*s", FMT(m.detail));
    if (why.code)
        visit_refuse(v, &why);
    else
        visit_answer(v, &(struct answer){.status = 204, .title = "No Content"});
}

static void ask(struct visit *v, Str client)
{
    const struct grants *g = &v->visitor.rights.grants;
    struct buf body, grants;
    buf_init(&grants, ANSWER_HEAD_MAX + 4 * TOKEN_MAX);
    buf_init(&body, ANSWER_HEAD_MAX + 8 * TOKEN_MAX);
    list_put(&grants, g->subscribe);
    list_put(&grants, g->publish);
    list_put(&grants, g->presence);
    msg_change_pack(&body, &(struct msg_change){
                               .client = client,
                               .user = v->visitor.user,
                               .grants = buf_str(&grants),
                               .expires = v->visitor.expires,
                               .token = v->visitor.token->id,
                               .issued = v->visitor.issued,
                           });
    buf_fini(&grants);
    visit_ask(v, VERB_CHANGE, &body, LINK_BRIEF, on_changed);
}

void refresh_token(struct visit *v)
{
    struct fault why = {0};
    char *client = NULL;
    if (!v->visitor.token) {
        fail(&why, REFUSE_UNAUTHORIZED, "Authorization: a new token is needed");
        visit_refuse(v, &why);
    } else if (!refresh_read(&client, request_var(v->request, "CONTENT_TYPE"),
                             request_body(v->request), &why)) {
        visit_refuse(v, &why);
    } else {
        ask(v, str_of(client));
    }
    free(client);
}
