/* fail_calls -- put before a program (LD_PRELOAD): lets the k-th of its calls of some kinds fail
 * with an errno, counts them, and lets its wall clock jump.
 *
 * FAIL_CONTROL names a file of one page which the test has mapped too, so that faults can be asked
 * for while the program runs; faults.py is the other end. Only programs of Belfry are meddled with.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

/* The kinds of calls, as bits; faults.py has the same list. */
enum kind {
    SYNC = 1,         /* fsync, fdatasync */
    WRITE = 2,        /* of files */
    READ = 4,         /* of files */
    SEND = 8,         /* on sockets and pipes */
    RECEIVE = 16,     /* on sockets and pipes */
    OPEN = 32,        /* files */
    ACCEPT = 64,      /* connections */
    DESCRIPTOR = 128, /* socket, eventfd, epoll, memfd, signalfd, pipe, copies */
    MAP = 256,        /* mmap */
    MEMORY = 512,     /* malloc and its family */
    TRUNCATE = 1024,  /* and fallocate */
    PATH = 2048,      /* bind, rename, chmod, chown, mkdir, listen */
    THREAD = 4096,    /* pthread_create, fork */
};

struct control {
    _Atomic uint64_t kinds;
    _Atomic int64_t error;   /* errno; 0: a short write or read */
    _Atomic uint64_t at;     /* which call fails, from 1 on */
    _Atomic uint64_t many;   /* how many after each other */
    _Atomic uint64_t count;  /* calls of these kinds so far */
    _Atomic uint64_t hits;   /* of them failed */
    _Atomic int64_t wall_ms; /* what the wall clock is ahead */
    char said[64];           /* the last that failed */
};

static struct control *control;
static _Thread_local bool is_exempt; /* in code that is known to crash: not ours to mend */

/* Says whose code it was, for a library may not look whether it got memory. */
static void on_crash(int number, siginfo_t *info, void *context)
{
    const ucontext_t *at = context;
    Dl_info where = {0};
    dladdr((const void *)at->uc_mcontext.gregs[REG_RIP], &where);
    dprintf(STDERR_FILENO, "fail_calls: signal %d in %s\n", info->si_signo,
            where.dli_fname ? where.dli_fname : "nothing known");
    raise(number); /* for good: SA_RESETHAND */
}

/* Before anything else of the program runs; what was called earlier went its way. */
__attribute__((constructor)) static void open_control(void)
{
    const char *path = getenv("FAIL_CONTROL");
    if (!path || strncmp(program_invocation_short_name, "belfry", strlen("belfry")) != 0)
        return;
    int fd = open(path, O_RDWR | O_CLOEXEC);
    void *page = fd < 0 ? MAP_FAILED
                        : mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (page == MAP_FAILED)
        _exit(99);
    close(fd);
    struct sigaction crash = {.sa_sigaction = on_crash, .sa_flags = SA_SIGINFO | SA_RESETHAND};
    sigaction(SIGSEGV, &crash, NULL);
    control = page;
}

static bool strikes(unsigned kind, const char *name)
{
    struct control *c = control;
    if (!c || is_exempt || !(c->kinds & kind))
        return false;
    uint64_t n = atomic_fetch_add(&c->count, 1) + 1;
    if (n < c->at || n - c->at >= c->many)
        return false;
    atomic_fetch_add(&c->hits, 1);
    strncpy(c->said, name, sizeof c->said - 1);
    errno = (int)c->error;
    return true;
}

static bool is_short(void)
{
    return !control->error;
}

/* Whose peer is gone is gone for both ways. */
static ssize_t break_off(int fd)
{
    int error = errno;
    if (error == EPIPE || error == ECONNRESET)
        shutdown(fd, SHUT_RDWR);
    errno = error;
    return -1;
}

/* Which of the two a descriptor's kind asks for; none for what the program says on its screen. */
static unsigned by_file(int fd, unsigned file, unsigned socket)
{
    struct stat is;
    int before = errno;
    if (!control || !(control->kinds & (file | socket)) || fd == STDOUT_FILENO ||
        fd == STDERR_FILENO || fstat(fd, &is) != 0)
        return 0;
    errno = before;
    if (S_ISREG(is.st_mode))
        return file;
    return S_ISSOCK(is.st_mode) || S_ISFIFO(is.st_mode) ? socket : 0;
}

