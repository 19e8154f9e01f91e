#include "base/files.h"

#include "base/clock.h"
#include "base/log.h"
#include "wire/refusal.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define SAY_EACH ((Msec)10000)

typedef int accept_call(int fd, void *address, socklen_t *size, int flags);

static accept_call *next_accept;
static atomic_int spare = -1;
static _Atomic Msec said;

static int open_spare(void)
{
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

bool files_open(unsigned least, struct fault *why)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
        if (limit.rlim_cur < least)
            return fail(why, REFUSE_CONFIG,
                        "%llu file descriptors are allowed (RLIMIT_NOFILE), %u are needed",
                        (unsigned long long)limit.rlim_cur, least);
    }
    atomic_store(&spare, open_spare());
    return true;
}

static void say(void)
{
    Msec now = clock_mono(), before = atomic_load(&said);
    if ((!before || now - before >= SAY_EACH) &&
        atomic_compare_exchange_strong(&said, &before, now))
        log_error("connection turned away", kz("reason", "no file descriptor is left"));
}

/* Else the peer would wait, and whoever listens would turn for nothing. */
static void turn_one_away(int listening)
{
    int room = atomic_exchange(&spare, -1);
    if (room >= 0)
        close(room);
    int fd = next_accept(listening, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0)
        close(fd);
    int fresh = open_spare(), none = -1;
    if (!atomic_compare_exchange_strong(&spare, &none, fresh) && fresh >= 0)
        close(fresh);
    say();
}

/* Found at its first use, which may be in any thread: all find the same. */
int accept4(int fd, __SOCKADDR_ARG address, socklen_t *size, int flags)
{
    if (!next_accept)
        *(void **)&next_accept = dlsym(RTLD_NEXT, "accept4");
    int accepted = next_accept(fd, address.__sockaddr__, size, flags);
    if (accepted < 0 && (errno == EMFILE || errno == ENFILE)) {
        turn_one_away(fd);
        errno = ECONNABORTED;
    }
    return accepted;
}
