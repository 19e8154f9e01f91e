/* hash -- SipHash-2-4 (Aumasson, Bernstein 2012), 64 bits. */
#ifndef BELFRY_HASH_H
#define BELFRY_HASH_H

#include "str.h"

typedef struct {
    uint64_t a, b;
} HashKey;

uint64_t hash64(Str s, HashKey key);

#endif
