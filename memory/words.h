/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From text to the words that are indexed, the same for records, titles and queries: NFKC and case
 * fold, split, English stop words dropped, ASCII words stemmed (Porter); tokens joined by . _ -
 * whole and in parts; Han and Kana as pairs of characters. docs/format.md has the rules.
 *
 * Thread: any; each thread keeps a stemmer and its caches for itself and frees them when it ends
 * (words_thread_deinit for the main thread). Everything that can grow is bounded, and warm calls
 * allocate nothing.
 */
#ifndef VARVE_MEMORY_WORDS_H
#define VARVE_MEMORY_WORDS_H

#include "base/error.h"
#include "base/record.h"

#define WORDS_VERSION 1        /* of these rules; stored in the file */
#define WORD_MAX 64            /* bytes of a word; longer ones are cut */
#define WORDS_TEXT_MAX 4096    /* words taken from one text */
#define WORDS_MOMENT_MAX 16384 /* distinct words of one moment */
#define WORDS_QUERY_MAX 64
#define WORDS_BUCKETS (1u << 17)

struct word {
    const char *text; /* no NUL behind */
    uint16_t size;
    bool negated;  /* "'t" follows: the "won" of "won't" is not that of "win" */
    uint64_t hash; /* XXH3-64 of text; low 17 bits are its df bucket */
};

/*
 * Calls `each` for every word of `text` in order, repeats included. `word` and what it points to
 * live for the call. Invalid UTF-8 bytes separate. ERR_NOMEM when the thread's caches could not be
 * made.
 */
int words_each(struct slice text, void (*each)(void *arg, const struct word *word), void *arg);

/* The distinct words of a query in order of appearance. */
struct words_query {
    uint32_t count;
    struct {
        char text[WORD_MAX + 1];
        uint16_t size;
        bool negated;
        uint64_t hash;
    } words[WORDS_QUERY_MAX];
};
int words_query(struct slice text, struct words_query *ret);

/* What the writer needs to index one moment. Reusable; one owner at a time. */
struct store_words;
struct store_words *store_words_new(void); /* NULL: out of memory */
void store_words_free(struct store_words *w);

/*
 * Fills `w` for a moment. `channels` are the stream's names by index (sensor streams; else NULL,
 * 0). 0 or ERR_NOMEM.
 */
int words_index(const struct moment *m, const char *stream, const char *const *channels,
                uint32_t channel_count, struct store_words *w);

/* Ends what this thread keeps. */
void words_thread_deinit(void);

/*
 * Document frequencies: hashed counters, so a word's numbers are upper bounds. Written by the
 * writer thread, read by any (relaxed atomics). A struct is 1 MiB: live readers share the store's
 * (store_df), offline ones load the file's.
 */
struct words_df;
/* Rows of the index that hold the word: what looking it up costs. */
uint32_t words_df_rows(const struct words_df *df, uint64_t hash);
/* Records that hold the word. */
uint32_t words_df_records(const struct words_df *df, uint64_t hash);
uint64_t words_df_total_rows(const struct words_df *df);
uint64_t words_df_total_records(const struct words_df *df);

#endif
