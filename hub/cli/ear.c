#include "cli/ear.h"

#include "base/json.h"

#include <stdio.h>

void ear_open(struct ear *e, struct fetcher *f, const char *url, bool gzip)
{
    struct fetch_ask ask = {.method = "GET",
                            .url = url,
                            .accept = "text/event-stream",
                            .gzip = gzip,
                            .agent = "belfry-doctor"};
    *e = (struct ear){.fetch = fetch_start(f, &ask), .opened_at = clock_mono()};
}

void ear_close(struct ear *e)
{
    fetch_stop(e->fetch);
    e->fetch = NULL;
}

bool ear_is_deaf(const struct ear *e)
{
    return fetch_is_over(e->fetch) || e->said_bye;
}

/* connected's data names the channels of the stream. */
static void note_channel(struct ear *e, Str data)
{
    Json *whole = json_parse(data, NULL);
    const Json *channels = whole && json_is_object(whole) ? json_get(whole, "channels") : NULL;
    const Json *first =
        channels && json_is_array(channels) && json_len(channels) ? json_at(channels, 0) : NULL;
    if (first && json_is_string(first))
        snprintf(e->channel, sizeof e->channel, "%.*s", FMT(json_str(first)));
    json_free(whole);
}

static void end_block(struct ear *e, Msec now)
{
    if (strcmp(e->name, EAR_EVENT) == 0) {
        e->events++;
        e->event_at = now;
    } else if (!e->has_data && e->connected_at)
        e->beat_at = now; /* an id and nothing else */
    e->name[0] = '\0';
    e->has_data = false;
}

static void read_line(struct ear *e, Str line, Msec now)
{
    if (line.len == 0) {
        end_block(e, now);
    } else if (line.p[0] == ':') {
        if (e->connected_at)
            e->beat_at = now;
    } else if (str_starts(line, STR("event: "))) {
        snprintf(e->name, sizeof e->name, "%.*s", FMT(str_skip(line, 7)));
    } else if (str_starts(line, STR("data: "))) {
        e->has_data = true;
        if (strcmp(e->name, "connected") == 0) {
            e->connected_at = now;
            note_channel(e, str_skip(line, 6));
        } else if (strcmp(e->name, "bye") == 0)
            e->said_bye = true;
    }
}

void ear_listen(struct ear *e)
{
    Str body = fetch_body(e->fetch);
    Msec now = clock_mono();
    for (;;) {
        Str rest = str_skip(body, e->at);
        size_t end = str_find(rest, '\n');
        if (end == rest.len)
            return;
        read_line(e, str_make(rest.p, end), now);
        e->at += end + 1;
    }
}
