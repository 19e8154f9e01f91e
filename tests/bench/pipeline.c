/* pipeline -- publishes over ZeroMQ, many on the way at once.
 *
 *   pipeline ENDPOINT CHANNEL SECONDS [WINDOW] [CHANNELS] [RATE]
 *
 * CHANNEL's `~` stands for one of CHANNELS numbers, at random. Each event carries a payload of 100
 * bytes. Prints a line of JSON when all are answered. */
#include "base/buf.h"
#include "histogram.h"
#include "payload.h"
#include "wire/socket.h"

#include <stdio.h>
#include <stdlib.h>

enum { SIZE = 100, NAME = 160, PATIENCE_US = 10 * 1000000 };

struct run {
    struct socket *socket;
    Str channel;
    struct buf name;
    uint64_t window, channels, random;
    uint64_t sent, answered, refused;
    uint64_t *sent_us; /* of those on the way: answers come in the order of requests */
    struct histogram answers;
};

static uint64_t draw(struct run *run)
{
    run->random ^= run->random << 13;
    run->random ^= run->random >> 7;
    run->random ^= run->random << 17;
    return run->random;
}

/* What this program uses is missing to who is measured: nothing is formatted. */
static Str next_name(struct run *run)
{
    size_t tilde = str_find(run->channel, '~');
    if (tilde == run->channel.len)
        return run->channel;
    buf_clear(&run->name);
    buf_put(&run->name, str_make(run->channel.p, tilde));
    buf_put_u64(&run->name, draw(run) % run->channels);
    buf_put(&run->name, str_skip(run->channel, tilde + 1));
    return buf_str(&run->name);
}

static bool send_one(struct run *run, uint64_t now)
{
    char data[SIZE];
    payload_put(data, SIZE, run->sent, now);
    Str parts[] = {next_name(run), STR_NONE, str_make(data, SIZE)};
    if (socket_send_strs(run->socket, parts, 3) != SOCKET_SENT)
        return false;
    run->sent_us[run->sent++ % run->window] = now;
    return true;
}

static bool take_one(struct run *run)
{
    struct parcel p;
    if (!socket_receive(run->socket, &p))
        return false;
    uint64_t now = clock_us();
    run->refused += !str_eq(frame_str(p.part[0]), STR("ok"));
    histogram_add(&run->answers, now - run->sent_us[run->answered++ % run->window]);
    parcel_fini(&p);
    return true;
}

static void publish(struct run *run, double seconds, double rate)
{
    uint64_t begin = clock_us(), until = begin + (uint64_t)(seconds * 1e6), now;
    while ((now = clock_us()) < until + PATIENCE_US && (now < until || run->answered < run->sent)) {
        uint64_t due = rate > 0 ? (uint64_t)((double)(now - begin) / 1e6 * rate) + 1 : UINT64_MAX;
        while (now < until && run->sent - run->answered < run->window && run->sent < due &&
               send_one(run, now))
            continue;
        bool took = false, ready, fd_ready;
        while (take_one(run))
            took = true;
        if (!took)
            socket_wait(&run->socket, 1, -1, rate > 0 ? 1 : 10, &ready, &fd_ready);
    }
    double took = (double)(clock_us() - begin) / 1e6;
    printf("{\"sent\":%llu,\"published\":%llu,\"failed\":%llu,\"broken\":%llu,\"seconds\":%.3f,"
           "\"per_second\":%.1f,",
           (unsigned long long)run->sent, (unsigned long long)(run->answered - run->refused),
           (unsigned long long)run->refused, (unsigned long long)(run->sent - run->answered), took,
           (double)(run->answered - run->refused) / took);
    histogram_print(&run->answers, "ack_");
    printf("}\n");
}

int main(int argc, char **argv)
{
    struct fault why = {0};
    if (argc < 4)
        return 64;
    static struct run run;
    run.channel = str_of(argv[2]);
    buf_init(&run.name, NAME);
    run.window = argc > 4 ? strtoull(argv[4], NULL, 10) : 1;
    run.channels = argc > 5 ? strtoull(argv[5], NULL, 10) : 1;
    run.random = 88172645463325252u;
    run.sent_us = calloc((size_t)run.window, sizeof *run.sent_us);
    struct socket_context *context = socket_context_new();
    run.socket =
        socket_open(context, SOCKET_DEALER, (struct socket_limits){.max_message = -1}, &why);
    if (!run.socket || !run.sent_us || !socket_connect(run.socket, argv[1], &why)) {
        fprintf(stderr, "pipeline: %s\n", why.text);
        return 1;
    }
    publish(&run, strtod(argv[3], NULL), argc > 6 ? strtod(argv[6], NULL) : 0);
    socket_close(run.socket);
    socket_context_free(context);
    buf_fini(&run.name);
    free(run.sent_us);
    return 0;
}
