/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What goes: all moments are looked at by rising id, their evidence where the records must be
 * asked; then the remainders of evicted ones, and other texts of the file (forget_texts.c). What
 * is only remembered as a sum cannot be divided: a remainder that reaches into the time goes whole.
 *
 * Sizes: 10,000 records a slice where they are asked; a row of the plan has at most 40 bytes.
 */
#include <endian.h>
#include <stdio.h>
#include <string.h>

#include "memory/evidence.h"
#include "memory/forget_internal.h"

#define SLICE_US 15000

enum plan_part {
    PART_BEGIN,
    PART_MOMENTS,
    PART_REMAINDERS,
    PART_TEXTS,
    PART_END
};

int forget_plan_row(struct store *s, struct forget *f, int what, int64_t id, struct slice arg,
                    struct errmsg *err)
{
    f->next.receipt.planned++;
    return f->selector.dry ? 0 : forget_note(s, what, id, arg, err);
}

static bool in_time(const struct forget_selector *x, int64_t t)
{
    return (x->since == TIME_UNKNOWN || t >= x->since) &&
           (x->until == TIME_UNKNOWN || t < x->until);
}

static bool is_whole(const struct forget_selector *x, int64_t t_start, int64_t t_end)
{
    return x->match.size == 0 && in_time(x, t_start) && in_time(x, t_end);
}

/* A sensor's payload is its channels' names here. */
static bool channels_match(struct forget *f, const struct erased *e, const struct record *r)
{
    for (uint32_t i = 0; i < r->sample_count; i++) {
        uint16_t c = r->samples[i].channel;
        const char *name = c < e->channel_count ? e->channels[c] : NULL;
        if (name && forget_matches(f, (struct slice){name, strlen(name)}))
            return true;
    }
    return false;
}

static bool record_goes(struct forget *f, const struct erased *e, const struct record *r)
{
    const struct forget_selector *x = &f->selector;
    if (!in_time(x, r->time))
        return false;
    return x->match.size == 0 || forget_matches(f, r->text) || forget_matches(f, r->ref) ||
           channels_match(f, e, r);
}

/* Does what is told of the moment hold the pattern? */
static bool is_told(struct forget *f, const struct erased *e)
{
    bool told = forget_matches(f, e->row.title) || forget_matches(f, e->moment.gist);
    for (uint32_t i = 0; i < e->moment.unusual_count && !told; i++) {
        const char *why = e->moment.unusual[i].why;
        told = forget_matches(f, (struct slice){why, strlen(why)});
    }
    return told;
}

static void count(struct forget *f, bool whole, int64_t records, int64_t bytes)
{
    struct forget_receipt *receipt = &f->next.receipt;
    if (!f->selector.dry)
        return;
    receipt->records += (uint64_t)records;
    receipt->bytes += (uint64_t)bytes;
    receipt->moments += whole;
    receipt->rewritten += !whole;
}

/* A moment whose records must be asked one by one. */
static int plan_some(struct store *s, struct forget *f, const struct erased *e, struct errmsg *err)
{
    struct forget_some some = {0};
    int64_t goes = 0, bytes = 0;
    for (uint32_t i = 0; i < e->moment.record_count; i++) {
        if (!record_goes(f, e, &e->moment.records[i]))
            continue;
        some.records[i / 8] |= (unsigned char)(1 << i % 8);
        bytes += (int64_t)record_payload_size(&e->moment.records[i]);
        goes++;
    }
    bool told = f->pattern.size > 0 && is_told(f, e);
    /* Of one without evidence nobody can say which records it told of. */
    bool whole = e->evidence ? goes == e->moment.record_count : told || f->pattern.size == 0;
    if (goes == 0 && !told && !whole)
        return 0;
    count(f, whole, whole ? e->row.records : goes, whole ? e->row.raw_bytes : bytes);
    some.reword = told;
    struct slice arg = {(const char *)&some, sizeof(some)};
    return forget_plan_row(s, f, FORGET_MOMENT, e->id, whole ? (struct slice){NULL, 0} : arg, err);
}

/* Most moments hold nothing of a pattern: that is seen from their texts as a whole, without a look
 * at each record. A match over the border of two is looked at and is none. */
static int may_hold(struct store *s, struct forget *f, sqlite3_stmt *q, bool *ret,
                    struct errmsg *err)
{
    struct slice block = {sqlite3_column_blob(q, 5), (size_t)sqlite3_column_bytes(q, 5)};
    struct slice refs = {NULL, 0}, texts = {NULL, 0};
    sqlite3_stmt *whys = erase_stmt(s, ERASE_WHYS);
    int64_t id = sqlite3_column_int64(q, 0);
    int r = 0;
    arena_reset(&s->erasure->arena);
    if (block.size)
        r = evidence_texts(block, &s->erasure->arena, &refs, &texts, err);
    if (r)
        return err_wrap(err, r, "memory %lld", (long long)id);
    *ret = forget_matches(f, forget_column(q, 6)) || forget_matches(f, forget_column(q, 7)) ||
           forget_matches(f, texts) || forget_matches(f, refs);
    sqlite3_bind_int64(whys, 1, id);
    while (!*ret && (r = sql_step(whys, err)) == 0)
        *ret = forget_matches(f, forget_column(whys, 0));
    sqlite3_reset(whys);
    return r == SQL_DONE ? 0 : r;
}

