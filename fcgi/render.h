/* render -- events and gaps as bytes: Server-Sent Events (HTML Living Standard, 9.2), plain or in
 * an envelope, or the JSON that polls and history carry. Pure. No byte of a publisher becomes a
 * field or an event of its own. */
#ifndef BELFRY_RENDER_H
#define BELFRY_RENDER_H

#include "sink.h"

/* {"id","channel","event","data","user","time"}: id is null for an ephemeral event, data is JSON
 * where the publisher sent JSON, else a string. */
void render_object(struct buf *out, const struct event *e);
/* Without an `id:` line where it is ephemeral, or where the caller says so: a late addition. */
void render_plain(struct buf *out, const struct event *e, bool without_id);
void render_envelope(struct buf *out, const struct event *e, bool without_id);

/* `data:` lines, one for each line of the text (CR LF, CR or LF). */
void render_data(struct buf *out, Str text);
/* An `id:` line; nothing for none. */
void render_id(struct buf *out, Cursor id);

/* Pieces of JSON objects: `name` is written as it is, then the value. */
void render_text(struct buf *out, const char *name, Str s);      /* empty: null */
void render_cursor(struct buf *out, const char *name, Cursor c); /* none: null */
void render_names(struct buf *out, const char *name, Str list);
/* {"requested","oldest","reason","channels"} */
void render_gap(struct buf *out, const struct gap *g);

#endif
