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
#include <string.h>

#include "base/mem.h"
#include "memory/sqlite.h"

#define CHUNK 4096
#define CHUNKS 4096 /* 16 million moments */
#define WORDS (LATENT_DIM / 64)

struct sketch {
    uint64_t bits[WORDS];
    int64_t time;
    _Atomic int64_t id; /* 0: removed */
    int32_t stream;
    int32_t kind;
};

struct sketch_index {
    struct sketch *_Atomic chunks[CHUNKS];
    atomic_uint count;
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

int sketch_index_append(struct sketch_index *ix, int64_t id, int64_t stream, enum stream_kind kind,
                        int64_t time, const float *latent)
{
    uint32_t at = atomic_load_explicit(&ix->count, memory_order_relaxed);
    uint64_t bits[WORDS];
    if (!signs(latent, bits))
        return 0;
    if (at == CHUNK * CHUNKS)
        return ERR_LIMIT;
    struct sketch *chunk = atomic_load_explicit(&ix->chunks[at / CHUNK], memory_order_relaxed);
    if (!chunk) {
        chunk = mem_calloc(CHUNK, sizeof(*chunk));
        if (!chunk)
            return ERR_NOMEM;
        atomic_store_explicit(&ix->chunks[at / CHUNK], chunk, memory_order_release);
    }
    struct sketch *s = &chunk[at % CHUNK];
    memcpy(s->bits, bits, sizeof(bits));
    s->time = time;
    s->stream = (int32_t)stream;
    s->kind = (int32_t)kind;
    atomic_store_explicit(&s->id, id, memory_order_relaxed);
    atomic_store_explicit(&ix->count, at + 1, memory_order_release);
    return 0;
}

void sketch_index_remove(struct sketch_index *ix, int64_t id)
{
    uint32_t count = sketch_index_count(ix);
    for (uint32_t i = 0; i < count; i++) {
        struct sketch *s =
            &atomic_load_explicit(&ix->chunks[i / CHUNK], memory_order_relaxed)[i % CHUNK];
        if (atomic_load_explicit(&s->id, memory_order_relaxed) == id)
            atomic_store_explicit(&s->id, 0, memory_order_relaxed);
    }
}

static bool passes(const struct sketch *s, const struct sketch_filter *f)
{
    if (s->kind != (int32_t)f->kind || (f->since != TIME_UNKNOWN && s->time < f->since) ||
        (f->until != TIME_UNKNOWN && s->time >= f->until))
        return false;
    if (f->stream_count == 0)
        return true;
    for (uint32_t i = 0; i < f->stream_count; i++)
        if (s->stream == (int32_t)f->streams[i])
            return true;
    return false;
}

static uint32_t distance(const uint64_t *a, const uint64_t *b)
{
    uint32_t d = 0;
    for (int i = 0; i < WORDS; i++)
        d += (uint32_t)__builtin_popcountll(a[i] ^ b[i]);
    return d;
}

uint32_t sketch_index_search(const struct sketch_index *ix, const float *latent,
                             const struct sketch_filter *filter, struct sketch_hit *ret,
                             uint32_t max)
{
    uint64_t bits[WORDS];
    uint32_t found = 0, count = sketch_index_count(ix);
    if (max == 0 || !signs(latent, bits))
        return 0;
    /* Newest first: of equals, the newer ones stay. */
    for (uint32_t i = count; i-- > 0;) {
        const struct sketch *s =
            &atomic_load_explicit(&ix->chunks[i / CHUNK], memory_order_relaxed)[i % CHUNK];
        uint32_t d = distance(bits, s->bits);
        if (found == max && d >= ret[max - 1].distance)
            continue;
        int64_t id = atomic_load_explicit(&s->id, memory_order_relaxed);
        if (id == 0 || !passes(s, filter))
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
