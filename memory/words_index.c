/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One table of distinct words a moment. While a row of the index is open, a word that is new to the
 * row goes into the row's text; the table counts rows and records on the way. On the latent path
 * the records open no rows: their words meet in row 0. Sizes: a moment of 256 log lines has 300 to
 * 1,500 distinct words, some 10 KiB.
 */
#include <string.h>

#include "base/mem.h"
#include "memory/words.h"
#include "memory/words_internal.h"

#define NUMBERS_MAX 1024 /* distinct words of digits only in one moment */

struct indexing {
    struct store_words *w;
    uint16_t row;    /* 1 + k of the open row; 0: none */
    uint32_t record; /* 1 + index; 0: not a record's text */
};

struct store_words *store_words_new(void)
{
    return mem_calloc(1, sizeof(struct store_words));
}

void store_words_free(struct store_words *w)
{
    if (!w)
        return;
    buf_deinit(&w->pool);
    buf_deinit(&w->text);
    mem_free(w->entries);
    mem_free(w->table);
    mem_free(w);
}

static void clear(struct store_words *w)
{
    buf_clear(&w->pool);
    buf_clear(&w->text);
    if (w->table)
        memset(w->table, 0, w->table_size * sizeof(*w->table));
    w->count = w->numbers = w->row_count = w->record_count = 0;
    w->failed = false;
}

/* Room for one entry more; the table is kept at most half full. */
static int grow(struct store_words *w)
{
    if (w->count < w->capacity)
        return 0;
    uint32_t capacity = w->capacity ? w->capacity * 2 : 512;
    struct word_entry *entries = mem_realloc(w->entries, capacity * sizeof(*entries));
    if (!entries)
        return ERR_NOMEM;
    w->entries = entries;
    uint32_t *table = mem_calloc((size_t)capacity * 2, sizeof(*table));
    if (!table)
        return ERR_NOMEM;
    mem_free(w->table);
    w->table = table;
    w->capacity = capacity;
    w->table_size = capacity * 2;
    for (uint32_t i = 0; i < w->count; i++) {
        uint32_t slot = (uint32_t)entries[i].hash & (w->table_size - 1);
        while (table[slot])
            slot = (slot + 1) & (w->table_size - 1);
        table[slot] = i + 1;
    }
    return 0;
}

static bool is_number(const struct word *word)
{
    for (uint16_t i = 0; i < word->size; i++)
        if (word->text[i] > '9')
            return false;
    return true;
}

/* NULL when the bounds leave no room for a new one, or memory is out. */
static struct word_entry *entry_of(struct store_words *w, const struct word *word)
{
    uint32_t slot = 0;
    if (w->table_size) {
        slot = (uint32_t)word->hash & (w->table_size - 1);
        for (; w->table[slot]; slot = (slot + 1) & (w->table_size - 1))
            if (w->entries[w->table[slot] - 1].hash == word->hash)
                return &w->entries[w->table[slot] - 1];
    }
    bool number = is_number(word);
    if (w->count == WORDS_MOMENT_MAX || (number && w->numbers == NUMBERS_MAX))
        return NULL;
    if (buf_reserve(&w->pool, word->size)) /* an entry's text is always there: add_rest reads it */
        return NULL;
    if (w->count == w->capacity) {
        if (grow(w)) {
            w->failed = true;
            return NULL;
        }
        slot = (uint32_t)word->hash & (w->table_size - 1);
        while (w->table[slot])
            slot = (slot + 1) & (w->table_size - 1);
    }
    struct word_entry *e = &w->entries[w->count];
    *e = (struct word_entry){.hash = word->hash, .at = (uint32_t)w->pool.size, .size = word->size};
    buf_append(&w->pool, word->text, word->size);
    w->table[slot] = ++w->count;
    w->numbers += number;
    return e;
}

static void add_word(void *arg, const struct word *word)
{
    struct indexing *x = arg;
    struct store_words *w = x->w;
    struct word_entry *e = entry_of(w, word);
    if (!e)
        return;
    if (x->record && e->record != x->record) {
        e->record = x->record;
        e->records++;
    }
    if (x->row && e->row != x->row) {
        e->row = x->row;
        e->rows++;
        buf_append(&w->text, word->text, word->size);
        buf_putc(&w->text, ' ');
    }
}

