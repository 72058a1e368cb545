/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ASCII runs are split and folded by a table; only runs with higher bytes go through utf8proc. A
 * word of letters is looked up in a direct-mapped cache of stems before the stemmer is asked: logs
 * repeat themselves. Times of day inside lines are no words: they would be the most frequent ones,
 * and time is searched by the filters.
 */
#include "memory/words.h"

#include <libstemmer.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>
#include <xxhash.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "memory/thread.h"
#include "memory/words_internal.h"

#define CACHE_SLOTS 4096
#define CACHE_WORD 23
#define RUN_MAX 256    /* bytes of a run that are looked at as one token */
#define PARTS_MAX 8    /* parts of a joined token that are indexed */
#define WIDE_BYTES 512 /* of a run with higher bytes, normalised at once */
#define WIDE_POINTS 2048

struct cached_word {
    char raw[CACHE_WORD], raw_size;
    char stem[CACHE_WORD], stem_size; /* stem_size 0: a stop word */
    uint64_t hash;                    /* of the stem */
};

struct word_cache {
    struct sb_stemmer *stemmer;
    struct cached_word slots[CACHE_SLOTS];
    utf8proc_int32_t points[WIDE_POINTS + 1]; /* reencoding writes one behind the end */
};

enum class { SEPARATOR, LETTER, DIGIT, JOINER, HIGH };

__extension__ static const unsigned char classes[256] = {
    ['0' ... '9'] = DIGIT, ['A' ... 'Z'] = LETTER, ['a' ... 'z'] = LETTER, ['.'] = JOINER,
    ['_'] = JOINER,        ['-'] = JOINER,         [0x80 ... 0xff] = HIGH,
};

/* Sorted. "not" and "no" stay words: a log line turns on them. */
static const char *const stop_words[] = {
    "about",  "after", "all",   "also",   "am",    "an",   "and",   "any",    "are",   "as",
    "at",     "be",    "been",  "being",  "but",   "by",   "can",   "could",  "did",   "do",
    "does",   "doing", "for",   "from",   "had",   "has",  "have",  "having", "he",    "her",
    "here",   "hers",  "him",   "his",    "how",   "if",   "in",    "into",   "is",    "it",
    "its",    "just",  "let",   "ll",     "me",    "my",   "of",    "on",     "or",    "our",
    "ours",   "re",    "she",   "should", "so",    "some", "than",  "that",   "the",   "their",
    "theirs", "them",  "then",  "there",  "these", "they", "this",  "those",  "to",    "too",
    "us",     "ve",    "very",  "was",    "we",    "were", "what",  "when",   "where", "which",
    "who",    "whom",  "whose", "why",    "will",  "with", "would", "you",    "your",  "yours",
};

struct split {
    struct word_cache *cache;
    void (*each)(void *arg, const struct word *word);
    void *arg;
    uint32_t left; /* of WORDS_TEXT_MAX */
    bool negated;
};

struct word_cache *word_cache_new(void)
{
    struct word_cache *c = mem_calloc(1, sizeof(*c));
    if (!c)
        return NULL;
    c->stemmer = sb_stemmer_new("porter", NULL);
    if (!c->stemmer) {
        mem_free(c);
        return NULL;
    }
    return c;
}

void word_cache_free(struct word_cache *c)
{
    if (!c)
        return;
    sb_stemmer_delete(c->stemmer);
    mem_free(c);
}

void words_thread_deinit(void)
{
    thread_state_free();
}

static void emit(struct split *s, const char *text, size_t size, uint64_t hash)
{
    if (s->left == 0)
        return;
    s->left--;
    struct word word = {text, (uint16_t)size, s->negated, hash};
    s->each(s->arg, &word);
}

static void emit_plain(struct split *s, const char *text, size_t size)
{
    if (size > WORD_MAX)
        size = utf8_cut(text, size, WORD_MAX);
    emit(s, text, size, XXH3_64bits(text, size));
}

static int compare_stop(const void *a, const void *b)
{
    return strcmp(a, *(const char *const *)b);
}

/* Fills the slot; an empty stem marks a stop word. */
static void stem(struct word_cache *c, struct cached_word *slot, const char *raw, size_t size)
{
    char text[CACHE_WORD + 1];
    memcpy(text, raw, size);
    text[size] = '\0';
    memcpy(slot->raw, raw, size);
    slot->raw_size = (char)size;
    slot->stem_size = 0;
    if (bsearch(text, stop_words, sizeof(stop_words) / sizeof(*stop_words), sizeof(*stop_words),
                compare_stop))
        return;
    const sb_symbol *out = sb_stemmer_stem(c->stemmer, (const sb_symbol *)raw, (int)size);
    size_t n = out ? (size_t)sb_stemmer_length(c->stemmer) : 0;
    if (n == 0 || n > CACHE_WORD) { /* no stem, or no memory for it: the word stands for itself */
        out = (const sb_symbol *)raw;
        n = size;
    }
    memcpy(slot->stem, out, n);
    slot->stem_size = (char)n;
    slot->hash = XXH3_64bits(slot->stem, n);
}

