/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path: time phrases become the filter ▸ what is left decides: nothing but "what happened"
 * asks for the span's overview, anything else is searched ▸ the best records' texts, then gists, as
 * far as the budget reaches. Absent when one piece of evidence covers too little of what the
 * question weighs.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/utf8.h"
#include "memory/answer.h"
#include "memory/timephrase.h"

#define TIME_BUDGET (US_PER_SECOND / 2)
#define ABSENT_BELOW 0.3
#define TEXTS_SHARE 0.6 /* of the budget that records' texts may take */
#define QUOTE_MAX 300   /* bytes of a record that the answer quotes */
#define UNKNOWN_SAID 8  /* words that are named as never seen */

/* Words that ask without saying what about. */
static const char generic_words[] =
    "what happened happening going on anything something everything unusual strange odd "
    "interesting "
    "notable remarkable important new news wrong show tell give me us summary summarize overview "
    "event occur report status machine computer system box server here there thing activity miss "
    "please look like up out go went list time today recent most get during see has noticed "
    "anomaly abnormal surprise surprising normal ok okay fine";

static int is_generic(struct slice text, bool *ret)
{
    struct words_query generic, words;
    struct slice all = {generic_words, sizeof(generic_words) - 1};
    *ret = true;
    if (words_query(all, &generic) || words_query(text, &words))
        return ERR_NOMEM;
    for (uint32_t i = 0; i < words.count; i++) {
        bool known = false;
        for (uint32_t k = 0; k < generic.count && !known; k++)
            known = generic.words[k].hash == words.words[i].hash;
        *ret &= known;
    }
    return 0;
}

/* Words that ask for what was out of the usual, whatever else the question names. */
static const char unusual_words[] =
    "unusual unusually strange strangely odd abnormal anomaly anomalies surprising anything";

static bool holds_word(const struct words_query *list, struct slice word)
{
    struct words_query one;
    if (words_query(word, &one) || one.count != 1)
        return false;
    for (uint32_t i = 0; i < list->count; i++)
        if (list->words[i].hash == one.words[0].hash)
            return true;
    return false;
}

/* Cuts them out: every gist that tells of something unusual holds the word itself. */
static void drop_unusual_words(char *rest)
{
    struct words_query list;
    if (words_query((struct slice){unusual_words, sizeof(unusual_words) - 1}, &list))
        return;
    char *out = rest;
    for (const char *s = rest; *s;) {
        size_t gap = strspn(s, " \t\n?!,;\"'"), n = strcspn(s + gap, " \t\n?!,;\"'");
        bool drop = n > 0 && holds_word(&list, (struct slice){s + gap, n});
        size_t kept = drop ? gap : gap + n;
        memmove(out, s, kept);
        out += kept;
        s += gap + n;
    }
    *out = '\0';
}

/* Is s[0..n) a stream's name? Its index, or -1. */
static int stream_named(const struct answering *a, const char *s, size_t n)
{
    for (uint32_t i = 0; i < a->stream_count; i++)
        if (strlen(a->streams[i].name) == n && strncasecmp(a->streams[i].name, s, n) == 0)
            return (int)i;
    return -1;
}

/*
 * "what happened on syslog": names of streams standing alone become the filter when nothing else is
 * left of the question. Cuts them out of `rest` then.
 */
static int take_stream_names(struct answering *a, char *rest, bool *ret_generic, struct errmsg *err)
{
    char without[TIMEPHRASE_TEXT_MAX + 1];
    int64_t *streams = arena_alloc(&a->r->scratch, (a->stream_count + 1) * sizeof(*streams));
    uint32_t count = 0;
    size_t out = 0;
    if (!streams)
        return reader_nomem(err);
    for (const char *s = rest; *s;) {
        size_t gap = strspn(s, " \t\n?!,;\"'"), n = strcspn(s + gap, " \t\n?!,;\"'");
        int index = n ? stream_named(a, s + gap, n) : -1;
        if (index >= 0 && count < a->stream_count) {
            streams[count++] = a->streams[index].id;
        } else {
            memcpy(without + out, s, gap + n);
            out += gap + n;
        }
        s += gap + n;
    }
    without[out] = '\0';
    if (is_generic((struct slice){without, out}, ret_generic))
        return reader_nomem(err);
    if (!*ret_generic || count == 0)
        return 0;
    if (a->filter.stream_count == 0) {
        a->filter.streams = streams;
        a->filter.stream_count = count;
        answer_step(a, "understood %u stream name%s", count, count == 1 ? "" : "s");
    }
    memcpy(rest, without, out + 1);
    return 0;
}

