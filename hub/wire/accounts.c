#include "wire/accounts.h"

#include "wire/jwt.h"
#include "wire/names.h"
#include "wire/refusal.h"

#include <stdio.h>
#include <stdlib.h>

enum { ROW_MAX = 1024, LIST_MAX = 1024 * 1024 * 1024, LISTS = 3 };

struct holder {
    struct list rows;
    struct buf lists[LISTS]; /* subscribe, publish, presence */
    bool is_stale;           /* the lists are not as the rows */
    Str user;
    char bytes[];
};

static const char *const kinds[ACCOUNT_KINDS] = {"",       "user", "grant", "token",
                                                 "before", "id",   "seen"};

const char *account_kind_name(int kind)
{
    return kind > ACCOUNT_NONE && kind < ACCOUNT_KINDS ? kinds[kind] : kinds[ACCOUNT_NONE];
}

int account_kind_of(Str name)
{
    for (int kind = ACCOUNT_KINDS - 1; kind > ACCOUNT_NONE; kind--)
        if (str_eq(name, str_of(kinds[kind])))
            return kind;
    return ACCOUNT_NONE;
}

void accounts_init(struct accounts *a)
{
    map_init(&a->rows);
    map_init(&a->holders);
}

static void drop_holder(struct accounts *a, struct holder *h)
{
    map_del(&a->holders, h->user);
    for (size_t i = 0; i < LISTS; i++)
        buf_fini(&h->lists[i]);
    free(h);
}

static struct holder *need_holder(struct accounts *a, Str user)
{
    struct holder *h = map_get(&a->holders, user);
    if (h)
        return h;
    h = must_alloc(sizeof *h + user.len + 1);
    memcpy(h->bytes, user.len ? user.p : "", user.len);
    h->user = str_make(h->bytes, user.len);
    list_init(&h->rows);
    for (size_t i = 0; i < LISTS; i++)
        buf_init(&h->lists[i], LIST_MAX);
    map_put(&a->holders, h->user, h);
    return h;
}

static void drop(struct accounts *a, struct account *row)
{
    struct holder *h = map_get(&a->holders, row->user);
    map_del(&a->rows, row->key);
    list_remove(&row->node);
    h->is_stale = true;
    if (list_is_empty(&h->rows))
        drop_holder(a, h);
    free(row);
}

void accounts_fini(struct accounts *a)
{
    struct account *row;
    for (size_t at = 0; (row = map_next(&a->rows, &at));)
        drop(a, row);
    map_fini(&a->rows);
    map_fini(&a->holders);
}

/* A token is known by its digest, whoever's it is. */
static void put_key(struct buf *key, int kind, Str user, Str name)
{
    buf_putc(key, (char)kind);
    if (kind != ACCOUNT_TOKEN)
        buf_put(key, user);
    buf_putc(key, '\n');
    buf_put(key, name);
}

static bool is_name(const struct msg_account *row, struct fault *why)
{
    switch (row->kind) {
    case ACCOUNT_GRANT:
        return pattern_is_valid(row->name, "channel", why);
    case ACCOUNT_TOKEN:
    case ACCOUNT_ID:
        return (row->name.len > 0 && row->name.len <= ACCOUNT_NAME_MAX &&
                !str_has_control(row->name) && str_is_utf8(row->name)) ||
               fail(why, REFUSE_WRONG_FIELD, "id: is not text of 1 to %d bytes", ACCOUNT_NAME_MAX);
    default:
        return !row->name.len || fail(why, REFUSE_WRONG_FIELD, "name: is none of this");
    }
}

bool account_is_valid(const struct msg_account *row, struct fault *why)
{
    bool may_be_all = row->kind == ACCOUNT_GRANT || row->kind == ACCOUNT_BEFORE;
    if (row->kind <= ACCOUNT_NONE || row->kind >= ACCOUNT_KINDS)
        return fail(why, REFUSE_WRONG_FIELD, "kind: %u is not known", row->kind);
    if (row->kind == ACCOUNT_ID
            ? row->user.len > 0
            : !(may_be_all && !row->user.len) && !user_is_valid(row->user, "user", why))
        return false;
    return is_name(row, why);
}

static void put(struct accounts *a, const struct msg_account *m, Str key)
{
    size_t bytes = m->user.len + m->name.len + key.len;
    struct account *row = must_alloc(sizeof *row + bytes);
    struct buf room = {.p = row->bytes, .cap = bytes + 1, .max = bytes};
    row->kind = m->kind;
    row->value = m->value;
    row->time = m->time;
    buf_put(&room, m->user);
    row->user = str_make(row->bytes, m->user.len);
    row->name = str_make(row->bytes + room.len, m->name.len);
    buf_put(&room, m->name);
    row->key = str_make(row->bytes + room.len, key.len);
    buf_put(&room, key);
    struct holder *h = need_holder(a, row->user);
    list_append(&h->rows, &row->node);
    h->is_stale = true;
    map_put(&a->rows, row->key, row);
}

