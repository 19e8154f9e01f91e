#include "base/limits.h"

#include "wire/refusal.h"

#include <inttypes.h>

enum { KEY_MAX = 128 };

static const struct {
    const char *name;
    size_t at;
} rates[RATE_COUNT] = {
    [RATE_CONNECTS] = {"rate_connects", offsetof(struct options, rate_connects)},
    [RATE_PUBLISHES] = {"rate_publishes", offsetof(struct options, rate_publishes)},
    [RATE_SUBSCRIBES] = {"rate_subscribes", offsetof(struct options, rate_subscribes)},
    [RATE_HISTORY] = {"rate_history", offsetof(struct options, rate_history)},
    [RATE_TOKENS] = {"rate_tokens", offsetof(struct options, rate_tokens)},
};

void limits_init(struct limits *l, const struct options *o, uint64_t share)
{
    *l = (struct limits){.options = o, .share = share ? share : 1};
    buckets_init(&l->buckets);
}

void limits_fini(struct limits *l)
{
    buckets_fini(&l->buckets);
}

static struct bucket_rate rate_of(const struct limits *l, enum rate rate)
{
    const char *row = (const char *)l->options + rates[rate].at;
    return (struct bucket_rate){*(const uint64_t *)(const void *)row, l->share,
                                l->options->rate_burst};
}

/* One table for all of them. What is longer than any name is not looked at to its end. */
static Str key_of(char room[KEY_MAX], enum rate rate, Str key)
{
    size_t len = key.len < KEY_MAX ? key.len : KEY_MAX - 1;
    room[0] = (char)rate;
    memcpy(room + 1, key.p, len);
    return str_make(room, len + 1);
}

bool limits_is_spent(const struct limits *l, enum rate rate, Str key, Msec now)
{
    char room[KEY_MAX];
    struct bucket_rate r = rate_of(l, rate);
    return key.len && !buckets_may(&l->buckets, key_of(room, rate, key), &r, now);
}

bool limits_admit(struct limits *l, enum rate rate, Str key, Msec now, struct fault *why)
{
    char room[KEY_MAX];
    struct bucket_rate r = rate_of(l, rate);
    if (!key.len || buckets_take(&l->buckets, key_of(room, rate, key), &r, 1, now))
        return true;
    l->refused[rate]++;
    return fail(why, REFUSE_LIMIT, "%s is %" PRIu64 " a second", rates[rate].name, r.rate);
}

void limits_charge(struct limits *l, enum rate rate, Str key, uint64_t n, Msec now)
{
    char room[KEY_MAX];
    struct bucket_rate r = rate_of(l, rate);
    if (key.len && n > 1)
        buckets_charge(&l->buckets, key_of(room, rate, key), &r, n - 1, now);
}
