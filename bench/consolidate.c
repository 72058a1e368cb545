/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What consolidation costs: marks every hour of a memory.db and makes all its spans again, from
 * episodes to months. Prints, for each stratum, the calls their CPU time and how long they held the
 * writer, and the share of a core that all of it would be at 100 records/s. The file is changed:
 * give it a copy.
 *
 * usage: bench_consolidate [--refine] MEMORY_DB
 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "bench/bench.h"
#include "memory/schema.h"
#include "memory/sqlite.h"
#include "memory/store.h"

#define CALLS_MAX 1000000

static struct errmsg err;

/* Runs while a call works and jumps ahead between calls, so that no unit rests. */
static int64_t jumped;

static int64_t jumping_mono(const struct clock *c)
{
    (void)c;
    return clock_mono(clock_system()) + jumped;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void mark_all(const char *path)
{
    sqlite3 *db;
    must(sqlite3_open(path, &db) == SQLITE_OK ? 0 : ERR_IO, path, &err);
    MUST(sql_exec(db,
                  "INSERT INTO dirty(stratum, unit, t) SELECT 1, t_start/3600000000 AS u, "
                  "min(t_start) FROM moment WHERE stratum=0 GROUP BY u "
                  "ON CONFLICT DO UPDATE SET t=min(t, excluded.t), resume=NULL;"
                  "UPDATE moment SET hash=zeroblob(16) WHERE stratum>0",
                  &err));
    sqlite3_close(db);
}

int main(int argc, char **argv)
{
    static double *took[STRATA];
    static size_t count[STRATA];
    static double busy[STRATA];
    struct clock jumps = *clock_system();
    struct store *s;
    sqlite3 *db;
    int64_t records, unit;
    double total = 0;
    bool refine = argc == 3 && strcmp(argv[1], "--refine") == 0;
    if (argc != 2 + refine) {
        fprintf(stderr, "usage: %s [--refine] MEMORY_DB\n", argv[0]);
        return 2;
    }
    argv += refine;
    MUST(sqlite_setup());
    mark_all(argv[1]);
    jumps.mono = jumping_mono;
    const struct store_options o = {.path = argv[1], .clock = &jumps};
    MUST(store_open(&o, &s, &err));
    store_set_refine(s, refine);
    MUST(sqlite_open_readonly(argv[1], 0, &db, &err));
    MUST(sql_int64(db, "SELECT sum(records) FROM moment WHERE stratum=0", &records, &err));
    for (int i = 0; i < STRATA; i++)
        took[i] = calloc(CALLS_MAX, sizeof(double));
    for (int r = STORE_MORE; r == STORE_MORE;) {
        int at =
            sql_int64(db, "SELECT stratum FROM dirty ORDER BY stratum, unit LIMIT 1", &unit, &err);
        int64_t before = clock_mono(clock_system());
        double cpu = cpu_seconds();
        r = store_consolidate(s, &err);
        double ms = (double)(clock_mono(clock_system()) - before) / 1000;
        cpu = 1e3 * (cpu_seconds() - cpu);
        must(r, "store_consolidate", &err);
        if (at == 0 && count[unit] < CALLS_MAX)
            took[unit][count[unit]++] = ms;
        total += cpu;
        if (at == 0)
            busy[unit] += cpu;
        jumped += US_PER_HOUR;
    }
    printf("%lld records, %.0f ms CPU in all, %.2f %% of a core at 100 records/s\n",
           (long long)records, total, total / 1000 / ((double)records / 100) * 100);
    for (int i = 1; i < STRATA; i++) {
        size_t n = count[i];
        qsort(took[i], n, sizeof(double), compare);
        if (n)
            printf("%-8s %5zu calls, %6.2f ms CPU each, writer held %6.2f ms p50 %6.2f p99 %6.2f "
                   "most\n",
                   stratum_name(i), n, busy[i] / (double)n, took[i][n / 2],
                   took[i][n - 1 - n / 100], took[i][n - 1]);
    }
    sqlite3_close(db);
    store_close(s);
    return 0;
}
