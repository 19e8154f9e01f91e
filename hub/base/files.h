/* files -- descriptors, of which a process may have only so many. The limit is raised as far as it
 * goes; and when none is left, one that is kept to spare turns away whoever connects.
 *
 * accept4() itself is ours: everybody's who calls it in this process, so that ZeroMQ is never told
 * EMFILE, at which the listeners of its ipc:// sockets end the process (4.3.4, ipc_listener.cpp).
 */
#ifndef BELFRY_FILES_H
#define BELFRY_FILES_H

#include "base/fault.h"

/* At the start. False: fewer than `least` are allowed. */
MUST_USE bool files_open(unsigned least, struct fault *why);

#endif
