/* attending -- who is on a channel: what pages are told of it, and whether all agree in the end. */
#ifndef BELFRY_SIM_ATTENDING_H
#define BELFRY_SIM_ATTENDING_H

#include "world.h"

void page_on_presence(struct browser *p, Str data);
/* Until everybody knows who is there; what cannot wait longer is written down, to be judged. */
void attending_settle(struct world *w);

#endif