static void row_open(struct indexing *x, uint32_t k)
{
    x->row = (uint16_t)(k + 1);
    x->w->rows[x->w->row_count] = (struct word_row){.k = k, .at = (uint32_t)x->w->text.size};
}

/* An empty row is kept too: every moment has a row 0. */
static void row_close(struct indexing *x)
{
    struct word_row *row = &x->w->rows[x->w->row_count++];
    row->size = (uint32_t)x->w->text.size - row->at;
    x->row = 0;
}

static int add_text(struct indexing *x, const char *text, size_t size)
{
    return words_each((struct slice){text, size}, add_word, x);
}

static int add_channels(struct indexing *x, const struct moment *m, const char *const *channels,
                        uint32_t channel_count)
{
    bool seen[CHANNELS_MAX] = {false};
    for (uint32_t i = 0; i < m->record_count; i++)
        for (uint32_t k = 0; k < m->records[i].sample_count; k++)
            if (m->records[i].samples[k].channel < CHANNELS_MAX)
                seen[m->records[i].samples[k].channel] = true;
    int r = 0;
    for (uint32_t c = 0; c < channel_count && c < CHANNELS_MAX && r == 0; c++)
        if (seen[c] && channels[c])
            r = add_text(x, channels[c], strlen(channels[c]));
    return r;
}

static int add_records(struct indexing *x, const struct moment *m)
{
    int r = 0;
    for (uint32_t i = 0; i < m->record_count && r == 0; i++) {
        bool own_row = m->path == PATH_DISCRETE && i < MOMENT_RECORDS;
        if (own_row)
            row_open(x, i + 1);
        x->record = i + 1;
        r = add_text(x, m->records[i].text.data, m->records[i].text.size);
        x->record = 0;
        if (own_row)
            row_close(x);
    }
    return r;
}

/* Latent path: what the records added to the table and row 0 does not hold yet. */
static void add_rest(struct indexing *x)
{
    struct store_words *w = x->w;
    for (uint32_t i = 0; i < w->count; i++) {
        struct word_entry *e = &w->entries[i];
        if (e->row == x->row)
            continue;
        e->row = x->row;
        e->rows++;
        buf_append(&w->text, w->pool.data + e->at, e->size);
        buf_putc(&w->text, ' ');
    }
}

static int finish(struct store_words *w, int r)
{
    if (r == 0 && (w->failed || buf_failed(&w->pool) || buf_failed(&w->text)))
        r = ERR_NOMEM;
    return r;
}

int words_index(const struct moment *m, const char *stream, const char *const *channels,
                uint32_t channel_count, struct store_words *w)
{
    clear(w);
    w->record_count = m->record_count;
    struct indexing x = {.w = w};
    int r = m->kind == KIND_TEXT ? add_records(&x, m) : 0;
    row_open(&x, 0);
    if (r == 0)
        r = add_text(&x, stream, strlen(stream));
    if (r == 0)
        r = add_text(&x, m->title, strlen(m->title));
    if (r == 0)
        r = add_text(&x, m->gist.data, m->gist.size);
    for (uint32_t i = 0; i < m->unusual_count && r == 0; i++)
        r = add_text(&x, m->unusual[i].why, strlen(m->unusual[i].why));
    if (r == 0 && m->kind == KIND_SENSOR)
        r = add_channels(&x, m, channels, channel_count);
    if (m->kind == KIND_TEXT && m->path != PATH_DISCRETE)
        add_rest(&x);
    row_close(&x);
    return finish(w, r);
}

int words_index_text(struct slice title, struct slice gist, struct store_words *w)
{
    clear(w);
    struct indexing x = {.w = w};
    row_open(&x, 0);
    int r = add_text(&x, title.data, title.size);
    if (r == 0)
        r = add_text(&x, gist.data, gist.size);
    row_close(&x);
    return finish(w, r);
}
