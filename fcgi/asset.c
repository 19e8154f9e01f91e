#include "assets.h"

#include "asset.h"

#include <assert.h>

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
        .body = str_make((const char *)file->bytes, file->len),
    };
    if (str_is_listed(request_var(v->request, "HTTP_IF_NONE_MATCH"), str_of(file->etag)))
        a = (struct answer){
            .status = 304, .title = "Not Modified", .cache = a.cache, .etag = a.etag};
    visit_answer(v, &a);
}
