#include "base/hash.h"

struct state {
    uint64_t v0, v1, v2, v3;
};

static uint64_t rotate(uint64_t x, int by)
{
    return (x << by) | (x >> (64 - by));
}

static void mix(struct state *s, int rounds)
{
    while (rounds--) {
        s->v0 += s->v1;
        s->v1 = rotate(s->v1, 13) ^ s->v0;
        s->v0 = rotate(s->v0, 32);
        s->v2 += s->v3;
        s->v3 = rotate(s->v3, 16) ^ s->v2;
        s->v0 += s->v3;
        s->v3 = rotate(s->v3, 21) ^ s->v0;
        s->v2 += s->v1;
        s->v1 = rotate(s->v1, 17) ^ s->v2;
        s->v2 = rotate(s->v2, 32);
    }
}

static void absorb(struct state *s, uint64_t word)
{
    s->v3 ^= word;
    mix(s, 2);
    s->v0 ^= word;
}

static uint64_t byte_of(const char *p, unsigned i)
{
    return (uint64_t)(unsigned char)p[i] << (8 * i);
}

/* Eight bytes, the smallest first; written so that compilers see one load. */
static uint64_t word_of(const char *p)
{
    return byte_of(p, 0) | byte_of(p, 1) | byte_of(p, 2) | byte_of(p, 3) | byte_of(p, 4) |
           byte_of(p, 5) | byte_of(p, 6) | byte_of(p, 7);
}

static uint64_t rest_of(Str s)
{
    uint64_t word = 0;
    for (unsigned i = 0; i < s.len; i++)
        word |= byte_of(s.p, i);
    return word;
}

uint64_t hash64(Str s, HashKey key)
{
    struct state state = {
        key.a ^ UINT64_C(0x736f6d6570736575),
        key.b ^ UINT64_C(0x646f72616e646f6d),
        key.a ^ UINT64_C(0x6c7967656e657261),
        key.b ^ UINT64_C(0x7465646279746573),
    };
    uint64_t length = (uint64_t)s.len << 56;
    for (; s.len >= 8; s = str_skip(s, 8))
        absorb(&state, word_of(s.p));
    absorb(&state, length | rest_of(s));
    state.v2 ^= 0xff;
    mix(&state, 4);
    return state.v0 ^ state.v1 ^ state.v2 ^ state.v3;
}
