/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the store alone takes in, durable and searchable, against bare SQLite with the same lines:
 * one row a line with a time index, and FTS5 (porter) over the line. Same run, same disk, same 1000
 * lines a transaction, synchronous=FULL in both. Prints lines a second, the ratio and the file
 * sizes.
 *
 * usage: bench_store LOGHUB_FOLDER [LINES [FOLDER_FOR_FILES]]
 */
#include <dirent.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "bench/bench.h"
#include "memory/evidence.h"
#include "memory/sqlite.h"
#include "memory/store.h"
#include "memory/words.h"

#define MOMENT 64
#define COMMIT 1000

static struct slice *lines;
static size_t line_count, line_capacity;
static char folder[256], path[300];
static struct errmsg err;

static void read_lines(const char *name, size_t want)
{
    FILE *f = fopen(name, "r");
    char *line = NULL;
    size_t room = 0;
    ssize_t n;
    while (f && line_count < want && (n = getline(&line, &room, f)) > 0) {
        while (n > 0 && (line[n - 1] == '\n' || line[n - 1] == '\r'))
            n--;
        if (line_count == line_capacity) {
            line_capacity = line_capacity ? line_capacity * 2 : 4096;
            lines = realloc(lines, line_capacity * sizeof(*lines));
        }
        lines[line_count].data = strndup(line, (size_t)n);
        lines[line_count++].size = (size_t)n;
    }
    free(line);
    if (f)
        fclose(f);
}

/* Every *.log below, again and again until there are enough. */
static void read_all(const char *root, size_t want)
{
    size_t before;
    do {
        before = line_count;
        DIR *d = opendir(root);
        struct dirent *e;
        while (d && (e = readdir(d)) && line_count < want) {
            char name[600];
            if (e->d_name[0] == '.')
                continue;
            snprintf(name, sizeof(name), "%s/%s/%s_2k.log", root, e->d_name, e->d_name);
            read_lines(name, want);
        }
        if (d)
            closedir(d);
    } while (line_count < want && line_count > before);
}

static double since(int64_t start)
{
    return (double)(clock_mono(clock_system()) - start) / 1e6;
}

static void start_afresh(const char *name)
{
    static const char *const tails[] = {"", "-wal", "-shm", ".lock"};
    snprintf(path, sizeof(path), "%s/%s.db", folder, name);
    for (int i = 0; i < 4; i++) {
        char file[320];
        snprintf(file, sizeof(file), "%s%s", path, tails[i]);
        unlink(file);
    }
}

static double report(const char *what, double seconds, double base)
{
    struct stat st;
    double rate = (double)line_count / seconds;
    stat(path, &st);
    printf("%-34s %9.0f lines/s  %5.2fx  %6.1f MB\n", what, rate, base > 0 ? rate / base : 1.0,
           (double)st.st_size / 1e6);
    return rate;
}

static double bench_bare(void)
{
    sqlite3 *db;
    sqlite3_stmt *row, *words;
    start_afresh("bare");
    must(sqlite3_open(path, &db) == SQLITE_OK ? 0 : ERR_IO, path, &err);
    MUST(sql_exec(db,
                  "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-8192;"
                  "CREATE TABLE line(id INTEGER PRIMARY KEY, time INTEGER, text TEXT);"
                  "CREATE INDEX line_time ON line(time);"
                  "CREATE VIRTUAL TABLE words USING fts5(text, content='', tokenize='porter');",
                  &err));
    MUST(sql_prepare(db, "INSERT INTO line VALUES(?1, ?2, ?3)", &row, &err));
    MUST(sql_prepare(db, "INSERT INTO words(rowid, text) VALUES(?1, ?2)", &words, &err));
    int64_t start = clock_mono(clock_system());
    for (size_t i = 0; i < line_count; i++) {
        if (i % COMMIT == 0)
            MUST(sql_exec(db, i ? "COMMIT; BEGIN" : "BEGIN", &err));
        sqlite3_bind_int64(row, 1, (int64_t)i + 1);
        sqlite3_bind_int64(row, 2, (int64_t)i * 1000);
        sqlite3_bind_text(row, 3, lines[i].data, (int)lines[i].size, SQLITE_STATIC);
        MUST(sql_run(row, &err));
        sqlite3_bind_int64(words, 1, (int64_t)i + 1);
        sqlite3_bind_text(words, 2, lines[i].data, (int)lines[i].size, SQLITE_STATIC);
        MUST(sql_run(words, &err));
    }
    MUST(sql_exec(db, "COMMIT", &err));
    double seconds = since(start);
    sqlite3_finalize(row);
    sqlite3_finalize(words);
    sqlite3_close(db);
    return report("bare SQLite, FTS5 porter", seconds, 0);
}

struct made {
    struct record records[MOMENT];
    struct moment moment;
    struct buf block, journal;
    struct store_words *words;
};

static void make_records(struct made *m, size_t first)
{
    uint32_t n = (uint32_t)(line_count - first < MOMENT ? line_count - first : MOMENT);
    for (uint32_t i = 0; i < n; i++)
        m->records[i] = (struct record){
            .seq = first + i + 1, .time = (int64_t)(first + i) * 1000, .text = lines[first + i]};
    m->moment.kind = KIND_TEXT;
    m->moment.records = m->records;
    m->moment.record_count = n;
    m->moment.start = m->records[0].time;
    m->moment.end = m->records[n - 1].time;
    m->moment.model = 1;
    m->moment.latent[first % LATENT_DIM] = 1;
    snprintf(m->moment.title, sizeof(m->moment.title), "%.*s", 100, lines[first].data);
    m->moment.gist = (struct slice){m->moment.title, strlen(m->moment.title)};
}

