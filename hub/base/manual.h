/* manual -- the manual pages, in mdoc(7): the prose that lies beside the programs with the options
 * of the table put in. */
#ifndef BELFRY_MANUAL_H
#define BELFRY_MANUAL_H

#include "base/options.h"

/* "belfryd.8", "belfry-fcgi.8", "belfry.1", "belfry.conf.5"; false: there is no such page. */
bool manual_print(FILE *out, const char *page);
/* The page of that program. */
void manual_print_program(FILE *out, enum program program);

#endif
