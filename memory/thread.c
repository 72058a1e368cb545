/* SPDX-License-Identifier: Apache-2.0 */
#include "memory/thread.h"

#include <pthread.h>

#include "base/mem.h"
#include "memory/words_internal.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static bool have_key;

static void destroy(void *p)
{
    struct thread_state *t = p;
    if (!t)
        return;
    ZSTD_freeCCtx(t->compress);
    ZSTD_freeDCtx(t->decompress);
    buf_deinit(&t->body);
    buf_deinit(&t->scratch);
    word_cache_free(t->words);
    mem_free(t);
}

static void make_key(void)
{
    have_key = pthread_key_create(&key, destroy) == 0;
}

struct thread_state *thread_state_get(void)
{
    pthread_once(&once, make_key);
    if (!have_key)
        return NULL;
    struct thread_state *t = pthread_getspecific(key);
    if (t)
        return t;
    t = mem_calloc(1, sizeof(*t));
    if (!t)
        return NULL;
    t->compress = ZSTD_createCCtx();
    t->decompress = ZSTD_createDCtx();
    t->words = word_cache_new();
    if (!t->compress || !t->decompress || !t->words || pthread_setspecific(key, t) != 0) {
        destroy(t);
        return NULL;
    }
    return t;
}

void thread_state_free(void)
{
    pthread_once(&once, make_key);
    if (!have_key)
        return;
    destroy(pthread_getspecific(key));
    pthread_setspecific(key, NULL);
}
