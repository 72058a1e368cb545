/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path: candidates ▸ their rows, as far as the filter lets them through ▸ evidence of the
 * best ▸ every record scored ▸ moments by their best record. What has no text records (sensor
 * moments, episodes and above, moments whose evidence is gone) is scored by its words in the index.
 * Sizes: 64 moments and 1.5 MB of evidence a question, at most 600 rows looked at.
 */
#include "memory/search.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "memory/candidates.h"
#include "memory/remains.h"
#include "memory/timephrase.h"

#define DECODE_MOMENTS 64
#define DECODE_BYTES (1536u << 10)
#define LOOKUPS 600           /* rows looked at for a filter to let enough through */
#define LOOKUPS_MORE 64       /* behind the last moment that was decoded, for what has no records */
#define KEEP_WORDLESS 200     /* hits scored by their index words */
#define INDEX_WORDS_SHARE 0.8 /* of what a record with the same words would score */
#define HIGHER_SHARE 0.6      /* … of a span whose moments are all there to answer themselves */
#define HIGHER_ALONE 0.9      /* … of one whose moments are gone; less for each stratum above */
#define GONE 0.2              /* of a span's moments: then its gist's lines stand for them */
#define FINER 0.97            /* a stratum above tells it less exactly */
#define HIGHER_READ 48        /* spans whose gists are looked into */
#define SUPPORT_SHARE 0.5     /* of its moment's best record: a record that supports the hit */
#define RECENCY_SPAN (7 * US_PER_DAY)

/* A moment that passed: its row, and its records once they are decoded. */
struct passed {
    struct moment_row row;
    const struct candidate *candidate;
    struct record *records;
    uint32_t count;
    double score; /* not yet 0..1 */
    uint64_t terms;
    uint32_t first_ranked, ranked; /* its stretch of the ranked records */
    bool text;                     /* of a text stream */
    double gone;                   /* share of its records, or moments below, that were let go */
};

struct work {
    struct reader *r;
    const struct search_query *q;
    struct search_result *out;
    struct passed *passed;
    uint32_t count;
    uint32_t higher; /* spans looked into */
    struct rank_record *ranked;
    uint32_t ranked_count;
};

static int prepare_question(struct work *w, struct errmsg *err)
{
    struct words_query words;
    struct reader *r = w->r;
    struct slice text = w->q->text;
    if (text.size > RECALL_QUERY_MAX)
        text.size = RECALL_QUERY_MAX;
    if (words_query(text, &words))
        return reader_nomem(err);
    struct rank_query *rank = &w->out->rank;
    rank_query_init(rank, &words, r->df);
    /* "in May" is the May that memory knows, so time phrases are read as of its newest record. */
    sqlite3_stmt *stmt = NULL;
    int64_t newest = clock_now(r->clock);
    int rc = reader_statement(r, SQL_STREAM_TOTALS, &stmt, err);
    if (rc == 0 && (rc = sql_step(stmt, err)) == 0 && sqlite3_column_type(stmt, 4) != SQLITE_NULL)
        newest = sqlite3_column_int64(stmt, 4);
    if (stmt)
        sqlite3_reset(stmt);
    if (rc)
        return rc;
    struct timephrase phrase;
    timephrase_parse(text, newest, &phrase);
    rank->dated = phrase.found;
    rank->since = phrase.since;
    rank->until = phrase.until == TIME_UNKNOWN ? INT64_MAX : phrase.until;
    return 0;
}

/*
 * Does it lie in the filter? A span of all streams is in one of some streams when it has something
 * of them. 0, SQL_DONE when not, or an error.
 */
static int passes(struct work *w, const struct moment_row *row, struct errmsg *err)
{
    const struct reader_filter *f = w->q->filter;
    if (row->stratum == STRATUM_MOMENT || f->stream_count == 0)
        return reader_moment_passes(row, f) ? 0 : SQL_DONE;
    if (row->start >= f->until || row->end < f->since)
        return SQL_DONE;
    int rc = SQL_DONE;
    for (uint32_t i = 0; i < f->stream_count && rc == SQL_DONE; i++) {
        sqlite3_stmt *stmt = NULL;
        rc = reader_statement(w->r, SQL_STAT, &stmt, err);
        if (rc)
            return rc;
        sqlite3_bind_int64(stmt, 1, row->id);
        sqlite3_bind_int64(stmt, 2, f->streams[i]);
        rc = sql_step(stmt, err);
        sqlite3_reset(stmt);
    }
    return rc;
}

