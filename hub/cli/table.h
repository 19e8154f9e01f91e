/* table -- rows of words, printed in aligned columns. Numbers stand to the right. Pure. */
#ifndef BELFRY_TABLE_H
#define BELFRY_TABLE_H

#include "base/buf.h"
#include "base/clock.h"

#include <stdio.h>

struct table;

/* `heads` has a word for each column, between blanks; one that begins with `>` stands right. */
struct table *table_new(const char *heads);
void table_free(struct table *t);
/* The next cell; a row ends by itself when it is full. Control characters are shown as \xNN. */
void table_put(struct table *t, Str cell);
void table_put_u64(struct table *t, uint64_t n);
void table_print(const struct table *t, FILE *out);

/* Appends `s` so that it stays one line and does the terminal nothing: \n, \t, \xNN. */
bool table_escape(struct buf *out, Str s);

/* Figures for people. */
#define FIGURE 24
const char *figure_bytes(double bytes, char out[FIGURE]); /* "1.5M" */
const char *figure_age(Msec ms, char out[FIGURE]);        /* "2m", "3h", "4d" */

#endif
