/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path: the template's sum of features is in the cache, some ten words of header and values
 * are added to a copy, and the copy is scaled to unit length. Failure modes: without memory for the
 * cache the sum is computed each time. Sizes: 48 KiB for the words; 1.1 KiB for each cached
 * template, at most BASES_MAX.
 *
 * Word weights change only when an epoch begins, so what is cached is a function of the template's
 * words and the epoch, and a state that was saved and loaded gives the same latents without its
 * cache.
 */
#include "model/text_latent.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "model/encoder.h"
#include "model/kernels.h"
#include "model/wordlist.h"

#define WORD_BYTES_MAX 40
#define BASES_FIRST 16
#define BASES_MAX 128
#define EPOCH_FIRST 16
#define EPOCH_MAX 8192 /* lines between two fresh sets of weights */
#define COUNT_MAX 60000
#define WEIGHT_UNIT 16.0f
#define WEIGHT_START 4.0f /* bits, for every word alike until the first epoch ends */
/*
 * Chosen for the recall of talk by the latent alone (five conversations of 2,760 turns, 997
 * questions, recall at 5): n-grams at 0.5, 0.8, 1.2, 1.6 times the word give 0.337, 0.352, 0.369,
 * 0.369; hashing the word's stem 0.391. Function words at 0.05 to 0.25 make no difference.
 */
#define GRAMS 1.2f         /* length of a word's n-grams together, against the word's own */
#define HEADER 0.35f       /* host and component say less than the message */
#define VALUES 0.3f        /* and what varies less than what stays */
#define NUMBER_WEIGHT 4.0f /* bits; numbers are not counted, most come once */
#define STOP 0.1f          /* of function words, which no stream may have counted yet */
#define EXTRAS_MAX 32      /* words of header and values that are looked at */

struct word {
    uint32_t size;
    bool number; /* has digits: hashed whole, without n-grams */
    uint64_t hash;
    char text[WORD_BYTES_MAX + 2]; /* lower case, with ^ before and $ behind */
};

static bool is_letter(unsigned char c)
{
    return (unsigned)((c | 0x20) - 'a') < 26 || c >= 0x80;
}

static bool is_digit(unsigned char c)
{
    return c >= '0' && c <= '9';
}

static bool is_upper(unsigned char c)
{
    return c >= 'A' && c <= 'Z';
}

static uint64_t mix(uint64_t h)
{
    h ^= h >> 32;
    h *= 0xd6e8feb86659fd93u;
    h ^= h >> 29;
    return h;
}

/* Without the ending of a plural or of a form of a verb: enough for words of one stem to meet. */
static size_t stem_size(const char *s, size_t n)
{
    static const struct {
        const char *text;
        size_t size;
    } endings[] = {{"ings", 4}, {"ing", 3}, {"ies", 3}, {"ed", 2}, {"es", 2},
                   {"ly", 2},   {"s", 1},   {"e", 1},   {"y", 1}};
    for (size_t i = 0; i < sizeof endings / sizeof *endings && n > 3; i++) {
        size_t size = endings[i].size;
        if (s[n - 1] == endings[i].text[size - 1] && n >= size + 3 &&
            !memcmp(s + n - size, endings[i].text, size))
            return n - size;
    }
    return n;
}

static bool is_joint(char c)
{
    return c == '.' || c == '_' || c == '-';
}

/*
 * The next word of s from *at on. What holds a digit is one word with its dots and hyphens: an
 * address, an id, a date. Otherwise letters, cut where camelCase begins a new one. False at the
 * end.
 */
static bool next_word(const char *s, size_t n, size_t *at, struct word *ret)
{
    size_t i = *at;
    while (i < n && !is_letter((unsigned char)s[i]) && !is_digit((unsigned char)s[i]))
        i++;
    if (i == n)
        return false;
    size_t end = i;
    ret->number = false;
    for (; end < n; end++) {
        if (is_digit((unsigned char)s[end]))
            ret->number = true;
        else if (!is_letter((unsigned char)s[end]) &&
                 !(is_joint(s[end]) && end + 1 < n &&
                   (is_letter((unsigned char)s[end + 1]) || is_digit((unsigned char)s[end + 1]))))
            break;
    }
    if (!ret->number) {
        size_t k = i + 1;
        while (k < end && is_letter((unsigned char)s[k]) &&
               !(is_upper((unsigned char)s[k]) && !is_upper((unsigned char)s[k - 1])))
            k++;
        end = k;
    }
    *at = end;
    size_t size = end - i;
    if (size > WORD_BYTES_MAX)
        size = WORD_BYTES_MAX;
    ret->text[0] = '^';
    for (size_t k = 0; k < size; k++) {
        char c = s[i + k];
        ret->text[k + 1] = is_upper((unsigned char)c) ? (char)(c | 0x20) : c;
    }
    ret->text[size + 1] = '$';
    ret->size = (uint32_t)size;
    uint64_t h = 0xcbf29ce484222325u;
    size_t stem = ret->number ? size : stem_size(ret->text + 1, size);
    for (size_t k = 0; k < stem; k++)
        h = (h ^ (unsigned char)ret->text[k + 1]) * 0x100000001b3u;
    ret->hash = mix(h);
    return true;
}

