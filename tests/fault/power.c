/* power -- power loss: the real journal runs on a disk (power_disk.h) of which images are made at
 * random calls, and each image is opened by the real code and compared with what was acknowledged.
 *
 * A life opens an image of the life before, works, and ends; whatever was acknowledged when an
 * image was made must be in it; what was under way may be there as a whole, up to some operation,
 * in order; nothing else is. So crash follows upon crash, also while a log is being opened or
 * closed. Lives are in step (each batch is waited for, and a seed repeats all calls) or run freely.
 */
#include "base/log.h"
#include "power_disk.h"
#include "power_log.h"

#include <assert.h>
#include <dirent.h>
#include <dlfcn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    SHOTS = 6,       /* images of one life */
    EPOCHS = 512,    /* lives on one disk, and as many openings of its images */
    LIVES = 20,      /* on one disk, then it is a new one */
    ROUNDS = 160,    /* of one life */
    UNDER_WAY = 300, /* deeds, in a free life */
    BACKUPS = 4,     /* of one life */
    FORCED = 8192,   /* a batch's pages, so many times, force a checkpoint */
    SHOWN = 10,      /* failures */
};

struct shot {
    char folder[256];
    size_t done, given, backups_done;
    bool is_open; /* the opening had come back */
};

struct life {
    struct log log;
    struct model base, given, taken;
    struct deed *deeds;
    size_t cap;
    _Atomic size_t deeds_given, deeds_done, backups_done;
    atomic_bool is_open;
    struct task *tasks; /* all, until the end */
    size_t out;         /* of them, under way */
    size_t backup_from[BACKUPS], backups;
    struct dice dice; /* of the images: they are made on any thread */
    _Atomic size_t more_shots, shot_count;
    struct shot shots[SHOTS + 1]; /* and what it has left itself */
    const char *folder;
};

static struct {
    char root[64];
    struct dice dice; /* of the maker of deeds */
    bool in_step;     /* on this disk */
    uint64_t bodies, seed;
    size_t disk, only_disk; /* 0: all */
    size_t images, wanted, lives, number, lost, events, deeds;
    bool keep;
    uint64_t epochs[EPOCHS]; /* names, as the last life has opened the log */
    size_t epoch_count, epochs_before;
} run;

/* ---- checkpoints more often: the journal hears of a bigger write-ahead log than there is ---- */

typedef int (*wal_hook)(void *ctx, void *handle, const char *name, int pages);
static struct {
    wal_hook hook;
    void *ctx;
} hooked[64];
static size_t hooked_next;
static _Atomic int swell = 1;

static int on_commit(void *slot, void *handle, const char *name, int pages)
{
    size_t i = (size_t)(uintptr_t)slot;
    return hooked[i].hook(hooked[i].ctx, handle, name, pages * atomic_load(&swell));
}

/* Not declared by any header here: this program knows of SQLite what its linker knows. */
void *sqlite3_wal_hook(void *handle, wal_hook hook, void *ctx);
void *sqlite3_wal_hook(void *handle, wal_hook hook, void *ctx)
{
    static void *(*real)(void *, wal_hook, void *);
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "sqlite3_wal_hook");
    size_t i = hooked_next++ % COUNT_OF(hooked);
    hooked[i].hook = hook;
    hooked[i].ctx = ctx;
    return real(handle, on_commit, (void *)(uintptr_t)i);
}

/* ---- failures and folders ---- */

static void lost(const char *where, const struct fault *why)
{
    run.lost++;
    if (run.lost <= SHOWN)
        printf("power: seed=%llu disk=%zu in_step=%d image=%s: %s\n", (unsigned long long)run.seed,
               run.disk, run.in_step, where, why->text);
    if (run.lost == SHOWN)
        printf("power: more of that is not shown\n");
}

