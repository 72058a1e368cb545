/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Carries the plan out, row by row in the order of enum forget_what: each is done and removed in
 * one transaction, so a kill leaves exactly the rest. What a row touches above itself is planned as
 * units of the calendar, which come last and from below, so that a day is made once and not for
 * each of its hours.
 */
#include <endian.h>
#include <stdio.h>
#include <string.h>

#include "memory/calendar.h"
#include "memory/forget_internal.h"

#define SLICE_US 15000
#define BORDER (5 * US_PER_MINUTE) /* how far an hour's episodes may reach over its ends */

static const struct slice nothing = {NULL, 0};

int forget_note(struct store *s, int what, int64_t id, struct slice arg, struct errmsg *err)
{
    sqlite3_stmt *q = erase_stmt(s, ERASE_FORGET_PUT);
    sqlite3_bind_int(q, 1, what);
    sqlite3_bind_int64(q, 2, id);
    if (arg.size)
        sqlite3_bind_blob(q, 3, arg.data, (int)arg.size, SQLITE_STATIC);
    return sql_run(q, err);
}

static int note_unit(struct store *s, int stratum, int64_t t, struct errmsg *err)
{
    if (stratum >= STRATA)
        return 0;
    int64_t start = calendar_start(stratum == STRATUM_EPISODE ? STRATUM_HOUR : stratum, t);
    return forget_note(s, FORGET_UNIT + stratum,
                       stratum <= STRATUM_HOUR ? start / US_PER_HOUR : start, nothing, err);
}

int forget_note_above(struct store *s, int stratum, int64_t t, struct errmsg *err)
{
    if (stratum > STRATUM_MOMENT)
        return note_unit(s, stratum + 1, t, err);
    /* Near its ends a moment may have made the border to the next hour's episodes. */
    int r = note_unit(s, STRATUM_EPISODE, t, err);
    if (r == 0 && t >= BORDER)
        r = note_unit(s, STRATUM_EPISODE, t - BORDER, err);
    return r ? r : note_unit(s, STRATUM_EPISODE, t + BORDER, err);
}

int forget_touch_stream(struct store *s, struct forget *f, int64_t stream, struct errmsg *err)
{
    for (size_t at = 0; at < f->streams.size; at += sizeof(stream))
        if (memcmp(f->streams.data + at, &stream, sizeof(stream)) == 0)
            return 0;
    buf_append(&f->streams, &stream, sizeof(stream));
    return forget_note(s, FORGET_MODEL, stream, nothing, err);
}

static void count_record(struct forget *f, int64_t stream, const struct record *r)
{
    const uint64_t what[] = {htole64((uint64_t)stream), htole64(r->seq), f->next.hash.low64,
                             f->next.hash.high64};
    f->next.receipt.records++;
    f->next.receipt.bytes += record_payload_size(r);
    f->next.hash = XXH3_128bits(what, sizeof(what));
    forget_note_words(f, r);
}

static bool goes(const struct forget_some *some, uint32_t i)
{
    return !some || (i < MOMENT_RECORDS && some->records[i / 8] >> i % 8 & 1);
}

static int do_moment(struct store *s, struct forget *f, int64_t id, const struct forget_some *some,
                     struct errmsg *err)
{
    struct erased e;
    int r = erase_load(s, id, &e, err);
    if (r == ERR_NOTFOUND) /* evicted meanwhile, or done before */
        return 0;
    bool all = !some;
    if (r == 0)
        r = forget_touch_stream(s, f, e.row.stream, err);
    for (uint32_t i = 0; i < e.moment.record_count && r == 0; i++)
        if (goes(some, i))
            count_record(f, e.row.stream, &e.moment.records[i]);
    if (r == 0)
        r = forget_note_above(s, STRATUM_MOMENT, e.row.t_start, err);
    if (r == 0 && some && e.evidence)
        r = forget_rewrite(s, &e, some, &all, err);
    if (r == 0 && !e.evidence) {
        /* Its records are only counted; which of them were meant nobody knows any more. */
        all = true;
        f->next.receipt.records += (uint64_t)e.row.records;
        f->next.receipt.bytes += (uint64_t)e.row.raw_bytes;
    }
    if (r == 0 && all)
        r = erase_loaded(s, &e, ERASE_FORGET, err);
    f->next.receipt.moments += all;
    f->next.receipt.rewritten += !all;
    buf_append(&f->moments, &id, sizeof(id));
    return r;
}

