/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the old file page by page without SQLite, writes the new one through the store: copied
 * (trees.c), mended (mend*.c), consolidated, verified.
 */
#include "memory/salvage/salvage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "memory/lockfile.h"
#include "memory/salvage/mend.h"
#include "memory/salvage/trees.h"
#include "memory/verify.h"

static int check_free(const char *path, struct errmsg *err)
{
    char lock[4200];
    bool held;
    snprintf(lock, sizeof(lock), "%s.lock", path);
    int r = lockfile_held(lock, &held, err);
    if (r == 0 && held)
        r = err_set(err, ERR_BUSY, "%s: a daemon is writing it; stop it first, or use --backup",
                    path);
    return r;
}

static int make_empty(const char *out, struct errmsg *err)
{
    int fd = open(out, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_set(err, err_from_errno(errno), "%s: %s", out, strerror(errno));
    close(fd);
    return 0;
}

static void remove_out(const char *out)
{
    static const char *const tails[] = {"", "-wal", "-shm", ".lock"};
    char name[4200];
    for (size_t i = 0; i < sizeof(tails) / sizeof(*tails); i++) {
        snprintf(name, sizeof(name), "%s%s", out, tails[i]);
        unlink(name);
    }
}

static int with_store(const char *out, struct salvage_report *report, const struct pages *pages,
                      bool spare, struct errmsg *err)
{
    const struct store_options o = {.path = out, .clock = clock_system()};
    struct store *s;
    int r = store_open(&o, &s, err);
    if (r)
        return r;
    if (pages) {
        r = sql_exec(s->db, "DELETE FROM meta", err);
        if (r == 0)
            r = trees_copy(pages, s->db, report, err);
        if (r == 0)
            r = mend_all(s, spare, report, err);
        if (r == 0 && salvage_lost(report)) /* counted again at the next opening */
            r = sql_exec(s->db, "DELETE FROM state WHERE key='keep'", err);
    } else {
        while ((r = store_consolidate(s, err)) == STORE_MORE)
            store_checkpoint(s, true, NULL);
    }
    store_close(s);
    return r;
}

/* How many rows each table has now. */
static int count_rows(const char *out, struct salvage_report *report, struct errmsg *err)
{
    sqlite3 *db;
    int r = sqlite_open_readonly(out, 0, &db, err);
    if (r)
        return r;
    for (uint32_t i = 0; i < report->table_count && r == 0; i++) {
        char sql[128];
        int64_t rows = 0;
        if (report->tables[i].remade)
            continue;
        snprintf(sql, sizeof(sql), "SELECT count(*) FROM \"%s\"", report->tables[i].name);
        r = sql_int64(db, sql, &rows, err);
        report->tables[i].rows = (uint64_t)rows;
    }
    sqlite3_close(db);
    return r;
}

static int fill(const struct pages *pages, const char *out, bool spare,
                struct salvage_report *report, struct errmsg *err)
{
    const struct errmsg why = *err;
    struct verify_counts counts;
    memset(report, 0, sizeof(*report));
    report->page_size = pages->page_size;
    report->pages = pages->count;
    report->frames = pages->frames_lost;
    report->headless = pages->headless;
    report->spare = spare;
    report->why = why;
    int r = with_store(out, report, pages, spare, err);
    if (r == 0) /* opened again: the store keeps counters of its own */
        r = with_store(out, report, NULL, spare, err);
    if (r == 0)
        r = count_rows(out, report, err);
    if (r == 0)
        r = verify_file(out, &counts, err);
    if (r)
        return r;
    report->moments = counts.moments;
    report->records = counts.records;
    report->journaled = counts.journaled;
    return 0;
}

int salvage_file(const char *path, const char *out, struct salvage_report *ret, struct errmsg *err)
{
    struct pages pages;
    err->text[0] = '\0';
    int r = check_free(path, err);
    if (r == 0)
        r = pages_open(path, &pages, err);
    if (r)
        return r;
    /* Damage that no row shows may contradict itself above the evidence: then without that. */
    for (int spare = 0; spare < 2 && r == 0; spare++) {
        r = make_empty(out, err);
        if (r)
            break;
        r = fill(&pages, out, spare, ret, err);
        if (r == 0)
            break;
        remove_out(out);
        r = r == ERR_CORRUPT && !spare ? 0 : r;
    }
    pages_close(&pages);
    return r;
}

bool salvage_lost(const struct salvage_report *report)
{
    bool lost = report->headless || report->spare || report->frames > 0 || report->rebuilt > 0;
    for (uint32_t i = 0; i < report->table_count; i++)
        lost |= !report->tables[i].remade &&
                (report->tables[i].broken > 0 || report->tables[i].pages > 0);
    return lost;
}
