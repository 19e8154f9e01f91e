#include "listen.h"

#include "base/lockfile.h"
#include "wire/refusal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 4096, FIRST_PASSED = 3, GROUP_TEXT = 4096 };

static bool group_id(const char *group, gid_t *out, struct fault *why)
{
    struct group entry, *found = NULL;
    char text[GROUP_TEXT];
    *out = (gid_t)-1;
    if (!group[0])
        return true;
    getgrnam_r(group, &entry, text, sizeof text, &found);
    if (!found)
        return fail(why, REFUSE_CONFIG, "socket_group: no group is called %s", group);
    *out = found->gr_gid;
    return true;
}

static bool fail_socket(const char *where, const char *what, struct fault *why)
{
    return fail(why, REFUSE_CONFIG, "socket %s: cannot %s: %s", where, what, strerror(errno));
}

/* Nobody can connect before listen(), so the mode is right before the path is. */
static bool bind_unix(int fd, const struct sockaddr_un *address, const char *path, gid_t group,
                      struct fault *why)
{
    unlink(address->sun_path);
    if (bind(fd, (const struct sockaddr *)address, sizeof *address) != 0)
        return fail_socket(address->sun_path, "bind", why);
    if (group != (gid_t)-1 && chown(address->sun_path, (uid_t)-1, group) != 0)
        return fail_socket(path, "give it to socket_group", why);
    if (chmod(address->sun_path, 0660) != 0)
        return fail_socket(path, "set its mode", why);
    if (listen(fd, BACKLOG) != 0)
        return fail_socket(path, "listen", why);
    if (rename(address->sun_path, path) != 0)
        return fail_socket(path, "rename a new socket to it", why);
    return true;
}

bool listen_unix(const char *path, const char *group, int *out, struct fault *why)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    gid_t gid;
    int n = snprintf(address.sun_path, sizeof address.sun_path, "%s.new", path);
    if (n < 0 || (size_t)n >= sizeof address.sun_path)
        return fail(why, REFUSE_CONFIG, "socket %s: the path is longer than %zu bytes", path,
                    sizeof address.sun_path - sizeof ".new");
    if (!group_id(group, &gid, why))
        return false;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return fail_socket(path, "make one", why);
    if (!bind_unix(fd, &address, path, gid, why)) {
        close(fd);
        return false;
    }
    *out = fd;
    return true;
}

static bool parse_loopback(const char *text, struct sockaddr_in *out, struct fault *why)
{
    uint64_t port;
    Str rest = str_of(text), host;
    *out = (struct sockaddr_in){.sin_family = AF_INET};
    if (!str_cut(&rest, ':', &host) || !str_to_u64(rest, &port) || port < 1 || port > 65535)
        return fail(why, REFUSE_CONFIG, "socket %s: is neither a path nor 127.0.0.1:PORT", text);
    if (!str_eq(host, STR("127.0.0.1")) && !str_eq(host, STR("localhost")))
        return fail(why, REFUSE_CONFIG,
                    "socket %s: whoever can connect is believed, so only 127.0.0.1 is bound", text);
    out->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    out->sin_port = htons((uint16_t)port);
    return true;
}

static bool listen_tcp(const char *text, int *out, struct fault *why)
{
    struct sockaddr_in address;
    const int yes = 1;
    if (!parse_loopback(text, &address, why))
        return false;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return fail_socket(text, "make one", why);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(fd, (const struct sockaddr *)&address, sizeof address) != 0 ||
        listen(fd, BACKLOG) != 0) {
        fail_socket(text, "listen", why);
        close(fd);
        return false;
    }
    *out = fd;
    return true;
}

/* A second start would take the first one's socket from it. */
static bool take_lock(struct listener *l, const char *run, struct fault *why)
{
    char path[4096];
    mkdir(run, 0750); /* where it is there already: fine */
    int n = snprintf(path, sizeof path, "%s/fcgi.lock", run);
    if (n < 0 || (size_t)n >= sizeof path)
        return fail(why, REFUSE_CONFIG, "run: the path is too long");
    l->lock = lockfile_open(path, why);
    return l->lock >= 0;
}

