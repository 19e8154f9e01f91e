/* who -- GET /events/presence: who is on a channel, asked of the hub. */
#ifndef BELFRY_WHO_H
#define BELFRY_WHO_H

#include "visit.h"

void who_page(struct visit *v);

#endif
