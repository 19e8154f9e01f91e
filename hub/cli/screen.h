/* screen -- a terminal that is drawn over and over in plain ANSI, or, where stdout is none, lines.
 * Restores the terminal however the program ends by a signal it waits for. */
#ifndef BELFRY_SCREEN_H
#define BELFRY_SCREEN_H

#include "base/clock.h"

#include <stdbool.h>
#include <stddef.h>
#include <termios.h>

struct screen {
    bool is_terminal;
    bool is_raw; /* stdin gives single keys */
    struct termios before;
    int signals;
};

void screen_open(struct screen *s);
void screen_close(struct screen *s);
void screen_begin(const struct screen *s); /* a fresh picture */
void screen_size(const struct screen *s, size_t *rows, size_t *columns);
/* Waits until `until` (clock_mono), or until somebody wants to end it (q, Ctrl-C): then true. */
bool screen_wait(struct screen *s, Msec until);

#endif