/* A word of ASCII letters, folded. */
static void emit_letters(struct split *s, const char *text, size_t size)
{
    if (size < 2)
        return;
    if (size > CACHE_WORD) {
        emit_plain(s, text, size);
        return;
    }
    struct word_cache *c = s->cache;
    struct cached_word *slot = &c->slots[XXH3_64bits(text, size) % CACHE_SLOTS];
    if ((size_t)slot->raw_size != size || memcmp(slot->raw, text, size) != 0)
        stem(c, slot, text, size);
    if (slot->stem_size)
        emit(s, slot->stem, (size_t)slot->stem_size, slot->hash);
}

static bool digit_at(const char *text, size_t n, size_t i)
{
    return i < n && classes[(unsigned char)text[i]] == DIGIT;
}

/* Does a number whose first two digits are text[at..at+2) belong to a time of day, hh:mm:ss? */
static bool is_clock(const char *text, size_t n, size_t at)
{
    if (digit_at(text, n, at + 2))
        return false;
    if (at + 2 < n && text[at + 2] == ':' && digit_at(text, n, at + 3) && digit_at(text, n, at + 4))
        return true;
    if (at < 3 || text[at - 1] != ':' || !digit_at(text, n, at - 2) || !digit_at(text, n, at - 3))
        return false;
    unsigned char before = at >= 4 ? classes[(unsigned char)text[at - 4]] : SEPARATOR;
    return before == SEPARATOR || before == LETTER; /* 12:…, T12:…, but not 10.0.0.12:22 */
}

static void emit_part(struct split *s, const char *text, size_t size, bool letters, bool digits)
{
    if (letters && !digits)
        emit_letters(s, text, size);
    else
        emit_plain(s, text, size);
}

/* The parts between joiners of folded[0..size). */
static void emit_parts(struct split *s, const char *folded, size_t size)
{
    size_t start = 0;
    bool letters = false, digits = false;
    int parts = 0;
    for (size_t i = 0; i <= size && parts < PARTS_MAX; i++) {
        unsigned char class = i < size ? classes[(unsigned char)folded[i]] : (unsigned char)JOINER;
        letters |= class == LETTER;
        digits |= class == DIGIT;
        if (class != JOINER)
            continue;
        if (i > start)
            emit_part(s, folded + start, i - start, letters, digits);
        start = i + 1;
        letters = digits = false;
        parts++;
    }
}

/* "2026-11-23t12" of an RFC 3339 time: the hour belongs to what follows. */
static bool is_date_and_hour(const char *folded, size_t size)
{
    return size == 13 && folded[4] == '-' && folded[7] == '-' && folded[10] == 't';
}

/* text[at..end): ASCII letters and digits with single joiners between them. */
static void ascii_run(struct split *s, const char *text, size_t n, size_t at, size_t end)
{
    char folded[RUN_MAX];
    size_t size = end - at < RUN_MAX ? end - at : RUN_MAX;
    int letters = 0, digits = 0, joiners = 0;
    for (size_t i = 0; i < size; i++) {
        unsigned char b = (unsigned char)text[at + i], class = classes[b];
        letters += class == LETTER;
        digits += class == DIGIT;
        joiners += class == JOINER;
        folded[i] = (char)(b >= 'A' && b <= 'Z' ? b + 32 : b);
    }
    s->negated = end + 1 < n && text[end] == '\'' && (text[end + 1] == 't' || text[end + 1] == 'T');
    bool number = letters == 0 || (letters == 1 && folded[size - 1] == 'z'); /* …:07.25Z */
    if (number && size >= 2 && is_clock(text, n, at))
        return;
    if (joiners == 0) {
        emit_part(s, folded, size, letters > 0, digits > 0);
        return;
    }
    if (is_date_and_hour(folded, size)) {
        emit_plain(s, folded, 10);
        return;
    }
    emit_plain(s, folded, size);
    if (letters)
        emit_parts(s, folded, size);
}

static bool is_word_point(utf8proc_int32_t point)
{
    utf8proc_category_t c = utf8proc_category(point);
    return (c >= UTF8PROC_CATEGORY_LU && c <= UTF8PROC_CATEGORY_NO);
}

