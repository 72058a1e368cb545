/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a span says of itself. First what was not usual, with its time: unusual runs, facts that
 * changed, kinds of lines never seen before, counts and ranges unlike those of the spans before;
 * then what was usual, a line a stream; from days up the names that came up most. How much of each
 * depends on the stratum: hours are many and say little. Failure modes: no memory; what does not
 * fit is left out, whole lines at a time.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/timestamp.h"
#include "base/utf8.h"
#include "memory/consolidate_internal.h"

#define LABEL_MAX 44
#define UNUSUAL_SHARE 0.65 /* of the size, for what was not usual */
#define SIBLINGS 7         /* earlier spans of the stratum that tell what is usual */
#define SIBLINGS_LEAST 3
#define MARKS_ALL 64
#define KINDS_NEW_MOST 4
#define TITLE_TAIL 32 /* bytes kept for ", and 1234 more unusual" */
#define STREAM_IS_NEW US_PER_DAY /* so long all its kinds of lines are new */

/* How many lines of each; sizes in bytes. */
struct plan {
    uint32_t marks, facts, kinds_new, compared, streams, kinds, channels, names;
    size_t size;
};

static const struct plan plans[STRATA] = {
    [STRATUM_EPISODE] = {3, 2, 1, 0, 5, 2, 2, 0, 450},
    [STRATUM_HOUR] = {3, 2, 2, 0, 6, 2, 2, 0, 450},
    [STRATUM_DAY] = {6, 4, 2, 3, 12, 2, 3, 6, 1400},
    [STRATUM_WEEK] = {6, 4, 2, 4, 12, 2, 3, 6, 1480},
    [STRATUM_MONTH] = {6, 4, 2, 4, 12, 2, 3, 6, 1480},
};

/* Of an item over the spans before. */
struct before {
    struct spread counts; /* spans without it count as none */
    struct spread values;
};

struct found_mark {
    const struct part *part;
    const struct sum_mark *mark;
};

struct maker {
    struct store *s;
    struct consolidation *c;
    struct buf *b;
    const struct plan *plan;
    size_t room; /* for what is being told now */
    const struct moment_row *row;
    const struct found_mark *marks; /* that are told */
    uint32_t mark_count;
    int64_t siblings[SIBLINGS];
    uint32_t sibling_count;
    bool complete; /* the span's time is over, as far as records tell */
};

/* ---- words ---- */

/* A text of one row by id, appended; nothing when there is no row. */
static int append_text(struct store *s, enum consolidate_statement which, int64_t id, int64_t also,
                       struct buf *out, struct errmsg *err)
{
    sqlite3_stmt *q = con_stmt(s, which);
    sqlite3_bind_int64(q, 1, id);
    if (also)
        sqlite3_bind_int64(q, 2, also);
    int r = sql_step(q, err);
    if (r == 0) {
        const unsigned char *text = sqlite3_column_text(q, 0);
        buf_append(out, text, text ? (size_t)sqlite3_column_bytes(q, 0) : 0);
    }
    sqlite3_reset(q);
    return r == SQL_DONE ? 0 : r;
}

static int append_stream(struct maker *m, int64_t stream, struct errmsg *err)
{
    return append_text(m->s, CON_STREAM_NAME, stream, 0, m->b, err);
}

static void append_count(struct buf *b, int64_t n, const char *what)
{
    buf_printf(b, "%lld %s%s", (long long)n, what, n == 1 ? "" : "s");
}

/* As coarse as the span is long: "14:03:09", "14:03", "Tue 14:03", "12 Nov 14:03". */
static void append_time(struct buf *b, int stratum, int64_t at)
{
    static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    struct civil c;
    timestamp_to_civil_local(at, &c);
    if (stratum == STRATUM_WEEK)
        buf_printf(b, "%s ", days[timestamp_weekday(&c)]);
    else if (stratum == STRATUM_MONTH)
        buf_printf(b, "%d %s ", c.day, months[(c.month + 11) % 12]);
    buf_printf(b, "%02d:%02d", c.hour, c.minute);
    if (stratum <= STRATUM_HOUR)
        buf_printf(b, ":%02d", c.second);
}

