#include "assets.h"

#include "asset.h"

#include <assert.h>

/* Pages run what is built in, talk to this site, and stand in no other site's frame. */
static const char guard[] =
    "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; connect-src 'self'; frame-src 'self'; frame-ancestors 'self'; "
    "base-uri 'none'; form-action 'none'\r\n";

const struct asset *asset_find(Str path)
{
    for (const struct asset *a = assets; a->path[0]; a++)
        if (str_eq(path, str_of(a->path)))
            return a;
    return NULL;
}

void asset_serve(struct visit *v)
{
    const struct asset *file = asset_find(buf_str(&v->name));
    assert(file); /* or the route had not led here */
    struct answer a = {
        .status = 200,
        .title = "OK",
        .type = file->type,
        .cache = "public, max-age=300",
        .etag = file->etag,
        .more = guard,
        .body = str_make((const char *)file->bytes, file->len),
    };
    if (str_is_listed(request_var(v->request, "HTTP_IF_NONE_MATCH"), str_of(file->etag)))
        a = (struct answer){
            .status = 304, .title = "Not Modified", .cache = a.cache, .etag = a.etag};
    visit_answer(v, &a);
}
