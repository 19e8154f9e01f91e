#include "users.h"

#include "account.h"
#include "engine.h"

#include <stdlib.h>

enum { PAGE_MAX = 1000, ROWS_MAX = 64 * 1024 * 1024 };
#define TIME_MOST 9000000000000000 /* what a number of JSON says exactly */

static const enum action granted[] = {MAY_SUBSCRIBE, MAY_PUBLISH, MAY_PRESENCE};

/* `*` is every user: empty in a row. */
static bool read_user(const Json *question, bool may_be_all, Str *user, struct fault *why)
{
    if (!admin_word(question, "user", user, why))
        return false;
    if (!may_be_all || !str_eq(*user, STR("*")))
        return user_is_valid(*user, "user", why);
    *user = STR("");
    return true;
}

static bool change(struct hub *h, struct asker *a, const struct msg_account *row, struct fault *why)
{
    struct buf rows;
    buf_init(&rows, ROWS_MAX);
    bool ok =
        account_is_valid(row, why) && account_put(&rows, row) && account_change(h, a, &rows, why);
    buf_fini(&rows);
    return ok;
}

/* ---- the list ---- */

static int compare(const void *a, const void *b)
{
    return str_cmp(*(const Str *)a, *(const Str *)b);
}

/* Names of users that have rows or were seen, from `after` on, in order. */
static Str *sort_users(const struct hub *h, Str after, size_t *n)
{
    const struct account *row;
    const Str *user;
    size_t most = h->accounts.holders.len + h->seen.by_user.len;
    Str *names = must_alloc((most + 1) * sizeof *names);
    *n = 0;
    for (size_t at = 0; (row = map_next(&h->accounts.rows, &at));)
        if (row->kind != ACCOUNT_ID && row == accounts_of(&h->accounts, row->user, NULL) &&
            (!after.len || str_cmp(row->user, after) > 0))
            names[(*n)++] = row->user;
    for (size_t at = 0; (user = seen_next(h, &at));)
        if (!accounts_of(&h->accounts, *user, NULL) && (!after.len || str_cmp(*user, after) > 0))
            names[(*n)++] = *user;
    if (*n)
        qsort(names, *n, sizeof *names, compare);
    return names;
}

static void put_grant(const struct account *row, bool is_first, struct buf *out)
{
    buf_putz(out, is_first ? "{\"channel\":" : ",{\"channel\":");
    json_put_str(out, row->name);
    buf_putz(out, ",\"rights\":[");
    bool begins = true;
    for (size_t i = 0; i < COUNT_OF(granted); i++) {
        if (!(row->value & UINT64_C(1) << granted[i]))
            continue;
        buf_printf(out, begins ? "\"%s\"" : ",\"%s\"", action_name(granted[i]));
        begins = false;
    }
    buf_putz(out, "]}");
}

static void put_user(const struct hub *h, Str user, struct buf *out)
{
    const struct account *row = NULL, *own = NULL, *before = NULL;
    size_t tokens = 0, grants = 0;
    buf_putz(out, "{\"user\":");
    json_put_str(out, user.len ? user : STR("*"));
    buf_putz(out, ",\"grants\":[");
    while ((row = accounts_of(&h->accounts, user, row))) {
        tokens += row->kind == ACCOUNT_TOKEN;
        if (row->kind == ACCOUNT_GRANT)
            put_grant(row, grants++ == 0, out);
        else if (row->kind == ACCOUNT_USER)
            own = row;
        else if (row->kind == ACCOUNT_BEFORE)
            before = row;
    }
    buf_printf(out, "],\"tokens\":%zu,\"added\":%llu,\"disabled\":%s,\"before\":%llu,", tokens,
               (unsigned long long)(own ? own->time : 0), own && own->value ? "true" : "false",
               (unsigned long long)(before ? before->value : 0));
    buf_printf(out, "\"clients\":%llu,\"seen\":%llu}",
               (unsigned long long)tally_of(&h->clients.users, user),
               (unsigned long long)seen_at(h, user));
}

bool users_list(const struct hub *h, const Json *question, struct buf *out, struct fault *why)
{
    Str after;
    uint64_t limit;
    size_t n;
    if (!admin_word(question, "after", &after, why) ||
        !admin_number(question, "limit", PAGE_MAX, PAGE_MAX, &limit, why))
        return false;
    Str *names = sort_users(h, after, &n);
    buf_putz(out, "\"users\":[");
    for (size_t i = 0; i < n && i < limit; i++) {
        if (i)
            buf_putc(out, ',');
        put_user(h, names[i], out);
    }
    buf_putz(out, "],\"next\":");
    if (n > limit)
        json_put_str(out, names[limit - 1]);
    else
        buf_putz(out, "null");
    free(names);
    return true;
}

/* ---- changes ---- */

/* The user, with all grants and tokens, and when it was seen. What was said of tokens that are not
 * ours stays true. */
