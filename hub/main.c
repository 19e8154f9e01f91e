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

static int give_up(const struct fault *why)
{
    log_error("start", kz("why", why->text), kz("code", refusal_code(why->code)));
    switch (why->code) {
    case REFUSE_CONFIG:
        return EX_CONFIG;
    case REFUSE_DISK_FULL:
        return EX_IOERR;
    default:
        return EX_OSERR;
    }
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
static int serve(struct hub *h, struct door *d, struct journal *j, struct fault *why)
{
    if (!door_open(d, why))
        return give_up(why);
    door_announce(d);
    notify_ready();
    door_loop(d, h, j, &stop);
    if (j->ops->is_broken(j)) {
        log_error("journal", kz("why", "the outcome of a write is unknown: a new start finds out"));
        return EX_IOERR;
    }
    log_info("stopped", kz("clean", hub_is_stopped(h) ? "yes" : "no"));
    return EX_OK;
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
    int code;
    if (j) {
        hub_start(h, j, &state, door_now());
        code = serve(h, d, j, why);
        j->ops->close(j);
    } else {
        code = give_up(why);
    }
    journal_state_fini(&state);
    hub_free(h);
    door_close(d);
    return code;
}

static int lock_and_run(const struct options *o)
{
    struct fault why = {0};
    if (!files_open(FILES_LEAST, &why))
        return give_up(&why);
    int data = lock_folder(o->data, &why), folder = -1;
    if (data >= 0)
        folder = lock_folder(o->run, &why);
    int code = folder >= 0 ? run(o, &why) : give_up(&why);
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
    if (!options_answer(&o, stdout, PROGRAM_HUB, usage))
        code = lock_and_run(&o);
    options_fini(&o);
    return code;
}
