/* SPDX-License-Identifier: Apache-2.0 */
#include "memory/migrate.h"

#include <stdio.h>

#include "memory/schema.h"
#include "memory/sqlite.h"

/* steps[v] makes version v + 1 of version v. */
static const char *const steps[SCHEMA_VERSION] = {schema_v1, schema_v2};

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

int migrate(sqlite3 *db, int version, struct errmsg *err)
{
    for (; version < SCHEMA_VERSION; version++) {
        int r = step(db, version, err);
        if (r)
            return err_wrap(err, r, "schema version %d", version + 1);
    }
    return 0;
}
