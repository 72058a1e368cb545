/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a question with words of its own gets: search, then the best records' texts and gists as far
 * as the budget reaches; absent when the evidence covers too little of what the question weighs.
 *
 * What people tell ("Ann: last May we went …") is of other times than that of the telling: where
 * nothing inside the span answers, such records answer from outside it, and the answer says so.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/stamp.h"
#include "base/utf8.h"
#include "memory/answer.h"

#define TEXTS_SHARE 0.6 /* of the budget that records' texts may take */
#define QUOTE_MAX 300   /* bytes of a record that the answer quotes */
#define UNKNOWN_SAID 8  /* words that are named as never seen */
#define AGREEMENT 0.3   /* of the second piece of evidence beside the best */
#define BEST_HITS 5
#define NEIGHBOUR_BUDGET 0.3 /* of the items: what stands next to the best hits in time */
#define NEIGHBOUR_SHARE 0.3  /* of its hit's attention */
#define NEIGHBOURED 3        /* hits that have theirs shown */
#define OTHER_CLAIM 0.25     /* of the confidence where the evidence speaks of something else */

void answer_quote(struct buf *out, const char *s, size_t n)
{
    size_t cut = n > QUOTE_MAX ? utf8_cut(s, n, QUOTE_MAX) : n;
    buf_putc(out, '"');
    for (size_t i = 0; i < cut; i++)
        buf_putc(out, s[i] == '\n' || s[i] == '\t' ? ' ' : s[i]);
    buf_puts(out, cut < n ? "…\"" : "\"");
}

void answer_quote_record(struct buf *out, const struct record *record)
{
    size_t stamp = stamp_size(record->text.data, record->text.size, record->time);
    answer_quote(out, record->text.data + stamp, record->text.size - stamp);
}

/* The texts of the best records, as far as their part of the budget reaches. */
int answer_texts(struct answering *a, const struct search_result *found, struct errmsg *err)
{
    uint64_t room = (uint64_t)((double)(a->left + a->out->spent) * TEXTS_SHARE);
    int rc = search_records(a->r, found, a->arena, &a->out->records, &a->out->record_count, err);
    for (uint32_t i = 0; rc == 0 && i < a->out->record_count; i++) {
        struct slice text = found->best[i].record->text;
        if (text.size > room || !answer_spend(a, text.size))
            continue;
        room -= text.size;
        a->out->records[i].text = arena_copy(a->arena, text.data, text.size);
        if (!a->out->records[i].text)
            rc = reader_nomem(err);
    }
    return rc;
}

static int add_items(struct answering *a, const struct search_result *found, struct errmsg *err)
{
    struct recall_items *items = &a->out->items;
    items->items = arena_alloc(a->arena, (2 * a->limit + 1) * sizeof(*items->items));
    if (!items->items)
        return reader_nomem(err);
    for (uint32_t i = 0; i < found->count && items->count < a->limit; i++) {
        struct recall_item *item = &items->items[items->count];
        int rc = search_item(a->r, found, &found->hits[i], a->arena, item, err);
        if (rc)
            return rc;
        if (!answer_spend(a, strlen(item->title)))
            break;
        item->share = found->hits[i].score;
        item->through = item->stratum > 0 ? "gist" : "words";
        items->count++;
    }
    items->more = found->count > items->count;
    return 0;
}

/* Weight of the names in the question that memory never saw: capitals inside a sentence. */
double answer_unknown_names(struct answering *a, const struct rank_query *q)
{
    double sum = 0;
    const char *rest = a->phrase.rest;
    const char *asked = a->q->text.data;
    for (const char *s = rest; *s;) {
        size_t gap = strspn(s, " \t\n?!,;.:\"'()"), n = strcspn(s + gap, " \t\n?!,;.:\"'()");
        const char *token = s + gap;
        s += gap + n;
        /* The first word of the question has its capital from standing there. */
        bool first = n <= a->q->text.size && strncmp(token, asked, n) == 0;
        struct words_query one;
        if (n == 0 || first || !isupper((unsigned char)token[0]) ||
            words_query((struct slice){token, n}, &one) || one.count != 1 ||
            words_df_rows(a->r->df, one.words[0].hash))
            continue;
        for (uint32_t i = 0; i < q->words.count; i++)
            if (q->words.words[i].hash == one.words[0].hash)
                sum += q->idf[i];
    }
    return q->idf_sum > 0 ? sum / q->idf_sum : 0;
}

