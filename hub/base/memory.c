#include "base/memory.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    SMALL = 1024,
    TIDY_EACH = 60000, /* ms */
    TIDY_SHARE = 10000,
};

void memory_is_out(void)
{
    static const char text[] = "out of memory\n";
    /* The log's own buffers need memory, so this line goes out as it is. */
    ssize_t written = write(STDERR_FILENO, text, sizeof text - 1);
    (void)written;
    abort();
}

void memory_share(void)
{
    mallopt(M_ARENA_MAX, 1);
}

void memory_tidy(Msec now, Msec *next)
{
    if (now < *next)
        return;
    Msec begun = clock_mono();
    malloc_trim(0);
    Msec pause = TIDY_SHARE * (clock_mono() - begun);
    *next = now + (pause > TIDY_EACH ? pause : TIDY_EACH);
}

static void *checked(void *p)
{
    if (!p)
        memory_is_out();
    return p;
}

void *must_room(size_t size)
{
    return checked(malloc(size ? size : 1));
}

/* glibc's calloc passes over what the thread has at hand; for a lot of memory it knows what the
 * kernel has zeroed. */
void *must_alloc(size_t size)
{
    if (size > SMALL)
        return checked(calloc(1, size));
    void *p = must_room(size);
    memset(p, 0, size);
    return p;
}

void *must_realloc(void *old, size_t size)
{
    return checked(realloc(old, size ? size : 1));
}

void *must_copy(const void *from, size_t size)
{
    char *p = must_room(size);
    if (size)
        memcpy(p, from, size);
    return p;
}
