/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A chunked bump allocator: one a request or a batch. Reset keeps the chunks, so a warm arena
 * allocates nothing. Zeroed memory plus arena_init; one owner, no thread.
 */
#ifndef VARVE_BASE_ARENA_H
#define VARVE_BASE_ARENA_H

#include <stddef.h>

struct arena_chunk;

struct arena {
    struct arena_chunk *first, *current;
    size_t chunk_size;
};

void arena_init(struct arena *a, size_t chunk_size);
void arena_deinit(struct arena *a);
void arena_reset(struct arena *a);
/* Resets it, and gives all of it back where it has grown beyond `keep` bytes: one that lives long.
 */
void arena_trim(struct arena *a, size_t keep);
/* 16-byte aligned, not zeroed; NULL when memory is out. */
void *arena_alloc(struct arena *a, size_t size);
/* A copy with a NUL behind it. */
char *arena_copy(struct arena *a, const char *s, size_t n);
/* Bytes held from the allocator. */
size_t arena_size(const struct arena *a);

#endif
