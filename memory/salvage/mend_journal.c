/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A batch of the journal stays with those of its records that lie in no moment and in no batch
 * before it. Memory: 8 bytes a record that a stream has in its journal.
 */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "memory/evidence.h"
#include "memory/resend.h"
#include "memory/salvage/mend.h"

#define LEVEL 1

struct journal {
    struct store *s;
    struct salvage_report *report;
    struct arena arena;
    struct buf seen;   /* uint64_t, sorted: of the batches before, of one stream */
    struct buf stored; /* uint64_t, sorted: in moments, around this batch */
    struct buf block;
    int64_t stream;
    sqlite3_stmt *next, *update, *drop;
};

static int compare_seq(const void *a, const void *b)
{
    uint64_t x, y;
    memcpy(&x, a, sizeof(x));
    memcpy(&y, b, sizeof(y));
    return (x > y) - (x < y);
}

static void sort(struct buf *seqs)
{
    if (seqs->size)
        qsort(seqs->data, seqs->size / sizeof(uint64_t), sizeof(uint64_t), compare_seq);
}

static bool is_in(const struct buf *seqs, uint64_t seq)
{
    return seqs->size &&
           bsearch(&seq, seqs->data, seqs->size / sizeof(seq), sizeof(seq), compare_seq);
}

static void note_seq(void *arg, uint64_t seq, uint64_t hash)
{
    buf_append(arg, &seq, sizeof(seq));
}

static void range_of(const struct record *records, uint32_t count, uint64_t *ret_first,
                     uint64_t *ret_last)
{
    *ret_first = UINT64_MAX;
    *ret_last = 0;
    for (uint32_t i = 0; i < count; i++) {
        *ret_first = records[i].seq < *ret_first ? records[i].seq : *ret_first;
        *ret_last = records[i].seq > *ret_last ? records[i].seq : *ret_last;
    }
}

static int drop_batch(struct journal *j, int64_t id, bool broken, struct errmsg *err)
{
    if (broken)
        mend_count(j->report, "pending", 1);
    sqlite3_bind_int64(j->drop, 1, id);
    return sql_run(j->drop, err);
}

static int keep(struct journal *j, int64_t id, const struct record *records, uint32_t count,
                struct errmsg *err)
{
    uint64_t first, last;
    if (count == 0)
        return drop_batch(j, id, false, err);
    range_of(records, count, &first, &last);
    buf_clear(&j->block);
    int r = evidence_encode(records, count, LEVEL, &j->block);
    if (r)
        return err_set(err, r, "%s", err_text(r));
    sqlite3_bind_int64(j->update, 1, id);
    sqlite3_bind_int64(j->update, 2, (int64_t)first);
    sqlite3_bind_int64(j->update, 3, (int64_t)last);
    sqlite3_bind_int64(j->update, 4, count);
    sqlite3_bind_blob(j->update, 5, j->block.data, (int)j->block.size, SQLITE_STATIC);
    j->report->journaled += count;
    return sql_run(j->update, err);
}

/* Takes out what is elsewhere, and notes what stays. */
static int sift(struct journal *j, struct record *records, uint32_t *count, struct errmsg *err)
{
    uint64_t first, last;
    uint32_t kept = 0;
    range_of(records, *count, &first, &last);
    buf_clear(&j->stored);
    int r = resend_find(j->s->db, j->stream, first, last, false, note_seq, &j->stored, err);
    if (r)
        return r;
    sort(&j->stored);
    size_t before = j->seen.size;
    struct buf seen = j->seen;
    for (uint32_t i = 0; i < *count; i++) {
        seen.size = before;
        if (is_in(&j->stored, records[i].seq) || is_in(&seen, records[i].seq))
            continue;
        records[kept++] = records[i];
        buf_append(&j->seen, &records[kept - 1].seq, sizeof(uint64_t));
        seen.data = j->seen.data;
    }
    sort(&j->seen);
    *count = kept;
    return buf_failed(&j->stored) || buf_failed(&j->seen)
               ? err_set(err, ERR_NOMEM, "%s", err_text(ERR_NOMEM))
               : 0;
}

/* Within one batch a seq may stand twice only in a broken one. */
static bool has_twice(struct journal *j, const struct record *records, uint32_t count)
{
    buf_clear(&j->stored);
    for (uint32_t i = 0; i < count; i++)
        buf_append(&j->stored, &records[i].seq, sizeof(uint64_t));
    sort(&j->stored);
    for (size_t i = 8; i < j->stored.size; i += 8)
        if (memcmp(j->stored.data + i, j->stored.data + i - 8, 8) == 0)
            return true;
    return false;
}

static int mend_batch(struct journal *j, int64_t *ret_id, struct errmsg *err)
{
    struct slice block = {sqlite3_column_blob(j->next, 2),
                          (size_t)sqlite3_column_bytes(j->next, 2)};
    struct record *records;
    uint32_t count;
    uint64_t first, last;
    *ret_id = sqlite3_column_int64(j->next, 0);
    if (sqlite3_column_int64(j->next, 1) != j->stream)
        buf_clear(&j->seen);
    j->stream = sqlite3_column_int64(j->next, 1);
    bool known = sqlite3_column_int(j->next, 3);
    arena_reset(&j->arena);
    int r = evidence_decode(block, &j->arena, &records, &count, err);
    sqlite3_reset(j->next);
    if (r == 0)
        range_of(records, count, &first, &last);
    if (r == ERR_CORRUPT || (r == 0 && (!known || last > SEQ_MAX || has_twice(j, records, count))))
        return drop_batch(j, *ret_id, true, err);
    if (r == 0)
        r = sift(j, records, &count, err);
    return r ? r : keep(j, *ret_id, records, count, err);
}

static int mend_each(struct journal *j, struct errmsg *err)
{
    int64_t id = INT64_MIN;
    j->stream = INT64_MIN;
    for (;;) {
        sqlite3_bind_int64(j->next, 1, j->stream);
        sqlite3_bind_int64(j->next, 2, id);
        int r = sql_step(j->next, err);
        if (r)
            return r == SQL_DONE ? 0 : r;
        r = mend_batch(j, &id, err);
        if (r)
            return r;
    }
}

int mend_journal(struct store *s, struct salvage_report *report, struct errmsg *err)
{
    struct journal j = {.s = s, .report = report};
    arena_init(&j.arena, 256u << 10);
    int r = sql_prepare(s->db,
                        "SELECT p.id, p.stream, p.block, s.id IS NOT NULL FROM pending p "
                        "LEFT JOIN stream s ON s.id=p.stream WHERE (p.stream, p.id) > (?1, ?2) "
                        "ORDER BY p.stream, p.id LIMIT 1",
                        &j.next, err);
    if (r == 0)
        r = sql_prepare(s->db,
                        "UPDATE pending SET seq_first=?2, seq_last=?3, records=?4, block=?5 "
                        "WHERE id=?1",
                        &j.update, err);
    if (r == 0)
        r = sql_prepare(s->db, "DELETE FROM pending WHERE id=?1", &j.drop, err);
    if (r == 0)
        r = mend_each(&j, err);
    sqlite3_finalize(j.next);
    sqlite3_finalize(j.update);
    sqlite3_finalize(j.drop);
    arena_deinit(&j.arena);
    buf_deinit(&j.seen);
    buf_deinit(&j.stored);
    buf_deinit(&j.block);
    return r;
}
