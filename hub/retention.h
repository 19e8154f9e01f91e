/* retention -- takes from the log what is too much or too old: channel by channel, whatever is due
 * next, in bounded bites between the publishes; forgets channels that are empty, and notes now and
 * then what the engine has counted. */
#ifndef BELFRY_RETENTION_H
#define BELFRY_RETENTION_H

#include "base/fault.h"

#include <stdbool.h>

struct hub;

/* Hands in what is due, within bounds. */
void retention_turn(struct hub *h);
/* Everything that is over its limits is due at once, without the usual tolerance. */
void retention_hurry(struct hub *h);
/* Nothing is due and nothing under way. */
bool retention_is_idle(const struct hub *h);
/* The log has no room; and it takes writes again. Both are logged, a pair of them in 10 s: one that
 * stays full is told of in the end, also where the hub found it so. */
void retention_full(struct hub *h, const struct fault *why);
void retention_recovered(struct hub *h);
/* Notes everything counted, whether or not it is time. */
void retention_note(struct hub *h);

#endif
