#include "image.h"

#include "record.h"
#include "scan.h"
#include "sink.h"
#include "wire/bytes.h"
#include "wire/names.h"
#include "wire/rights.h"

enum { PARTS_MAX = 16384, BODY_MAX = 17 * 1024 * 1024, FDS_MAX = 2 };
static const char magic[4] = "BLFW";

/* All fields or nothing. */
#define F(kind, name) &&put_##kind(out, m->name)
#define IMAGE(type, fields)                                                                        \
    bool image_##type##_pack(struct buf *out, const struct image_##type *m)                        \
    {                                                                                              \
        size_t start = out->len;                                                                   \
        if (true fields)                                                                           \
            return true;                                                                           \
        out->len = start;                                                                          \
        return false;                                                                              \
    }
#include "image.def"
#undef IMAGE
#undef F

/* The fields are whole, then they make sense. */
#define IMAGE(type, fields) static bool is_sound_##type(const struct image_##type *m);
#include "image.def"
#undef IMAGE
#define F(kind, name) &&take_##kind(&bytes, &m->name)
#define IMAGE(type, fields)                                                                        \
    bool image_##type##_unpack(Str bytes, struct image_##type *m)                                  \
    {                                                                                              \
        *m = (struct image_##type){0};                                                             \
        return true fields && is_sound_##type(m);                                                  \
    }
#include "image.def"
#undef IMAGE
#undef F

static bool is_sound_part(const struct image_part *m)
{
    return pattern_is_valid(m->channel, "channel", NULL);
}

static bool is_sound_rights(const struct image_rights *m)
{
    return list_is_whole(m->subscribe) && list_is_whole(m->publish) && list_is_whole(m->presence) &&
           list_is_whole(m->asked) && list_is_whole(m->asked_presence);
}

static bool is_sound_gap(const struct image_gap *m)
{
    return m->reason > GAP_NONE && m->reason <= GAP_LIMIT && m->requested.len <= REQUESTED_MAX &&
           str_is_utf8(m->requested) && list_is_whole(m->channels);
}

static bool are_sound(Str list, bool (*is_sound)(Str item))
{
    if (!list_is_whole(list))
        return false;
    for (Str item; list_next(&list, &item);)
        if (!is_sound(item))
            return false;
    return true;
}

static bool is_part(Str item)
{
    struct image_part p;
    return image_part_unpack(item, &p);
}

static bool is_sound_request(const struct image_stream *m)
{
    return client_is_valid(m->client, "client", NULL) &&
           (!m->user.len || user_is_valid(m->user, "user", NULL)) && m->start <= START_EARLIEST &&
           m->requested.len <= REQUESTED_MAX && str_is_utf8(m->requested) && m->ping > 0;
}

static bool is_sound_stream(const struct image_stream *m)
{
    struct image_rights rights;
    struct image_gap gap;
    return m->state <= IMAGE_PARTING && m->farewell <= BYE_LIMIT && is_sound_request(m) &&
           list_count(m->parts) <= PARTS_MAX && are_sound(m->parts, is_part) &&
           image_rights_unpack(m->rights, &rights) &&
           (!m->gap.len || image_gap_unpack(m->gap, &gap)) && list_is_whole(m->told);
}

static bool is_sound_poll(const struct image_poll *m)
{
    return m->count <= m->limit;
}

static bool is_channel(Str item)
{
    return pattern_is_valid(item, "channel", NULL);
}

static bool is_client(Str item)
{
    struct msg_client c;
    return msg_client_unpack(item, &c) && client_is_valid(c.client, "client", NULL) &&
           (!c.user.len || user_is_valid(c.user, "user", NULL));
}

static bool is_id(Str item)
{
    Cursor c;
    return cursor_parse(item, &c);
}

static bool is_sound_roster(const struct image_roster *m)
{
    return are_sound(m->channels, is_channel) && are_sound(m->clients, is_client) &&
           are_sound(m->past, is_id);
}

/* The record that the scanner is in the middle of. */
static bool is_sound_record(const struct image_outlet *m)
{
    struct record r;
    if (m->header.len < RECORD_HEADER)
        return true;
    if (!record_unpack(m->header.p, &r) || m->left > r.length || m->padding > r.padding)
        return false;
    bool is_begin = r.type == RECORD_BEGIN && r.id;
    return !is_begin ||
           (r.length == RECORD_BEGIN_BODY && m->begin.len + m->left == RECORD_BEGIN_BODY);
}

static bool is_sound_scan(const struct image_outlet *m)
{
    return m->phase <= SCAN_SERVED && m->id <= UINT16_MAX && m->header.len <= RECORD_HEADER &&
           m->begin.len <= RECORD_BEGIN_BODY && m->params.len <= PARAMS_MAX &&
           m->body.len <= BODY_MAX && is_sound_record(m);
}

static bool is_sound_outlet(const struct image_outlet *m)
{
    if (m->fds < 1 || m->fds > FDS_MAX || (m->poll.len && !m->stream.len))
        return false;
    if (m->kind == IMAGE_CONN)
        return m->fds == 1 && is_sound_scan(m) && (m->phase == SCAN_SERVED) == (m->stream.len > 0);
    if (m->kind == IMAGE_PIPE)
        return m->fds == 1 && m->stream.len > 0;
    return m->kind == IMAGE_CALL && m->body.len <= BODY_MAX && !m->stream.len;
}

static bool is_sound_worker(const struct image_worker *m)
{
    struct image_roster r;
    return m->lock <= 1 && m->handover <= 1 && m->where.len < 160 &&
           image_roster_unpack(m->roster, &r);
}

void image_head_pack(char out[IMAGE_HEAD], struct image_head h)
{
    memset(out, 0, IMAGE_HEAD);
    memcpy(out, magic, sizeof magic);
    out[sizeof magic] = (char)h.version;
    out[sizeof magic + 1] = (char)h.word;
    out[sizeof magic + 2] = (char)h.has_body;
}

bool image_head_unpack(Str bytes, struct image_head *out)
{
    if (bytes.len != IMAGE_HEAD || memcmp(bytes.p, magic, sizeof magic) != 0)
        return false;
    out->version = (uint8_t)bytes.p[sizeof magic];
    out->word = (uint8_t)bytes.p[sizeof magic + 1];
    out->has_body = bytes.p[sizeof magic + 2] != 0;
    return out->word < IMAGE_WORDS;
}

bool image_is_spoken(uint8_t version)
{
    return version > 0 && version + 1 >= IMAGE_VERSION && version <= IMAGE_VERSION + 1;
}
