#include "baton.h"

#include "wire/refusal.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FDS_ROOM = BATON_FDS + 1 };

union control {
    struct cmsghdr header;
    char room[CMSG_SPACE(FDS_ROOM * sizeof(int))];
};

bool baton_pair(int ends[2], struct fault *why)
{
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0)
        return true;
    return fail(why, REFUSE_INTERNAL, "no sockets for it: %s", strerror(errno));
}

static bool write_all(int fd, Str bytes)
{
    while (bytes.len) {
        ssize_t n = write(fd, bytes.p, bytes.len);
        if (n <= 0 && errno != EINTR)
            return false;
        bytes = str_skip(bytes, n > 0 ? (size_t)n : 0);
    }
    return true;
}

/* -1: it could not be made. */
static int memory_of(Str bytes)
{
    int fd = memfd_create("belfry", MFD_CLOEXEC);
    if (fd >= 0 && !write_all(fd, bytes)) {
        close(fd);
        return -1;
    }
    return fd;
}

static bool send_packet(int fd, struct image_head h, const int *fds, size_t n)
{
    char head[IMAGE_HEAD];
    union control control = {0};
    struct iovec part = {head, sizeof head};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    image_head_pack(head, h);
    if (n) {
        message.msg_control = &control;
        message.msg_controllen = CMSG_SPACE(n * sizeof *fds);
        struct cmsghdr *c = &control.header;
        *c = (struct cmsghdr){.cmsg_len = CMSG_LEN(n * sizeof *fds),
                              .cmsg_level = SOL_SOCKET,
                              .cmsg_type = SCM_RIGHTS};
        memcpy(CMSG_DATA(c), fds, n * sizeof *fds);
    }
    return sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) == IMAGE_HEAD;
}

bool baton_send(int fd, enum image_word word, Str body, const int *fds, size_t n, struct fault *why)
{
    int all[FDS_ROOM], memory = -1;
    size_t count = 0;
    assert(n <= BATON_FDS);
    if (body.len && (memory = memory_of(body)) < 0)
        return fail(why, REFUSE_INTERNAL, "no memory file: %s", strerror(errno));
    if (memory >= 0)
        all[count++] = memory;
    for (size_t i = 0; i < n; i++)
        all[count++] = fds[i];
    struct image_head head = {IMAGE_VERSION, (uint8_t)word, memory >= 0};
    bool ok = send_packet(fd, head, all, count);
    int error = errno;
    if (memory >= 0)
        close(memory);
    return ok || fail(why, REFUSE_INTERNAL, "the other one cannot be told: %s", strerror(error));
}

static void take_descriptors(struct msghdr *message, struct baton *b)
{
    for (struct cmsghdr *m = CMSG_FIRSTHDR(message); m; m = CMSG_NXTHDR(message, m)) {
        if (m->cmsg_level != SOL_SOCKET || m->cmsg_type != SCM_RIGHTS)
            continue;
        size_t n = (m->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < n; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(m) + i * sizeof fd, sizeof fd);
            if (b->n < COUNT_OF(b->fds))
                b->fds[b->n++] = fd;
            else
                close(fd);
        }
    }
}

static bool read_memory(int fd, struct buf *out)
{
    struct stat s;
    if (fstat(fd, &s) != 0 || s.st_size <= 0 || s.st_size > IMAGE_BYTES_MAX)
        return false;
    size_t size = (size_t)s.st_size;
    char *room = buf_room(out, size);
    while (room && out->len < size) {
        ssize_t n = pread(fd, out->p + out->len, size - out->len, (off_t)out->len);
        if (n <= 0)
            return false;
        out->len += (size_t)n;
    }
    return room != NULL;
}

static bool read_packet(Str bytes, bool is_cut, struct baton *b, struct fault *why)
{
    struct image_head h;
    int memory;
    if (is_cut || !image_head_unpack(bytes, &h))
        return fail(why, REFUSE_INTERNAL, "what the other one says cannot be read");
    if (!image_is_spoken(h.version))
        return fail(why, REFUSE_VERSION, "the other one speaks version %u of takeovers, not %d",
                    h.version, IMAGE_VERSION);
    b->word = (enum image_word)h.word;
    if (!h.has_body)
        return true;
    if (!b->n)
        return fail(why, REFUSE_INTERNAL, "bytes are missing");
    baton_take(b, &memory, 1);
    bool ok = read_memory(memory, &b->body);
    close(memory);
    return ok ||
           fail(why, REFUSE_INTERNAL, "bytes cannot be read, or are more than %d", IMAGE_BYTES_MAX);
}

static bool wait_for(int fd, Msec deadline)
{
    for (;;) {
        struct pollfd p = {fd, POLLIN, 0};
        Msec now = clock_mono();
        int n = poll(&p, 1, deadline > now ? (int)(deadline - now) : 0);
        if (n >= 0 || errno != EINTR)
            return n > 0;
    }
}

static bool receive(int fd, struct baton *b, struct fault *why)
{
    union control control;
    char head[IMAGE_HEAD];
    struct iovec part = {head, sizeof head};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};
    ssize_t n = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (n <= 0)
        return fail(why, REFUSE_INTERNAL, "the other one ended");
    take_descriptors(&message, b);
    bool is_cut = message.msg_flags & (MSG_TRUNC | MSG_CTRUNC);
    return read_packet(str_make(head, (size_t)n), is_cut, b, why);
}

bool baton_receive(int fd, Msec deadline, struct baton *b, struct fault *why)
{
    b->n = 0;
    buf_init(&b->body, IMAGE_BYTES_MAX);
    if (!wait_for(fd, deadline))
        return fail(why, REFUSE_INTERNAL, "the other one is silent");
    if (receive(fd, b, why))
        return true;
    baton_fini(b);
    return false;
}

void baton_take(struct baton *b, int *fds, size_t n)
{
    assert(n <= b->n);
    memcpy(fds, b->fds, n * sizeof *fds);
    b->n -= n;
    memmove(b->fds, b->fds + n, b->n * sizeof *fds);
}

void baton_fini(struct baton *b)
{
    for (size_t i = 0; i < b->n; i++)
        close(b->fds[i]);
    b->n = 0;
    buf_fini(&b->body);
}
