/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include <stdint.h>
#include <string.h>

#include "base/mem.h"

struct arena_chunk {
    struct arena_chunk *next;
    size_t size, used;
    _Alignas(16) char data[];
};

void arena_init(struct arena *a, size_t chunk_size)
{
    a->first = a->current = NULL;
    a->chunk_size = chunk_size;
}

void arena_deinit(struct arena *a)
{
    if (!a)
        return;
    struct arena_chunk *c = a->first;
    while (c) {
        struct arena_chunk *next = c->next;
        mem_free(c);
        c = next;
    }
    a->first = a->current = NULL;
}

void arena_reset(struct arena *a)
{
    for (struct arena_chunk *c = a->first; c; c = c->next)
        c->used = 0;
    a->current = a->first;
}

void arena_trim(struct arena *a, size_t keep)
{
    if (arena_size(a) > keep)
        arena_deinit(a);
    else
        arena_reset(a);
}

void *arena_alloc(struct arena *a, size_t size)
{
    if (size > SIZE_MAX / 2)
        return NULL;
    size = (size + 15) & ~(size_t)15;
    struct arena_chunk *c = a->current;
    while (c && c->size - c->used < size) {
        if (!c->next)
            break;
        c = c->next;
    }
    if (!c || c->size - c->used < size) {
        size_t room = size > a->chunk_size ? size : a->chunk_size;
        struct arena_chunk *fresh = mem_alloc(sizeof(*fresh) + room);
        if (!fresh)
            return NULL;
        *fresh = (struct arena_chunk){.size = room};
        if (c)
            c->next = fresh;
        else
            a->first = fresh;
        c = fresh;
    }
    a->current = c;
    void *p = c->data + c->used;
    c->used += size;
    return p;
}

char *arena_copy(struct arena *a, const char *s, size_t n)
{
    char *copy = arena_alloc(a, n + 1);
    if (copy) {
        memcpy(copy, s, n);
        copy[n] = '\0';
    }
    return copy;
}

size_t arena_size(const struct arena *a)
{
    size_t total = 0;
    for (const struct arena_chunk *c = a->first; c; c = c->next)
        total += sizeof(*c) + c->size;
    return total;
}