/* Does a channel of the stream's hold the pattern? */
static int is_in_channels(struct store *s, struct forget *f, int64_t stream, bool *ret,
                          struct errmsg *err)
{
    sqlite3_stmt *q = erase_stmt(s, ERASE_CHANNELS);
    int r = 0;
    if (f->channels_of != stream) {
        f->channels_match = false;
        sqlite3_bind_int64(q, 1, stream);
        while (!f->channels_match && (r = sql_step(q, err)) == 0)
            f->channels_match = forget_matches(f, forget_column(q, 1));
        sqlite3_reset(q);
    }
    r = r == SQL_DONE ? 0 : r;
    f->channels_of = r == 0 ? stream : 0;
    *ret = f->channels_match;
    return r;
}

static int plan_moment(struct store *s, struct forget *f, sqlite3_stmt *q, struct errmsg *err)
{
    struct erased e;
    int64_t id = sqlite3_column_int64(q, 0);
    bool asked = true;
    int r = 0;
    if (is_whole(&f->selector, sqlite3_column_int64(q, 1), sqlite3_column_int64(q, 2))) {
        count(f, true, sqlite3_column_int64(q, 3), sqlite3_column_int64(q, 4));
        return forget_plan_row(s, f, FORGET_MOMENT, id, (struct slice){NULL, 0}, err);
    }
    if (f->pattern.size) {
        r = is_in_channels(s, f, sqlite3_column_int64(q, 8), &asked, err);
        if (r == 0 && !asked)
            r = may_hold(s, f, q, &asked, err);
    }
    if (r || !asked)
        return r;
    r = erase_load(s, id, &e, err);
    return r ? r : plan_some(s, f, &e, err);
}

/* SQL_DONE: the part is through; else rows may be left. */
static int moments_slice(struct store *s, struct forget *f, struct errmsg *err)
{
    const struct forget_selector *x = &f->selector;
    int64_t start = clock_mono(clock_system());
    sqlite3_stmt *q;
    /* By id, so that a slice goes on where the last one ended: without the + all of them would be
     * sorted for each. */
    int r = sql_prepare(s->db,
                        "SELECT m.id, m.t_start, m.t_end, m.records, m.raw_bytes, e.block, "
                        "m.title, g.text, m.stream FROM moment m LEFT JOIN evidence e ON "
                        "e.moment=m.id LEFT JOIN gist g ON g.moment=m.id WHERE m.id>?1 AND "
                        "m.id<=?2 AND +m.stratum=0 AND (?3=0 OR +m.stream=?3) AND m.t_end>=?4 AND "
                        "+m.t_start<?5 ORDER BY m.id",
                        &q, err);
    if (r)
        return r;
    sqlite3_bind_int64(q, 1, f->next.at);
    sqlite3_bind_int64(q, 2, f->last_moment);
    sqlite3_bind_int64(q, 3, x->stream);
    sqlite3_bind_int64(q, 4, x->since == TIME_UNKNOWN ? INT64_MIN : x->since);
    sqlite3_bind_int64(q, 5, x->until == TIME_UNKNOWN ? INT64_MAX : x->until);
    do {
        r = sql_step(q, err);
        if (r == 0)
            r = plan_moment(s, f, q, err);
        if (r == 0)
            f->next.at = sqlite3_column_int64(q, 0);
    } while (r == 0 && clock_mono(clock_system()) - start < SLICE_US);
    sqlite3_finalize(q);
    return r;
}

/* Few rows, in one go. */
static int plan_remainders(struct store *s, struct forget *f, struct errmsg *err)
{
    const struct forget_selector *x = &f->selector;
    if (x->match.size)
        return 0;
    sqlite3_stmt *q;
    int r =
        sql_prepare(s->db,
                    "SELECT id FROM moment m WHERE stratum<0 AND t_end>=?2 AND t_start<?3 AND "
                    "(?1=0 OR EXISTS(SELECT 1 FROM part p WHERE p.moment=m.id AND p.stream=?1))",
                    &q, err);
    if (r)
        return r;
    uint64_t stream = htole64((uint64_t)x->stream);
    struct slice arg = {(const char *)&stream, x->stream ? sizeof(stream) : 0};
    sqlite3_bind_int64(q, 1, x->stream);
    sqlite3_bind_int64(q, 2, x->since == TIME_UNKNOWN ? INT64_MIN : x->since);
    sqlite3_bind_int64(q, 3, x->until == TIME_UNKNOWN ? INT64_MAX : x->until);
    while ((r = sql_step(q, err)) == 0 &&
           (r = forget_plan_row(s, f, FORGET_REMAINDER, sqlite3_column_int64(q, 0), arg, err)) == 0)
        continue;
    sqlite3_finalize(q);
    return r == SQL_DONE ? 0 : r;
}

