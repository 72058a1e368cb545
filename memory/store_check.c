/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What can be said about a file in a few milliseconds, whatever its size: is the header sound, is
 * the file as long as it says, are all tables there, do both ends of each open. memory/verify.h
 * reads all.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "memory/store_internal.h"

#define HEADER 100

static uint32_t be32(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* With a WAL the file's length says nothing: pages may lie there. */
static bool has_wal(const char *path)
{
    char name[4096];
    struct stat st;
    int n = snprintf(name, sizeof(name), "%s-wal", path);
    return n > 0 && (size_t)n < sizeof(name) && stat(name, &st) == 0 && st.st_size > 0;
}

static int check_header(const char *path, const unsigned char *h, ssize_t n, int64_t size,
                        struct errmsg *err)
{
    if (n < HEADER)
        return err_set(err, ERR_CORRUPT, "%s: cut short: %lld bytes", path, (long long)size);
    if (memcmp(h, "SQLite format 3", 16) != 0)
        return err_set(err, ERR_CORRUPT, "%s: damaged: the header is not that of a database", path);
    uint32_t page = (uint32_t)h[16] << 8 | h[17];
    page = page == 1 ? 65536 : page;
    if (page < 512 || (page & (page - 1)) != 0)
        return err_set(err, ERR_CORRUPT, "%s: damaged: page size %u in the header", path, page);
    int64_t pages = be32(h + 28);
    /* The count is only kept by writers that also set version-valid-for to the change counter. */
    if (!has_wal(path) && be32(h + 24) == be32(h + 92) && pages * page > size)
        return err_set(err, ERR_CORRUPT, "%s: cut short: %lld of %lld bytes", path, (long long)size,
                       (long long)(pages * page));
    return 0;
}

int store_check_file(const char *path, struct errmsg *err)
{
    unsigned char header[HEADER];
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0) {
        int r = err_set(err, err_from_errno(errno), "%s: %s", path, strerror(errno));
        if (fd >= 0)
            close(fd);
        return r;
    }
    int r = 0;
    if (st.st_size > 0) {
        ssize_t n = pread(fd, header, sizeof(header), 0);
        r = n < 0 ? err_set(err, err_from_errno(errno), "%s: %s", path, strerror(errno))
                  : check_header(path, header, n, st.st_size, err);
    }
    close(fd);
    return r;
}

static int check_objects(sqlite3 *db, struct errmsg *err)
{
    sqlite3_stmt *find;
    int rc = sqlite3_prepare_v2(db, "SELECT 1 FROM sqlite_schema WHERE name=?1", -1, &find, NULL);
    int r = sql_error(db, rc, err, NULL);
    for (const char *const *name = schema_objects; *name && r == 0; name++) {
        sqlite3_bind_text(find, 1, *name, -1, SQLITE_STATIC);
        r = sql_step(find, err);
        if (r == SQL_DONE)
            r = err_set(err, ERR_CORRUPT, "damaged: %s is missing", *name);
        sqlite3_reset(find);
    }
    sqlite3_finalize(find);
    return r;
}

int store_check_tables(sqlite3 *db, struct errmsg *err)
{
    static const char *const probes[] = {
        "SELECT count(*) FROM stratum",
        "SELECT count(*) FROM stream",
        "SELECT max(id) FROM moment NOT INDEXED",
        "SELECT min(id) FROM moment NOT INDEXED",
        "SELECT max(t_start) FROM moment WHERE stratum=0",
        "SELECT max(moment) FROM evidence",
        "SELECT max(moment) FROM gist",
        "SELECT max(moment) FROM latent",
        "SELECT max(id) FROM pending",
        "SELECT count(*) FROM (SELECT 1 FROM words WHERE words MATCH 'varve' LIMIT 1)",
    };
    int r = check_objects(db, err);
    for (size_t i = 0; i < sizeof(probes) / sizeof(*probes) && r == 0; i++) {
        int64_t ignored;
        r = sql_int64(db, probes[i], &ignored, err);
        if (r)
            err_wrap(err, r, "%s", probes[i]);
    }
    return r;
}