/* Facts that evicted moments stated from `from` to `to`. */
static int note_facts(struct store *s, int64_t from, int64_t to, struct errmsg *err)
{
    sqlite3_stmt *q = erase_stmt(s, ERASE_FACTS_LEFT);
    int r;
    sqlite3_bind_int64(q, 1, from);
    sqlite3_bind_int64(q, 2, to);
    while ((r = sql_step(q, err)) == 0) {
        r = forget_note(s, FORGET_FACT, sqlite3_column_int64(q, 0), nothing, err);
        if (r)
            break;
    }
    sqlite3_reset(q);
    return r == SQL_DONE ? 0 : r;
}

/* What is below a span is planned in its place. */
static int do_span(struct store *s, int64_t id, struct errmsg *err)
{
    sqlite3_stmt *span = erase_stmt(s, ERASE_SPAN_OF), *q = erase_stmt(s, ERASE_BELOW);
    sqlite3_bind_int64(span, 1, id);
    int r = sql_step(span, err);
    if (r)
        return r == SQL_DONE ? 0 : r;
    int stratum = sqlite3_column_int(span, 0);
    sqlite3_bind_int(q, 1, stratum - 1);
    sqlite3_bind_int64(q, 2, sqlite3_column_int64(span, 1));
    sqlite3_bind_int64(q, 3, sqlite3_column_int64(span, 2));
    sqlite3_bind_int64(q, 4, id);
    int64_t t = sqlite3_column_int64(span, 1), end = sqlite3_column_int64(span, 2);
    sqlite3_reset(span);
    while ((r = sql_step(q, err)) == 0) {
        int below = sqlite3_column_int(q, 1);
        int what = below < 0 ? FORGET_REMAINDER : below == 0 ? FORGET_MOMENT : FORGET_SPAN;
        r = forget_note(s, what, sqlite3_column_int64(q, 0), nothing, err);
        if (r)
            break;
    }
    sqlite3_reset(q);
    r = r == SQL_DONE ? note_facts(s, t, end, err) : r;
    return r ? r : forget_note_above(s, stratum - 1, t, err);
}

static int drop_part(struct store *s, int64_t id, const struct part *p, struct errmsg *err)
{
    sqlite3_stmt *q = erase_stmt(s, ERASE_PART_DELETE);
    sqlite3_bind_int64(q, 1, id);
    sqlite3_bind_int64(q, 2, p->stream);
    int r = sql_run(q, err);
    q = erase_stmt(s, ERASE_PART_STAT_DELETE);
    sqlite3_bind_int64(q, 1, id);
    sqlite3_bind_int64(q, 2, p->stream);
    if (r == 0)
        r = sql_run(q, err);
    if (r == 0)
        r = erase_one(s, ERASE_PAST_DELETE, p->usual, err);
    return r ? r : erase_one(s, ERASE_PAST_DELETE, p->peak, err);
}

/* All parts of a remainder, or that of a stream; what they held is taken from the sums. `*ret_left`
 * parts are left. */
