#include "verdict.h"

#include "tests/fault/check.h"
#include "world.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATIENCE = 120, SHOWN = 300000 }; /* seconds of its CPU, however busy the machine; facts */

/* Of the run that this process is. */
static struct verdict *shared;
static const struct schedule *running;
static bool is_aloud;

static void tell(struct world *w)
{
    shared->steps = w->steps;
    shared->hash = w->hash;
    shared->facts = history_len(w->history);
    shared->is_done = true;
}

static void print_actions(void)
{
    const struct setup *s = &running->setup;
    printf("%u workers, %u pages, %u channels, rings %llu and %llu, keep %llu, linger %llu\n",
           s->workers, s->pages, s->channels, (unsigned long long)s->hub_ring,
           (unsigned long long)s->worker_ring, (unsigned long long)s->keep,
           (unsigned long long)s->linger);
    for (size_t i = 0; i < running->n; i++)
        printf("%8llu ms  %s\n", (unsigned long long)running->actions[i].at,
               deed_name(running->actions[i].kind));
}

static void print_history(const struct history *h)
{
    size_t n = history_len(h), from = n > SHOWN ? n - SHOWN : 0;
    if (from)
        printf("... %zu facts before ...\n", from);
    for (size_t i = from; i < n; i++) {
        struct fact f;
        history_get(h, i, &f);
        fact_print(&f, stdout);
    }
}

_Noreturn static void end(struct world *w, const char *rule, const char *text)
{
    snprintf(shared->rule, sizeof shared->rule, "%s", rule);
    snprintf(shared->text, sizeof shared->text, "%s", text);
    tell(w);
    fflush(stdout);
    _exit(1);
}

void verdict_fail(struct world *w, const char *rule, const char *text)
{
    if (is_aloud) {
        print_actions();
        print_history(w->history);
    }
    end(w, rule, text);
}

void verdict_judged(struct world *w, const struct report *r)
{
    if (is_aloud) {
        print_actions();
        print_history(w->history);
        report_print(r, w->history, stdout);
    }
    end(w, rule_name(r->shown[0].rule), r->shown[0].text);
}

static void run(void)
{
    struct world *w = world_new(&running->setup);
    w->is_aloud = is_aloud;
    Msec start = w->mono;
    for (size_t i = 0; i < running->n; i++) {
        while (w->mono - start < running->actions[i].at)
            world_round(w);
        world_act(w, &running->actions[i]);
    }
    world_settle(w);
    world_judge(w);
    tell(w);
    world_free(w);
}

static void explain(struct verdict *v, int status)
{
    if (v->is_done && WIFEXITED(status) && (WEXITSTATUS(status) == 0 || v->rule[0]))
        return;
    snprintf(v->rule, sizeof v->rule, "%s",
             WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU ? "ends" : "does not crash");
    snprintf(v->text, sizeof v->text, "the run ended with status %d, signal %d",
             WIFEXITED(status) ? WEXITSTATUS(status) : 0,
             WIFSIGNALED(status) ? WTERMSIG(status) : 0);
}

struct verdict verdict_of(const struct schedule *s, bool aloud)
{
    struct verdict *page =
        mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED)
        abort();
    fflush(NULL);
    const struct rlimit patience = {PATIENCE, PATIENCE + 1};
    pid_t child = fork();
    if (child < 0)
        abort();
    if (!child) {
        shared = page;
        running = s;
        is_aloud = aloud;
        if (!aloud && !freopen("/dev/null", "w", stderr))
            abort();
        setrlimit(RLIMIT_CPU, &patience);
        run();
        exit(0); /* so that what leaked is noticed by a sanitizer */
    }
    int status = 0;
    if (waitpid(child, &status, 0) != child)
        abort();
    explain(page, status);
    struct verdict v = *page;
    munmap(page, sizeof *page);
    return v;
}
