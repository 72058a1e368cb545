/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All allocation of varve, and that of SQLite, cJSON and libuv, goes through here, so one hook sees
 * and can fail any of it. Thread: any.
 *
 * mem_alloc and friends return NULL when memory is out; callers turn that into ERR_NOMEM.
 */
#ifndef VARVE_BASE_MEM_H
#define VARVE_BASE_MEM_H

#include <stddef.h>
#include <stdint.h>

void *mem_alloc(size_t size) __attribute__((malloc));
/* Zeroed; the product is checked for overflow. */
void *mem_calloc(size_t count, size_t size) __attribute__((malloc));
void *mem_realloc(void *p, size_t size);
/* NULL is allowed. */
void mem_free(void *p);
char *mem_strdup(const char *s) __attribute__((malloc));
/* A copy with a NUL behind it. */
char *mem_strndup(const char *s, size_t n) __attribute__((malloc));
/* The usable size of a live block. */
size_t mem_size(const void *p);

/* How many blocks this thread has allocated so far; tests count with it that a warm path makes
 * none. */
uint64_t mem_thread_allocations(void);

/* Frees at scope exit: `MEM_AUTO char *s = mem_strdup(…);`. */
void mem_cleanup(void *p_to_pointer);
#define MEM_AUTO __attribute__((cleanup(mem_cleanup)))

#endif
