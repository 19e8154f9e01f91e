/* The text of a belfry.conf: any bytes give options, or a fault that names the file. */
#include "base/options.h"
#include "wire/refusal.h"

#include <assert.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(struct options *o)
{
    struct retention r = options_retention(o, STR("room:lobby"));
    assert(o->max_event >= 1024 && o->max_event <= 1048576);
    assert(r.keep >= 1 && r.age >= 1000 && r.bytes >= 1024);
    assert(strlen(o->run) >= 1 && strlen(o->run) <= 90);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char program[] = "belfryd", config[64], *argv[] = {program, config};
    struct options o;
    struct fault why = {0};
    int fd = memfd_create("belfry.conf", MFD_CLOEXEC);
    assert(fd >= 0);
    ssize_t n = write(fd, data, size);
    assert(n == (ssize_t)size);
    snprintf(config, sizeof config, "--config=/proc/self/fd/%d", fd);
    if (options_load(&o, PROGRAM_HUB, 2, argv, &why)) {
        check(&o);
        options_fini(&o);
    } else
        assert(why.code == REFUSE_CONFIG && strstr(why.text, config + strlen("--config=")));
    close(fd);
    return 0;
}
