#include "base/clock.h"
#include "base/memory.h"
#include "wire/refusal.h"
#include "wire/socket.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { PATIENCE_MS = 10000 };

static char folder[] = "/tmp/belfry-socket-XXXXXX";
static char endpoint[64];
static struct socket_context *context;
static const struct socket_limits unlimited = {.max_message = 1000000};

static struct socket *opened(enum socket_kind kind)
{
    struct fault why = {0};
    struct socket *s = socket_open(context, kind, unlimited, &why);
    assert_non_null(s);
    return s;
}

static struct socket *bound(enum socket_kind kind)
{
    struct socket *s = opened(kind);
    assert_true(socket_bind(s, endpoint, (int)getgid(), NULL));
    return s;
}

static struct socket *connected(enum socket_kind kind)
{
    struct socket *s = opened(kind);
    assert_true(socket_connect(s, endpoint, NULL));
    return s;
}

static void wait_for(struct socket *s, struct parcel *p)
{
    Msec until = clock_mono() + PATIENCE_MS;
    bool ready;
    while (!socket_receive(s, p)) {
        assert_true(clock_mono() < until);
        socket_wait(&s, 1, -1, 100, &ready, NULL);
    }
}

/* Until the peer is there. */
static void send_when_possible(struct socket *s, const Str *parts, size_t n)
{
    Msec until = clock_mono() + PATIENCE_MS;
    while (socket_send_strs(s, parts, n) != SOCKET_SENT) {
        assert_true(clock_mono() < until);
        socket_wait(NULL, 0, -1, 5, NULL, NULL);
    }
}

static void wait_for_change(struct socket *s, enum socket_change change)
{
    Msec until = clock_mono() + PATIENCE_MS;
    while (socket_next_change(s) != change) {
        assert_true(clock_mono() < until);
        socket_wait(NULL, 0, socket_watch_fd(s), 20, NULL, NULL);
    }
}

static bool says(const struct parcel *p, size_t i, Str text)
{
    return i < p->n && str_eq(frame_str(p->part[i]), text);
}

static void asks_and_is_answered(void **state)
{
    (void)state;
    struct socket *hub = bound(SOCKET_ROUTER), *worker = connected(SOCKET_DEALER);
    struct parcel got;
    send_when_possible(worker, (Str[]){STR("header"), STR("")}, 2);
    wait_for(hub, &got);
    assert_int_equal(got.n, 3);
    assert_true(says(&got, 1, STR("header")) && says(&got, 2, STR("")));
    Str answer[] = {frame_str(got.part[0]), STR("yes")};
    assert_int_equal(socket_send_strs(hub, answer, 2), SOCKET_SENT);
    parcel_fini(&got);
    wait_for(worker, &got);
    assert_true(got.n == 1 && says(&got, 0, STR("yes")));
    parcel_fini(&got);
    assert_false(socket_receive(worker, &got));
    assert_false(socket_is_readable(worker));
    assert_true(socket_fd(hub) >= 0);
    socket_close(worker);
    socket_close(hub);
}

static void one_body_is_shared_by_many_sends(void **state)
{
    (void)state;
    struct socket *hub = bound(SOCKET_ROUTER), *worker = connected(SOCKET_DEALER);
    struct parcel hello, got;
    struct buf b;
    buf_init(&b, 100000);
    for (int i = 0; i < 5000; i++)
        buf_putz(&b, "0123456789");
    struct frame *body = frame_take(&b), *small = frame_copy(STR("h"));
    assert_null(b.p);
    send_when_possible(worker, (Str[]){STR("hello")}, 1);
    wait_for(hub, &hello);
    struct frame *parts[] = {hello.part[0], small, body, hello.part[1]};
    for (int i = 0; i < 50; i++)
        assert_int_equal(socket_send(hub, parts, COUNT_OF(parts)), SOCKET_SENT);
    frame_unref(body);
    frame_unref(small);
    parcel_fini(&hello);
    for (int i = 0; i < 50; i++) {
        wait_for(worker, &got);
        assert_true(got.n == 3 && says(&got, 0, STR("h")) && says(&got, 2, STR("hello")));
        assert_int_equal(frame_str(got.part[1]).len, 50000);
        parcel_fini(&got);
    }
    socket_close(worker);
    socket_close(hub);
}

static void nobody_there_is_said_at_once(void **state)
{
    (void)state;
    struct socket *hub = bound(SOCKET_ROUTER);
    assert_int_equal(socket_send_strs(hub, (Str[]){STR("stranger"), STR("x")}, 2), SOCKET_GONE);
    struct frame *body =
        frame_copy(STR("0123456789012345678901234567890123456789012345678901234567890123456789"));
    struct frame *name = frame_copy(STR("stranger"));
    assert_int_equal(socket_send(hub, (struct frame *[]){name, body}, 2), SOCKET_GONE);
    frame_unref(name);
    frame_unref(body);
    socket_close(hub);
    struct socket *worker = opened(SOCKET_DEALER);
    assert_int_equal(socket_send_strs(worker, (Str[]){STR("x")}, 1), SOCKET_GONE);
    socket_close(worker);
}