/* What is told of records that were let go. */
static int read_remains(struct work *w, struct passed *p, struct errmsg *err)
{
    int rc = 0;
    p->gone = p->row.stratum == STRATUM_MOMENT;
    if (p->row.stratum > 0) {
        if (w->higher++ >= HIGHER_READ)
            return 0;
        rc = remains_gone(w->r, &p->row, &p->gone, err);
        if (rc || p->gone < GONE)
            return rc;
    }
    return remains_read(w->r, &p->row, &w->r->scratch, &p->records, &p->count, err);
}

/* Rows of the candidates in order, filtered; evidence of the best of them. */
static int read_candidates(struct work *w, const struct candidate *candidates, uint32_t count,
                           struct errmsg *err)
{
    size_t bytes = 0;
    uint32_t decoded = 0, last = LOOKUPS;
    w->passed = arena_alloc(&w->r->scratch, (DECODE_MOMENTS + KEEP_WORDLESS) * sizeof(*w->passed));
    if (!w->passed)
        return reader_nomem(err);
    for (uint32_t i = 0; i < count && i < last && w->count < DECODE_MOMENTS + KEEP_WORDLESS; i++) {
        struct passed *p = &w->passed[w->count];
        *p = (struct passed){.candidate = &candidates[i], .terms = candidates[i].terms};
        int rc = reader_moment(w->r, candidates[i].id, &w->r->scratch, &p->row, err);
        if (rc == 0 && p->row.stratum > 0 && w->q->without.coarse)
            continue;
        if (rc == 0)
            rc = passes(w, &p->row, err);
        if (rc == SQL_DONE)
            continue;
        if (rc)
            return rc;
        const struct known_stream *stream = reader_known_stream(w->r, p->row.stream);
        bool text = stream && stream->kind == KIND_TEXT;
        p->text = text;
        if (text && (decoded == DECODE_MOMENTS || bytes + p->row.raw_bytes > DECODE_BYTES)) {
            if (decoded == 0 && p->row.raw_bytes > DECODE_BYTES)
                bytes = 0; /* one that is over the bound alone is read all the same */
            else
                continue;
        }
        if (text)
            rc = reader_evidence(w->r, p->row.id, &w->r->scratch, &p->records, &p->count, err);
        if (rc == SQL_DONE || p->row.stratum > 0)
            rc = read_remains(w, p, err);
        if (rc < 0)
            return rc;
        if (p->count) {
            if (++decoded == DECODE_MOMENTS && i + LOOKUPS_MORE < last)
                last = i + LOOKUPS_MORE;
            for (uint32_t k = 0; k < p->count; k++)
                bytes += p->records[k].text.size;
        }
        w->count++;
    }
    return 0;
}

static int compare_by_stream(const void *a, const void *b)
{
    const struct passed *x = *(const struct passed *const *)a,
                        *y = *(const struct passed *const *)b;
    if (x->row.stream != y->row.stream)
        return x->row.stream < y->row.stream ? -1 : 1;
    if (x->row.start != y->row.start)
        return x->row.start < y->row.start ? -1 : 1;
    return (x->row.id > y->row.id) - (x->row.id < y->row.id);
}

static double recency_factor(const struct work *w, int64_t time)
{
    if (w->q->recency <= 0)
        return 1;
    double age = (double)(clock_now(w->r->clock) - time) / (double)RECENCY_SPAN;
    return 1 + w->q->recency * exp(age > 0 ? -age : 0);
}

/* How rare the question's time is among what was found. */
static void weigh_date(struct work *w)
{
    struct rank_query *rank = &w->out->rank;
    double total = 0, inside = 0;
    for (uint32_t i = 0; i < w->count; i++)
        for (uint32_t k = 0; k < w->passed[i].count; k++) {
            int64_t time = w->passed[i].records[k].time;
            total++;
            inside += time >= rank->since && time < rank->until;
        }
    rank->date_idf = rank_idf(inside, total);
}

