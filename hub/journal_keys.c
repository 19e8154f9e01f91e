#include "journal_keys.h"

#include "base/clock.h"

#define JUMP ((Msec)1000)
enum { ANSWERS_MAX = 64 * 1024 * 1024, EXPIRE_WHEN_FULL = 1024 };

/* How far the log's time ran ahead of the time that passed: a clock that is set forward must not
 * cut the window of the keys before it. They are all gone when their age has passed since. */
static Msec time_ahead(struct keys *k)
{
    Msec mono = clock_mono(), time = k->ledger->time;
    Msec passed = mono - k->mono, moved = time > k->time ? time - k->time : 0;
    if (k->mono && moved > passed + JUMP) {
        k->ahead += moved - passed;
        k->jumped = mono;
    } else if (mono - k->jumped >= k->age) {
        k->ahead = 0;
    }
    k->mono = mono;
    k->time = time;
    return k->ahead;
}

/* Keys logged up to then are too old. */
static Msec too_old(struct keys *k)
{
    Msec now = k->ledger->time, kept = k->age + time_ahead(k);
    return now > kept ? now - kept : 0;
}

enum key_state keys_find(struct keys *k, Str user, Str key, const uint64_t print[2],
                         struct kept *out)
{
    enum key_state state = KEY_NEW;
    Statement *s = db_query(k->db, QUERY_FIND_KEY);
    bind_text(s, 1, user);
    bind_text(s, 2, key);
    bind_number(s, 3, too_old(k));
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
    bind_number(s, 1, too_old(k));
    bind_number(s, 2, most);
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
