/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path: one pass over the records for their own scores, then passes over the plain array for
 * what neighbours, sessions and the rest add. Sizes: up to 16k records and 1.5 MB of text a
 * question. The weights were chosen on five long conversations; bench/locomo.py shows each one's
 * gain.
 */
#include "memory/rank.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"

#define LEND_GAP (10 * US_PER_MINUTE) /* neighbours further apart lend nothing */
#define SESSION_GAP US_PER_HOUR       /* a longer pause ends a session */
#define SESSION_RECORDS 512           /* streams that never pause: cut there */
#define NEAR_WORDS 4
#define HEAD_MAX 40 /* bytes of an author's name before the colon */
#define KIN_LETTERS 4
#define TOLD_SPAN (7 * US_PER_DAY) /* how long after a time it is told of, less and less */
#define TOLD_SHARE 0.5

const struct rank_weights rank_weights_default = {
    .k1 = 0.8,
    .b = 0.35,
    .near = 0.2,
    .coverage = 1.0,
    .kin = 0.5,
    .next = 0.5,
    .next2 = 0.3,
    .reply = 0.3,
    .author = 0.4,
    .session = 0.6,
    .others = 0.5,
    .question = 0.25,
    .date = 6,
    .latent = 0, /* hashed latents of whole moments add nothing to words: measured */
};

double rank_idf(double with, double total)
{
    if (with > total)
        with = total;
    return log(1 + (total - with + 0.5) / (with + 0.5));
}

/* The first letters of a word of letters only: numbers and names with figures have no kin. */
static uint32_t head_of(const char *text, size_t size)
{
    uint32_t head;
    for (size_t i = 0; i < size; i++)
        if (text[i] < 'a' || text[i] > 'z')
            return 0;
    if (size < KIN_LETTERS)
        return 0;
    memcpy(&head, text, sizeof(head));
    return head;
}

static void put_slot(struct rank_query *q, uint64_t hash, uint32_t index)
{
    uint8_t at = (uint8_t)hash;
    while (q->slots[at])
        at++;
    q->slots[at] = (uint8_t)(index + 1);
}

void rank_query_init(struct rank_query *q, const struct words_query *words,
                     const struct words_df *df)
{
    *q = (struct rank_query){.words = *words};
    double with[WORDS_QUERY_MAX], total = (double)words_df_total_records(df) + 1;
    for (uint32_t i = 0; i < words->count; i++) {
        q->rows[i] = words_df_rows(df, words->words[i].hash);
        with[i] = words_df_records(df, words->words[i].hash);
        q->heads[i] = head_of(words->words[i].text, words->words[i].size);
        put_slot(q, words->words[i].hash, i);
    }
    wordforms_of(words, &q->forms);
    for (uint32_t i = 0; i < q->forms.count; i++) {
        uint32_t word = q->forms.forms[i].word;
        q->rows[word] += words_df_rows(df, q->forms.forms[i].hash);
        with[word] += words_df_records(df, q->forms.forms[i].hash);
        put_slot(q, q->forms.forms[i].hash, WORDS_QUERY_MAX + i);
    }
    for (uint32_t i = 0; i < words->count; i++) {
        q->idf[i] = rank_idf(with[i], total);
        q->idf_sum += q->idf[i];
    }
}

/* Index of the word of the question that this is, or is a form of; -1: of none. */
static int find_word(const struct rank_query *q, const struct word *word)
{
    for (uint8_t at = (uint8_t)word->hash; q->slots[at]; at++) {
        uint32_t i = q->slots[at] - 1u;
        if (i < WORDS_QUERY_MAX && q->words.words[i].hash == word->hash)
            return (int)i;
        if (i >= WORDS_QUERY_MAX && q->forms.forms[i - WORDS_QUERY_MAX].hash == word->hash)
            return word->negated ? -1 : q->forms.forms[i - WORDS_QUERY_MAX].word;
    }
    return -1;
}

/* One text being read. */
struct reading {
    const struct rank_query *q;
    uint32_t length;
    uint64_t terms, kin;
    uint16_t count[WORDS_QUERY_MAX];
    uint32_t last[WORDS_QUERY_MAX];    /* position of the word's last occurrence, from 1 */
    uint8_t distance[WORDS_QUERY_MAX]; /* least distance of word i to word i - 1, 0: not near */
    uint64_t head_hash;                /* of all words of the head together */
};

