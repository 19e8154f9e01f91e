#include "cli/exam.h"

#include "base/random.h"
#include "cli/admin.h"
#include "cli/ear.h"
#include "cli/local.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define URL_MAX      2048
#define TURN_MS      50
#define ANSWER_MS    5000
#define PROMPT_MS    500  /* at once, also on a busy machine far away */
#define PATIENCE_MS  3000 /* what is not there then is held back */
#define PING_S       5    /* the least that may be asked for */
#define EVENTS       3
#define BEAT_LATE_MS ((2 * PING_S + 2) * (Msec)1000)
#define LEAVE_OK_MS  ((2 * PING_S + 1) * (Msec)1000)
#define LEAVE_MAX_MS ((4 * PING_S + 2) * (Msec)1000)

struct exam {
    const struct options *options;
    const char *mount;
    struct exam_out out;
    struct fetcher *fetcher;
    struct ear plain, packed; /* the same stream, as it is and compressed */
    char channel[64];
    char server[128];
    bool
        is_closed; /* access over HTTP is closed: a stream without channels, published to locally */
    bool has_failed;
};

const char *verdict_name(enum verdict v)
{
    static const char *const names[] = {"ok", "warn", "fail", "skip"};
    return names[v];
}

struct exam *exam_new(const struct options *o, const char *mount, struct exam_out out)
{
    struct exam *e = must_alloc(sizeof *e);
    char name[RANDOM_NAME];
    random_name(name);
    e->options = o;
    e->mount = mount;
    e->out = out;
    e->fetcher = fetcher_new();
    snprintf(e->channel, sizeof e->channel, "doctor.%s", name);
    return e;
}

void exam_free(struct exam *e)
{
    ear_close(&e->plain);
    ear_close(&e->packed);
    fetcher_free(e->fetcher);
    free(e);
}

Str exam_server(const struct exam *e)
{
    return str_of(e->server);
}

static void PRINTF(5, 6) found(struct exam *e, const char *check, enum verdict verdict,
                               enum ill ill, const char *format, ...)
{
    struct finding f = {.check = check, .verdict = verdict, .ill = ill};
    va_list more;
    va_start(more, format);
    vsnprintf(f.detail, sizeof f.detail, format, more);
    va_end(more);
    e->has_failed |= verdict == VERDICT_FAIL;
    e->out.found(e->out.ctx, &f);
}

/* One turn of everything that is open. */
static void turn(struct exam *e)
{
    fetcher_turn(e->fetcher, TURN_MS);
    if (e->plain.fetch)
        ear_listen(&e->plain);
    if (e->packed.fetch)
        ear_listen(&e->packed);
}

/* A short request, waited for. The caller stops it. */
static struct fetch *ask(struct exam *e, const char *method, const char *path, Str body, Msec ms)
{
    char url[URL_MAX];
    snprintf(url, sizeof url, "%s%s", e->mount, path);
    struct fetch_ask question = {
        .method = method, .url = url, .body = body, .agent = "belfry-doctor"};
    struct fetch *one = fetch_start(e->fetcher, &question);
    Msec end = clock_mono() + ms;
    while (!fetch_is_over(one) && clock_mono() < end)
        turn(e);
    return one;
}

static const char *what_came(const struct fetch *one, char out[80])
{
    long status = fetch_status(one);
    if (fetch_error(one))
        return fetch_error(one);
    if (!fetch_is_over(one) && !status)
        return "no answer in time";
    snprintf(out, 80, "status %ld%s", status, fetch_is_over(one) ? "" : ", but it does not end");
    return out;
}

static bool check_status(struct exam *e, const char *check, const char *method, const char *path,
                         enum verdict otherwise)
{
    char text[80];
    Msec begin = clock_mono();
    struct fetch *one = ask(e, method, path, STR_NONE, ANSWER_MS);
    bool ok = fetch_is_over(one) && fetch_status(one) == 200;
    Str server = fetch_header(one, "Server");
    if (server.len)
        snprintf(e->server, sizeof e->server, "%.*s", FMT(server));
    if (ok)
        found(e, check, VERDICT_OK, ILL_NONE, "%s %s answers in %llu ms", method, path,
              (unsigned long long)(clock_mono() - begin));
    else
        found(e, check, otherwise, ILL_DOWN, "%s %s: %s", method, path, what_came(one, text));
    fetch_stop(one);
    return ok;
}

static bool is_refused(const struct ear *ear)
{
    long status = fetch_status(ear->fetch);
    return status == 401 || status == 403;
}

static void wait_connected(struct exam *e, struct ear *ear)
{
    Msec end = ear->opened_at + PATIENCE_MS;
    while (!ear->connected_at && !ear_is_deaf(ear) && clock_mono() < end)
        turn(e);
}

