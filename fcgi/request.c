#include "request.h"

#include "record.h"
#include "scan.h"
#include "wire/refusal.h"

#include <errno.h>
#include <fcgiapp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct request {
    Str body;
    char *body_memory;
    size_t count;
    Str vars[]; /* NAME=VALUE; their bytes follow */
};

/* A request as it is put for the library: four records beside those of the params, which may need
 * two. */
enum { MEMORY = PARAMS_MAX + 7 * RECORD_HEADER };

struct request_parser {
    FCGX_Request fcgi;
    int memory;  /* a memfd that the library reads a request from; -1: none */
    char *bytes; /* the same, mapped: filling it is no system call */
    struct buf records;
};

/* False: no descriptor is left. */
static bool memory_open(struct request_parser *p)
{
    p->memory = memfd_create("belfry-request", MFD_CLOEXEC);
    if (p->memory < 0)
        return false;
    if (ftruncate(p->memory, MEMORY) != 0)
        memory_is_out();
    p->bytes = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED, p->memory, 0);
    if (p->bytes == MAP_FAILED)
        memory_is_out();
    return true;
}

/* Its descriptor is closed. */
static void memory_forget(struct request_parser *p)
{
    munmap(p->bytes, MEMORY);
    p->memory = -1;
}

/* The library's own handlers would swallow a word that comes before its user's are there. */
static bool library_init(void)
{
    static const int taken[] = {SIGPIPE, SIGTERM, SIGUSR1};
    struct sigaction was[COUNT_OF(taken)];
    sigset_t set, before;
    sigemptyset(&set);
    for (size_t i = 0; i < COUNT_OF(taken); i++) {
        sigaddset(&set, taken[i]);
        sigaction(taken[i], NULL, &was[i]);
    }
    pthread_sigmask(SIG_BLOCK, &set, &before);
    bool ok = FCGX_Init() == 0;
    for (size_t i = 0; i < COUNT_OF(taken); i++)
        sigaction(taken[i], &was[i], NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return ok;
}

struct request_parser *request_parser_new(struct fault *why)
{
    struct request_parser *p = must_alloc(sizeof *p);
    if (!memory_open(p)) {
        fail(why, REFUSE_INTERNAL, "no memory file: %s", strerror(errno));
        free(p);
        return NULL;
    }
    if (!library_init())
        memory_is_out();
    FCGX_InitRequest(&p->fcgi, -1, 0);
    buf_init(&p->records, MEMORY);
    return p;
}

void request_parser_free(struct request_parser *p)
{
    if (!p)
        return;
    if (p->memory >= 0) {
        close(p->memory);
        memory_forget(p);
    }
    buf_fini(&p->records);
    free(p);
}

/* The request as one peer would send it that knows how: what the real one sent was let through by
 * scan.h as pairs, its records never get here. */
static void put_records(struct buf *out, Str params)
{
    const char begin[8] = {0, ROLE_RESPONDER, KEEP_CONN};
    record_put(out, RECORD_BEGIN, 1, str_make(begin, sizeof begin));
    record_put_all(out, RECORD_PARAMS, 1, params, RECORD_MAX);
    record_put(out, RECORD_PARAMS, 1, STR_NONE);
    record_put(out, RECORD_STDIN, 1, STR_NONE);
}

/* At the end of the file, so that nothing of an earlier request can be read behind it. */
static bool fill_memory(struct request_parser *p, Str params)
{
    struct buf *b = &p->records;
    buf_clear(b);
    put_records(b, params);
    off_t at = (off_t)(MEMORY - b->len);
    memcpy(p->bytes + at, b->p, b->len);
    return !b->full && lseek(p->memory, at, SEEK_SET) == at;
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
    if ((p->memory < 0 && !memory_open(p)) || !fill_memory(p, params))
        return NULL;
    p->fcgi.ipcFd = p->memory;
    p->fcgi.keepConnection = 1;
    FCGX_Detach(&p->fcgi);
    if (FCGX_Accept_r(&p->fcgi) < 0) {
        memory_forget(p); /* the library closed it */
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
