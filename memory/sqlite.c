/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SQLite as this project runs it: our allocator, no memory statistics (they cost a global lock),
 * one thread a connection, no mmap. Debian's build has no lookaside, so every small block passes
 * through sqlite_malloc: it adds a counter and nothing else.
 */
#include "memory/sqlite.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "memory/schema.h"
#include "memory/vfs.h"

static atomic_size_t held;

static void *sqlite_malloc(int size)
{
    void *p = mem_alloc((size_t)size);
    if (p)
        atomic_fetch_add_explicit(&held, mem_size(p), memory_order_relaxed);
    return p;
}

static void sqlite_free(void *p)
{
    if (p)
        atomic_fetch_sub_explicit(&held, mem_size(p), memory_order_relaxed);
    mem_free(p);
}

static void *sqlite_realloc(void *p, int size)
{
    size_t before = mem_size(p);
    void *q = mem_realloc(p, (size_t)size);
    if (q)
        atomic_fetch_add_explicit(&held, mem_size(q) - before, memory_order_relaxed);
    return q;
}

static int sqlite_size(void *p)
{
    return p ? (int)mem_size(p) : 0;
}

static int sqlite_roundup(int size)
{
    return (size + 7) & ~7;
}

static int sqlite_mem_init(void *arg)
{
    return SQLITE_OK;
}

static void sqlite_mem_shutdown(void *arg)
{
}

static void configure(void)
{
    static const sqlite3_mem_methods methods = {
        .xMalloc = sqlite_malloc,
        .xFree = sqlite_free,
        .xRealloc = sqlite_realloc,
        .xSize = sqlite_size,
        .xRoundup = sqlite_roundup,
        .xInit = sqlite_mem_init,
        .xShutdown = sqlite_mem_shutdown,
    };
    sqlite3_config(SQLITE_CONFIG_MULTITHREAD);
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    sqlite3_config(SQLITE_CONFIG_MALLOC, &methods);
}

int sqlite_setup(void)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static bool configured;
    pthread_mutex_lock(&lock);
    if (!configured)
        configure();
    configured = true;
    int rc = sqlite3_initialize();
    if (rc == SQLITE_OK)
        rc = vfs_register();
    pthread_mutex_unlock(&lock);
    return sql_error(NULL, rc, NULL, NULL);
}

size_t sqlite_memory(void)
{
    return atomic_load_explicit(&held, memory_order_relaxed);
}

static int translate(sqlite3 *db, int rc)
{
    if (rc == SQLITE_IOERR_NOMEM)
        return ERR_NOMEM;
    if (rc == SQLITE_CONSTRAINT_UNIQUE || rc == SQLITE_CONSTRAINT_PRIMARYKEY ||
        rc == SQLITE_CONSTRAINT_ROWID)
        return ERR_EXISTS;
    switch (rc & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return 0;
    case SQLITE_NOMEM:
        return ERR_NOMEM;
    case SQLITE_FULL:
        return ERR_FULL;
    case SQLITE_IOERR:
        return ERR_IO;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_FORMAT:
        return ERR_CORRUPT;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return ERR_BUSY;
    case SQLITE_READONLY:
        return ERR_READONLY;
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return ERR_PERM;
    case SQLITE_CANTOPEN: {
        int number = db ? sqlite3_system_errno(db) : 0;
        return number ? err_from_errno(number) : ERR_IO;
    }
    case SQLITE_CONSTRAINT:
        return ERR_CONFLICT;
    case SQLITE_INTERRUPT:
        return ERR_TIMEOUT;
    case SQLITE_TOOBIG:
        return ERR_LIMIT;
    default:
        return ERR_INTERNAL;
    }
}

int sql_error(sqlite3 *db, int rc, struct errmsg *err, const char *what)
{
    int code = translate(db, rc);
    if (code == 0)
        return 0;
    /* The connection's text is of its last call; it is only about rc when the codes agree. */
    bool own = db && sqlite3_extended_errcode(db) == rc;
    const char *text = own ? sqlite3_errmsg(db) : sqlite3_errstr(rc);
    if (what)
        return err_set(err, code, "%s: %s", what, text);
    return err_set(err, code, "%s", text);
}

int sqlite_check_ours(sqlite3 *db, const char *path, int *ret_version, struct errmsg *err)
{
    int64_t id = 0, version = 0;
    int r = sql_int64(db, "PRAGMA application_id", &id, err);
    if (r == 0)
        r = sql_int64(db, "PRAGMA user_version", &version, err);
    if (r)
        return err_wrap(err, r, "%s", path);
    if (id != SCHEMA_APPLICATION_ID)
        return err_set(err, ERR_CORRUPT, "%s: not a varve memory: application_id is %#llx, not %#x",
                       path, (unsigned long long)id, SCHEMA_APPLICATION_ID);
    if (version > SCHEMA_VERSION)
        return err_set(err, ERR_UNSUPPORTED,
                       "%s: written by a newer varve: schema version %lld, this program knows %d",
                       path, (long long)version, SCHEMA_VERSION);
    if (version < 1)
        return err_set(err, ERR_CORRUPT, "%s: schema version %lld", path, (long long)version);
    *ret_version = (int)version;
    return 0;
}

int sql_exec(sqlite3 *db, const char *sql, struct errmsg *err)
{
    return sql_error(db, sqlite3_exec(db, sql, NULL, NULL, NULL), err, NULL);
}

int sql_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **ret, struct errmsg *err)
{
    int rc = sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, ret, NULL);
    return sql_error(db, rc, err, NULL);
}

int sql_step(sqlite3_stmt *stmt, struct errmsg *err)
{
    int rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW)
        return 0;
    int r = rc == SQLITE_DONE ? SQL_DONE : sql_error(sqlite3_db_handle(stmt), rc, err, NULL);
    sqlite3_reset(stmt);
    return r;
}

int sql_run(sqlite3_stmt *stmt, struct errmsg *err)
{
    int rc = sqlite3_step(stmt);
    int r = rc == SQLITE_ROW ? ERR_INTERNAL : sql_error(sqlite3_db_handle(stmt), rc, err, NULL);
    sqlite3_reset(stmt);
    sqlite3_clear_bindings(stmt);
    return r;
}

int sql_int64(sqlite3 *db, const char *sql, int64_t *ret, struct errmsg *err)
{
    sqlite3_stmt *stmt;
    int r = sql_error(db, sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), err, NULL);
    if (r)
        return r;
    r = sql_step(stmt, err);
    if (r == 0)
        *ret = sqlite3_column_int64(stmt, 0);
    else if (r == SQL_DONE)
        r = err_set(err, ERR_NOTFOUND, "no row");
    sqlite3_finalize(stmt);
    return r;
}
