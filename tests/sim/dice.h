/* dice -- all chance in the simulated world: a generator that repeats itself from a seed. dice.c
 * also stands in for base/random.c, so that names and keys of the programs repeat themselves too.
 */
#ifndef BELFRY_SIM_DICE_H
#define BELFRY_SIM_DICE_H

#include <stdbool.h>
#include <stdint.h>

struct dice {
    uint64_t state;
};

struct dice dice_of(uint64_t seed);
uint64_t dice_draw(struct dice *d);
/* 0 .. sides - 1 */
uint64_t dice_roll(struct dice *d, uint64_t sides);
/* In `percent` of a hundred cases. */
bool dice_luck(struct dice *d, unsigned percent);

/* What base/random.h draws from here on. */
void dice_seed_programs(uint64_t seed);

#endif
