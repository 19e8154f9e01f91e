/* cable -- the link of one worker, as ZeroMQ carries it: two ordered pipes of messages that take
 * their time, a monitor that says when they come and go, and what a cut loses: what was on its way
 * is gone, what one side had received already is still read, and what the worker had not sent yet
 * goes out on the next connection. Knows nothing of what it carries. */
#ifndef BELFRY_SIM_CABLE_H
#define BELFRY_SIM_CABLE_H

#include "dice.h"

#include "base/clock.h"
#include "base/str.h"
#include "wire/message.h"

struct frame;

struct packet {
    char header[MESSAGE_HEADER];
    struct frame *body;
    Msec ready;
    unsigned connection; /* that it goes out on; 0: not sent yet */
};

struct lane_of_packets {
    struct packet *v; /* a ring of `cap`, a power of two */
    size_t first, n, cap;
};

enum harm { HARM_NONE, HARM_LOSES, HARM_DOUBLES, HARM_SWAPS };

struct cable {
    struct lane_of_packets to_hub, to_worker;
    struct dice dice;
    unsigned connection; /* rises */
    bool is_there;       /* the two are connected */
    bool is_known;       /* the worker's monitor has said so */
    Msec come_at;        /* not there: when it tries again; there: when the monitor says so */
    bool owes_going;     /* the monitor is still to say that it went */
    Msec going_at;
    Msec slow_until;
    enum harm harm; /* of the next message to the worker */
};

enum cable_news { CABLE_NOTHING, CABLE_CAME, CABLE_WENT };

void cable_init(struct cable *c, uint64_t seed);
void cable_clear(struct cable *c); /* frees all that it carries */
/* Tries to connect, where it is time to. */
void cable_turn(struct cable *c, bool hub_listens, Msec now);
/* By a fault of the network (neither), or because a process died. */
void cable_cut(struct cable *c, bool hub_died, bool worker_died, Msec now, Msec down);
/* What the worker's monitor says next. */
enum cable_news cable_news(struct cable *c, Msec now);

/* False: nobody is connected. The frame's reference is taken over where it is true. */
bool cable_to_hub(struct cable *c, const char header[MESSAGE_HEADER], struct frame *body, Msec now);
bool cable_to_worker(struct cable *c, unsigned connection, const char *header, struct frame *body,
                     Msec now);
/* The next that has arrived; frame_unref() its body. */
bool cable_at_hub(struct cable *c, struct packet *out, Msec now);
bool cable_at_worker(struct cable *c, struct packet *out, Msec now);

#endif
