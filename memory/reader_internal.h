/* SPDX-License-Identifier: Apache-2.0 */
/* What the files that read share: the reader itself, its statements, moments as rows. */
#ifndef VARVE_MEMORY_READER_INTERNAL_H
#define VARVE_MEMORY_READER_INTERNAL_H

#include "memory/rank.h"
#include "memory/reader.h"
#include "memory/recall.h"
#include "memory/schema.h"
#include "memory/sqlite.h"
#include "memory/words.h"

/* Every statement a reader may run, prepared when it is first used. */
enum reader_sql {
    SQL_STREAMS,
    SQL_STREAM_BY_NAME,
    SQL_STREAM_NAME,
    SQL_CHANNELS,
    SQL_STRATA,
    SQL_STREAM_TOTALS,
    SQL_WORD_ROWS,
    SQL_WORD_ROWS_BACK,
    SQL_SPAN_IDS,
    SQL_STREAM_SPAN_IDS,
    SQL_SPAN_PROBE,
    SQL_STREAM_SPAN_PROBE,
    SQL_MOMENT,
    SQL_GIST,
    SQL_GIST_SIZE,
    SQL_EVIDENCE,
    SQL_LATENT,
    SQL_SPAN,
    SQL_STREAM_SPAN,
    SQL_SPAN_BACK,
    SQL_STREAM_SPAN_BACK,
    SQL_CHILDREN,
    SQL_CHILDREN_SIZE,
    SQL_DETAILS,
    SQL_MOMENT_UNUSUAL,
    SQL_UNUSUAL_BY_SCORE,
    SQL_UNUSUAL_BY_TIME,
    SQL_MOMENT_ENTITIES,
    SQL_ENTITIES,
    SQL_ENTITY,
    SQL_ENTITY_OF_KIND,
    SQL_ENTITY_MOMENTS,
    SQL_ENTITY_MOMENT_COUNT,
    SQL_ENTITY_BY_ID,
    SQL_ENTITY_SAME,
    SQL_ENTITY_RIVALS,
    SQL_ENTITY_DAYS_AFTER,
    SQL_ENTITY_DAYS,
    SQL_ENTITY_WITH,
    SQL_TITLE_NOW_OR_PAST,
    SQL_SPAN_SUMS,
    SQL_STREAM_SPAN_SUMS,
    SQL_STAT,
    SQL_SPAN_LEFT,
    SQL_COVER_ROOTS,
    SQL_COVER_CHILDREN,
    SQL_MARKED_HOURS,
    SQL_KIND,
    SQL_KINDS,
    SQL_CHANNEL,
    SQL_CHANNEL_LIST,
    SQL_FACTS_AT,
    SQL_FACTS_ABOUT,
    SQL_FACT_CHANGES,
    SQL_COUNT
};

struct known_stream {
    int64_t id;
    char *name;
    enum stream_kind kind;
};

struct reader {
    sqlite3 *db;
    const struct clock *clock;
    const struct sketch_index *sketches;
    const struct words_df *df;
    struct words_df *own_df; /* when nobody lent us one */
    const struct rank_weights *weights;
    sqlite3_stmt *statements[SQL_COUNT];
    struct known_stream *streams; /* names and kinds never change */
    uint32_t stream_count, stream_capacity;
    struct arena scratch; /* reset by every question */
};

/* The statement, reset and without bindings; NULL with *ret_rc and err set. */
int reader_statement(struct reader *r, enum reader_sql which, sqlite3_stmt **ret,
                     struct errmsg *err);

/* One snapshot around a question; reader_end passes rc on. Resets the scratch arena. */
int reader_begin(struct reader *r, struct errmsg *err);
int reader_end(struct reader *r, int rc);

/* NULL for an id that is no stream (0: above stratum 0) or when memory is out. */
const struct known_stream *reader_known_stream(struct reader *r, int64_t id);

/* A filter with names resolved. */
struct reader_filter {
    int64_t since, until; /* INT64_MIN and INT64_MAX when open */
    int64_t *streams;
    uint32_t stream_count;
};

/* In the scratch arena. ERR_INVALID names an unknown stream or a span that ends before it starts.
 */
int reader_filter_resolve(struct reader *r, const struct recall_filter *filter,
                          struct reader_filter *ret, struct errmsg *err);

struct moment_row {
    int64_t id, stream, parent; /* stream, parent 0: none */
    int stratum;
    int64_t start, end;
    uint64_t records, raw_bytes;
    uint64_t seq_first, seq_last;
    const char *title; /* in the arena that was passed */
};

/* 0, SQL_DONE when there is no such id, or an error. */
int reader_moment(struct reader *r, int64_t id, struct arena *arena, struct moment_row *ret,
                  struct errmsg *err);
/* Columns of SQL_MOMENT, SQL_SPAN… in order, of the row the statement stands on. */
int reader_moment_columns(sqlite3_stmt *stmt, struct arena *arena, struct moment_row *ret);
/* Does it overlap the filter? A moment of a stream outside it, or of a higher stratum when streams
 * are named, does not. */
bool reader_moment_passes(const struct moment_row *m, const struct reader_filter *f);

/* Text of a column in the arena; NULL when memory is out, "" for NULL. */
const char *reader_column_text(sqlite3_stmt *stmt, int column, struct arena *arena);
/* The gist in the arena, "" when there is none. */
int reader_gist(struct reader *r, int64_t id, struct arena *arena, const char **ret,
                struct errmsg *err);
/* The records, in the arena. SQL_DONE when the evidence is gone. */
int reader_evidence(struct reader *r, int64_t id, struct arena *arena, struct record **ret,
                    uint32_t *ret_count, struct errmsg *err);
/* latent[LATENT_DIM]; SQL_DONE when it is all zero. */
/*
 * What the body of a moment of sound or pictures says, and how much there is. Records may be none:
 * nothing then.
 */
void reader_media_body(struct buf *out, enum stream_kind kind, const struct record *records,
                       uint32_t count, struct recall_media *ret);
/* About how many bytes that is. */
uint64_t reader_media_body_size(enum stream_kind kind, uint64_t records);
int reader_latent(struct reader *r, int64_t id, float *ret, struct errmsg *err);

/* Fills everything of an item but score, refs, gist and share. */
int reader_item(struct reader *r, const struct moment_row *m, struct arena *arena,
                struct recall_item *ret, struct errmsg *err);

/* Columns of SQL_UNUSUAL… and SQL_…ENTIT…, of the row the statement stands on. 0 or ERR_NOMEM. */
int reader_unusual_columns(struct reader *r, sqlite3_stmt *stmt, struct arena *arena,
                           struct recall_unusual *ret);
int reader_entity_columns(sqlite3_stmt *stmt, struct arena *arena, struct recall_entity *ret);

/* All streams, inside the running snapshot. */
int reader_streams_read(struct reader *r, struct arena *arena, struct store_stream **ret,
                        uint32_t *ret_count, struct errmsg *err);

/* What was unusual, inside the running snapshot. */
int reader_surprise(struct reader *r, const struct reader_filter *f, uint32_t limit,
                    struct arena *arena, struct recall_unusual **ret, uint32_t *ret_count,
                    struct errmsg *err);

/* recall_timeline inside the running snapshot. */
int reader_timeline(struct reader *r, const struct recall_timeline_query *q, struct arena *arena,
                    struct recall_items *ret, struct errmsg *err);

/* A caller's limit, or `fallback` for 0; ERR_INVALID over RECALL_LIMIT_MAX. */
int reader_limit(uint32_t limit, uint32_t fallback, uint32_t *ret, struct errmsg *err);

int reader_nomem(struct errmsg *err);

#endif