static void note_pair(struct reading *r, int a, int b, int later)
{
    uint32_t d = r->last[a] > r->last[b] ? r->last[a] - r->last[b] : r->last[b] - r->last[a];
    if (d && d <= NEAR_WORDS && (!r->distance[later] || d < r->distance[later]))
        r->distance[later] = (uint8_t)d;
}

static void note_kin(struct reading *r, const struct word *word)
{
    uint32_t head;
    if (word->size < KIN_LETTERS)
        return;
    memcpy(&head, word->text, sizeof(head));
    for (uint32_t i = 0; i < r->q->words.count; i++)
        if (head == r->q->heads[i] && head_of(word->text, word->size))
            r->kin |= 1ull << i;
}

static void read_word(void *arg, const struct word *word)
{
    struct reading *r = arg;
    r->length++;
    r->head_hash = r->head_hash * 31 + word->hash;
    int i = find_word(r->q, word);
    if (i < 0) {
        note_kin(r, word);
        return;
    }
    if (r->terms >> i & 1) {
        r->count[i]++;
    } else {
        r->terms |= 1ull << i;
        r->count[i] = 1;
        r->distance[i] = 0;
    }
    r->last[i] = r->length;
    if (i > 0 && r->terms >> (i - 1) & 1)
        note_pair(r, i, i - 1, i);
    if (i + 1 < (int)r->q->words.count && r->terms >> (i + 1) & 1)
        note_pair(r, i, i + 1, i + 1);
}

/* relative_size: of the text to the average one. */
static double bm25(const struct reading *r, const struct rank_weights *w, double relative_size)
{
    double score = 0;
    double norm = w->k1 * (1 - w->b + w->b * relative_size);
    for (uint64_t rest = r->terms; rest; rest &= rest - 1) {
        int i = __builtin_ctzll(rest);
        score += r->q->idf[i] * r->count[i] * (w->k1 + 1) / (r->count[i] + norm);
        if (r->distance[i])
            score += w->near * (r->q->idf[i] + r->q->idf[i - 1]) / 2 / r->distance[i];
    }
    return score;
}

/* The weight of the words it has only kin of. */
static double kin_weight(const struct reading *r)
{
    double sum = 0;
    for (uint64_t rest = r->kin & ~r->terms; rest; rest &= rest - 1)
        sum += r->q->idf[__builtin_ctzll(rest)];
    return sum;
}

double rank_date(const struct rank_query *q, int64_t time, const struct rank_weights *weights)
{
    if (!q->dated || time < q->since)
        return 0;
    if (time < q->until)
        return weights->date * q->date_idf;
    double late = (double)(time - q->until) / (double)TOLD_SPAN;
    return late < 1 ? TOLD_SHARE * (1 - late) * weights->date * q->date_idf : 0;
}

double rank_coverage(const struct rank_query *q, uint64_t terms)
{
    double sum = 0;
    for (; terms; terms &= terms - 1)
        sum += q->idf[__builtin_ctzll(terms)];
    return q->idf_sum > 0 ? sum / q->idf_sum : 0;
}

uint64_t rank_terms(const struct rank_query *q, struct slice text)
{
    struct reading r = {.q = q};
    return words_each(text, read_word, &r) == 0 ? r.terms : 0;
}

/* Bytes of "Name: " at the start of a text, the colon excluded; 0 when it starts otherwise. */
static size_t head_size(struct slice text)
{
    size_t n = text.size < HEAD_MAX ? text.size : HEAD_MAX;
    int words = 1;
    for (size_t i = 0; i + 1 < n; i++) {
        char c = text.data[i];
        if (c == ':')
            return i > 0 && text.data[i + 1] == ' ' && words <= 3 ? i : 0;
        words += c == ' ';
        if (strchr("\t[]()=<>/\"0123456789", c))
            return 0;
    }
    return 0;
}

/* Does its last sentence ask? */
static bool is_question(struct slice text)
{
    for (size_t i = text.size; i > 0; i--) {
        char c = text.data[i - 1];
        if (c == '?')
            return i == text.size || text.data[i] == ' ' || text.data[i] == '"';
        if (c == '.' || c == '!')
            return false;
    }
    return false;
}

