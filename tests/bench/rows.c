/* rows -- the floor of publishing: the same rows in the same tables, by SQLite alone.
 *
 *   rows FILE SCHEMA VERSION SECONDS|NNNrows [BATCH] [CHANNELS] [SIZE]
 *
 * Writes events in transactions of BATCH, spread over CHANNELS at random, and prints a line of
 * JSON. The file is a whole journal afterwards: the hub opens it. FULL, as the hub has it; with a
 * number of rows instead of seconds it is filled for another measurement, evenly, without waiting
 * for the disk. */
#include "payload.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct run {
    sqlite3 *db;
    sqlite3_stmt *add_event, *add_channel;
    char *is_known;
    uint64_t channels, random, rows, before;
    int size;
    long long wall;
};

static void die(struct run *run, const char *what)
{
    fprintf(stderr, "rows: %s: %s\n", what, run->db ? sqlite3_errmsg(run->db) : "");
    exit(1);
}

static void do_sql(struct run *run, const char *sql)
{
    if (sqlite3_exec(run->db, sql, NULL, NULL, NULL) != SQLITE_OK)
        die(run, sql);
}

static sqlite3_stmt *prepare(struct run *run, const char *sql)
{
    sqlite3_stmt *s;
    if (sqlite3_prepare_v2(run->db, sql, -1, &s, NULL) != SQLITE_OK)
        die(run, sql);
    return s;
}

static void step(struct run *run, sqlite3_stmt *s)
{
    if (sqlite3_step(s) != SQLITE_DONE)
        die(run, "step");
    sqlite3_reset(s);
}

static void read_schema(struct run *run, const char *path, int version)
{
    FILE *f = fopen(path, "r");
    char *text = calloc(1, 65536);
    if (!f || !text || !fread(text, 1, 65535, f))
        die(run, path);
    fclose(f);
    do_sql(run, text);
    snprintf(text, 64, "PRAGMA user_version = %d", version);
    do_sql(run, text);
    do_sql(run, "INSERT INTO epoch VALUES (1, 'benchlog', 1, 1, 'fresh')");
    free(text);
}

static uint64_t count(struct run *run, const char *sql)
{
    sqlite3_stmt *s = prepare(run, sql);
    sqlite3_step(s);
    uint64_t n = (uint64_t)sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    return n;
}

static void open_file(struct run *run, const char *path, const char *schema, int version,
                      bool is_filled)
{
    if (sqlite3_open(path, &run->db) != SQLITE_OK)
        die(run, path);
    do_sql(run, is_filled ? "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF"
                          : "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
    do_sql(run, "PRAGMA wal_autocheckpoint = 8192; PRAGMA cache_size = -32768"); /* the hub's */
    if (count(run, "SELECT count(*) FROM sqlite_schema") == 0)
        read_schema(run, schema, version);
    run->rows = run->before = count(run, "SELECT head FROM meta");
    memset(run->is_known, run->before > 0, (size_t)run->channels);
    run->add_event = prepare(run, "INSERT INTO event (position, channel, time, size, flags, data)"
                                  " VALUES (?1, ?2, ?3, ?4, 0, ?5)");
    run->add_channel = prepare(run, "INSERT INTO channel (row, name) VALUES (?1, 'bench:' || ?2)");
}

static uint64_t draw(struct run *run)
{
    run->random ^= run->random << 13;
    run->random ^= run->random >> 7;
    run->random ^= run->random << 17;
    return run->random;
}

static void add_row(struct run *run, bool is_even)
{
    char data[PAYLOAD_MAX];
    uint64_t channel = (is_even ? run->rows : draw(run)) % run->channels;
    if (!run->is_known[channel]) {
        run->is_known[channel] = 1;
        sqlite3_bind_int64(run->add_channel, 1, (sqlite3_int64)channel + 1);
        sqlite3_bind_int64(run->add_channel, 2, (sqlite3_int64)channel);
        step(run, run->add_channel);
    }
    payload_put(data, (size_t)run->size, run->rows, clock_us());
    sqlite3_bind_int64(run->add_event, 1, (sqlite3_int64)++run->rows);
    sqlite3_bind_int64(run->add_event, 2, (sqlite3_int64)channel + 1);
    sqlite3_bind_int64(run->add_event, 3, run->wall);
    sqlite3_bind_int64(run->add_event, 4, run->size);
    sqlite3_bind_text(run->add_event, 5, data, run->size, SQLITE_STATIC);
    step(run, run->add_event);
}

/* What the hub notes when it stops. */
static void note(struct run *run)
{
    char sql[256];
    do_sql(run, "UPDATE channel SET count = e.n, bytes = e.b, last = e.p, oldest = e.t FROM (SELECT"
                " channel AS c, count(*) AS n, sum(size) AS b, max(position) AS p, min(time) AS t"
                " FROM event GROUP BY channel) AS e WHERE e.c = channel.row");
    snprintf(sql, sizeof sql, "UPDATE meta SET head = %llu, counted = %llu, time = %lld",
             (unsigned long long)run->rows, (unsigned long long)run->rows, run->wall);
    do_sql(run, sql);
}

int main(int argc, char **argv)
{
    static struct run run;
    if (argc < 5)
        return 64;
    char *rest;
    double amount = strtod(argv[4], &rest);
    bool is_filled = *rest != 0;
    uint64_t batch = argc > 5 ? strtoull(argv[5], NULL, 10) : 512;
    run.channels = argc > 6 ? strtoull(argv[6], NULL, 10) : 1;
    run.size = argc > 7 ? atoi(argv[7]) : 100;
    run.random = 88172645463325252u;
    run.wall = (long long)time(NULL) * 1000;
    run.is_known = calloc(1, (size_t)run.channels);
    if (!run.is_known || run.size < PAYLOAD_HEAD || run.size > PAYLOAD_MAX)
        return 64;
    open_file(&run, argv[1], argv[2], atoi(argv[3]), is_filled);
    uint64_t begin = clock_us(), until = begin + (uint64_t)(amount * 1e6);
    while (is_filled ? (double)run.rows < amount : clock_us() < until) {
        do_sql(&run, "BEGIN IMMEDIATE");
        for (uint64_t i = 0; i < batch; i++)
            add_row(&run, is_filled);
        do_sql(&run, "UPDATE meta SET head = head + 1, time = time + 1");
        do_sql(&run, "COMMIT");
    }
    double seconds = (double)(clock_us() - begin) / 1e6;
    if (is_filled)
        note(&run);
    sqlite3_finalize(run.add_event);
    sqlite3_finalize(run.add_channel);
    sqlite3_close(run.db);
    free(run.is_known);
    printf("{\"published\":%llu,\"seconds\":%.3f,\"per_second\":%.1f}\n",
           (unsigned long long)(run.rows - run.before), seconds,
           (double)(run.rows - run.before) / seconds);
    return 0;
}
