/* reading -- what a page makes of the bytes it gets, as EventSource and a loop of polls would. */
#ifndef BELFRY_SIM_READING_H
#define BELFRY_SIM_READING_H

#include "world.h"

/* So many blocks of its stream, those that are whole. */
void page_read(struct browser *p, size_t most);
/* It is not on these any more. */
void page_note_left(struct browser *p, unsigned channels);
void page_note_limbo(struct browser *p, unsigned channels);
/* The answer of its poll. */
void page_read_answer(struct browser *p);

#endif
