/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The phases of a forgetting, one bounded step a call. What a step changes in this struct counts
 * only once its transaction is committed (forget_settle).
 *
 * The index: FTS5 keeps the words of deleted rows until the segments that hold them are merged with
 * those that delete them. A merge with a negative bound puts all segments of that moment into one
 * level, further ones carry it on; what is written meanwhile makes segments of its own and does not
 * matter, so the end is when none of the first ones is left.
 */
#include "memory/forget.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "memory/forget_internal.h"
#include "memory/keep_internal.h"
#include "memory/words_internal.h"

#define MERGE_PAGES 64                      /* of the index a step */
#define VACUUM_PAGES 1024                   /* a step */
#define READER_WAIT_US (20 * US_PER_SECOND) /* at start */

/* What is told elsewhere of words that are gone makes rows of its own. */
enum erasing_part { ERASING_ROWS, ERASING_WORDS, ERASING_TOLD };

static int check_selector(const struct forget_selector *x, struct errmsg *err)
{
    bool time = x->since != TIME_UNKNOWN || x->until != TIME_UNKNOWN;
    if (x->id && (x->stream || time || x->match.size))
        return err_set(err, ERR_INVALID, "either an id, or a stream, times and a text");
    if (!x->id && !x->stream && !time && x->match.size == 0)
        return err_set(err, ERR_INVALID, "what to forget: an id, a stream, times or a text");
    if (x->since != TIME_UNKNOWN && x->until != TIME_UNKNOWN && x->since >= x->until)
        return err_set(err, ERR_INVALID, "since must lie before until");
    if (x->match.size > FORGET_MATCH_MAX)
        return err_set(err, ERR_INVALID, "match: at most %d bytes", FORGET_MATCH_MAX);
    return 0;
}

int forget_new(const struct forget_selector *selector, struct forget **ret, struct errmsg *err)
{
    int r = check_selector(selector, err);
    if (r)
        return r;
    struct forget *f = mem_calloc(1, sizeof(*f));
    if (!f)
        return err_set(err, ERR_NOMEM, "%s", err_text(ERR_NOMEM));
    f->selector = *selector;
    if (selector->match.size && forget_fold(selector->match, &f->pattern) != 0) {
        forget_free(f);
        return err_set(err, ERR_NOMEM, "%s", err_text(ERR_NOMEM));
    }
    f->selector.match.data = f->pattern.data;
    *ret = f;
    return 0;
}

int forget_channel(struct forget *f, int64_t stream, uint16_t index)
{
    int64_t id = FORGET_CHANNEL_ID(stream, index);
    buf_append(&f->channels, &id, sizeof(id));
    return buf_failed(&f->channels) ? ERR_NOMEM : 0;
}

void forget_free(struct forget *f)
{
    if (!f)
        return;
    buf_deinit(&f->pattern);
    buf_deinit(&f->moments);
    buf_deinit(&f->streams);
    buf_deinit(&f->words);
    buf_deinit(&f->channels);
    buf_deinit(&f->segments);
    buf_deinit(&f->folded);
    mem_free(f);
}

enum forget_phase forget_phase(const struct forget *f)
{
    return f->now.phase;
}

/* The next phase when r is 0. */
static int through(struct forget *f, int r, enum forget_phase next)
{
    if (r == 0) {
        f->next.phase = next;
        f->next.part = 0;
        f->next.at = 0;
    }
    return r;
}

static int planning(struct store *s, struct forget *f, struct errmsg *err)
{
    int r = erase_prepare(s, err);
    if (r == 0)
        r = forget_plan(s, f, err);
    if (r || f->selector.dry)
        return through(f, r, FORGET_DONE);
    if (f->next.receipt.planned)
        return through(f, 0, FORGET_ERASING);
    /* It may have been let go, and its bytes still lie in the index and in free pages. */
    f->residue = s->keeper->residue;
    return through(f, 0, f->residue > s->keeper->cleared ? FORGET_INDEX : FORGET_DONE);
}

static int merge(struct store *s, int pages, struct errmsg *err)
{
    char sql[80];
    int r = pages < 0 ? words_trim_levels(s->db, err) : 0;
    snprintf(sql, sizeof(sql), "INSERT INTO words(words, rank) VALUES('merge', %d)", pages);
    return r ? r : sql_exec(s->db, sql, err);
}

