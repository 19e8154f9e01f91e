/* Idempotency keys, as journal_keys.c keeps them; the clocks here go alike, and one will do. */
#include "memory_tables.h"

#include <stdlib.h>

static Msec too_old(const struct memory_log *m, Msec age)
{
    return m->time > age ? m->time - age : 0;
}

static struct memory_key *find(const struct memory_log *m, Str user, Str key)
{
    for (size_t i = m->key_count; i-- > 0;)
        if (str_eq(str_of(m->keys[i].key), key) && str_eq(str_of(m->keys[i].user), user))
            return &m->keys[i];
    return NULL;
}

enum memory_found memory_key_find(const struct memory_log *m, Msec age, Str user, Str key,
                                  const uint64_t print[2], const struct memory_key **out)
{
    const struct memory_key *k = find(m, user, key);
    if (!k || k->time <= too_old(m, age))
        return MEMORY_NEW;
    *out = k;
    return k->print[0] == print[0] && k->print[1] == print[1] ? MEMORY_KNOWN : MEMORY_OTHER;
}

static void drop(struct memory_log *m, size_t i)
{
    free(m->keys[i].user);
    free(m->keys[i].key);
    free(m->keys[i].answers);
    m->key_count--;
    memmove(&m->keys[i], &m->keys[i + 1], (m->key_count - i) * sizeof m->keys[0]);
}

void memory_key_add(struct memory_log *m, Str user, Str key, struct memory_key k)
{
    struct memory_key *old = find(m, user, key);
    if (old)
        drop(m, (size_t)(old - m->keys));
    else
        m->keys_added++;
    m->keys = must_realloc(m->keys, (m->key_count + 1) * sizeof m->keys[0]);
    k.user = str_dup(user);
    k.key = str_dup(key);
    m->keys[m->key_count++] = k;
}

void memory_keys_expire(struct memory_log *m, Msec age, size_t most)
{
    size_t i = 0;
    for (; most && i < m->key_count; most--) {
        if (m->keys[i].time <= too_old(m, age))
            drop(m, i);
        else
            i++;
    }
}

bool memory_keys_have_room(struct memory_log *m, struct memory_keys keys, uint64_t n)
{
    if (m->key_count + n > keys.limit)
        memory_keys_expire(m, keys.age, 1024 + n);
    return m->key_count + n <= keys.limit;
}

void memory_keys_copy(struct memory_log *to, const struct memory_log *from)
{
    to->keys = must_copy(from->keys, from->key_count * sizeof from->keys[0]);
    for (size_t i = 0; i < to->key_count; i++) {
        struct memory_key *k = &to->keys[i];
        k->user = str_dup(str_of(k->user));
        k->key = str_dup(str_of(k->key));
        k->answers = must_copy(k->answers, k->n * sizeof k->answers[0]);
    }
}

void memory_keys_fini(struct memory_log *m)
{
    while (m->key_count)
        drop(m, m->key_count - 1);
    free(m->keys);
}
