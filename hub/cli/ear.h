/* ear -- an SSE stream that is listened to: when it opened, what came, whether it lasts. */
#ifndef BELFRY_EAR_H
#define BELFRY_EAR_H

#include "wire/fetch.h"
#include "wire/names.h"

#define EAR_EVENT "doctor" /* the name of the events that are counted */

struct ear {
    struct fetch *fetch;
    size_t at; /* how far the body was read */
    Msec opened_at;
    Msec connected_at, beat_at, event_at; /* 0: not yet; of the newest */
    unsigned events;
    bool said_bye;
    char channel[CHANNEL_MAX + 1]; /* the first one of `connected` */
    char name[16];                 /* of the event whose block is being read */
    bool has_data;
};

void ear_open(struct ear *e, struct fetcher *f, const char *url, bool gzip);
void ear_close(struct ear *e); /* one that is zeroed, or was closed, is fine */
/* Reads what has come. */
void ear_listen(struct ear *e);
/* The stream ended, or never was one. */
bool ear_is_deaf(const struct ear *e);

#endif
