/* show -- one event as a line: JSON for scripts, words for people. Pure. */
#ifndef BELFRY_SHOW_H
#define BELFRY_SHOW_H

#include "base/buf.h"
#include "wire/event.h"

#define SHOW_MAX (8 * 1024 * 1024) /* of a line: the largest data, escaped */

struct shown {
    Str id; /* empty: ephemeral */
    Str channel, event, user;
    Str data; /* the text, or the JSON value's own text */
    bool is_json;
    Msec time;
};

/* {"id","channel","event","data","user","time"}; data is JSON where the publisher sent JSON. */
bool show_json(struct buf *out, const struct shown *e);
/* `id channel event data`: always one line, whatever the data holds; `-` for what is empty. */
bool show_words(struct buf *out, const struct shown *e);

#endif
