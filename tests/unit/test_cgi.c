#include "cgi.h"
#include "handover.h"
#include "pipe.h"
#include "scan.h"
#include "wire/refusal.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void a_web_server_says_that_it_is_cgi(void **state)
{
    (void)state;
    unsetenv("GATEWAY_INTERFACE");
    unsetenv("REQUEST_METHOD");
    assert_false(cgi_is_asked());
    setenv("GATEWAY_INTERFACE", "CGI/1.1", 1);
    assert_false(cgi_is_asked());
    setenv("REQUEST_METHOD", "GET", 1);
    assert_true(cgi_is_asked());
}

static void the_body_is_as_long_as_said(void **state)
{
    (void)state;
    size_t size;
    struct fault why;
    assert_true(cgi_body_size(STR_NONE, 100, &size, &why) && size == 0);
    assert_true(cgi_body_size(STR("100"), 100, &size, &why) && size == 100);
    assert_true(cgi_body_size(STR("-1"), 100, &size, &why) && size == SIZE_MAX);
    assert_false(cgi_body_size(STR("101"), 100, &size, &why));
    assert_int_equal(why.code, REFUSE_TOO_LARGE);
}

static void a_handover_has_bounded_lengths(void **state)
{
    (void)state;
    char head[HANDOVER_HEAD];
    size_t environment, body;
    Str bytes = str_make(head, sizeof head);
    handover_head_pack(head, 1000, 70000);
    assert_true(handover_head_unpack(bytes, 70000, &environment, &body));
    assert_int_equal(environment, 1000);
    assert_int_equal(body, 70000);
    assert_false(handover_head_unpack(bytes, 69999, &environment, &body));
    handover_head_pack(head, PARAMS_MAX + 1, 0);
    assert_false(handover_head_unpack(bytes, 70000, &environment, &body));
    assert_false(handover_head_unpack(str_make(head, 5), 70000, &environment, &body));
    head[0] = 'X';
    assert_false(handover_head_unpack(bytes, 70000, &environment, &body));
}

static size_t read_all(int fd)
{
    static char bytes[65536];
    size_t sum = 0;
    for (ssize_t n; (n = read(fd, bytes, sizeof bytes)) > 0;)
        sum += (size_t)n;
    return sum;
}

struct reader {
    bool is_writable, is_gone;
};

static void on_writable(void *owner)
{
    ((struct reader *)owner)->is_writable = true;
}

static void on_gone(void *owner)
{
    ((struct reader *)owner)->is_gone = true;
}

static const struct outlet_owner_ops owner_ops = {on_writable, on_gone, NULL};

struct scene {
    struct loop *loop;
    struct pipes pipes;
    struct reader reader;
    struct outlet *outlet;
    int far;
    size_t got; /* what the far end has read */
};

static bool stop(void *owner)
{
    struct scene *s = owner;
    if (!s->reader.is_gone)
        s->got += read_all(s->far);
    pipes_reap(&s->pipes);
    if (s->reader.is_gone || s->reader.is_writable || pipes_are_idle(&s->pipes))
        loop_stop(s->loop);
    return false;
}

static void begin_with(struct scene *s, int out, int far)
{
    *s = (struct scene){.loop = loop_new(NULL), .far = far};
    pipes_init(&s->pipes, s->loop);
    s->outlet = pipe_new(&s->pipes, out);
    s->outlet->owner_ops = &owner_ops;
    s->outlet->owner = &s->reader;
    loop_before_sleep(s->loop, stop, s);
}

static void begin(struct scene *s)
{
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    begin_with(s, ends[0], ends[1]);
}

static void end(struct scene *s)
{
    pipes_fini(&s->pipes);
    loop_free(s->loop);
}

static struct chunk *chunk_of(size_t size)
{
    struct buf b;
    buf_init(&b, size);
    memset(buf_room(&b, size), 'x', size);
    b.len = size;
    return chunk_take(&b);
}

static void a_pipe_that_nobody_reads_ends(void **state)
{
    (void)state;
    struct scene s;
    begin(&s);
    struct chunk *big = chunk_of(4 * 1024 * 1024);
    assert_false(s.outlet->ops->write(s.outlet, big));
    chunk_unref(big);
    s.outlet->ops->finish(s.outlet);
    Msec now = loop_now(s.loop);
    pipes_tick(&s.pipes, now + 999, 1000);
    assert_false(pipes_are_idle(&s.pipes));
    pipes_tick(&s.pipes, now + 1000, 1000);
    assert_true(pipes_are_idle(&s.pipes));
    assert_false(s.reader.is_gone);
    end(&s);
    close(s.far);
}

static void fill_and_read(struct scene *s)
{
    enum { MUCH = 4 * 1024 * 1024 };
    struct chunk *little = chunk_copy(STR("hello")), *much = chunk_of(MUCH);
    assert_true(s->outlet->ops->write(s->outlet, little));
    assert_int_equal(read_all(s->far), 5);
    assert_false(s->outlet->ops->write(s->outlet, much));
    s->got = 0;
    loop_run(s->loop);
    assert_true(s->reader.is_writable);
    s->got += read_all(s->far);
    assert_int_equal(s->got, MUCH);
    s->outlet->ops->finish(s->outlet);
    assert_true(pipes_are_idle(&s->pipes));
    end(s);
    close(s->far);
    chunk_unref(little);
    chunk_unref(much);
}

static void a_pipe_tells_when_there_is_room_again(void **state)
{
    (void)state;
    struct scene s;
    begin(&s);
    fill_and_read(&s);
}

/* As web servers make it: send(2) cannot be asked of it, and write(2) would sleep. */
static void a_pipe_that_is_no_socket_does_so_too(void **state)
{
    (void)state;
    struct scene s;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    begin_with(&s, ends[1], ends[0]);
    fill_and_read(&s);
}

static void a_reader_that_left_is_told(void **state)
{
    (void)state;
    struct scene s;
    begin(&s);
    assert_int_equal(shutdown(s.far, SHUT_RDWR), 0);
    loop_run(s.loop);
    assert_true(s.reader.is_gone);
    end(&s);
    close(s.far);
}

/* mod_cgid's sockets are so from the start. */
static void a_reader_that_only_says_nothing_stays(void **state)
{
    (void)state;
    struct scene s;
    struct chunk *c = chunk_copy(STR("hello"));
    begin(&s);
    shutdown(s.far, SHUT_WR);
    assert_true(s.outlet->ops->write(s.outlet, c));
    assert_int_equal(read_all(s.far), 5);
    assert_false(s.reader.is_gone);
    s.outlet->ops->finish(s.outlet);
    end(&s);
    close(s.far);
    chunk_unref(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_web_server_says_that_it_is_cgi),
        cmocka_unit_test(the_body_is_as_long_as_said),
        cmocka_unit_test(a_handover_has_bounded_lengths),
        cmocka_unit_test(a_pipe_that_nobody_reads_ends),
        cmocka_unit_test(a_pipe_tells_when_there_is_room_again),
        cmocka_unit_test(a_pipe_that_is_no_socket_does_so_too),
        cmocka_unit_test(a_reader_that_left_is_told),
        cmocka_unit_test(a_reader_that_only_says_nothing_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