static void remove_folder(const char *folder)
{
    char path[600];
    DIR *files = opendir(folder);
    if (!files)
        return;
    for (const struct dirent *e; (e = readdir(files));) {
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        if (e->d_type == DT_REG)
            unlink(path);
    }
    closedir(files);
    rmdir(folder);
}

static void end_folder(const char *folder, bool good)
{
    if (good || !run.keep)
        remove_folder(folder);
}

/* ---- images ---- */

static void aim(struct life *l, uint64_t most);

static void hit(void *ctx)
{
    struct life *l = ctx;
    struct shot *s = &l->shots[atomic_fetch_add(&l->shot_count, 1)];
    snprintf(s->folder, sizeof s->folder, "%s/image-%zu", run.root, run.number++);
    s->done = atomic_load(&l->deeds_done);
    s->given = atomic_load(&l->deeds_given);
    s->backups_done = atomic_load(&l->backups_done);
    s->is_open = atomic_load(&l->is_open);
    disk_image(s->folder, &l->dice);
    if (atomic_fetch_sub(&l->more_shots, 1) > 1)
        aim(l, 250);
}

static void aim(struct life *l, uint64_t most)
{
    disk_aim(dice_roll(&l->dice, dice_luck(&l->dice, 30) ? 12 : most), hit, l);
}

/* ---- judging an image ---- */

static bool epochs_are(const struct journal_state *s, size_t least, size_t most, struct fault *why)
{
    size_t n = s->epoch_count - 1;
    if (n < least || n > most)
        return fail(why, 0, "%zu epochs, %zu to %zu were opened", n, least, most);
    for (size_t i = 0; i < n; i++)
        if (s->epochs[i].name != run.epochs[i])
            return fail(why, 0, "epoch %zu is another one", i);
    return true;
}

/* Which state it is of, of those that it may be of: what was done and up to what was given. */
static bool resolve(struct log *log, struct life *l, size_t done, size_t given, struct model *m,
                    struct fault *why)
{
    *m = model_copy(&l->base);
    for (size_t i = 0; i < given; i++) {
        if (i >= done && log_looks_like(log, m))
            break;
        model_do(m, &l->deeds[i]);
    }
    return log_is(log, m, why);
}

/* A backup is there as a whole when it was acknowledged, and never half. */
static bool backup_is(struct life *l, const struct shot *s, size_t i, struct fault *why)
{
    char name[32], path[400];
    struct log log;
    struct model m;
    snprintf(name, sizeof name, "backup-%zu.db", i);
    snprintf(path, sizeof path, "%s/%s", s->folder, name);
    if (access(path, F_OK) != 0)
        return i >= s->backups_done || fail(why, 0, "a backup is gone");
    if (!log_begin(&log, s->folder, name, why))
        return false;
    bool good = resolve(&log, l, l->backup_from[i], s->given, &m, why) &&
                (strcmp(log.state.epochs[log.state.epoch_count - 1].reason, "restored") == 0 ||
                 fail(why, 0, "a backup does not say that it was restored"));
    model_fini(&m);
    log_end(&log);
    return good;
}

static bool backups_are(struct life *l, const struct shot *s, struct fault *why)
{
    for (size_t i = 0; i < l->backups; i++)
        if (!backup_is(l, s, i, why))
            return false;
    return true;
}

static bool can_go_on(struct log *log, struct model *m, struct fault *why)
{
    struct deed d = deed_append(m, &run.dice, &run.bodies);
    model_do(m, &d);
    struct task *t = task_of_deed(&d, 0);
    log_do(log, t);
    bool good = task_is_as(t, &d, why);
    task_free(t);
    return good;
}

static bool epochs_of_shot(const struct log *log, const struct shot *s, struct fault *why)
{
    return epochs_are(&log->state, s->is_open ? run.epoch_count : run.epochs_before,
                      run.epoch_count, why);
}

