/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The baseline of the ingest figure: the same lines into bare SQLite, one row a line with a time index
 * and an FTS5 row (porter), 1,000 rows a transaction, WAL, synchronous FULL.
 * Usage: bare_sqlite LINES DATABASE. Prints "ROWS SECONDS".
 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static sqlite3 *db;

static void must(int rc, const char *what)
{
    if (rc != SQLITE_OK && rc != SQLITE_DONE) {
        fprintf(stderr, "%s: %s\n", what, sqlite3_errmsg(db));
        exit(1);
    }
}

static void run(const char *sql)
{
    must(sqlite3_exec(db, sql, NULL, NULL, NULL), sql);
}

static double now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    FILE *f = fopen(argv[1], "r");
    if (!f) {
        perror(argv[1]);
        return 1;
    }
    must(sqlite3_open(argv[2], &db), argv[2]);
    run("PRAGMA journal_mode=WAL");
    run("PRAGMA synchronous=FULL");
    run("CREATE TABLE line(id INTEGER PRIMARY KEY, time INTEGER, text TEXT)");
    run("CREATE INDEX line_time ON line(time)");
    run("CREATE VIRTUAL TABLE words USING fts5(text, content='line', content_rowid='id', "
        "tokenize='porter unicode61')");
    sqlite3_stmt *row, *word;
    must(sqlite3_prepare_v2(db, "INSERT INTO line VALUES(?1, ?2, ?3)", -1, &row, NULL), "prepare");
    must(sqlite3_prepare_v2(db, "INSERT INTO words(rowid, text) VALUES(?1, ?2)", -1, &word, NULL),
         "prepare");
    char *line = NULL;
    size_t capacity = 0;
    ssize_t n;
    long rows = 0;
    double start = now();
    run("BEGIN");
    while ((n = getline(&line, &capacity, f)) > 0) {
        if (line[n - 1] == '\n')
            n--;
        rows++;
        sqlite3_bind_int64(row, 1, rows);
        sqlite3_bind_int64(row, 2, 1700000000000000 + rows * 1000);
        sqlite3_bind_text(row, 3, line, (int)n, SQLITE_STATIC);
        must(sqlite3_step(row), "row");
        sqlite3_reset(row);
        sqlite3_bind_int64(word, 1, rows);
        sqlite3_bind_text(word, 2, line, (int)n, SQLITE_STATIC);
        must(sqlite3_step(word), "word");
        sqlite3_reset(word);
        if (rows % 1000 == 0) {
            run("COMMIT");
            run("BEGIN");
        }
    }
    run("COMMIT");
    printf("%ld %.6f\n", rows, now() - start);
    sqlite3_finalize(row);
    sqlite3_finalize(word);
    sqlite3_close(db);
    free(line);
    fclose(f);
    return 0;
}
