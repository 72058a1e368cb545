/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SQLite's online backup inside a read transaction: one snapshot in one go, so a busy writer can
 * neither change it nor make it start again. The writer's WAL cannot be reset meanwhile and grows.
 */
#include "memory/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "memory/sqlite.h"

static int copy(sqlite3 *from, sqlite3 *to, struct errmsg *err)
{
    int64_t ignored;
    int r = sql_exec(from, "BEGIN", err);
    if (r == 0) /* a snapshot is taken at the first read */
        r = sql_int64(from, "SELECT count(*) FROM stratum", &ignored, err);
    if (r)
        return r;
    sqlite3_backup *backup = sqlite3_backup_init(to, "main", from, "main");
    if (!backup)
        return sql_error(to, sqlite3_extended_errcode(to), err, NULL);
    int rc = sqlite3_backup_step(backup, -1);
    int last = sqlite3_backup_finish(backup);
    rc = rc == SQLITE_DONE ? last : rc;
    sqlite3_exec(from, "COMMIT", NULL, NULL, NULL);
    return sql_error(to, rc, err, NULL);
}

static int sync_file(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_from_errno(errno);
    int r = fsync(fd) ? err_from_errno(errno) : 0;
    close(fd);
    return r;
}

int backup_file(const char *path, const char *out, struct errmsg *err)
{
    sqlite3 *from, *to = NULL;
    int r = sqlite_open_readonly(path, 0, &from, err);
    if (r)
        return r;
    int fd = open(out, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        r = err_set(err, err_from_errno(errno), "%s: %s", out, strerror(errno));
        sqlite3_close(from);
        return r;
    }
    close(fd);
    int rc = sqlite3_open_v2(out, &to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    r = rc == SQLITE_OK ? copy(from, to, err) : sql_error(to, rc, err, NULL);
    sqlite3_close(to);
    sqlite3_close(from);
    if (r == 0 && (r = sync_file(out)) != 0)
        err_set(err, r, "%s", err_text(r));
    if (r) {
        unlink(out);
        return err_wrap(err, r, "%s", out);
    }
    return 0;
}
