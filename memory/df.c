/* SPDX-License-Identifier: Apache-2.0 */
/*
 * 2^17 pairs of counters, 1 MiB, kept by the writer and read by anyone: relaxed atomics, as a
 * reader that sees one of two numbers a moment late weighs a word no worse for it.
 */
#include <endian.h>
#include <stdatomic.h>
#include <string.h>

#include "base/mem.h"
#include "memory/sqlite.h"
#include "memory/words.h"
#include "memory/words_internal.h"

#define CHUNK 1024 /* buckets */
#define CHUNKS ((int)(WORDS_BUCKETS / CHUNK))

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

static void load_chunk(struct words_df *df, int64_t chunk, struct cursor *c)
{
    if (chunk == CHUNKS) {
        atomic_store(&df->rows, cursor_u64(c));
        atomic_store(&df->records, cursor_u64(c));
        return;
    }
    for (int64_t b = chunk * CHUNK; b < (chunk + 1) * CHUNK; b++) {
        atomic_store_explicit(&df->buckets[b].rows, cursor_u32(c), memory_order_relaxed);
        atomic_store_explicit(&df->buckets[b].records, cursor_u32(c), memory_order_relaxed);
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
        struct cursor c;
        cursor_init(&c, data ? data : "", size);
        if (chunk >= 0 && chunk <= CHUNKS)
            load_chunk(df, chunk, &c);
    }
    sqlite3_finalize(stmt);
    return r == SQL_DONE ? 0 : r;
}

/* Little-endian. Returns the bytes. */
static size_t chunk_bytes(const struct words_df *df, int chunk, uint32_t out[2 * CHUNK])
{
    if (chunk == CHUNKS) {
        uint64_t totals[] = {htole64(words_df_total_rows(df)), htole64(words_df_total_records(df))};
        memcpy(out, totals, sizeof(totals));
        return sizeof(totals);
    }
    const struct bucket *b = &df->buckets[(size_t)chunk * CHUNK];
    for (size_t i = 0; i < CHUNK; i++) {
        out[2 * i] = htole32(atomic_load_explicit(&b[i].rows, memory_order_relaxed));
        out[2 * i + 1] = htole32(atomic_load_explicit(&b[i].records, memory_order_relaxed));
    }
    return 2 * CHUNK * sizeof(*out);
}

void words_df_saved(struct words_df *df)
{
    memset(df->dirty, 0, sizeof(df->dirty));
}

int words_df_save(struct words_df *df, sqlite3_stmt *put, struct errmsg *err)
{
    uint32_t bytes[2 * CHUNK];
    int r = 0;
    for (int chunk = 0; chunk <= CHUNKS && r == 0; chunk++) {
        if (!df->dirty[chunk])
            continue;
        size_t size = chunk_bytes(df, chunk, bytes);
        sqlite3_bind_int(put, 1, chunk);
        sqlite3_bind_blob(put, 2, bytes, (int)size, SQLITE_STATIC);
        r = sql_run(put, err);
    }
    return r;
}
