/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A step may take long on a large file. SQLite calls back every PROGRESS_STEPS of its instructions,
 * some hundred rows; what is told with it is how many steps are behind and how long it took.
 */
#include "memory/migrate.h"

#include <stdio.h>

#include "memory/schema.h"
#include "memory/sqlite.h"

#define PROGRESS_STEPS 1000

/* steps[v] makes version v + 1 of version v. */
static const char *const steps[SCHEMA_VERSION] = {schema_v1, schema_v2};

struct migration {
    const struct migrate_watch *watch;
    int from, version; /* version: that is being made */
    int64_t start, told;
};

static int tell(void *arg)
{
    struct migration *m = arg;
    char what[96];
    int64_t now = clock_mono(m->watch->clock);
    if (now - m->told < US_PER_SECOND)
        return 0;
    m->told = now;
    snprintf(what, sizeof(what), "bringing the memory from schema version %d to %d: %lld s", m->from,
             m->version, (long long)((now - m->start) / US_PER_SECOND));
    m->watch->progress(m->watch->arg, what);
    return 0;
}

static int step(sqlite3 *db, int version, struct errmsg *err)
{
    char pragma[64];
    snprintf(pragma, sizeof(pragma), "PRAGMA user_version=%d", version + 1);
    int r = sql_exec(db, "BEGIN IMMEDIATE", err);
    if (r)
        return r;
    r = sql_exec(db, steps[version], err);
    if (r == 0)
        r = sql_exec(db, pragma, err);
    if (r == 0)
        r = sql_exec(db, "COMMIT", err);
    if (r)
        sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    return r;
}

int migrate(sqlite3 *db, int version, const struct migrate_watch *watch, struct errmsg *err)
{
    struct migration m = {.watch = watch, .from = version};
    m.start = m.told = clock_mono(watch->clock);
    if (watch->progress && version > 0)
        sqlite3_progress_handler(db, PROGRESS_STEPS, tell, &m);
    int r = 0;
    for (; version < SCHEMA_VERSION && r == 0; version++) {
        m.version = version + 1;
        r = step(db, version, err);
        if (r)
            err_wrap(err, r, "schema version %d", version + 1);
        else if (version > 0) /* the log of a large step must not lie there until the next one */
            sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
        if (r == 0 && watch->progress && m.from > 0)
            tell(&m);
    }
    sqlite3_progress_handler(db, 0, NULL, NULL);
    return r;
}
