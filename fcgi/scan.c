#include "scan.h"

#include "wire/refusal.h"

#include <stdlib.h>

void scan_init(struct scan *s)
{
    *s = (struct scan){.phase = SCAN_IDLE};
}

static struct intake *intake_new(const struct scan_limits *limits)
{
    struct intake *in = must_alloc(sizeof *in);
    in->limits = limits;
    buf_init(&in->params, PARAMS_MAX);
    buf_init(&in->body, limits->max_body);
    return in;
}

static void intake_drop(struct intake *in)
{
    buf_fini(&in->params);
    buf_fini(&in->body);
}

void scan_fini(struct scan *s)
{
    if (s->intake)
        intake_drop(s->intake);
    free(s->intake);
    s->intake = NULL;
}

/* Between records, with nothing gathered. */
static bool is_quiet(const struct scan *s)
{
    const struct intake *in = s->intake;
    bool is_between = s->phase == SCAN_IDLE || s->phase == SCAN_SERVED;
    return in && is_between && !in->have && !in->params.len && !in->body.len;
}

static void settle(struct scan *s)
{
    if (is_quiet(s))
        scan_fini(s);
}

void scan_drop(struct scan *s)
{
    if (s->intake)
        intake_drop(s->intake);
    settle(s);
}

void scan_next(struct scan *s)
{
    s->phase = SCAN_IDLE;
    scan_drop(s);
}

Str scan_params(const struct scan *s)
{
    return s->intake ? buf_str(&s->intake->params) : STR_NONE;
}

struct buf *scan_body(struct scan *s)
{
    return &s->intake->body;
}

static bool is_own(const struct scan *s)
{
    return s->phase != SCAN_IDLE && s->intake->record.id == s->id;
}

/* Records that an application sends are no request. */
static bool is_from_a_server(uint8_t type)
{
    return type == RECORD_BEGIN || type == RECORD_ABORT || type == RECORD_PARAMS ||
           type == RECORD_STDIN;
}

static bool start_record(struct scan *s)
{
    struct intake *in = s->intake;
    struct record *r = &in->record;
    if (!record_unpack(in->header, r))
        return false;
    in->left = r->length;
    in->padding = r->padding;
    in->got = 0;
    if (r->id == 0)
        return true;
    if (r->type == RECORD_BEGIN && (r->length != sizeof in->begin || is_own(s)))
        return false;
    return is_from_a_server(r->type);
}

void scan_refuse(struct scan *s)
{
    if (s->phase == SCAN_BODY)
        buf_fini(&s->intake->body);
    else
        scan_drop(s);
    s->phase = SCAN_SERVED;
}

static enum scan_event refuse(struct scan *s)
{
    scan_refuse(s);
    return SCAN_REFUSED;
}

static enum scan_event refuse_head(struct scan *s, struct fault *why)
{
    fail(why, REFUSE_TOO_LARGE, "head: more than %d bytes", PARAMS_MAX);
    return refuse(s);
}

static enum scan_event refuse_body(struct scan *s, struct fault *why)
{
    const struct intake *in = s->intake;
    fail(why, REFUSE_TOO_LARGE, "body: more than max_body, %zu bytes", in->limits->max_body);
    return refuse(s);
}

/* Content that belongs to no request being read is let go. */
static enum scan_event take_content(struct scan *s, Str *bytes, struct fault *why)
{
    struct intake *in = s->intake;
    Str piece = str_make(bytes->p, in->left < bytes->len ? in->left : bytes->len);
    *bytes = str_skip(*bytes, piece.len);
    in->left -= piece.len;
    if (in->record.type == RECORD_BEGIN && in->record.id) {
        memcpy(in->begin + in->got, piece.p, piece.len);
        in->got = (uint8_t)(in->got + piece.len);
    } else if (is_own(s) && s->phase == SCAN_HEAD && in->record.type == RECORD_PARAMS) {
        if (!buf_put(&in->params, piece))
            return refuse_head(s, why);
    } else if (is_own(s) && s->phase == SCAN_BODY && in->record.type == RECORD_STDIN) {
        if (!buf_put(&in->body, piece))
            return refuse_body(s, why);
    }
    return SCAN_MORE;
}

