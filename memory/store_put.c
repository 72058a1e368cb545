/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Streams, journal, moments, state: one statement each, most of the cost of a moment is its rows in
 * the full-text index. Rows of `words` go in by rising rowid, as FTS5 flushes its buffer to disk
 * whenever a rowid steps back.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "memory/evidence.h"
#include "memory/keep_internal.h"
#include "memory/store_internal.h"

static void bind_slice(sqlite3_stmt *stmt, int at, struct slice s)
{
    sqlite3_bind_blob(stmt, at, s.data ? s.data : "", (int)s.size, SQLITE_STATIC);
}

static void bind_text(sqlite3_stmt *stmt, int at, struct slice s)
{
    sqlite3_bind_text(stmt, at, s.data ? s.data : "", (int)s.size, SQLITE_STATIC);
}

/* 0 and TIME_UNKNOWN stand for "none" in our structs, NULL in the file. */
static void bind_or_null(sqlite3_stmt *stmt, int at, int64_t v, int64_t none)
{
    if (v == none)
        sqlite3_bind_null(stmt, at);
    else
        sqlite3_bind_int64(stmt, at, v);
}

/* A column that is NOT NULL would refuse a NaN, which SQLite takes for NULL. */
static void bind_real(sqlite3_stmt *stmt, int at, double v)
{
    sqlite3_bind_double(stmt, at, isfinite(v) ? v : 0);
}

static void read_stream(sqlite3_stmt *q, struct store_stream *ret)
{
    *ret = (struct store_stream){.id = sqlite3_column_int64(q, 0)};
    snprintf(ret->name, sizeof(ret->name), "%s", (const char *)sqlite3_column_text(q, 1));
    ret->kind = (enum stream_kind)sqlite3_column_int(q, 2);
    snprintf(ret->source, sizeof(ret->source), "%s", (const char *)sqlite3_column_text(q, 3));
    ret->created = sqlite3_column_int64(q, 4);
    ret->next_seq = (uint64_t)sqlite3_column_int64(q, 5);
    ret->records = (uint64_t)sqlite3_column_int64(q, 6);
    ret->bytes = (uint64_t)sqlite3_column_int64(q, 7);
    ret->late = (uint64_t)sqlite3_column_int64(q, 8);
    ret->gaps = (uint64_t)sqlite3_column_int64(q, 9);
    ret->dropped = (uint64_t)sqlite3_column_int64(q, 10);
    ret->redacted = (uint64_t)sqlite3_column_int64(q, 11);
    bool times = sqlite3_column_type(q, 12) != SQLITE_NULL;
    ret->first_time = times ? sqlite3_column_int64(q, 12) : TIME_UNKNOWN;
    ret->last_time = times ? sqlite3_column_int64(q, 13) : TIME_UNKNOWN;
}

int store_streams(struct store *s, void (*each)(void *arg, const struct store_stream *stream),
                  void *arg, struct errmsg *err)
{
    sqlite3_stmt *q;
    struct store_stream stream;
    int r = sql_prepare(s->db,
                        "SELECT id, name, kind, source, created, next_seq, records, bytes, late, "
                        "gaps, dropped, redacted, first_time, last_time FROM stream ORDER BY id",
                        &q, err);
    if (r)
        return r;
    while ((r = sql_step(q, err)) == 0) {
        read_stream(q, &stream);
        each(arg, &stream);
    }
    sqlite3_finalize(q);
    return r == SQL_DONE ? 0 : r;
}

int store_stream_create(struct store *s, const char *name, enum stream_kind kind,
                        const char *source, int64_t *ret_id, struct errmsg *err)
{
    if (name[0] == '\0' || strlen(name) > STREAM_NAME_MAX)
        return err_set(err, ERR_INVALID, "a stream's name has 1 to %d bytes", STREAM_NAME_MAX);
    sqlite3_stmt *insert = store_stmt(s, SQL_STREAM_INSERT);
    sqlite3_bind_text(insert, 1, name, -1, SQLITE_STATIC);
    sqlite3_bind_int(insert, 2, (int)kind);
    sqlite3_bind_text(insert, 3, source, -1, SQLITE_STATIC);
    sqlite3_bind_int64(insert, 4, clock_now(s->clock));
    int r = sql_run(insert, err);
    if (r == ERR_EXISTS)
        return err_set(err, r, "stream %s: %s", name, err_text(r));
    if (r == 0)
        *ret_id = sqlite3_last_insert_rowid(s->db);
    return r;
}