/* The words of a kind with "…" for what varies, cut to LABEL_MAX. */
static void append_label(struct buf *b, const char *text)
{
    size_t from = b->size;
    while (*text && b->size - from <= LABEL_MAX) {
        if (strncmp(text, "<*>", 3) != 0) {
            buf_putc(b, *text++);
            continue;
        }
        if (b->size < from + 4 || memcmp(b->data + b->size - 4, "\xe2\x80\xa6 ", 4) != 0)
            buf_puts(b, "\xe2\x80\xa6");
        else
            b->size--;
        text += 3;
    }
    if (b->failed || (!*text && b->size - from <= LABEL_MAX))
        return;
    b->size = from + utf8_cut(b->data + from, b->size - from, LABEL_MAX);
    buf_puts(b, "\xe2\x80\xa6");
}

static int append_kind(struct maker *m, int64_t kind, struct errmsg *err)
{
    sqlite3_stmt *q = con_stmt(m->s, CON_KIND);
    sqlite3_bind_int64(q, 1, kind);
    int r = sql_step(q, err);
    if (r == 0 && sqlite3_column_text(q, 0))
        append_label(m->b, (const char *)sqlite3_column_text(q, 0));
    sqlite3_reset(q);
    return r == SQL_DONE ? 0 : r;
}

static void append_range(struct buf *b, const struct spread *v)
{
    double widest = fmax(fabs(v->least), fabs(v->most));
    if (v->most - v->least <= 0.02 * widest)
        buf_printf(b, "%.4g", v->mean);
    else
        buf_printf(b, "%.4g\xe2\x80\x93%.4g", v->least, v->most);
}

/* Takes the line that began at `at` back when it makes the gist too long. */
static bool fits(struct maker *m, size_t at)
{
    if (m->b->size <= m->room)
        return true;
    m->b->size = at;
    return false;
}

/* ---- what was not usual ---- */

static int by_rank(const void *pa, const void *pb)
{
    const struct sum_mark *a = ((const struct found_mark *)pa)->mark;
    const struct sum_mark *b = ((const struct found_mark *)pb)->mark;
    if (a->score != b->score)
        return a->score > b->score ? -1 : 1;
    if (a->bits != b->bits)
        return a->bits > b->bits ? -1 : 1;
    return (a->at > b->at) - (a->at < b->at);
}

static int by_time(const void *pa, const void *pb)
{
    const struct sum_mark *a = ((const struct found_mark *)pa)->mark;
    const struct sum_mark *b = ((const struct found_mark *)pb)->mark;
    return (a->at > b->at) - (a->at < b->at);
}

/* The best of each stream before the second best of any. */
static uint32_t gather_marks(const struct consolidation *c, struct found_mark *marks)
{
    uint32_t count = 0;
    for (uint32_t k = 0; k < SUMS_MARKS; k++) {
        uint32_t from = count;
        for (uint32_t i = 0; i < c->part_count && count < MARKS_ALL; i++)
            if (k < c->parts[i].sums.mark_count)
                marks[count++] = (struct found_mark){&c->parts[i], &c->parts[i].sums.marks[k]};
        qsort(marks + from, count - from, sizeof(*marks), by_rank);
    }
    return count;
}

static int append_marks(struct maker *m, struct errmsg *err)
{
    int r = 0;
    for (uint32_t i = 0; i < m->mark_count && r == 0; i++) {
        const struct sum_mark *mark = m->marks[i].mark;
        size_t at = m->b->size;
        buf_puts(m->b, "\nunusual ");
        append_time(m->b, m->row->stratum, mark->at);
        buf_putc(m->b, ' ');
        r = append_stream(m, m->marks[i].part->stream, err);
        buf_printf(m->b, ": %.*s", (int)mark->why.size, mark->why.data);
        if (mark->times > 1)
            buf_printf(m->b, " (%u times)", mark->times);
        fits(m, at);
    }
    return r;
}

/* Is a line of that time told already, as something unusual? */
static bool is_marked(const struct maker *m, int64_t at)
{
    for (uint32_t i = 0; i < m->mark_count; i++)
        if (at >= m->marks[i].mark->at - US_PER_SECOND &&
            at <= m->marks[i].mark->at + US_PER_SECOND)
            return true;
    return false;
}

