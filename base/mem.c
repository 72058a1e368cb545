/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"

static _Thread_local uint64_t allocations;

void *mem_alloc(size_t size)
{
    if (fault_tick(FAULT_ALLOC))
        return NULL;
    allocations++;
    return malloc(size ? size : 1);
}

void *mem_calloc(size_t count, size_t size)
{
    if (fault_tick(FAULT_ALLOC))
        return NULL;
    allocations++;
    return calloc(count ? count : 1, size ? size : 1);
}

void *mem_realloc(void *p, size_t size)
{
    if (fault_tick(FAULT_ALLOC))
        return NULL;
    allocations++;
    return realloc(p, size ? size : 1);
}

void mem_free(void *p)
{
    free(p);
}

char *mem_strdup(const char *s)
{
    return mem_strndup(s, strlen(s));
}

char *mem_strndup(const char *s, size_t n)
{
    char *copy = mem_alloc(n + 1);
    if (copy) {
        memcpy(copy, s, n);
        copy[n] = '\0';
    }
    return copy;
}

size_t mem_size(const void *p)
{
    return malloc_usable_size((void *)p);
}

uint64_t mem_thread_allocations(void)
{
    return allocations;
}

void mem_cleanup(void *p_to_pointer)
{
    mem_free(*(void **)p_to_pointer);
}
