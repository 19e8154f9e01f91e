/* belfry pub -- publishes what the command line or stdin says. */
#include "cli/command.h"
#include "cli/flight.h"
#include "cli/lines.h"
#include "cli/outcome.h"
#include "wire/names.h"
#include "wire/refusal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/poll.h>
#include <unistd.h>

#define TIMEOUT_MS 10000
#define TURN_MS    50 /* answers are looked for so often while stdin is silent */

struct pub {
    const char *user, *event, *key, *exclude;
    bool json, ephemeral, no_ack, ndjson;
    Msec ttl, timeout;
};

static const struct flag flags[] = {
    {"user", FLAG_TEXT, offsetof(struct pub, user), "NAME", "to this user, on all devices"},
    {"event", FLAG_TEXT, offsetof(struct pub, event), "NAME", "the event's name"},
    {"json", FLAG_SWITCH, offsetof(struct pub, json), NULL, "the data is JSON, and is checked"},
    {"ttl", FLAG_DURATION, offsetof(struct pub, ttl), "TIME", "not delivered any more after it"},
    {"ephemeral", FLAG_SWITCH, offsetof(struct pub, ephemeral), NULL,
     "to those who are there now, not logged"},
    {"idempotency-key", FLAG_TEXT, offsetof(struct pub, key), "KEY",
     "the same key is published once; 1 to 128 characters"},
    {"exclude", FLAG_TEXT, offsetof(struct pub, exclude), "CLIENT",
     "a client that does not get it"},
    {"ndjson", FLAG_SWITCH, offsetof(struct pub, ndjson), NULL,
     "each line of stdin is a send request, as for POST /send"},
    {"no-ack", FLAG_SWITCH, offsetof(struct pub, no_ack), NULL,
     "do not wait for an answer: at most once, prints no id"},
    {"timeout", FLAG_DURATION, offsetof(struct pub, timeout), "TIME",
     "how long an answer may take (10s)"},
};

static bool is_usable(const struct pub *f, int operands, struct fault *why)
{
    if (f->ndjson && (operands || f->user || f->event || f->key || f->exclude || f->json ||
                      f->ephemeral || f->ttl))
        return fail(why, REFUSE_MALFORMED,
                    "with --ndjson the lines say everything themselves: no channel, DATA, --user, "
                    "--event, --json, --ttl, --ephemeral, --idempotency-key or --exclude");
    if (!f->ndjson && !f->user && !operands)
        return fail(why, REFUSE_MALFORMED, "a channel, --user or --ndjson is needed");
    if (f->user && operands > 1)
        return fail(why, REFUSE_MALFORMED,
                    "with --user there is no channel: pub --user NAME [DATA]");
    if (f->key && operands < (f->user ? 1 : 2))
        return fail(why, REFUSE_MALFORMED, "--idempotency-key is for one event: DATA is needed");
    return true;
}

static bool is_valid(const struct publish *p, struct fault *why)
{
    return (p->user.len ? user_is_valid(p->user, "user", why)
                        : channel_is_valid(p->channel, "channel", why)) &&
           event_name_is_valid(p->event, p->ephemeral, "event", why) &&
           (!p->key.p || key_is_valid(p->key, "idempotency-key", why)) &&
           (!p->exclude.len || client_is_valid(p->exclude, "exclude", why));
}

struct source {
    struct flight *flight;
    struct publish model; /* what the flags say */
    bool is_ndjson;
    size_t line;
};

static bool send_each(void *owner, const struct publish *p, struct fault *why)
{
    struct source *s = owner;
    return is_valid(p, why) && flight_send(s->flight, p, s->line);
}

static void send_line(struct source *s, Str line, size_t number)
{
    struct fault why = {0};
    struct publish p = s->model;
    p.data = line;
    s->line = number;
    if (!s->is_ndjson)
        flight_send(s->flight, &p, number);
    else if (str_trim(line).len && !publish_each(line, send_each, s, &why) && why.code)
        flight_refuse(s->flight, number, &why);
}

