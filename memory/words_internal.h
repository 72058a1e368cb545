/* SPDX-License-Identifier: Apache-2.0 */
/* Between words.c, words_index.c, df.c and the store. */
#ifndef VARVE_MEMORY_WORDS_INTERNAL_H
#define VARVE_MEMORY_WORDS_INTERNAL_H

#include <sqlite3.h>

#include "memory/words.h"

/* A thread's stemmer and what it has stemmed lately. */
struct word_cache;
struct word_cache *word_cache_new(void);
void word_cache_free(struct word_cache *c);

/* One distinct word of a moment. */
struct word_entry {
    uint64_t hash;
    uint32_t at; /* in `pool` */
    uint16_t size;
    uint16_t row;     /* 1 + k of the last row that holds it */
    uint32_t rows;    /* rows that hold it */
    uint32_t record;  /* 1 + index of the last record that holds it */
    uint32_t records; /* records that hold it */
};

/* One row of the index. */
struct word_row {
    uint32_t k;
    uint32_t at, size; /* in `text` */
};

struct store_words {
    struct buf pool, text;
    struct word_entry *entries;
    uint32_t count, capacity;
    uint32_t *table; /* 1 + index into entries; open addressing */
    uint32_t table_size;
    uint32_t numbers; /* distinct words that are numbers only */
    struct word_row rows[MOMENT_RECORDS + 1];
    uint32_t row_count;
    uint32_t record_count;
    bool failed; /* out of memory */
};

/* The single row of an episode, hour or day. 0 or ERR_NOMEM. */
int words_index_text(struct slice title, struct slice gist, struct store_words *w);

/*
 * Before all of the index is put together: takes out what such merges leave behind, which would make
 * it unreadable in the end. In the caller's transaction.
 */
int words_trim_levels(sqlite3 *db, struct errmsg *err);

int words_df_new(struct words_df **ret);
void words_df_free(struct words_df *df);
/* Adds (or with sign -1 takes away) one word's rows and records. */
void words_df_add(struct words_df *df, uint64_t hash, int64_t rows, int64_t records);
void words_df_add_totals(struct words_df *df, int64_t rows, int64_t records);
/* Reads what words_df_save wrote; a table that is empty or short leaves zeros. */
int words_df_load(struct words_df *df, sqlite3 *db, struct errmsg *err);
/* Writes every chunk that changed since the last save; inside the caller's transaction. */
int words_df_save(struct words_df *df, sqlite3_stmt *put, struct errmsg *err);
/* That transaction was committed. */
void words_df_saved(struct words_df *df);

#endif
