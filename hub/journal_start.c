#include "journal_start.h"

#include "base/hash.h"
#include "base/log.h"
#include "journal_accounts.h"
#include "wire/names.h"
#include "wire/refusal.h"

enum { NEWEST_EVENTS = 1000, ACCOUNTS_SINCE = 2 };

static bool read_ledger(struct start *s)
{
    if (!ledger_read(s->db, s->ledger))
        return db_is_ok(s->db) && db_damaged(s->db, "meta has no row");
    if (!ledger_is_sound(s->ledger))
        return db_damaged(s->db, "meta contradicts itself");
    return true;
}

/* Each of them is read to its last byte. */
static bool doubt_newest(struct start *s, uint64_t events)
{
    Statement *q = db_query(s->db, QUERY_DOUBTFUL_EVENT);
    bind_number(q, 1, events);
    bind_number(q, 2, s->ledger->head);
    bind_number(q, 3, s->ledger->time);
    if (db_row(s->db, q)) {
        unsigned long long at = column_number(q, 0);
        db_end(q);
        return db_damaged(s->db, "event %llu cannot be", at);
    }
    return db_is_ok(s->db);
}

static bool is_name(Str name)
{
    if (!name.len || name.len > CHANNEL_MAX)
        return false;
    for (size_t i = 0; i < name.len; i++)
        if ((unsigned char)name.p[i] < ' ')
            return false;
    return true;
}

static bool is_sound(const struct journal_channel *c, const struct ledger *l)
{
    return c->row > 0 && c->row < NUMBER_MOST && is_name(c->name) && c->last <= l->head &&
           c->floor <= l->floor && c->count <= l->head && c->bytes < NUMBER_MOST;
}

static uint64_t mark(Str name, uint64_t row)
{
    return hash64(name, (HashKey){row, ~row});
}

/* The index of the names, which replays go by, says the same as the table. */
static bool doubt_names(struct db *db, uint64_t marks)
{
    Statement *q = db_query(db, QUERY_CHANNEL_NAMES);
    while (db_row(db, q))
        marks -= mark(column_text(q, 0), column_number(q, 1));
    return db_is_ok(db) && (!marks || db_damaged(db, "channel and its index differ"));
}

static bool list_channels(struct start *s)
{
    uint64_t marks = 0;
    Statement *q = db_query(s->db, QUERY_CHANNELS);
    while (db_row(s->db, q)) {
        struct journal_channel c = {
            .row = column_number(q, 0),
            .name = column_text(q, 1),
            .last = column_number(q, 2),
            .floor = column_number(q, 3),
            .count = column_number(q, 4),
            .bytes = column_number(q, 5),
            .oldest = column_number(q, 6),
        };
        if (!is_sound(&c, s->ledger)) {
            db_end(q);
            return db_damaged(s->db, "channel %llu cannot be", (unsigned long long)c.row);
        }
        s->bytes += c.bytes;
        marks += mark(c.name, c.row);
        s->on_channel(s->ctx, &c);
    }
    return doubt_names(s->db, marks);
}

static void open_epoch(struct start *s)
{
    struct ledger *l = s->ledger;
    bool is_fresh = !s->lineage->n && !l->head;
    lineage_add(s->lineage, is_fresh ? 0 : l->head + 1,
                l->restored ? "restored"
                : is_fresh  ? "fresh"
                            : "start");
    l->restored = false;
    l->counted = l->head;
}

void start_write(struct db *db, const struct lineage *lineage)
{
    db_do(db, QUERY_COUNT_REST);
    lineage_write_last(db, lineage);
}

static bool read_and_write(struct start *s)
{
    db_do(s->db, QUERY_BEGIN_WRITE);
    if (!read_ledger(s) || !lineage_read(s->db, s->lineage) || !doubt_newest(s, NEWEST_EVENTS))
        return false;
    open_epoch(s);
    start_write(s->db, s->lineage);
    ledger_write(s->db, s->ledger);
    return list_channels(s) && stored_accounts_read(s->db, &s->accounts);
}

static void ignore(void *ctx, const struct journal_channel *c)
{
    (void)ctx;
    (void)c;
}

bool start_is_possible(struct db *db)
{
    struct ledger ledger;
    struct lineage lineage = {0};
    struct start s = {.db = db, .on_channel = ignore, .ledger = &ledger, .lineage = &lineage};
    buf_init(&s.accounts, SIZE_MAX / 2);
    bool good =
        read_ledger(&s) && lineage_read(db, &lineage) && doubt_newest(&s, ledger.head) &&
        list_channels(&s) &&
        (db_number(db, QUERY_VERSION) < ACCOUNTS_SINCE || stored_accounts_read(db, &s.accounts));
    buf_fini(&s.accounts);
    lineage_fini(&lineage);
    return good;
}

bool start_run(struct start *s, struct fault *why)
{
    bool is_whole = read_and_write(s);
    s->is_written = is_whole && db_write_log_again(s->db) && db_do(s->db, QUERY_COMMIT);
    if (s->is_written)
        return true;
    db_fault(s->db, why);
    if (is_whole && why->code == REFUSE_INTERNAL)
        why->code = REFUSE_UNKNOWN_OUTCOME;
    db_rollback(s->db);
    if (!is_whole || why->code != REFUSE_DISK_FULL)
        return false;
    log_warn("journal_full", kz("detail", why->text));
    return true;
}
