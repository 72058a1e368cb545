/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path: the WAL goes into the file and ends; the writer's page cache is dropped, as it would
 * write old leftovers back; then page by page, its kind taken from the pointer map (the file is one
 * with auto-vacuum), what no cell covers is overwritten through SQLite's own file handle (a second
 * one would drop its locks when closed). Pages that transactions changed meanwhile are in the WAL:
 * at the end it goes into the file once more and these pages are looked at again.
 *
 * A page that does not look as it must is left alone: telling damage is verify's task. Sizes: some
 * 3 us a page, a step of STEP_PAGES is 10 ms.
 */
#include "memory/scrub.h"

#include <string.h>

#include "base/mem.h"
#include "memory/sqlite_format.h"
#include "memory/store_internal.h"

#define STEP_PAGES 4096
#define PAGE SCHEMA_PAGE_SIZE
#define LOCK_PAGE (0x40000000u / PAGE + 1)
#define BUSY_MS 50
#define TRUNKS_MAX 256 /* of 1,000 free pages each; the list is short when this begins */
#define WAL_HEADER 32
#define FRAME_HEADER 24

enum page_kind { KIND_ROOT = 1, KIND_FREE = 2, KIND_BTREE = 5 }; /* in the pointer map */

struct pages {
    sqlite3_file *file;
    uint32_t count;
    uint32_t usable;
    uint32_t map;                             /* page whose entries are in `entries`; 0: none */
    uint32_t trunks[TRUNKS_MAX], trunk_count; /* of the list of free pages */
    unsigned char entries[PAGE], page[PAGE];
    int rc;
};

static bool read_at(struct pages *x, uint32_t page, void *out, int size)
{
    if (x->rc == SQLITE_OK)
        x->rc = x->file->pMethods->xRead(x->file, out, size, (sqlite3_int64)(page - 1) * PAGE);
    return x->rc == SQLITE_OK;
}

/* Overwrites data[from, to) of a page unless it is zero already. */
static void clear(struct pages *x, uint32_t page, const unsigned char *data, uint32_t from,
                  uint32_t to)
{
    static const unsigned char zeros[PAGE];
    if (from >= to || to > x->usable || memcmp(data + from, zeros, to - from) == 0)
        return;
    if (x->rc == SQLITE_OK)
        x->rc = x->file->pMethods->xWrite(x->file, zeros, (int)(to - from),
                                          (sqlite3_int64)(page - 1) * PAGE + from);
}

/* What is behind the value in the last page of a chain. */
static void clear_chain_end(struct pages *x, uint32_t page, uint64_t size)
{
    uint32_t room = x->usable - 4;
    unsigned char next[4], last[PAGE];
    for (uint32_t steps = 0; size > room && steps < x->count; steps++) {
        if (page < 2 || page > x->count || !read_at(x, page, next, 4))
            return;
        page = format_be32(next);
        size -= room;
    }
    if (page >= 2 && page <= x->count && size <= room && read_at(x, page, last, PAGE))
        clear(x, page, last, 4 + (uint32_t)size, x->usable);
}

/* The chain of a cell whose payload does not fit into its page. */
static void clear_behind_cell(struct pages *x, int type, uint32_t at)
{
    uint32_t u = x->usable;
    uint64_t payload, rowid;
    if (type == 2)
        at += 4;
    uint32_t n = at < u ? format_varint(x->page + at, u - at, &payload) : 0;
    if (n == 0)
        return;
    at += n;
    if (type == 13) {
        n = at < u ? format_varint(x->page + at, u - at, &rowid) : 0;
        if (n == 0)
            return;
        at += n;
    }
    uint64_t most = type == 13 ? u - 35 : (u - 12) * 64 / 255 - 23,
             least = (u - 12) * 32 / 255 - 23;
    if (payload <= most)
        return;
    uint64_t local = least + (payload - least) % (u - 4);
    local = local <= most ? local : least;
    if (at + local + 4 <= u)
        clear_chain_end(x, format_be32(x->page + at + local), payload - local);
}

static void clear_btree(struct pages *x, uint32_t page)
{
    uint32_t h = page == 1 ? 100 : 0, u = x->usable;
    int type = x->page[h];
    bool leaf = type == 13 || type == 10;
    if (!leaf && type != 5 && type != 2)
        return;
    uint32_t cells = format_be16(x->page + h + 3), content = format_be16(x->page + h + 5);
    uint32_t array = h + (leaf ? 8 : 12), gap = array + 2 * cells;
    content = content ? content : 65536;
    if (gap > content || content > u)
        return;
    clear(x, page, x->page, gap, content);
    for (uint32_t block = format_be16(x->page + h + 1), steps = 0;
         block >= content && block + 4 <= u && steps < u;
         block = format_be16(x->page + block), steps++)
        clear(x, page, x->page, block + 4, block + format_be16(x->page + block + 2));
    for (uint32_t i = 0; i < cells && type != 5; i++)
        clear_behind_cell(x, type, format_be16(x->page + array + 2 * i));
}

/* A trunk of the list of free pages has its own links at the front; any other is all free. */
static void clear_free(struct pages *x, uint32_t page)
{
    uint32_t links = 0;
    for (uint32_t i = 0; i < x->trunk_count; i++)
        if (x->trunks[i] == page)
            links = 8 + 4 * format_be32(x->page + 4);
    clear(x, page, x->page, links, x->usable);
}

