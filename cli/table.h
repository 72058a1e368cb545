/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Aligned columns of text, measured in terminal cells. Cells are cleaned: a record's bytes come
 * from anywhere, and nothing in them may move the cursor or change a colour.
 */
#ifndef VARVE_CLI_TABLE_H
#define VARVE_CLI_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

#define TABLE_COLUMNS 8

struct table_column {
    const char *title; /* NULL: no line of titles */
    bool right;        /* aligned to the right */
    const char *color; /* SGR numbers, "1" or "36"; NULL: none */
};

struct table {
    const struct table_column *columns;
    int column_count;
    struct buf cells; /* each cell with a NUL behind it, row by row */
    size_t rows;
    int widths[TABLE_COLUMNS];
};

void table_init(struct table *t, const struct table_column *columns, int count);
/* Exactly one string a column; NULL is "". */
void table_row(struct table *t, const char *const *cells);
/* Appends the rows; width: cells of a line, the last column is cut there; 0: it is not. Frees. */
void table_print(struct table *t, struct buf *out, int width, bool color);

/* Cells that s takes on a terminal. */
int text_width(const char *s);
/* s as one line without control characters, cut to `width` cells (0: not) with "…". */
void text_line(struct buf *out, const char *s, int width);
/* s with its lines kept, each cleaned and put behind `indent` blanks. Ends with a line end. */
void text_block(struct buf *out, const char *s, int indent);

#endif