static bool take_away(struct hub *h, struct asker *a, Str user, struct fault *why)
{
    struct buf rows;
    const struct account *row = NULL;
    buf_init(&rows, ROWS_MAX);
    while ((row = accounts_of(&h->accounts, user, row)))
        if (row->kind != ACCOUNT_BEFORE)
            account_put(&rows,
                        &(struct msg_account){
                            .kind = row->kind, .user = row->user, .name = row->name, .gone = 1});
    if (seen_at(h, user))
        account_put(&rows, &(struct msg_account){.kind = ACCOUNT_SEEN, .user = user, .gone = 1});
    bool ok = rows.len ? account_change(h, a, &rows, why)
                       : fail(why, REFUSE_NOT_FOUND, "user: %.*s is not known", FMT(user));
    buf_fini(&rows);
    return ok;
}

bool users_change(struct hub *h, struct asker *a, const Json *question, struct fault *why)
{
    Str user, action;
    if (!read_user(question, false, &user, why) || !admin_word(question, "action", &action, why))
        return false;
    const struct account *row = accounts_find(&h->accounts, ACCOUNT_USER, user, STR(""));
    if (str_eq(action, STR("del")))
        return take_away(h, a, user, why);
    bool adds = str_eq(action, STR("add")), disables = str_eq(action, STR("disable"));
    if (!adds && !disables && !str_eq(action, STR("enable")))
        return fail(why, REFUSE_WRONG_FIELD, "action: none of add, del, disable, enable");
    if (adds && row)
        return fail(why, REFUSE_CONFLICT, "user: %.*s is there already", FMT(user));
    if (!adds && !row)
        return fail(why, REFUSE_NOT_FOUND, "user: %.*s is not known", FMT(user));
    return change(h, a,
                  &(struct msg_account){.kind = ACCOUNT_USER,
                                        .user = user,
                                        .value = disables,
                                        .time = row ? row->time : h->now.wall},
                  why);
}

bool users_token(struct hub *h, struct asker *a, const Json *question, struct fault *why)
{
    Str user, digest;
    uint64_t expires;
    if (!read_user(question, false, &user, why) || !admin_word(question, "digest", &digest, why) ||
        !admin_number(question, "expires", TIME_MOST, 0, &expires, why))
        return false;
    if (digest.len != ACCOUNT_DIGEST - 1)
        return fail(why, REFUSE_WRONG_FIELD, "digest: is not a SHA-256 in hexadecimal");
    if (!accounts_find(&h->accounts, ACCOUNT_USER, user, STR("")))
        return fail(why, REFUSE_NOT_FOUND, "user: %.*s is not known", FMT(user));
    return change(h, a,
                  &(struct msg_account){.kind = ACCOUNT_TOKEN,
                                        .user = user,
                                        .name = digest,
                                        .value = expires,
                                        .time = h->now.wall},
                  why);
}

/* One right on one channel; the bits that are there, and that of the right. */
static bool read_grant(const struct hub *h, const Json *question, struct msg_account *row,
                       uint64_t *bit, struct fault *why)
{
    Str right;
    *row = (struct msg_account){.kind = ACCOUNT_GRANT, .time = h->now.wall};
    if (!read_user(question, true, &row->user, why) ||
        !admin_word(question, "right", &right, why) ||
        !admin_word(question, "channel", &row->name, why) ||
        !pattern_is_valid(row->name, "channel", why))
        return false;
    const struct account *is = accounts_find(&h->accounts, ACCOUNT_GRANT, row->user, row->name);
    row->value = is ? is->value : 0;
    for (size_t i = 0; i < COUNT_OF(granted); i++) {
        *bit = UINT64_C(1) << granted[i];
        if (str_eq(right, str_of(action_name(granted[i]))))
            return true;
    }
    return fail(why, REFUSE_WRONG_FIELD, "right: none of subscribe, publish, presence");
}

bool users_grant(struct hub *h, struct asker *a, const Json *question, struct fault *why)
{
    struct msg_account row;
    uint64_t bit;
    if (!read_grant(h, question, &row, &bit, why))
        return false;
    row.value |= bit;
    return change(h, a, &row, why);
}

static bool revoke_grant(struct hub *h, struct asker *a, const Json *question, struct fault *why)
{
    struct msg_account row;
    uint64_t bit;
    if (!read_grant(h, question, &row, &bit, why))
        return false;
    if (!(row.value & bit))
        return fail(why, REFUSE_NOT_FOUND, "right: is not granted");
    row.value &= ~bit;
    row.gone = row.value == 0;
    return change(h, a, &row, why);
}

/* A token: by its id, or all of a user that were issued before a time. */
bool users_revoke(struct hub *h, struct asker *a, const Json *question, struct fault *why)
{
    struct msg_account row = {.time = h->now.wall};
    if (json_get(question, "right"))
        return revoke_grant(h, a, question, why);
    if (json_get(question, "id")) {
        row.kind = ACCOUNT_ID;
        return admin_word(question, "id", &row.name, why) && change(h, a, &row, why);
    }
    row.kind = ACCOUNT_BEFORE;
    return read_user(question, true, &row.user, why) &&
           admin_number(question, "before", TIME_MOST, h->now.wall, &row.value, why) &&
           change(h, a, &row, why);
}

bool users_kick(struct hub *h, struct asker *a, const Json *question, struct fault *why)
{
    Str name;
    if (!admin_word(question, "name", &name, why))
        return false;
    bool is_client = client_find(h, name) != NULL;
    if (!is_client && !user_is_valid(name, "name", why))
        return false;
    kick(h, name, is_client);
    admin_answer(h, a, STR_NONE);
    return true;
}