static void coming_and_going_is_told(void **state)
{
    (void)state;
    struct socket *worker = opened(SOCKET_DEALER);
    assert_int_equal(socket_watch_fd(worker), -1);
    assert_int_equal(socket_next_change(worker), SOCKET_NO_CHANGE);
    assert_true(socket_watch(worker, NULL));
    assert_true(socket_connect(worker, endpoint, NULL));
    for (int i = 0; i < 2; i++) {
        struct socket *hub = bound(SOCKET_ROUTER);
        wait_for_change(worker, SOCKET_CONNECTED);
        socket_close(hub);
        wait_for_change(worker, SOCKET_DISCONNECTED);
    }
    socket_close(worker);
}

static void more_parts_than_wanted_are_counted_and_dropped(void **state)
{
    (void)state;
    struct socket *hub = bound(SOCKET_PULL), *tool = connected(SOCKET_PUSH);
    struct parcel got;
    Str parts[SOCKET_PARTS] = {STR_NONE};
    send_when_possible(tool, parts, SOCKET_PARTS);
    wait_for(hub, &got);
    assert_int_equal(got.n, SOCKET_PARTS);
    parcel_fini(&got);
    struct socket *router = opened(SOCKET_ROUTER), *dealer = opened(SOCKET_DEALER);
    assert_true(socket_bind(router, "inproc://parts", -1, NULL));
    assert_true(socket_connect(dealer, "inproc://parts", NULL));
    send_when_possible(dealer, parts, SOCKET_PARTS);
    wait_for(router, &got);
    assert_int_equal(got.n, SOCKET_PARTS + 1);
    parcel_fini(&got);
    socket_close(dealer);
    socket_close(router);
    socket_close(tool);
    socket_close(hub);
}

static void wait_for_listener(struct socket *tap)
{
    Msec until = clock_mono() + PATIENCE_MS;
    bool ready;
    while (!socket_was_listened_to(tap, 100)) {
        assert_true(clock_mono() < until);
        socket_wait(&tap, 1, -1, 100, &ready, NULL);
    }
}

static void a_tap_sends_to_who_subscribed(void **state)
{
    (void)state;
    struct socket *tap = bound(SOCKET_XPUB), *reader = connected(SOCKET_SUB);
    struct parcel got;
    assert_false(socket_was_listened_to(tap, 100));
    assert_true(socket_subscribe(reader, STR("news")));
    wait_for_listener(tap);
    assert_int_equal(socket_send_strs(tap, (Str[]){STR("weather"), STR("1")}, 2), SOCKET_SENT);
    assert_int_equal(socket_send_strs(tap, (Str[]){STR("news"), STR("2")}, 2), SOCKET_SENT);
    wait_for(reader, &got);
    assert_true(says(&got, 0, STR("news")) && says(&got, 1, STR("2")));
    parcel_fini(&got);
    socket_close(reader);
    socket_close(tap);
}

/* As any program may that speaks ZeroMQ; the library takes back nothing that it did not ask for. */
static int subscriber_by_hand(void)
{
    static const char greeting[64] = "\xff\0\0\0\0\0\0\0\0\x7f\3\0NULL",
                      ready[] = "\4\31\5READY\13Socket-Type\0\0\0\3SUB";
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    snprintf(at.sun_path, sizeof at.sun_path, "%s", endpoint + strlen("ipc://"));
    assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(write(fd, greeting, sizeof greeting), sizeof greeting);
    assert_int_equal(write(fd, ready, sizeof ready - 1), sizeof ready - 1);
    char theirs[sizeof greeting + sizeof ready]; /* XPUB is a letter longer */
    assert_int_equal(recv(fd, theirs, sizeof theirs, MSG_WAITALL), sizeof theirs);
    return fd;
}

static void send_by_hand(int fd, Str bytes)
{
    assert_int_equal(write(fd, bytes.p, bytes.len), bytes.len);
}

static void wait_for_part(struct socket *tap)
{
    bool ready = false;
    assert_true(socket_wait(&tap, 1, -1, PATIENCE_MS, &ready, NULL) && ready);
}

static void nobody_silences_the_tap_for_others(void **state)
{
    (void)state;
    const Str said[] = {
        STR("\0\6\2hello"), /* nothing that the tap knows */
        STR("\0\0"),
        STR("\0\5\0news"), /* what another wants is not wanted */
        STR("\0\6\0never"),
    };
    struct socket *tap = bound(SOCKET_XPUB), *reader = connected(SOCKET_SUB);
    struct parcel got;
    assert_true(socket_subscribe(reader, STR("news")));
    wait_for_listener(tap);
    int bad = subscriber_by_hand();
    for (size_t i = 0; i < COUNT_OF(said); i++) {
        send_by_hand(bad, said[i]);
        wait_for_part(tap);
        assert_true(socket_was_listened_to(tap, 1));
    }
    assert_int_equal(socket_send_strs(tap, (Str[]){STR("news"), STR("1")}, 2), SOCKET_SENT);
    wait_for(reader, &got);
    assert_true(says(&got, 1, STR("1")));
    parcel_fini(&got);
    close(bad);
    socket_close(reader);
    socket_close(tap);
}

