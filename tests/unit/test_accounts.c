/* What is kept of users: the table itself, how the hub changes it, what streams make of it. */
#include "hub_bench.h"
#include "wire/accounts.h"

#include <stdlib.h>

/* ---- the merged decision, against a model that is as simple as can be ---- */

enum { USERS = 4, NAMES = 6, STEPS = 200000 };
static const char *const users[USERS] = {"", "ann", "bob", "eve"}; /* the first: every user */
static const char *const names_[NAMES] = {"room:1", "room:*", "news", "*", "user:ann", "user:*"};
static const char *const asked[] = {"room:1", "room:2", "news", "user:ann", "user:bob", "x"};
static const enum action actions[] = {MAY_SUBSCRIBE, MAY_PUBLISH, MAY_HISTORY, MAY_PRESENCE};

struct model {
    bool has[USERS][NAMES][ACTION_COUNT]; /* never HISTORY */
    uint64_t before[USERS];
    bool is_disabled[USERS], is_void[3];
};

static uint64_t dice_state = 1;

static unsigned dice(unsigned n)
{
    dice_state = dice_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(dice_state >> 33) % n;
}

static void put_row(struct accounts *a, struct msg_account row)
{
    struct buf list;
    buf_init(&list, 4096);
    account_put(&list, &row);
    accounts_take(a, buf_str(&list));
    buf_fini(&list);
}

static void change_grant(struct accounts *a, struct model *m)
{
    static const enum action kinds[] = {MAY_SUBSCRIBE, MAY_PUBLISH, MAY_PRESENCE};
    unsigned u = dice(USERS), n = dice(NAMES);
    uint64_t bits = 0;
    m->has[u][n][kinds[dice(3)]] ^= true;
    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        if (m->has[u][n][kinds[i]])
            bits |= UINT64_C(1) << kinds[i];
    put_row(a, (struct msg_account){.kind = ACCOUNT_GRANT,
                                    .user = str_of(users[u]),
                                    .name = str_of(names_[n]),
                                    .value = bits,
                                    .gone = bits == 0});
}

static void change_token(struct accounts *a, struct model *m)
{
    static const char *const ids[] = {"0", "1", "2"};
    unsigned u = dice(USERS), id = dice(3);
    if (dice(2)) {
        m->is_void[id] ^= true;
        put_row(a, (struct msg_account){.kind = ACCOUNT_ID,
                                        .user = STR(""),
                                        .name = str_of(ids[id]),
                                        .gone = !m->is_void[id]});
    } else if (u && dice(2)) {
        m->is_disabled[u] ^= true;
        put_row(a, (struct msg_account){.kind = ACCOUNT_USER,
                                        .user = str_of(users[u]),
                                        .name = STR(""),
                                        .value = m->is_disabled[u]});
    } else {
        m->before[u] = dice(4);
        put_row(a, (struct msg_account){.kind = ACCOUNT_BEFORE,
                                        .user = str_of(users[u]),
                                        .name = STR(""),
                                        .value = m->before[u],
                                        .gone = m->before[u] == 0});
    }
}

static bool model_may(const struct model *m, unsigned u, enum action action, const char *channel)
{
    Str name = str_of(channel);
    bool reads = action == MAY_SUBSCRIBE || action == MAY_HISTORY;
    if (reads && is_own_channel(str_of(users[u]), name))
        return true;
    for (unsigned who = 0; u && who <= u; who += u)
        for (unsigned n = 0; n < NAMES; n++)
            if (m->has[who][n][reads ? MAY_SUBSCRIBE : action] &&
                pattern_matches(str_of(names_[n]), name))
                return true;
    return false;
}

static void what_is_granted_is_what_was_granted_and_not_revoked(void **state)
{
    (void)state;
    struct accounts a;
    struct model m = {0};
    accounts_init(&a);
    for (int i = 0; i < STEPS; i++) {
        if (dice(2))
            change_grant(&a, &m);
        else
            change_token(&a, &m);
        unsigned u = dice(USERS), id = dice(3), issued = dice(4);
        struct rights r = {.access = ACCESS_GRANTED, .user = str_of(users[u])};
        const char *channel = asked[dice(COUNT_OF(asked))];
        enum action action = actions[dice(COUNT_OF(actions))];
        accounts_grant(&a, &r);
        assert_int_equal(may(&r, action, str_of(channel)), model_may(&m, u, action, channel));
        char token[3] = {ACCOUNT_JTI, (char)('0' + id)};
        bool good =
            !m.is_disabled[u] && issued >= m.before[u] && issued >= m.before[0] && !m.is_void[id];
        assert_int_equal(accounts_admit(&a, r.user, str_of(token), issued), !u || good);
    }
    accounts_fini(&a);
}

