/* metrics -- what is counted: the hub's own counters (counters.def), and the workers', which they
 * report and which are summed. Written as Prometheus text. */
#ifndef BELFRY_METRICS_H
#define BELFRY_METRICS_H

#include "base/buf.h"
#include "base/map.h"

#include <stdbool.h>
#include <stdint.h>

struct hub;

enum counter {
#define COUNTER(NAME, name, help) COUNT_##NAME,
#include "counters.def"
#undef COUNTER
    COUNTER_COUNT
};

/* A worker's figures by name. */
struct figures {
    struct map by_name;
};
void figures_init(struct figures *f);
void figures_fini(struct figures *f);
/* Takes over a list of "name value"; what is malformed or too much is left out. */
void figures_take(struct figures *f, Str list);
/* Adds those of a worker that left, so that totals never fall; others go with it. */
void figures_keep_totals(struct figures *f, const struct figures *gone);

/* All of them. */
bool metrics_print(const struct hub *h, struct buf *out);
/* The hub's counters as a JSON object. */
bool metrics_put_json(const struct hub *h, struct buf *out);

#endif
