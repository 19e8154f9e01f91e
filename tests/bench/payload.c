#include "payload.h"

#include <string.h>
#include <time.h>

enum { NUMBER_DIGITS = 10, TIME_DIGITS = 16 };

uint64_t clock_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void put_digits(char *to, int digits, uint64_t value)
{
    for (int i = digits; i-- > 0; value /= 10)
        to[i] = (char)('0' + value % 10);
    to[digits] = '.';
}

static bool get_digits(const char *p, int digits, uint64_t *value)
{
    uint64_t sum = 0;
    for (int i = 0; i < digits; i++) {
        if (p[i] < '0' || p[i] > '9')
            return false;
        sum = sum * 10 + (uint64_t)(p[i] - '0');
    }
    *value = sum;
    return p[digits] == '.';
}

void payload_put(char *to, size_t size, uint64_t number, uint64_t us)
{
    to[0] = PAYLOAD_MARK;
    put_digits(to + 1, NUMBER_DIGITS, number);
    put_digits(to + 2 + NUMBER_DIGITS, TIME_DIGITS, us);
    memset(to + PAYLOAD_HEAD, 'x', size - PAYLOAD_HEAD);
}

bool payload_get(const char *p, uint64_t *number, uint64_t *us)
{
    return get_digits(p + 1, NUMBER_DIGITS, number) &&
           get_digits(p + 2 + NUMBER_DIGITS, TIME_DIGITS, us);
}
