/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every stored record, each exactly once: of each stream first what lies in moments, by their
 * start, then what still waits in the journal.
 *
 * One snapshot at the beginning fixes what there is: the waiting records (some of a batch may lie
 * in a moment already and are left out then) and the highest moment id. Moments are read afterwards
 * a few at a time, up to that id, so that no snapshot is held while the output is slow; they only
 * go when they are forgotten. Sizes: the journal holds some seconds of records.
 */
#include <stdlib.h>
#include <string.h>

#include "base/jsonw.h"
#include "base/mem.h"
#include "memory/dump/file.h"
#include "memory/evidence.h"
#include "memory/sqlite.h"

#define PAGE_MOMENTS 256

struct waiting {
    const struct record *record;
    int64_t stream;
};

struct export
{
    struct dump_file *f;
    struct dump_out *out;
    int64_t last_moment;
    struct arena journal; /* holds the waiting records */
    struct waiting *waiting;
    size_t waiting_count, waiting_room;
};

static void put_payload(struct jsonw *w, const struct file_stream *stream, const struct record *r)
{
    jsonw_key(w, "payload");
    if (r->media.size) {
        jsonw_base64(w, r->media.data, r->media.size);
        return;
    }
    if (stream->row.kind != KIND_SENSOR) {
        jsonw_string_n(w, r->text.data, r->text.size);
        return;
    }
    jsonw_object(w);
    for (uint32_t i = 0; i < r->sample_count; i++) {
        uint16_t c = r->samples[i].channel;
        char number[16];
        const char *name = c < stream->channel_count ? stream->channels[c] : NULL;
        snprintf(number, sizeof(number), "#%u", c);
        jsonw_key(w, name ? name : number);
        jsonw_double(w, r->samples[i].value);
    }
    jsonw_object_end(w);
}

static int put_record(struct export *e, const struct file_stream *stream, const struct record *r,
                      struct errmsg *err)
{
    const struct file_filter *filter = &e->f->filter;
    if (r->time < filter->since || (filter->until != TIME_UNKNOWN && r->time >= filter->until))
        return 0;
    struct jsonw w;
    jsonw_init(&w, &e->out->buf);
    jsonw_object(&w);
    jsonw_kv_string(&w, "stream", stream->row.name);
    jsonw_key(&w, "seq");
    jsonw_u64_string(&w, r->seq);
    jsonw_kv_time(&w, "time", r->time);
    jsonw_key(&w, "ref");
    if (r->ref.size)
        jsonw_string_n(&w, r->ref.data, r->ref.size);
    else
        jsonw_null(&w);
    put_payload(&w, stream, r);
    jsonw_object_end(&w);
    buf_putc(&e->out->buf, '\n');
    return dump_out_flush(e->out, false, err);
}

