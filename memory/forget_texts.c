/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a pattern is looked for in beside records and what is told of their moments: remains of
 * evicted moments, names, kinds of lines, facts, spans above, models. Where a stream or times were
 * named as well, a text goes if it belongs there: a row of `past`, a mark or a name of an evicted
 * moment with the remainder that it went into, a kind with all that it counts. What others hold,
 * too, stays theirs.
 *
 * Failure modes: those of the file; without memory for folding a text counts as one that holds the
 * pattern: forgetting too much is the smaller harm. Sizes: a part of some 100,000 short rows a
 * step.
 */
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "base/utf8.h"
#include "memory/forget_internal.h"
#include "memory/state.h"

/* Remainders of the scope that bind_scope binds, as m; their parts as x. */
#define REMAINDERS "m.stratum<0 AND m.t_end>=?2 AND m.t_start<?3 AND (?1=0 OR x.stream=?1)"

#define BYTES(b) (0x0101010101010101u * (b))

/* Eight bytes at a time: all evidence goes through here. Returns how many there are before the
 * first higher byte. */
static size_t fold_ascii(const char *text, size_t size, char *out)
{
    size_t i = 0;
    for (uint64_t w; i + sizeof(w) <= size; i += sizeof(w)) {
        memcpy(&w, text + i, sizeof(w));
        if (w & BYTES(0x80))
            break;
        uint64_t from_a = w + BYTES(0x80 - 'A'), above_z = w + BYTES(0x80 - 'Z' - 1);
        w |= (from_a & ~above_z & BYTES(0x80)) >> 2;
        memcpy(out + i, &w, sizeof(w));
    }
    for (; i < size && (unsigned char)text[i] < 0x80; i++)
        out[i] = (char)(text[i] >= 'A' && text[i] <= 'Z' ? text[i] + 32 : text[i]);
    return i;
}

/* ERR_NOMEM; valid UTF-8. */
static int fold_wide(struct slice text, struct buf *out)
{
    utf8proc_uint8_t *folded = NULL;
    utf8proc_ssize_t size =
        utf8proc_map((const utf8proc_uint8_t *)text.data, (utf8proc_ssize_t)text.size, &folded,
                     UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_CASEFOLD);
    if (size >= 0)
        buf_append(out, folded, (size_t)size);
    free(folded);
    return size < 0 ? ERR_NOMEM : 0;
}

/* The end of the valid higher characters at `at`. */
static size_t wide_end(struct slice text, size_t at)
{
    size_t n;
    while (at < text.size && (unsigned char)text.data[at] >= 0x80 &&
           (n = utf8_sequence(text.data + at, text.size - at)) > 0)
        at += n;
    return at;
}

/* Higher characters are folded together with the letter before them, which a mark may join; no
 * letter of ASCII joins what is before it. */
int forget_fold(struct slice text, struct buf *out)
{
    int r = 0;
    buf_clear(out);
    for (size_t at = 0; at < text.size && r == 0;) {
        if (buf_reserve(out, text.size - at))
            return ERR_NOMEM;
        size_t n = fold_ascii(text.data + at, text.size - at, out->data + out->size);
        out->size += n;
        at += n;
        size_t end = wide_end(text, at);
        if (end > at) {
            bool joins = at > 0 && (unsigned char)text.data[at - 1] < 0x80;
            out->size -= joins;
            r = fold_wide((struct slice){text.data + at - joins, end - at + joins}, out);
        } else if (at < text.size) {
            buf_putc(out, text.data[end++]);
        }
        at = end;
    }
    return r || buf_failed(out) ? ERR_NOMEM : 0;
}

bool forget_matches(struct forget *f, struct slice text)
{
    if (text.size == 0 || f->pattern.size == 0)
        return false;
    return forget_fold(text, &f->folded) != 0 ||
           (f->folded.size &&
            memmem(f->folded.data, f->folded.size, f->pattern.data, f->pattern.size) != NULL);
}

struct slice forget_column(sqlite3_stmt *q, int at)
{
    const unsigned char *text = sqlite3_column_text(q, at);
    return (struct slice){(const char *)text, text ? (size_t)sqlite3_column_bytes(q, at) : 0};
}