static void add_feature(float *sum, uint64_t h, float weight)
{
    sum[h & (LATENT_DIM - 1)] += h & 0x100 ? weight : -weight;
}

/* A word lies in two places, so that a clash with another word is half a clash. */
static void add_word(float *sum, const struct word *w, float weight)
{
    add_feature(sum, w->hash, weight * 0.7071f);
    add_feature(sum, w->hash >> 16, weight * 0.7071f);
}

/* All runs of 3 to 5 bytes of ^word$. */
static void add_grams(float *sum, const struct word *w, float weight)
{
    uint32_t n = w->size + 2;
    if (n < 4)
        return;
    uint32_t count = 0;
    for (uint32_t k = 3; k <= 5 && k <= n; k++)
        count += n - k + 1;
    float each = weight * GRAMS / sqrtf((float)count);
    for (uint32_t i = 0; i + 3 <= n; i++) {
        uint64_t h = 0x84222325cbf29ce4u;
        for (uint32_t k = 0; k < 5 && i + k < n; k++) {
            h = (h ^ (unsigned char)w->text[i + k]) * 0x100000001b3u;
            if (k >= 2)
                add_feature(sum, mix(h), each);
        }
    }
}

/* Words that a question or a sentence is held together by; the streams' own counts do the rest. */
static bool is_function_word(const struct word *w)
{
    static const char *const words[] = {
        "a",     "an",   "the",  "and",   "or",    "but",   "if",    "of",     "to",    "in",
        "on",    "at",   "by",   "for",   "from",  "with",  "as",    "is",     "are",   "was",
        "were",  "be",   "been", "am",    "do",    "does",  "did",   "has",    "have",  "had",
        "not",   "no",   "it",   "its",   "this",  "that",  "these", "those",  "i",     "you",
        "he",    "she",  "we",   "they",  "me",    "my",    "your",  "his",    "her",   "our",
        "their", "what", "when", "where", "who",   "which", "why",   "how",    "there", "then",
        "than",  "so",   "can",  "could", "would", "will",  "shall", "should", "about", "into",
        "any",   "some", NULL,
    };
    return w->size <= 6 && wordlist_has(words, w->text + 1, w->size);
}

static uint32_t bucket(const struct word *w)
{
    return (uint32_t)(w->hash >> 40) & (LATENT_WORDS - 1);
}

static float weight_of(const struct text_latent *l, const struct word *w)
{
    return w->number ? NUMBER_WEIGHT : l->weight[bucket(w)] / WEIGHT_UNIT;
}

int text_latent_init(struct text_latent *l)
{
    *l = (struct text_latent){
        .next_epoch = EPOCH_FIRST, .epoch = 1, .unseen = (uint8_t)(WEIGHT_START * WEIGHT_UNIT)};
    l->count = mem_calloc(LATENT_WORDS, sizeof *l->count);
    l->weight = mem_alloc(LATENT_WORDS);
    l->bases = mem_calloc(BASES_FIRST, sizeof *l->bases);
    l->bases_size = BASES_FIRST;
    if (!l->count || !l->weight || !l->bases) {
        text_latent_deinit(l);
        return ERR_NOMEM;
    }
    memset(l->weight, l->unseen, LATENT_WORDS);
    return 0;
}

void text_latent_deinit(struct text_latent *l)
{
    mem_free(l->count);
    mem_free(l->weight);
    mem_free(l->bases);
    *l = (struct text_latent){0};
}

double text_latent_word_bits(const struct text_latent *l, const char *text, size_t n)
{
    struct word w;
    double bits = 0;
    uint32_t count = 0;
    for (size_t at = 0; next_word(text, n, &at, &w);) {
        if (w.number)
            continue;
        bits += log2(((double)l->lines + 2) / (l->count[bucket(&w)] + 1.0));
        count++;
    }
    /* A word that comes several times in a line is counted more often than there are lines. */
    return count ? fmax(bits / count, 0) : 0;
}

static uint8_t weight_for(const struct text_latent *l, uint16_t count)
{
    float bits = log2f(((float)l->lines + 1) / ((float)count + 0.5f));
    bits = fminf(fmaxf(bits, 0.5f), 10.0f);
    return (uint8_t)(bits * WEIGHT_UNIT + 0.5f);
}

static void begin_epoch(struct text_latent *l)
{
    l->unseen = weight_for(l, 0);
    for (uint32_t i = 0; i < LATENT_WORDS; i++)
        l->weight[i] = l->count[i] ? weight_for(l, l->count[i]) : l->unseen;
    l->epoch++;
    l->next_epoch = l->seen < EPOCH_MAX / 4 ? l->seen * 4 : l->seen + EPOCH_MAX;
}

static void count_word(struct text_latent *l, uint32_t b)
{
    if (++l->count[b] < COUNT_MAX)
        return;
    for (uint32_t i = 0; i < LATENT_WORDS; i++)
        l->count[i] -= l->count[i] / 2;
    l->lines -= l->lines / 2;
}