static void reply_to_management(const struct scan *s, struct buf *reply)
{
    const struct intake *in = s->intake;
    if (in->record.type != RECORD_GET_VALUES) {
        const char body[8] = {(char)in->record.type};
        record_put(reply, RECORD_UNKNOWN_TYPE, 0, str_make(body, sizeof body));
        return;
    }
    struct buf values, number;
    buf_init(&values, 128);
    buf_init(&number, 32);
    buf_put_u64(&number, in->limits->max_connections);
    pair_put(&values, STR("FCGI_MAX_CONNS"), buf_str(&number));
    pair_put(&values, STR("FCGI_MAX_REQS"), buf_str(&number));
    pair_put(&values, STR("FCGI_MPXS_CONNS"), STR("0"));
    record_put(reply, RECORD_GET_VALUES_RESULT, 0, buf_str(&values));
    buf_fini(&number);
    buf_fini(&values);
}

static enum scan_event on_begin(struct scan *s, struct buf *reply)
{
    const struct intake *in = s->intake;
    unsigned role = (unsigned)(unsigned char)in->begin[0] << 8 | (unsigned char)in->begin[1];
    if (s->phase != SCAN_IDLE) {
        record_put_end(reply, in->record.id, END_CANNOT_MULTIPLEX);
    } else if (role != ROLE_RESPONDER) {
        record_put_end(reply, in->record.id, END_UNKNOWN_ROLE);
    } else {
        s->phase = SCAN_HEAD;
        s->id = in->record.id;
        s->is_ended = false;
        s->keep = in->begin[2] & KEEP_CONN;
    }
    return SCAN_MORE;
}

/* As text it must read as it was meant: NAME=VALUE. */
static bool is_variable(Str name, Str value)
{
    return name.len && str_find(name, '=') == name.len && str_find(name, '\0') == name.len &&
           str_find(value, '\0') == value.len;
}

/* What tells whether a body follows. The last of equal names counts, here as everywhere. */
static bool read_head(const struct scan *s, Str *method, Str *size)
{
    Str rest = scan_params(s), name, value;
    *method = *size = STR_NONE;
    while (pair_next(&rest, &name, &value)) {
        if (!is_variable(name, value))
            return false;
        if (str_eq(name, STR("REQUEST_METHOD")))
            *method = value;
        else if (str_eq(name, STR("CONTENT_LENGTH")))
            *size = value;
    }
    return rest.len == 0;
}

static bool has_no_body(Str method, Str size)
{
    return !size.len || str_eq(size, STR("0")) || str_eq(method, STR("GET")) ||
           str_eq(method, STR("HEAD")) || str_eq(method, STR("OPTIONS"));
}

/* A size that is no number (Caddy says -1) means: up to the end. */
static enum scan_event on_head(struct scan *s, struct fault *why)
{
    struct intake *in = s->intake;
    Str method, text;
    uint64_t size = 0;
    if (!read_head(s, &method, &text))
        return SCAN_BROKEN;
    if (has_no_body(method, text)) {
        s->phase = SCAN_SERVED;
        return SCAN_REQUEST;
    }
    s->phase = SCAN_BODY;
    in->has_size = str_to_u64(text, &size);
    if (size > in->limits->max_body)
        return refuse_body(s, why);
    in->size = (size_t)size;
    return SCAN_MORE;
}

static enum scan_event on_body(struct scan *s, struct fault *why)
{
    const struct intake *in = s->intake;
    if (in->has_size && in->body.len != in->size) {
        fail(why, REFUSE_MALFORMED, "body: %zu bytes came, CONTENT_LENGTH is %zu", in->body.len,
             in->size);
        return refuse(s);
    }
    s->phase = SCAN_SERVED;
    return SCAN_REQUEST;
}

