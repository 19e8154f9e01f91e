/* options_channel -- the sections `[channel PATTERN]` of belfry.conf: what is kept of some
 * channels, and who may use them. For options.c. */
#ifndef BELFRY_OPTIONS_CHANNEL_H
#define BELFRY_OPTIONS_CHANNEL_H

#include "base/config.h"
#include "base/options.h"

#define CHANNEL_SPACE STR("channel ") /* with which such a section's name begins */

/* An entry of [channel PATTERN], or that line itself. `place`: file and line, for `why`. */
MUST_USE bool options_take_channel(struct options *o, const char *place,
                                   const struct config_entry *entry, struct fault *why);
void options_free_channels(struct options *o);

#endif