bool answer_unsupported(struct answering *a, const struct slice *texts, uint32_t count)
{
    struct slice rest = {a->phrase.rest, strlen(a->phrase.rest)};
    struct slice plain[RECALL_RECORDS];
    uint32_t n = 0;
    /* People say the same thing in many ways; a log says it in one. */
    for (uint32_t i = 0; i < count && i < RECALL_RECORDS; i++)
        if (!answer_is_told(texts[i]))
            plain[n++] = texts[i];
    bool found = 2 * n > count && claims_unsupported(a->r->df, rest, plain, n, &a->unsupported);
    if (found)
        answer_step(a, "the evidence says something else of \"%s\" than \"%s\"",
                    a->unsupported.head, a->unsupported.word);
    return found;
}

double answer_confidence(struct answering *a, const struct search_result *found)
{
    double best = 0, second = 0;
    for (uint32_t i = 0; i < found->count && i < BEST_HITS; i++) {
        double c = found->hits[i].coverage;
        if (c > best) {
            second = best;
            best = c;
        } else if (c > second) {
            second = c;
        }
    }
    double confidence = (best + AGREEMENT * second) / (1 + AGREEMENT);
    confidence -= answer_unknown_names(a, &found->rank);
    struct slice texts[RECALL_RECORDS];
    for (uint32_t i = 0; i < found->best_count; i++)
        texts[i] = found->best[i].record->text;
    if (answer_unsupported(a, texts, found->best_count))
        confidence *= OTHER_CLAIM;
    return confidence > 0 ? confidence : 0;
}

void answer_age(struct answering *a, int64_t time)
{
    static const struct {
        int64_t us;
        const char *noun;
    } units[] = {{365 * US_PER_DAY, "year"},
                 {US_PER_DAY, "day"},
                 {US_PER_HOUR, "hour"},
                 {US_PER_MINUTE, "minute"}};
    int64_t age = clock_now(a->r->clock) - time;
    for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++)
        if (age >= units[i].us) {
            buf_puts(&a->text, ", ");
            answer_count(&a->text, (uint64_t)(age / units[i].us), units[i].noun);
            buf_puts(&a->text, " ago");
            return;
        }
}

void answer_evidence(struct answering *a, const struct search_result *found)
{
    const struct search_record *best = found->best_count ? &found->best[0] : NULL;
    const struct recall_item *item = &a->out->items.items[0];
    if (best) {
        const struct known_stream *stream = reader_known_stream(a->r, best->stream);
        answer_time(&a->text, best->record->time);
        buf_printf(&a->text, " %s: ", stream ? stream->name : "");
        answer_quote_record(&a->text, best->record);
        answer_age(a, best->record->time);
    } else {
        answer_time(&a->text, item->start);
        buf_printf(&a->text, " %s: ", item->stream ? item->stream : "all streams");
        answer_quote(&a->text, item->title, strlen(item->title));
        answer_age(a, item->end);
    }
    buf_putc(&a->text, '.');
}

static void say_found(struct answering *a, const struct search_result *found)
{
    answer_evidence(a, found);
    if (found->count > 1) {
        buf_putc(&a->text, ' ');
        answer_count(&a->text, found->count - 1, "more moment");
        buf_printf(&a->text, " match%s less.", found->count == 2 ? "es" : "");
    }
}