static enum scan_event end_record(struct scan *s, struct buf *reply, struct fault *why)
{
    struct intake *in = s->intake;
    const struct record *r = &in->record;
    in->have = 0;
    if (r->id == 0) {
        reply_to_management(s, reply);
        return SCAN_MORE;
    }
    if (r->type == RECORD_BEGIN)
        return on_begin(s, reply);
    if (!is_own(s))
        return SCAN_MORE;
    if (r->type == RECORD_ABORT)
        return SCAN_ABORTED;
    if (r->length == 0 && r->type == RECORD_PARAMS && s->phase == SCAN_HEAD)
        return on_head(s, why);
    if (r->length == 0 && r->type == RECORD_STDIN) {
        s->is_ended = true;
        if (s->phase == SCAN_BODY)
            return on_body(s, why);
    }
    return SCAN_MORE;
}

static void take_header(struct scan *s, Str *bytes)
{
    struct intake *in = s->intake;
    size_t want = sizeof in->header - in->have;
    size_t n = bytes->len < want ? bytes->len : want;
    memcpy(in->header + in->have, bytes->p, n);
    in->have = (uint8_t)(in->have + n);
    *bytes = str_skip(*bytes, n);
}

static enum scan_event step(struct scan *s, Str *bytes, struct buf *reply, struct fault *why)
{
    struct intake *in = s->intake;
    enum scan_event event = SCAN_MORE;
    if (in->have < sizeof in->header) {
        take_header(s, bytes);
        if (in->have < sizeof in->header)
            return SCAN_MORE;
        if (!start_record(s))
            return SCAN_BROKEN;
    } else if (in->left) {
        event = take_content(s, bytes, why);
    } else {
        size_t n = in->padding < bytes->len ? in->padding : bytes->len;
        *bytes = str_skip(*bytes, n);
        in->padding -= n;
    }
    if (in->left || in->padding || event != SCAN_MORE)
        return event;
    return end_record(s, reply, why);
}

enum scan_event scan_feed(struct scan *s, const struct scan_limits *limits, Str *bytes,
                          struct buf *reply, struct fault *why)
{
    enum scan_event event = SCAN_MORE;
    if (bytes->len && !s->intake)
        s->intake = intake_new(limits);
    while (bytes->len && event == SCAN_MORE)
        event = step(s, bytes, reply, why);
    if (event == SCAN_MORE)
        settle(s);
    return event;
}

void scan_put_image(const struct scan *s, struct image_outlet *m)
{
    const struct intake *in = s->intake;
    m->phase = (uint8_t)s->phase;
    m->id = s->id;
    m->keep = s->keep;
    m->ended = s->is_ended;
    if (!in)
        return;
    m->sized = in->has_size;
    m->size = in->size;
    m->header = str_make(in->header, in->have);
    m->begin = str_make(in->begin, in->got);
    m->left = (uint32_t)in->left;
    m->padding = (uint32_t)in->padding;
    m->params = buf_str(&in->params);
    m->body = buf_str(&in->body);
}

static struct intake *intake_restore(const struct image_outlet *m, const struct scan_limits *limits)
{
    struct intake *in = intake_new(limits);
    if (m->body.len > in->body.max)
        in->body.max = m->body.len; /* so much was allowed when it came */
    in->has_size = m->sized;
    in->size = m->size;
    in->have = (uint8_t)m->header.len;
    in->got = (uint8_t)m->begin.len;
    memcpy(in->header, m->header.len ? m->header.p : "", m->header.len);
    memcpy(in->begin, m->begin.len ? m->begin.p : "", m->begin.len);
    in->left = m->left;
    in->padding = m->padding;
    if (in->have == sizeof in->header && !record_unpack(in->header, &in->record))
        in->have = 0; /* not in an image that was read: it is checked */
    buf_put(&in->params, m->params);
    buf_put(&in->body, m->body);
    return in;
}

void scan_restore(struct scan *s, const struct image_outlet *m, const struct scan_limits *limits)
{
    *s = (struct scan){
        .intake = intake_restore(m, limits),
        .phase = (enum scan_phase)m->phase,
        .id = (uint16_t)m->id,
        .keep = m->keep,
        .is_ended = m->ended,
    };
    settle(s);
}
