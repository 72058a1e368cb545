/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path: append writes behind the published count and then publishes; a search reads the count
 * and scans. Random sign hyperplanes are not needed: the latents' own axes are hashed or rotated
 * already, so their signs serve. Sizes: 56 bytes a moment in chunks of 4,096; 100,000 moments scan
 * in well under a millisecond.
 */
#include "memory/sketch.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "memory/sqlite.h"

#define CHUNK 4096
#define CHUNKS 4096 /* 16 million moments */
#define WORDS (LATENT_DIM / 64)

/* Atomic throughout: a slot whose moment went is filled again while others search. */
struct sketch {
    _Atomic uint64_t bits[WORDS];
    _Atomic int64_t time;
    _Atomic int64_t id; /* 0: removed */
    atomic_int stream, kind;
};

struct sketch_index {
    struct sketch *_Atomic chunks[CHUNKS];
    atomic_uint slots; /* published */
    atomic_uint count; /* of them in use */
    struct buf free;   /* the appender's: uint32_t, slots to fill again */
};

int sketch_index_new(struct sketch_index **ret)
{
    *ret = mem_calloc(1, sizeof(**ret));
    return *ret ? 0 : ERR_NOMEM;
}

void sketch_index_free(struct sketch_index *ix)
{
    if (!ix)
        return;
    for (int i = 0; i < CHUNKS; i++)
        mem_free(atomic_load(&ix->chunks[i]));
    buf_deinit(&ix->free);
    mem_free(ix);
}

uint32_t sketch_index_count(const struct sketch_index *ix)
{
    return atomic_load_explicit(&ix->count, memory_order_acquire);
}

/* False for a latent of zeros, which is like nothing. */
static bool signs(const float *latent, uint64_t *ret)
{
    bool any = false;
    memset(ret, 0, WORDS * sizeof(*ret));
    for (int i = 0; i < LATENT_DIM; i++) {
        any |= latent[i] != 0;
        ret[i / 64] |= (uint64_t)(latent[i] > 0) << i % 64;
    }
    return any;
}

static struct sketch *slot(const struct sketch_index *ix, uint32_t at)
{
    struct sketch *chunk = atomic_load_explicit(&ix->chunks[at / CHUNK], memory_order_relaxed);
    return chunk ? &chunk[at % CHUNK] : NULL;
}

/* One that was used before, or a fresh one, which is published later. NULL with *ret_rc. */
static struct sketch *take_slot(struct sketch_index *ix, uint32_t *ret_at, int *ret_rc)
{
    if (ix->free.size > 0) {
        ix->free.size -= sizeof(*ret_at);
        memcpy(ret_at, ix->free.data + ix->free.size, sizeof(*ret_at));
        return slot(ix, *ret_at);
    }
    *ret_at = atomic_load_explicit(&ix->slots, memory_order_relaxed);
    *ret_rc = ERR_LIMIT;
    if (*ret_at == CHUNK * CHUNKS)
        return NULL;
    if (!slot(ix, *ret_at)) {
        struct sketch *chunk = mem_calloc(CHUNK, sizeof(*chunk));
        *ret_rc = ERR_NOMEM;
        if (!chunk)
            return NULL;
        atomic_store_explicit(&ix->chunks[*ret_at / CHUNK], chunk, memory_order_release);
    }
    return slot(ix, *ret_at);
}

int sketch_index_append(struct sketch_index *ix, int64_t id, int64_t stream, enum stream_kind kind,
                        int64_t time, const float *latent)
{
    uint64_t bits[WORDS];
    uint32_t at;
    int rc = 0;
    if (!signs(latent, bits))
        return 0;
    struct sketch *s = take_slot(ix, &at, &rc);
    if (!s)
        return rc;
    for (int i = 0; i < WORDS; i++)
        atomic_store_explicit(&s->bits[i], bits[i], memory_order_relaxed);
    atomic_store_explicit(&s->time, time, memory_order_relaxed);
    atomic_store_explicit(&s->stream, (int)stream, memory_order_relaxed);
    atomic_store_explicit(&s->kind, (int)kind, memory_order_relaxed);
    atomic_store_explicit(&s->id, id, memory_order_release);
    if (at == atomic_load_explicit(&ix->slots, memory_order_relaxed))
        atomic_store_explicit(&ix->slots, at + 1, memory_order_release);
    atomic_fetch_add_explicit(&ix->count, 1, memory_order_relaxed);
    return 0;
}

