#include "dice.h"

#include "base/random.h"

#include <string.h>

static struct dice programs;

/* splitmix64 */
uint64_t dice_draw(struct dice *d)
{
    uint64_t z = (d->state += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

struct dice dice_of(uint64_t seed)
{
    struct dice d = {seed * 0x2545f4914f6cdd1d + 1};
    (void)dice_draw(&d);
    return d;
}

uint64_t dice_roll(struct dice *d, uint64_t sides)
{
    return dice_draw(d) % sides;
}

bool dice_luck(struct dice *d, unsigned percent)
{
    return dice_roll(d, 100) < percent;
}

void dice_seed_programs(uint64_t seed)
{
    programs = dice_of(seed);
}

void random_bytes(void *out, size_t size)
{
    for (size_t i = 0; i < size; i += sizeof(uint64_t)) {
        uint64_t n = dice_draw(&programs);
        size_t some = size - i < sizeof n ? size - i : sizeof n;
        memcpy((char *)out + i, &n, some);
    }
}

uint64_t random_u64(void)
{
    return dice_draw(&programs);
}

void random_name(char out[RANDOM_NAME])
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
    for (int i = 0; i < RANDOM_NAME - 1; i++)
        out[i] = letters[dice_draw(&programs) & 63];
    out[RANDOM_NAME - 1] = '\0';
}
