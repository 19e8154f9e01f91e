#include "cli/flight.h"

#include "cli/outcome.h"
#include "wire/refusal.h"

#include <stdio.h>

#define LINGER_MS     5000 /* without answers: what is queued when we end */
#define OPTIONS_BYTES 65536

bool flight_open(struct flight *f, const struct options *o, bool is_acked, Msec timeout,
                 struct fault *why)
{
    struct socket_limits limits = {.high_water = is_acked ? 0 : FLIGHT_MAX,
                                   .max_message = -1,
                                   .linger_ms = is_acked ? 0 : LINGER_MS};
    *f = (struct flight){.is_acked = is_acked, .timeout = timeout};
    buf_init(&f->channel, OPTIONS_BYTES);
    buf_init(&f->options, OPTIONS_BYTES);
    return local_open(&f->local, o, is_acked ? PLACE_PUBLISH : PLACE_INTAKE,
                      is_acked ? SOCKET_DEALER : SOCKET_PUSH, limits, why);
}

void flight_close(struct flight *f)
{
    local_close(&f->local);
    buf_fini(&f->channel);
    buf_fini(&f->options);
}

void flight_refuse(struct flight *f, size_t line, const struct fault *why)
{
    int code = outcome_of(why->code);
    if (line)
        outcome_note("line %zu: %s", line, why->text);
    else
        outcome_note("%s", why->text);
    bool ends_it = code != EX_DATAERR && !f->is_over;
    if (!f->code || ends_it)
        f->code = code;
    f->is_over |= ends_it;
}

static void land(struct flight *f, const struct parcel *answer)
{
    Str part[3] = {STR_NONE, STR_NONE, STR_NONE};
    struct sent *s = &f->sent[f->first];
    for (size_t i = 0; i < COUNT_OF(part) && i < answer->n; i++)
        part[i] = frame_str(answer->part[i]);
    if (str_eq(part[0], STR("ok")))
        printf("%.*s\n", FMT(part[1].len ? part[1] : STR("-")));
    else {
        struct fault why;
        fail(&why, refusal_from_code(part[1]), "%.*s",
             FMT(part[2].len ? part[2] : STR("refused without a word")));
        flight_refuse(f, s->line, &why);
    }
    f->bytes -= s->bytes;
    f->first = (f->first + 1) % FLIGHT_MAX;
    f->n--;
}

void flight_take(struct flight *f)
{
    struct parcel answer;
    while (f->n && local_take(&f->local, &answer)) {
        land(f, &answer);
        parcel_fini(&answer);
    }
}

/* What was sent and will not be answered. */
static void lose(struct flight *f, const struct fault *why)
{
    size_t line = f->sent[f->first].line;
    outcome_note("%s", why->text);
    if (line)
        outcome_note("the outcome of %zu publishes is unknown, the first is line %zu", f->n, line);
    else
        outcome_note("the outcome is unknown");
    f->code = OUTCOME_UNKNOWN;
    f->is_over = true;
    f->n = 0;
    local_forget(&f->local);
}

/* One answer, waited for. */
static void wait_one(struct flight *f)
{
    struct fault why = {0};
    struct parcel answer;
    Msec age = clock_mono() - f->sent[f->first].at;
    if (!local_receive(&f->local, &answer, age < f->timeout ? f->timeout - age : 0, &why)) {
        lose(f, &why);
        return;
    }
    land(f, &answer);
    parcel_fini(&answer);
}

void flight_land(struct flight *f)
{
    flight_take(f);
    while (f->n)
        wait_one(f);
}

bool flight_send(struct flight *f, const struct publish *p, size_t line)
{
    struct fault why = {0};
    Str frames[PUBLISH_FRAMES];
    size_t n = publish_frames(p, &f->channel, &f->options, frames), bytes = 0;
    for (size_t i = 0; i < n; i++)
        bytes += frames[i].len;
    while (f->n && (f->n == FLIGHT_MAX || f->bytes + bytes > FLIGHT_BYTES))
        wait_one(f);
    Msec patience = f->timeout < CONNECT_MS ? f->timeout : CONNECT_MS;
    if (!f->is_over && !local_send(&f->local, frames, n, patience, &why)) {
        flight_land(f);
        if (!f->is_over)
            flight_refuse(f, line, &why);
    }
    if (f->is_over)
        return false;
    if (!f->is_acked) {
        local_forget(&f->local);
        return true;
    }
    f->sent[(f->first + f->n++) % FLIGHT_MAX] = (struct sent){line, bytes, clock_mono()};
    f->bytes += bytes;
    return true;
}
