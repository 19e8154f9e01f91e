/* load -- `load --port N [--mount PATH] [--name NAME] [--publishers N] [--readers N] [--batch N]
 * [--drain SECONDS] [--stats FILE]`. Opens the readers, says `ready`, publishes until standard
 * input says `drain`, brings everything to its end, says `drained`; `judge FACTS OUT` then adds the
 * facts of a file and checks the history, which is written to OUT where it is broken. Exit code 1:
 * it is. */
#include "load.h"

#include "check.h"

#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { TURN_MS = 5, SECOND = 1000000000, DRAIN = 30, BATCH_SIZE = 40, EVENTS_A_TURN = 64 };

static uint64_t clock_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t load_random(struct load *l, uint64_t below)
{
    l->random ^= l->random << 13;
    l->random ^= l->random >> 7;
    l->random ^= l->random << 17;
    return l->random % below;
}

void load_add(struct load *l, struct fact *f)
{
    f->ns = l->now = clock_ns();
    history_add(l->history, f);
}

/* What the command line asks for. */
struct plan {
    struct load load;
    unsigned publishers, readers, batch;
    unsigned drain; /* s: to bring everything to its end */
    struct publisher **p;
    struct reader **r;
};

static bool map_stats(struct load *l, const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT, 0600);
    void *page = MAP_FAILED;
    if (fd >= 0 && ftruncate(fd, sizeof *l->stats) == 0)
        page = mmap(NULL, sizeof *l->stats, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (fd >= 0)
        close(fd);
    l->stats = page == MAP_FAILED ? NULL : page;
    return l->stats != NULL;
}

static bool read_options(int argc, char **argv, struct plan *plan, const char **stats)
{
    static const struct option options[] = {
        {"port", 1, NULL, 'p'},       {"mount", 1, NULL, 'm'},   {"name", 1, NULL, 'n'},
        {"publishers", 1, NULL, 'P'}, {"readers", 1, NULL, 'R'}, {"batch", 1, NULL, 'b'},
        {"drain", 1, NULL, 'd'},      {"stats", 1, NULL, 's'},   {NULL, 0, NULL, 0}};
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        unsigned long n = optarg ? strtoul(optarg, NULL, 10) : 0;
        if (c == 'p')
            plan->load.port = (int)n;
        else if (c == 'm')
            plan->load.mount = optarg;
        else if (c == 'n')
            plan->load.name = optarg;
        else if (c == 'P')
            plan->publishers = (unsigned)n;
        else if (c == 'R')
            plan->readers = (unsigned)n;
        else if (c == 'b')
            plan->batch = (unsigned)n;
        else if (c == 'd')
            plan->drain = (unsigned)n;
        else if (c == 's')
            *stats = optarg;
        else
            return false;
    }
    return plan->load.port > 0 && plan->publishers > 0 && *stats;
}

static void make_all(struct plan *plan)
{
    struct load *l = &plan->load;
    plan->r = must_alloc(plan->readers * sizeof(void *));
    plan->p = must_alloc(plan->publishers * sizeof(void *));
    for (unsigned i = 0; i < plan->readers; i++)
        plan->r[i] = reader_new(l, i, (enum reader_kind)(i % READER_KINDS));
    for (unsigned i = 0; i < plan->publishers; i++)
        plan->p[i] = publisher_new(l, i, (enum publish_kind)(i % PUBLISH_KINDS), plan->batch);
}

static void free_all(struct plan *plan)
{
    for (unsigned i = 0; i < plan->readers; i++)
        reader_free(plan->r[i]);
    for (unsigned i = 0; i < plan->publishers; i++)
        publisher_free(plan->p[i]);
    free(plan->r);
    free(plan->p);
    history_free(plan->load.history);
}

/* One turn: what the network says, then what is due. */
static void turn(struct plan *plan, bool publishing)
{
    struct load *l = &plan->load;
    struct epoll_event events[EVENTS_A_TURN];
    int n = epoll_wait(l->epoll, events, EVENTS_A_TURN, TURN_MS);
    l->now = clock_ns();
    for (int i = 0; i < n; i++)
        http_on_ready(events[i].data.ptr, events[i].events);
    for (unsigned i = 0; i < plan->readers; i++)
        reader_turn(plan->r[i]);
    for (unsigned i = 0; publishing && i < plan->publishers; i++)
        publisher_turn(plan->p[i]);
}

