/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connection for reading, whoever owns the folder.
 *
 * Usually SQLite shares the write-ahead log's index with the daemon through memory.db-shm, or makes
 * that file itself when the daemon is gone. Where it may not (another user's folder, a read-only
 * disk, a copy on a medium) there are two cases. Without a log the database file is all there is,
 * and nothing changes it. With one, which a killed daemon leaves behind, the log holds the newest
 * commits and must be read: SQLite then keeps its index on its own heap, for which it insists on
 * having the file to itself; the VFS without locks grants that on a file that cannot be written.
 * That would read nonsense beside a daemon that writes, so the daemon's lock is asked first.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "memory/lockfile.h"
#include "memory/schema.h"
#include "memory/sqlite.h"

static int set_up(sqlite3 *db, const char *path, int cache_kib, struct errmsg *err)
{
    char pragmas[160];
    int version;
    sqlite3_extended_result_codes(db, 1);
    sqlite3_busy_timeout(db, 5000);
    snprintf(pragmas, sizeof(pragmas),
             "PRAGMA query_only=1; PRAGMA mmap_size=0; PRAGMA temp_store=MEMORY;"
             "PRAGMA cache_size=-%d;",
             cache_kib > 0 ? cache_kib : 4096);
    int r = sql_exec(db, pragmas, err);
    if (r)
        return err_wrap(err, r, "%s", path);
    r = sqlite_check_ours(db, path, &version, err);
    if (r == 0 && version != SCHEMA_VERSION)
        r = err_set(err, ERR_UNSUPPORTED,
                    "%s: schema version %d; start varved on it once to bring it to %d", path,
                    version, SCHEMA_VERSION);
    return r;
}

static int open_shared(const char *path, int cache_kib, sqlite3 **ret, struct errmsg *err)
{
    sqlite3 *db = NULL;
    int rc = sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL);
    int r = rc == SQLITE_OK ? set_up(db, path, cache_kib, err) : sql_error(db, rc, err, path);
    if (r)
        sqlite3_close(db);
    else
        *ret = db;
    return r;
}

static int check_unlocked(const char *path, struct errmsg *err)
{
    char name[4200];
    bool held;
    snprintf(name, sizeof(name), "%s.lock", path);
    int r = lockfile_held(name, &held, err);
    if (r == 0 && held)
        r = err_set(
            err, ERR_BUSY,
            "%s: a daemon is writing it and its log cannot be shared with this user; run as"
            " the daemon's user, or read a copy made with --backup",
            path);
    return r;
}

/* "file:PATH?options" with what has a meaning in a URI escaped. */
static void put_uri(struct buf *out, const char *path, const char *options)
{
    buf_puts(out, "file:");
    for (const char *c = path; *c; c++)
        if (strchr("%?#", *c))
            buf_printf(out, "%%%02X", (unsigned char)*c);
        else
            buf_putc(out, *c);
    buf_puts(out, options);
}

static bool has_log(const char *path)
{
    char name[4200];
    struct stat st;
    snprintf(name, sizeof(name), "%s-wal", path);
    return stat(name, &st) == 0 && st.st_size > 0;
}

static int open_alone(const char *path, int cache_kib, sqlite3 **ret, struct errmsg *err)
{
    const int flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX;
    struct buf uri = {0};
    sqlite3 *db = NULL;
    put_uri(&uri, path, has_log(path) ? "?mode=ro&vfs=unix-none" : "?mode=ro&immutable=1");
    int rc = buf_failed(&uri) ? SQLITE_NOMEM : sqlite3_open_v2(uri.data, &db, flags, NULL);
    buf_deinit(&uri);
    int r = sql_error(db, rc, err, path);
    if (r == 0)
        r = sql_exec(db, "PRAGMA locking_mode=EXCLUSIVE", err);
    if (r == 0)
        r = set_up(db, path, cache_kib, err);
    if (r)
        sqlite3_close(db);
    else
        *ret = db;
    return r;
}

int sqlite_open_readonly(const char *path, int cache_kib, sqlite3 **ret, struct errmsg *err)
{
    int r = sqlite_setup();
    if (r)
        return err_set(err, r, "%s: %s", path, err_text(r));
    r = open_shared(path, cache_kib, ret, err);
    bool unshared = r == ERR_PERM || r == ERR_IO || r == ERR_READONLY || r == ERR_NOTFOUND;
    if (!unshared || access(path, R_OK) != 0)
        return r;
    r = check_unlocked(path, err);
    return r ? r : open_alone(path, cache_kib, ret, err);
}
