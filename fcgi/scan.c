#include "scan.h"

#include "wire/refusal.h"

void scan_init(struct scan *s, const struct scan_limits *limits)
{
    *s = (struct scan){.limits = limits};
    buf_init(&s->params, PARAMS_MAX);
    buf_init(&s->body, limits->max_body);
}

void scan_fini(struct scan *s)
{
    scan_drop(s);
}

void scan_drop(struct scan *s)
{
    buf_fini(&s->params);
    buf_fini(&s->body);
}

void scan_next(struct scan *s)
{
    scan_drop(s);
    s->phase = SCAN_IDLE;
}

static bool is_own(const struct scan *s)
{
    return s->phase != SCAN_IDLE && s->record.id == s->id;
}

/* Records that an application sends are no request. */
static bool is_from_a_server(uint8_t type)
{
    return type == RECORD_BEGIN || type == RECORD_ABORT || type == RECORD_PARAMS ||
           type == RECORD_STDIN;
}

static bool start_record(struct scan *s)
{
    struct record *r = &s->record;
    if (!record_unpack(s->header, r))
        return false;
    s->left = r->length;
    s->padding = r->padding;
    s->got = 0;
    if (r->id == 0)
        return true;
    if (r->type == RECORD_BEGIN && (r->length != sizeof s->begin || is_own(s)))
        return false;
    return is_from_a_server(r->type);
}

void scan_refuse(struct scan *s)
{
    if (s->phase == SCAN_BODY)
        buf_fini(&s->body);
    else
        scan_drop(s);
    s->phase = SCAN_SERVED;
    s->is_refused = true;
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
    fail(why, REFUSE_TOO_LARGE, "body: more than max_body, %zu bytes", s->limits->max_body);
    return refuse(s);
}

/* Content that belongs to no request being read is let go. */
static enum scan_event take_content(struct scan *s, Str *bytes, struct fault *why)
{
    Str piece = str_make(bytes->p, s->left < bytes->len ? s->left : bytes->len);
    *bytes = str_skip(*bytes, piece.len);
    s->left -= piece.len;
    if (s->record.type == RECORD_BEGIN && s->record.id) {
        memcpy(s->begin + s->got, piece.p, piece.len);
        s->got = (uint8_t)(s->got + piece.len);
    } else if (is_own(s) && s->phase == SCAN_HEAD && s->record.type == RECORD_PARAMS) {
        if (!buf_put(&s->params, piece))
            return refuse_head(s, why);
    } else if (is_own(s) && s->phase == SCAN_BODY && s->record.type == RECORD_STDIN) {
        if (!buf_put(&s->body, piece))
            return refuse_body(s, why);
    }
    return SCAN_MORE;
}

static void reply_to_management(const struct scan *s, struct buf *reply)
{
    if (s->record.type != RECORD_GET_VALUES) {
        const char body[8] = {(char)s->record.type};
        record_put(reply, RECORD_UNKNOWN_TYPE, 0, str_make(body, sizeof body));
        return;
    }
    struct buf values, number;
    buf_init(&values, 128);
    buf_init(&number, 32);
    buf_put_u64(&number, s->limits->max_connections);
    pair_put(&values, STR("FCGI_MAX_CONNS"), buf_str(&number));
    pair_put(&values, STR("FCGI_MAX_REQS"), buf_str(&number));
    pair_put(&values, STR("FCGI_MPXS_CONNS"), STR("0"));
    record_put(reply, RECORD_GET_VALUES_RESULT, 0, buf_str(&values));
    buf_fini(&number);
    buf_fini(&values);
}

