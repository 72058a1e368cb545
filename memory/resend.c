/* SPDX-License-Identifier: Apache-2.0 */
#include "memory/resend.h"

#include "base/arena.h"
#include "memory/evidence.h"
#include "memory/reader_internal.h"
#include "memory/sqlite.h"

#define ARENA_CHUNK (256u << 10)

struct search {
    int64_t stream;
    uint64_t first, last;
    void (*each)(void *arg, uint64_t seq, uint64_t hash);
    void *arg;
};

static int look_into(const struct search *x, struct slice block, struct arena *arena,
                     struct errmsg *err)
{
    struct record *records;
    uint32_t count;
    int r = evidence_decode(block, arena, &records, &count, err);
    if (r)
        return r;
    for (uint32_t i = 0; i < count; i++)
        if (records[i].seq >= x->first && records[i].seq <= x->last)
            x->each(x->arg, records[i].seq, record_hash(&records[i]));
    return 0;
}

static int look_through(sqlite3 *db, const char *sql, const struct search *x, struct arena *arena,
                        struct errmsg *err)
{
    sqlite3_stmt *q;
    int r = sql_error(db, sqlite3_prepare_v2(db, sql, -1, &q, NULL), err, "seq");
    if (r)
        return r;
    sqlite3_bind_int64(q, 1, x->stream);
    sqlite3_bind_int64(q, 2, x->first > INT64_MAX ? INT64_MAX : (int64_t)x->first);
    sqlite3_bind_int64(q, 3, x->last > INT64_MAX ? INT64_MAX : (int64_t)x->last);
    while ((r = sql_step(q, err)) == 0) {
        struct slice block = {sqlite3_column_blob(q, 0), (size_t)sqlite3_column_bytes(q, 0)};
        arena_reset(arena);
        r = look_into(x, block, arena, err);
        if (r) {
            err_wrap(err, r, "stream %lld", (long long)x->stream);
            break;
        }
    }
    sqlite3_finalize(q);
    return r == SQL_DONE ? 0 : r;
}

int resend_find(sqlite3 *db, int64_t stream, uint64_t seq_first, uint64_t seq_last, bool journal,
                void (*each)(void *arg, uint64_t seq, uint64_t hash), void *arg, struct errmsg *err)
{
    const struct search x = {stream, seq_first, seq_last, each, arg};
    struct arena arena;
    arena_init(&arena, ARENA_CHUNK);
    int r = look_through(db,
                         "SELECT e.block FROM moment m JOIN evidence e ON e.moment=m.id "
                         "WHERE m.stream=?1 AND m.seq_last>=?2 AND m.seq_first<=?3",
                         &x, &arena, err);
    if (r == 0 && journal)
        r = look_through(db,
                         "SELECT block FROM pending "
                         "WHERE stream=?1 AND seq_last>=?2 AND seq_first<=?3",
                         &x, &arena, err);
    arena_deinit(&arena);
    return r;
}

int evidence_find_seq(struct reader *r, int64_t stream, uint64_t seq_first, uint64_t seq_last,
                      void (*each)(void *arg, uint64_t seq, uint64_t hash), void *arg,
                      struct errmsg *err)
{
    return resend_find(r->db, stream, seq_first, seq_last, true, each, arg, err);
}

int resend_find_gone(sqlite3 *db, int64_t stream, uint64_t seq_first, uint64_t seq_last,
                     struct buf *out, struct errmsg *err)
{
    sqlite3_stmt *q;
    int r = sql_prepare(db,
                        "SELECT seq_first, seq_last FROM gone WHERE stream=?1 AND seq_first<=?3 "
                        "AND seq_last>=?2",
                        &q, err);
    if (r)
        return r;
    sqlite3_bind_int64(q, 1, stream);
    sqlite3_bind_int64(q, 2, seq_first > INT64_MAX ? INT64_MAX : (int64_t)seq_first);
    sqlite3_bind_int64(q, 3, seq_last > INT64_MAX ? INT64_MAX : (int64_t)seq_last);
    while ((r = sql_step(q, err)) == 0) {
        const uint64_t range[] = {(uint64_t)sqlite3_column_int64(q, 0),
                                  (uint64_t)sqlite3_column_int64(q, 1)};
        buf_append(out, range, sizeof(range));
    }
    sqlite3_finalize(q);
    if (r == SQL_DONE && buf_failed(out))
        return err_set(err, ERR_NOMEM, "%s", err_text(ERR_NOMEM));
    return r == SQL_DONE ? 0 : r;
}

int evidence_seq_gone(struct reader *r, int64_t stream, uint64_t seq, bool *ret, struct errmsg *err)
{
    struct buf ranges = {0};
    int rc = resend_find_gone(r->db, stream, seq, seq, &ranges, err);
    if (rc == 0)
        *ret = ranges.size > 0;
    buf_deinit(&ranges);
    return rc;
}

int evidence_after(struct reader *r, int64_t stream, uint64_t seq, uint32_t most,
                   void (*each)(void *arg, const struct record *records, uint32_t count), void *arg,
                   struct errmsg *err)
{
    sqlite3_stmt *q;
    int rc = sql_prepare(r->db,
                         "SELECT e.block FROM (SELECT id FROM moment WHERE stream=?1 AND "
                         "seq_last>?2 ORDER BY id DESC LIMIT ?3) m JOIN evidence e ON "
                         "e.moment=m.id ORDER BY m.id",
                         &q, err);
    if (rc)
        return rc;
    sqlite3_bind_int64(q, 1, stream);
    sqlite3_bind_int64(q, 2, seq > INT64_MAX ? INT64_MAX : (int64_t)seq);
    sqlite3_bind_int64(q, 3, most);
    struct arena arena;
    arena_init(&arena, ARENA_CHUNK);
    while ((rc = sql_step(q, err)) == 0) {
        struct slice block = {sqlite3_column_blob(q, 0), (size_t)sqlite3_column_bytes(q, 0)};
        struct record *records;
        uint32_t count;
        arena_reset(&arena);
        rc = evidence_decode(block, &arena, &records, &count, err);
        if (rc)
            break;
        each(arg, records, count);
    }
    arena_deinit(&arena);
    sqlite3_finalize(q);
    return rc == SQL_DONE ? 0 : rc;
}