static int score_records(struct work *w, struct errmsg *err)
{
    struct arena *arena = &w->r->scratch;
    uint32_t n = 0;
    struct passed **order = arena_alloc(arena, (w->count + 1) * sizeof(struct passed *));
    struct rank_moment *moments = arena_alloc(arena, (w->count + 1) * sizeof(*moments));
    if (!order || !moments)
        return reader_nomem(err);
    for (uint32_t i = 0; i < w->count; i++)
        if (w->passed[i].count)
            order[n++] = &w->passed[i];
    qsort(order, n, sizeof(struct passed *), compare_by_stream);
    for (uint32_t i = 0; i < n; i++)
        moments[i] = (struct rank_moment){.stream = order[i]->row.stream,
                                          .records = order[i]->records,
                                          .count = order[i]->count,
                                          .latent = order[i]->candidate->latent};
    struct rank_weights weights = *w->r->weights;
    if (w->q->without.lending)
        weights.next = weights.next2 = weights.reply = weights.session = 0;
    if (rank_records(&w->out->rank, moments, n, &weights, arena, &w->ranked, &w->ranked_count))
        return reader_nomem(err);
    for (uint32_t k = 0; k < w->ranked_count; k++) {
        struct rank_record *ranked = &w->ranked[k];
        struct passed *p = order[ranked->moment];
        ranked->total *=
            (float)(recency_factor(w, p->records[ranked->index].time) * pow(FINER, p->row.stratum));
        if (p->ranked++ == 0)
            p->first_ranked = k;
        if (ranked->total > p->score) {
            p->score = ranked->total;
            p->terms = ranked->terms;
        }
    }
    return 0;
}

/*
 * A hit without records. Where they, or the moments below it, are gone it stands for them: then it
 * is scored as the record would be, with what records get from their session.
 */
static void score_by_index(struct work *w, struct passed *p)
{
    double share = INDEX_WORDS_SHARE, gone = p->gone;
    if (p->row.stratum > 0) {
        gone = p->gone;
        double alone = HIGHER_ALONE * pow(0.95, p->row.stratum);
        share = HIGHER_SHARE + gone * (alone - HIGHER_SHARE);
    }
    if (!w->q->without.lending)
        share *= 1 + gone * w->r->weights->session;
    double coverage = rank_coverage(&w->out->rank, p->terms);
    p->score = share * p->candidate->score * (1 + w->r->weights->coverage * coverage);
    if (p->score > 0)
        p->score += share * rank_date(&w->out->rank, p->row.start, w->r->weights);
    p->score *= recency_factor(w, p->row.end);
}

static int compare_passed(const void *a, const void *b)
{
    const struct passed *x = a, *y = b;
    if (x->score != y->score)
        return x->score < y->score ? 1 : -1;
    if (x->row.start != y->row.start)
        return x->row.start < y->row.start ? 1 : -1;
    return (x->row.id < y->row.id) - (x->row.id > y->row.id);
}

/* A higher stratum that only repeats a better hit inside it is left out. */
static bool repeats(const struct work *w, uint32_t i)
{
    const struct moment_row *m = &w->passed[i].row;
    for (uint32_t k = 0; k < i && m->stratum > 0; k++)
        if (w->passed[k].row.stratum < m->stratum && w->passed[k].row.start >= m->start &&
            w->passed[k].row.start <= m->end)
            return true;
    return false;
}

static int compare_records(const void *a, const void *b)
{
    const struct search_record *x = a, *y = b;
    if (x->score != y->score)
        return x->score < y->score ? 1 : -1;
    return (x->record->seq > y->record->seq) - (x->record->seq < y->record->seq);
}

/* Keeps the best `max` of a growing list; `scale` makes totals 0..1. */
static void offer(struct search_record *list, uint32_t *count, uint32_t max,
                  const struct search_record *r)
{
    if (*count == max && list[max - 1].score >= r->score)
        return;
    uint32_t at = *count < max ? (*count)++ : max - 1;
    for (; at > 0 && list[at - 1].score < r->score; at--)
        list[at] = list[at - 1];
    list[at] = *r;
}