int store_stream_update(struct store *s, const struct store_stream *stream, struct errmsg *err)
{
    sqlite3_stmt *update = store_stmt(s, SQL_STREAM_UPDATE);
    const uint64_t counters[] = {stream->next_seq, stream->records, stream->bytes,   stream->late,
                                 stream->gaps,     stream->dropped, stream->redacted};
    sqlite3_bind_int64(update, 1, stream->id);
    sqlite3_bind_text(update, 2, stream->source, -1, SQLITE_STATIC);
    for (int i = 0; i < 7; i++)
        sqlite3_bind_int64(update, 3 + i, (int64_t)counters[i]);
    bind_or_null(update, 10, stream->first_time, TIME_UNKNOWN);
    bind_or_null(update, 11, stream->last_time, TIME_UNKNOWN);
    int r = sql_run(update, err);
    if (r == 0 && sqlite3_changes(s->db) == 0)
        r = err_set(err, ERR_NOTFOUND, "no stream %lld", (long long)stream->id);
    return r;
}

int store_channel_put(struct store *s, int64_t stream, uint16_t index, const char *name,
                      struct errmsg *err)
{
    sqlite3_stmt *put = store_stmt(s, SQL_CHANNEL_PUT);
    sqlite3_bind_int64(put, 1, stream);
    sqlite3_bind_int(put, 2, index);
    sqlite3_bind_text(put, 3, name, -1, SQLITE_STATIC);
    return sql_run(put, err);
}

int store_channels(struct store *s, int64_t stream,
                   void (*each)(void *arg, uint16_t index, const char *name), void *arg,
                   struct errmsg *err)
{
    sqlite3_stmt *q;
    int r =
        sql_prepare(s->db, "SELECT idx, name FROM channel WHERE stream=?1 ORDER BY idx", &q, err);
    if (r)
        return r;
    sqlite3_bind_int64(q, 1, stream);
    while ((r = sql_step(q, err)) == 0)
        each(arg, (uint16_t)sqlite3_column_int(q, 0), (const char *)sqlite3_column_text(q, 1));
    sqlite3_finalize(q);
    return r == SQL_DONE ? 0 : r;
}

int store_pending_put(struct store *s, int64_t stream, uint64_t seq_first, uint64_t seq_last,
                      uint32_t count, struct slice block, int64_t *ret_id, struct errmsg *err)
{
    if (seq_last > INT64_MAX || seq_first > seq_last)
        return err_set(err, ERR_RANGE, "seq %llu: %s", (unsigned long long)seq_last,
                       err_text(ERR_RANGE));
    sqlite3_stmt *put = store_stmt(s, SQL_PENDING_PUT);
    sqlite3_bind_int64(put, 1, stream);
    sqlite3_bind_int64(put, 2, (int64_t)seq_first);
    sqlite3_bind_int64(put, 3, (int64_t)seq_last);
    sqlite3_bind_int64(put, 4, count);
    bind_slice(put, 5, block);
    int r = sql_run(put, err);
    if (r == 0)
        *ret_id = sqlite3_last_insert_rowid(s->db);
    return r;
}

int store_pending_delete(struct store *s, int64_t id, struct errmsg *err)
{
    sqlite3_stmt *delete = store_stmt(s, SQL_PENDING_DELETE);
    sqlite3_bind_int64(delete, 1, id);
    return sql_run(delete, err);
}

int store_insert_moment(struct store *s, const struct moment_row *m, int64_t *ret_id,
                        struct errmsg *err)
{
    sqlite3_stmt *insert = store_stmt(s, SQL_MOMENT_INSERT);
    sqlite3_bind_int(insert, 1, m->stratum);
    bind_or_null(insert, 2, m->stream, 0);
    sqlite3_bind_int64(insert, 3, m->t_start);
    sqlite3_bind_int64(insert, 4, m->t_end);
    sqlite3_bind_int64(insert, 5, m->records);
    sqlite3_bind_int64(insert, 6, m->raw_bytes);
    bind_or_null(insert, 7, m->seq_first, 0);
    bind_or_null(insert, 8, m->seq_last, 0);
    bind_real(insert, 9, m->bits);
    bind_real(insert, 10, m->bits_max);
    bind_real(insert, 11, m->z);
    sqlite3_bind_int64(insert, 12, m->unusual);
    sqlite3_bind_int(insert, 13, m->path);
    sqlite3_bind_int64(insert, 14, m->code);
    bind_real(insert, 15, m->confidence);
    bind_real(insert, 16, m->tau);
    sqlite3_bind_int64(insert, 17, m->model);
    sqlite3_bind_int64(insert, 18, m->flags);
    sqlite3_bind_int(insert, 19, m->ended);
    sqlite3_bind_int64(insert, 20, clock_now(s->clock));
    sqlite3_bind_blob(insert, 21, m->hash, sizeof(m->hash), SQLITE_STATIC);
    bind_text(insert, 22, m->title);
    sqlite3_bind_double(insert, 23, s->keeper->tau.tau);
    int r = sql_run(insert, err);
    if (r)
        return r;
    *ret_id = sqlite3_last_insert_rowid(s->db);
    store_count_span(s, m->stratum, 1, m->t_end - m->t_start);
    return 0;
}

