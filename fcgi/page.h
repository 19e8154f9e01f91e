/* page -- a client by its name: its streams and polls on this worker, and, where the name is the
 * page's own, what is remembered of it after the last one went, so that a new hub can be told. */
#ifndef BELFRY_PAGE_H
#define BELFRY_PAGE_H

#include "base/clock.h"
#include "base/list.h"
#include "base/map.h"
#include "base/pool.h"
#include "wire/message.h"

struct page {
    struct list node; /* all, in the order they came; those without a stream, the longest first */
    struct list streams; /* stream.mates */
    unsigned live, polls : 31;
    bool is_unsure : 1;    /* the hub may have it on more channels than it has */
    struct memory *memory; /* NULL: it has some */
    uint8_t user_len, name_len : 7;
    bool is_named : 1;
    char text[];
};

/* What is remembered of one without any. */
struct memory {
    Msec gone; /* since when */
    size_t len;
    char parts[]; /* list of packed `part`: channels added by POST */
};

static inline Str page_name(const struct page *p)
{
    return str_make(p->text, p->name_len);
}

static inline Str page_user(const struct page *p)
{
    return str_make(p->text + p->name_len, p->user_len);
}

struct pages {
    struct pool pool;
    struct map by_name;
    struct list present, gone;
};

void pages_init(struct pages *ps);
void pages_fini(struct pages *ps);
struct page *page_find(const struct pages *ps, Str name); /* NULL: none */
/* One stream or poll more of a client; made where there is none. Both names are valid ones. */
struct page *page_enter(struct pages *ps, Str name, Str user, bool is_named, bool poll);
/* One less. Without the last one a page that is not named is gone, too; of one that is `parts` are
 * kept. */
void page_leave(struct pages *ps, struct page *p, bool poll, Str parts, Msec now);
/* One that was opened has gone before: what the hub took it for, the next one sets right. */
void page_doubt(struct pages *ps, Str name, Str user, Msec now);
/* A fork of the log: what is remembered to begin above it begins there. */
void pages_rewind(struct pages *ps, Position fork);
void pages_expire(struct pages *ps, Msec now, Msec keep);

#endif
