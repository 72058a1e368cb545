/* SPDX-License-Identifier: Apache-2.0 */
#include "memory/lookup.h"

#include "memory/sqlite.h"
#include "memory/state.h"

#define CACHE_KIB 64

/* One statement on a fresh connection, bound by `bind` and read by `read` where there is a row. */
struct lookup {
    const char *sql;
    const char *what; /* that is not found */
    void (*bind)(const struct lookup *, sqlite3_stmt *);
    int (*read)(const struct lookup *, sqlite3_stmt *, struct errmsg *);
    const char *key;
    int64_t stream, seq;
    struct buf *out;
    int64_t *ret_id;
};

static int run(const char *path, const struct lookup *l, struct errmsg *err)
{
    sqlite3 *db;
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite_open_readonly(path, CACHE_KIB, &db, err);
    if (rc != 0)
        return rc;
    rc = sql_prepare(db, l->sql, &stmt, err);
    if (rc == 0) {
        l->bind(l, stmt);
        rc = sql_step(stmt, err);
    }
    if (rc == 0)
        rc = l->read(l, stmt, err);
    else if (rc == SQL_DONE)
        rc = err_set(err, ERR_NOTFOUND, "%s is not in memory", l->what);
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    return rc;
}

static void bind_key(const struct lookup *l, sqlite3_stmt *stmt)
{
    sqlite3_bind_text(stmt, 1, l->key, -1, SQLITE_STATIC);
}

static int read_value(const struct lookup *l, sqlite3_stmt *stmt, struct errmsg *err)
{
    struct slice value = {sqlite3_column_blob(stmt, 0), (size_t)sqlite3_column_bytes(stmt, 0)};
    return state_unpack(value, l->out, err);
}

int lookup_state(const char *path, const char *key, struct buf *out, struct errmsg *err)
{
    struct lookup l = {.sql = "SELECT value FROM state WHERE key=?1",
                       .what = key,
                       .bind = bind_key,
                       .read = read_value,
                       .key = key,
                       .out = out};
    return run(path, &l, err);
}

static void bind_record(const struct lookup *l, sqlite3_stmt *stmt)
{
    sqlite3_bind_int64(stmt, 1, l->stream);
    sqlite3_bind_int64(stmt, 2, l->seq);
}

static int read_id(const struct lookup *l, sqlite3_stmt *stmt, struct errmsg *err)
{
    *l->ret_id = sqlite3_column_int64(stmt, 0);
    return 0;
}

int lookup_moment_of(const char *path, int64_t stream, uint64_t seq, int64_t *ret_id,
                     struct errmsg *err)
{
    struct lookup l = {.sql = "SELECT id FROM moment WHERE stratum=0 AND stream=?1 AND "
                              "seq_last>=?2 AND seq_first<=?2 ORDER BY seq_last LIMIT 1",
                       .what = "the record",
                       .bind = bind_record,
                       .read = read_id,
                       .stream = stream,
                       .seq = (int64_t)seq,
                       .ret_id = ret_id};
    return run(path, &l, err);
}