static bool never_seen(const struct answering *a, struct slice token)
{
    struct words_query words;
    if (words_query(token, &words))
        return false;
    for (uint32_t i = 0; i < words.count; i++)
        if (words_df_rows(a->r->df, words.words[i].hash))
            return false;
    return words.count > 0;
}

/* Which of the question's words memory has never seen, as they were typed. */
static void say_unknown(struct answering *a, const char *rest)
{
    int said = 0;
    for (const char *s = rest; *s && said < UNKNOWN_SAID;) {
        size_t gap = strspn(s, " \t\n?!,;.:\"'()"), n = strcspn(s + gap, " \t\n?!,;:\"'()");
        struct slice token = {s + gap, n};
        if (n && never_seen(a, token))
            buf_printf(&a->text, "%s\"%.*s\"", said++ ? ", " : " Never seen: ", (int)n, token.data);
        s += gap + n;
    }
    if (said)
        buf_putc(&a->text, '.');
}

static void say_absent(struct answering *a, const struct search_result *outside)
{
    buf_puts(&a->text, "Not in memory");
    if (a->timed) {
        buf_puts(&a->text, ", looking at: ");
        answer_span(a, &a->text);
    }
    buf_puts(&a->text, ". No evidence covers the question.");
    say_unknown(a, a->phrase.rest);
    if (a->timed)
        answer_name_silent(a);
    if (!outside)
        return;
    answer_step(a, "outside that span %u moments match", outside->count);
    buf_puts(&a->text, " At other times there is: ");
    if (outside->best_count) {
        answer_time(&a->text, outside->best[0].record->time);
        buf_putc(&a->text, ' ');
        answer_quote_record(&a->text, outside->best[0].record);
    } else {
        answer_time(&a->text, outside->hits[0].row.start);
        buf_putc(&a->text, ' ');
        answer_quote(&a->text, outside->hits[0].row.title, strlen(outside->hits[0].row.title));
    }
    buf_putc(&a->text, '.');
}

bool answer_is_told(struct slice text)
{
    static const char *const words[] = {"I",     "I'm",   "I've",  "I'll", "I'd", "my",
                                        "My",    "we",    "We",    "our",  "Our", "me",
                                        "we're", "We're", "we've", "We've"};
    for (size_t at = 0; at < text.size;) {
        size_t n = 0;
        while (at + n < text.size &&
               (isalpha((unsigned char)text.data[at + n]) || (n && text.data[at + n] == '\'')))
            n++;
        for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
            if (strlen(words[i]) == n && memcmp(words[i], text.data + at, n) == 0)
                return true;
        at += n + 1;
    }
    return false;
}

static int search_outside(struct answering *a, const struct search_query *sq,
                          struct search_result *ret, struct errmsg *err)
{
    struct search_query wide = *sq;
    struct reader_filter open = a->filter;
    open.since = TIME_UNKNOWN;
    open.until = INT64_MAX;
    wide.filter = &open;
    return search_run(a->r, &wide, ret, err);
}

static int silent_streams(struct answering *a, struct errmsg *err)
{
    struct stream_sum *sums;
    int rc = answer_sums(a, &sums, err);
    return rc ? rc : answer_silent(a, sums, err);
}

/* The moment, or span, that stands right before or after one on its stream, or in its stratum. */
static int neighbour_of(struct answering *a, const struct moment_row *row, bool before,
                        struct moment_row *ret, struct errmsg *err)
{
    sqlite3_stmt *stmt = NULL;
    bool stream = row->stream != 0;
    enum reader_sql which = before ? (stream ? SQL_STREAM_SPAN_BACK : SQL_SPAN_BACK)
                                   : (stream ? SQL_STREAM_SPAN : SQL_SPAN);
    int rc = reader_statement(a->r, which, &stmt, err);
    if (rc)
        return rc;
    sqlite3_bind_int64(stmt, 1, stream ? row->stream : row->stratum);
    sqlite3_bind_int64(stmt, 2, before ? TIME_UNKNOWN : row->start + 1);
    sqlite3_bind_int64(stmt, 3, before ? row->start : INT64_MAX);
    sqlite3_bind_int64(stmt, 4, 1);
    sqlite3_bind_int64(stmt, 5, TIME_UNKNOWN);
    rc = sql_step(stmt, err);
    if (rc == 0 && reader_moment_columns(stmt, &a->r->scratch, ret))
        rc = reader_nomem(err);
    sqlite3_reset(stmt);
    return rc;
}