static void the_table_is_copied_in_pieces(void **state)
{
    (void)state;
    struct accounts a, copy;
    char name[16];
    size_t at = 0, pieces = 0;
    bool more = true;
    accounts_init(&a);
    accounts_init(&copy);
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "user%d", i);
        put_row(&a, (struct msg_account){ACCOUNT_USER, str_of(name), STR(""), 1, 5, 0});
    }
    for (; more; pieces++) {
        struct buf list;
        buf_init(&list, 1 << 20);
        more = accounts_put(&a, &at, 4096, &list);
        assert_true(list.len < 4096 + 256);
        accounts_take(&copy, buf_str(&list));
        buf_fini(&list);
    }
    assert_true(pieces > 5);
    assert_int_equal(copy.rows.len, 1000);
    assert_false(accounts_admit(&copy, STR("user999"), STR(""), 9));
    accounts_fini(&a);
    accounts_fini(&copy);
}

static void a_token_belongs_to_one_user(void **state)
{
    (void)state;
    struct accounts a;
    accounts_init(&a);
    put_row(&a, (struct msg_account){ACCOUNT_TOKEN, STR("ann"), STR("d1"), 0, 5, 0});
    put_row(&a, (struct msg_account){ACCOUNT_TOKEN, STR("bob"), STR("d1"), 0, 5, 0});
    assert_int_equal(a.rows.len, 1);
    const struct account *row = accounts_find(&a, ACCOUNT_TOKEN, STR_NONE, STR("d1"));
    assert_true(row && str_eq(row->user, STR("bob")));
    assert_true(accounts_admit(&a, STR("bob"), STR("~d1"), 5));
    assert_false(accounts_admit(&a, STR("bob"), STR("~d2"), 5));
    put_row(&a, (struct msg_account){ACCOUNT_TOKEN, STR("bob"), STR("d1"), 0, 5, 1});
    assert_false(accounts_admit(&a, STR("bob"), STR("~d1"), 5));
    assert_int_equal(a.holders.len, 0);
    accounts_fini(&a);
}

/* ---- the hub ---- */

static void a_change_is_kept_and_told_to_every_link(void **state)
{
    struct bench *b = *state;
    hello(b, "w1", 0, "news");
    expect(b, "w1", "WELCOME from=0");
    admin(b, "{\"do\":\"grant\",\"user\":\"ann\",\"right\":\"subscribe\",\"channel\":\"room:*\"}");
    expect(b, "admin", "{\"ok\":true}");
    expect(b, "w1", "ACCOUNTS grant:ann/room:*=1");
    admin(b, "{\"do\":\"grant\",\"user\":\"ann\",\"right\":\"publish\",\"channel\":\"room:*\"}");
    expect(b, "w1", "ACCOUNTS grant:ann/room:*=3");
    admin(b, "{\"do\":\"revoke\",\"user\":\"ann\",\"right\":\"subscribe\",\"channel\":\"room:*\"}");
    expect(b, "w1", "ACCOUNTS grant:ann/room:*=2");
    bench_restart(b, false);
    hello(b, "w2", 0, "");
    expect(b, "w2", "WELCOME from=0 | ACCOUNTS grant:ann/room:*=2");
    admin(b, "{\"do\":\"revoke\",\"user\":\"ann\",\"right\":\"publish\",\"channel\":\"room:*\"}");
    expect(b, "w2", "ACCOUNTS -grant:ann/room:*=0");
}

