/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SQLite's file format, section 1.6 and 2.1. Sizes are bounded by the page, chains by the size that
 * the row says it has, and that by EVIDENCE_BODY_MAX: no row of ours is longer.
 */
#include "memory/salvage/rows.h"

#include <string.h>

#include "memory/evidence.h"
#include "memory/sqlite_format.h"

#define ROW_MAX (EVIDENCE_BODY_MAX + (1u << 20))

static bool is_interior(const struct node *n)
{
    return n->type == PAGE_TABLE_INTERIOR || n->type == PAGE_INDEX_INTERIOR;
}

static uint32_t header_at(const struct node *n)
{
    return n->number == 1 ? 100 : 0;
}

bool node_read(const struct pages *p, uint32_t number, const unsigned char *data, struct node *ret)
{
    struct node n = {.pages = p, .number = number, .data = data};
    const unsigned char *h = data + header_at(&n);
    if (h[0] != PAGE_INDEX_INTERIOR && h[0] != PAGE_TABLE_INTERIOR && h[0] != PAGE_INDEX_LEAF &&
        h[0] != PAGE_TABLE_LEAF)
        return false;
    n.type = (enum page_type)h[0];
    n.cells = format_be16(h + 3);
    uint32_t end = header_at(&n) + (is_interior(&n) ? 12 : 8) + 2 * n.cells;
    uint32_t content = format_be16(h + 5);
    content = content == 0 ? 65536 : content;
    if (end > content || content > p->page_size)
        return false;
    *ret = n;
    return true;
}

/* Where cell i starts; 0: out of bounds. */
static uint32_t cell_at(const struct node *n, uint32_t i)
{
    uint32_t first = header_at(n) + (is_interior(n) ? 12 : 8);
    uint32_t at = format_be16(n->data + first + 2 * i);
    return at >= first + 2 * n->cells && at + 4 <= n->pages->page_size ? at : 0;
}

uint32_t node_child(const struct node *n, uint32_t i)
{
    uint32_t at = i == n->cells ? header_at(n) + 8 : cell_at(n, i);
    uint32_t child = at ? format_be32(n->data + at) : 0;
    return child >= 2 && child <= n->pages->count ? child : 0;
}

/* How much of a payload lies in the page itself. */
static uint32_t local_size(const struct node *n, uint32_t payload)
{
    uint32_t usable = n->pages->page_size;
    uint32_t most = n->type == PAGE_TABLE_LEAF ? usable - 35 : (usable - 12) * 64 / 255 - 23;
    uint32_t least = (usable - 12) * 32 / 255 - 23;
    if (payload <= most)
        return payload;
    uint32_t local = least + (payload - least) % (usable - 4);
    return local <= most ? local : least;
}

static int read_chain(const struct pages *p, uint32_t page, size_t left, struct buf *out)
{
    unsigned char data[PAGE_MAX];
    while (left > 0) {
        size_t n = left < p->page_size - 4 ? left : p->page_size - 4;
        if (page < 2 || pages_read(p, page, data) != 0)
            return ERR_CORRUPT;
        buf_append(out, data + 4, n);
        page = format_be32(data);
        left -= n;
    }
    return page == 0 ? 0 : ERR_CORRUPT;
}

static int read_payload(const struct node *n, uint32_t at, struct buf *out, int64_t *ret_rowid)
{
    uint64_t payload, rowid = 0;
    uint32_t end = n->pages->page_size, used;
    at += n->type == PAGE_INDEX_INTERIOR ? 4 : 0;
    at += used = at < end ? format_varint(n->data + at, end - at, &payload) : 0;
    if (used == 0 || payload > ROW_MAX)
        return ERR_CORRUPT;
    if (n->type == PAGE_TABLE_LEAF) {
        at += used = at < end ? format_varint(n->data + at, end - at, &rowid) : 0;
        if (used == 0)
            return ERR_CORRUPT;
    }
    uint32_t local = local_size(n, (uint32_t)payload);
    uint32_t more = local < payload ? 4 : 0;
    if (at + local + more > end)
        return ERR_CORRUPT;
    buf_clear(out);
    buf_append(out, n->data + at, local);
    int r =
        more ? read_chain(n->pages, format_be32(n->data + at + local), payload - local, out) : 0;
    *ret_rowid = (int64_t)rowid;
    return buf_failed(out) ? ERR_NOMEM : r;
}

static int64_t integer(const unsigned char *p, uint32_t size)
{
    uint64_t v = p[0] & 0x80 ? UINT64_MAX : 0;
    for (uint32_t i = 0; i < size; i++)
        v = v << 8 | p[i];
    return (int64_t)v;
}

/* One column by its serial type. Returns its bytes, or -1. */
static int64_t read_value(uint64_t type, const unsigned char *p, size_t left, struct value *ret)
{
    static const unsigned char sizes[] = {0, 1, 2, 3, 4, 6, 8, 8, 0, 0};
    uint64_t size = type < 10 ? sizes[type] : type >= 12 ? (type - 12) / 2 : UINT64_MAX;
    if (size > left)
        return -1;
    *ret = (struct value){.type = VALUE_INT};
    if (type == 0)
        ret->type = VALUE_NULL;
    else if (type == 7) {
        int64_t bits = integer(p, 8);
        ret->type = VALUE_REAL;
        memcpy(&ret->real, &bits, sizeof(bits));
    } else if (type == 8 || type == 9) {
        ret->number = (int64_t)type - 8;
    } else if (type < 7) {
        ret->number = integer(p, (uint32_t)size);
    } else {
        ret->type = type & 1 ? VALUE_TEXT : VALUE_BLOB;
        ret->bytes = (struct slice){(const char *)p, (size_t)size};
    }
    return (int64_t)size;
}

int node_row(const struct node *n, uint32_t i, struct buf *scratch, struct row *ret)
{
    uint32_t at = cell_at(n, i);
    int r = at ? read_payload(n, at, scratch, &ret->rowid) : ERR_CORRUPT;
    if (r)
        return r;
    const unsigned char *p = (const unsigned char *)scratch->data;
    uint64_t header, type;
    size_t size = scratch->size, head = size ? format_varint(p, size, &header) : 0;
    if (head == 0 || header > size || header < head)
        return ERR_CORRUPT;
    size_t body = header;
    ret->count = 0;
    while (head < header) {
        uint32_t used = format_varint(p + head, header - head, &type);
        int64_t length = used && ret->count < COLUMNS_MAX
                             ? read_value(type, p + body, size - body, &ret->values[ret->count++])
                             : -1;
        if (length < 0)
            return ERR_CORRUPT;
        head += used;
        body += (size_t)length;
    }
    return body == size ? 0 : ERR_CORRUPT;
}