static void examine(struct life *l, const struct shot *s)
{
    struct log log;
    struct model m = {0};
    struct fault why = {0};
    bool good = backups_are(l, s, &why) && log_begin(&log, s->folder, "journal.db", &why);
    if (good) {
        good = epochs_of_shot(&log, s, &why) && resolve(&log, l, s->done, s->given, &m, &why) &&
               can_go_on(&log, &m, &why);
        run.events += m.n;
        model_fini(&m);
        log_end(&log);
    }
    if (!good)
        lost(s->folder, &why);
    run.images++;
    end_folder(s->folder, good);
}

/* ---- a life ---- */

static struct deed *next_deed(struct life *l)
{
    size_t n = atomic_load(&l->deeds_given);
    if (n == l->cap) {
        l->cap = l->cap ? 2 * l->cap : 256;
        l->deeds = must_realloc(l->deeds, l->cap * sizeof *l->deeds);
    }
    return &l->deeds[n];
}

static void put(struct life *l, struct task *t)
{
    t->next = l->tasks;
    l->tasks = t;
    l->out++;
    log_submit(&l->log, t);
}

static void give(struct life *l, struct deed d, struct task *note)
{
    size_t number = atomic_load(&l->deeds_given);
    model_do(&l->given, &d);
    *next_deed(l) = d;
    struct task *t = note ? note : task_of_deed(&d, number);
    atomic_fetch_add(&l->deeds_given, 1);
    put(l, t);
}

static void put_times(struct model *m, const struct append *a)
{
    size_t at = m->n;
    for (size_t i = a->event_count; i-- > 0;) {
        const struct event *e = a->events[i];
        while (e->id.at && at > 0 && m->events[at - 1].at >= e->id.at)
            if (m->events[--at].at == e->id.at)
                m->events[at].time = e->time;
    }
}

static void on_done(struct life *l, struct task *t)
{
    struct fault why = {0};
    l->out--;
    if (t->op.kind == OP_READ || t->op.kind == OP_CHECK || t->op.kind == OP_BACKUP) {
        if (t->op.why.code)
            lost("none", &t->op.why);
        if (t->op.kind == OP_BACKUP)
            atomic_fetch_add(&l->backups_done, 1);
        return;
    }
    struct deed *d = &l->deeds[t->deed];
    if (t->deed != atomic_load(&l->deeds_done))
        fail(&why, 0, "operations came back out of order");
    model_do(&l->taken, d);
    if (!task_is_as(t, d, &why) || why.text[0])
        lost("none", &why);
    if (d->kind == OP_APPEND)
        put_times(&l->taken, &t->append);
    atomic_fetch_add(&l->deeds_done, 1);
}

static void take(struct life *l, size_t most_left)
{
    l->log.j->ops->flush(l->log.j);
    while (l->out > most_left)
        on_done(l, (struct task *)(void *)log_wait(&l->log));
}

/* Whether a checkpoint comes after this batch is a matter of dice, not of chance; what is given
 * after it is done when the checkpoint is. */
static void do_in_step(struct life *l)
{
    bool checkpoint = dice_luck(&run.dice, 25);
    atomic_store(&swell, checkpoint ? FORCED : 0);
    take(l, 0);
    if (!checkpoint)
        return;
    atomic_store(&swell, 0);
    give(l, (struct deed){.kind = OP_FORGET}, NULL);
    take(l, 0);
}