/* Spans that were made before there were sums know their peaks only. */
static int append_peaks(struct maker *m, struct errmsg *err)
{
    int r = 0;
    for (uint32_t i = 0; i < m->c->part_count && i < m->plan->marks && r == 0; i++) {
        const struct part *p = &m->c->parts[i];
        size_t at = m->b->size;
        if (p->unusual == 0 || p->sums.mark_count)
            continue;
        buf_puts(m->b, "\nunusual ");
        r = append_stream(m, p->stream, err);
        buf_puts(m->b, ": ");
        if (r == 0)
            r = append_text(m->s, CON_WHY, p->peak, 0, m->b, err);
        if (p->unusual > 1)
            buf_printf(m->b, " (%lld times)", (long long)p->unusual);
        fits(m, at);
    }
    return r;
}

static int append_fact(struct maker *m, const struct sum_fact *f, struct errmsg *err)
{
    sqlite3_stmt *q = con_stmt(m->s, CON_FACT);
    size_t at = m->b->size;
    sqlite3_bind_int64(q, 1, f->fact);
    int r = sql_step(q, err);
    if (r == 0) {
        const char *old = (const char *)sqlite3_column_text(q, 2);
        buf_printf(m->b, "\n%s ", old ? "changed" : "stated");
        append_time(m->b, m->row->stratum, f->at);
        buf_printf(m->b, " %s: ", sqlite3_column_text(q, 0));
        buf_printf(m->b, "%s", sqlite3_column_text(q, 1));
        if (old)
            buf_printf(m->b, ", was %s", old);
        fits(m, at);
    }
    sqlite3_reset(q);
    return r == SQL_DONE ? 0 : r;
}

/* What this span was the first to state, as its sums know: not all that was stated in its time, as
 * a moment may reach beyond its hour, and what is forgotten must be found again. */
static int append_facts(struct maker *m, struct errmsg *err)
{
    struct sums all = {0};
    int r = 0;
    for (uint32_t i = 0; i < m->c->part_count; i++)
        for (uint32_t k = 0; k < m->c->parts[i].sums.fact_count; k++)
            sums_fact(&all, &m->c->parts[i].sums.facts[k]);
    for (uint32_t i = 0; i < all.fact_count && i < m->plan->facts && r == 0; i++)
        r = append_fact(m, &all.facts[i], err);
    return r;
}

struct new_kind {
    const struct part *part;
    const struct sum *sum;
};

/* Does the span hold the first line of the kind that ever came, and not because the stream is new?
 */
static int is_new_kind(struct maker *m, const struct sum *s, bool *ret, struct errmsg *err)
{
    sqlite3_stmt *q = con_stmt(m->s, CON_KIND_FIRST);
    sqlite3_bind_int64(q, 1, s->id);
    sqlite3_bind_int64(q, 2, STREAM_IS_NEW);
    int r = sql_step(q, err);
    *ret = r == 0 && sqlite3_column_int(q, 2) &&
           sqlite3_column_int64(q, 1) / US_PER_SECOND == s->first_at / US_PER_SECOND &&
           !is_marked(m, s->first_at);
    sqlite3_reset(q);
    return r == SQL_DONE ? 0 : r;
}

/* The commonest of them. */
static int find_new_kinds(struct maker *m, struct new_kind *kinds, uint32_t *ret_count,
                          struct errmsg *err)
{
    uint32_t count = 0, most = m->plan->kinds_new;
    for (uint32_t i = 0; i < m->c->part_count; i++) {
        const struct sums *sums = &m->c->parts[i].sums;
        for (uint32_t k = 0; k < sums->count; k++) {
            const struct sum *s = &sums->items[k];
            bool new;
            if (s->what != STAT_KIND || (count == most && s->count <= kinds[most - 1].sum->count))
                continue;
            int r = is_new_kind(m, s, &new, err);
            if (r)
                return r;
            if (!new)
                continue;
            uint32_t at = count < most ? count++ : most - 1;
            for (; at > 0 && kinds[at - 1].sum->count < s->count; at--)
                kinds[at] = kinds[at - 1];
            kinds[at] = (struct new_kind){&m->c->parts[i], s};
        }
    }
    *ret_count = count;
    return 0;
}

