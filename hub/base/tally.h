/* tally -- how many of something each key has at present. */
#ifndef BELFRY_TALLY_H
#define BELFRY_TALLY_H

#include "map.h"

struct tally {
    struct map by_key;
};

void tally_init(struct tally *t);
void tally_fini(struct tally *t);
uint64_t tally_of(const struct tally *t, Str key);
/* An empty key is nobody's. What is taken was added before. */
void tally_add(struct tally *t, Str key, uint64_t n);
void tally_take(struct tally *t, Str key, uint64_t n);

#endif
