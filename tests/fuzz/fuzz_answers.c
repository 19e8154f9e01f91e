/* What a hub answers to `belfry`: the first byte chooses a command, then come answers, each the
 * number of its frames and frames with their lengths (u16). In the place of local, which would ask
 * ZeroMQ; a hub that has nothing left to say went away. */
#include "cli/command.h"
#include "cli/local.h"
#include "tests/fuzz/input.h"
#include "wire/refusal.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { WORDS = 5 };

static const struct question {
    const struct command *command;
    const char *words[WORDS];
} questions[] = {
    {&log_command, {"room:1"}},
    {&log_command, {"--json", "--reverse", "--limit=5"}},
    {&channels_command, {"room:"}},
    {&streams_command, {NULL}},
    {&links_command, {NULL}},
    {&stats_command, {NULL}},
    {&check_command, {NULL}},
    {&prune_command, {NULL}},
    {&backup_command, {"/nowhere/at/all"}},
    {&pub_command, {"room:1", "hello"}},
};

static Str left; /* what the hub still has to say */

bool local_open(struct local *l, const struct options *o, enum place place, enum socket_kind kind,
                struct socket_limits limits, struct fault *why)
{
    (void)o, (void)place, (void)kind, (void)limits, (void)why;
    *l = (struct local){0};
    return true;
}

void local_close(struct local *l)
{
    *l = (struct local){0};
}

bool local_send(struct local *l, const Str *parts, size_t n, Msec ms, struct fault *why)
{
    (void)parts, (void)ms, (void)why;
    assert(n && n <= SOCKET_PARTS);
    l->awaited++;
    return true;
}

bool local_take(struct local *l, struct parcel *out)
{
    if (!l->awaited || !left.len)
        return false;
    l->awaited--;
    *out = (struct parcel){.n = 1 + input_number(&left, 1) % (SOCKET_PARTS + 2)};
    for (size_t i = 0; i < out->n && i < SOCKET_PARTS; i++)
        out->part[i] = frame_copy(input_piece(&left, 2));
    return true;
}

bool local_receive(struct local *l, struct parcel *out, Msec ms, struct fault *why)
{
    return local_take(l, out) ||
           fail(why, REFUSE_UNKNOWN_OUTCOME, "no answer within %llu ms", (unsigned long long)ms);
}

void local_forget(struct local *l)
{
    l->awaited = 0;
}

bool local_away(const struct local *l, struct fault *why)
{
    (void)l;
    return fail(why, REFUSE_HUB_AWAY, "the hub is away");
}

static void run(const struct question *q, const struct options *o)
{
    const struct command *c = q->command;
    char words[WORDS][32], *argv[WORDS];
    int argc = 0, operands;
    bool help;
    struct fault why;
    void *flags = must_alloc(c->size ? c->size : 1);
    for (; argc < WORDS && q->words[argc]; argc++) {
        snprintf(words[argc], sizeof words[argc], "%s", q->words[argc]);
        argv[argc] = words[argc];
    }
    bool ok = flags_parse(c->flags, argc, argv, flags, &operands, &help, &why);
    assert(ok && operands >= c->least);
    int code = c->run(o, flags, operands, argv);
    assert(code >= 0 && code < 128);
    free(flags);
}

/* What a command prints is not wanted; what a sanitizer says is. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static FILE *nowhere;
    static char program[] = "belfry", *argv[] = {program, NULL};
    static struct options options;
    FILE *output = stdout, *errors = stderr;
    struct fault why;
    left = str_make((const char *)data, size);
    if (!nowhere) {
        nowhere = fopen("/dev/null", "w");
        bool ok = nowhere && options_load(&options, PROGRAM_CLI, 1, argv, &why);
        assert(ok);
    }
    const struct question *q = &questions[input_number(&left, 1) % COUNT_OF(questions)];
    stdout = nowhere;
    stderr = nowhere;
    run(q, &options);
    stdout = output;
    stderr = errors;
    return 0;
}