int store_put_latent(struct store *s, int64_t id, uint32_t model, const float *latent,
                     struct errmsg *err)
{
    signed char vec[LATENT_DIM];
    float top = 0;
    for (int i = 0; i < LATENT_DIM; i++) {
        if (!isfinite(latent[i]))
            return 0;
        top = fabsf(latent[i]) > top ? fabsf(latent[i]) : top;
    }
    if (top == 0)
        return 0;
    for (int i = 0; i < LATENT_DIM; i++)
        vec[i] = (signed char)lrintf(latent[i] / top * 127);
    sqlite3_stmt *put = store_stmt(s, SQL_LATENT_PUT);
    sqlite3_bind_int64(put, 1, id);
    sqlite3_bind_int64(put, 2, model);
    sqlite3_bind_double(put, 3, (double)top / 127);
    sqlite3_bind_blob(put, 4, vec, sizeof(vec), SQLITE_STATIC);
    return sql_run(put, err);
}

static int note_words(struct store *s, const struct store_words *words, int sign,
                      struct errmsg *err)
{
    struct store_effects *e = &s->effects;
    if (e->word_capacity - e->word_count < words->count) {
        uint32_t capacity = e->word_capacity ? e->word_capacity : 4096;
        while (capacity - e->word_count < words->count)
            capacity *= 2;
        struct word_delta *grown = mem_realloc(e->words, capacity * sizeof(*grown));
        if (!grown)
            return err_set(err, ERR_NOMEM, "words: %s", err_text(ERR_NOMEM));
        e->words = grown;
        e->word_capacity = capacity;
    }
    for (uint32_t i = 0; i < words->count; i++) {
        const struct word_entry *w = &words->entries[i];
        e->words[e->word_count++] =
            (struct word_delta){w->hash, sign * (int32_t)w->rows, sign * (int32_t)w->records};
    }
    e->rows += sign * (int64_t)words->row_count;
    e->records += sign * (int64_t)words->record_count;
    return 0;
}

static int put_row(struct store *s, enum store_statement which, int64_t id,
                   const struct store_words *words, const struct word_row *row, struct errmsg *err)
{
    sqlite3_stmt *put = store_stmt(s, which);
    sqlite3_bind_int64(put, 1, id * WORDS_ROWS + row->k);
    sqlite3_bind_text(put, 2, words->text.data ? words->text.data + row->at : "", (int)row->size,
                      SQLITE_STATIC);
    return sql_run(put, err);
}

static int put_rows(struct store *s, enum store_statement which, int64_t id,
                    const struct store_words *words, struct errmsg *err)
{
    /* Row 0 was made last and has the lowest rowid. */
    uint32_t last = words->row_count - 1;
    int r = put_row(s, which, id, words, &words->rows[last], err);
    for (uint32_t i = 0; i < last && r == 0; i++)
        r = put_row(s, which, id, words, &words->rows[i], err);
    return r;
}

int store_put_words(struct store *s, int64_t id, const struct store_words *words,
                    struct errmsg *err)
{
    int r = put_rows(s, SQL_WORDS_PUT, id, words, err);
    return r ? r : note_words(s, words, 1, err);
}

int store_delete_words(struct store *s, int64_t id, const struct store_words *words,
                       struct errmsg *err)
{
    s->keeper->rows_dead += words->row_count;
    int r = put_rows(s, SQL_WORDS_DELETE, id, words, err);
    return r ? r : note_words(s, words, -1, err);
}

static uint32_t count_alerts(const struct moment *m)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < m->unusual_count; i++)
        count += m->unusual[i].score >= UNUSUAL_ALERT;
    return count;
}

static int put_unusual(struct store *s, int64_t id, int64_t stream, const struct moment *m,
                       struct errmsg *err)
{
    sqlite3_stmt *put = store_stmt(s, SQL_UNUSUAL_PUT);
    int r = 0;
    for (uint32_t i = 0; i < m->unusual_count && r == 0; i++) {
        const struct unusual *u = &m->unusual[i];
        sqlite3_bind_int64(put, 1, id);
        sqlite3_bind_int64(put, 2, i);
        sqlite3_bind_int64(put, 3, stream);
        sqlite3_bind_int64(put, 4, u->start);
        sqlite3_bind_int64(put, 5, u->end);
        sqlite3_bind_int64(put, 6, u->first);
        sqlite3_bind_int64(put, 7, u->last);
        bind_real(put, 8, u->bits);
        bind_real(put, 9, u->z);
        bind_real(put, 10, u->score);
        sqlite3_bind_text(put, 11, u->why, -1, SQLITE_STATIC);
        r = sql_run(put, err);
    }
    return r;
}

