/* belfryd -- the hub. */
#include "base/files.h"
#include "base/lockfile.h"
#include "base/log.h"
#include "base/notify.h"
#include "base/options.h"
#include "door.h"
#include "journal_sqlite.h"
#include "wire/refusal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sysexits.h>

enum { FILES_LEAST = 64 }; /* its own, the log's, and those of some peers */

static const char usage[] = "usage: belfryd [options]\n";
static volatile sig_atomic_t stop;

static void on_signal(int signal)
{
    (void)signal;
    stop = 1;
}

static void watch_signals(void)
{
    struct sigaction end = {.sa_handler = on_signal}, ignore = {.sa_handler = SIG_IGN};
    sigaction(SIGTERM, &end, NULL);
    sigaction(SIGINT, &end, NULL);
    sigaction(SIGPIPE, &ignore, NULL);
}

/* What a hub ends with that cannot go on, and what then is to be done. */
static const struct {
    int why, code;
    const char *advice;
} ends[] = {
    {REFUSE_CONFIG, EX_CONFIG, "change that, and start again"},
    {REFUSE_DISK_FULL, EX_IOERR, "make room, and start again"},
    {REFUSE_UNKNOWN_OUTCOME, EX_IOERR,
     "look at the disk; what was acknowledged is there when the log is opened again"},
    {REFUSE_DAMAGED, EX_DATAERR,
     "belfry check says more; belfry recover keeps what can be read; or put a backup in its place"},
};

/* The last line of the log. */
static int give_up(const char *what, const struct fault *why)
{
    size_t i = 0;
    while (i < COUNT_OF(ends) && ends[i].why != why->code)
        i++;
    log_error(what, kz("why", why->text), kz("code", refusal_code(why->code)),
              kz("advice", i < COUNT_OF(ends) ? ends[i].advice : ""));
    return i < COUNT_OF(ends) ? ends[i].code : EX_OSERR;
}

/* Makes the folder where it is missing, and locks it. */
static int lock_folder(const char *folder, struct fault *why)
{
    char path[512];
    if ((size_t)snprintf(path, sizeof path, "%s/belfryd.lock", folder) >= sizeof path) {
        fail(why, REFUSE_CONFIG, "%.100s...: too long", folder);
        return -1;
    }
    if (mkdir(folder, 0750) != 0 && errno != EEXIST) {
        fail(why, REFUSE_CONFIG, "%s: %s", folder, strerror(errno));
        return -1;
    }
    return lockfile_open(path, why);
}

/* Everything between the journal's opening and its closing. */
static bool serve(struct hub *h, struct door *d, struct journal *j, struct fault *why)
{
    if (!door_open(d, why))
        return false;
    door_announce(d);
    notify_ready();
    door_loop(d, h, j, &stop);
    return true;
}

static int run(const struct options *o, struct fault *why)
{
    char path[512];
    snprintf(path, sizeof path, "%s/journal.db", o->data);
    struct journal_sqlite_options where = {path, o->idempotency_age, o->idempotency_keys};
    struct journal_state state = {0};
    struct door *d = door_new(o);
    struct hub *h = hub_new(o, door_out(d));
    struct journal *j = journal_sqlite_open(&where, &state, hub_on_channel, h, why);
    bool is_open = j, good = false;
    if (j) {
        hub_start(h, j, &state, door_now());
        good = serve(h, d, j, why);
        good = journal_sqlite_close(j, why) && good;
    }
    if (good)
        log_info("stopped", kz("clean", hub_is_stopped(h) ? "yes" : "no"));
    journal_state_fini(&state);
    hub_free(h);
    door_close(d);
    return good ? EX_OK : give_up(is_open ? "journal" : "start", why);
}

static int check_and_run(const struct options *o)
{
    struct fault why = {0};
    if (!files_open(FILES_LEAST, &why) || !door_check(o, &why))
        return give_up("start", &why);
    if (o->check_config)
        return EX_OK;
    int data = lock_folder(o->data, &why), folder = -1;
    if (data >= 0)
        folder = lock_folder(o->run, &why);
    int code = folder >= 0 ? run(o, &why) : give_up("start", &why);
    lockfile_close(folder);
    lockfile_close(data);
    return code;
}

int main(int argc, char **argv)
{
    struct options o;
    struct fault why = {0};
    log_init("belfryd", LOG_LEVEL_INFO);
    if (!options_load(&o, PROGRAM_HUB, argc, argv, &why)) {
        log_error("options", kz("why", why.text));
        return EX_CONFIG;
    }
    log_init("belfryd", (enum log_level)o.log_level);
    watch_signals();
    int code = EX_OK;
    if (o.check_config || !options_answer(&o, stdout, PROGRAM_HUB, usage))
        code = check_and_run(&o);
    options_fini(&o);
    return code;
}
