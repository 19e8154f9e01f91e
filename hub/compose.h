/* compose -- one publish on its way: its sends are checked, made into events with the rows of their
 * channels, and become one operation of the journal. What is refused passes through the journal
 * too, with nothing to write, so that answers keep their order by themselves. */
#ifndef BELFRY_COMPOSE_H
#define BELFRY_COMPOSE_H

#include "channel.h"
#include "wire/message.h"

struct hub;

/* What one of its sends came to: events of the log lie in the operation. */
struct composed {
    char *detail;              /* of a refusal */
    struct event **ephemerals; /* its events where they are not logged */
    size_t ephemeral_count;
};

struct publish {
    struct append a; /* first */
    bool is_tool;    /* who asked: a tool, or */
    uint64_t boot;   /* a worker */
    uint64_t ref;
    Str peer, tool_ref; /* of a tool; both are owned */
    bool has_ref, has_delimiter;
    bool is_silent; /* intake: nobody to answer */
    bool may_everything;
    struct fault why; /* the whole is refused */
    struct composed *each;
    struct channel **channels; /* of each event of the log */
    size_t send_cap, event_cap;
    struct { /* what most have is one send of one event: room for these */
        struct append_send send;
        struct composed each;
        struct event *event;
        struct channel *channel;
        uint64_t row;
        bool fresh;
    } one;
};

struct publish *publish_new(struct hub *h);
void publish_free(struct hub *h, struct publish *p); /* its channels must have been let go */
/* The user, and the key and content of the whole (key empty: none). */
void publish_begin(struct publish *p, Str user, Str key, Str content);
/* Adds a send, or its refusal. */
void publish_add(struct hub *h, struct publish *p, const struct msg_send *m);
/* Adds a send that is refused. */
void publish_add_refused(struct publish *p, const struct fault *why);
/* Takes the sends off again: the whole is refused. */
void publish_refuse(struct hub *h, struct publish *p, int code, const char *detail);
/* Lets go of the channels of what was not written. */
void publish_let_go(struct hub *h, struct publish *p);

#endif
