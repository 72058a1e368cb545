/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A moment without evidence says by table gone that its records were let go. Where the evidence was
 * damaged the moment stays as well, with its title and gist, and its numbers join the others.
 */
#include "memory/erase_internal.h"
#include "memory/salvage/mend.h"

struct range {
    int64_t stream, first, last;
};

static int read_ranges(sqlite3 *db, const char *sql, struct buf *ret, struct errmsg *err)
{
    sqlite3_stmt *q;
    int r = sql_prepare(db, sql, &q, err);
    if (r)
        return r;
    while ((r = sql_step(q, err)) == 0) {
        const struct range range = {sqlite3_column_int64(q, 0), sqlite3_column_int64(q, 1),
                                    sqlite3_column_int64(q, 2)};
        buf_append(ret, &range, sizeof(range));
    }
    sqlite3_finalize(q);
    return r != SQL_DONE     ? r
           : buf_failed(ret) ? err_set(err, ERR_NOMEM, "%s", err_text(ERR_NOMEM))
                             : 0;
}

int mend_gone(struct store *s, struct salvage_report *report, struct errmsg *err)
{
    static const char before[] =
        "SELECT stream, seq_first, seq_last FROM gone WHERE seq_first BETWEEN 1 AND seq_last AND "
        "seq_last<9223372036854775806 AND stream IN (SELECT id FROM stream)";
    static const char more[] =
        "SELECT m.stream, m.seq_first, m.seq_last FROM moment m WHERE m.stratum=0 AND "
        "m.id NOT IN (SELECT moment FROM evidence) AND NOT EXISTS (SELECT 1 FROM gone g WHERE "
        "g.stream=m.stream AND m.seq_first BETWEEN g.seq_first AND g.seq_last)";
    struct buf ranges = {0};
    int r = erase_prepare(s, err);
    if (r == 0)
        r = read_ranges(s->db, before, &ranges, err);
    size_t known = ranges.size / sizeof(struct range);
    if (r == 0)
        r = read_ranges(s->db, more, &ranges, err);
    size_t count = ranges.size / sizeof(struct range);
    if (r == 0 && count > known)
        mend_count(report, "evidence", count - known);
    if (r == 0)
        r = sql_exec(s->db, "DELETE FROM gone", err);
    for (size_t i = 0; i < count && r == 0; i++) {
        const struct range *range = (const struct range *)(const void *)ranges.data + i;
        r = gone_add(s, range->stream, (uint64_t)range->first, (uint64_t)range->last, err);
    }
    buf_deinit(&ranges);
    return r;
}