static enum scan_event on_begin(struct scan *s, struct buf *reply)
{
    unsigned role = (unsigned)(unsigned char)s->begin[0] << 8 | (unsigned char)s->begin[1];
    if (s->phase != SCAN_IDLE) {
        record_put_end(reply, s->record.id, END_CANNOT_MULTIPLEX);
    } else if (role != ROLE_RESPONDER) {
        record_put_end(reply, s->record.id, END_UNKNOWN_ROLE);
    } else {
        s->phase = SCAN_HEAD;
        s->id = s->record.id;
        s->is_ended = false;
        s->keep = s->begin[2] & KEEP_CONN;
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
    Str rest = buf_str(&s->params), name, value;
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
    Str method, text;
    uint64_t size = 0;
    if (!read_head(s, &method, &text))
        return SCAN_BROKEN;
    if (has_no_body(method, text)) {
        s->phase = SCAN_SERVED;
        return SCAN_REQUEST;
    }
    s->phase = SCAN_BODY;
    s->has_size = str_to_u64(text, &size);
    if (size > s->limits->max_body)
        return refuse_body(s, why);
    s->size = (size_t)size;
    return SCAN_MORE;
}

static enum scan_event on_body(struct scan *s, struct fault *why)
{
    if (s->has_size && s->body.len != s->size) {
        fail(why, REFUSE_MALFORMED, "body: %zu bytes came, CONTENT_LENGTH is %zu", s->body.len,
             s->size);
        return refuse(s);
    }
    s->phase = SCAN_SERVED;
    return SCAN_REQUEST;
}

static enum scan_event end_record(struct scan *s, struct buf *reply, struct fault *why)
{
    const struct record *r = &s->record;
    s->have = 0;
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
    size_t want = sizeof s->header - s->have;
    size_t n = bytes->len < want ? bytes->len : want;
    memcpy(s->header + s->have, bytes->p, n);
    s->have = (uint8_t)(s->have + n);
    *bytes = str_skip(*bytes, n);
}

static enum scan_event step(struct scan *s, Str *bytes, struct buf *reply, struct fault *why)
{
    enum scan_event event = SCAN_MORE;
    if (s->have < sizeof s->header) {
        take_header(s, bytes);
        if (s->have < sizeof s->header)
            return SCAN_MORE;
        if (!start_record(s))
            return SCAN_BROKEN;
    } else if (s->left) {
        event = take_content(s, bytes, why);
    } else {
        size_t n = s->padding < bytes->len ? s->padding : bytes->len;
        *bytes = str_skip(*bytes, n);
        s->padding -= n;
    }
    if (s->left || s->padding || event != SCAN_MORE)
        return event;
    return end_record(s, reply, why);
}

enum scan_event scan_feed(struct scan *s, Str *bytes, struct buf *reply, struct fault *why)
{
    enum scan_event event = SCAN_MORE;
    while (bytes->len && event == SCAN_MORE)
        event = step(s, bytes, reply, why);
    return event;
}

void scan_put_image(const struct scan *s, struct image_outlet *m)
{
    m->phase = (uint8_t)s->phase;
    m->id = s->id;
    m->keep = s->keep;
    m->refused = s->is_refused;
    m->ended = s->is_ended;
    m->sized = s->has_size;
    m->size = s->size;
    m->header = str_make(s->header, s->have);
    m->begin = str_make(s->begin, s->got);
    m->left = (uint32_t)s->left;
    m->padding = (uint32_t)s->padding;
    m->params = buf_str(&s->params);
    m->body = buf_str(&s->body);
}

void scan_restore(struct scan *s, const struct image_outlet *m, const struct scan_limits *limits)
{
    scan_init(s, limits);
    if (m->body.len > s->body.max)
        s->body.max = m->body.len; /* so much was allowed when it came */
    s->phase = (enum scan_phase)m->phase;
    s->id = (uint16_t)m->id;
    s->keep = m->keep;
    s->is_refused = m->refused;
    s->is_ended = m->ended;
    s->has_size = m->sized;
    s->size = m->size;
    s->have = (uint8_t)m->header.len;
    s->got = (uint8_t)m->begin.len;
    memcpy(s->header, m->header.len ? m->header.p : "", m->header.len);
    memcpy(s->begin, m->begin.len ? m->begin.p : "", m->begin.len);
    s->left = m->left;
    s->padding = m->padding;
    if (s->have == sizeof s->header && !record_unpack(s->header, &s->record))
        s->have = 0; /* not in an image that was read: it is checked */
    buf_put(&s->params, m->params);
    buf_put(&s->body, m->body);
}