static int drop_parts(struct store *s, const struct erased *e, int64_t stream, uint32_t *ret_left,
                      struct errmsg *err)
{
    struct consolidation *c = s->consolidation;
    c->part_count = 0;
    *ret_left = 0;
    int r = con_add_parts_of(s, e->id, err);
    sqlite3_stmt *sub = erase_stmt(s, ERASE_REMAINDER_SUB);
    for (uint32_t i = 0; i < c->part_count && r == 0; i++) {
        const struct part *p = &c->parts[i];
        if (stream && p->stream != stream) {
            ++*ret_left;
            continue;
        }
        r = drop_part(s, e->id, p, err);
        sqlite3_bind_int64(sub, 1, e->id);
        sqlite3_bind_int64(sub, 2, p->records);
        sqlite3_bind_int64(sub, 3, p->bytes);
        sqlite3_bind_int64(sub, 4, p->unusual);
        if (r == 0)
            r = sql_run(sub, err);
    }
    return r;
}

/* A remainder's names cannot be told apart by stream, nor its latent divided: both go with any of
 * its parts. */
static int do_remainder(struct store *s, int64_t id, int64_t stream, struct errmsg *err)
{
    struct erased e;
    uint32_t left;
    int r = erase_load(s, id, &e, err);
    if (r)
        return r == ERR_NOTFOUND ? 0 : r;
    r = drop_parts(s, &e, stream, &left, err);
    if (r == 0)
        r = erase_links(s, &e, err);
    if (r == 0)
        r = erase_con_one(s, CON_LATENT_DELETE, id, err);
    if (r == 0 && left == 0)
        r = erase_rows(s, &e, err);
    return r ? r : forget_note_above(s, ~e.row.stratum, e.row.t_start, err);
}

/* The remainder whose part shows the words, and so the spans above, are made again without. */
static int do_past(struct store *s, int64_t id, struct errmsg *err)
{
    sqlite3_stmt *q = erase_stmt(s, ERASE_SHOWN_BY);
    int r = erase_one(s, ERASE_PAST_DELETE, id, err);
    sqlite3_bind_int64(q, 1, id);
    while (r == 0 && (r = sql_step(q, err)) == 0)
        r = forget_note_above(s, ~sqlite3_column_int(q, 0), sqlite3_column_int64(q, 1), err);
    sqlite3_reset(q);
    return r == SQL_DONE ? 0 : r;
}

/* The models of its stream know such lines by the same words. */
static int do_kind(struct store *s, struct forget *f, int64_t id, struct errmsg *err)
{
    sqlite3_stmt *q = erase_stmt(s, ERASE_KIND_TEXT);
    sqlite3_bind_int64(q, 1, id);
    int r = sql_step(q, err);
    if (r == 0) {
        const struct record line = {.text = forget_column(q, 0)};
        forget_note_words(f, &line);
        r = forget_touch_stream(s, f, sqlite3_column_int64(q, 1), err);
    }
    sqlite3_reset(q);
    store_kinds_forget(s);
    return r == SQL_DONE ? 0 : r ? r : erase_one(s, ERASE_KIND_BLANK, id, err);
}

/* Of all streams, or the one. */
static int do_sums(struct store *s, int64_t id, int64_t only, struct errmsg *err)
{
    sqlite3_stmt *q = erase_stmt(s, ERASE_STAT_STREAMS), *span = erase_stmt(s, ERASE_SPAN_OF);
    struct buf streams = {0};
    int r;
    sqlite3_bind_int64(q, 1, id);
    while ((r = sql_step(q, err)) == 0) {
        int64_t stream = sqlite3_column_int64(q, 0);
        if (!only || stream == only)
            buf_append(&streams, &stream, sizeof(stream));
    }
    r = r != SQL_DONE          ? r
        : buf_failed(&streams) ? err_set(err, ERR_NOMEM, "%s", err_text(ERR_NOMEM))
                               : 0;
    for (size_t at = 0; at < streams.size && r == 0; at += sizeof(int64_t)) {
        int64_t stream;
        memcpy(&stream, streams.data + at, sizeof(stream));
        r = forget_drop_sums(s, id, stream, err);
    }
    buf_deinit(&streams);
    sqlite3_bind_int64(span, 1, id);
    if (r == 0 && (r = sql_step(span, err)) == 0) {
        int stratum = sqlite3_column_int(span, 0);
        r = forget_note_above(s, stratum < 0 ? ~stratum : stratum, sqlite3_column_int64(span, 1),
                              err);
    }
    sqlite3_reset(span);
    return r == SQL_DONE ? 0 : r;
}

