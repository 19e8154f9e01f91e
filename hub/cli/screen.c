#include "cli/screen.h"

#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

void screen_open(struct screen *s)
{
    sigset_t set;
    *s = (struct screen){.is_terminal = isatty(STDOUT_FILENO)};
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    s->signals = signalfd(-1, &set, SFD_CLOEXEC);
    if (!s->is_terminal)
        return;
    if (tcgetattr(STDIN_FILENO, &s->before) == 0) {
        struct termios raw = s->before;
        raw.c_lflag &= (tcflag_t) ~(ICANON | ECHO);
        s->is_raw = tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
    }
    fputs("\033[?1049h\033[?25l", stdout); /* another page, no cursor */
}

void screen_close(struct screen *s)
{
    if (s->is_raw)
        tcsetattr(STDIN_FILENO, TCSANOW, &s->before);
    if (s->is_terminal)
        fputs("\033[?25h\033[?1049l", stdout);
    fflush(stdout);
    if (s->signals >= 0)
        close(s->signals);
}

void screen_begin(const struct screen *s)
{
    if (s->is_terminal)
        fputs("\033[H\033[2J", stdout);
}

void screen_size(const struct screen *s, size_t *rows, size_t *columns)
{
    struct winsize size = {0};
    bool is_known = s->is_terminal && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row;
    *rows = is_known ? size.ws_row : 24;
    *columns = is_known ? size.ws_col : 80;
}

bool screen_wait(struct screen *s, Msec until)
{
    fflush(stdout);
    for (;;) {
        Msec now = clock_mono();
        struct pollfd v[2] = {{s->signals, POLLIN, 0}, {s->is_raw ? STDIN_FILENO : -1, POLLIN, 0}};
        char key;
        if (now >= until)
            return false;
        if (poll(v, 2, (int)(until - now)) <= 0)
            continue;
        if (v[0].revents)
            return true;
        if (v[1].revents && (read(STDIN_FILENO, &key, 1) != 1 || key == 'q' || key == 'Q'))
            return true;
    }
}
