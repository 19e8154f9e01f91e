#include "base/notify.h"
#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

/* A service manager's socket; a name that begins with @ is abstract. */
static int listen_at(const char *name)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    memcpy(a.sun_path, name, strlen(name));
    if (name[0] == '@')
        a.sun_path[0] = '\0';
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));
    assert_int_equal(bind(fd, (struct sockaddr *)&a, size), 0);
    setenv("NOTIFY_SOCKET", name, 1);
    return fd;
}

static void expect(int fd, const char *state)
{
    char text[64];
    ssize_t n = recv(fd, text, sizeof text - 1, 0);
    assert_true(n > 0);
    text[n] = '\0';
    assert_string_equal(text, state);
}

static void says_all(int fd)
{
    notify_ready();
    expect(fd, "READY=1");
    notify_watchdog();
    expect(fd, "WATCHDOG=1");
    notify_main_pid(4711);
    expect(fd, "MAINPID=4711\nREADY=1");
    notify_stopping();
    expect(fd, "STOPPING=1");
    close(fd);
    unsetenv("NOTIFY_SOCKET");
}

static void test_states_are_told(void **state)
{
    char name[64];
    (void)state;
    snprintf(name, sizeof name, "/tmp/belfry-notify-%d", (int)getpid());
    says_all(listen_at(name));
    unlink(name);
    snprintf(name, sizeof name, "@belfry-notify-%d", (int)getpid());
    says_all(listen_at(name));
}

static void test_nobody_listens(void **state)
{
    (void)state;
    unsetenv("NOTIFY_SOCKET");
    notify_ready();
    setenv("NOTIFY_SOCKET", "/nowhere/at/all", 1);
    notify_ready();
    setenv("NOTIFY_SOCKET", "relative", 1);
    notify_ready();
    unsetenv("NOTIFY_SOCKET");
}

static void test_the_watchdog_is_due_at_half_its_time(void **state)
{
    char pid[16];
    (void)state;
    unsetenv("WATCHDOG_USEC");
    assert_int_equal(notify_interval(), 0);
    setenv("WATCHDOG_USEC", "10000000", 1);
    assert_int_equal(notify_interval(), 5000);
    setenv("WATCHDOG_PID", "1", 1);
    assert_int_equal(notify_interval(), 0);
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    setenv("WATCHDOG_PID", pid, 1);
    assert_int_equal(notify_interval(), 5000);
    setenv("WATCHDOG_USEC", "soon", 1);
    assert_int_equal(notify_interval(), 0);
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_states_are_told),
        cmocka_unit_test(test_nobody_listens),
        cmocka_unit_test(test_the_watchdog_is_due_at_half_its_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
