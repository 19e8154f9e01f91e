/* Variables that the scanner lets through: the library gives each of them back as it was, the last
 * of equal names. */
#include "record.h"
#include "request.h"
#include "scan.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Says them as a web server would. */
static bool passes_scan(struct scan *s, Str params)
{
    static const struct scan_limits limits = {.max_body = 10, .max_connections = 10};
    struct buf records, reply;
    scan_init(s);
    buf_init(&records, 2 * PARAMS_MAX);
    buf_init(&reply, 100);
    record_put(&records, RECORD_BEGIN, 1, str_make((char[8]){0, ROLE_RESPONDER}, 8));
    record_put_all(&records, RECORD_PARAMS, 1, params, 1000);
    record_put(&records, RECORD_PARAMS, 1, STR_NONE);
    Str bytes = buf_str(&records);
    bool ok = scan_feed(s, &limits, &bytes, &reply, NULL) == SCAN_REQUEST;
    buf_fini(&records);
    buf_fini(&reply);
    return ok;
}

static Str last_of(Str params, Str wanted)
{
    Str name, value, found = STR_NONE;
    while (pair_next(&params, &name, &value))
        if (str_eq(name, wanted))
            found = value;
    return found;
}

static void check(const struct request *r, Str params)
{
    Str rest = params, name, value;
    while (pair_next(&rest, &name, &value)) {
        char *z = str_dup(name);
        assert(str_eq(request_var(r, z), last_of(params, name)));
        free(z);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct request_parser *parser;
    struct scan s;
    if (!parser)
        parser = request_parser_new(NULL);
    if (passes_scan(&s, str_make((const char *)data, size))) {
        struct request *r = request_parse(parser, scan_params(&s), scan_body(&s));
        assert(r);
        check(r, scan_params(&s));
        request_free(r);
    }
    scan_fini(&s);
    return 0;
}
