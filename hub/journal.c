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

void append_undo(struct append *a)
{
    a->code = 0;
    for (size_t i = 0; i < a->send_count; i++) {
        struct append_send *s = &a->sends[i];
        s->again = false;
        s->at = s->epoch = s->time = 0;
        if (s->n)
            s->code = 0;
    }
    for (size_t i = 0; i < a->event_count; i++) {
        a->events[i]->id = CURSOR_NONE;
        a->events[i]->time = 0;
    }
}
