/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which words did only the forgotten records hold? Models keep texts of their own (templates), and
 * must drop those that hold such a word. While records are erased their words are noted, here in
 * memory only; once they are out of the index it is asked for each, and a word that some row still
 * holds is no secret. Words of digits are left out: templates do not keep them.
 *
 * Sizes: at most WORDS_KEPT words; beyond that the models of the streams begin anew.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "memory/forget_internal.h"

#define WORDS_KEPT 200000u
#define SLICE_US 15000
#define TOLD_MAX 8    /* rows that are looked into for a word */
#define LOOKS_MAX 400 /* moments that are, where the counters say that some record has the word */

static int compare_words(const void *a, const void *b)
{
    const struct forget_word *x = a, *y = b;
    return (x->hash > y->hash) - (x->hash < y->hash);
}

/* Sorted and each once. */
static void tidy(struct forget *f)
{
    struct forget_word *w = (struct forget_word *)(void *)f->words.data;
    size_t n = f->words.size / sizeof(*w), kept = 0;
    if (n > 1)
        qsort(w, n, sizeof(*w), compare_words);
    for (size_t i = 0; i < n; i++)
        if (kept == 0 || w[i].hash != w[kept - 1].hash)
            w[kept++] = w[i];
    f->words.size = kept * sizeof(*w);
}

static void note(void *arg, const struct word *word)
{
    struct forget *f = arg;
    struct forget_word w = {.hash = word->hash, .size = (unsigned char)word->size};
    bool digits = true;
    for (uint16_t i = 0; i < word->size && digits; i++)
        digits = word->text[i] >= '0' && word->text[i] <= '9';
    if (digits || word->size > WORD_MAX)
        return;
    if (f->words.size / sizeof(w) >= WORDS_KEPT) {
        f->too_many_words = true;
        return;
    }
    memcpy(w.text, word->text, word->size);
    buf_append(&f->words, &w, sizeof(w));
}

void forget_note_words(struct forget *f, const struct record *r)
{
    if (f->too_many_words)
        return;
    if (words_each(r->text, note, f) != 0 || buf_failed(&f->words))
        f->too_many_words = true;
}

/* Rows of the index that hold the word, at most `room`. */
static int find_rows(sqlite3_stmt *q, const struct forget_word *w, int64_t *rows, uint32_t room,
                     uint32_t *ret_count, struct errmsg *err)
{
    char match[WORD_MAX + 3];
    match[0] = '"';
    memcpy(match + 1, w->text, w->size);
    match[1 + w->size] = '"';
    sqlite3_bind_text(q, 1, match, w->size + 2, SQLITE_STATIC);
    int r = 0;
    *ret_count = 0;
    while (*ret_count < room && (r = sql_step(q, err)) == 0)
        rows[(*ret_count)++] = sqlite3_column_int64(q, 0);
    sqlite3_reset(q);
    return r == SQL_DONE ? 0 : r;
}

static int stratum_of(struct store *s, int64_t id, int *ret, struct errmsg *err)
{
    sqlite3_stmt *q = erase_stmt(s, ERASE_SPAN_OF);
    sqlite3_bind_int64(q, 1, id);
    int r = sql_step(q, err);
    *ret = r == 0 ? sqlite3_column_int(q, 0) : -1;
    sqlite3_reset(q);
    return r == SQL_DONE ? 0 : r;
}

struct looking {
    uint64_t hash;
    bool found;
};

static void compare_word(void *arg, const struct word *word)
{
    struct looking *l = arg;
    l->found |= word->hash == l->hash;
}

/* *ret: one of the moment's own records holds the word; else it is only told there. */
static int is_recorded(struct store *s, int64_t id, uint64_t hash, bool *ret, struct errmsg *err)
{
    struct erased e;
    struct looking l = {.hash = hash};
    int r = erase_load(s, id, &e, err);
    if (r == 0 && !e.evidence)
        l.found = true;
    for (uint32_t i = 0; i < e.moment.record_count && r == 0 && !l.found; i++)
        r = words_each(e.moment.records[i].text, compare_word, &l);
    *ret = l.found;
    return r;
}

/*
 * A word that few rows hold, all of whole moments, may be told there and recorded nowhere: "was X
 * until now". Then those moments are worded anew. *ret: some record holds it.
 */
static int is_left(struct store *s, struct forget *f, sqlite3_stmt *q, const struct forget_word *w,
                   bool *ret, struct errmsg *err)
{
    static const struct forget_some reword = {.reword = 1};
    int64_t rows[TOLD_MAX + 1];
    uint32_t n;
    int r = find_rows(q, w, rows, TOLD_MAX + 1, &n, err);
    /* The counters are upper bounds, and those of a large file are all full. */
    *ret =
        n > TOLD_MAX || (n > 0 && f->looked >= LOOKS_MAX && words_df_records(s->df, w->hash) > 0);
    for (uint32_t i = 0; i < n && r == 0 && !*ret; i++) {
        int stratum = 0;
        *ret = rows[i] % WORDS_ROWS != 0;
        if (r == 0 && !*ret)
            r = stratum_of(s, rows[i] / WORDS_ROWS, &stratum, err);
        f->looked += stratum == STRATUM_MOMENT;
        if (r == 0 && !*ret && stratum == STRATUM_MOMENT)
            r = is_recorded(s, rows[i] / WORDS_ROWS, w->hash, ret, err);
    }
    for (uint32_t i = 0; i < n && r == 0 && !*ret; i++) {
        int stratum;
        r = stratum_of(s, rows[i] / WORDS_ROWS, &stratum, err);
        if (r == 0 && stratum == STRATUM_MOMENT)
            r = forget_note(s, FORGET_MOMENT, rows[i] / WORDS_ROWS,
                            (struct slice){(const char *)&reword, sizeof(reword)}, err);
    }
    return r;
}

int forget_check_words(struct store *s, struct forget *f, struct errmsg *err)
{
    int64_t start = clock_mono(clock_system());
    sqlite3_stmt *q;
    if (f->next.at == 0)
        tidy(f);
    f->next.words = f->words.size;
    struct forget_word *w = (struct forget_word *)(void *)f->words.data;
    size_t n = f->words.size / sizeof(*w);
    int r = sql_prepare(s->db, "SELECT rowid FROM words WHERE words MATCH ?1", &q, err);
    if (r)
        return r;
    while (r == 0 && (size_t)f->next.at < n && clock_mono(clock_system()) - start < SLICE_US) {
        struct forget_word *one = &w[f->next.at++];
        bool left;
        r = is_left(s, f, q, one, &left, err);
        if (r == 0 && left)
            one->size = 0;
    }
    sqlite3_finalize(q);
    return r ? r : (size_t)f->next.at < n ? STORE_MORE : 0;
}

struct knowing {
    const struct forget *f;
    bool known;
};

static void look_up(void *arg, const struct word *word)
{
    struct knowing *k = arg;
    const struct forget_word key = {.hash = word->hash};
    const struct forget_word *found =
        bsearch(&key, k->f->words.data, k->f->words.size / sizeof(key), sizeof(key), compare_words);
    k->known |= found && found->size > 0;
}

bool forget_knows(const struct forget *f, struct slice text)
{
    struct knowing k = {f, f->too_many_words};
    struct buf folded = {0};
    if (!k.known && f->pattern.size)
        k.known =
            forget_fold(text, &folded) != 0 || memmem(folded.data ? folded.data : "", folded.size,
                                                      f->pattern.data, f->pattern.size) != NULL;
    buf_deinit(&folded);
    if (!k.known && f->words.size && words_each(text, look_up, &k) != 0)
        k.known = true;
    return k.known;
}