static void take(struct accounts *a, const struct msg_account *m)
{
    struct buf key;
    buf_init(&key, ROW_MAX);
    put_key(&key, m->kind, m->user, m->name);
    struct account *before = map_get(&a->rows, buf_str(&key));
    if (!m->gone)
        put(a, m, buf_str(&key));
    if (before && m->gone) {
        drop(a, before);
    } else if (before) {
        list_remove(&before->node); /* the map has the new one */
        struct holder *h = map_get(&a->holders, before->user);
        if (list_is_empty(&h->rows))
            drop_holder(a, h);
        free(before);
    }
    buf_fini(&key);
}

void accounts_take(struct accounts *a, Str list)
{
    for (Str item; list_next(&list, &item);) {
        struct msg_account m;
        if (msg_account_unpack(item, &m) && account_is_valid(&m, NULL))
            take(a, &m);
    }
}

bool account_put(struct buf *list, const struct msg_account *row)
{
    struct buf item;
    buf_init(&item, ROW_MAX);
    bool ok = msg_account_pack(&item, row) && list_put(list, buf_str(&item));
    buf_fini(&item);
    return ok;
}

bool accounts_put(const struct accounts *a, size_t *at, size_t most, struct buf *list)
{
    const struct account *row;
    while (list->len < most && (row = map_next(&a->rows, at)))
        account_put(list, &(struct msg_account){.kind = row->kind,
                                                .user = row->user,
                                                .name = row->name,
                                                .value = row->value,
                                                .time = row->time});
    return list->len >= most;
}

const struct account *accounts_find(const struct accounts *a, enum account_kind kind, Str user,
                                    Str name)
{
    struct buf key;
    buf_init(&key, (size_t)ROW_MAX + user.len + name.len);
    put_key(&key, (int)kind, user, name);
    const struct account *row = map_get(&a->rows, buf_str(&key));
    buf_fini(&key);
    return row;
}

const struct account *accounts_of(const struct accounts *a, Str user, const struct account *after)
{
    const struct holder *h = map_get(&a->holders, user);
    if (!h)
        return NULL;
    struct list *next = after ? after->node.next : h->rows.next;
    return next == &h->rows ? NULL : CONTAINER_OF(next, struct account, node);
}

static void renew(struct holder *h)
{
    static const enum action actions[LISTS] = {MAY_SUBSCRIBE, MAY_PUBLISH, MAY_PRESENCE};
    struct list *node, *safe;
    for (size_t i = 0; i < LISTS; i++)
        buf_clear(&h->lists[i]);
    LIST_EACH(node, safe, &h->rows)
    {
        const struct account *row = CONTAINER_OF(node, struct account, node);
        for (size_t i = 0; row->kind == ACCOUNT_GRANT && i < LISTS; i++)
            if (row->value & UINT64_C(1) << actions[i])
                list_put(&h->lists[i], row->name);
    }
    h->is_stale = false;
}

static struct grants grants_of(const struct accounts *a, Str user)
{
    struct holder *h = map_get(&a->holders, user);
    if (!h)
        return (struct grants){0};
    if (h->is_stale)
        renew(h);
    return (struct grants){buf_str(&h->lists[0]), buf_str(&h->lists[1]), buf_str(&h->lists[2])};
}

void accounts_grant(const struct accounts *a, struct rights *rights)
{
    rights->stored = rights->shared = (struct grants){0};
    if (!rights->user.len)
        return;
    rights->stored = grants_of(a, rights->user);
    rights->shared = grants_of(a, STR(""));
}

static bool is_after(const struct accounts *a, Str user, Msec issued)
{
    const struct account *row = accounts_find(a, ACCOUNT_BEFORE, user, STR(""));
    return !row || issued >= row->value;
}

bool accounts_admit(const struct accounts *a, Str user, Str id, Msec issued)
{
    const struct account *own = accounts_find(a, ACCOUNT_USER, user, STR(""));
    if (!user.len)
        return true;
    if ((own && own->value) || !is_after(a, user, issued) || !is_after(a, STR(""), issued))
        return false;
    if (!id.len)
        return true;
    Str name = str_skip(id, 1);
    return id.p[0] == ACCOUNT_OURS ? accounts_find(a, ACCOUNT_TOKEN, user, name) != NULL
                                   : !accounts_find(a, ACCOUNT_ID, STR(""), name);
}

void account_digest(Str token, char out[ACCOUNT_DIGEST])
{
    char digest[JWT_DIGEST];
    jwt_digest(token, digest);
    for (size_t i = 0; i < sizeof digest; i++)
        snprintf(out + 2 * i, 3, "%02x", (unsigned char)digest[i]);
}