/* Kinds of lines that had never come before. */
static int append_new_kinds(struct maker *m, struct errmsg *err)
{
    struct new_kind kinds[KINDS_NEW_MOST];
    uint32_t count;
    int r = find_new_kinds(m, kinds, &count, err);
    for (uint32_t i = 0; i < count && r == 0; i++) {
        size_t at = m->b->size;
        buf_puts(m->b, "\nfirst ");
        append_time(m->b, m->row->stratum, kinds[i].sum->first_at);
        buf_putc(m->b, ' ');
        r = append_stream(m, kinds[i].part->stream, err);
        buf_puts(m->b, ": ");
        if (r == 0)
            r = append_kind(m, kinds[i].sum->id, err);
        fits(m, at);
    }
    return r;
}

/* ---- against the spans before ---- */

static int find_siblings(struct maker *m, struct errmsg *err)
{
    sqlite3_stmt *q = con_stmt(m->s, CON_SIBLINGS);
    int r;
    sqlite3_bind_int(q, 1, m->row->stratum);
    sqlite3_bind_int64(q, 2, m->row->t_start);
    sqlite3_bind_int64(q, 3, SIBLINGS);
    while (m->sibling_count < SIBLINGS && (r = sql_step(q, err)) == 0)
        m->siblings[m->sibling_count++] = sqlite3_column_int64(q, 0);
    sqlite3_reset(q);
    return m->sibling_count == SIBLINGS || r == SQL_DONE ? 0 : r;
}

/* What the items of a part were in the spans before, in the profile arena. */
static int read_before(struct maker *m, const struct part *p, struct before **ret,
                       struct errmsg *err)
{
    struct consolidation *c = m->c;
    struct sums one;
    arena_reset(&c->profile_arena);
    struct before *before = arena_alloc(&c->profile_arena, (p->sums.count + 1) * sizeof(*before));
    if (!before)
        return err_set(err, ERR_NOMEM, "sums: %s", err_text(ERR_NOMEM));
    memset(before, 0, p->sums.count * sizeof(*before));
    for (uint32_t k = 0; k < m->sibling_count; k++) {
        sums_init(&one, &c->profile_arena, &c->profile_arena);
        int r = con_add_sums_of(m->s, &one, m->siblings[k], p->stream, err);
        if (r)
            return r;
        for (uint32_t i = 0; i < p->sums.count; i++) {
            const struct sum *was = sums_find(&one, p->sums.items[i].what, p->sums.items[i].id);
            spread_value(&before[i].counts, was ? (double)was->count : 0);
            if (was)
                spread_add(&before[i].values, &was->values);
        }
    }
    *ret = before;
    return 0;
}

/* How far from usual, 0 when it is not; counts and ranges alike, so that the furthest come first.
 */
static double away(const struct maker *m, const struct sum *s, const struct before *b)
{
    double count = (double)s->count, usual = b->counts.mean;
    double spread = fmax(fmax(3 * spread_sd(&b->counts), usual / 2), 8);
    if (s->what == STAT_CHANNEL) {
        double width = fmax(b->values.most - b->values.least, 0.02 * fabs(b->values.most));
        double beyond = fmax(s->values.most - b->values.most, b->values.least - s->values.least);
        return b->values.n && beyond > 0.15 * width ? beyond / (width + 1e-9) : 0;
    }
    if (count < usual && !m->complete)
        return 0;
    return fabs(count - usual) > spread ? fabs(count - usual) / spread : 0;
}

static int append_compared(struct maker *m, const struct part *p, const struct sum *s,
                           const struct before *b, struct errmsg *err)
{
    size_t at = m->b->size;
    bool channel = s->what == STAT_CHANNEL;
    bool more = channel ? s->values.most - b->values.most > b->values.least - s->values.least
                        : (double)s->count > b->counts.mean;
    int r;
    buf_puts(m->b, more ? "\nmore than usual " : "\nless than usual ");
    r = append_stream(m, p->stream, err);
    buf_puts(m->b, ": ");
    if (r == 0 && s->what == STAT_KIND)
        r = append_kind(m, s->id, err);
    else if (r == 0 && channel)
        r = append_text(m->s, CON_CHANNEL, s->id, p->stream, m->b, err);
    else if (r == 0)
        buf_puts(m->b, "records");
    if (channel) {
        buf_printf(m->b, " %.4g at ", more ? s->values.most : s->values.least);
        append_time(m->b, m->row->stratum, more ? s->most_at : s->least_at);
        buf_puts(m->b, ", before ");
        append_range(m->b, &b->values);
    } else {
        buf_printf(m->b, " \xc3\x97%llu, before about %.0f", (unsigned long long)s->count,
                   b->counts.mean);
    }
    fits(m, at);
    return r;
}