static void open_ears(struct exam *e)
{
    char url[URL_MAX];
    snprintf(url, sizeof url, "%s?ping=%d%s%s", e->mount, PING_S,
             e->is_closed ? "" : "&channel=", e->is_closed ? "" : e->channel);
    ear_open(&e->plain, e->fetcher, url, false);
    wait_connected(e, &e->plain);
    if (is_refused(&e->plain) && !e->is_closed) {
        ear_close(&e->plain);
        e->is_closed = true;
        open_ears(e);
        return;
    }
    ear_open(&e->packed, e->fetcher, url, true);
    wait_connected(e, &e->packed);
}

static bool check_stream(struct exam *e)
{
    char text[80];
    open_ears(e);
    struct ear *ear = &e->plain;
    Msec took = ear->connected_at - ear->opened_at;
    if (ear->connected_at && took <= PROMPT_MS)
        found(e, "stream", VERDICT_OK, ILL_NONE, "`connected` after %llu ms",
              (unsigned long long)took);
    else if (ear->connected_at)
        found(e, "stream", VERDICT_WARN, ILL_BUFFERED, "`connected` came late, after %llu ms",
              (unsigned long long)took);
    else if (fetch_is_over(ear->fetch) || fetch_status(ear->fetch) > 200)
        found(e, "stream", VERDICT_FAIL, ILL_DOWN, "the stream does not open: %s",
              what_came(ear->fetch, text));
    else
        found(e, "stream", VERDICT_FAIL, ILL_BUFFERED, "no `connected` within %d ms: held back",
              PATIENCE_MS);
    return ear->connected_at;
}

/* Over HTTP; says whether it was taken. */
static bool publish_http(struct exam *e)
{
    char body[256];
    snprintf(body, sizeof body,
             "{\"channel\":\"%s\",\"event\":\"" EAR_EVENT "\",\"data\":0,\"ephemeral\":true}",
             e->channel);
    struct fetch *one = ask(e, "POST", "/send", str_of(body), ANSWER_MS);
    bool ok = fetch_is_over(one) && fetch_status(one) == 200;
    fetch_stop(one);
    return ok;
}

/* Through the hub's own socket, to a channel that the stream carries without asking. */
static bool publish_locally(struct exam *e)
{
    struct fault why;
    struct local hub = {0};
    struct parcel answer;
    struct socket_limits limits = {.high_water = 0, .max_message = -1, .linger_ms = 0};
    Str frames[] = {str_of(e->is_closed ? e->plain.channel : e->channel), STR(EAR_EVENT), STR("0"),
                    STR("{\"ephemeral\":true}")};
    bool ok = local_open(&hub, e->options, PLACE_PUBLISH, SOCKET_DEALER, limits, &why) &&
              local_send(&hub, frames, COUNT_OF(frames), CONNECT_MS, &why) &&
              local_receive(&hub, &answer, ANSWER_MS, &why);
    if (ok) {
        ok = answer.n && str_eq(frame_str(answer.part[0]), STR("ok"));
        parcel_fini(&answer);
    }
    local_close(&hub);
    return ok;
}

/* The slowest of some events, in ms; false: one was not taken, or did not come. */
static bool measure(struct exam *e, bool *is_published, Msec *slowest)
{
    *slowest = 0;
    for (unsigned n = 1; n <= EVENTS; n++) {
        Msec begin = clock_mono(), end = begin + PATIENCE_MS;
        *is_published = (!e->is_closed && publish_http(e)) || publish_locally(e);
        if (!*is_published)
            return false;
        while (e->plain.events < n && clock_mono() < end && !ear_is_deaf(&e->plain))
            turn(e);
        if (e->plain.events < n)
            return false;
        if (e->plain.event_at - begin > *slowest)
            *slowest = e->plain.event_at - begin;
    }
    return true;
}

static bool check_delivery(struct exam *e)
{
    bool is_published;
    Msec slowest;
    if (measure(e, &is_published, &slowest)) {
        bool is_prompt = slowest <= PROMPT_MS;
        found(e, "delivery", is_prompt ? VERDICT_OK : VERDICT_WARN,
              is_prompt ? ILL_NONE : ILL_BUFFERED, "%d events, the slowest after %llu ms%s", EVENTS,
              (unsigned long long)slowest, e->is_closed ? " (published locally)" : "");
        return true;
    }
    if (is_published)
        found(e, "delivery", VERDICT_FAIL, ILL_BUFFERED, "no event within %d ms: held back",
              PATIENCE_MS);
    else
        found(e, "delivery", VERDICT_SKIP, ILL_NONE,
              "nothing could be published, neither by POST nor at %s (see --run)", e->options->run);
    return false;
}