/* Contiguity: successors, then predecessors, of the best hits, as far as their share reaches. */
static int add_neighbours(struct answering *a, const struct search_result *found, uint32_t most,
                          struct errmsg *err)
{
    uint32_t added = 0, before = a->out->items.count;
    int rc = 0;
    for (uint32_t i = 0; i < found->count && i < NEIGHBOURED && rc >= 0 && added < most; i++)
        for (int back = 0; back < 2 && rc >= 0 && added < most; back++) {
            struct moment_row row;
            rc = neighbour_of(a, &found->hits[i].row, back, &row, err);
            if (rc == 0)
                rc = answer_add_item(a, row.id, NEIGHBOUR_SHARE * found->hits[i].score, "neighbour",
                                     err);
            added = a->out->items.count - before;
        }
    return rc < 0 ? rc : 0;
}

static int describe(struct answering *a, const struct search_result *found, struct errmsg *err)
{
    uint32_t limit = a->limit;
    uint32_t near = a->q->without.neighbours ? 0 : (uint32_t)(NEIGHBOUR_BUDGET * limit);
    a->limit -= near;
    int rc = add_items(a, found, err);
    a->limit = limit;
    if (rc == 0 && near)
        rc = add_neighbours(a, found, near, err);
    if (rc == 0 && a->out->items.count)
        answer_shares(&a->out->items);
    if (rc == 0)
        rc = answer_texts(a, found, err);
    if (rc == 0)
        rc = answer_gists(a, err);
    if (rc)
        return rc;
    answer_step(a, "descended to %u records and %u gists within %llu bytes", a->out->record_count,
                a->out->items.count, (unsigned long long)a->out->spent);
    if (a->out->items.count)
        say_found(a, found);
    return 0;
}

int answer_content(struct answering *a, struct errmsg *err)
{
    struct search_result found, outside;
    struct search_query sq = {.text = {a->phrase.rest, strlen(a->phrase.rest)},
                              .latent = a->q->latent,
                              .filter = &a->filter,
                              .without = a->q->without};
    int rc = search_run(a->r, &sq, &found, err);
    if (rc)
        return rc;
    answer_step(a, "searched for %u words: %u moments may answer, %u match", found.rank.words.count,
                found.candidates, found.count);
    if (found.bounded)
        answer_step(a, "left the commonest words to the ranking");
    if (a->timed)
        rc = silent_streams(a, err);
    if (rc)
        return rc;
    a->out->confidence = answer_confidence(a, &found);
    if (a->out->confidence >= ANSWER_ABSENT_BELOW)
        return describe(a, &found, err);
    answer_step(a, "the best evidence covers %.0f %% of the question: too little",
                100 * a->out->confidence);
    double other = 0;
    if (a->timed) {
        rc = search_outside(a, &sq, &outside, err);
        if (rc)
            return rc;
        other = answer_confidence(a, &outside);
    }
    if (other >= ANSWER_ABSENT_BELOW && outside.best_count &&
        answer_is_told(outside.best[0].record->text)) {
        answer_step(a, "took what was told at other times");
        buf_puts(&a->text, "Told at another time: ");
        a->out->confidence = other;
        return describe(a, &outside, err);
    }
    a->out->absent = true;
    say_absent(a, other >= ANSWER_ABSENT_BELOW ? &outside : NULL);
    return 0;
}
