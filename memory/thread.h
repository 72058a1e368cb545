/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What each thread that encodes, decodes or splits words keeps for itself, so that warm calls
 * allocate nothing: compression contexts, scratch buffers, the stemmer and its cache. Freed when
 * the thread ends; the main thread calls thread_state_free.
 */
#ifndef VARVE_MEMORY_THREAD_H
#define VARVE_MEMORY_THREAD_H

#include <zstd.h>

#include "base/buf.h"

struct word_cache;

struct thread_state {
    ZSTD_CCtx *compress;
    ZSTD_DCtx *decompress;
    struct buf body;    /* of evidence, being built */
    struct buf scratch; /* its values, being ordered */
    struct word_cache *words;
};

/* NULL when memory is out. */
struct thread_state *thread_state_get(void);
void thread_state_free(void);

#endif
