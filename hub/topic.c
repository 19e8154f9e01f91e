#include "topic.h"

#include "base/memory.h"

#include <assert.h>
#include <stdlib.h>

void topics_init(struct topics *t)
{
    *t = (struct topics){0};
    map_init(&t->exact);
    map_init(&t->patterns);
}

void topics_fini(struct topics *t)
{
    assert(t->exact.len == 0 && t->patterns.len == 0);
    map_fini(&t->exact);
    map_fini(&t->patterns);
}

static Str prefix_of(Str pattern)
{
    return str_make(pattern.p, pattern.len - 1);
}

static struct topic *find(const struct topics *t, Str name)
{
    return is_pattern(name) ? map_get(&t->patterns, prefix_of(name)) : map_get(&t->exact, name);
}

static struct topic *make(struct topics *t, Str name)
{
    struct topic *made = must_alloc(sizeof *made + name.len);
    memcpy(made->bytes, name.p, name.len);
    made->name = str_make(made->bytes, name.len);
    if (is_pattern(name)) {
        map_put(&t->patterns, prefix_of(made->name), made);
        t->lengths[name.len - 1]++;
    } else {
        map_put(&t->exact, made->name, made);
    }
    return made;
}

static void unmake(struct topics *t, struct topic *gone)
{
    if (is_pattern(gone->name)) {
        map_del(&t->patterns, prefix_of(gone->name));
        t->lengths[gone->name.len - 1]--;
    } else {
        map_del(&t->exact, gone->name);
    }
    free(gone->subs);
    free(gone);
}

struct sub *topic_join(struct topics *t, struct peer *p, Str name)
{
    assert(name.len > 0 && name.len <= CHANNEL_MAX);
    struct topic *topic = find(t, name);
    if (!topic)
        topic = make(t, name);
    if (topic->n == topic->cap) {
        topic->cap = topic->cap ? topic->cap * 2 : 1;
        topic->subs = must_realloc(topic->subs, topic->cap * sizeof(struct sub *));
    }
    struct sub *s = must_alloc(sizeof *s);
    *s = (struct sub){.topic = topic, .peer = p, .at = topic->n};
    topic->subs[topic->n++] = s;
    return s;
}

void topic_leave(struct topics *t, struct sub *s)
{
    struct topic *topic = s->topic;
    struct sub *last = topic->subs[--topic->n];
    topic->subs[s->at] = last;
    last->at = s->at;
    free(s);
    if (topic->n == 0)
        unmake(t, topic);
}

size_t topics_match(const struct topics *t, Str channel, struct topic *out[TOPICS_MATCH])
{
    size_t n = 0;
    struct topic *topic = map_get(&t->exact, channel);
    if (topic)
        out[n++] = topic;
    for (size_t len = 0; len <= channel.len && len <= CHANNEL_MAX; len++) {
        if (t->lengths[len] == 0)
            continue;
        topic = map_get(&t->patterns, str_make(channel.p, len));
        if (topic && pattern_matches(topic->name, channel))
            out[n++] = topic;
    }
    return n;
}