/* The furthest one or two of each stream. */
static int compare_parts_with_before(struct maker *m, struct errmsg *err)
{
    uint32_t lines = 0;
    int r = 0;
    for (uint32_t i = 0; i < m->c->part_count && lines < m->plan->compared && r == 0; i++) {
        const struct part *p = &m->c->parts[i];
        struct before *before;
        r = read_before(m, p, &before, err);
        for (int round = 0; round < 2 && r == 0 && lines < m->plan->compared; round++) {
            uint32_t best = 0;
            double most = 0;
            for (uint32_t k = 0; k < p->sums.count; k++) {
                double a = away(m, &p->sums.items[k], &before[k]);
                if (a > most) {
                    most = a;
                    best = k;
                }
            }
            if (most <= 0)
                break;
            r = append_compared(m, p, &p->sums.items[best], &before[best], err);
            before[best] = (struct before){.counts = {1, (double)p->sums.items[best].count}};
            lines++;
        }
    }
    return r;
}

/* Streams that the span before had and this one has not. */
static int append_silent(struct maker *m, struct errmsg *err)
{
    sqlite3_stmt *q = con_stmt(m->s, CON_PARTS);
    size_t at = m->b->size;
    uint32_t count = 0;
    int r;
    sqlite3_bind_int64(q, 1, m->siblings[0]);
    while ((r = sql_step(q, err)) == 0 && count < 6) {
        int64_t stream = sqlite3_column_int64(q, 0);
        uint32_t k = 0;
        while (k < m->c->part_count && m->c->parts[k].stream != stream)
            k++;
        if (k < m->c->part_count)
            continue;
        buf_puts(m->b, count++ ? ", " : "\nsilent: ");
        r = append_stream(m, stream, err);
        if (r)
            break;
    }
    sqlite3_reset(q);
    fits(m, at);
    return r < 0 ? r : 0;
}

static int append_against_before(struct maker *m, struct errmsg *err)
{
    int r = m->plan->compared ? find_siblings(m, err) : 0;
    if (r == 0 && m->sibling_count && m->complete)
        r = append_silent(m, err);
    if (r == 0 && m->sibling_count >= SIBLINGS_LEAST)
        r = compare_parts_with_before(m, err);
    return r;
}

/* ---- what was usual ---- */

/* Commonest first, then channels by how much they moved. */
static double weight_of(const struct sum *s)
{
    if (s->what == STAT_KIND)
        return (double)s->count;
    double widest = fmax(fabs(s->values.least), fabs(s->values.most));
    return widest > 0 ? (s->values.most - s->values.least) / widest : 0;
}

/* "GET … 200 ×1900; POST … ×210" or "temp 18.2–24, hum 40–55", at most `most` of them. */
static int append_items(struct maker *m, const struct part *p, enum stat_what what, uint32_t most,
                        uint32_t *ret_count, struct errmsg *err)
{
    double last = INFINITY;
    uint32_t last_at = 0;
    int r = 0;
    *ret_count = 0;
    for (uint32_t n = 0; n < most && r == 0; n++) {
        const struct sum *best = NULL;
        uint32_t best_at = 0;
        for (uint32_t k = 0; k < p->sums.count; k++) {
            const struct sum *s = &p->sums.items[k];
            double w = weight_of(s);
            bool told = w > last || (w == last && n > 0 && k <= last_at);
            if (s->what == what && !told && (!best || w > weight_of(best))) {
                best = s;
                best_at = k;
            }
        }
        if (!best)
            break;
        last = weight_of(best);
        last_at = best_at;
        buf_puts(m->b, n ? "; " : ": ");
        if (what == STAT_KIND) {
            r = append_kind(m, best->id, err);
            buf_printf(m->b, " \xc3\x97%llu", (unsigned long long)best->count);
        } else {
            r = append_text(m->s, CON_CHANNEL, best->id, p->stream, m->b, err);
            buf_putc(m->b, ' ');
            append_range(m->b, &best->values);
        }
        ++*ret_count;
    }
    return r;
}