/* Ids are shown as they come, also while stdin says nothing. */
static void wait_input(struct flight *f, int fd)
{
    struct pollfd input = {fd, POLLIN, 0};
    while (!f->is_over) {
        flight_take(f);
        fflush(stdout);
        int n = poll(&input, 1, f->n ? TURN_MS : -1);
        if (n > 0 || (n < 0 && errno != EINTR))
            return;
        if (f->n && (f->local.is_lost || clock_mono() - f->sent[f->first].at >= f->timeout))
            flight_land(f);
    }
}

static void send_input(struct source *s)
{
    struct lines in;
    Str line;
    enum line what = LINE_NOT_YET;
    lines_init(&in, STDIN_FILENO);
    while (!s->flight->is_over && (what = lines_next(&in, &line)) != LINE_END) {
        struct fault why;
        if (what == LINE_HERE)
            send_line(s, line, in.number);
        else if (what == LINE_TOO_LONG) {
            fail(&why, REFUSE_TOO_LARGE, "over %d bytes, the most that an event may have",
                 LINE_MAX_BYTES);
            flight_refuse(s->flight, in.number, &why);
        } else {
            wait_input(s->flight, in.fd);
            if (!s->flight->is_over && !lines_read(&in)) {
                outcome_note("standard input: %s", strerror(errno));
                s->flight->code = EX_IOERR;
                break;
            }
        }
    }
    lines_fini(&in);
}

static int publish(const struct options *o, const struct pub *f, struct publish p, const char *data)
{
    struct fault why = {0};
    struct flight *flight = must_alloc(sizeof *flight);
    struct source s = {.flight = flight, .model = p, .is_ndjson = f->ndjson};
    int code;
    if (!flight_open(flight, o, !f->no_ack, f->timeout ? f->timeout : TIMEOUT_MS, &why))
        code = outcome_say(&why);
    else {
        if (data)
            send_line(&s, str_of(data), 0);
        else
            send_input(&s);
        flight_land(flight);
        code = flight->code;
    }
    flight_close(flight);
    free(flight);
    return code ? code : outcome_of_stdout();
}

static int run(const struct options *o, const void *given, int operands, char **operand)
{
    const struct pub *f = given;
    struct fault why = {0};
    if (!is_usable(f, operands, &why)) {
        outcome_note("%s; see belfry pub --help", why.text);
        return EX_USAGE;
    }
    int before = f->user || f->ndjson ? 0 : 1;
    struct publish p = {
        .channel = before ? str_of(operand[0]) : STR_NONE,
        .user = str_of(f->user),
        .event = str_of(f->event),
        .key = str_of(f->key),
        .exclude = str_of(f->exclude),
        .ttl = (f->ttl + 999) / 1000,
        .json = f->json,
        .ephemeral = f->ephemeral,
    };
    if (!f->ndjson && !is_valid(&p, &why))
        return outcome_say(&why);
    return publish(o, f, p, operands > before ? operand[before] : NULL);
}

const struct command pub_command = {
    .name = "pub",
    .operands = "CHANNEL|--user NAME [DATA]",
    .brief = "publishes an event, or each line of standard input as one",
    .about =
        "Publishes DATA, or without it each line of standard input, and prints the id of each\n"
        "event once it is on disk, in order (`-` for an ephemeral one). With --ndjson each line "
        "is\n"
        "a JSON object with channel(s) or user(s), event, data, ttl, ephemeral, idempotencyKey "
        "and\n"
        "exclude; to several channels it is one event for each.\n"
        "A line that is refused is said on stderr, and the others go on. Exit code 0: everything "
        "is\n"
        "acknowledged; 65: something was refused, all else is acknowledged; 75: the hub is not "
        "there\n"
        "or cannot write, and the rest of stdin was not sent, try again; 76: it was sent but no\n"
        "answer came: publish it again with the same --idempotency-key.",
    .examples = "  belfry pub room:1 'hello'\n"
                "  belfry pub room:1 --event message.new --json '{\"text\":\"hi\"}'\n"
                "  belfry pub --user alice 'your order has left'\n"
                "  tail -f /var/log/syslog | belfry pub logs\n"
                "  belfry pub --ndjson < requests.ndjson\n",
    .most = 2,
    .flags = FLAG_TABLE(flags),
    .size = sizeof(struct pub),
    .run = run,
};
