#include "engine.h"

#include "base/json.h"

#include <stdlib.h>

enum { FIGURES_MAX = 256, FIGURE_NAME_MAX = 64 };

struct figure {
    Str name;
    uint64_t value;
    char bytes[];
};

void figures_init(struct figures *f)
{
    map_init(&f->by_name);
}

void figures_fini(struct figures *f)
{
    struct figure *figure;
    for (size_t at = 0; (figure = map_next(&f->by_name, &at));)
        free(figure);
    map_fini(&f->by_name);
}

static bool name_is_fine(Str name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.p[i];
        if (!((c >= 'a' && c <= 'z') || c == '_' || (i > 0 && c >= '0' && c <= '9')))
            return false;
    }
    return name.len > 0 && name.len <= FIGURE_NAME_MAX;
}

static struct figure *need(struct figures *f, Str name)
{
    struct figure *figure = map_get(&f->by_name, name);
    if (figure || f->by_name.len >= FIGURES_MAX || !name_is_fine(name))
        return figure;
    figure = must_alloc(sizeof *figure + name.len);
    memcpy(figure->bytes, name.p, name.len);
    figure->name = str_make(figure->bytes, name.len);
    map_put(&f->by_name, figure->name, figure);
    return figure;
}

void figures_take(struct figures *f, Str list)
{
    for (Str item; list_next(&list, &item);) {
        Str name;
        uint64_t value;
        if (!str_cut(&item, ' ', &name) || !str_to_u64(item, &value))
            continue;
        struct figure *figure = need(f, name);
        if (figure)
            figure->value = value;
    }
}

static bool is_total(Str name)
{
    return str_ends(name, STR("_total"));
}

static void add(struct figures *f, const struct figures *from, bool totals_only)
{
    const struct figure *figure;
    for (size_t at = 0; (figure = map_next(&from->by_name, &at));) {
        if (totals_only && !is_total(figure->name))
            continue;
        struct figure *sum = need(f, figure->name);
        if (sum)
            sum->value += figure->value;
    }
}

void figures_keep_totals(struct figures *f, const struct figures *gone)
{
    add(f, gone, true);
}

static const struct {
    const char *name, *help;
} table[] = {
#define COUNTER(NAME, name, help) {name, help},
#include "counters.def"
#undef COUNTER
};

static void print_one(struct buf *out, Str name, const char *prefix, uint64_t value)
{
    buf_printf(out, "# TYPE %s%.*s %s\n%s%.*s %llu\n", prefix, FMT(name),
               is_total(name) ? "counter" : "gauge", prefix, FMT(name), (unsigned long long)value);
}

static void print_gauges(const struct hub *h, struct buf *out)
{
    const struct {
        const char *name;
        uint64_t value;
    } gauges[] = {
        {"channels", h->channels.by_name.len},
        {"events", h->channels.events},
        {"bytes", h->channels.bytes},
        {"links", h->peers.by_id.len},
        {"clients", h->clients.by_name.len},
        {"queue", h->queue},
        {"queue_bytes", h->queue_bytes},
        {"head", h->through},
        {"writable", h->is_writable},
        {"users", h->clients.users.by_key.len},
        {"present_channels", h->presence.rooms.len},
        {"hook_waiting", h->hooks.notice_count},
        {"hook_questions", h->hooks.questions.len},
    };
    for (size_t i = 0; i < COUNT_OF(gauges); i++)
        print_one(out, str_of(gauges[i].name), "belfry_hub_", gauges[i].value);
}

bool metrics_print(const struct hub *h, struct buf *out)
{
    for (size_t i = 0; i < COUNTER_COUNT; i++) {
        buf_printf(out, "# HELP belfry_hub_%s %s\n", table[i].name, table[i].help);
        print_one(out, str_of(table[i].name), "belfry_hub_", h->counters[i]);
    }
    print_gauges(h, out);
    struct figures sum;
    figures_init(&sum);
    add(&sum, &h->retired, false);
    const struct peer *p;
    for (size_t at = 0; (p = map_next(&h->peers.by_id, &at));)
        add(&sum, &p->figures, false);
    const struct figure *figure;
    for (size_t at = 0; (figure = map_next(&sum.by_name, &at));)
        print_one(out, figure->name, "belfry_", figure->value);
    figures_fini(&sum);
    return !out->full;
}

bool metrics_put_json(const struct hub *h, struct buf *out)
{
    buf_putc(out, '{');
    for (size_t i = 0; i < COUNTER_COUNT; i++)
        buf_printf(out, "%s\"%s\":%llu", i ? "," : "", table[i].name,
                   (unsigned long long)h->counters[i]);
    return buf_putc(out, '}');
}