static int collect(struct work *w, struct errmsg *err)
{
    struct search_result *out = w->out;
    struct arena *arena = &w->r->scratch;
    out->hits = arena_alloc(arena, (w->count + 1) * sizeof(*out->hits));
    out->records = arena_alloc(arena, (w->ranked_count + 1) * sizeof(*out->records));
    out->best = arena_alloc(arena, RECALL_RECORDS * sizeof(*out->best));
    if (!out->hits || !out->records || !out->best)
        return reader_nomem(err);
    qsort(w->passed, w->count, sizeof(*w->passed), compare_passed);
    /* The best hit's score says how much of the question it covers; the others stand to it. */
    double top = w->count ? w->passed[0].score : 0;
    double scale = top > 0 ? rank_coverage(&out->rank, w->passed[0].terms) / top : 0;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < w->count; i++) {
        const struct passed *p = &w->passed[i];
        if (p->score <= 0 || repeats(w, i))
            continue;
        struct search_hit *hit = &out->hits[out->count++];
        *hit = (struct search_hit){.row = p->row,
                                   .score = p->score * scale,
                                   .terms = p->terms,
                                   .coverage = rank_coverage(&out->rank, p->terms),
                                   .first = kept};
        for (uint32_t k = p->first_ranked; k < p->first_ranked + p->ranked; k++) {
            const struct rank_record *ranked = &w->ranked[k];
            if (ranked->total <= 0)
                continue;
            struct search_record r = {p->row.id, p->row.stream, &p->records[ranked->index],
                                      ranked->total * scale};
            offer(out->best, &out->best_count, RECALL_RECORDS, &r);
            /* A record without any of the words is context, however near it stands. */
            if (ranked->terms && ranked->total >= SUPPORT_SHARE * p->score)
                out->records[kept++] = r;
        }
        hit->count = kept - hit->first;
        qsort(out->records + hit->first, hit->count, sizeof(*out->records), compare_records);
    }
    return 0;
}

int search_run(struct reader *r, const struct search_query *q, struct search_result *ret,
               struct errmsg *err)
{
    struct work w = {.r = r, .q = q, .out = ret};
    struct candidate *candidates;
    *ret = (struct search_result){0};
    int rc = prepare_question(&w, err);
    if (rc)
        return rc;
    struct candidate_query cq = {&ret->rank, q->latent, q->filter, r->weights->latent};
    rc = candidates_find(r, &cq, &candidates, &ret->candidates, &ret->bounded, err);
    if (rc == 0)
        rc = read_candidates(&w, candidates, ret->candidates, err);
    if (rc)
        return rc;
    if (ret->rank.dated)
        weigh_date(&w);
    rc = score_records(&w, err);
    if (rc)
        return rc;
    for (uint32_t i = 0; i < w.count; i++)
        if (w.passed[i].score <= 0)
            score_by_index(&w, &w.passed[i]);
    return collect(&w, err);
}

static const char *copy_slice(struct arena *arena, struct slice s)
{
    return arena_copy(arena, s.data, s.size);
}

int search_item(struct reader *r, const struct search_result *found, const struct search_hit *hit,
                struct arena *arena, struct recall_item *ret, struct errmsg *err)
{
    int rc = reader_item(r, &hit->row, arena, ret, err);
    if (rc)
        return rc;
    ret->score = hit->score < 1 ? hit->score : 1;
    const char **refs = arena_alloc(arena, RECALL_REFS * sizeof(*refs));
    if (!refs)
        return reader_nomem(err);
    for (uint32_t i = 0; i < hit->count && ret->ref_count < RECALL_REFS; i++) {
        struct slice ref = found->records[hit->first + i].record->ref;
        if (!ref.size)
            continue;
        refs[ret->ref_count] = copy_slice(arena, ref);
        if (!refs[ret->ref_count++])
            return reader_nomem(err);
    }
    ret->refs = refs;
    return 0;
}

int search_records(struct reader *r, const struct search_result *found, struct arena *arena,
                   struct recall_record **ret, uint32_t *ret_count, struct errmsg *err)
{
    struct recall_record *out = arena_alloc(arena, (found->best_count + 1) * sizeof(*out));
    if (!out)
        return reader_nomem(err);
    for (uint32_t i = 0; i < found->best_count; i++) {
        const struct search_record *from = &found->best[i];
        const struct known_stream *stream = reader_known_stream(r, from->stream);
        out[i] = (struct recall_record){.id = from->id,
                                        .seq = from->record->seq,
                                        .time = from->record->time,
                                        .score = from->score < 1 ? from->score : 1};
        out[i].stream =
            arena_copy(arena, stream ? stream->name : "", stream ? strlen(stream->name) : 0);
        if (from->record->ref.size)
            out[i].ref = copy_slice(arena, from->record->ref);
        if (!out[i].stream || (from->record->ref.size && !out[i].ref))
            return reader_nomem(err);
    }
    *ret = out;
    *ret_count = found->best_count;
    return 0;
}
