#include "base/clock.h"

#include <time.h>

static uint64_t microseconds(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

Msec clock_mono(void)
{
    return microseconds(CLOCK_MONOTONIC) / 1000;
}

Msec clock_wall(void)
{
    return microseconds(CLOCK_REALTIME) / 1000;
}

uint64_t clock_mono_us(void)
{
    return microseconds(CLOCK_MONOTONIC);
}