static int compare_seq(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* The seqs of stream's evidence that may be among first..last, ascending. */
static int stored_seqs(struct dump_file *f, int64_t stream, uint64_t first, uint64_t last,
                       struct buf *ret, struct errmsg *err)
{
    sqlite3_stmt *s;
    int r = sql_prepare(f->db,
                        "SELECT id FROM moment WHERE stream = ?1 AND seq_last >= ?2 AND"
                        " seq_first <= ?3",
                        &s, err);
    if (r)
        return r;
    sqlite3_bind_int64(s, 1, stream);
    sqlite3_bind_int64(s, 2, (int64_t)first);
    sqlite3_bind_int64(s, 3, (int64_t)last);
    struct arena arena;
    arena_init(&arena, 256u << 10);
    while ((r = sql_step(s, err)) == 0) {
        struct record *records;
        uint32_t count;
        arena_reset(&arena);
        r = file_evidence(f, sqlite3_column_int64(s, 0), &arena, &records, &count, err);
        if (r)
            break;
        for (uint32_t i = 0; i < count; i++)
            buf_append(ret, &records[i].seq, sizeof(records[i].seq));
    }
    arena_deinit(&arena);
    sqlite3_finalize(s);
    if (ret->size)
        qsort(ret->data, ret->size / sizeof(uint64_t), sizeof(uint64_t), compare_seq);
    if (r == SQL_DONE && buf_failed(ret))
        return err_set(err, ERR_NOMEM, "%s", err_text(ERR_NOMEM));
    return r < 0 ? r : 0;
}

static int add_waiting(struct export *e, int64_t stream, const struct record *r)
{
    if (e->waiting_count == e->waiting_room) {
        size_t room = e->waiting_room ? 2 * e->waiting_room : 1024;
        void *larger = mem_realloc(e->waiting, room * sizeof(*e->waiting));
        if (!larger)
            return ERR_NOMEM;
        e->waiting = larger;
        e->waiting_room = room;
    }
    e->waiting[e->waiting_count++] = (struct waiting){.record = r, .stream = stream};
    return 0;
}

static int read_batch(struct export *e, sqlite3_stmt *s, struct errmsg *err)
{
    struct slice block = {.data = sqlite3_column_blob(s, 4),
                          .size = (size_t)sqlite3_column_bytes(s, 4)};
    struct record *records;
    uint32_t count;
    int r = evidence_decode(block, &e->journal, &records, &count, err);
    if (r)
        return err_wrap(err, r, "%s: journal batch %lld", e->f->path,
                        (long long)sqlite3_column_int64(s, 0));
    int64_t stream = sqlite3_column_int64(s, 1);
    struct buf stored = {0};
    r = stored_seqs(e->f, stream, (uint64_t)sqlite3_column_int64(s, 2),
                    (uint64_t)sqlite3_column_int64(s, 3), &stored, err);
    for (uint32_t i = 0; r == 0 && i < count; i++) {
        bool known =
            stored.size && bsearch(&records[i].seq, stored.data, stored.size / sizeof(uint64_t),
                                   sizeof(uint64_t), compare_seq);
        if (!known && add_waiting(e, stream, &records[i]) != 0)
            r = err_set(err, ERR_NOMEM, "%s", err_text(ERR_NOMEM));
    }
    buf_deinit(&stored);
    return r;
}

static int read_journal(struct export *e, struct errmsg *err)
{
    sqlite3_stmt *s = NULL;
    int r = file_begin(e->f, err);
    if (r)
        return r;
    r = sql_int64(e->f->db, "SELECT ifnull(max(id), 0) FROM moment", &e->last_moment, err);
    if (r == 0)
        r = sql_prepare(e->f->db,
                        "SELECT id, stream, seq_first, seq_last, block FROM pending"
                        " WHERE ?1 = 0 OR stream = ?1 ORDER BY stream, id",
                        &s, err);
    if (r == 0)
        sqlite3_bind_int64(s, 1, e->f->filter.stream);
    while (r == 0 && (r = sql_step(s, err)) == 0)
        r = read_batch(e, s, err);
    sqlite3_finalize(s);
    file_end(e->f);
    return r < 0 ? r : 0;
}

struct place {
    int64_t start, id;
};

/* The next moments of a stream behind `after`, a few; the statement is over when this returns. */
static int next_moments(struct export *e, sqlite3_stmt *s, int64_t stream,
                        const struct place *after, struct place *ret, uint32_t *ret_count,
                        struct errmsg *err)
{
    sqlite3_bind_int64(s, 1, stream);
    sqlite3_bind_int64(s, 2, after->start);
    sqlite3_bind_int64(s, 3, after->id);
    sqlite3_bind_int64(s, 4, e->last_moment);
    sqlite3_bind_int64(s, 5, PAGE_MOMENTS);
    sqlite3_bind_int64(s, 6, e->f->filter.since);
    sqlite3_bind_int64(s, 7, e->f->filter.until == TIME_UNKNOWN ? INT64_MAX : e->f->filter.until);
    uint32_t count = 0;
    int r;
    while ((r = sql_step(s, err)) == 0 && count < PAGE_MOMENTS)
        ret[count++] =
            (struct place){.start = sqlite3_column_int64(s, 0), .id = sqlite3_column_int64(s, 1)};
    sqlite3_reset(s);
    if (r < 0)
        return r;
    *ret_count = count;
    return 0;
}

static int put_moments(struct export *e, const struct file_stream *stream, sqlite3_stmt *s,
                       struct errmsg *err)
{
    struct place page[PAGE_MOMENTS] = {{0}}, after = {.start = INT64_MIN};
    struct arena arena;
    uint32_t count = 0;
    int r = 0;
    arena_init(&arena, 256u << 10);
    do {
        r = next_moments(e, s, stream->row.id, &after, page, &count, err);
        for (uint32_t i = 0; r == 0 && i < count; i++) {
            struct record *records;
            uint32_t n;
            arena_reset(&arena);
            r = file_evidence(e->f, page[i].id, &arena, &records, &n, err);
            for (uint32_t k = 0; r == 0 && k < n; k++)
                r = put_record(e, stream, &records[k], err);
        }
        if (count)
            after = page[count - 1];
    } while (r == 0 && count == PAGE_MOMENTS);
    arena_deinit(&arena);
    return r;
}

static int put_all(struct export *e, struct errmsg *err)
{
    sqlite3_stmt *s;
    int r = sql_prepare(e->f->db,
                        "SELECT t_start, id FROM moment WHERE stream = ?1 AND stratum = 0 AND"
                        " (t_start, id) > (?2, ?3) AND id <= ?4 AND t_end >= ?6 AND t_start < ?7"
                        " ORDER BY t_start, id LIMIT ?5",
                        &s, err);
    if (r)
        return r;
    for (uint32_t i = 0; r == 0 && i < e->f->stream_count; i++) {
        const struct file_stream *stream = &e->f->streams[i];
        if (e->f->filter.stream && e->f->filter.stream != stream->row.id)
            continue;
        r = put_moments(e, stream, s, err);
        for (size_t k = 0; r == 0 && k < e->waiting_count; k++)
            if (e->waiting[k].stream == stream->row.id)
                r = put_record(e, stream, e->waiting[k].record, err);
    }
    sqlite3_finalize(s);
    return r;
}

int dump_records(struct dump_file *f, const struct dump_options *o, struct dump_out *out,
                 struct errmsg *err)
{
    struct export e = {.f = f, .out = out};
    arena_init(&e.journal, 256u << 10);
    int r = read_journal(&e, err);
    if (r == 0)
        r = put_all(&e, err);
    mem_free(e.waiting);
    arena_deinit(&e.journal);
    return r;
}