/* What the second one makes of the row depends on the first one. */
static void changes_that_come_together_are_all_kept(void **state)
{
    struct bench *b = *state;
    hello(b, "w1", 0, "");
    admin(b, "{\"do\":\"grant\",\"user\":\"ann\",\"right\":\"subscribe\",\"channel\":\"a\"}");
    admin(b, "{\"do\":\"grant\",\"user\":\"ann\",\"right\":\"publish\",\"channel\":\"a\"}");
    admin(b, "{\"do\":\"revoke\",\"user\":\"ann\",\"right\":\"subscribe\",\"channel\":\"a\"}");
    admin(b, "{\"do\":\"user\",\"user\":\"ann\",\"action\":\"del\"}");
    expect(b, "w1",
           "WELCOME from=0 | ACCOUNTS grant:ann/a=1 | ACCOUNTS grant:ann/a=3 | "
           "ACCOUNTS grant:ann/a=2 | ACCOUNTS -grant:ann/a=0");
    expect(b, "admin", "{\"ok\":true} | {\"ok\":true} | {\"ok\":true} | {\"ok\":true}");
}

static void who_is_disabled_neither_opens_nor_publishes(void **state)
{
    struct bench *b = *state;
    struct msg_send send = {.channels = names(b, "a"), .data = STR("x")};
    hello(b, "w1", 0, "");
    admin(b, "{\"do\":\"user\",\"user\":\"ann\",\"action\":\"add\"}");
    settle(b);
    admin(b, "{\"do\":\"user\",\"user\":\"ann\",\"action\":\"disable\"}");
    expect(b, "w1", "WELCOME from=0 | ACCOUNTS user:ann/=0 | ACCOUNTS user:ann/=1");
    open_with(b, "w1", (struct msg_open){.client = STR("0123456789abcdef"), .user = STR("ann")},
              "a");
    publish_sends(b, "w1", "ann", "", &send, 1);
    expect(b, "w1", "OPENED forbidden | PUBLISHED forbidden");
}

static void what_is_wrong_is_named(void **state)
{
    struct bench *b = *state;
    static const char *const questions[][2] = {
        {"{\"do\":\"user\",\"user\":\"a:b\",\"action\":\"add\"}", "wrong_field"},
        {"{\"do\":\"user\",\"user\":\"ann\",\"action\":\"rule\"}", "wrong_field"},
        {"{\"do\":\"user\",\"user\":\"ann\",\"action\":\"del\"}", "not_found"},
        {"{\"do\":\"user\",\"user\":\"*\",\"action\":\"add\"}", "wrong_field"},
        {"{\"do\":\"token\",\"user\":\"ann\",\"digest\":\"00\"}", "wrong_field"},
        {"{\"do\":\"grant\",\"user\":\"ann\",\"right\":\"history\",\"channel\":\"a\"}",
         "wrong_field"},
        {"{\"do\":\"grant\",\"user\":\"ann\",\"right\":\"publish\",\"channel\":\"a*b\"}",
         "wrong_field"},
        {"{\"do\":\"revoke\",\"id\":\"\"}", "wrong_field"},
        {"{\"do\":\"revoke\",\"user\":\"ann\",\"before\":-1}", "wrong_field"},
        {"{\"do\":\"kick\",\"name\":\"a:b\"}", "wrong_field"},
    };
    for (size_t i = 0; i < COUNT_OF(questions); i++) {
        admin(b, questions[i][0]);
        const char *said = heard(b, "admin");
        if (!strstr(said, questions[i][1]))
            fail_msg("%s: %s", questions[i][0], said);
    }
}

static void what_is_there_changes_at_the_limit_too(void **state)
{
    struct bench *b = *state;
    static const char *const questions[] = {
        "{\"do\":\"user\",\"user\":\"u0\",\"action\":\"disable\"}",
        "{\"do\":\"revoke\",\"user\":\"u0\",\"before\":9}",
        "{\"do\":\"revoke\",\"user\":\"u0\",\"right\":\"publish\",\"channel\":\"a\"}",
        "{\"do\":\"grant\",\"user\":\"u0\",\"right\":\"presence\",\"channel\":\"a\"}",
    };
    char add[100];
    bench_options(b, "--max_accounts=16", NULL);
    admin(b, "{\"do\":\"revoke\",\"user\":\"u0\",\"before\":5}");
    admin(b, "{\"do\":\"grant\",\"user\":\"u0\",\"right\":\"publish\",\"channel\":\"a\"}");
    admin(b, "{\"do\":\"grant\",\"user\":\"u0\",\"right\":\"subscribe\",\"channel\":\"a\"}");
    for (int i = 0; i < 14; i++) {
        snprintf(add, sizeof add, "{\"do\":\"user\",\"user\":\"u%d\",\"action\":\"add\"}", i);
        admin(b, add);
    }
    settle(b);
    assert_int_equal(b->hub->accounts.rows.len, 16);
    heard(b, "admin");
    for (size_t i = 0; i < COUNT_OF(questions); i++) {
        admin(b, questions[i]);
        expect(b, "admin", "{\"ok\":true}");
    }
    assert_false(accounts_admit(&b->hub->accounts, STR("u0"), STR(""), 10));
    admin(b, "{\"do\":\"revoke\",\"id\":\"7b1c\"}");
    assert_non_null(strstr(heard(b, "admin"), "max_accounts is 16"));
}

