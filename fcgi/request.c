#include "request.h"

#include "record.h"
#include "scan.h"
#include "wire/refusal.h"

#include <errno.h>
#include <fcgiapp.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct request {
    Str body;
    char *body_memory;
    size_t count;
    Str vars[]; /* NAME=VALUE; their bytes follow */
};

struct request_parser {
    FCGX_Request fcgi;
    int memory; /* a memfd that the library reads a request from */
};

/* -1: no descriptor is left. */
static int memory_open(void)
{
    return memfd_create("belfry-request", MFD_CLOEXEC);
}

struct request_parser *request_parser_new(struct fault *why)
{
    int fd = memory_open();
    if (fd < 0) {
        fail(why, REFUSE_INTERNAL, "no memory file: %s", strerror(errno));
        return NULL;
    }
    struct request_parser *p = must_alloc(sizeof *p);
    if (FCGX_Init() != 0)
        memory_is_out();
    FCGX_InitRequest(&p->fcgi, -1, 0);
    p->memory = fd;
    return p;
}

void request_parser_free(struct request_parser *p)
{
    if (!p)
        return;
    close(p->memory);
    free(p);
}

/* The request as one peer would send it that knows how: what the real one sent was let through by
 * scan.h as pairs, its records never get here. */
static void put_records(struct buf *out, Str params)
{
    static const char zeros[RECORD_HEADER];
    const char begin[8] = {0, ROLE_RESPONDER, KEEP_CONN};
    record_put(out, RECORD_BEGIN, 1, str_make(begin, sizeof begin));
    record_put_all(out, RECORD_PARAMS, 1, params, RECORD_MAX);
    record_put(out, RECORD_PARAMS, 1, STR_NONE);
    record_put(out, RECORD_STDIN, 1, STR_NONE);
    /* What a longer one left behind it is never read: this is no record. */
    buf_put(out, str_make(zeros, sizeof zeros));
}

static bool fill_memory(int fd, Str params)
{
    struct buf records;
    buf_init(&records, PARAMS_MAX + 8 * RECORD_HEADER);
    put_records(&records, params);
    bool ok = !records.full && pwrite(fd, records.p, records.len, 0) == (ssize_t)records.len &&
              lseek(fd, 0, SEEK_SET) == 0;
    buf_fini(&records);
    return ok;
}

/* Copies the variables into one allocation. */
static struct request *copy_out(const Str *vars, size_t count)
{
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++)
        bytes += vars[i].len;
    struct request *r = must_alloc(sizeof *r + count * sizeof *vars + bytes);
    char *room = (char *)(r->vars + count);
    for (size_t i = 0; i < count; i++) {
        if (vars[i].len)
            memcpy(room, vars[i].p, vars[i].len);
        r->vars[i] = str_make(room, vars[i].len);
        room += vars[i].len;
    }
    r->count = count;
    return r;
}

static struct request *copy_vector(char *const *envp)
{
    size_t count = 0;
    while (envp[count])
        count++;
    Str *vars = must_alloc((count + 1) * sizeof *vars);
    for (size_t i = 0; i < count; i++)
        vars[i] = str_of(envp[i]);
    struct request *r = copy_out(vars, count);
    free(vars);
    return r;
}

static void take_body(struct request *r, struct buf *body)
{
    size_t len;
    r->body_memory = buf_take(body, &len);
    r->body = str_make(r->body_memory, len);
}

struct request *request_parse(struct request_parser *p, Str params, struct buf *body)
{
    if (p->memory < 0)
        p->memory = memory_open();
    if (!fill_memory(p->memory, params))
        return NULL;
    p->fcgi.ipcFd = p->memory;
    p->fcgi.keepConnection = 1;
    FCGX_Detach(&p->fcgi);
    if (FCGX_Accept_r(&p->fcgi) < 0) {
        p->memory = memory_open(); /* the library closed the old one */
        return NULL;
    }
    /* The end of PARAMS is reported as success even where it is an error. */
    struct request *r = FCGX_GetError(p->fcgi.in) ? NULL : copy_vector(p->fcgi.envp);
    p->fcgi.ipcFd = -1;
    FCGX_Free(&p->fcgi, 0);
    if (r)
        take_body(r, body);
    return r;
}

struct request *request_of_environment(Str environment, struct buf *body)
{
    size_t count = 0, most = 1;
    for (size_t i = 0; i < environment.len; i++)
        most += environment.p[i] == '\0';
    Str *vars = must_alloc(most * sizeof *vars);
    for (Str var; str_cut(&environment, '\0', &var);)
        vars[count++] = var;
    struct request *r = copy_out(vars, count);
    free(vars);
    take_body(r, body);
    return r;
}

void request_free(struct request *r)
{
    if (!r)
        return;
    free(r->body_memory);
    free(r);
}

Str request_var(const struct request *r, const char *name)
{
    size_t len = strlen(name);
    for (size_t i = r->count; i-- > 0;) {
        Str var = r->vars[i];
        if (var.len > len && var.p[len] == '=' && memcmp(var.p, name, len) == 0)
            return str_skip(var, len + 1);
    }
    return STR_NONE;
}

Str request_body(const struct request *r)
{
    return r->body;
}
