/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Brings what is whole out of a damaged memory.db into a new, valid one. Everything that can be
 * made again (index, counters, spans above the moments) is made again from the evidence.
 */
#ifndef VARVE_MEMORY_SALVAGE_H
#define VARVE_MEMORY_SALVAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

#define SALVAGE_TABLES 64

struct salvage_table {
    char name[64];
    uint64_t rows;   /* brought out */
    uint64_t broken; /* rows that were found, and are none or belong to what is lost */
    uint64_t pages;  /* that could not be read; how many rows they held nobody knows */
    bool remade;     /* made again in any case: damage costs nothing */
};

struct salvage_report {
    uint32_t page_size, pages;
    uint32_t frames;   /* of the write-ahead log, broken */
    bool headless;     /* the file had no header */
    bool spare;        /* what it said beyond its evidence contradicted itself and was left out */
    struct errmsg why; /* then: how */
    uint64_t moments, records, journaled; /* in the new file */
    uint64_t rebuilt;  /* moments whose row was lost and whose evidence was not */
    uint64_t nameless; /* of those, whose stream is not known any more */
    struct salvage_table tables[SALVAGE_TABLES];
    uint32_t table_count;
};

/*
 * Reads `path` (no daemon may run on it: ERR_BUSY) and makes `out`, which must not exist:
 * ERR_EXISTS. ERR_CORRUPT when there is nothing to bring out. On failure `out` is taken away again.
 * Memory: 16 bytes a record of the largest stream, 5 a page. Thread: any.
 */
int salvage_file(const char *path, const char *out, struct salvage_report *ret, struct errmsg *err);
/* True when something of the file is not in the new one. */
bool salvage_lost(const struct salvage_report *report);

#endif
