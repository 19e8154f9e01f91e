/* A worker when nothing happens: what should be gone is gone. */
#include "inside.h"

#include "world.h"

static const char *look_at(const struct roster *r, const struct stream *s)
{
    if (s->state == STREAM_OPENING || (s->arrival && s->arrival->ask))
        return "a stream waits for its OPENED";
    if (s->state != STREAM_LIVE)
        return "a stream is not live";
    if (s->replay)
        return "a live stream has a replay";
    if (!s->audience || !s->page)
        return "a live stream has no audience, or no page";
    for (size_t i = 0; i < s->part_count; i++) {
        const struct part *part = &s->parts[i];
        if (!part->sub->is_joined || part->sub->is_left)
            return "a stream is on a channel that the link is not on";
        if (part->is_late || part->from > r->at.at)
            return "a channel of a live stream is still to begin";
    }
    return NULL;
}

Cursor peek_began(const struct stream *s)
{
    return s ? s->opened : CURSOR_NONE;
}

bool peek_is_on(const struct stream *s, Str channel)
{
    return stream_find_part(s, channel) != NULL;
}

/* A poll may have begun just now. */
const char *peek_roster(struct roster *r)
{
    struct list *node, *safe;
    LIST_EACH(node, safe, &r->streams)
    {
        const struct stream *s = CONTAINER_OF(node, struct stream, node);
        const char *wrong = s->is_poll ? NULL : look_at(r, s);
        if (wrong)
            return wrong;
    }
    return r->has_hole ? "a hole is never mended" : NULL;
}
