/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/batch.h"

#include <string.h>

#include "base/mem.h"
#include "daemon/daemon.h"
#include "daemon/stream.h"

#define ARENA_CHUNK (64u << 10)

struct batch *batch_new(struct live_stream *stream)
{
    struct batch *b = mem_calloc(1, sizeof(*b));
    if (!b)
        return NULL;
    b->stream = stream;
    arena_init(&b->arena, ARENA_CHUNK);
    return b;
}

void batch_count_journal(struct batch *b, size_t size)
{
    b->journal_size = size;
    atomic_fetch_add(&b->stream->daemon->journal_bytes, size);
}

void batch_free(struct batch *b)
{
    if (!b)
        return;
    if (b->journal_size)
        atomic_fetch_sub(&b->stream->daemon->journal_bytes, b->journal_size);
    arena_deinit(&b->arena);
    buf_deinit(&b->block);
    mem_free(b->records);
    buf_deinit(&b->conflicts);
    mem_free(b);
}

struct record *batch_add(struct batch *b)
{
    if (b->count == b->capacity) {
        uint32_t capacity = b->capacity ? b->capacity * 2 : 64;
        struct record *records = mem_realloc(b->records, capacity * sizeof(*records));
        if (!records)
            return NULL;
        b->records = records;
        b->capacity = capacity;
    }
    struct record *r = &b->records[b->count++];
    memset(r, 0, sizeof(*r));
    return r;
}

/* Copies what `s` names into the arena. */
static int keep(struct batch *b, struct slice *s)
{
    if (s->size == 0) {
        *s = (struct slice){NULL, 0};
        return 0;
    }
    char *copy = arena_copy(&b->arena, s->data, s->size);
    if (!copy)
        return ERR_NOMEM;
    s->data = copy;
    return 0;
}

int batch_copy_record(struct batch *b, const struct record *r)
{
    struct record *own = batch_add(b);
    if (!own)
        return ERR_NOMEM;
    *own = *r;
    if (keep(b, &own->ref) != 0 || keep(b, &own->text) != 0 || keep(b, &own->media) != 0)
        goto fail;
    if (r->sample_count > 0) {
        size_t size = r->sample_count * sizeof(*r->samples);
        struct sample *samples = arena_alloc(&b->arena, size);
        if (!samples)
            goto fail;
        memcpy(samples, r->samples, size);
        own->samples = samples;
    }
    b->bytes += record_payload_size(own);
    return 0;
fail:
    b->count--;
    return ERR_NOMEM;
}
