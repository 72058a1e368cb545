/* SPDX-License-Identifier: Apache-2.0 */
#include "memory/dump/sums.h"

#include "memory/sqlite.h"
#include "memory/sums.h"

static int put_name(struct jsonw *w, struct dump_file *f, const struct file_stream *stream,
                    const struct sum *sum, struct errmsg *err)
{
    int r = 0;
    if (sum->what == STAT_CHANNEL && stream && sum->id < stream->channel_count)
        jsonw_kv_string(w, "channel", stream->channels[sum->id]);
    if (sum->what != STAT_KIND)
        return 0;
    sqlite3_bind_int64(f->kind, 1, sum->id);
    r = sql_step(f->kind, err);
    jsonw_kv_string(w, "kind", r == 0 ? (const char *)sqlite3_column_text(f->kind, 0) : NULL);
    sqlite3_reset(f->kind);
    return r == SQL_DONE ? 0 : r;
}

static int put_sum(struct jsonw *w, struct dump_file *f, const struct file_stream *stream,
                   const struct sum *sum, struct errmsg *err)
{
    jsonw_object(w);
    jsonw_kv_string(w, "stream", stream ? stream->row.name : NULL);
    int r = put_name(w, f, stream, sum, err);
    jsonw_kv_int(w, "count", (int64_t)sum->count);
    jsonw_kv_time(w, "first_at", sum->first_at);
    jsonw_kv_time(w, "last_at", sum->last_at);
    if (sum->what == STAT_CHANNEL) {
        jsonw_kv_double(w, "first", sum->first);
        jsonw_kv_double(w, "last", sum->last);
        jsonw_kv_double(w, "least", sum->values.least);
        jsonw_kv_time(w, "least_at", sum->least_at);
        jsonw_kv_double(w, "most", sum->values.most);
        jsonw_kv_time(w, "most_at", sum->most_at);
        jsonw_kv_double(w, "mean", sum->values.mean);
        jsonw_kv_double(w, "sd", spread_sd(&sum->values));
    }
    jsonw_object_end(w);
    return r;
}

static void put_mark(struct jsonw *w, const struct file_stream *stream, const struct sum_mark *m)
{
    jsonw_object(w);
    jsonw_kv_string(w, "stream", stream ? stream->row.name : NULL);
    jsonw_kv_int(w, "moment", m->moment);
    jsonw_kv_time(w, "time", m->at);
    jsonw_kv_fixed(w, "score", m->score, 3);
    jsonw_kv_int(w, "times", m->times);
    jsonw_key(w, "why");
    jsonw_string_n(w, m->why.data, m->why.size);
    jsonw_object_end(w);
}

/* Both keys need all streams: the marks wait in the buffer of their own writer. */
static int put_rows(struct jsonw *w, struct jsonw *telling, struct dump_file *f, int64_t id,
                    struct arena *arena, struct errmsg *err)
{
    struct sums sums;
    int r;
    sqlite3_bind_int64(f->stat, 1, id);
    while ((r = sql_step(f->stat, err)) == 0) {
        const struct file_stream *stream = file_stream(f, sqlite3_column_int64(f->stat, 0));
        arena_reset(arena);
        sums_init(&sums, arena, arena);
        r = sums_merge(&sums, sqlite3_column_blob(f->stat, 1),
                       (size_t)sqlite3_column_bytes(f->stat, 1), -1);
        if (r)
            err_set(err, r, "%s: sums of moment %lld: %s", f->path, (long long)id, err_text(r));
        for (uint32_t i = 0; r == 0 && i < sums.count; i++)
            r = put_sum(w, f, stream, &sums.items[i], err);
        for (uint32_t i = 0; r == 0 && i < sums.mark_count; i++)
            put_mark(telling, stream, &sums.marks[i]);
        if (r)
            break;
    }
    sqlite3_reset(f->stat);
    return r == SQL_DONE ? 0 : r;
}

int dump_sums(struct jsonw *w, struct dump_file *f, const struct file_span *s, struct errmsg *err)
{
    struct buf marks = {0};
    struct jsonw telling;
    struct arena arena;
    arena_init(&arena, 16u << 10);
    jsonw_init(&telling, &marks);
    jsonw_array(&telling);
    jsonw_key(w, "sums");
    jsonw_array(w);
    int r = put_rows(w, &telling, f, s->id, &arena, err);
    jsonw_array_end(w);
    jsonw_array_end(&telling);
    jsonw_key(w, "telling");
    if (r == 0 && buf_failed(&marks))
        r = err_set(err, ERR_NOMEM, "%s", err_text(ERR_NOMEM));
    jsonw_raw(w, r == 0 ? marks.data : "[]", r == 0 ? marks.size : 2);
    buf_deinit(&marks);
    arena_deinit(&arena);
    return r;
}