static void show(struct bench *b, const char *peer, uint64_t ref, const char *digest)
{
    struct buf body;
    buf_init(&body, 4096);
    msg_redeem_pack(&body, &(struct msg_redeem){ref, str_of(digest)});
    say(b, peer, VERB_REDEEM, &body);
}

static void give(struct bench *b, const char *peer, uint64_t ref, const char *digest,
                 const char *user)
{
    struct buf body;
    buf_init(&body, 4096);
    msg_ticket_pack(
        &body, &(struct msg_ticket){.ref = ref, .digest = str_of(digest), .user = str_of(user)});
    say(b, peer, VERB_TICKET, &body);
}

static void a_ticket_is_good_once_and_for_half_a_minute(void **state)
{
    struct bench *b = *state;
    hello(b, "w1", 0, "");
    hello(b, "w2", 0, "");
    heard(b, "w1");
    heard(b, "w2");
    give(b, "w1", 1, "d1", "ann");
    give(b, "w1", 2, "d1", "bob");
    give(b, "w1", 3, "", "bob");
    give(b, "w1", 4, "d2", "a:b");
    expect(b, "w1", "TICKETED | TICKETED conflict | TICKETED conflict | TICKETED wrong_field");
    show(b, "w2", 1, "d1");
    show(b, "w2", 2, "d1");
    show(b, "w1", 5, "");
    expect(b, "w2", "REDEEMED ann | REDEEMED invalid_token");
    expect(b, "w1", "REDEEMED invalid_token");
    give(b, "w1", 6, "d3", "ann");
    give(b, "w1", 7, "d4", "ann");
    for (int i = 0; i < 15; i++) {
        pulse(b, "w1");
        elapse(b, 2000);
        if (i == 13)
            show(b, "w1", 8, "d3");
    }
    show(b, "w1", 9, "d4");
    expect(b, "w1", "TICKETED | TICKETED | REDEEMED ann | REDEEMED invalid_token");
    assert_int_equal(b->hub->tickets.by_user.len, 0);
}

/* Who greets soon after may not have heard it. */
static void a_kick_is_said_again_to_who_greets_soon_after(void **state)
{
    struct bench *b = *state;
    hello(b, "w1", 0, "");
    heard(b, "w1");
    admin(b, "{\"do\":\"kick\",\"name\":\"ann\"}");
    admin(b, "{\"do\":\"kick\",\"name\":\"bob\"}");
    expect(b, "w1", "KICK ann | KICK bob");
    hello(b, "w2", 0, "");
    expect(b, "w2", "WELCOME from=0 | KICK ann | KICK bob");
    elapse(b, 2500);
    admin(b, "{\"do\":\"kick\",\"name\":\"eve\"}");
    elapse(b, 2500);
    hello(b, "w3", 0, "");
    expect(b, "w3", "WELCOME from=0 | KICK eve");
    elapse(b, 2500);
    hello(b, "w4", 0, "");
    expect(b, "w4", "WELCOME from=0");
    for (int i = 0; i < 5000; i++)
        admin(b, "{\"do\":\"kick\",\"name\":\"ann\"}");
    assert_true(b->hub->kicks.n < 5000);
}

static void who_cannot_be_told_of_a_kick_when_it_greets_is_gone(void **state)
{
    struct bench *b = *state;
    admin(b, "{\"do\":\"kick\",\"name\":\"ann\"}");
    b->cut_at = b->sends + 2; /* WELCOME and ACCOUNTS go out */
    hello(b, "w1", 0, "a");
    settle(b);
    b->cut_at = 0;
    assert_int_equal(b->hub->peers.by_id.len, 0);
    assert_int_equal(b->hub->topics.exact.len, 0);
}

