/* pages -- prints what is made from the option table: a manual page by its name, or belfry.conf. */
#include "base/manual.h"

#include <string.h>

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "belfry.conf") == 0) {
        options_print_config(stdout);
        return 0;
    }
    if (argc == 2 && manual_print(stdout, argv[1]))
        return 0;
    fprintf(stderr, "usage: pages belfry.conf|belfryd.8|belfry-fcgi.8|belfry.1|belfry.conf.5\n");
    return 64;
}
