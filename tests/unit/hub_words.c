#include "hub_words.h"

#include "wire/accounts.h"
#include "wire/event.h"
#include "wire/message.h"
#include "wire/refusal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void put_names(struct buf *out, Str list)
{
    Str name;
    for (bool first = true; list_next(&list, &name); first = false)
        buf_printf(out, "%s%.*s", first ? "" : ",", FMT(name));
}

static void put_event(struct buf *out, Str body)
{
    struct event e;
    assert_true(event_unpack(body, &e));
    buf_printf(out, "%llu:%.*s=%.*s", (unsigned long long)e.id.at, FMT(e.channel), FMT(e.data));
    if (e.to.len)
        buf_printf(out, "%s@%.*s", e.flags & EVENT_MISSED ? " missed" : "", FMT(e.to));
}

static void put_code(struct buf *out, int code)
{
    if (code)
        buf_printf(out, " %s", refusal_code(code));
}

static void put_gap(struct buf *out, int reason, Cursor oldest, Str missing)
{
    if (!reason)
        return;
    buf_printf(out, " gap=%s oldest=%llu missing=", gap_reason_name(reason),
               (unsigned long long)oldest.at);
    put_names(out, missing);
}

static void put_results(struct buf *out, const struct msg_published *m)
{
    Str rest = m->results;
    for (Str item; list_next(&rest, &item);) {
        struct msg_result r;
        assert_true(msg_result_unpack(item, &r));
        if (r.code)
            put_code(out, r.code);
        else
            buf_printf(out, " %llu+%u%s", (unsigned long long)r.first.at, r.n,
                       r.again ? " again" : "");
    }
}

static void put_opened(struct buf *out, Str body)
{
    struct msg_opened m;
    assert_true(msg_opened_unpack(body, &m));
    put_code(out, m.code);
    if (m.code)
        return;
    buf_printf(out, " join=%llu from=%llu", (unsigned long long)m.join.at,
               (unsigned long long)m.from.at);
    put_gap(out, m.reason, m.oldest, m.missing);
    if (!m.known)
        return;
    buf_putz(out, " known=");
    for (Str item; list_next(&m.channels, &item);) {
        struct msg_part p;
        assert_true(msg_part_unpack(item, &p));
        buf_printf(out, "%.*s%s;", FMT(p.channel), p.added ? "+" : "");
    }
}

static void put_rows(struct buf *out, Str body)
{
    struct msg_rows m;
    assert_true(msg_rows_unpack(body, &m));
    put_code(out, m.code);
    for (Str item; list_next(&m.rows, &item);) {
        buf_putc(out, ' ');
        put_event(out, item);
    }
    buf_printf(out, " next=%llu%s", (unsigned long long)m.next.at, m.more ? " more" : "");
    put_gap(out, m.reason, m.oldest, m.missing);
}

static void put_change(struct buf *out, int verb, Str body)
{
    struct msg_changed c;
    struct msg_add a;
    if (verb == VERB_CHANGED) {
        assert_true(msg_changed_unpack(body, &c));
        put_code(out, c.code);
        buf_printf(out, " at=%llu ", (unsigned long long)c.at.at);
        put_names(out, c.channels);
        return;
    }
    assert_true(msg_add_unpack(body, &a));
    buf_printf(out, " %.*s join=%llu from=%llu +", FMT(a.client), (unsigned long long)a.join.at,
               (unsigned long long)a.from.at);
    put_names(out, a.add);
    buf_putz(out, " -");
    put_names(out, a.remove);
}

static void put_welcome(struct buf *out, Str body)
{
    struct msg_welcome m;
    assert_true(msg_welcome_unpack(body, &m));
    buf_printf(out, " from=%llu", (unsigned long long)m.from.at);
    if (m.reason)
        buf_printf(out, " %s", gap_reason_name(m.reason));
    if (m.reason && m.fork.at != m.from.at)
        buf_printf(out, " fork=%llu", (unsigned long long)m.fork.at);
}

static void put_published(struct buf *out, Str body)
{
    struct msg_published m;
    assert_true(msg_published_unpack(body, &m));
    put_code(out, m.code);
    put_results(out, &m);
}

