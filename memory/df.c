/* SPDX-License-Identifier: Apache-2.0 */
/*
 * 2^17 pairs of counters, 1 MiB, kept by the writer and read by anyone: relaxed atomics, as a
 * reader that sees one of two numbers a moment late weighs a word no worse for it.
 */
#include <stdatomic.h>
#include <string.h>

#include "base/mem.h"
#include "memory/sqlite.h"
#include "memory/words.h"
#include "memory/words_internal.h"

#define CHUNK 1024 /* buckets */
#define CHUNKS ((int)(WORDS_BUCKETS / CHUNK))
#define DENSE_BYTES (8u * CHUNK)

struct bucket {
    atomic_uint rows, records;
};

struct words_df {
    struct bucket buckets[WORDS_BUCKETS];
    atomic_ullong rows, records;
    bool dirty[CHUNKS + 1]; /* the writer's */
};

int words_df_new(struct words_df **ret)
{
    *ret = mem_calloc(1, sizeof(**ret));
    return *ret ? 0 : ERR_NOMEM;
}

void words_df_free(struct words_df *df)
{
    mem_free(df);
}

static uint32_t bucket_of(uint64_t hash)
{
    return (uint32_t)hash & (WORDS_BUCKETS - 1);
}

uint32_t words_df_rows(const struct words_df *df, uint64_t hash)
{
    return atomic_load_explicit(&df->buckets[bucket_of(hash)].rows, memory_order_relaxed);
}

uint32_t words_df_records(const struct words_df *df, uint64_t hash)
{
    return atomic_load_explicit(&df->buckets[bucket_of(hash)].records, memory_order_relaxed);
}

uint64_t words_df_total_rows(const struct words_df *df)
{
    return atomic_load_explicit(&df->rows, memory_order_relaxed);
}

uint64_t words_df_total_records(const struct words_df *df)
{
    return atomic_load_explicit(&df->records, memory_order_relaxed);
}

/* Saturates at both ends: counters that a crash left behind must not wrap. */
static void add(atomic_uint *counter, int64_t n)
{
    int64_t v = (int64_t)atomic_load_explicit(counter, memory_order_relaxed) + n;
    v = v < 0 ? 0 : v > UINT32_MAX ? UINT32_MAX : v;
    atomic_store_explicit(counter, (uint32_t)v, memory_order_relaxed);
}

void words_df_add(struct words_df *df, uint64_t hash, int64_t rows, int64_t records)
{
    uint32_t b = bucket_of(hash);
    add(&df->buckets[b].rows, rows);
    add(&df->buckets[b].records, records);
    df->dirty[b / CHUNK] = true;
}

static void add_total(atomic_ullong *total, int64_t n)
{
    uint64_t v = atomic_load_explicit(total, memory_order_relaxed);
    v = n < 0 && v < (uint64_t)-n ? 0 : v + (uint64_t)n;
    atomic_store_explicit(total, v, memory_order_relaxed);
}

void words_df_add_totals(struct words_df *df, int64_t rows, int64_t records)
{
    add_total(&df->rows, rows);
    add_total(&df->records, records);
    df->dirty[CHUNKS] = true;
}

/* As of schema 1: every bucket, in order. */
static void load_dense(struct words_df *df, int64_t chunk, struct cursor *c)
{
    for (int64_t b = chunk * CHUNK; b < (chunk + 1) * CHUNK; b++) {
        atomic_store_explicit(&df->buckets[b].rows, cursor_u32(c), memory_order_relaxed);
        atomic_store_explicit(&df->buckets[b].records, cursor_u32(c), memory_order_relaxed);
    }
}