/* What the stream recorded, without its name. */
static int append_usual(struct maker *m, const struct part *p, uint32_t kinds, uint32_t channels,
                        struct errmsg *err)
{
    uint32_t told_kinds, told_channels;
    int r = append_items(m, p, STAT_KIND, kinds, &told_kinds, err);
    if (r == 0)
        r = append_items(m, p, STAT_CHANNEL, channels, &told_channels, err);
    if (r || told_kinds || told_channels)
        return r;
    /* Talk, or a file from before there were sums. */
    buf_puts(m->b, ": ");
    r = append_text(m->s, CON_TITLE, p->usual, 0, m->b, err);
    if (r || p->peak == p->usual || p->unusual > 0)
        return r;
    buf_puts(m->b, "; ");
    return append_text(m->s, CON_TITLE, p->peak, 0, m->b, err);
}

static int append_streams(struct maker *m, struct errmsg *err)
{
    uint32_t told = 0;
    int r = 0;
    for (uint32_t i = 0; i < m->c->part_count && i < m->plan->streams && r == 0; i++) {
        const struct part *p = &m->c->parts[i];
        size_t at = m->b->size;
        buf_puts(m->b, "\nusual ");
        r = append_stream(m, p->stream, err);
        buf_printf(m->b, " \xc3\x97%lld", (long long)p->records);
        if (r == 0)
            r = append_usual(m, p, m->plan->kinds, m->plan->channels, err);
        told += fits(m, at);
    }
    if (told < m->c->part_count && told > 0) {
        buf_puts(m->b, "\nand ");
        append_count(m->b, m->c->part_count - told, "more stream");
    }
    return r;
}

static int append_names(struct maker *m, struct errmsg *err)
{
    struct sum_name names[MARKS_ALL];
    uint32_t count = 0, told = 0;
    size_t at = m->b->size;
    int r = 0;
    for (uint32_t i = 0; i < m->c->part_count; i++) {
        const struct sums *s = &m->c->parts[i].sums;
        for (uint32_t k = 0; k < s->name_count && k < SUMS_NAMES; k++) {
            uint32_t place = count < MARKS_ALL ? count++ : MARKS_ALL - 1;
            for (; place > 0 && names[place - 1].count < s->names[k].count; place--)
                names[place] = names[place - 1];
            names[place] = s->names[k];
        }
    }
    for (uint32_t i = 0; i < count && told < m->plan->names && r == 0; i++) {
        size_t before = m->b->size;
        buf_puts(m->b, told ? ", " : "\nnames: ");
        size_t from = m->b->size;
        r = append_text(m->s, CON_NAME, names[i].entity, 0, m->b, err);
        if (m->b->size == from) { /* a number, or gone */
            m->b->size = before;
            continue;
        }
        buf_printf(m->b, " \xc3\x97%llu", (unsigned long long)names[i].count);
        told++;
    }
    fits(m, at);
    return r;
}

/* ---- title and gist ---- */

static int keep_title(struct maker *m, const char *tail, struct errmsg *err)
{
    struct consolidation *c = m->c;
    if (buf_failed(m->b))
        return err_set(err, ERR_NOMEM, "consolidation: %s", err_text(ERR_NOMEM));
    size_t size = utf8_cut(m->b->data, m->b->size, sizeof(c->title) - 1 - strlen(tail));
    memcpy(c->title, m->b->data, size);
    snprintf(c->title + size, sizeof(c->title) - size, "%s", tail);
    return 0;
}

/* At most `max` bytes, up to a comma or a blank where it is longer. */
static void append_clause(struct buf *b, struct slice text, size_t max)
{
    size_t size = text.size;
    if (size > max) {
        size = max;
        while (size > max / 2 && text.data[size] != ',' && text.data[size] != ' ')
            size--;
        size_t comma = size;
        while (comma > max / 2 && text.data[comma] != ',')
            comma--;
        size = comma > max / 2 ? comma : size > max / 2 ? size : max;
    }
    buf_append(b, text.data, utf8_cut(text.data, text.size, size));
    if (size < text.size && text.data[size] != ',')
        buf_puts(b, "\xe2\x80\xa6");
}