/* ?1 the stream, ?2 and ?3 the times. */
static void bind_scope(sqlite3_stmt *q, const struct forget_selector *x)
{
    sqlite3_bind_int64(q, 1, x->stream);
    sqlite3_bind_int64(q, 2, x->since == TIME_UNKNOWN ? INT64_MIN : x->since);
    sqlite3_bind_int64(q, 3, x->until == TIME_UNKNOWN ? INT64_MAX : x->until);
}

static bool is_match_alone(const struct forget_selector *x)
{
    return x->match.size && !x->stream && x->since == TIME_UNKNOWN && x->until == TIME_UNKNOWN;
}

/* Texts that stand for themselves: rows of (id, text, text) in the scope. */
static int plan_texts(struct store *s, struct forget *f, int what, const char *sql,
                      struct slice arg, struct errmsg *err)
{
    sqlite3_stmt *q;
    int r = sql_prepare(s->db, sql, &q, err);
    if (r)
        return r;
    bind_scope(q, &f->selector);
    while ((r = sql_step(q, err)) == 0) {
        if (forget_matches(f, forget_column(q, 1)) || forget_matches(f, forget_column(q, 2)))
            r = forget_plan_row(s, f, what, sqlite3_column_int64(q, 0), arg, err);
        if (r)
            break;
    }
    sqlite3_finalize(q);
    return r == SQL_DONE ? 0 : r;
}

static int plan_past(struct store *s, struct forget *f, struct errmsg *err)
{
    static const char all[] = "SELECT moment, title, why FROM past";
    static const char some[] = "SELECT moment, title, why FROM past WHERE moment IN ("
                               "SELECT x.usual FROM moment m JOIN part x ON x.moment=m.id "
                               "WHERE " REMAINDERS " UNION ALL "
                               "SELECT x.peak FROM moment m JOIN part x ON x.moment=m.id "
                               "WHERE " REMAINDERS ")";
    return plan_texts(s, f, FORGET_PAST, is_match_alone(&f->selector) ? all : some,
                      (struct slice){NULL, 0}, err);
}

static int plan_channels(struct store *s, struct forget *f, struct errmsg *err)
{
    int r = 0;
    for (size_t at = 0; at < f->channels.size && r == 0; at += sizeof(int64_t)) {
        int64_t id;
        memcpy(&id, f->channels.data + at, sizeof(id));
        r = forget_plan_row(s, f, FORGET_CHANNEL, id, (struct slice){NULL, 0}, err);
    }
    return r;
}

/* What the sums of evicted moments, and of those without evidence, still tell: marks that hold the
 * pattern, and channels whose names go. */
static int plan_sums(struct store *s, struct forget *f, struct errmsg *err)
{
    static const char sql[] =
        "SELECT x.moment, x.data, x.stream FROM moment m JOIN stat x ON x.moment=m.id "
        "WHERE " REMAINDERS " UNION ALL "
        "SELECT x.moment, x.data, x.stream FROM moment m JOIN stat x ON x.moment=m.id "
        "WHERE ?4 AND m.stratum=0 AND (?1=0 OR x.stream=?1) AND "
        "NOT EXISTS (SELECT 1 FROM evidence e WHERE e.moment=m.id)";
    sqlite3_stmt *q;
    int r = sql_prepare(s->db, sql, &q, err);
    if (r)
        return r;
    uint64_t stream = htole64((uint64_t)f->selector.stream);
    struct slice arg = {(const char *)&stream, f->selector.stream ? sizeof(stream) : 0};
    bind_scope(q, &f->selector);
    sqlite3_bind_int(q, 4, f->channels.size > 0);
    while ((r = sql_step(q, err)) == 0) {
        struct slice blob = {sqlite3_column_blob(q, 1), (size_t)sqlite3_column_bytes(q, 1)};
        arena_reset(&s->erasure->arena);
        if (forget_sums_match(f, blob, sqlite3_column_int64(q, 2), &s->erasure->arena))
            r = forget_plan_row(s, f, FORGET_SUMS, sqlite3_column_int64(q, 0), arg, err);
        if (r)
            break;
    }
    sqlite3_finalize(q);
    return r == SQL_DONE ? 0 : r;
}