static void a_subscription_behind_another_part_is_seen(void **state)
{
    (void)state;
    struct socket *tap = bound(SOCKET_XPUB);
    int odd = subscriber_by_hand();
    send_by_hand(odd, STR("\1\2\2x\0\5\1news"));
    wait_for_listener(tap);
    close(odd);
    socket_close(tap);
}

static void a_message_too_large_cuts_its_sender_off(void **state)
{
    (void)state;
    struct fault why = {0};
    struct socket *hub =
        socket_open(context, SOCKET_PULL, (struct socket_limits){.max_message = 100}, &why);
    assert_true(hub && socket_bind(hub, endpoint, -1, NULL));
    struct socket *bad = opened(SOCKET_PUSH), *good = connected(SOCKET_PUSH);
    assert_true(socket_watch(bad, NULL) && socket_connect(bad, endpoint, NULL));
    wait_for_change(bad, SOCKET_CONNECTED);
    char large[101] = "";
    send_when_possible(bad, (Str[]){{large, sizeof large}}, 1);
    wait_for_change(bad, SOCKET_DISCONNECTED);
    struct parcel got;
    send_when_possible(good, (Str[]){{large, sizeof large - 1}}, 1);
    wait_for(hub, &got);
    assert_int_equal(frame_str(got.part[0]).len, 100);
    parcel_fini(&got);
    socket_close(good);
    socket_close(bad);
    socket_close(hub);
}

static void the_file_is_for_owner_and_group(void **state)
{
    (void)state;
    struct socket *hub = bound(SOCKET_ROUTER);
    struct stat file;
    assert_int_equal(stat(endpoint + strlen("ipc://"), &file), 0);
    assert_int_equal(file.st_mode & 0777, 0660);
    socket_close(hub);
}

static void wrong_endpoints_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "tcp://127.0.0.1:5555", "ipc://", "ipc://@abstract", "ipc://*", "udp://x", "", "/tmp/x"};
    struct socket *s = opened(SOCKET_ROUTER);
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct fault why = {0};
        assert_false(socket_bind(s, bad[i], -1, &why));
        assert_int_equal(why.code, REFUSE_CONFIG);
        assert_true(str_starts(str_of(why.text), STR("endpoint ")));
        assert_false(socket_connect(s, bad[i], &why));
    }
    struct fault why = {0};
    assert_false(socket_bind(s, "ipc:///nowhere/at/all.ipc", -1, &why));
    assert_int_equal(why.code, REFUSE_CONFIG);
    socket_close(s);
}

static void waiting_sees_sockets_and_descriptors(void **state)
{
    (void)state;
    struct socket *hub = bound(SOCKET_PULL), *tool = connected(SOCKET_PUSH);
    int ends[2];
    bool ready[1], fd_ready;
    assert_int_equal(pipe(ends), 0);
    assert_true(socket_wait(&hub, 1, ends[0], 0, ready, &fd_ready));
    assert_false(ready[0] || fd_ready);
    assert_int_equal(write(ends[1], "x", 1), 1);
    assert_true(socket_wait(&hub, 1, ends[0], PATIENCE_MS, ready, &fd_ready));
    assert_true(fd_ready);
    send_when_possible(tool, (Str[]){STR("x")}, 1);
    assert_true(socket_wait(&hub, 1, -1, PATIENCE_MS, ready, &fd_ready));
    assert_true(ready[0] && !fd_ready);
    assert_true(socket_is_readable(hub));
    close(ends[0]);
    close(ends[1]);
    socket_close(tool);
    socket_close(hub);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asks_and_is_answered),
        cmocka_unit_test(one_body_is_shared_by_many_sends),
        cmocka_unit_test(nobody_there_is_said_at_once),
        cmocka_unit_test(coming_and_going_is_told),
        cmocka_unit_test(more_parts_than_wanted_are_counted_and_dropped),
        cmocka_unit_test(a_tap_sends_to_who_subscribed),
        cmocka_unit_test(nobody_silences_the_tap_for_others),
        cmocka_unit_test(a_subscription_behind_another_part_is_seen),
        cmocka_unit_test(a_message_too_large_cuts_its_sender_off),
        cmocka_unit_test(the_file_is_for_owner_and_group),
        cmocka_unit_test(wrong_endpoints_are_refused),
        cmocka_unit_test(waiting_sees_sockets_and_descriptors),
    };
    if (!mkdtemp(folder))
        return 1;
    snprintf(endpoint, sizeof endpoint, "ipc://%s/test.ipc", folder);
    context = socket_context_new();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    socket_context_free(context);
    unlink(endpoint + strlen("ipc://"));
    rmdir(folder);
    return failed;
}