static void load_sparse(struct words_df *df, int64_t chunk, struct cursor *c)
{
    uint64_t at = 0;
    for (uint64_t left = cursor_varint(c); left > 0; left--) {
        at += cursor_varint(c);
        uint64_t rows = cursor_varint(c), records = cursor_varint(c);
        if (c->failed || at >= CHUNK || rows > UINT32_MAX || records > UINT32_MAX)
            return;
        struct bucket *b = &df->buckets[(uint64_t)chunk * CHUNK + at++];
        atomic_store_explicit(&b->rows, (uint32_t)rows, memory_order_relaxed);
        atomic_store_explicit(&b->records, (uint32_t)records, memory_order_relaxed);
    }
}

static void load_chunk(struct words_df *df, int64_t chunk, const void *data, size_t size)
{
    struct cursor c;
    cursor_init(&c, data ? data : "", size);
    if (chunk == CHUNKS) {
        atomic_store(&df->rows, cursor_u64(&c));
        atomic_store(&df->records, cursor_u64(&c));
    } else if (size == DENSE_BYTES) {
        load_dense(df, chunk, &c);
    } else {
        load_sparse(df, chunk, &c);
    }
}

int words_df_load(struct words_df *df, sqlite3 *db, struct errmsg *err)
{
    sqlite3_stmt *stmt;
    int rc = sqlite3_prepare_v2(db, "SELECT chunk, data FROM df", -1, &stmt, NULL);
    int r = sql_error(db, rc, err, "df");
    if (r)
        return r;
    while ((r = sql_step(stmt, err)) == 0) {
        int64_t chunk = sqlite3_column_int64(stmt, 0);
        const void *data = sqlite3_column_blob(stmt, 1);
        size_t size = (size_t)sqlite3_column_bytes(stmt, 1);
        if (chunk >= 0 && chunk <= CHUNKS)
            load_chunk(df, chunk, data, size);
    }
    sqlite3_finalize(stmt);
    return r == SQL_DONE ? 0 : r;
}

/* Most buckets of a small memory are empty: only the others are written. */
static void put_chunk(const struct words_df *df, int chunk, struct buf *out)
{
    const struct bucket *b = &df->buckets[(size_t)chunk * CHUNK];
    uint32_t used = 0, next = 0;
    for (uint32_t i = 0; i < CHUNK; i++)
        used += atomic_load_explicit(&b[i].rows, memory_order_relaxed) != 0 ||
                atomic_load_explicit(&b[i].records, memory_order_relaxed) != 0;
    buf_put_varint(out, used);
    for (uint32_t i = 0; i < CHUNK; i++) {
        uint32_t rows = atomic_load_explicit(&b[i].rows, memory_order_relaxed);
        uint32_t records = atomic_load_explicit(&b[i].records, memory_order_relaxed);
        if (rows == 0 && records == 0)
            continue;
        buf_put_varint(out, i - next);
        buf_put_varint(out, rows);
        buf_put_varint(out, records);
        next = i + 1;
    }
    if (out->size == DENSE_BYTES) /* the size tells the two apart */
        buf_put_u8(out, 0);
}

void words_df_saved(struct words_df *df)
{
    memset(df->dirty, 0, sizeof(df->dirty));
}

int words_df_save(struct words_df *df, sqlite3_stmt *put, struct errmsg *err)
{
    struct buf out = {0};
    int r = 0;
    for (int chunk = 0; chunk <= CHUNKS && r == 0; chunk++) {
        if (!df->dirty[chunk])
            continue;
        buf_clear(&out);
        if (chunk < CHUNKS) {
            put_chunk(df, chunk, &out);
        } else {
            buf_put_u64(&out, words_df_total_rows(df));
            buf_put_u64(&out, words_df_total_records(df));
        }
        if (buf_failed(&out)) {
            r = err_set(err, ERR_NOMEM, "df: %s", err_text(ERR_NOMEM));
            break;
        }
        sqlite3_bind_int(put, 1, chunk);
        sqlite3_bind_blob(put, 2, out.data, (int)out.size, SQLITE_STATIC);
        r = sql_run(put, err);
    }
    buf_deinit(&out);
    return r;
}