/* *ret: are there links in the scope that forget_unlink takes away? */
static int has_links(sqlite3_stmt *q, int64_t entity, const struct forget_selector *x, bool *ret,
                     struct errmsg *err)
{
    bind_scope(q, x);
    sqlite3_bind_int64(q, 4, entity);
    int r = sql_step(q, err);
    *ret = r == 0;
    sqlite3_reset(q);
    return r == SQL_DONE ? 0 : r;
}

/* Of a stream or a time only the links go that evicted moments and those without evidence left; the
 * name goes with the last one. */
static int plan_entities(struct store *s, struct forget *f, struct errmsg *err)
{
    const struct forget_selector *x = &f->selector;
    const struct forget_scope scope = {x->stream, x->since == TIME_UNKNOWN ? INT64_MIN : x->since,
                                       x->until == TIME_UNKNOWN ? INT64_MAX : x->until};
    bool alone = is_match_alone(x), goes = true;
    struct slice arg = {(const char *)&scope, alone ? 0 : sizeof(scope)};
    sqlite3_stmt *q = NULL, *links = NULL;
    int r = sql_prepare(s->db, "SELECT id, name FROM entity", &q, err);
    if (r == 0)
        r = sql_prepare(s->db, FORGET_LINKS, &links, err);
    while (r == 0 && (r = sql_step(q, err)) == 0) {
        int64_t id = sqlite3_column_int64(q, 0);
        if (!forget_matches(f, forget_column(q, 1)))
            continue;
        if (!alone)
            r = has_links(links, id, x, &goes, err);
        if (r == 0 && goes)
            r = forget_plan_row(s, f, FORGET_ENTITY, id, arg, err);
    }
    sqlite3_finalize(links);
    sqlite3_finalize(q);
    return r == SQL_DONE ? 0 : r;
}

static int plan_kinds(struct store *s, struct forget *f, struct errmsg *err)
{
    return plan_texts(s, f, FORGET_KIND,
                      "SELECT id, text, '' FROM kind WHERE (?1=0 OR stream=?1) AND first>=?2 AND "
                      "last<?3",
                      (struct slice){NULL, 0}, err);
}

/* Kinds of lines that were met within the scope only: the moments that had them may be gone, and a
 * remainder's sums do not name all of theirs. */
static int plan_kinds_within(struct store *s, struct forget *f, struct errmsg *err)
{
    sqlite3_stmt *q;
    int r = sql_prepare(s->db,
                        "SELECT id FROM kind WHERE (?1=0 OR stream=?1) AND first>=?2 AND last<?3 "
                        "AND text NOT LIKE '(forgotten %'",
                        &q, err);
    if (r)
        return r;
    bind_scope(q, &f->selector);
    while ((r = sql_step(q, err)) == 0 &&
           (r = forget_plan_row(s, f, FORGET_KIND, sqlite3_column_int64(q, 0),
                                (struct slice){NULL, 0}, err)) == 0)
        continue;
    sqlite3_finalize(q);
    return r == SQL_DONE ? 0 : r;
}

/* Spans that show the pattern, of whatever they have it: they are made again once that is gone. */
static int plan_spans(struct store *s, struct forget *f, struct errmsg *err)
{
    /* An hour's first episode may begin a little before the hour. */
    static const char *const units[STRATA] = {[STRATUM_EPISODE] =
                                                  "(m.t_start+300000000)/3600000000",
                                              [STRATUM_HOUR] = "m.t_start/3600000000",
                                              [STRATUM_DAY] = "m.t_start",
                                              [STRATUM_WEEK] = "m.t_start",
                                              [STRATUM_MONTH] = "m.t_start"};
    static const struct slice no_arg = {NULL, 0};
    char sql[250];
    int r = 0;
    for (int stratum = STRATUM_EPISODE; stratum < STRATA && r == 0; stratum++) {
        snprintf(sql, sizeof(sql),
                 "SELECT %s, m.title, g.text FROM moment m JOIN gist g ON g.moment=m.id "
                 "WHERE m.stratum=%d AND m.t_end>=?2 AND m.t_start<?3",
                 units[stratum], stratum);
        r = plan_texts(s, f, FORGET_UNIT + stratum, sql, no_arg, err);
    }
    snprintf(sql, sizeof(sql),
             "SELECT m.t_start/3600000000, m.title, g.text FROM moment m JOIN gist g ON "
             "g.moment=m.id WHERE m.stratum=1 AND m.t_end>=?2 AND m.t_start<?3");
    return r ? r : plan_texts(s, f, FORGET_UNIT + STRATUM_EPISODE, sql, no_arg, err);
}

