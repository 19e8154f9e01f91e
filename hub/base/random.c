#include "base/random.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { POOL = 512 };

/* The kernel is asked for many bytes at once: each stream takes some. */
static _Thread_local struct {
    size_t left;
    char bytes[POOL];
} pool;

static void ask_kernel(char *p, size_t size)
{
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

/* A child's are its own. */
static void forget(void)
{
    memset(&pool, 0, sizeof pool);
}

static void forget_after_fork(void)
{
    if (pthread_atfork(NULL, NULL, forget) != 0)
        abort();
}

/* What was handed out is nowhere else. */
void random_bytes(void *out, size_t size)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    if (size > POOL) {
        ask_kernel(out, size);
        return;
    }
    if (size > pool.left) {
        pthread_once(&once, forget_after_fork);
        ask_kernel(pool.bytes, POOL);
        pool.left = POOL;
    }
    pool.left -= size;
    memcpy(out, pool.bytes + pool.left, size);
    memset(pool.bytes + pool.left, 0, size);
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