/* What a record is apart from its score. */
enum trait { TRAIT_QUESTION = 1, TRAIT_AUTHOR = 2 };

struct scored {
    struct rank_record *records;
    uint64_t *heads; /* hash of the author's name where the question names it, else 0 */
    uint8_t *traits;
    uint32_t *session; /* of each record */
    uint32_t count;
    bool author;    /* the question names one */
    double average; /* bytes of a record */
    double best;    /* own */
};

struct author {
    uint64_t hash; /* the one author the question names; 0: none yet */
    bool several;
};

/* Fills `r`; returns a hash of the head if the question names it, else 0. */
static uint64_t read_record(const struct record *record, struct reading *r)
{
    struct slice text = record->text;
    uint64_t named = 0;
    r->length = 0;
    r->terms = r->kin = 0;
    r->head_hash = 0;
    size_t head = head_size(text);
    if (head) {
        words_each((struct slice){text.data, head}, read_word, r);
        if (r->terms)
            named = r->head_hash | 1;
    }
    words_each((struct slice){text.data + head, text.size - head}, read_word, r);
    return named;
}

static int alloc_scored(struct scored *s, const struct rank_moment *moments, uint32_t moment_count,
                        struct arena *arena)
{
    size_t count = 1, texts = 0, bytes = 0;
    for (uint32_t m = 0; m < moment_count; m++) {
        count += moments[m].count;
        for (uint32_t i = 0; i < moments[m].count; i++) {
            texts += moments[m].records[i].text.size > 0;
            bytes += moments[m].records[i].text.size;
        }
    }
    s->average = texts ? (double)bytes / (double)texts : 1;
    s->records = arena_alloc(arena, count * sizeof(*s->records));
    s->heads = arena_alloc(arena, count * sizeof(*s->heads));
    s->traits = arena_alloc(arena, count);
    s->session = arena_alloc(arena, count * sizeof(*s->session));
    return s->records && s->heads && s->traits && s->session ? 0 : ERR_NOMEM;
}

static void score_own(const struct rank_query *q, const struct rank_moment *moments,
                      uint32_t moment_count, const struct rank_weights *w, struct scored *s)
{
    struct author author = {0};
    struct reading reading = {.q = q};
    for (uint32_t m = 0; m < moment_count; m++) {
        for (uint32_t i = 0; i < moments[m].count; i++) {
            struct slice text = moments[m].records[i].text;
            if (!text.size)
                continue;
            uint32_t k = s->count++;
            uint64_t head = read_record(&moments[m].records[i], &reading);
            struct rank_record *out = &s->records[k];
            *out = (struct rank_record){m, i, reading.terms, 0, 0};
            s->heads[k] = head;
            author.several |= head && author.hash && author.hash != head;
            author.hash = head ? head : author.hash;
            s->traits[k] = is_question(text) ? TRAIT_QUESTION : 0;
            if (out->terms)
                out->own = (float)(bm25(&reading, w, (double)text.size / s->average) *
                                   (1 + w->coverage * rank_coverage(q, out->terms)));
            out->own += (float)(w->kin * kin_weight(&reading));
            if (out->own > s->best)
                s->best = out->own;
        }
    }
    s->author = author.hash && !author.several;
    for (uint32_t k = 0; k < s->count && s->author; k++)
        if (s->heads[k])
            s->traits[k] |= TRAIT_AUTHOR;
}

static int64_t time_of(const struct rank_moment *moments, const struct rank_record *r)
{
    return moments[r->moment].records[r->index].time;
}

static bool close_by(const struct rank_moment *moments, const struct rank_record *a,
                     const struct rank_record *b, int64_t gap)
{
    int64_t apart = time_of(moments, b) - time_of(moments, a);
    return moments[a->moment].stream == moments[b->moment].stream && apart <= gap && apart >= -gap;
}

