/* power_disk -- a disk that can lose its power. It stands between this program and the kernel: the
 * calls that SQLite and the journal make on files of one watched folder go through, and what they
 * wrote since the last sync is kept apart, sector by sector. At any call an image can be made of
 * what might be found after the power went: of each sector that was not synced any of the versions
 * written since, the one on disk, or a torn one; sizes likewise; files made, renamed and removed
 * since the folder was synced up to some point, in their order. Nothing is ever really synced.
 *
 * It is linked in front of libc and knows neither SQLite nor the journal. `-shm` files are memory
 * and in no image. */
#ifndef BELFRY_POWER_DISK_H
#define BELFRY_POWER_DISK_H

#include "tests/sim/dice.h"

#include <stddef.h>

/* What lies in the folder now is on disk. */
void disk_watch(const char *folder);
void disk_unwatch(void);

/* Before the call (of those that change or sync something) that comes after so many others, `hit`
 * is called once, on whatever thread makes it; nothing changes meanwhile. */
void disk_aim(uint64_t calls, void (*hit)(void *ctx), void *ctx);
/* Makes the folder `to`: only from within `hit`, or when nobody else is at work. */
void disk_image(const char *to, struct dice *dice);
uint64_t disk_calls(void);

/* A disk that says it has synced and has not: to see that the loss is noticed. */
enum disk_lie { LIE_WAL = 1, LIE_DATABASE = 2, LIE_FOLDER = 4 };
void disk_lie(unsigned about);

#endif