static bool all_open(const struct plan *plan)
{
    for (unsigned i = 0; i < plan->readers; i++)
        if (!reader_is_open(plan->r[i]))
            return false;
    return true;
}

static unsigned still_publishing(const struct plan *plan, bool say)
{
    unsigned n = 0;
    for (unsigned i = 0; i < plan->publishers; i++) {
        const struct publisher *p = plan->p[i];
        n += !publisher_is_idle(p);
        if (say && !publisher_is_idle(p))
            fprintf(stderr, "load: %s has no outcome, %s\n", publisher_name(p), publisher_why(p));
    }
    return n;
}

static unsigned still_reading(const struct plan *plan, bool say)
{
    unsigned n = 0;
    for (unsigned i = 0; i < plan->readers; i++) {
        n += !reader_is_drained(plan->r[i]);
        if (say && !reader_is_drained(plan->r[i]))
            fprintf(stderr, "load: %s is not drained\n", reader_name(plan->r[i]));
    }
    return n;
}

/* A line of standard input that begins with `word`; NULL at its end or while there is none. */
static bool has_order(char *line, size_t size, const char *word)
{
    size_t len = strlen(line);
    for (char c; len + 1 < size && read(STDIN_FILENO, &c, 1) == 1;) {
        line[len++] = c;
        line[len] = '\0';
        if (c == '\n')
            return strncmp(line, word, strlen(word)) == 0;
    }
    return false;
}

static bool drain(struct plan *plan)
{
    struct load *l = &plan->load;
    uint64_t end = clock_ns() + (uint64_t)plan->drain * SECOND;
    l->is_draining = true;
    while (still_publishing(plan, false) && l->now < end)
        turn(plan, true);
    if (still_publishing(plan, true))
        return false;
    snprintf(l->marker, sizeof l->marker, "%s.end", l->name);
    publisher_mark(plan->p[0]);
    while ((still_publishing(plan, false) || still_reading(plan, false)) && l->now < end)
        turn(plan, true);
    return still_reading(plan, true) == 0;
}

static bool judge(struct plan *plan, char *order)
{
    char *facts = strtok(order + strlen("judge "), " \n"), *out = strtok(NULL, " \n");
    struct history *h = plan->load.history;
    struct check_options o = {0};
    struct report r;
    struct fault why;
    if (!facts || !out || !history_read(h, facts, &why)) {
        fprintf(stderr, "load: %s\n", facts && out ? why.text : "judge FACTS OUT is wanted");
        return false;
    }
    history_sort(h);
    bool is_good = check_run(h, &o, &r);
    report_print(&r, h, stdout);
    FILE *to = is_good ? NULL : fopen(out, "w");
    if (to) {
        history_write(h, to);
        fclose(to);
    }
    return is_good;
}

static void say(const char *word)
{
    puts(word);
    fflush(stdout);
}

static bool run(struct plan *plan)
{
    char order[512] = "";
    while (!all_open(plan))
        turn(plan, false);
    say("ready");
    fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK);
    while (!has_order(order, sizeof order, "drain"))
        turn(plan, true);
    bool is_good = drain(plan);
    say(is_good ? "drained" : "not drained");
    fcntl(STDIN_FILENO, F_SETFL, 0);
    order[0] = '\0';
    return has_order(order, sizeof order, "judge ") && judge(plan, order) && is_good;
}

int main(int argc, char **argv)
{
    struct plan plan = {.load = {.mount = "/events", .name = "load"},
                        .publishers = 6,
                        .readers = READER_KINDS,
                        .batch = BATCH_SIZE,
                        .drain = DRAIN};
    const char *stats = NULL;
    if (!read_options(argc, argv, &plan, &stats) || !map_stats(&plan.load, stats)) {
        fprintf(stderr,
                "usage: load --port N --stats FILE [--mount PATH] [--name NAME]\n"
                "            [--publishers N] [--readers N] [--batch N] [--drain SECONDS]\n");
        return EXIT_FAILURE;
    }
    signal(SIGPIPE, SIG_IGN);
    plan.load.history = history_new();
    plan.load.random = clock_ns() | 1;
    plan.load.epoll = epoll_create1(EPOLL_CLOEXEC);
    make_all(&plan);
    bool is_good = run(&plan);
    free_all(&plan);
    return is_good ? EXIT_SUCCESS : EXIT_FAILURE;
}
