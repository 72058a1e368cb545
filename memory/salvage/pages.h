/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pages of a database file that nothing can be trusted of, as its last commit left them: those
 * of the write-ahead log first, where its checksums hold. SQLite itself is not asked.
 */
#ifndef VARVE_MEMORY_SALVAGE_PAGES_H
#define VARVE_MEMORY_SALVAGE_PAGES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

#define PAGE_MAX 65536

enum page_use { PAGE_UNKNOWN, PAGE_ROOT, PAGE_FREE, PAGE_OVERFLOW, PAGE_NODE };

struct pages {
    int fd, log_fd; /* log_fd -1: there is none */
    uint32_t page_size;
    uint32_t count;       /* pages 1 to count */
    uint32_t *frames;     /* by page: 1 + its frame in the log; 0: it lies in the file */
    uint32_t frames_lost; /* of the log, broken */
    bool headless;        /* the file's header is none */
};

/*
 * Opens the file and, when there is one, its log. ERR_NOTFOUND, ERR_PERM, ERR_IO; ERR_CORRUPT when
 * it holds no page at all.
 */
int pages_open(const char *path, struct pages *ret, struct errmsg *err);
void pages_close(struct pages *p);
/* Reads page `number` into page_size bytes; ERR_CORRUPT when the file ends before it, ERR_IO. */
int pages_read(const struct pages *p, uint32_t number, unsigned char *out);
/* What the pointer map says of a page, and *ret_parent: PAGE_UNKNOWN where the map is damaged. */
enum page_use pages_use(const struct pages *p, uint32_t number, uint32_t *ret_parent);
/* True for pages that hold no data of their own: the pointer map, and the page of locks. */
bool pages_is_map(const struct pages *p, uint32_t number);

#endif
