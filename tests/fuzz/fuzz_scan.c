/* FastCGI bytes, however they are cut: the scanner takes all or says why not, stays within its
 * limits, and what it calls a request are well-formed variables. */
#include "scan.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BODY = 4096, REPLY = 1024 };

static void check_request(const struct scan *s)
{
    const struct intake *in = s->intake;
    Str rest = scan_params(s), name, value;
    while (pair_next(&rest, &name, &value))
        assert(name.len && str_find(name, '=') == name.len && str_find(name, '\0') == name.len &&
               str_find(value, '\0') == value.len);
    assert(!rest.len);
    assert(in->params.len <= PARAMS_MAX && in->body.len <= BODY);
    assert(!in->has_size || in->body.len == in->size);
}

static const struct scan_limits limits = {.max_body = BODY, .max_connections = 10};

/* False: the connection would be closed. */
static bool feed(struct scan *s, Str piece)
{
    struct buf reply;
    bool is_fine = true;
    buf_init(&reply, REPLY);
    while (is_fine && piece.len) {
        struct fault why = {0};
        size_t before = piece.len;
        enum scan_event event = scan_feed(s, &limits, &piece, &reply, &why);
        assert(event != SCAN_MORE || !piece.len);
        assert(event == SCAN_MORE || piece.len < before);
        assert((event == SCAN_REFUSED) == (why.code != 0));
        if (event == SCAN_REQUEST) {
            check_request(s);
            scan_next(s);
        }
        is_fine = event != SCAN_BROKEN && event != SCAN_ABORTED && !reply.full;
    }
    assert(reply.len <= REPLY);
    buf_fini(&reply);
    return is_fine;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Str all = str_make((const char *)data, size);
    struct scan s;
    if (!size)
        return 0;
    size_t step = data[0] ? data[0] : size; /* how it is cut */
    all = str_skip(all, 1);
    scan_init(&s);
    while (all.len) {
        Str piece = str_make(all.p, all.len < step ? all.len : step);
        all = str_skip(all, piece.len);
        if (!feed(&s, piece))
            break;
    }
    scan_fini(&s);
    return 0;
}