static void lend_neighbours(struct scored *s, const struct rank_moment *moments,
                            const struct rank_weights *w)
{
    for (uint32_t k = 0; k < s->count; k++) {
        struct rank_record *r = &s->records[k];
        double total = r->own;
        for (int step = 1; step <= 2; step++) {
            double share = step == 1 ? w->next : w->next2;
            bool asked = step == 1 && k > 0 && s->traits[k - 1] & TRAIT_QUESTION;
            if (k >= (uint32_t)step && close_by(moments, r - step, r, step * LEND_GAP))
                total += (share + (asked ? w->reply : 0)) * (r - step)->own;
            if (k + (uint32_t)step < s->count && close_by(moments, r, r + step, step * LEND_GAP))
                total += share * (r + step)->own;
        }
        r->total = (float)total;
    }
}

struct session {
    double length, score;
    uint32_t records;
    double count[WORDS_QUERY_MAX];
};

static uint32_t find_sessions(struct scored *s, const struct rank_moment *moments)
{
    uint32_t sessions = 0, records = 0;
    for (uint32_t k = 0; k < s->count; k++) {
        struct rank_record *r = &s->records[k];
        bool goes_on =
            k > 0 && records < SESSION_RECORDS && close_by(moments, r - 1, r, SESSION_GAP);
        if (!goes_on) {
            sessions++;
            records = 0;
        }
        records++;
        s->session[k] = sessions - 1;
    }
    return sessions;
}

/* BM25 of sessions as documents, on their share of records that have each word. */
static int score_sessions(const struct rank_query *q, struct scored *s,
                          const struct rank_moment *moments, const struct rank_weights *w,
                          struct arena *arena)
{
    uint32_t count = find_sessions(s, moments);
    struct session *sessions = arena_alloc(arena, (count ? count : 1) * sizeof(*sessions));
    if (!sessions)
        return ERR_NOMEM;
    memset(sessions, 0, count * sizeof(*sessions));
    double average = 0, best = 0;
    uint32_t with[WORDS_QUERY_MAX] = {0};
    for (uint32_t k = 0; k < s->count; k++) {
        struct session *in = &sessions[s->session[k]];
        const struct rank_record *r = &s->records[k];
        double one = !s->author || s->traits[k] & TRAIT_AUTHOR ? 1 : w->others;
        in->length += (double)moments[r->moment].records[r->index].text.size;
        for (uint64_t rest = r->terms; rest; rest &= rest - 1) {
            int i = __builtin_ctzll(rest);
            with[i] += in->count[i] <= 0;
            in->count[i] += one;
        }
    }
    for (uint32_t g = 0; g < count; g++)
        average += sessions[g].length / count;
    for (uint32_t g = 0; g < count; g++) {
        double norm = 1.2 * (0.25 + 0.75 * sessions[g].length / (average > 0 ? average : 1));
        for (uint32_t i = 0; i < q->words.count; i++) {
            double idf = log(1 + (count - with[i] + 0.5) / (with[i] + 0.5));
            sessions[g].score += idf * sessions[g].count[i] * 2.2 / (sessions[g].count[i] + norm);
        }
        if (sessions[g].score > best)
            best = sessions[g].score;
    }
    for (uint32_t k = 0; k < s->count && best > 0; k++)
        if (s->records[k].total > 0)
            s->records[k].total +=
                (float)(w->session * s->best * sessions[s->session[k]].score / best);
    return 0;
}

int rank_records(const struct rank_query *q, const struct rank_moment *moments,
                 uint32_t moment_count, const struct rank_weights *weights, struct arena *arena,
                 struct rank_record **ret, uint32_t *ret_count)
{
    struct scored s = {0};
    int r = alloc_scored(&s, moments, moment_count, arena);
    if (r)
        return r;
    score_own(q, moments, moment_count, weights, &s);
    lend_neighbours(&s, moments, weights);
    for (uint32_t k = 0; k < s.count; k++)
        if (s.traits[k] & TRAIT_AUTHOR)
            s.records[k].total *= (float)(1 + weights->author);
    r = score_sessions(q, &s, moments, weights, arena);
    if (r)
        return r;
    for (uint32_t k = 0; k < s.count; k++) {
        struct rank_record *out = &s.records[k];
        int64_t time = time_of(moments, out);
        if (out->total <= 0)
            continue;
        double more =
            weights->latent * s.best * moments[out->moment].latent + rank_date(q, time, weights);
        double factor = s.traits[k] & TRAIT_QUESTION ? 1 - weights->question : 1;
        out->total = (float)((out->total + more) * factor);
    }
    *ret = s.records;
    *ret_count = s.count;
    return 0;
}
