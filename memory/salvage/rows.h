/* SPDX-License-Identifier: Apache-2.0 */
/* Rows out of single b-tree pages, each checked against what its table allows. */
#ifndef VARVE_MEMORY_SALVAGE_ROWS_H
#define VARVE_MEMORY_SALVAGE_ROWS_H

#include "base/buf.h"
#include "memory/salvage/pages.h"

#define COLUMNS_MAX 64

enum value_type { VALUE_NULL, VALUE_INT, VALUE_REAL, VALUE_TEXT, VALUE_BLOB };

struct value {
    enum value_type type;
    int64_t number;
    double real;
    struct slice bytes; /* text and blob */
};

struct row {
    int64_t rowid; /* of a table with rowids, else 0 */
    uint32_t count;
    struct value values[COLUMNS_MAX];
};

enum page_type {
    PAGE_INDEX_INTERIOR = 0x02,
    PAGE_TABLE_INTERIOR = 0x05,
    PAGE_INDEX_LEAF = 0x0a,
    PAGE_TABLE_LEAF = 0x0d
};

/* A page as its own header describes it; `data` is borrowed. */
struct node {
    const struct pages *pages;
    uint32_t number;
    const unsigned char *data;
    enum page_type type;
    uint32_t cells;
};

/* False when the page is no node of a b-tree. */
bool node_read(const struct pages *p, uint32_t number, const unsigned char *data, struct node *ret);
/* Of interior pages: the child left of cell i; i == cells: the rightmost one. 0: out of bounds. */
uint32_t node_child(const struct node *n, uint32_t i);
/* The row of cell i, its bytes in `scratch`. ERR_CORRUPT when it is none, ERR_NOMEM. */
int node_row(const struct node *n, uint32_t i, struct buf *scratch, struct row *ret);

#endif