static void do_round(struct life *l)
{
    struct dice *d = &run.dice;
    uint64_t what = dice_roll(d, 100);
    size_t appends = what < 70 ? dice_roll(d, 8) : what < 74 ? 60 + dice_roll(d, 150) : 0;
    for (size_t i = 0; i < appends; i++)
        give(l, deed_append(&l->given, d, &run.bodies), NULL);
    bool is_big = l->given.n > 1500;
    for (size_t i = what >= 60 || is_big ? dice_roll(d, is_big ? 12 : 4) : 0; i > 0; i--)
        give(l, deed_prune(&l->given, d, is_big), NULL);
    if (dice_luck(d, 10))
        give(l, (struct deed){.kind = OP_NOTE}, task_note(&l->taken, atomic_load(&l->deeds_given)));
    if (run.in_step)
        do_in_step(l); /* not beside a reader, which may be in a checkpoint's way */
    if (dice_luck(d, 10))
        put(l, task_read(dice_roll(d, l->given.head + 1), l->given.head, dice_luck(d, 50)));
    if (dice_luck(d, 3) && l->backups < BACKUPS && atomic_load(&l->backups_done) == l->backups) {
        l->backup_from[l->backups] = atomic_load(&l->deeds_done);
        put(l, task_backup(l->folder, l->backups++));
    }
    if (dice_luck(d, 5) && l->out == 0)
        give(l, deed_forget(&l->given), NULL);
    take(l, run.in_step ? 0 : dice_roll(d, UNDER_WAY));
}

static void work(struct life *l)
{
    struct dice *d = &run.dice;
    if (!run.in_step)
        atomic_store(&swell, 1 << dice_roll(d, 10));
    for (int i = 0; i < ROUNDS && l->more_shots; i++)
        do_round(l);
}

static void life_fini(struct life *l)
{
    for (struct task *t; (t = l->tasks);) {
        l->tasks = t->next;
        task_free(t);
    }
    free(l->deeds);
    model_fini(&l->base);
    model_fini(&l->given);
    model_fini(&l->taken);
    free(l);
}

/* Opens what the life before has left, and says which state that is. */
static bool begin(struct life *l, const struct shot *from, struct life *before)
{
    struct fault why = {0};
    bool good = log_begin(&l->log, from->folder, "journal.db", &why);
    if (good)
        atomic_store(&l->is_open, true);
    good = good && (!before || epochs_of_shot(&l->log, from, &why));
    if (good && before) {
        good = resolve(&l->log, before, from->done, from->given, &l->base, &why);
        run.events += l->base.n;
    }
    if (!good)
        lost(from->folder, &why);
    l->given = model_copy(&l->base);
    l->taken = model_copy(&l->base);
    run.epochs_before = l->log.state.epoch_count ? l->log.state.epoch_count - 1 : 0;
    run.epoch_count = l->log.state.epoch_count;
    for (size_t i = 0; i < run.epoch_count && i < EPOCHS; i++)
        run.epochs[i] = l->log.state.epochs[i].name;
    return good;
}

/* Only the log itself is left for the next life. */
static void tidy(const char *folder)
{
    char path[600];
    DIR *files = opendir(folder);
    assert(files);
    for (const struct dirent *e; (e = readdir(files));) {
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        if (e->d_type == DT_REG && strncmp(e->d_name, "journal.db", 10) != 0)
            unlink(path);
    }
    closedir(files);
}

/* Which image the next life begins with: one that was not looked at yet; or none was made, or the
 * log as this life has left it. */
static struct shot *pick(struct life *l, const char *left)
{
    struct shot *s = l->shot_count ? &l->shots[dice_roll(&run.dice, l->shot_count)] : NULL;
    if (s && dice_luck(&run.dice, 85))
        return s;
    s = &l->shots[SHOTS];
    *s = (struct shot){.done = atomic_load(&l->deeds_done),
                       .given = atomic_load(&l->deeds_given),
                       .backups_done = atomic_load(&l->backups_done),
                       .is_open = true};
    snprintf(s->folder, sizeof s->folder, "%s", left);
    return s;
}