static int unlink_one(struct store *s, int64_t entity, const int64_t link[4], struct errmsg *err)
{
    sqlite3_stmt *q = erase_stmt(s, ERASE_LINK_DELETE);
    sqlite3_bind_int64(q, 1, entity);
    sqlite3_bind_int64(q, 2, link[0]);
    int r = sql_run(q, err);
    if (r == 0)
        r = store_entity_days_drop(s, entity, link[2], link[3], err);
    return r ? r : erase_entity_count(s, entity, link[1], err);
}

/* What evicted moments of the scope left of it. */
static int unlink_scope(struct store *s, int64_t entity, const struct forget_scope *scope,
                        struct errmsg *err)
{
    sqlite3_stmt *q = erase_stmt(s, ERASE_LINKS_SCOPE);
    const int64_t values[] = {scope->stream, scope->since, scope->until, entity};
    struct buf links = {0};
    int r;
    for (int i = 0; i < 4; i++)
        sqlite3_bind_int64(q, i + 1, values[i]);
    while ((r = sql_step(q, err)) == 0)
        for (int i = 0; i < 4; i++) {
            int64_t value = sqlite3_column_int64(q, i);
            buf_append(&links, &value, sizeof(value));
        }
    r = r != SQL_DONE        ? r
        : buf_failed(&links) ? err_set(err, ERR_NOMEM, "%s", err_text(ERR_NOMEM))
                             : store_entities_write(s, err);
    for (size_t at = 0; at < links.size && r == 0; at += 4 * sizeof(int64_t)) {
        int64_t link[4];
        memcpy(link, links.data + at, sizeof(link));
        r = unlink_one(s, entity, link, err);
    }
    buf_deinit(&links);
    return r;
}

static int do_entity(struct store *s, int64_t id, struct slice arg, struct errmsg *err)
{
    struct forget_scope scope;
    if (arg.size == sizeof(scope)) {
        memcpy(&scope, arg.data, sizeof(scope));
        return unlink_scope(s, id, &scope, err);
    }
    int r = store_entities_write(s, err);
    store_entities_forget(s);
    if (r == 0)
        r = erase_one(s, ERASE_ENTITY_LINKS_DELETE, id, err);
    if (r == 0)
        r = store_entity_drop(s, id, err);
    return r ? r : erase_one(s, ERASE_ENTITY_DELETE, id, err);
}

/* No record uses it any more; its number stays taken. */
static int do_channel(struct store *s, struct forget *f, int64_t id, struct errmsg *err)
{
    sqlite3_stmt *q = erase_stmt(s, ERASE_CHANNEL_BLANK);
    int r = forget_touch_stream(s, f, id / CHANNELS_MAX, err);
    sqlite3_bind_int64(q, 1, id / CHANNELS_MAX);
    sqlite3_bind_int64(q, 2, id % CHANNELS_MAX);
    return r ? r : sql_run(q, err);
}

/* Its moments and parts of remainders went before. */
static int do_stream(struct store *s, struct forget *f, int64_t id, struct errmsg *err)
{
    static const enum erase_statement deletes[] = {
        ERASE_STREAM_FACTS, ERASE_STREAM_PENDING, ERASE_STREAM_CHANNELS, ERASE_STREAM_KINDS,
        ERASE_STREAM_GONE,  ERASE_STREAM_STATE,   ERASE_STREAM_DELETE};
    int r = forget_touch_stream(s, f, id, err);
    for (size_t i = 0; i < sizeof(deletes) / sizeof(*deletes) && r == 0; i++)
        r = erase_one(s, deletes[i], id, err);
    f->next.receipt.streams++;
    return r;
}

