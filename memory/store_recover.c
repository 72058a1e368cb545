/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The journal after a crash. A batch goes when the last of its records lies in a moment, so of an
 * older one some may lie in moments already; whoever replays it must not see those again.
 */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "memory/evidence.h"
#include "memory/resend.h"
#include "memory/store_internal.h"

#define ARENA_CHUNK (256u << 10)
#define JOURNAL_LEVEL 1

struct recovery {
    struct arena arena;
    struct buf stored; /* seqs in moments, uint64_t */
    struct buf gone;   /* ranges of seqs that were let go, pairs of uint64_t */
    struct buf block;  /* what is left of a batch */
    struct buf done;   /* ids of batches of which nothing is left, int64_t */
};

static void note_seq(void *arg, uint64_t seq, uint64_t hash)
{
    buf_append(arg, &seq, sizeof(seq));
}

static int compare_seq(const void *a, const void *b)
{
    uint64_t x, y;
    memcpy(&x, a, sizeof(x));
    memcpy(&y, b, sizeof(y));
    return (x > y) - (x < y);
}

static bool is_gone(const struct buf *gone, uint64_t seq)
{
    for (size_t at = 0; at < gone->size; at += 2 * sizeof(uint64_t)) {
        uint64_t range[2];
        memcpy(range, gone->data + at, sizeof(range));
        if (seq >= range[0] && seq <= range[1])
            return true;
    }
    return false;
}

/* Takes the records that are stored, or were, out of records[0..*count). */
static void drop_stored(const struct recovery *v, struct record *records, uint32_t *count)
{
    const struct buf *stored = &v->stored;
    size_t n = stored->size / sizeof(uint64_t);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < *count; i++)
        if (!(n && bsearch(&records[i].seq, stored->data, n, sizeof(uint64_t), compare_seq)) &&
            !is_gone(&v->gone, records[i].seq))
            records[kept++] = records[i];
    *count = kept;
}

/* *ret_block is the batch without what is stored, borrowed; size 0 when nothing is left. */
static int remainder_of(struct store *s, struct recovery *v, int64_t stream, struct slice block,
                        struct slice *ret_block, struct errmsg *err)
{
    struct record *records;
    uint32_t count, all;
    uint64_t first = UINT64_MAX, last = 0;
    arena_reset(&v->arena);
    int r = evidence_decode(block, &v->arena, &records, &count, err);
    if (r)
        return r;
    for (uint32_t i = 0; i < count; i++) {
        first = records[i].seq < first ? records[i].seq : first;
        last = records[i].seq > last ? records[i].seq : last;
    }
    buf_clear(&v->stored);
    buf_clear(&v->gone);
    r = resend_find(s->db, stream, first, last, false, note_seq, &v->stored, err);
    if (r == 0)
        r = resend_find_gone(s->db, stream, first, last, &v->gone, err);
    if (r)
        return r;
    *ret_block = block;
    if (buf_failed(&v->stored))
        return err_set(err, ERR_NOMEM, "%s", err_text(ERR_NOMEM));
    if (v->stored.size == 0 && v->gone.size == 0)
        return 0;
    if (v->stored.size)
        qsort(v->stored.data, v->stored.size / sizeof(uint64_t), sizeof(uint64_t), compare_seq);
    all = count;
    drop_stored(v, records, &count);
    if (count == all)
        return 0;
    buf_clear(&v->block);
    r = count ? evidence_encode(records, count, JOURNAL_LEVEL, &v->block) : 0;
    *ret_block = (struct slice){v->block.data, v->block.size};
    return r ? err_set(err, r, "%s", err_text(r)) : 0;
}

static int replay(struct store *s, struct recovery *v, sqlite3_stmt *q,
                  int (*each)(void *arg, int64_t id, int64_t stream, struct slice block), void *arg,
                  struct errmsg *err)
{
    int r;
    while ((r = sql_step(q, err)) == 0) {
        int64_t id = sqlite3_column_int64(q, 0), stream = sqlite3_column_int64(q, 1);
        struct slice block = {sqlite3_column_blob(q, 2), (size_t)sqlite3_column_bytes(q, 2)};
        r = remainder_of(s, v, stream, block, &block, err);
        if (r)
            return err_wrap(err, r, "journal batch %lld", (long long)id);
        if (block.size)
            r = each(arg, id, stream, block);
        else
            buf_append(&v->done, &id, sizeof(id));
        if (r)
            return r;
    }
    return r == SQL_DONE ? 0 : r;
}

static int delete_done(struct store *s, const struct recovery *v, struct errmsg *err)
{
    int r = buf_failed(&v->done) ? err_set(err, ERR_NOMEM, "%s", err_text(ERR_NOMEM)) : 0;
    for (size_t at = 0; at < v->done.size && r == 0; at += sizeof(int64_t)) {
        int64_t id;
        memcpy(&id, v->done.data + at, sizeof(id));
        r = store_pending_delete(s, id, err);
    }
    return r;
}

int store_pending(struct store *s,
                  int (*each)(void *arg, int64_t id, int64_t stream, struct slice block), void *arg,
                  struct errmsg *err)
{
    sqlite3_stmt *q;
    int r = sql_prepare(s->db, "SELECT id, stream, block FROM pending ORDER BY id", &q, err);
    if (r)
        return r;
    struct recovery v = {0};
    arena_init(&v.arena, ARENA_CHUNK);
    r = replay(s, &v, q, each, arg, err);
    sqlite3_finalize(q);
    if (r == 0)
        r = delete_done(s, &v, err);
    arena_deinit(&v.arena);
    buf_deinit(&v.stored);
    buf_deinit(&v.gone);
    buf_deinit(&v.block);
    buf_deinit(&v.done);
    return r;
}