/* As a worker does whose link broke: it cannot know that it was heard. */
static void a_ticket_that_is_said_again_is_the_same(void **state)
{
    struct bench *b = *state;
    hello(b, "w1", 0, "");
    heard(b, "w1");
    give(b, "w1", 1, "d1", "ann");
    give(b, "w1", 2, "d1", "ann");
    expect(b, "w1", "TICKETED | TICKETED");
    show(b, "w1", 3, "d1");
    show(b, "w1", 4, "d1");
    expect(b, "w1", "REDEEMED ann | REDEEMED invalid_token");
    assert_int_equal(b->hub->tickets.by_user.len, 0);
}

static void what_no_token_can_have_any_more_is_not_kept(void **state)
{
    struct bench *b = *state;
    bench_options(b, "--token_life=1d", NULL);
    hello(b, "w1", 0, "");
    admin(b, "{\"do\":\"user\",\"user\":\"ann\",\"action\":\"add\"}");
    admin(b, "{\"do\":\"revoke\",\"id\":\"7b1c\"}");
    settle(b);
    admin(b, "{\"do\":\"revoke\",\"user\":\"ann\",\"before\":5}");
    char question[256];
    snprintf(question, sizeof question,
             "{\"do\":\"token\",\"user\":\"ann\",\"digest\":\"%064d\",\"expires\":%llu}", 1,
             (unsigned long long)b->now.wall + 1000);
    admin(b, question);
    heard(b, "w1");
    const struct accounts *a = &b->hub->accounts;
    assert_int_equal(a->rows.len, 4);
    elapse(b, 600000);
    elapse(b, 86400000 - 600000);
    assert_int_equal(a->rows.len, 3);
    elapse(b, 600000);
    assert_int_equal(a->rows.len, 2); /* the user, and what was said of all tokens of before */
    hello(b, "w2", 0, "");
    const char *told = heard(b, "w2");
    assert_true(strstr(told, "user:ann") && strstr(told, "before:ann") && !strstr(told, "7b1c"));
    bench_restart(b, true);
    assert_int_equal(b->hub->accounts.rows.len, 2);
}

static void a_clock_that_is_ahead_for_a_while_ends_nothing(void **state)
{
    struct bench *b = *state;
    const Msec ahead = 400 * UINT64_C(86400000);
    char question[256];
    admin(b, "{\"do\":\"user\",\"user\":\"ann\",\"action\":\"add\"}");
    admin(b, "{\"do\":\"revoke\",\"id\":\"7b1c\"}");
    snprintf(question, sizeof question,
             "{\"do\":\"token\",\"user\":\"ann\",\"digest\":\"%064d\",\"expires\":%llu}", 1,
             (unsigned long long)b->now.wall + 86400000);
    admin(b, question);
    elapse(b, 600000);
    b->now.wall += ahead; /* while it runs, */
    elapse(b, 600000);
    bench_restart(b, true); /* and at boot */
    elapse(b, 600000);
    elapse(b, 11 * 3600000);
    b->now.wall -= ahead;
    elapse(b, 600000);
    elapse(b, 600000);
    bench_restart(b, true);
    const struct accounts *a = &b->hub->accounts;
    snprintf(question, sizeof question, "~%064d", 1);
    assert_false(accounts_admit(a, STR("ann"), STR("=7b1c"), b->now.wall));
    assert_true(accounts_admit(a, STR("ann"), str_of(question), b->now.wall));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_granted_is_what_was_granted_and_not_revoked),
        cmocka_unit_test(the_table_is_copied_in_pieces),
        cmocka_unit_test(a_token_belongs_to_one_user),
        BENCH(a_change_is_kept_and_told_to_every_link),
        BENCH(changes_that_come_together_are_all_kept),
        BENCH(who_is_disabled_neither_opens_nor_publishes),
        BENCH(what_is_wrong_is_named),
        BENCH(what_is_there_changes_at_the_limit_too),
        BENCH(what_no_token_can_have_any_more_is_not_kept),
        BENCH(a_clock_that_is_ahead_for_a_while_ends_nothing),
        BENCH(a_ticket_is_good_once_and_for_half_a_minute),
        BENCH(a_kick_is_said_again_to_who_greets_soon_after),
        BENCH(who_cannot_be_told_of_a_kick_when_it_greets_is_gone),
        BENCH(a_ticket_that_is_said_again_is_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
