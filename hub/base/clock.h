/* clock -- milliseconds. Read once a turn by the loops; the engines are told. */
#ifndef BELFRY_CLOCK_H
#define BELFRY_CLOCK_H

#include <stdint.h>

typedef uint64_t Msec;

Msec clock_mono(void); /* never goes back; for waits and leases */
Msec clock_wall(void); /* since 1970, for `time` */
uint64_t clock_mono_us(void);

#endif