static void *find(const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);
    if (!found)
        _exit(98);
    return found;
}

/* REAL(name): the function that this one stands before. */
#define REAL(name)                                                                                 \
    static __typeof__(name) *real;                                                                 \
    if (!real)                                                                                     \
    *(void **)&real = find(#name)

/* One that just fails. */
#define PLAIN(kind, failed, type, name, params, args)                                              \
    type name params                                                                               \
    {                                                                                              \
        REAL(name);                                                                                \
        return strikes(kind, #name) ? failed : real args;                                          \
    }

/* One that may do half of its work. */
#define HALVED(file, socket, name, params, args, half)                                             \
    ssize_t name params                                                                            \
    {                                                                                              \
        REAL(name);                                                                                \
        unsigned kind = by_file(fd, file, socket);                                                 \
        if (kind && strikes(kind, #name))                                                          \
            return is_short() ? real half : break_off(fd);                                         \
        return real args;                                                                          \
    }

static size_t half_of(size_t n)
{
    return n > 1 ? n / 2 : n;
}

PLAIN(SYNC, -1, int, fsync, (int fd), (fd))
PLAIN(SYNC, -1, int, fdatasync, (int fd), (fd))

HALVED(WRITE, SEND, write, (int fd, const void *p, size_t n), (fd, p, n), (fd, p, half_of(n)))
HALVED(WRITE, SEND, pwrite, (int fd, const void *p, size_t n, off_t at), (fd, p, n, at),
       (fd, p, half_of(n), at))
HALVED(WRITE, SEND, pwrite64, (int fd, const void *p, size_t n, off64_t at), (fd, p, n, at),
       (fd, p, half_of(n), at))
HALVED(WRITE, SEND, writev, (int fd, const struct iovec *v, int n), (fd, v, n),
       (fd, v, n > 1 ? n / 2 : n))
HALVED(WRITE, SEND, send, (int fd, const void *p, size_t n, int flags), (fd, p, n, flags),
       (fd, p, half_of(n), flags))
HALVED(WRITE, SEND, sendmsg, (int fd, const struct msghdr *m, int flags), (fd, m, flags),
       (fd, m, flags))
HALVED(READ, RECEIVE, read, (int fd, void *p, size_t n), (fd, p, n), (fd, p, half_of(n)))
HALVED(READ, RECEIVE, pread, (int fd, void *p, size_t n, off_t at), (fd, p, n, at),
       (fd, p, half_of(n), at))
HALVED(READ, RECEIVE, pread64, (int fd, void *p, size_t n, off64_t at), (fd, p, n, at),
       (fd, p, half_of(n), at))
HALVED(READ, RECEIVE, recv, (int fd, void *p, size_t n, int flags), (fd, p, n, flags),
       (fd, p, half_of(n), flags))
HALVED(READ, RECEIVE, recvmsg, (int fd, struct msghdr *m, int flags), (fd, m, flags),
       (fd, m, flags))

static mode_t mode_of(int flags, va_list more)
{
    return flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0;
}

#define OPENING(name, params, ...)                                                                 \
    int name params                                                                                \
    {                                                                                              \
        va_list more;                                                                              \
        REAL(name);                                                                                \
        va_start(more, flags);                                                                     \
        mode_t mode = mode_of(flags, more);                                                        \
        va_end(more);                                                                              \
        return strikes(OPEN, #name) ? -1 : real(__VA_ARGS__, flags, mode);                         \
    }

OPENING(open, (const char *path, int flags, ...), path)
OPENING(open64, (const char *path, int flags, ...), path)
OPENING(openat, (int at, const char *path, int flags, ...), at, path)

PLAIN(ACCEPT, -1, int, accept4, (int fd, __SOCKADDR_ARG a, socklen_t *n, int flags),
      (fd, a, n, flags))

PLAIN(DESCRIPTOR, -1, int, socket, (int domain, int type, int protocol), (domain, type, protocol))
PLAIN(DESCRIPTOR, -1, int, eventfd, (unsigned n, int flags), (n, flags))
PLAIN(DESCRIPTOR, -1, int, epoll_create1, (int flags), (flags))
PLAIN(DESCRIPTOR, -1, int, memfd_create, (const char *name, unsigned flags), (name, flags))
PLAIN(DESCRIPTOR, -1, int, signalfd, (int fd, const sigset_t *set, int flags), (fd, set, flags))
PLAIN(DESCRIPTOR, -1, int, pipe2, (int fd[2], int flags), (fd, flags))
PLAIN(DESCRIPTOR, -1, int, socketpair, (int domain, int type, int protocol, int fd[2]),
      (domain, type, protocol, fd))

PLAIN(MAP, MAP_FAILED, void *, mmap, (void *p, size_t n, int prot, int flags, int fd, off_t at),
      (p, n, prot, flags, fd, at))
PLAIN(MAP, MAP_FAILED, void *, mmap64, (void *p, size_t n, int prot, int flags, int fd, off64_t at),
      (p, n, prot, flags, fd, at))

PLAIN(TRUNCATE, -1, int, ftruncate, (int fd, off_t n), (fd, n))
PLAIN(TRUNCATE, -1, int, ftruncate64, (int fd, off64_t n), (fd, n))
PLAIN(TRUNCATE, -1, int, fallocate, (int fd, int mode, off_t at, off_t n), (fd, mode, at, n))

PLAIN(PATH, -1, int, bind, (int fd, __CONST_SOCKADDR_ARG a, socklen_t n), (fd, a, n))
PLAIN(PATH, -1, int, listen, (int fd, int n), (fd, n))
PLAIN(PATH, -1, int, rename, (const char *from, const char *to), (from, to))
PLAIN(PATH, -1, int, chmod, (const char *path, mode_t mode), (path, mode))
PLAIN(PATH, -1, int, chown, (const char *path, uid_t user, gid_t group), (path, user, group))
PLAIN(PATH, -1, int, mkdir, (const char *path, mode_t mode), (path, mode))

/* Returns its error instead of setting it. */
int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                   void *ctx)
{
    REAL(pthread_create);
    return strikes(THREAD, "pthread_create") ? EAGAIN : real(thread, attributes, run, ctx);
}
PLAIN(THREAD, -1, pid_t, fork, (void), ())

/* ZeroMQ's thread blocks them all, and would crash without a word. */
int pthread_sigmask(int how, const sigset_t *set, sigset_t *before)
{
    REAL(pthread_sigmask);
    sigset_t but_crashes = set ? *set : (sigset_t){0};
    if (how != SIG_UNBLOCK)
        sigdelset(&but_crashes, SIGSEGV);
    return real(how, set ? &but_crashes : NULL, before);
}

/* The library's own, since dlsym() asks for memory itself. */
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);

#ifndef WITHOUT_MEMORY /* a sanitizer has its own */
void *malloc(size_t n)
{
    return strikes(MEMORY, "malloc") ? NULL : __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
    return strikes(MEMORY, "calloc") ? NULL : __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
    return strikes(MEMORY, "realloc") ? NULL : __libc_realloc(p, n);
}
#endif

/* glibc's name service crashes where it gets no memory: at a group's name, and in libpgm, which
 * ZeroMQ loads. */
#define EXEMPT(name, params, args)                                                                 \
    int name params                                                                                \
    {                                                                                              \
        REAL(name);                                                                                \
        is_exempt = true;                                                                          \
        int failed = real args;                                                                    \
        is_exempt = false;                                                                         \
        return failed;                                                                             \
    }

EXEMPT(getgrnam_r, (const char *name, struct group *entry, char *p, size_t n, struct group **found),
       (name, entry, p, n, found))
EXEMPT(getprotobyname_r,
       (const char *name, struct protoent *entry, char *p, size_t n, struct protoent **found),
       (name, entry, p, n, found))

int clock_gettime(clockid_t which, struct timespec *out)
{
    REAL(clock_gettime);
    int failed = real(which, out);
    if (failed || which != CLOCK_REALTIME || !control)
        return failed;
    int64_t ms = control->wall_ms;
    out->tv_sec += ms / 1000;
    out->tv_nsec += ms % 1000 * 1000000;
    if (out->tv_nsec >= 1000000000 || out->tv_nsec < 0) {
        int carry = out->tv_nsec < 0 ? -1 : 1;
        out->tv_sec += carry;
        out->tv_nsec -= carry * 1000000000L;
    }
    return 0;
}
