#include "journal_keys.h"

#include "base/clock.h"

enum { ANSWERS_MAX = 64 * 1024 * 1024, EXPIRE_WHEN_FULL = 1024 };

void keys_start(struct keys *k)
{
    Msec wall = clock_wall(), time = k->ledger->time;
    k->first = k->number = db_number(k->db, QUERY_LAST_KEY);
    k->ahead = (wall > time ? wall : time) - clock_mono();
}

/* Which key is too old is a matter of time that passes, whatever the wall clock does: the newest
 * that was there an age ago, and all before it. Those of former starts go by their own time too. */
static void bind_too_old(struct keys *k, Statement *s, int at)
{
    Msec now = clock_mono();
    uint64_t number = 0;
    for (size_t i = COUNT_OF(k->marks); i-- > 0;)
        if (now - k->marks[i].mono >= k->age)
            number = k->marks[i].number;
    if (now - k->marks[1].mono > k->age / KEYS_STEPS)
        memmove(k->marks + 1, k->marks, sizeof k->marks - sizeof k->marks[0]);
    k->marks[0] = (struct key_mark){now, k->number};
    bind_number(s, at, number);
    bind_number(s, at + 1, k->first);
    bind_number(s, at + 2, now + k->ahead > k->age ? now + k->ahead - k->age : 0);
}

enum key_state keys_find(struct keys *k, Str user, Str key, const uint64_t print[2],
                         struct kept *out)
{
    enum key_state state = KEY_NEW;
    Statement *s = db_query(k->db, QUERY_FIND_KEY);
    bind_text(s, 1, user);
    bind_text(s, 2, key);
    bind_too_old(k, s, 3);
    if (db_row(k->db, s)) {
        bool is_same = column_number(s, 0) == print[0] && column_number(s, 1) == print[1];
        state = is_same ? KEY_KNOWN : KEY_OTHER;
    }
    if (state == KEY_KNOWN) {
        *out = (struct kept){{print[0], print[1]},
                             column_number(s, 2),
                             column_number(s, 3),
                             column_number(s, 4),
                             {0}};
        buf_init(&out->answers, ANSWERS_MAX);
        buf_put(&out->answers, column_text(s, 5));
    }
    db_end(s);
    return state;
}

static bool add(struct keys *k, Str user, Str key, const struct kept *what)
{
    Statement *s = db_query(k->db, QUERY_ADD_KEY);
    bind_text(s, 1, user);
    bind_text(s, 2, key);
    bind_number(s, 3, what->print[0]);
    bind_number(s, 4, what->print[1]);
    bind_number(s, 5, what->first);
    bind_number(s, 6, what->n);
    bind_number(s, 7, what->time);
    bind_optional(s, 8, buf_str(&what->answers));
    bind_number(s, 9, ++k->number);
    return db_run(k->db, s) && db_changes(k->db) == 1;
}

void keys_add(struct keys *k, Str user, Str key, const struct kept *what)
{
    if (add(k, user, key, what)) {
        k->ledger->keys++;
        return;
    }
    /* An expired one is in the way; or, for the key of a batch, that of one of its own sends. */
    Statement *s = db_query(k->db, QUERY_DROP_KEY);
    bind_text(s, 1, user);
    bind_text(s, 2, key);
    db_run(k->db, s);
    add(k, user, key, what);
}

void keys_expire(struct keys *k, uint64_t most)
{
    if (!k->ledger->keys)
        return;
    Statement *s = db_query(k->db, QUERY_EXPIRE_KEYS);
    bind_too_old(k, s, 1);
    bind_number(s, 4, most);
    db_run(k->db, s);
    k->ledger->keys -= db_changes(k->db);
}

bool keys_have_room(struct keys *k, uint64_t n)
{
    if (k->ledger->keys + n > k->limit)
        keys_expire(k, EXPIRE_WHEN_FULL + n);
    return k->ledger->keys + n <= k->limit;
}

void kept_fini(struct kept *k)
{
    buf_fini(&k->answers);
}
