#include "journal.h"

#include <stdlib.h>

void reading_fini(struct reading *r)
{
    for (size_t i = 0; i < r->n; i++)
        event_unref(r->events[i]);
    for (size_t i = 0; i < r->missing_count; i++)
        free(r->missing[i].channel);
    free(r->events);
    free(r->missing);
    r->events = NULL;
    r->missing = NULL;
    r->n = r->missing_count = 0;
}