/* What the pool does: evidence, journal block, words. */
static void prepare(struct made *m, enum moment_path how)
{
    m->moment.path = how;
    buf_clear(&m->block);
    buf_clear(&m->journal);
    MUST(evidence_encode(m->records, m->moment.record_count, 3, &m->block));
    MUST(evidence_encode(m->records, m->moment.record_count, 1, &m->journal));
    MUST(words_index(&m->moment, "bench", NULL, 0, m->words));
}

/* What the writer does. */
static void put(struct store *s, int64_t stream, const struct made *m, bool journal)
{
    int64_t id, batch = 0;
    const struct record *r = m->records;
    uint32_t n = m->moment.record_count;
    struct slice block = {m->block.data, m->block.size};
    struct slice pending = {m->journal.data, m->journal.size};
    if (journal)
        MUST(store_pending_put(s, stream, r[0].seq, r[n - 1].seq, n, pending, &batch, &err));
    MUST(store_moment_put(s, stream, &m->moment, block, m->words, &id, &err));
    if (journal)
        MUST(store_pending_delete(s, batch, &err));
}

static struct store *open_store(const char *name, int64_t *ret_stream)
{
    struct store *s;
    struct store_options o = {.path = path, .clock = clock_system()};
    start_afresh(name);
    MUST(store_open(&o, &s, &err));
    MUST(store_begin(s, &err));
    MUST(store_stream_create(s, "bench", KIND_TEXT, "bench", ret_stream, &err));
    MUST(store_commit(s, &err));
    return s;
}

/* `whole`: one thread does all, journal included; else moments are made before the clock starts. */
static void bench_store(const char *what, enum moment_path how, bool whole, double base)
{
    int64_t stream;
    size_t moments = (line_count + MOMENT - 1) / MOMENT, in_commit = 0;
    struct made *all = calloc(whole ? 1 : moments, sizeof(*all));
    for (size_t i = 0; i < (whole ? 1 : moments); i++)
        all[i].words = store_words_new();
    for (size_t i = 0; i < moments && !whole; i++) {
        make_records(&all[i], i * MOMENT);
        prepare(&all[i], how);
    }
    struct store *s = open_store("store", &stream);
    double checkpoints = 0;
    int64_t start = clock_mono(clock_system());
    MUST(store_begin(s, &err));
    for (size_t i = 0; i < moments; i++) {
        struct made *m = whole ? all : &all[i];
        if (whole) {
            memset(&m->moment, 0, sizeof(m->moment));
            make_records(m, i * MOMENT);
            prepare(m, how);
        }
        put(s, stream, m, whole);
        in_commit += MOMENT;
        if (in_commit >= COMMIT) {
            MUST(store_commit(s, &err));
            if (i % 256 < COMMIT / MOMENT + 1) {
                int64_t t = clock_mono(clock_system());
                MUST(store_checkpoint(s, false, &err));
                checkpoints += since(t);
            }
            MUST(store_begin(s, &err));
            in_commit = 0;
        }
    }
    MUST(store_commit(s, &err));
    double seconds = since(start);
    store_close(s);
    report(what, seconds, base);
    for (size_t i = 0; i < (whole ? 1 : moments); i++) {
        store_words_free(all[i].words);
        buf_deinit(&all[i].block);
        buf_deinit(&all[i].journal);
    }
    free(all);
}

/* The pool's part alone, one thread. */
static void bench_prepare(void)
{
    struct made m = {.words = store_words_new()};
    double words = 0, blocks = 0;
    for (size_t first = 0; first < line_count; first += MOMENT) {
        make_records(&m, first);
        int64_t t = clock_mono(clock_system());
        MUST(words_index(&m.moment, "bench", NULL, 0, m.words));
        words += since(t);
        t = clock_mono(clock_system());
        buf_clear(&m.block);
        MUST(evidence_encode(m.records, m.moment.record_count, 3, &m.block));
        blocks += since(t);
    }
    printf("words_index alone %22.0f lines/s\nevidence_encode alone %18.0f lines/s\n",
           (double)line_count / words, (double)line_count / blocks);
    store_words_free(m.words);
    buf_deinit(&m.block);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: %s LOGHUB_FOLDER [LINES [FOLDER_FOR_FILES]]\n", argv[0]);
        return 2;
    }
    snprintf(folder, sizeof(folder), "%s", argc > 3 ? argv[3] : ".");
    sqlite_setup();
    read_all(argv[1], argc > 2 ? strtoul(argv[2], NULL, 10) : 100000);
    if (line_count == 0) {
        fprintf(stderr, "%s: no lines\n", argv[1]);
        return 1;
    }
    printf("%zu lines, moments of %d, %d lines a commit\n", line_count, MOMENT, COMMIT);
    double base = bench_bare();
    bench_store("store, latent path", PATH_LATENT, false, base);
    bench_store("store, discrete path", PATH_DISCRETE, false, base);
    bench_store("all on one thread, latent path", PATH_LATENT, true, base);
    bench_store("all on one thread, discrete path", PATH_DISCRETE, true, base);
    bench_prepare();
    return 0;
}