/* Where not all of the stream goes: those that hold the pattern, or that evicted moments stated. */
static int plan_facts(struct store *s, struct forget *f, struct errmsg *err)
{
    const struct forget_selector *x = &f->selector;
    sqlite3_stmt *q;
    int r =
        sql_prepare(s->db,
                    "SELECT id, subject, value, iif(moment=0, coalesce(until, since), since) AS "
                    "said FROM fact f WHERE (?1=0 OR stream=?1) AND said>=?2 AND said<?3 AND "
                    "(?4 OR NOT EXISTS (SELECT 1 FROM moment m WHERE m.id=f.moment))",
                    &q, err);
    if (r)
        return r;
    bind_scope(q, x);
    sqlite3_bind_int(q, 4, x->match.size > 0);
    while ((r = sql_step(q, err)) == 0) {
        if (x->match.size == 0 || forget_matches(f, forget_column(q, 1)) ||
            forget_matches(f, forget_column(q, 2)))
            r = forget_plan_row(s, f, FORGET_FACT, sqlite3_column_int64(q, 0),
                                (struct slice){NULL, 0}, err);
        if (r)
            break;
    }
    sqlite3_finalize(q);
    return r == SQL_DONE ? 0 : r;
}

int forget_plan_texts(struct store *s, struct forget *f, int64_t *at, struct errmsg *err)
{
    static int (*const parts[])(struct store *, struct forget *, struct errmsg *) = {
        plan_facts,    plan_past,  plan_channels, plan_sums,
        plan_entities, plan_kinds, plan_spans,    NULL};
    static int (*const of_scope[])(struct store *, struct forget *,
                                   struct errmsg *) = {plan_facts, plan_kinds_within, NULL};
    int (*const *part)(struct store *, struct forget *, struct errmsg *) =
        (f->pattern.size ? parts : of_scope) + *at;
    int r = (*part)(s, f, err);
    ++*at;
    return r ? r : part[1] ? STORE_MORE : 0;
}

/* Models keep texts of records that were evicted, too: where anything goes, or one of them holds
 * the pattern, all are cleaned. */
int forget_plan_models(struct store *s, struct forget *f, struct errmsg *err)
{
    struct buf state = {0};
    sqlite3_stmt *q;
    bool any = f->next.receipt.planned > 0;
    int r = sql_prepare(s->db,
                        "SELECT s.id, t.value FROM stream s LEFT JOIN state t "
                        "ON t.key='model/' || s.id WHERE ?1=0 OR s.id=?1",
                        &q, err);
    if (r)
        return r;
    sqlite3_bind_int64(q, 1, f->selector.stream);
    for (int pass = 0; pass < 2 && r == 0; pass++) {
        while ((r = sql_step(q, err)) == 0) {
            struct slice value = {sqlite3_column_blob(q, 1), (size_t)sqlite3_column_bytes(q, 1)};
            buf_clear(&state);
            /* What cannot be read is made anew with the others. */
            if (pass == 0 && !any && value.size)
                any = state_unpack(value, &state, NULL) != 0 ||
                      forget_matches(f, (struct slice){state.data, state.size});
            if (pass == 1 && any &&
                (r = forget_touch_stream(s, f, sqlite3_column_int64(q, 0), err)) != 0)
                break;
        }
        r = r == SQL_DONE ? 0 : r;
    }
    f->next.receipt.planned += any;
    sqlite3_finalize(q);
    buf_deinit(&state);
    return r;
}
