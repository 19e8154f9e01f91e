/* belfry doctor -- whether streams flow through a web server, and what to change where not. */
#include "base/json.h"
#include "cli/command.h"
#include "cli/exam.h"
#include "cli/outcome.h"
#include "cli/table.h"

#include <stdio.h>

#define MOUNT_MAX     1024
#define FINDINGS_MAX  65536
#define DEFAULT_MOUNT "/events"

struct doctor {
    bool json;
};

static const struct flag flags[] = {
    {"json", FLAG_SWITCH, offsetof(struct doctor, json), NULL,
     "{\"url\",\"server\",\"ok\",\"checks\":[{\"check\",\"verdict\",\"detail\",\"fix\"}]}"},
};

struct report {
    struct exam *exam;
    struct buf json; /* the checks so far; unused where people read */
    bool is_json;
};

static void put_json(struct report *r, const struct finding *f, const char *fix)
{
    struct buf *b = &r->json;
    buf_putz(b, b->len ? ",{\"check\":" : "{\"check\":");
    json_put_str(b, str_of(f->check));
    buf_putz(b, ",\"verdict\":");
    json_put_str(b, str_of(verdict_name(f->verdict)));
    buf_putz(b, ",\"detail\":");
    json_put_str(b, str_of(f->detail));
    buf_putz(b, ",\"fix\":");
    if (fix[0])
        json_put_str(b, str_of(fix));
    else
        buf_putz(b, "null");
    buf_putc(b, '}');
}

static void on_found(void *ctx, const struct finding *f)
{
    struct report *r = ctx;
    const char *fix = remedy_for(remedy_server(exam_server(r->exam)), f->ill);
    if (r->is_json) {
        put_json(r, f, fix);
        return;
    }
    printf("%-4s  %-12s %s\n", verdict_name(f->verdict), f->check, f->detail);
    if (fix[0])
        printf("      %-12s %s\n", "", fix);
    fflush(stdout);
}

static void print_json(const char *mount, const struct report *r, bool ok)
{
    struct buf b;
    buf_init(&b, 2 * FINDINGS_MAX);
    buf_putz(&b, "{\"url\":");
    json_put_str(&b, str_of(mount));
    buf_putz(&b, ",\"server\":");
    json_put_str(&b, exam_server(r->exam));
    buf_printf(&b, ",\"ok\":%s,\"checks\":[", ok ? "true" : "false");
    buf_put(&b, buf_str(&r->json));
    buf_putz(&b, "]}\n");
    fwrite(b.p, 1, b.len, stdout);
    buf_fini(&b);
}

/* A bare host has the default mount; a slash at the end is let go. */
static bool read_mount(const char *url, char mount[MOUNT_MAX])
{
    const char *host = strncmp(url, "http://", 7) == 0    ? url + 7
                       : strncmp(url, "https://", 8) == 0 ? url + 8
                                                          : NULL;
    if (!host || !*host || strpbrk(host, "?# ") || strlen(url) + sizeof DEFAULT_MOUNT >= MOUNT_MAX)
        return false;
    snprintf(mount, MOUNT_MAX, "%s", url);
    size_t len = strlen(mount);
    if (mount[len - 1] == '/')
        mount[len - 1] = '\0';
    if (!strchr(mount + (host - url), '/'))
        snprintf(mount + strlen(mount), sizeof DEFAULT_MOUNT, "%s", DEFAULT_MOUNT);
    return true;
}

static int run(const struct options *o, const void *given, int operands, char **operand)
{
    const struct doctor *f = given;
    struct report r = {.is_json = f->json};
    char mount[MOUNT_MAX];
    (void)operands;
    if (!read_mount(operand[0], mount)) {
        outcome_note("\"%.60s\" is no http:// or https:// URL of a mount", operand[0]);
        return EX_USAGE;
    }
    buf_init(&r.json, FINDINGS_MAX);
    r.exam = exam_new(o, mount, (struct exam_out){&r, on_found});
    bool ok = exam_run(r.exam);
    Str server = exam_server(r.exam);
    if (f->json)
        print_json(mount, &r, ok);
    else
        printf("%.*s: %s\n", FMT(server.len ? server : STR("the web server")),
               ok ? "all is well" : "not well");
    exam_free(r.exam);
    buf_fini(&r.json);
    int code = outcome_of_stdout();
    return code ? code : !ok;
}

const struct command doctor_command = {
    .name = "doctor",
    .operands = "URL",
    .brief = "asks a running mount whether streams flow, and names the fix",
    .about =
        "Asks a running mount through its web server, as a browser would: does it answer, does a\n"
        "stream open at once, do events come at once or buffered, also where the server "
        "compresses,\n"
        "do heartbeats come, does the stream last, is a browser's leaving noticed. Takes ten to\n"
        "thirty seconds. What is wrong is said with the fix for that server (nginx, lighttpd,\n"
        "Apache, Caddy, h2o). Publishes three ephemeral events on a channel `doctor.` and a "
        "random\n"
        "name; where access over HTTP is closed, through publish.ipc to the first channel that\n"
        "every stream carries.\n"
        "Exit code 0: all is well; 1: something failed.",
    .examples = "  belfry doctor http://127.0.0.1:8080/events\n"
                "  belfry doctor https://push.example.org/events --json | jq '.checks[]'\n",
    .least = 1,
    .most = 1,
    .flags = FLAG_TABLE(flags),
    .size = sizeof(struct doctor),
    .run = run,
};