static int erasing(struct store *s, struct forget *f, struct errmsg *err)
{
    int part = f->next.part;
    if (f->merges) {
        f->merges = false;
        int r = merge(s, -MERGE_PAGES / 4, err);
        return r ? r : STORE_MORE;
    }
    if (part == ERASING_TOLD)
        return through(f, forget_carry_out(s, f, err), FORGET_MODELS);
    int r = part == ERASING_ROWS ? forget_carry_out(s, f, err) : forget_check_words(s, f, err);
    if (r == 0) {
        f->next.part++;
        f->next.at = 0;
    }
    return r ? r : STORE_MORE;
}

static int note_segments(struct store *s, struct forget *f, struct errmsg *err)
{
    sqlite3_stmt *q;
    int r = sql_prepare(s->db, "SELECT DISTINCT segid FROM words_idx", &q, err);
    if (r)
        return r;
    buf_clear(&f->segments);
    while ((r = sql_step(q, err)) == 0) {
        int64_t id = sqlite3_column_int64(q, 0);
        buf_append(&f->segments, &id, sizeof(id));
    }
    sqlite3_finalize(q);
    if (r == SQL_DONE && buf_failed(&f->segments))
        return err_set(err, ERR_NOMEM, "%s", err_text(ERR_NOMEM));
    return r == SQL_DONE ? 0 : r;
}

/* *ret: one of the segments that were there at first still is. */
static int segments_left(struct store *s, struct forget *f, bool *ret, struct errmsg *err)
{
    sqlite3_stmt *q;
    int r = sql_prepare(s->db, "SELECT 1 FROM words_idx WHERE segid=?1 LIMIT 1", &q, err);
    *ret = false;
    for (size_t at = 0; at < f->segments.size && r == 0 && !*ret; at += sizeof(int64_t)) {
        int64_t id;
        memcpy(&id, f->segments.data + at, sizeof(id));
        sqlite3_bind_int64(q, 1, id);
        r = sql_step(q, err);
        *ret = r == 0;
        r = r == SQL_DONE ? 0 : r;
        sqlite3_reset(q);
    }
    sqlite3_finalize(q);
    return r;
}

/* Parts: 0 begins; then merges go on until the old segments are gone, or nothing moves any more:
 * then there was a single one, which holds no deleted word. */
static int index_step(struct store *s, struct forget *f, struct errmsg *err)
{
    if (f->next.part == 0) {
        int r = note_segments(s, f, err);
        if (r == 0 && f->segments.size <= sizeof(int64_t))
            return through(f, 0, FORGET_ROOM);
        if (r == 0)
            r = merge(s, -MERGE_PAGES, err);
        f->next.part = 1;
        return r ? r : STORE_MORE;
    }
    bool left;
    int64_t before = sqlite3_total_changes64(s->db);
    int r = merge(s, MERGE_PAGES, err);
    bool moved = sqlite3_total_changes64(s->db) - before >= 2;
    if (r == 0)
        r = segments_left(s, f, &left, err);
    if (r)
        return r;
    return left && moved ? STORE_MORE : through(f, 0, FORGET_ROOM);
}

static int room_step(struct store *s, struct forget *f, struct errmsg *err)
{
    int64_t pages;
    char sql[64];
    int r = sql_int64(s->db, "PRAGMA freelist_count", &pages, err);
    if (r)
        return r;
    snprintf(sql, sizeof(sql), "PRAGMA incremental_vacuum(%d)", VACUUM_PAGES);
    r = pages ? sql_exec(s->db, sql, err) : 0;
    if (r)
        return r;
    return pages > VACUUM_PAGES ? STORE_MORE : through(f, 0, FORGET_FILE);
}

/* What was saved before a model was cleaned; the caller saves it anew. */
static int drop_models(struct store *s, struct errmsg *err)
{
    int r = sql_exec(s->db,
                     "DELETE FROM state WHERE key IN "
                     "(SELECT 'model/' || id FROM forget WHERE what=20)",
                     err);
    return r ? r : sql_exec(s->db, "DELETE FROM forget WHERE what=20", err);
}

static int ending(struct store *s, struct forget *f, struct errmsg *err)
{
    if (f->residue > s->keeper->cleared)
        s->keeper->cleared = f->residue;
    return through(f, sql_exec(s->db, "DELETE FROM forget", err), FORGET_DONE);
}

static void cut(struct buf *b, size_t size)
{
    b->size = b->size < size ? b->size : size;
}

static void take_back(struct forget *f)
{
    cut(&f->moments, f->now.moments);
    cut(&f->streams, f->now.streams);
    cut(&f->words, f->now.words);
}

