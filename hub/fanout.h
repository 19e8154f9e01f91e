/* fanout -- an event goes out: once to each link that listens, packed once for all of them. */
#ifndef BELFRY_FANOUT_H
#define BELFRY_FANOUT_H

#include "channel.h"

struct hub;
struct frame;

/* One that was committed, in log order; its channel's figures move with it. */
void fan_out_logged(struct hub *h, struct channel *ch, struct event *e);
/* To links that are live; with `to` to those that carry that client. */
void fan_out_ephemeral(struct hub *h, struct event *e);
struct frame *frame_of_event(struct hub *h, const struct event *e);

#endif
