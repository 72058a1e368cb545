/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening a file whose folder this user may not write to.
 *
 * Usually SQLite shares the write-ahead log's index with the daemon through memory.db-shm, or makes
 * that file itself when the daemon is gone. Where it may not (another user's folder, a read-only
 * disk, a copy on a medium) there are two cases. Without a log the database file is all there is,
 * and nothing changes it. With one, which a killed daemon leaves behind, the log holds the newest
 * commits and must be read: SQLite then keeps its index on its own heap, for which it insists on
 * having the file to itself; the VFS without locks grants that on a file that cannot be written.
 * That would read nonsense beside a daemon that writes, so the daemon's lock is asked first.
 */
#include "memory/dump/open.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "memory/sqlite.h"

/* Whether a daemon holds the lock beside the file; fcntl asks without taking it. */
static int check_unlocked(const char *path, struct errmsg *err)
{
    char name[4200];
    snprintf(name, sizeof(name), "%s.lock", path);
    int fd = open(name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && errno == ENOENT)
        return 0;
    if (fd < 0)
        return err_set(err, err_from_errno(errno), "%s: %s", name, strerror(errno));
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int failed = fcntl(fd, F_OFD_GETLK, &lock);
    close(fd);
    if (failed || lock.l_type != F_UNLCK)
        return err_set(
            err, ERR_BUSY,
            "%s: a daemon is writing it and its log cannot be shared with this user; run as"
            " the daemon's user, or read a copy made with --backup",
            path);
    return 0;
}

/* "file:PATH?vfs=unix-none&mode=ro" with what has a meaning in a URI escaped. */
static void put_uri(struct buf *out, const char *path)
{
    buf_puts(out, "file:");
    for (const char *c = path; *c; c++)
        if (strchr("%?#", *c))
            buf_printf(out, "%%%02X", (unsigned char)*c);
        else
            buf_putc(out, *c);
    buf_puts(out, "?vfs=unix-none&mode=ro");
}

static int open_alone(const char *path, sqlite3 **ret, struct errmsg *err)
{
    struct buf uri = {0};
    sqlite3 *db = NULL;
    int version;
    put_uri(&uri, path);
    int rc =
        buf_failed(&uri)
            ? SQLITE_NOMEM
            : sqlite3_open_v2(uri.data, &db,
                              SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX, NULL);
    buf_deinit(&uri);
    int r = sql_error(db, rc, err, path);
    if (r == 0)
        r = sql_exec(db,
                     "PRAGMA locking_mode=EXCLUSIVE; PRAGMA query_only=1; PRAGMA mmap_size=0;"
                     "PRAGMA temp_store=MEMORY;",
                     err);
    if (r == 0)
        r = sqlite_check_ours(db, path, &version, err);
    if (r) {
        sqlite3_close(db);
        return r;
    }
    *ret = db;
    return 0;
}

int open_readonly(const char *path, sqlite3 **ret, struct errmsg *err)
{
    int r = sqlite_open_readonly(path, 0, ret, err);
    bool no_sharing = r == ERR_PERM || r == ERR_IO || r == ERR_READONLY;
    if (!no_sharing || access(path, R_OK) != 0)
        return r;
    r = check_unlocked(path, err);
    return r ? r : open_alone(path, ret, err);
}