static int compare_id(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

void sketch_index_remove(struct sketch_index *ix, int64_t *ids, size_t count)
{
    uint32_t slots = atomic_load_explicit(&ix->slots, memory_order_relaxed);
    qsort(ids, count, sizeof(*ids), compare_id);
    for (uint32_t i = 0; i < slots && count > 0; i++) {
        struct sketch *s = slot(ix, i);
        int64_t id = atomic_load_explicit(&s->id, memory_order_relaxed);
        if (id == 0 || !bsearch(&id, ids, count, sizeof(*ids), compare_id))
            continue;
        atomic_store_explicit(&s->id, 0, memory_order_relaxed);
        atomic_fetch_sub_explicit(&ix->count, 1, memory_order_relaxed);
        if (buf_reserve(&ix->free, sizeof(i)) == 0) /* else the slot stays empty */
            buf_append(&ix->free, &i, sizeof(i));
    }
}

static bool passes(const struct sketch *s, const struct sketch_filter *f)
{
    int64_t time = atomic_load_explicit(&s->time, memory_order_relaxed);
    int stream = atomic_load_explicit(&s->stream, memory_order_relaxed);
    if (atomic_load_explicit(&s->kind, memory_order_relaxed) != (int)f->kind ||
        (f->since != TIME_UNKNOWN && time < f->since) ||
        (f->until != TIME_UNKNOWN && time >= f->until))
        return false;
    if (f->stream_count == 0)
        return true;
    for (uint32_t i = 0; i < f->stream_count; i++)
        if (stream == (int)f->streams[i])
            return true;
    return false;
}

static uint32_t distance(const uint64_t *a, const struct sketch *b)
{
    uint32_t d = 0;
    for (int i = 0; i < WORDS; i++)
        d += (uint32_t)__builtin_popcountll(
            a[i] ^ atomic_load_explicit(&b->bits[i], memory_order_relaxed));
    return d;
}

uint32_t sketch_index_search(const struct sketch_index *ix, const float *latent,
                             const struct sketch_filter *filter, struct sketch_hit *ret,
                             uint32_t max)
{
    uint64_t bits[WORDS];
    uint32_t found = 0, slots = atomic_load_explicit(&ix->slots, memory_order_acquire);
    if (max == 0 || !signs(latent, bits))
        return 0;
    /* From the last slot on: of equals the newer ones stay, until slots are used again. */
    for (uint32_t i = slots; i-- > 0;) {
        const struct sketch *s = slot(ix, i);
        int64_t id = atomic_load_explicit(&s->id, memory_order_acquire);
        uint32_t d = distance(bits, s);
        if (id == 0 || (found == max && d >= ret[max - 1].distance) || !passes(s, filter))
            continue;
        /* Filled again meanwhile: half of it was another's. */
        atomic_thread_fence(memory_order_acquire);
        if (atomic_load_explicit(&s->id, memory_order_relaxed) != id)
            continue;
        uint32_t at = found < max ? found++ : max - 1;
        for (; at > 0 && ret[at - 1].distance > d; at--)
            ret[at] = ret[at - 1];
        ret[at] = (struct sketch_hit){id, d};
    }
    return found;
}

double latent_cosine(const float *a, const float *b)
{
    double dot = 0, aa = 0, bb = 0;
    for (int i = 0; i < LATENT_DIM; i++) {
        dot += (double)a[i] * b[i];
        aa += (double)a[i] * a[i];
        bb += (double)b[i] * b[i];
    }
    return aa > 0 && bb > 0 ? dot / sqrt(aa * bb) : 0;
}

static int append_row(struct sketch_index *ix, sqlite3_stmt *stmt)
{
    float latent[LATENT_DIM];
    const int8_t *vec = sqlite3_column_blob(stmt, 4);
    if (sqlite3_column_bytes(stmt, 4) != LATENT_DIM)
        return 0;
    for (int i = 0; i < LATENT_DIM; i++)
        latent[i] = vec[i];
    return sketch_index_append(ix, sqlite3_column_int64(stmt, 0), sqlite3_column_int64(stmt, 1),
                               (enum stream_kind)sqlite3_column_int(stmt, 2),
                               sqlite3_column_int64(stmt, 3), latent);
}

int sketch_index_load(struct sketch_index *ix, const char *path, int64_t max_id,
                      const atomic_bool *stop, struct errmsg *err)
{
    sqlite3 *db;
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite_open_readonly(path, 1024, &db, err);
    if (rc)
        return rc;
    rc = sql_prepare(db,
                     "SELECT l.moment, m.stream, s.kind, m.t_start, l.vec FROM latent l"
                     " JOIN moment m ON m.id = l.moment JOIN stream s ON s.id = m.stream"
                     " WHERE l.moment <= ?1 ORDER BY l.moment",
                     &stmt, err);
    if (rc == 0)
        sqlite3_bind_int64(stmt, 1, max_id ? max_id : INT64_MAX);
    while (rc == 0 && !(stop && atomic_load(stop)) && (rc = sql_step(stmt, err)) == 0)
        rc = append_row(ix, stmt);
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    return rc == SQL_DONE ? 0 : rc;
}