static void clear_page(struct pages *x, uint32_t page)
{
    uint32_t per_map = x->usable / 5 + 1;
    uint32_t map = page < 2 ? 0 : (page - 2) / per_map * per_map + 2;
    map += map == LOCK_PAGE;
    if (page == LOCK_PAGE || page == map || !read_at(x, page, x->page, PAGE))
        return;
    int kind = KIND_BTREE;
    if (page > 1) {
        if (map != x->map && !read_at(x, map, x->entries, PAGE))
            return;
        x->map = map;
        kind = page > map ? x->entries[5 * (page - map - 1)] : 0;
    }
    if (kind == KIND_ROOT || kind == KIND_BTREE)
        clear_btree(x, page);
    else if (kind == KIND_FREE)
        clear_free(x, page);
}

static int open_pages(struct store *s, struct pages *x, struct errmsg *err)
{
    unsigned char head[100];
    sqlite3_int64 size = 0;
    int rc = sqlite3_file_control(s->db, "main", SQLITE_FCNTL_FILE_POINTER, &x->file);
    if (rc == SQLITE_OK)
        rc = x->file->pMethods->xFileSize(x->file, &size);
    if (rc == SQLITE_OK)
        rc = x->file->pMethods->xRead(x->file, head, sizeof(head), 0);
    if (rc != SQLITE_OK)
        return sql_error(s->db, rc, err, "clearing the file");
    x->count = (uint32_t)(size / PAGE);
    x->usable = PAGE - head[20];
    if (format_be16(head + 16) != PAGE || format_be32(head + 52) == 0)
        return err_set(err, ERR_UNSUPPORTED, "clearing the file: not of pages with a map");
    x->trunk_count = 0;
    for (uint32_t page = format_be32(head + 32); page >= 2 && page <= x->count;) {
        if (x->trunk_count == TRUNKS_MAX)
            return err_set(err, ERR_LIMIT, "clearing the file: too many free pages");
        x->trunks[x->trunk_count++] = page;
        if (!read_at(x, page, x->page, PAGE))
            break;
        page = format_be32(x->page);
    }
    return sql_error(s->db, x->rc, err, "clearing the file");
}

/* *ret_done: the WAL's end was reached; else a reader is in the way. */
static int empty_wal(struct store *s, bool *ret_done, struct errmsg *err)
{
    int left = 0, all = 0;
    sqlite3_busy_timeout(s->db, BUSY_MS);
    int rc = sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, &all, &left);
    sqlite3_busy_timeout(s->db, STORE_BUSY_MS);
    *ret_done = rc == SQLITE_OK;
    sqlite3_db_release_memory(s->db);
    return rc == SQLITE_BUSY ? 0 : sql_error(s->db, rc, err, "checkpoint");
}

/* The numbers of the pages that lie in the WAL, appended as uint32_t. */
static int pages_in_wal(struct store *s, struct buf *out, struct errmsg *err)
{
    sqlite3_file *wal = NULL;
    sqlite3_int64 size = 0;
    unsigned char number[4];
    int rc = sqlite3_file_control(s->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &wal);
    if (rc == SQLITE_OK && wal && wal->pMethods)
        rc = wal->pMethods->xFileSize(wal, &size);
    for (sqlite3_int64 at = WAL_HEADER; rc == SQLITE_OK && at + FRAME_HEADER + PAGE <= size;
         at += FRAME_HEADER + PAGE) {
        rc = wal->pMethods->xRead(wal, number, sizeof(number), at);
        uint32_t page = format_be32(number);
        buf_append(out, &page, sizeof(page));
    }
    if (rc != SQLITE_OK)
        return sql_error(s->db, rc, err, "clearing the file");
    return buf_failed(out) ? err_set(err, ERR_NOMEM, "%s", err_text(ERR_NOMEM)) : 0;
}

int scrub_note(struct store *s, struct errmsg *err)
{
    return s->scrubbing ? pages_in_wal(s, &s->scrub_pages, err) : 0;
}

static int finish(struct store *s, struct pages *x, bool *ret_done, struct errmsg *err)
{
    struct buf *changed = &s->scrub_pages;
    int r = scrub_note(s, err);
    if (r == 0)
        r = empty_wal(s, ret_done, err);
    if (r == 0 && *ret_done)
        r = open_pages(s, x, err);
    for (size_t at = 0; r == 0 && *ret_done && at < changed->size; at += sizeof(uint32_t)) {
        uint32_t page;
        memcpy(&page, changed->data + at, sizeof(page));
        if (page >= 1 && page <= x->count)
            clear_page(x, page);
    }
    if (r == 0 && *ret_done)
        buf_deinit(changed);
    if (r == 0 && *ret_done && x->rc == SQLITE_OK)
        x->rc = x->file->pMethods->xSync(x->file, SQLITE_SYNC_NORMAL);
    return r ? r : sql_error(s->db, x->rc, err, "clearing the file");
}

int scrub_step(struct store *s, struct scrub *x, struct errmsg *err)
{
    bool done = true;
    int r = 0;
    if (!x->started) {
        r = empty_wal(s, &done, err);
        if (r || !done)
            return r ? r : STORE_MORE;
        buf_deinit(&s->scrub_pages);
        *x = (struct scrub){.next = 1, .started = true};
        s->scrubbing = true;
    }
    struct pages *p = mem_calloc(1, sizeof(*p));
    if (!p)
        return err_set(err, ERR_NOMEM, "%s", err_text(ERR_NOMEM));
    r = open_pages(s, p, err);
    for (uint32_t n = 0; r == 0 && n < STEP_PAGES && x->next <= p->count; n++)
        clear_page(p, x->next++);
    if (r == 0)
        r = sql_error(s->db, p->rc, err, "clearing the file");
    bool end = r == 0 && x->next > p->count;
    if (end)
        r = finish(s, p, &done, err);
    mem_free(p);
    if (r) /* what the step passed over may not be cleared */
        x->started = false;
    if (r || (end && done))
        s->scrubbing = false;
    return r ? r : end && done ? 0 : STORE_MORE;
}