/* What the block and the records say of the moment; ERR_INVALID when they do not belong together.
 */
static int describe(int64_t stream, const struct moment *m, struct slice block,
                    struct moment_row *ret, struct errmsg *err)
{
    struct evidence_info info;
    int r = evidence_info(block, &info, err);
    if (r)
        return r;
    if (info.count != m->record_count || m->record_count > MOMENT_RECORDS || m->start > m->end)
        return err_set(err, ERR_INVALID, "a moment of %u records, %u in its block", m->record_count,
                       info.count);
    uint64_t first = UINT64_MAX, last = 0;
    size_t bytes = 0;
    for (uint32_t i = 0; i < m->record_count; i++) {
        const struct record *rec = &m->records[i];
        first = rec->seq < first ? rec->seq : first;
        last = rec->seq > last ? rec->seq : last;
        bytes += record_payload_size(rec);
    }
    if (last > INT64_MAX)
        return err_set(err, ERR_RANGE, "seq %llu: %s", (unsigned long long)last,
                       err_text(ERR_RANGE));
    *ret = (struct moment_row){
        .stratum = STRATUM_MOMENT,
        .stream = stream,
        .t_start = m->start,
        .t_end = m->end,
        .records = m->record_count,
        .raw_bytes = (int64_t)bytes,
        .seq_first = (int64_t)first,
        .seq_last = (int64_t)last,
        .bits = m->bits,
        .bits_max = m->bits_max,
        .z = m->z,
        .unusual = count_alerts(m),
        .path = (int)m->path,
        .code = m->code,
        .confidence = m->confidence,
        .tau = m->tau,
        .model = m->model,
        .flags = m->flags,
        .ended = (int)m->ended,
        .title = {m->title, strnlen(m->title, sizeof(m->title))},
    };
    memcpy(ret->hash, info.hash, sizeof(ret->hash));
    return 0;
}

/* The tables beside the moment's own row. */
static int put_details(struct store *s, int64_t id, int64_t stream, const struct moment *m,
                       struct slice block, struct errmsg *err)
{
    sqlite3_stmt *evidence = store_stmt(s, SQL_EVIDENCE_PUT);
    sqlite3_bind_int64(evidence, 1, id);
    bind_slice(evidence, 2, block);
    int r = sql_run(evidence, err);
    if (r == 0 && m->gist.size) {
        sqlite3_stmt *gist = store_stmt(s, SQL_GIST_PUT);
        sqlite3_bind_int64(gist, 1, id);
        bind_text(gist, 2, m->gist);
        r = sql_run(gist, err);
    }
    if (r == 0)
        r = store_put_latent(s, id, m->model, m->latent, err);
    if (r == 0)
        r = put_unusual(s, id, stream, m, err);
    if (r == 0)
        r = store_entities_put(s, id, m, err);
    if (r == 0)
        r = store_put_tallies(s, id, stream, m, err);
    return r ? r : store_put_facts(s, id, stream, m, err);
}

int store_moment_put(struct store *s, int64_t stream, const struct moment *m, struct slice block,
                     const struct store_words *words, int64_t *ret_id, struct errmsg *err)
{
    struct moment_row row;
    int64_t id;
    int r = describe(stream, m, block, &row, err);
    if (r == 0)
        r = store_insert_moment(s, &row, &id, err);
    if (r == 0)
        r = put_details(s, id, stream, m, block, err);
    if (r == 0)
        r = store_put_words(s, id, words, err);
    if (r == 0)
        r = store_mark_dirty(s, m->start, err);
    if (r)
        return r;
    sqlite3_stmt *span = store_stmt(s, SQL_STREAM_SPAN);
    sqlite3_bind_int64(span, 1, stream);
    sqlite3_bind_int64(span, 2, m->end - m->start);
    r = sql_run(span, err);
    if (r)
        return r;
    s->effects.moments++;
    *ret_id = id;
    return keep_moment(s, stream, id, m, block.size, err);
}

static int change_moment(struct store *s, enum store_statement which, int64_t id, int value,
                         struct errmsg *err)
{
    sqlite3_stmt *change = store_stmt(s, which);
    sqlite3_bind_int64(change, 1, id);
    sqlite3_bind_int(change, 2, value);
    int r = sql_run(change, err);
    if (r == 0 && sqlite3_changes(s->db) == 0)
        r = err_set(err, ERR_NOTFOUND, "no memory %lld", (long long)id);
    return r;
}

int store_pin(struct store *s, int64_t id, bool pinned, struct errmsg *err)
{
    int r = pinned ? keep_may_pin(s, id, err) : 0;
    return r ? r : change_moment(s, SQL_PIN, id, pinned, err);
}

int store_feedback(struct store *s, int64_t id, bool helped, struct errmsg *err)
{
    return change_moment(s, SQL_FEEDBACK, id, helped, err);
}