static void quote(struct buf *out, const char *s, size_t n)
{
    size_t cut = n > QUOTE_MAX ? utf8_cut(s, n, QUOTE_MAX) : n;
    buf_putc(out, '"');
    for (size_t i = 0; i < cut; i++)
        buf_putc(out, s[i] == '\n' || s[i] == '\t' ? ' ' : s[i]);
    buf_puts(out, cut < n ? "…\"" : "\"");
}

/* The texts of the best records, as far as their part of the budget reaches. */
static int add_texts(struct answering *a, const struct search_result *found, struct errmsg *err)
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
    items->items = arena_alloc(a->arena, (a->limit + 1) * sizeof(*items->items));
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
        items->count++;
    }
    items->more = found->count > items->count;
    answer_shares(items);
    return 0;
}

/* The most that one piece of evidence covers of the question's weight. */
static double confidence_of(const struct search_result *found)
{
    double best = 0;
    for (uint32_t i = 0; i < found->count && i < 5; i++)
        if (found->hits[i].coverage > best)
            best = found->hits[i].coverage;
    return best;
}

static void say_found(struct answering *a, const struct search_result *found)
{
    const struct search_record *best = found->best_count ? &found->best[0] : NULL;
    const struct recall_item *item = &a->out->items.items[0];
    if (best) {
        const struct known_stream *stream = reader_known_stream(a->r, best->stream);
        answer_time(&a->text, best->record->time);
        buf_printf(&a->text, " %s: ", stream ? stream->name : "");
        quote(&a->text, best->record->text.data, best->record->text.size);
    } else {
        answer_time(&a->text, item->start);
        buf_printf(&a->text, " %s: ", item->stream ? item->stream : "all streams");
        quote(&a->text, item->title, strlen(item->title));
    }
    buf_putc(&a->text, '.');
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

static int say_absent(struct answering *a, const struct search_query *sq, struct errmsg *err)
{
    buf_puts(&a->text, "Not in memory");
    if (a->timed) {
        buf_puts(&a->text, ", looking at: ");
        answer_span(a, &a->text);
    }
    buf_puts(&a->text, ". No evidence covers the question.");
    say_unknown(a, sq->text.data);
    if (!a->timed)
        return 0;
    answer_name_silent(a);
    struct search_query wide = *sq;
    struct reader_filter open = a->filter;
    struct search_result outside;
    open.since = TIME_UNKNOWN;
    open.until = INT64_MAX;
    wide.filter = &open;
    int rc = search_run(a->r, &wide, &outside, err);
    if (rc == 0 && outside.count && confidence_of(&outside) >= ABSENT_BELOW) {
        answer_step(a, "outside that span %u moments match", outside.count);
        buf_puts(&a->text, " At other times there is: ");
        answer_time(&a->text, outside.hits[0].row.start);
        buf_putc(&a->text, ' ');
        quote(&a->text, outside.hits[0].row.title, strlen(outside.hits[0].row.title));
        buf_putc(&a->text, '.');
    }
    return rc;
}

static int answer_content(struct answering *a, const char *rest, struct errmsg *err)
{
    struct search_result found;
    struct search_query sq = {
        .text = {rest, strlen(rest)}, .latent = a->q->latent, .filter = &a->filter};
    int rc = search_run(a->r, &sq, &found, err);
    if (rc)
        return rc;
    answer_step(a, "searched for %u words: %u moments may answer, %u match", found.rank.words.count,
                found.candidates, found.count);
    if (found.bounded)
        answer_step(a, "left the commonest words to the ranking");
    if (a->timed) {
        struct stream_sum *sums;
        rc = answer_sums(a, &sums, err);
        if (rc == 0)
            rc = answer_silent(a, sums, err);
        if (rc)
            return rc;
    }
    a->out->confidence = confidence_of(&found);
    if (found.count == 0 || a->out->confidence < ABSENT_BELOW) {
        a->out->absent = true;
        answer_step(a, "the best evidence covers %.0f %% of the question: too little",
                    100 * a->out->confidence);
        return say_absent(a, &sq, err);
    }
    rc = add_items(a, &found, err);
    if (rc == 0)
        rc = add_texts(a, &found, err);
    if (rc == 0)
        rc = answer_gists(a, err);
    if (rc)
        return rc;
    answer_step(a, "descended to %u records and %u gists within %llu bytes", a->out->record_count,
                a->out->items.count, (unsigned long long)a->out->spent);
    if (a->out->items.count)
        say_found(a, &found);
    return 0;
}

static void join_span(struct answering *a, const struct timephrase *phrase)
{
    struct reader_filter *f = &a->filter;
    int64_t until = phrase->until == TIME_UNKNOWN ? INT64_MAX : phrase->until;
    if (phrase->since > f->since)
        f->since = phrase->since;
    if (until < f->until)
        f->until = until;
    /* The caller's span and the question's exclude each other: an empty span, nothing recorded. */
    if (f->until <= f->since)
        f->until = f->since;
}

static int ask(struct answering *a, struct errmsg *err)
{
    struct timephrase phrase;
    bool generic;
    int rc = reader_filter_resolve(a->r, &a->q->filter, &a->filter, err);
    if (rc == 0)
        rc = reader_streams_read(a->r, &a->r->scratch, &a->streams, &a->stream_count, err);
    if (rc)
        return rc;
    timephrase_parse(a->q->text, clock_now(a->r->clock), &phrase);
    a->timed = phrase.found || a->filter.since != TIME_UNKNOWN || a->filter.until != INT64_MAX;
    a->said = phrase.said;
    if (phrase.found) {
        struct buf span = {0};
        join_span(a, &phrase);
        answer_span(a, &span);
        answer_step(a, "understood the time: %s", span.data ? span.data : "");
        buf_deinit(&span);
    }
    rc = take_stream_names(a, phrase.rest, &generic, err);
    if (rc)
        return rc;
    if (!generic)
        drop_unusual_words(phrase.rest);
    rc = generic ? answer_overview(a, err) : answer_content(a, phrase.rest, err);
    a->out->since = a->filter.since;
    a->out->until = a->filter.until == INT64_MAX ? TIME_UNKNOWN : a->filter.until;
    return rc;
}

int recall_ask(struct reader *r, const struct recall_question *q, struct arena *arena,
               struct recall_answer *ret, struct errmsg *err)
{
    struct answering a = {.r = r,
                          .q = q,
                          .arena = arena,
                          .out = ret,
                          .said = "",
                          .left = q->budget ? q->budget : RECALL_BUDGET_DEFAULT,
                          .deadline = clock_mono(r->clock) +
                                      (q->time_budget ? q->time_budget : TIME_BUDGET)};
    *ret = (struct recall_answer){.since = TIME_UNKNOWN, .until = TIME_UNKNOWN};
    int rc = reader_limit(q->limit, RECALL_LIMIT_DEFAULT, &a.limit, err);
    if (rc == 0 && q->budget > RECALL_BUDGET_MAX)
        rc = err_set(err, ERR_INVALID, "budget %u: at most %u bytes", q->budget, RECALL_BUDGET_MAX);
    if (rc)
        return rc;
    rc = reader_begin(r, err);
    rc = reader_end(r, rc ? rc : ask(&a, err));
    const char **steps = arena_alloc(arena, (ret->step_count + 1) * sizeof(*steps));
    ret->text = arena_copy(arena, a.text.data ? a.text.data : "", a.text.size);
    if (rc == 0 && (!steps || !ret->text || buf_failed(&a.text)))
        rc = reader_nomem(err);
    buf_deinit(&a.text);
    if (rc)
        return rc;
    memcpy(steps, a.steps, ret->step_count * sizeof(*steps));
    ret->steps = steps;
    return 0;
}
