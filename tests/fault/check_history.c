/* check_history -- judges histories: `check-history [--no-closes] FILE...`. All files are one
 * history. Prints counts and the first violations with their lines; exit code 1 on any. */
#include "check.h"

#include <stdlib.h>

int main(int argc, char **argv)
{
    struct check_options o = {0};
    struct report r;
    struct fault why;
    struct history *h = history_new();
    bool is_read = true;
    for (int i = 1; i < argc && is_read; i++) {
        if (strcmp(argv[i], "--no-closes") == 0)
            o.no_closes = true;
        else
            is_read = history_read(h, argv[i], &why);
    }
    if (!is_read)
        fprintf(stderr, "check-history: %s\n", why.text);
    history_sort(h);
    bool is_good = is_read && check_run(h, &o, &r);
    if (is_read)
        report_print(&r, h, stdout);
    history_free(h);
    return is_good ? EXIT_SUCCESS : EXIT_FAILURE;
}