/* Scripts that set no spaces: pairs of neighbours serve as words. */
static bool is_paired_point(utf8proc_int32_t p)
{
    return (p >= 0x3040 && p <= 0x30ff) || (p >= 0x3400 && p <= 0x4dbf) ||
           (p >= 0x4e00 && p <= 0x9fff) || (p >= 0xf900 && p <= 0xfaff) ||
           (p >= 0x20000 && p <= 0x3ffff);
}

static void emit_points(struct split *s, const utf8proc_int32_t *points, size_t count)
{
    char text[WORD_MAX + 4];
    size_t size = 0;
    bool ascii_letters = true, other = false;
    for (size_t i = 0; i < count && size < WORD_MAX; i++) {
        ascii_letters &= points[i] >= 'a' && points[i] <= 'z';
        other |= points[i] > 0x7f;
        utf8proc_ssize_t n = utf8proc_encode_char(points[i], (utf8proc_uint8_t *)text + size);
        if (size + (size_t)n > WORD_MAX)
            break;
        size += (size_t)n;
    }
    if (ascii_letters && !other)
        emit_letters(s, text, size);
    else if (size)
        emit_plain(s, text, size);
}

static void emit_pairs(struct split *s, const utf8proc_int32_t *points, size_t count)
{
    if (count == 1)
        emit_points(s, points, 1);
    for (size_t i = 0; i + 1 < count; i++)
        emit_points(s, points + i, 2);
}

/* Valid UTF-8, at most WIDE_BYTES. */
static void wide_run(struct split *s, const char *text, size_t size)
{
    const utf8proc_option_t options =
        UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT | UTF8PROC_CASEFOLD | UTF8PROC_IGNORE;
    utf8proc_int32_t *points = s->cache->points;
    utf8proc_ssize_t n = utf8proc_decompose((const utf8proc_uint8_t *)text, (utf8proc_ssize_t)size,
                                            points, WIDE_POINTS, options);
    if (n <= 0 || n > WIDE_POINTS)
        return;
    n = utf8proc_normalize_utf32(points, n, options);
    for (utf8proc_ssize_t i = 0, start; i < n;) {
        start = i;
        if (!is_word_point(points[i])) {
            i++;
            continue;
        }
        bool paired = is_paired_point(points[i]);
        while (i < n && is_word_point(points[i]) && is_paired_point(points[i]) == paired)
            i++;
        (paired ? emit_pairs : emit_points)(s, points + start, (size_t)(i - start));
    }
}

/* The end of the run that starts at `at`; *ret_wide when it has higher bytes. */
static size_t run_end(const char *text, size_t n, size_t at, bool *ret_wide)
{
    size_t i = at;
    bool wide = false;
    while (i < n) {
        unsigned char class = classes[(unsigned char)text[i]];
        if (class == HIGH) {
            size_t width = utf8_sequence(text + i, n - i);
            if (width == 0 || i + width - at > WIDE_BYTES)
                break;
            wide = true;
            i += width;
        } else if (class == LETTER || class == DIGIT) {
            i++;
        } else if (class == JOINER && i + 1 < n && i > at) {
            unsigned char next = classes[(unsigned char)text[i + 1]];
            if (next == SEPARATOR || next == JOINER)
                break;
            i++;
        } else {
            break;
        }
        if (wide && i - at >= WIDE_BYTES)
            break;
    }
    *ret_wide = wide;
    return i;
}

int words_each(struct slice text, void (*each)(void *arg, const struct word *word), void *arg)
{
    struct thread_state *t = thread_state_get();
    if (!t)
        return ERR_NOMEM;
    struct split s = {t->words, each, arg, WORDS_TEXT_MAX, false};
    size_t i = 0;
    while (i < text.size && s.left) {
        unsigned char class = classes[(unsigned char)text.data[i]];
        if (class == SEPARATOR || class == JOINER) {
            i++;
            continue;
        }
        bool wide;
        size_t end = run_end(text.data, text.size, i, &wide);
        if (end == i) { /* a byte that is not UTF-8, or a sequence that did not fit this run */
            i++;
            continue;
        }
        s.negated = false;
        if (wide)
            wide_run(&s, text.data + i, end - i);
        else
            ascii_run(&s, text.data, text.size, i, end);
        i = end;
    }
    return 0;
}

static void query_word(void *arg, const struct word *word)
{
    struct words_query *q = arg;
    for (uint32_t i = 0; i < q->count; i++)
        if (q->words[i].hash == word->hash)
            return;
    if (q->count == WORDS_QUERY_MAX)
        return;
    memcpy(q->words[q->count].text, word->text, word->size);
    q->words[q->count].text[word->size] = '\0';
    q->words[q->count].size = word->size;
    q->words[q->count].negated = word->negated;
    q->words[q->count++].hash = word->hash;
}

int words_query(struct slice text, struct words_query *ret)
{
    ret->count = 0;
    return words_each(text, query_word, ret);
}
