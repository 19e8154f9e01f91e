/* tool -- what is said on publish.ipc and intake.ipc: frames in, a publish on its way, frames out.
 * The file modes of the sockets were the check of rights. */
#ifndef BELFRY_TOOL_H
#define BELFRY_TOOL_H

#include "compose.h"

/* `is_silent`: nobody waits for an answer. */
void tool_publish(struct hub *h, Str peer, bool is_silent, const Str *frames, size_t n);
void tool_answer(struct hub *h, const struct publish *p);

#endif
