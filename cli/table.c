/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/table.h"

#include <stdint.h>
#include <string.h>
#include <utf8proc.h>

/* ---- text ------------------------------------------------------------------------------------ */

/* The character at s, its bytes, and its width; what is no printing character is replaced. */
static size_t next_char(const char *s, size_t n, int *ret_width, const char **ret_shown,
                        size_t *ret_shown_size)
{
    utf8proc_int32_t c;
    utf8proc_ssize_t size = utf8proc_iterate((const utf8proc_uint8_t *)s, (utf8proc_ssize_t)n, &c);
    utf8proc_category_t category = size > 0 ? utf8proc_category(c) : UTF8PROC_CATEGORY_CC;
    *ret_shown = s;
    *ret_shown_size = size > 0 ? (size_t)size : 1;
    *ret_width = size > 0 ? utf8proc_charwidth(c) : 1;
    /* Controls move the cursor, format characters turn the direction of writing. */
    if (category == UTF8PROC_CATEGORY_CC || category == UTF8PROC_CATEGORY_CF ||
        category == UTF8PROC_CATEGORY_ZL || category == UTF8PROC_CATEGORY_ZP) {
        *ret_shown = size == 1 && (c == '\n' || c == '\t' || c == '\r') ? " " : "\xc2\xb7";
        *ret_shown_size = strlen(*ret_shown);
        *ret_width = 1;
    }
    return size > 0 ? (size_t)size : 1;
}

/* Appends as much of s as fits `width` cells; returns the bytes taken. */
static size_t put_cells(struct buf *out, const char *s, size_t n, int width)
{
    size_t at = 0;
    int used = 0;
    while (at < n) {
        int w;
        const char *shown;
        size_t shown_size;
        size_t size = next_char(s + at, n - at, &w, &shown, &shown_size);
        if (width > 0 && used + w > width)
            break;
        if (out)
            buf_append(out, shown, shown_size);
        used += w;
        at += size;
    }
    return at;
}

static int cells_of(const char *s, size_t n)
{
    int used = 0;
    for (size_t at = 0; at < n;) {
        int w;
        const char *shown;
        size_t shown_size;
        at += next_char(s + at, n - at, &w, &shown, &shown_size);
        used += w;
    }
    return used;
}

int text_width(const char *s)
{
    return cells_of(s, strlen(s));
}

void text_line(struct buf *out, const char *s, int width)
{
    size_t n = strlen(s);
    if (width > 0 && cells_of(s, n) > width) {
        if (width > 1)
            put_cells(out, s, n, width - 1);
        buf_puts(out, "…");
    } else {
        put_cells(out, s, n, 0);
    }
}

void text_block(struct buf *out, const char *s, int indent)
{
    while (*s) {
        size_t n = strcspn(s, "\n");
        if (n > 0)
            buf_printf(out, "%*s", indent, "");
        put_cells(out, s, n, 0);
        buf_putc(out, '\n');
        s += n + (s[n] == '\n');
    }
}

/* ---- tables ---------------------------------------------------------------------------------- */

void table_init(struct table *t, const struct table_column *columns, int count)
{
    *t = (struct table){.columns = columns, .column_count = count};
    for (int i = 0; i < count; i++)
        t->widths[i] = columns[i].title ? text_width(columns[i].title) : 0;
}

void table_row(struct table *t, const char *const *cells)
{
    for (int i = 0; i < t->column_count; i++) {
        const char *cell = cells[i] ? cells[i] : "";
        int width = text_width(cell);
        if (width > t->widths[i])
            t->widths[i] = width;
        buf_append(&t->cells, cell, strlen(cell) + 1);
    }
    t->rows++;
}

static void put_cell(const struct table *t, int column, const char *cell, struct buf *out,
                     int width, bool color)
{
    const struct table_column *c = &t->columns[column];
    bool last = column == t->column_count - 1;
    int pad = t->widths[column] - text_width(cell);
    if (c->right)
        buf_printf(out, "%*s", pad, "");
    if (color && c->color && *cell)
        buf_printf(out, "\033[%sm", c->color);
    text_line(out, cell, last ? width : 0);
    if (color && c->color && *cell)
        buf_puts(out, "\033[0m");
    if (!c->right && !last)
        buf_printf(out, "%*s", pad, "");
    buf_puts(out, last ? "\n" : "  ");
}

/* What is left for the last column. */
static int last_width(const struct table *t, int width)
{
    int used = 0;
    for (int i = 0; i < t->column_count - 1; i++)
        used += t->widths[i] + 2;
    if (width == 0)
        return 0;
    return width - used > 20 ? width - used : 20;
}

void table_print(struct table *t, struct buf *out, int width, bool color)
{
    int rest = last_width(t, width);
    for (int i = 0; i < t->column_count && t->columns[0].title; i++)
        put_cell(t, i, t->columns[i].title, out, rest, false);
    const char *cell = t->cells.data;
    for (size_t row = 0; row < t->rows && !buf_failed(&t->cells); row++) {
        for (int i = 0; i < t->column_count; i++) {
            put_cell(t, i, cell, out, rest, color);
            cell += strlen(cell) + 1;
        }
    }
    buf_deinit(&t->cells);
}