/* Returns the life when the next one may go on from `next`. */
static struct life *live(struct life *before, struct shot *next)
{
    struct shot from = *next;
    struct fault why = {0};
    size_t lost_before = run.lost;
    struct life *l = must_alloc(sizeof *l);
    run.lives++;
    l->dice = dice_of(dice_draw(&run.dice));
    l->more_shots = 1 + dice_roll(&run.dice, SHOTS);
    l->folder = from.folder;
    disk_watch(from.folder);
    aim(l, 250);
    bool good = begin(l, &from, before);
    if (good)
        work(l);
    log_end(&l->log);
    disk_unwatch();
    run.deeds += atomic_load(&l->deeds_given);
    *next = *pick(l, from.folder);
    for (size_t i = 0; i < l->shot_count; i++)
        if (strcmp(l->shots[i].folder, next->folder) != 0)
            examine(l, &l->shots[i]);
    if (!backups_are(l, next, &why))
        lost(next->folder, &why);
    tidy(next->folder);
    good = run.lost == lost_before;
    if (strcmp(next->folder, from.folder) != 0)
        end_folder(from.folder, good);
    run.images++;
    if (good && run.lives % LIVES)
        return l;
    end_folder(next->folder, good);
    life_fini(l);
    return NULL;
}

static void new_disk(struct shot *s)
{
    *s = (struct shot){0};
    run.disk = run.only_disk ? run.only_disk : run.disk + 1;
    run.dice = dice_of(run.seed ^ run.disk << 32);
    dice_seed_programs(run.seed + run.disk);
    run.in_step = dice_luck(&run.dice, 60);
    run.lives = run.bodies = 0;
    snprintf(s->folder, sizeof s->folder, "%s/disk-%zu", run.root, run.number++);
    int made = mkdir(s->folder, 0750);
    assert(made == 0);
    run.epoch_count = run.epochs_before = 0;
}

static void run_lives(void)
{
    struct life *life = NULL;
    struct shot next;
    while (run.images < run.wanted && run.lost < SHOWN) {
        if (!life)
            new_disk(&next);
        struct life *after = live(life, &next);
        if (life)
            life_fini(life);
        life = after;
    }
    if (life) {
        life_fini(life);
        remove_folder(next.folder);
    }
}

static bool set(const char *name, const char *value)
{
    static const char *const lies[] = {"wal", "database", "folder"};
    if (strcmp(name, "--images") == 0)
        return (run.wanted = strtoull(value, NULL, 10)) > 0;
    if (strcmp(name, "--seed") == 0)
        return (run.seed = strtoull(value, NULL, 10)) > 0;
    if (strcmp(name, "--disk") == 0)
        return (run.only_disk = strtoull(value, NULL, 10)) > 0;
    for (unsigned i = 0; i < COUNT_OF(lies); i++)
        if (strcmp(name, "--lie") == 0 && strcmp(value, lies[i]) == 0) {
            disk_lie(1U << i);
            return true;
        }
    return false;
}

static bool arguments(int argc, char **argv)
{
    const char *seed = getenv("SEED");
    run.seed = seed ? strtoull(seed, NULL, 10) : clock_wall();
    run.wanted = 200;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--keep") == 0)
            run.keep = true;
        else if (i + 1 == argc || !set(argv[i], argv[i + 1]))
            return false;
        else
            i++;
    }
    return true;
}

int main(int argc, char **argv)
{
    if (!arguments(argc, argv)) {
        fputs("usage: power [--images 200] [--seed N] [--disk N] [--keep]\n"
              "             [--lie wal|database|folder]\n"
              "--seed and --disk, as a failure names them, repeat it where it was in_step;\n"
              "--keep leaves what was found wrong; --lie has the disk lie, and is to be noticed\n",
              stderr);
        return 64;
    }
    Msec began = clock_mono();
    log_init("power", LOG_LEVEL_ERROR);
    snprintf(run.root, sizeof run.root, "/dev/shm/belfry-power-XXXXXX");
    if (!mkdtemp(run.root))
        return 1;
    run_lives();
    rmdir(run.root);
    printf("power: images=%zu lost=%zu disks=%zu operations=%zu events=%zu calls=%llu ms=%llu "
           "seed=%llu\n",
           run.images, run.lost, run.disk, run.deeds, run.events, (unsigned long long)disk_calls(),
           (unsigned long long)(clock_mono() - began), (unsigned long long)run.seed);
    return run.lost ? 1 : 0;
}
