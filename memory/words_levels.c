/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The levels of the full-text index. FTS5 puts all segments together into a new level behind the
 * last one, and never takes the empty ones in front of it away: after 2,000 such merges SQLite
 * before 3.41 calls its own index malformed, for good. So empty levels go from its structure record
 * (words_data, id 10) in time. Levels only order segments by age: nothing else changes.
 *
 * The record: u32 cookie, then varints: levels, segments, write counter; a level: segments that are
 * being merged, segments, and of each its id, first and last page. A varint is SQLite's: seven bits
 * a byte, the highest first. A record of another shape, or a damaged one, is left as it is: FTS5
 * itself says what it thinks of it. Sizes: two bytes an empty level.
 */
#include "memory/words_internal.h"

#include "base/buf.h"
#include "memory/sqlite.h"

#define STRUCTURE_ID 10
#define COOKIE_BYTES 4
#define LEVELS_MANY 256
#define LEVELS_EMPTY                                                                               \
    4 /* of a row of empty ones that stay: new segments are small ones for a while */
#define SEGMENTS_MOST 2000

/* Big-endian, without SQLite's ninth byte of eight bits, which only huge numbers have. */
static uint64_t number(struct cursor *c)
{
    uint64_t v = 0;
    for (int i = 0; i < 8 && !c->failed; i++) {
        uint8_t byte = cursor_u8(c);
        v = v << 7 | (byte & 0x7f);
        if (!(byte & 0x80))
            return v;
    }
    c->failed = true;
    return 0;
}

static void put_number(struct buf *b, uint64_t v)
{
    int shift = 49;
    while (shift > 0 && v >> shift == 0)
        shift -= 7;
    for (; shift >= 0; shift -= 7)
        buf_put_u8(b, (uint8_t)((v >> shift & 0x7f) | (shift ? 0x80 : 0)));
}

/* Copies a level to `out` unless it is one empty level too many in a row. Returns whether it did.
 */
static bool take_level(struct cursor *c, uint32_t *empty, struct buf *out)
{
    uint64_t merging = number(c), segments = number(c);
    if (segments > SEGMENTS_MOST)
        c->failed = true;
    *empty = merging == 0 && segments == 0 ? *empty + 1 : 0;
    if (*empty > LEVELS_EMPTY || c->failed)
        return false;
    put_number(out, merging);
    put_number(out, segments);
    for (uint64_t i = 0; i < 3 * segments && !c->failed; i++)
        put_number(out, number(c));
    return true;
}

/* False: there is nothing to take out, or the record is not understood. */
static bool rewrite(const void *data, size_t size, struct buf *out)
{
    struct cursor c;
    struct buf levels = {0};
    cursor_init(&c, data, size);
    struct slice head = cursor_bytes(&c, COOKIE_BYTES);
    uint64_t count = number(&c), segments = number(&c), counter = number(&c), kept = 0;
    uint32_t empty = 0;
    bool ok = !c.failed && count > LEVELS_MANY && segments <= SEGMENTS_MOST;
    for (uint64_t i = 0; ok && i < count && !c.failed; i++)
        kept += take_level(&c, &empty, &levels);
    ok = ok && !c.failed && cursor_left(&c) == 0;
    if (ok) {
        buf_append(out, head.data, head.size);
        put_number(out, kept);
        put_number(out, segments);
        put_number(out, counter);
        buf_append(out, levels.data, levels.size);
    }
    ok = ok && !buf_failed(&levels);
    buf_deinit(&levels);
    return ok;
}

static int put_structure(sqlite3 *db, const struct buf *b, struct errmsg *err)
{
    sqlite3_stmt *put;
    int r = sql_prepare(db, "UPDATE words_data SET block=?1 WHERE id=?2", &put, err);
    if (r)
        return r;
    sqlite3_bind_blob(put, 1, b->data, (int)b->size, SQLITE_STATIC);
    sqlite3_bind_int64(put, 2, STRUCTURE_ID);
    r = sql_run(put, err);
    sqlite3_finalize(put);
    return r;
}

int words_trim_levels(sqlite3 *db, struct errmsg *err)
{
    sqlite3_stmt *get;
    struct buf fresh = {0};
    int r = sql_prepare(db, "SELECT block FROM words_data WHERE id=?1", &get, err);
    if (r)
        return r;
    sqlite3_bind_int64(get, 1, STRUCTURE_ID);
    r = sql_step(get, err);
    bool due = r == 0 &&
               rewrite(sqlite3_column_blob(get, 0), (size_t)sqlite3_column_bytes(get, 0), &fresh);
    sqlite3_finalize(get);
    r = r == SQL_DONE ? 0 : r;
    if (r == 0 && due && buf_failed(&fresh))
        r = err_set(err, ERR_NOMEM, "%s", err_text(ERR_NOMEM));
    if (r == 0 && due)
        r = put_structure(db, &fresh, err);
    /* A merge of no pages does nothing but drop what FTS5 has in memory of the old record. */
    if (r == 0 && due)
        r = sql_exec(db, "INSERT INTO words(words, rank) VALUES('merge', 0)", err);
    buf_deinit(&fresh);
    return r;
}