static void check_compression(struct exam *e, bool is_delivered)
{
    Msec end = clock_mono() + PATIENCE_MS;
    struct ear *ear = &e->packed;
    Str encoding = fetch_header(ear->fetch, "Content-Encoding");
    const char *how = encoding.len ? "compressed" : "not compressed";
    while (is_delivered && ear->events < EVENTS && clock_mono() < end && !ear_is_deaf(ear))
        turn(e);
    if (!ear->connected_at || (is_delivered && ear->events < EVENTS))
        found(e, "compression", VERDICT_FAIL, ILL_COMPRESSED,
              "with Accept-Encoding: gzip (%s) it is held back", how);
    else
        found(e, "compression", VERDICT_OK, ILL_NONE, "with Accept-Encoding: gzip (%s) it flows",
              how);
}

static void check_heartbeat(struct exam *e)
{
    struct ear *ear = &e->plain;
    Msec end = ear->connected_at + BEAT_LATE_MS;
    while (!ear->beat_at && clock_mono() < end && !ear_is_deaf(ear))
        turn(e);
    if (ear->beat_at)
        found(e, "heartbeat", VERDICT_OK, ILL_NONE, "a heartbeat %llu ms after `connected`",
              (unsigned long long)(ear->beat_at - ear->connected_at));
    else
        found(e, "heartbeat", VERDICT_FAIL, ILL_CUT, "no heartbeat within %llu ms",
              (unsigned long long)BEAT_LATE_MS);
    if (!ear_is_deaf(ear))
        found(e, "lasting", VERDICT_OK, ILL_NONE, "the stream is open after %llu ms",
              (unsigned long long)(clock_mono() - ear->opened_at));
    else
        found(e, "lasting", VERDICT_FAIL, ILL_CUT, "the stream ended%s",
              ear->said_bye ? ", the worker said bye" : " without a bye");
}

/* How many streams carry our channel; false: the hub could not be asked. */
static bool count_ours(struct exam *e, struct admin *a, size_t *n, struct fault *why)
{
    const Json *answer = admin_ask(a, STR("{\"do\":\"streams\",\"limit\":100000}"), ADMIN_MS, why);
    const Json *streams = answer ? json_get(answer, "streams") : NULL;
    *n = 0;
    for (size_t i = 0; streams && i < json_len(streams); i++) {
        const Json *channels = json_get(json_at(streams, i), "channels");
        for (size_t k = 0; channels && k < json_len(channels); k++) {
            const Json *name = json_at(channels, k);
            *n += json_is_string(name) && str_eq(json_str(name), str_of(e->channel));
        }
    }
    return streams;
}

static void check_leaving(struct exam *e)
{
    struct admin a;
    struct fault why = {0};
    size_t n = 0;
    bool ok = admin_open(&a, e->options, &why) && !e->is_closed && count_ours(e, &a, &n, &why) && n;
    bool was_there = ok;
    Msec begin = clock_mono(), took = 0;
    ear_close(&e->plain);
    ear_close(&e->packed);
    while (ok && n && took < LEAVE_MAX_MS) {
        turn(e);
        ok = count_ours(e, &a, &n, &why);
        took = clock_mono() - begin;
    }
    if (was_there && !ok)
        found(e, "leaving", VERDICT_SKIP, ILL_NONE, "the hub could be asked no more: %.150s",
              why.text);
    else if (!ok)
        found(e, "leaving", VERDICT_SKIP, ILL_NONE,
              "only where the hub's sockets are at hand (--run) and access is open");
    else if (n)
        found(e, "leaving", VERDICT_FAIL, ILL_UNNOTICED, "not noticed within %llu ms",
              (unsigned long long)took);
    else
        found(e, "leaving", took <= LEAVE_OK_MS ? VERDICT_OK : VERDICT_WARN,
              took <= LEAVE_OK_MS ? ILL_NONE : ILL_UNNOTICED, "noticed after %llu ms",
              (unsigned long long)took);
    admin_close(&a);
}

/* Over tcp, keys can be wrong. */
static void check_hub(struct exam *e)
{
    struct admin a;
    struct fault why;
    if (!e->options->hub[0])
        return;
    bool ok = admin_open(&a, e->options, &why) &&
              admin_ask(&a, STR("{\"do\":\"stats\"}"), ADMIN_MS, &why);
    found(e, "hub", ok ? VERDICT_OK : VERDICT_FAIL, ILL_NONE, "%s%.180s",
          ok ? "lets this key in at " : "", ok ? e->options->hub : why.text);
    admin_close(&a);
}

bool exam_run(struct exam *e)
{
    check_hub(e);
    if (!check_status(e, "health", "GET", "/health", VERDICT_FAIL))
        return false;
    check_status(e, "ready", "GET", "/ready", VERDICT_FAIL);
    check_status(e, "head", "HEAD", "?ping=5", VERDICT_WARN);
    if (!check_stream(e))
        return false;
    bool is_delivered = check_delivery(e);
    check_compression(e, is_delivered);
    check_heartbeat(e);
    check_leaving(e);
    return !e->has_failed;
}
