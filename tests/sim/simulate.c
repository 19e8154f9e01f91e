/* simulate -- runs simulated worlds, seed after seed, until the time is out, so many steps are
 * done, or one fails; that one is made as short as it goes, and told. */
#include "base/log.h"
#include "base/map.h"
#include "base/random.h"
#include "dice.h"
#include "shrink.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHRINK = 40, REPEATED = 20 };

struct wanted {
    uint64_t first, count, steps, seconds, shrink;
    bool is_aloud, goes_on;
};

struct done {
    uint64_t seeds, steps, facts, failed;
    Msec began;
};

static const char usage[] =
    "usage: simulate [--seed N] [--count N] [--steps N] [--seconds N] [--shrink SECONDS]\n"
    "                [--aloud] [--go-on]\n"
    "Runs the seeds from N on; of one that fails it prints the seed, the rule that is broken and\n"
    "the shortest history that breaks it.\n";

static bool read_number(const char *text, uint64_t *out)
{
    char *end;
    *out = strtoull(text, &end, 10);
    return *text && !*end;
}

static bool read_flags(struct wanted *w, int argc, char **argv)
{
    static const struct option flags[] = {
        {"seed", required_argument, NULL, 's'},   {"count", required_argument, NULL, 'c'},
        {"steps", required_argument, NULL, 'n'},  {"seconds", required_argument, NULL, 't'},
        {"shrink", required_argument, NULL, 'm'}, {"aloud", no_argument, NULL, 'a'},
        {"go-on", no_argument, NULL, 'g'},        {NULL, 0, NULL, 0}};
    *w = (struct wanted){.first = 1, .shrink = SHRINK};
    for (int c; (c = getopt_long(argc, argv, "", flags, NULL)) != -1;) {
        uint64_t *number = c == 's'   ? &w->first
                           : c == 'c' ? &w->count
                           : c == 'n' ? &w->steps
                           : c == 't' ? &w->seconds
                           : c == 'm' ? &w->shrink
                                      : NULL;
        if (number ? !read_number(optarg, number) : c != 'a' && c != 'g')
            return false;
        w->is_aloud |= c == 'a';
        w->goes_on |= c == 'g';
    }
    if (!w->count && !w->steps && !w->seconds)
        w->count = 1;
    return optind == argc;
}

static bool is_enough(const struct wanted *w, const struct done *d)
{
    return (w->count && d->seeds >= w->count) || (w->steps && d->steps >= w->steps) ||
           (w->seconds && clock_mono() - d->began >= w->seconds * 1000);
}

static void tell_failure(struct schedule *s, const struct verdict *v, uint64_t seconds)
{
    printf("seed %" PRIu64 ": broken: %s: %s\n", s->setup.seed, v->rule, v->text);
    fflush(stdout);
    if (!seconds)
        return;
    size_t before = s->n;
    shrink(s, v->rule, (unsigned)seconds);
    printf("with %zu of its %zu actions:\n", s->n, before);
    struct verdict again = verdict_of(s, true);
    printf("broken: %s: %s\n", again.rule, again.text);
    fflush(stdout);
}

/* Now and then: a seed that does not repeat itself is of no use. */
static void check_repeat(const struct schedule *s, struct verdict *v)
{
    if (v->rule[0] || s->setup.seed % REPEATED)
        return;
    struct verdict again = verdict_of(s, false);
    if (again.hash == v->hash && again.steps == v->steps)
        return;
    snprintf(v->rule, sizeof v->rule, "repeats itself");
    snprintf(v->text, sizeof v->text, "hash %016" PRIx64 ", then %016" PRIx64, v->hash, again.hash);
}

static void run_seed(const struct wanted *w, struct done *d, uint64_t seed)
{
    struct schedule s;
    schedule_make(&s, seed);
    struct verdict v = verdict_of(&s, w->is_aloud);
    check_repeat(&s, &v);
    d->seeds++;
    d->steps += v.steps;
    d->facts += v.facts;
    if (w->count)
        printf("seed %" PRIu64 " steps %" PRIu64 " hash %016" PRIx64 "\n", seed, v.steps, v.hash);
    if (v.rule[0]) {
        d->failed++;
        tell_failure(&s, &v, w->shrink);
    }
    schedule_free(&s);
}

/* The key of all maps is drawn once in a process: here, so that it is the same for every seed. */
static void draw_map_key(void)
{
    struct map m;
    dice_seed_programs(1);
    map_init(&m);
    map_put(&m, STR("key"), &m);
    map_fini(&m);
}

int main(int argc, char **argv)
{
    struct wanted w;
    struct done d = {.began = clock_mono()};
    if (!read_flags(&w, argc, argv)) {
        fputs(usage, stderr);
        return 2;
    }
    log_init("simulate", LOG_LEVEL_INFO);
    draw_map_key();
    for (uint64_t seed = w.first; !is_enough(&w, &d) && (w.goes_on || !d.failed); seed++)
        run_seed(&w, &d, seed);
    Msec took = clock_mono() - d.began;
    printf("simulate: seeds=%" PRIu64 " steps=%" PRIu64 " facts=%" PRIu64 " ms=%" PRIu64
           " steps_per_second=%" PRIu64 " failed=%" PRIu64 "\n",
           d.seeds, d.steps, d.facts, took, took ? d.steps * 1000 / took : 0, d.failed);
    return d.failed ? 1 : 0;
}
