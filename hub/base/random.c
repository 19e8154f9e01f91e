#include "base/random.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

void random_bytes(void *out, size_t size)
{
    char *p = out;
    while (size) {
        ssize_t n = getrandom(p, size, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            abort(); /* every supported kernel has it; names that can be guessed would be worse */
        p += n;
        size -= (size_t)n;
    }
}

uint64_t random_u64(void)
{
    uint64_t n;
    random_bytes(&n, sizeof n);
    return n;
}

void random_name(char out[RANDOM_NAME])
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
    unsigned char bytes[RANDOM_NAME - 1];
    random_bytes(bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++)
        out[i] = letters[bytes[i] & 63];
    out[RANDOM_NAME - 1] = '\0';
}
