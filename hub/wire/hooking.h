/* hooking -- what the options say of the application: where it is, what it is told, whether it is
 * asked. Hub and workers read the same. Pure. */
#ifndef BELFRY_HOOKING_H
#define BELFRY_HOOKING_H

#include "base/options.h"

enum hook_event {
    HOOK_AUTHORIZE, /* it is asked about each request: who is it, may it come */
    HOOK_CONNECT,   /* it is told: of users */
    HOOK_LEAVE,
    HOOK_OCCUPIED, /* of channels */
    HOOK_VACANT,
    HOOK_EVENTS,
};
const char *hook_event_name(enum hook_event e); /* "connect" */

bool hook_is_on(const struct options *o);
bool hook_is_http(const struct options *o);
/* Whether hook_events has it, and there is an application. */
bool hook_wants(const struct options *o, enum hook_event e);
/* Whether it is asked about any channel. */
bool hook_has_rules(const struct options *o);
MUST_USE bool hook_check(const struct options *o, struct fault *why);

#endif
