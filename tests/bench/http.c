#include "http.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

void http_start(struct http *h)
{
    memset(h, 0, sizeof *h);
}

/* True when a line is whole: without its end, cut where it is long. */
static bool take_line(struct http *h, const char **at, const char *end)
{
    while (*at < end) {
        char c = *(*at)++;
        if (c == '\n') {
            h->line[h->line_len] = 0;
            h->line_len = 0;
            return true;
        }
        if (c != '\r' && h->line_len < sizeof h->line - 1)
            h->line[h->line_len++] = c;
    }
    return false;
}

static void end_head(struct http *h)
{
    if (h->is_chunked)
        h->phase = HTTP_SIZE;
    else if (h->has_length || h->status == 204 || h->status == 304)
        h->phase = h->left ? HTTP_DATA : HTTP_DONE;
    else
        h->phase = HTTP_REST;
}

static void take_head_line(struct http *h)
{
    static const char length[] = "Content-Length:", chunked[] = "Transfer-Encoding: chunked";
    if (!h->status) {
        const char *space = strchr(h->line, ' ');
        h->status = space ? atoi(space) : -1;
    } else if (!h->line[0]) {
        end_head(h);
    } else if (!strncasecmp(h->line, length, sizeof length - 1)) {
        h->has_length = true;
        h->left = strtoull(h->line + sizeof length - 1, NULL, 10);
    } else if (!strncasecmp(h->line, chunked, sizeof chunked - 1)) {
        h->is_chunked = true;
    }
}

static void take_frame_line(struct http *h)
{
    switch (h->phase) {
    case HTTP_HEAD:
        take_head_line(h);
        break;
    case HTTP_SIZE:
        h->left = strtoull(h->line, NULL, 16);
        h->phase = h->left ? HTTP_DATA : HTTP_TRAILER;
        break;
    case HTTP_END:
        h->phase = HTTP_SIZE;
        break;
    case HTTP_TRAILER:
        if (!h->line[0])
            h->phase = HTTP_DONE;
        break;
    case HTTP_DATA:
    case HTTP_REST:
    case HTTP_DONE:
        break;
    }
}

bool http_next(struct http *h, const char **at, const char *end, const char **body, size_t *len)
{
    while (h->phase != HTTP_DATA && h->phase != HTTP_REST) {
        if (h->phase == HTTP_DONE || !take_line(h, at, end))
            return false;
        take_frame_line(h);
    }
    if (*at == end)
        return false;
    *body = *at;
    *len = (size_t)(end - *at);
    if (h->phase == HTTP_REST) {
        *at = end;
        return true;
    }
    if (*len > h->left)
        *len = (size_t)h->left;
    *at += *len;
    h->left -= *len;
    if (!h->left)
        h->phase = h->is_chunked ? HTTP_END : HTTP_DONE;
    return true;
}