static int do_unit(struct store *s, struct forget *f, int stratum, int64_t unit, struct errmsg *err)
{
    int64_t start = stratum <= STRATUM_HOUR ? unit * US_PER_HOUR : unit;
    int64_t from = stratum == STRATUM_EPISODE && start >= BORDER ? start - BORDER : start;
    int r = con_mark(s, stratum, unit, from, err);
    /* Its first episode may be the hour's before by now. */
    if (r == 0 && stratum == STRATUM_EPISODE && unit > 0)
        r = con_mark(s, stratum, unit - 1, from, err);
    if (r == 0)
        r = con_make(s, stratum, unit, err);
    f->next.receipt.spans++;
    if (r == 0)
        r = note_unit(s, stratum + 1, start, err);
    return r || stratum > STRATUM_EPISODE ? r : note_unit(s, stratum + 1, from, err);
}

static int do_row(struct store *s, struct forget *f, int what, int64_t id, struct slice arg,
                  struct errmsg *err)
{
    struct forget_some some;
    uint64_t stream = 0;
    switch (what) {
    case FORGET_SPAN:
        return do_span(s, id, err);
    case FORGET_MOMENT:
        if (arg.size == sizeof(some))
            memcpy(&some, arg.data, sizeof(some));
        return do_moment(s, f, id, arg.size == sizeof(some) ? &some : NULL, err);
    case FORGET_REMAINDER:
        if (arg.size == sizeof(stream))
            memcpy(&stream, arg.data, sizeof(stream));
        return do_remainder(s, id, (int64_t)le64toh(stream), err);
    case FORGET_PAST:
        return do_past(s, id, err);
    case FORGET_ENTITY:
        return do_entity(s, id, arg, err);
    case FORGET_CHANNEL:
        return do_channel(s, f, id, err);
    case FORGET_SUMS:
        if (arg.size == sizeof(stream))
            memcpy(&stream, arg.data, sizeof(stream));
        return do_sums(s, id, (int64_t)le64toh(stream), err);
    case FORGET_KIND:
        return do_kind(s, f, id, err);
    case FORGET_FACT:
        return store_take_back_fact(s, id, err);
    case FORGET_STREAM:
        return do_stream(s, f, id, err);
    case FORGET_RECOUNT:
        return erase_entity_recount(s, id, err);
    default:
        return do_unit(s, f, what - FORGET_UNIT, id, err);
    }
}

static int next_row(struct store *s, struct forget *f, struct errmsg *err)
{
    sqlite3_stmt *q = erase_stmt(s, ERASE_FORGET_NEXT), *done = erase_stmt(s, ERASE_FORGET_DONE);
    unsigned char bytes[sizeof(struct forget_some)];
    int r = sql_step(q, err);
    if (r)
        return r;
    int what = sqlite3_column_int(q, 0);
    int64_t id = sqlite3_column_int64(q, 1);
    struct slice arg = {(const char *)bytes, (size_t)sqlite3_column_bytes(q, 2)};
    arg.size = arg.size <= sizeof(bytes) ? arg.size : 0;
    memcpy(bytes, arg.size ? sqlite3_column_blob(q, 2) : "", arg.size);
    sqlite3_reset(q);
    r = do_row(s, f, what, id, arg, err);
    if (r)
        return r;
    f->next.receipt.done++;
    sqlite3_bind_int(done, 1, what);
    sqlite3_bind_int64(done, 2, id);
    return sql_run(done, err);
}

int forget_carry_out(struct store *s, struct forget *f, struct errmsg *err)
{
    int64_t start = clock_mono(clock_system());
    int r;
    s->erasure->later = true;
    do
        r = next_row(s, f, err);
    while (r == 0 && f->failures == 0 && clock_mono(clock_system()) - start < SLICE_US);
    s->erasure->later = false;
    if (r == 0 || r == SQL_DONE)
        if (buf_failed(&f->moments) || buf_failed(&f->streams))
            return err_set(err, ERR_NOMEM, "%s", err_text(ERR_NOMEM));
    return r == SQL_DONE ? 0 : r ? r : STORE_MORE;
}
