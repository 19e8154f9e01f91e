/* law -- who may what, in a world where that changes while everything else happens: one who manages
 * users asks the hub to grant and to take away, to disable, to end and to kick, and asks again
 * until an answer comes. Between a question and its answer both may be true; what is surely so is
 * judged. There is one user, ann; the rooms that are closed are open to nobody else. */
#ifndef BELFRY_SIM_LAW_H
#define BELFRY_SIM_LAW_H

#include "base/clock.h"
#include "base/str.h"
#include "dice.h"

enum { CLOSED_FIRST = 1, CLOSED_ROOMS = 2 }; /* of room_names */
enum law_right { LAW_SUBSCRIBE, LAW_PRESENCE, LAW_RIGHTS };
/* To whom it is granted: to ann herself, or to every user. */
enum { LAW_OWN, LAW_SHARED, LAW_SOURCES };

/* A question on its way; its answer changes what is so. */
struct law_question {
    bool is_open, is_sent, is_granting;
    Msec again_at;
};

struct law_grant {
    struct law_question question;
    bool may_be; /* from when it is asked for until it is surely taken away */
    bool is_sure;
};

struct law {
    struct law_grant grants[LAW_SOURCES][CLOSED_ROOMS][LAW_RIGHTS];
    Msec blind_since[CLOSED_ROOMS]; /* since when presence is surely nobody's; 0: it was never one's
                                     */
    struct law_question user;       /* added, disabled, enabled */
    bool is_added, is_disabled;     /* is_disabled: surely */
    struct law_question cut;        /* tokens of before are no longer good */
    Msec disabled_at, cut_asked;
    Msec cut_before, cut_at; /* who came before the one gets nothing that began after the other */
};

struct world;
struct browser;

void law_begin(struct world *w);
/* Something is changed. */
void law_act(struct world *w, struct dice *d);
void law_turn(struct world *w);
void law_on_answer(struct world *w, Str peer, Str answer);
void law_on_hub_gone(struct world *w);
/* What is left of it is done, and ann is let in again. */
void law_settle(struct world *w);
bool law_is_done(const struct world *w);
/* NULL: every worker knows what is so. */
const char *law_who_errs(const struct world *w);
/* Channels and patterns that this page surely may be on. */
unsigned law_allows(const struct browser *p);
bool law_shows_presence(const struct browser *p, unsigned channel); /* surely */
/* Ends the run where this is what it should not have. */
void law_judge_event(struct browser *p, Str body);
void law_judge_publish(struct world *w, Msec invoked);
void law_judge_presence(struct browser *p, unsigned channel);

#endif