/* Nothing is what every link begins with. */
static void put_accounts(struct buf *out, Str body)
{
    struct msg_accounts m;
    struct msg_account row;
    assert_true(msg_accounts_unpack(body, &m));
    for (Str item; list_next(&m.rows, &item);) {
        assert_true(msg_account_unpack(item, &row));
        buf_printf(out, " %s%s:%.*s/%.*s=%llu", row.gone ? "-" : "", account_kind_name(row.kind),
                   FMT(row.user), FMT(row.name), (unsigned long long)row.value);
    }
}

static void put_ticket(struct buf *out, int verb, Str body)
{
    struct msg_ticketed given;
    struct msg_redeemed m;
    if (verb == VERB_TICKETED) {
        assert_true(msg_ticketed_unpack(body, &given));
        put_code(out, given.code);
        return;
    }
    assert_true(msg_redeemed_unpack(body, &m));
    put_code(out, m.code);
    if (m.user.len)
        buf_printf(out, " %.*s", FMT(m.user));
}

/* a whole crowd +came ~changed -left =count */
static void put_presence(struct buf *out, Str body)
{
    struct msg_presence m;
    struct msg_person p;
    assert_true(msg_presence_unpack(body, &m));
    buf_printf(out, " %.*s%s%s", FMT(m.channel), m.whole ? " whole" : "", m.crowd ? " crowd" : "");
    for (Str item; list_next(&m.came, &item);) {
        assert_true(msg_person_unpack(item, &p));
        buf_printf(out, " %c%.*s", p.fresh ? '+' : '~', FMT(p.key));
    }
    for (Str key; list_next(&m.left, &key);)
        buf_printf(out, " -%.*s", FMT(key));
    buf_printf(out, " =%u", m.count);
}

/* code wishes user, and until when */
static void put_advised(struct buf *out, Str body)
{
    struct msg_advised m;
    assert_true(msg_advised_unpack(body, &m));
    put_code(out, m.code);
    buf_putc(out, ' ');
    put_names(out, m.wishes);
    if (m.user.len)
        buf_printf(out, " user=%.*s", FMT(m.user));
    if (m.until)
        buf_printf(out, " until=%llu", (unsigned long long)m.until);
}

void hub_words(struct buf *out, int verb, Str body)
{
    buf_putz(out, verb_name(verb));
    struct msg_gap gap;
    struct msg_kick kick;
    struct msg_reject reject;
    struct msg_beat beat;
    if (verb == VERB_EVENT) {
        buf_putc(out, ' ');
        put_event(out, body);
    } else if (verb == VERB_OPENED) {
        put_opened(out, body);
    } else if (verb == VERB_ROWS) {
        put_rows(out, body);
    } else if (verb == VERB_CHANGED || verb == VERB_ADD) {
        put_change(out, verb, body);
    } else if (verb == VERB_WELCOME) {
        put_welcome(out, body);
    } else if (verb == VERB_TICKETED || verb == VERB_REDEEMED) {
        put_ticket(out, verb, body);
    } else if (verb == VERB_KICK && msg_kick_unpack(body, &kick)) {
        buf_printf(out, " %.*s", FMT(kick.client.len ? kick.client : kick.user));
    } else if (verb == VERB_ACCOUNTS) {
        put_accounts(out, body);
    } else if (verb == VERB_PUBLISHED) {
        put_published(out, body);
    } else if (verb == VERB_PRESENCE) {
        put_presence(out, body);
    } else if (verb == VERB_ADVISED) {
        put_advised(out, body);
    } else if (verb == VERB_GAP && msg_gap_unpack(body, &gap)) {
        put_gap(out, gap.reason, gap.oldest, gap.channels);
        buf_putz(out, " floors=");
        put_names(out, gap.floors);
    } else if (verb == VERB_REJECT && msg_reject_unpack(body, &reject)) {
        put_code(out, reject.code);
    } else if (verb == VERB_BEAT && msg_beat_unpack(body, &beat)) {
        buf_printf(out, " through=%llu", (unsigned long long)beat.through.at);
    }
}