static bool is_listening(int fd)
{
    int yes = 0;
    socklen_t size = sizeof yes;
    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &yes, &size) == 0 && yes;
}

static bool is_passed_by_systemd(void)
{
    uint64_t pid, count;
    return str_to_u64(str_of(getenv("LISTEN_PID")), &pid) && pid == (uint64_t)getpid() &&
           str_to_u64(str_of(getenv("LISTEN_FDS")), &count) && count >= 1 &&
           is_listening(FIRST_PASSED);
}

/* The path it has now: it was bound beside that, and renamed. */
static void describe_path(struct listener *l, Str path)
{
    if (str_ends(path, STR(".new")))
        path.len -= STR(".new").len;
    snprintf(l->where, sizeof l->where, "unix:%.*s", FMT(path));
}

/* A name for the log; and whether it is TCP, where closing must wait for the peer. */
static void describe(struct listener *l)
{
    union {
        struct sockaddr any;
        struct sockaddr_un un;
        struct sockaddr_in in;
        struct sockaddr_storage room;
    } a = {0};
    char host[INET_ADDRSTRLEN] = "";
    socklen_t size = sizeof a;
    getsockname(l->fd, &a.any, &size);
    l->is_tcp = a.any.sa_family != AF_UNIX;
    if (a.any.sa_family == AF_INET)
        snprintf(l->where, sizeof l->where, "%s:%u",
                 inet_ntop(AF_INET, &a.in.sin_addr, host, sizeof host), ntohs(a.in.sin_port));
    else if (!l->is_tcp && !l->where[0])
        describe_path(l, str_of(a.un.sun_path));
}

static bool take_passed(struct listener *l)
{
    if (is_passed_by_systemd())
        l->fd = FIRST_PASSED;
    else if (is_listening(STDIN_FILENO))
        l->fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, FIRST_PASSED);
    if (l->fd < 0)
        return false;
    fcntl(l->fd, F_SETFD, FD_CLOEXEC);
    fcntl(l->fd, F_SETFL, O_NONBLOCK);
    return true;
}

static bool bind_own(struct listener *l, const struct options *o, struct fault *why)
{
    char path[4096];
    const char *given = o->socket;
    if (given[0] && !strchr(given, '/'))
        return listen_tcp(given, &l->fd, why);
    if (!given[0] && snprintf(path, sizeof path, "%s/fcgi.sock", o->run) >= (int)sizeof path)
        return fail(why, REFUSE_CONFIG, "run: the path is too long");
    if (!given[0])
        given = path;
    snprintf(l->where, sizeof l->where, "unix:%.110s", given);
    return listen_unix(given, o->socket_group, &l->fd, why);
}

bool listener_open(struct listener *l, const struct options *o, struct fault *why)
{
    *l = (struct listener){.fd = -1, .lock = -1};
    bool is_locked = take_lock(l, o->run, why);
    /* Of what a web server starts itself there may be several: each has the socket from it. */
    if (!take_passed(l) && !(is_locked && bind_own(l, o, why))) {
        listener_close(l);
        return false;
    }
    describe(l);
    return true;
}

void listener_inherit(struct listener *l, int fd, int lock, Str where)
{
    *l = (struct listener){.fd = fd, .lock = lock};
    snprintf(l->where, sizeof l->where, "%.*s", FMT(where));
    describe(l);
}

int listener_accept(struct listener *l)
{
    const int yes = 1;
    int fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0 && l->is_tcp)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    return fd;
}

static void close_if_open(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

void listener_close(struct listener *l)
{
    close_if_open(&l->fd);
    lockfile_close(l->lock);
    l->lock = -1;
}