int forget_step(struct store *s, struct forget *f, struct errmsg *err)
{
    take_back(f); /* of a step that was rolled back and is tried again */
    f->next = f->now;
    if (f->now.phase != FORGET_FILE)
        keep_lend(s, true);
    switch (f->now.phase) {
    case FORGET_PLANNING:
        return planning(s, f, err);
    case FORGET_ERASING:
        return erasing(s, f, err);
    case FORGET_MODELS:
        return through(f, drop_models(s, err), FORGET_INDEX);
    case FORGET_INDEX:
        return index_step(s, f, err);
    case FORGET_ROOM:
        return room_step(s, f, err);
    case FORGET_FILE:
        return through(f, scrub_step(s, &f->scrub, err), FORGET_ENDING);
    case FORGET_ENDING:
        return ending(s, f, err);
    case FORGET_DONE:
        return 0;
    }
    return 0;
}

void forget_settle(struct forget *f, bool committed)
{
    if (!committed) {
        take_back(f);
        f->merges = ++f->failures % 2 == 1;
        return;
    }
    f->now = f->next;
    f->now.moments = f->moments.size;
    f->now.streams = f->streams.size;
    f->now.words = f->words.size;
}

void forget_receipt(const struct forget *f, struct forget_receipt *ret)
{
    XXH128_canonical_t canonical;
    *ret = f->now.receipt;
    XXH128_canonicalFromHash(&canonical, f->now.hash);
    memcpy(ret->hash, canonical.digest, sizeof(ret->hash));
    size_t n = f->now.moments / sizeof(int64_t);
    ret->ids = (const int64_t *)(const void *)f->moments.data;
    ret->id_count = n < FORGET_IDS_MAX ? (uint32_t)n : FORGET_IDS_MAX;
}

const int64_t *forget_streams(const struct forget *f, uint32_t *ret_count)
{
    *ret_count = (uint32_t)(f->now.streams / sizeof(int64_t));
    return (const int64_t *)(const void *)f->streams.data;
}

const int64_t *forget_moments(const struct forget *f, size_t *ret_count)
{
    *ret_count = f->now.moments / sizeof(int64_t);
    return (const int64_t *)(const void *)f->moments.data;
}

/* A step with a transaction of its own. */
static int step(struct store *s, struct forget *f, struct errmsg *err)
{
    bool alone = f->now.phase == FORGET_FILE;
    int r = alone ? 0 : store_begin(s, err);
    int done = r ? r : forget_step(s, f, err);
    r = done < 0 ? done : alone ? 0 : store_commit(s, err);
    if (r && !alone)
        store_rollback(s);
    forget_settle(f, r == 0);
    return r;
}

static int carry_to_end(struct store *s, struct forget *f, struct errmsg *err)
{
    int64_t file_since = 0;
    int r = erase_prepare(s, err);
    while (r == 0 && f->now.phase != FORGET_DONE) {
        if (f->now.phase == FORGET_FILE && !file_since)
            file_since = clock_mono(clock_system());
        if (f->now.phase == FORGET_FILE && !f->scrub.started &&
            clock_mono(clock_system()) - file_since > READER_WAIT_US)
            return err_set(err, ERR_BUSY, "another program reads the file");
        while (r == 0 && (r = store_make_room(s, FORGET_STEP_ROOM, err)) == STORE_MORE)
            r = 0;
        r = r == STORE_NO_ROOM ? 0 : r;
        if (r == 0)
            r = step(s, f, err);
    }
    return r;
}

int forget_finish(struct store *s, bool *ret_did, struct errmsg *err)
{
    int64_t planned, rows;
    *ret_did = false;
    int r = sql_int64(s->db, "SELECT count(*) FROM forget", &rows, err);
    if (r == 0)
        r = sql_int64(s->db, "SELECT count(*) FROM forget WHERE what=0", &planned, err);
    if (r || rows == 0)
        return r;
    if (planned == 0) /* it was not complete, nobody was told that anything goes */
        return sql_exec(s->db, "DELETE FROM forget", err);
    struct forget *f = mem_calloc(1, sizeof(*f));
    if (!f)
        return err_set(err, ERR_NOMEM, "%s", err_text(ERR_NOMEM));
    f->now.phase = FORGET_ERASING;
    f->too_many_words = true;
    r = carry_to_end(s, f, err);
    s->scrubbing = false;
    forget_free(f);
    *ret_did = r == 0;
    return r;
}
