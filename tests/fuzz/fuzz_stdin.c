/* Standard input of `belfry pub --ndjson`: each line gives frames for publish.ipc whose options the
 * hub can read, or a reason. */
#include "base/json.h"
#include "cli/lines.h"
#include "cli/publish.h"
#include "wire/names.h"

#include <assert.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct room {
    struct buf channel, options;
};

static bool each(void *owner, const struct publish *p, struct fault *why)
{
    struct room *r = owner;
    Str frames[PUBLISH_FRAMES];
    size_t n = publish_frames(p, &r->channel, &r->options, frames);
    (void)why;
    assert(n >= 3 && n <= PUBLISH_FRAMES && channel_is_valid(frames[0], "channel", NULL));
    assert(n < 4 || json_check(frames[3], NULL));
    assert(!p->json || json_check(frames[2], NULL));
    return true;
}

static void take_line(struct room *r, Str line)
{
    struct fault why = {0};
    assert(line.len <= LINE_MAX_BYTES && str_find(line, '\n') == line.len);
    bool ok = publish_each(line, each, r, &why);
    assert(ok || (why.code && why.text[0]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lines in;
    struct room r;
    Str line;
    enum line what;
    int fd = memfd_create("stdin", MFD_CLOEXEC);
    assert(fd >= 0);
    bool ok = write(fd, data, size) == (ssize_t)size && lseek(fd, 0, SEEK_SET) == 0;
    assert(ok);
    buf_init(&r.channel, 65536);
    buf_init(&r.options, 65536);
    lines_init(&in, fd);
    while ((what = lines_next(&in, &line)) != LINE_END) {
        if (what == LINE_HERE)
            take_line(&r, line);
        if (what == LINE_NOT_YET) {
            ok = lines_read(&in);
            assert(ok);
        }
    }
    lines_fini(&in);
    buf_fini(&r.channel);
    buf_fini(&r.options);
    close(fd);
    return 0;
}
