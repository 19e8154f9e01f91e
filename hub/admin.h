/* admin -- what `belfry` asks on admin.ipc: one JSON object in, one out. What needs workers or
 * retention to answer waits in asks.c; what needs the journal, in inspect.c. */
#ifndef BELFRY_HUB_ADMIN_H
#define BELFRY_HUB_ADMIN_H

#include "base/json.h"

struct hub;

/* Who asked, and how the answer begins. */
struct asker {
    char *peer;
    size_t peer_len;
    bool has_delimiter;
};
void asker_fini(struct asker *a);

void admin_on_message(struct hub *h, Str peer, const Str *frames, size_t n);
/* A change is done; the next one begins with what it left behind. */
void admin_go_on(struct hub *h);
void admin_fini(struct hub *h);

/* For those who answer later. `text` is members of the object, without braces or a comma first. */
void admin_answer(struct hub *h, const struct asker *a, Str text);
void admin_refuse(struct hub *h, const struct asker *a, int code, const char *detail);
/* A member that is a whole number from 1 to `most`, or `otherwise` where it is missing. */
bool admin_number(const Json *question, const char *name, uint64_t most, uint64_t otherwise,
                  uint64_t *out, struct fault *why);
/* A member that is a string; empty where it is missing. */
bool admin_word(const Json *question, const char *name, Str *out, struct fault *why);
void admin_put_cursor(const struct hub *h, struct buf *out, uint64_t at);

#endif