static void build_base(const struct text_latent *l, const struct template *t,
                       struct text_latent_base *base)
{
    *base = (struct text_latent_base){.id = t->id, .version = t->version, .epoch = l->epoch};
    struct word w;
    for (size_t at = 0; next_word(t->text, t->text_size, &at, &w);) {
        float weight = weight_of(l, &w);
        if (!w.number && is_function_word(&w))
            weight *= STOP;
        add_word(base->sum, &w, weight);
        if (w.number)
            continue;
        add_grams(base->sum, &w, weight);
        if (base->count < LATENT_BASE_WORDS)
            base->words[base->count++] = (uint16_t)bucket(&w);
    }
}

static struct text_latent_base *base_of(struct text_latent *l, const struct template *t,
                                        uint32_t slot)
{
    if (slot >= l->bases_size && l->bases_size < BASES_MAX) {
        struct text_latent_base *grown = mem_calloc(l->bases_size * 2, sizeof *grown);
        if (grown) {
            memcpy(grown, l->bases, l->bases_size * sizeof *grown);
            mem_free(l->bases);
            l->bases = grown;
            l->bases_size *= 2;
        }
    }
    struct text_latent_base *base = &l->bases[slot & (l->bases_size - 1)];
    if (base->id != t->id || base->version != t->version || base->epoch != l->epoch)
        build_base(l, t, base);
    return base;
}

static void add_extras(struct text_latent *l, const char *text, size_t n, float share, bool numbers,
                       uint32_t *left, float *sum)
{
    struct word w;
    for (size_t at = 0; *left && next_word(text, n, &at, &w); (*left)--) {
        if (w.number && !numbers)
            continue;
        add_word(sum, &w, share * weight_of(l, &w));
        if (!w.number)
            count_word(l, bucket(&w));
    }
}

void text_latent_observe(struct text_latent *l, const struct template *t, uint32_t slot,
                         const struct tokens *tokens, const char *line, float *ret)
{
    if (l->seen == l->next_epoch)
        begin_epoch(l);
    l->seen++;
    l->lines++;
    const struct text_latent_base *base = base_of(l, t, slot);
    memcpy(ret, base->sum, sizeof base->sum);
    for (uint32_t i = 0; i < base->count; i++)
        count_word(l, base->words[i]);
    uint32_t left = EXTRAS_MAX;
    add_extras(l, line, tokens->message, HEADER, false, &left, ret);
    for (uint32_t i = 0; i < tokens->count && left; i++) {
        const struct token *token = &tokens->token[i];
        if (token->kind == TOKEN_VALUE || token->kind == TOKEN_MIXED ||
            (i < t->count_tokens && !t->tokens[i].hash))
            add_extras(l, line + token->at, token->size, VALUES, true, &left, ret);
    }
    kernel_normalise(ret, LATENT_DIM);
}

void encoder_text_query(const char *text, size_t size, float *ret)
{
    struct word w;
    memset(ret, 0, LATENT_DIM * sizeof *ret);
    for (size_t at = 0; next_word(text, size, &at, &w);) {
        float weight = !w.number && is_function_word(&w) ? STOP : 1;
        add_word(ret, &w, weight);
        if (!w.number)
            add_grams(ret, &w, weight);
    }
    kernel_normalise(ret, LATENT_DIM);
}

/* Only buckets that hold something are saved: their distance, count and weight. */
static void save_words(const struct text_latent *l, struct buf *out)
{
    uint32_t last = 0, count = 0;
    for (uint32_t i = 0; i < LATENT_WORDS; i++)
        count += l->count[i] != 0;
    buf_put_varint(out, count);
    for (uint32_t i = 0; i < LATENT_WORDS; i++) {
        if (!l->count[i])
            continue;
        buf_put_varint(out, i - last);
        buf_put_varint(out, l->count[i]);
        buf_put_u8(out, l->weight[i]);
        last = i;
    }
}

static void load_words(struct text_latent *l, struct state *s)
{
    uint32_t count = 0, at = 0;
    state_u32(s, &count, LATENT_WORDS);
    memset(l->weight, l->unseen, LATENT_WORDS);
    for (uint32_t i = 0; i < count && !s->failed; i++) {
        uint32_t gap = 0, lines = 0;
        state_u32(s, &gap, LATENT_WORDS - 1 - at);
        state_u32(s, &lines, COUNT_MAX);
        uint8_t weight = cursor_u8(&s->in);
        s->failed |= s->in.failed;
        if (s->failed)
            break;
        at += gap;
        l->count[at] = (uint16_t)lines;
        l->weight[at] = weight;
    }
}

void text_latent_walk(struct text_latent *l, struct state *s)
{
    uint32_t unseen = l->unseen;
    state_u64(s, &l->lines, UINT64_MAX / 4);
    state_u64(s, &l->seen, UINT64_MAX / 4);
    state_u64(s, &l->next_epoch, UINT64_MAX / 2);
    state_u32(s, &l->epoch, UINT32_MAX);
    state_u32(s, &unseen, UINT8_MAX);
    l->unseen = (uint8_t)unseen;
    if (s->out)
        save_words(l, s->out);
    else
        load_words(l, s);
}
