#include "spawn.h"

#include "base/memory.h"
#include "wire/refusal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

/* Not one of BELFRY_NAME, which are options. */
#define VARIABLE "FCGI_HERITAGE"

static char path[PATH_MAX];
static char **arguments;

void spawn_remember(char **argv)
{
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    path[n > 0 ? n : 0] = '\0';
    arguments = argv;
}

static void close_on_exec(int fd)
{
    if (fd >= 0)
        fcntl(fd, F_SETFD, FD_CLOEXEC);
}

bool spawn_heritage(struct heritage *h)
{
    const char *text = getenv(VARIABLE);
    bool ok = text && sscanf(text, "%d %d %d %d %d", &h->number, &h->listen, &h->lock, &h->ready,
                             &h->takeover) == 5;
    unsetenv(VARIABLE);
    if (!ok)
        return false;
    unsetenv("WATCHDOG_PID"); /* was the one before; whoever is the main process is asked */
    close_on_exec(h->listen);
    close_on_exec(h->lock);
    close_on_exec(h->ready);
    close_on_exec(h->takeover);
    return true;
}

static void keep_on_exec(int fd)
{
    if (fd >= 0)
        fcntl(fd, F_SETFD, 0);
}

/* Between fork and exec nothing may be called that could wait for another thread. */
static _Noreturn void become(const struct heritage *h, char **environment)
{
    static const int caught[] = {SIGHUP, SIGINT, SIGTERM, SIGCHLD, SIGUSR1};
    sigset_t none;
    for (size_t i = 0; i < COUNT_OF(caught); i++)
        signal(caught[i], SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    keep_on_exec(h->listen);
    keep_on_exec(h->lock);
    keep_on_exec(h->ready);
    keep_on_exec(h->takeover);
    execve(path, arguments, environment);
    _exit(EX_UNAVAILABLE);
}

/* The child is gone at once, and its own child is left to whoever takes in orphans. */
static pid_t fork_orphan(const struct heritage *h, char **environment)
{
    pid_t middle = fork();
    if (middle == 0) {
        pid_t pid = fork();
        if (pid == 0)
            become(h, environment);
        _exit(pid < 0 ? EX_OSERR : EX_OK);
    }
    int status = 0;
    while (middle > 0 && waitpid(middle, &status, 0) < 0 && errno == EINTR)
        ;
    return middle > 0 && status == 0 ? 0 : -1;
}

static pid_t fork_child(const struct heritage *h, char **environment)
{
    pid_t pid = fork();
    if (pid == 0)
        become(h, environment);
    return pid;
}

/* The environment with one variable more. */
static char **environment_with(char *variable)
{
    size_t n = 0;
    while (environ[n])
        n++;
    char **all = must_alloc((n + 2) * sizeof *all);
    memcpy(all, environ, n * sizeof *all);
    all[n] = variable;
    return all;
}

pid_t spawn(const struct heritage *h, bool is_orphan, struct fault *why)
{
    char variable[96];
    sigset_t all, before;
    if (access(path, X_OK) != 0) {
        fail(why, REFUSE_CONFIG, "%.150s cannot be started: %s", path, strerror(errno));
        return -1;
    }
    snprintf(variable, sizeof variable, VARIABLE "=%d %d %d %d %d", h->number, h->listen, h->lock,
             h->ready, h->takeover);
    char **environment = environment_with(variable);
    sigfillset(&all); /* a handler of ours must not run in the child */
    sigprocmask(SIG_SETMASK, &all, &before);
    pid_t pid = is_orphan ? fork_orphan(h, environment) : fork_child(h, environment);
    int error = errno;
    sigprocmask(SIG_SETMASK, &before, NULL);
    free(environment);
    if (pid < 0)
        fail(why, REFUSE_INTERNAL, "no process could be made: %s", strerror(error));
    return pid;
}