/* "sshd: first line of its kind … 03:12; kitchen: temp 31.2 … 15:40, and 3 more unusual"; the second
 * only where it fits whole. */
static int title_of_marks(struct maker *m, char *tail, size_t room, struct errmsg *err)
{
    uint32_t most = m->row->stratum >= STRATUM_DAY ? 2 : 1, told = 0;
    int r = 0;
    for (uint32_t i = 0; i < m->mark_count && i < most && r == 0; i++) {
        const struct sum_mark *mark = m->marks[i].mark;
        size_t before = m->b->size;
        if (i > 0)
            buf_puts(m->b, "; ");
        r = append_stream(m, m->marks[i].part->stream, err);
        buf_puts(m->b, ": ");
        append_clause(m->b, mark->why, most == 2 ? 48 : 90);
        if (m->row->stratum >= STRATUM_DAY) {
            buf_putc(m->b, ' ');
            append_time(m->b, m->row->stratum, mark->at);
        }
        if (mark->times > 1)
            buf_printf(m->b, " (%u times)", mark->times);
        if (i > 0 && m->b->size > sizeof(m->c->title) - TITLE_TAIL) {
            m->b->size = before;
            m->b->data[before] = '\0';
            break;
        }
        told += mark->times;
    }
    if (m->row->unusual > told)
        snprintf(tail, room, ", and %lld more unusual", (long long)(m->row->unusual - told));
    return r;
}

static int make_title(struct maker *m, struct errmsg *err)
{
    struct consolidation *c = m->c;
    const struct part *first = &c->parts[0];
    char tail[48] = "";
    int r;
    buf_clear(m->b);
    if (m->mark_count)
        r = title_of_marks(m, tail, sizeof(tail), err);
    else if ((r = append_stream(m, first->stream, err)) == 0 && first->unusual > 0) {
        buf_puts(m->b, ": ");
        r = append_text(m->s, CON_WHY, first->peak, 0, m->b, err);
        if (m->row->unusual > 1)
            snprintf(tail, sizeof(tail), ", and %lld more unusual", (long long)m->row->unusual - 1);
    } else if (r == 0) {
        r = append_usual(m, first, 2, 3, err);
        if (c->part_count > 1)
            snprintf(tail, sizeof(tail), ", and %u more stream%s", c->part_count - 1,
                     c->part_count == 2 ? "" : "s");
    }
    return r ? r : keep_title(m, tail, err);
}

static int make_gist(struct maker *m, struct errmsg *err)
{
    static int (*const lines[])(struct maker *, struct errmsg *) = {
        append_marks,     append_peaks, append_facts,  append_against_before,
        append_new_kinds, append_names, append_streams};
    int r = 0;
    buf_clear(m->b);
    append_count(m->b, m->row->records, "record");
    buf_puts(m->b, " in ");
    append_count(m->b, m->c->part_count, "stream");
    buf_printf(m->b, ", %lld unusual", (long long)m->row->unusual);
    for (size_t i = 0; i < sizeof(lines) / sizeof(*lines) && r == 0; i++) {
        bool usual = lines[i] == append_streams || lines[i] == append_names;
        m->room = usual ? m->plan->size : (size_t)(UNUSUAL_SHARE * (double)m->plan->size);
        r = lines[i](m, err);
    }
    if (r == 0 && buf_failed(m->b))
        r = err_set(err, ERR_NOMEM, "consolidation: %s", err_text(ERR_NOMEM));
    return r;
}

int con_describe(struct store *s, const struct moment_row *row, const struct child *children,
                 uint32_t count, struct errmsg *err)
{
    struct consolidation *c = s->consolidation;
    struct found_mark marks[MARKS_ALL];
    uint32_t found = gather_marks(c, marks), most = plans[row->stratum].marks;
    int64_t last = children[count - 1].t_end;
    struct maker m = {.s = s,
                      .c = c,
                      .b = &c->gist,
                      .plan = &plans[row->stratum],
                      .row = row,
                      .marks = marks,
                      .mark_count = found < most ? found : most,
                      .complete = last >= row->t_end - (row->t_end - row->t_start) / 8};
    int r = make_title(&m, err); /* the first ones by rank, then all by time */
    qsort(marks, m.mark_count, sizeof(*marks), by_time);
    return r ? r : make_gist(&m, err);
}
