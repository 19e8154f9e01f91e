/* channel -- what the log holds of each channel: its figures, kept exact in memory, and what is due
 * next to be taken away. A channel comes with a publish only. Knows no subscribers (topic.h). */
#ifndef BELFRY_CHANNEL_H
#define BELFRY_CHANNEL_H

#include "base/heap.h"
#include "base/list.h"
#include "base/map.h"
#include "base/options.h"
#include "base/pool.h"
#include "journal.h"
#include "order.h"

struct channel {
    uint64_t row;
    Position last;
    uint64_t count, bytes;
    Msec oldest;  /* time of the oldest event, or before it; 0: there is none */
    Msec emptied; /* when it came to hold no event */
    struct retention keep;
    bool stored;     /* the journal has its row */
    bool is_pruning; /* an operation on it is under way */
    bool is_forgetting;
    unsigned pending; /* its events that are on their way into the log */
    struct heap_node due, aged;
    struct list changed;     /* since the last note */
    uint64_t note;           /* number of the last note that took it in */
    struct order_node order; /* with its name and its floor */
    char text[];
};

struct channel_table {
    const struct options *o;
    struct pool pool; /* of the channels */
    struct map by_name;
    struct order order;
    struct heap due;  /* by the time when retention must look at it; 0: now */
    struct heap aged; /* by `oldest`, while not pruned: for the bound on the whole log */
    struct list changed;
    size_t changed_count;
    uint64_t notes; /* so many were begun */
    uint64_t next_row;
    uint64_t events, bytes; /* of all channels */
    Position forgotten;     /* highest `last` of channels that are no more */
};

void channel_table_init(struct channel_table *c, const struct options *o);
void channel_table_fini(struct channel_table *c);
/* One that the log holds already. */
void channel_load(struct channel_table *c, const struct journal_channel *from);
/* All are loaded. */
void channel_table_start(struct channel_table *c, Msec wall);
struct channel *channel_find(const struct channel_table *c, Str name);
/* Finds or makes it; NULL: max_channels are there. */
struct channel *channel_need(struct channel_table *c, Str name, Msec wall);
/* Drops it where it was never stored and nothing is under way for it. */
void channel_release(struct channel_table *c, struct channel *ch);

/* Its newest event is in the log. */
void channel_count(struct channel_table *c, struct channel *ch, const struct event *e);
/* Its oldest events were taken away. */
void channel_discount(struct channel_table *c, struct channel *ch, const struct prune *p,
                      Msec wall);
/* The newest note came to nothing: what it took in has changed since the one before. */
void channels_not_noted(struct channel_table *c);
/* Puts it where it belongs in the order of what is due. */
void channel_schedule(struct channel_table *c, struct channel *ch);
/* The journal has no row of it any more: drops it, or keeps it for what is under way. */
void channel_forgotten(struct channel_table *c, struct channel *ch);

/* How many events, bytes too many. A little more than `keep` is let be, so that a busy channel is
 * not pruned at each publish. */
bool channel_is_over(const struct channel *ch);
/* The highest position that was taken away of what a name or pattern takes in. */
Position channel_table_floor(const struct channel_table *c, Str name);

#endif