/* A memory that is named, with all below it. */
static int plan_id(struct store *s, struct forget *f, struct errmsg *err)
{
    sqlite3_stmt *q = erase_stmt(s, ERASE_LOAD);
    sqlite3_bind_int64(q, 1, f->selector.id);
    int r = sql_step(q, err);
    int stratum = r == 0 ? sqlite3_column_int(q, 0) : -1;
    int64_t records = sqlite3_column_int64(q, 5), bytes = sqlite3_column_int64(q, 6);
    sqlite3_reset(q);
    if (r == SQL_DONE || (r == 0 && stratum < 0))
        return err_set(err, ERR_NOTFOUND, "no memory %lld", (long long)f->selector.id);
    if (r)
        return r;
    f->next.part = PART_END;
    count(f, stratum == STRATUM_MOMENT, records, bytes);
    return forget_plan_row(s, f, stratum == STRATUM_MOMENT ? FORGET_MOMENT : FORGET_SPAN, f->selector.id,
                (struct slice){NULL, 0}, err);
}

/*
 * An error may have ended a forgetting before. Where its plan was not complete nothing of it may go;
 * where it was, it is carried out along with this one. Which words its models were to drop is not
 * known any more: they begin anew.
 */
static int take_up_rest(struct store *s, struct forget *f, struct errmsg *err)
{
    int64_t planned;
    int r = sql_int64(s->db, "SELECT count(*) FROM forget WHERE what=0", &planned, err);
    if (r || f->selector.dry)
        return r;
    if (planned == 0)
        return sql_exec(s->db, "DELETE FROM forget", err);
    sqlite3_stmt *q;
    r = sql_prepare(s->db, "SELECT id FROM forget WHERE what=20", &q, err);
    while (r == 0 && (r = sql_step(q, err)) == 0) {
        r = forget_touch_stream(s, f, sqlite3_column_int64(q, 0), err);
        f->too_many_words = true;
    }
    sqlite3_finalize(q);
    f->next.receipt.planned++;
    return r == SQL_DONE ? 0 : r;
}

/* What the selector names must be there. */
static int begin(struct store *s, struct forget *f, struct errmsg *err)
{
    const struct forget_selector *x = &f->selector;
    int64_t one;
    char sql[96];
    int r = take_up_rest(s, f, err);
    if (r == 0)
        r = sql_int64(s->db, "SELECT coalesce(max(id), 0) FROM moment", &f->last_moment, err);
    if (r == 0 && x->id)
        return plan_id(s, f, err);
    snprintf(sql, sizeof(sql), "SELECT id FROM stream WHERE id=%lld", (long long)x->stream);
    if (r == 0 && x->stream)
        r = sql_int64(s->db, sql, &one, err);
    if (r)
        return err_set(err, r, "no stream %lld", (long long)x->stream);
    f->next.part = PART_MOMENTS;
    return 0;
}

static bool is_whole_stream(const struct forget_selector *x)
{
    return x->stream && x->match.size == 0 && x->since == TIME_UNKNOWN && x->until == TIME_UNKNOWN;
}

static int end(struct store *s, struct forget *f, struct errmsg *err)
{
    int r = f->pattern.size && !f->selector.dry ? forget_plan_models(s, f, err) : 0;
    if (r == 0 && is_whole_stream(&f->selector))
        r = forget_plan_row(s, f, FORGET_STREAM, f->selector.stream, (struct slice){NULL, 0}, err);
    if (r == 0 && f->next.receipt.planned && !f->selector.dry)
        r = forget_note(s, FORGET_PLANNED, 0, (struct slice){NULL, 0}, err);
    return r;
}

int forget_plan(struct store *s, struct forget *f, struct errmsg *err)
{
    int r = 0;
    switch (f->next.part) {
    case PART_BEGIN:
        r = begin(s, f, err);
        return r ? r : STORE_MORE;
    case PART_MOMENTS:
        r = moments_slice(s, f, err);
        if (r != SQL_DONE)
            return r ? r : STORE_MORE;
        r = 0;
        break;
    case PART_REMAINDERS:
        r = plan_remainders(s, f, err);
        break;
    case PART_TEXTS:
        r = forget_plan_texts(s, f, &f->next.at, err);
        if (r == STORE_MORE)
            return r;
        break;
    case PART_END:
        return end(s, f, err);
    }
    f->next.part++;
    f->next.at = 0;
    return r ? r : STORE_MORE;
}
