#include "cgi.h"

#include "answer.h"
#include "handover.h"
#include "pipe.h"
#include "route.h"
#include "scan.h"
#include "ship.h"
#include "wire/refusal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

enum { PIECE = 16 * 1024 };

bool cgi_is_asked(void)
{
    return getenv("GATEWAY_INTERFACE") && getenv("REQUEST_METHOD");
}

bool cgi_body_size(Str text, size_t max_body, size_t *out, struct fault *why)
{
    uint64_t size = 0;
    *out = 0;
    if (!text.len)
        return true;
    if (!str_to_u64(text, &size)) {
        *out = SIZE_MAX;
        return true;
    }
    if (size > max_body)
        return fail(why, REFUSE_TOO_LARGE, "body: more than max_body, %zu bytes", max_body);
    *out = (size_t)size;
    return true;
}

static bool read_environment(struct buf *out, struct fault *why)
{
    for (char **var = environ; *var; var++) {
        buf_putz(out, *var);
        buf_putc(out, '\0');
    }
    return !out->full || fail(why, REFUSE_TOO_LARGE, "head: more than %d bytes", PARAMS_MAX);
}

static bool read_body(struct buf *out, struct fault *why)
{
    size_t size;
    if (!cgi_body_size(str_of(getenv("CONTENT_LENGTH")), out->max, &size, why))
        return false;
    while (out->len < size) {
        char piece[PIECE];
        size_t want = size - out->len < sizeof piece ? size - out->len : sizeof piece;
        ssize_t n = read(STDIN_FILENO, piece, want);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        if (!buf_put(out, str_make(piece, (size_t)n)))
            return fail(why, REFUSE_TOO_LARGE, "body: more than max_body, %zu bytes", out->max);
    }
    return size == SIZE_MAX || out->len == size ||
           fail(why, REFUSE_MALFORMED, "body: %zu bytes came, CONTENT_LENGTH is %zu", out->len,
                size);
}

static int refuse(const struct fault *why)
{
    struct buf body, all;
    buf_init(&body, ANSWER_HEAD_MAX);
    buf_init(&all, 2 * ANSWER_HEAD_MAX);
    struct answer a = answer_problem(why, &body);
    answer_put(&all, &a);
    (void)!write(STDOUT_FILENO, all.p, all.len);
    buf_fini(&body);
    buf_fini(&all);
    return EX_OK;
}

/* Until its one request is answered, or the browser went. */
static int serve_alone(const struct options *o, Str environment, struct buf *body)
{
    struct worker w;
    struct fault why = {0};
    if (!worker_open(&w, o, 0, &why))
        return refuse(&why);
    int fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    struct outlet *out = pipe_new(&w.pipes, fd);
    route(visit_new(&w, request_of_environment(environment, body), out));
    worker_run(&w);
    worker_close(&w);
    return EX_OK;
}

int cgi_serve(const struct options *o)
{
    struct buf environment, body;
    struct fault why = {0};
    int code = EX_OK;
    buf_init(&environment, PARAMS_MAX);
    buf_init(&body, o->max_body);
    if (!read_environment(&environment, &why) || !read_body(&body, &why))
        code = refuse(&why);
    else if (!handover_pass(o, buf_str(&environment), buf_str(&body), STDOUT_FILENO))
        code = serve_alone(o, buf_str(&environment), &body);
    buf_fini(&environment);
    buf_fini(&body);
    return code;
}
