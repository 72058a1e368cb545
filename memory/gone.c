/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which numbers of a stream were stored and are no longer: ranges that are joined as they meet.
 * What is let go oldest first stays one range; a stream whose numbers have gaps, or of which single
 * moments stay, has one for each stretch. Beyond what the budget has room for (keep_gone_most) the
 * lowest ones are joined over their gaps: a number that was never used and lies that far back then
 * counts as had, too.
 */
#include "memory/erase_internal.h"
#include "memory/keep_internal.h"

#define COUNT_EVERY 64

static int put(struct store *s, enum erase_statement which, int64_t stream, int64_t first,
               int64_t last, struct errmsg *err)
{
    sqlite3_stmt *q = erase_stmt(s, which);
    sqlite3_bind_int64(q, 1, stream);
    sqlite3_bind_int64(q, 2, first);
    if (which == ERASE_GONE_PUT)
        sqlite3_bind_int64(q, 3, last);
    return sql_run(q, err);
}

/* SQL_DONE: nothing that touches [first, last] is left. */
static int absorb(struct store *s, int64_t stream, int64_t *first, int64_t *last,
                  struct errmsg *err)
{
    sqlite3_stmt *q = erase_stmt(s, ERASE_GONE_BEFORE);
    sqlite3_bind_int64(q, 1, stream);
    sqlite3_bind_int64(q, 2, *last + 1);
    int r = sql_step(q, err);
    if (r)
        return r;
    int64_t a = sqlite3_column_int64(q, 0), b = sqlite3_column_int64(q, 1);
    sqlite3_reset(q);
    if (b < *first - 1)
        return SQL_DONE;
    *first = a < *first ? a : *first;
    *last = b > *last ? b : *last;
    return put(s, ERASE_GONE_DELETE, stream, a, 0, err);
}

static int join_lowest(struct store *s, int64_t stream, struct errmsg *err)
{
    sqlite3_stmt *q = erase_stmt(s, ERASE_GONE_LOWEST);
    int64_t at[2] = {0, 0}, last = 0;
    int r = 0;
    sqlite3_bind_int64(q, 1, stream);
    for (int i = 0; i < 2 && (r = sql_step(q, err)) == 0; i++) {
        at[i] = sqlite3_column_int64(q, 0);
        last = sqlite3_column_int64(q, 1);
    }
    sqlite3_reset(q);
    for (int i = 0; i < 2 && r == 0; i++)
        r = put(s, ERASE_GONE_DELETE, stream, at[i], 0, err);
    return r ? r : put(s, ERASE_GONE_PUT, stream, at[0], last, err);
}

static int bound(struct store *s, int64_t stream, struct errmsg *err)
{
    sqlite3_stmt *q = erase_stmt(s, ERASE_GONE_COUNT);
    sqlite3_bind_int64(q, 1, stream);
    int r = sql_step(q, err);
    int64_t count = r == 0 ? sqlite3_column_int64(q, 0) : 0;
    sqlite3_reset(q);
    for (; r == 0 && count > keep_gone_most(s); count--)
        r = join_lowest(s, stream, err);
    return r;
}

int gone_add(struct store *s, int64_t stream, uint64_t first, uint64_t last, struct errmsg *err)
{
    int64_t a = (int64_t)first, b = (int64_t)last;
    int r;
    while ((r = absorb(s, stream, &a, &b, err)) == 0)
        continue;
    if (r == SQL_DONE)
        r = put(s, ERASE_GONE_PUT, stream, a, b, err);
    if (r == 0 && ++s->erasure->gone_puts >= COUNT_EVERY) {
        s->erasure->gone_puts = 0;
        r = bound(s, stream, err);
    }
    return r;
}

int gone_add_records(struct store *s, int64_t stream, const struct record *records, uint32_t count,
                     struct errmsg *err)
{
    int r = 0;
    for (uint32_t i = 0, end; i < count && r == 0; i = end) {
        for (end = i + 1; end < count && records[end].seq == records[end - 1].seq + 1;)
            end++;
        r = gone_add(s, stream, records[i].seq, records[end - 1].seq, err);
    }
    return r;
}
