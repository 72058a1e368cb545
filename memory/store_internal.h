/* SPDX-License-Identifier: Apache-2.0 */
/* The writer's parts among themselves: store.c, store_put.c, store_check.c, consolidate*.c. */
#ifndef VARVE_MEMORY_STORE_INTERNAL_H
#define VARVE_MEMORY_STORE_INTERNAL_H

#include "base/arena.h"
#include "memory/schema.h"
#include "memory/sqlite.h"
#include "memory/store.h"
#include "memory/words.h"
#include "memory/words_internal.h"

#define STORE_BUSY_MS 10000 /* waiting for readers, where nothing else is said */

#define MOMENT_FIELDS                                                                              \
    "stratum, stream, t_start, t_end, records, raw_bytes, seq_first, seq_last, bits, bits_max, "   \
    "z, unusual, path, code, confidence, tau, model, flags, ended, created, hash, title, touched"

/* Statements that are kept, prepared when the store opens. */
#define STORE_STATEMENTS(X)                                                                        \
    X(BEGIN, "BEGIN IMMEDIATE")                                                                    \
    X(COMMIT, "COMMIT")                                                                            \
    X(STREAM_INSERT, "INSERT INTO stream(name, kind, source, created) VALUES(?1, ?2, ?3, ?4)")     \
    X(STREAM_UPDATE,                                                                               \
      "UPDATE stream SET source=?2, next_seq=?3, records=?4, bytes=?5, late=?6, gaps=?7, "         \
      "dropped=?8, redacted=?9, first_time=?10, last_time=?11 WHERE id=?1")                        \
    X(STREAM_SPAN, "UPDATE stream SET span_max=?2 WHERE id=?1 AND span_max<?2")                    \
    X(CHANNEL_PUT, "INSERT INTO channel(stream, idx, name) VALUES(?1, ?2, ?3) "                    \
                   "ON CONFLICT DO NOTHING")                                                       \
    X(PENDING_PUT, "INSERT INTO pending(stream, seq_first, seq_last, records, block) "             \
                   "VALUES(?1, ?2, ?3, ?4, ?5)")                                                   \
    X(PENDING_DELETE, "DELETE FROM pending WHERE id=?1")                                           \
    X(MOMENT_INSERT, "INSERT INTO moment(" MOMENT_FIELDS ") VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, "   \
                     "?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, "   \
                     "?23)")                                                                       \
    X(GIST_PUT, "INSERT OR REPLACE INTO gist(moment, text) VALUES(?1, ?2)")                        \
    X(EVIDENCE_PUT, "INSERT INTO evidence(moment, block) VALUES(?1, ?2)")                          \
    X(LATENT_PUT, "INSERT OR REPLACE INTO latent(moment, model, scale, vec) "                      \
                  "VALUES(?1, ?2, ?3, ?4)")                                                        \
    X(UNUSUAL_PUT, "INSERT INTO unusual(moment, n, stream, t_start, t_end, first, last, bits, z, " \
                   "score, why) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)")             \
    X(ENTITY_FIND, "SELECT id FROM entity WHERE name=?1 AND kind=?2")                              \
    X(ENTITY_INSERT, "INSERT INTO entity(kind, name, first, last, count) "                         \
                     "VALUES(?1, ?2, ?3, ?4, 0)")                                                  \
    X(ENTITY_ADD, "UPDATE entity SET first=min(first, ?2), last=max(last, ?3), count=count+?4 "    \
                  "WHERE id=?1")                                                                   \
    X(ENTITY_DAY_PUT,                                                                              \
      "INSERT INTO entity_day VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT DO "          \
      "UPDATE SET moments=moments+excluded.moments, count=count+excluded.count, "                  \
      "unusual=unusual+excluded.unusual, first=min(first, excluded.first), "                       \
      "last=max(last, excluded.last), z=max(z, excluded.z), "                                      \
      "peak=CASE WHEN excluded.z>z THEN excluded.peak ELSE peak END")                              \
    X(ENTITY_SAME_PUT,                                                                             \
      "INSERT INTO entity_same VALUES(?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO UPDATE SET "          \
      "renamed=renamed+excluded.renamed, beside=beside+excluded.beside, "                          \
      "first=min(first, excluded.first), last=max(last, excluded.last)")                           \
    X(ENTITY_MOMENT_PUT, "INSERT INTO entity_moment(entity, moment, count) VALUES(?1, ?2, ?3) "    \
                         "ON CONFLICT DO UPDATE SET count=count+excluded.count")                   \
    X(KIND_FIND, "SELECT id FROM kind WHERE stream=?1 AND text=?2")                                \
    X(KIND_COUNT, "SELECT count(*) FROM kind WHERE stream=?1")                                     \
    X(KIND_INSERT, "INSERT INTO kind(stream, text, first, last, count) "                           \
                   "VALUES(?1, ?2, ?3, ?4, 0)")                                                    \
    X(KIND_RENAME, "UPDATE OR IGNORE kind SET text=?2 WHERE id=?1")                                \
    X(KIND_ADD, "UPDATE kind SET first=min(first, ?2), last=max(last, ?3), count=count+?4 "        \
                "WHERE id=?1")                                                                     \
    X(KIND_SUB, "UPDATE kind SET count=count-?2 WHERE id=?1")                                      \
    X(KIND_DELETE, "DELETE FROM kind WHERE id=?1 AND count<=0")                                    \
    X(STAT_GET, "SELECT data FROM stat WHERE moment=?1 AND stream=?2")                             \
    X(STAT_PUT, "INSERT INTO stat(moment, stream, data) VALUES(?1, ?2, ?3) "                       \
      "ON CONFLICT(moment, stream) DO UPDATE SET data=excluded.data")                              \
    X(FACT_HISTORY, "SELECT id, since, until, last, value FROM fact WHERE stream=?1 AND "          \
                    "subject=?2 ORDER BY since, id")                                               \
    X(FACT_BY_VALUE, "SELECT subject FROM fact WHERE stream=?1 AND value=?2 AND since<=?3 AND "    \
                     "coalesce(until, ?3)>=?3 ORDER BY since DESC LIMIT 16")                       \
    X(FACT_PUT, "INSERT INTO fact(stream, subject, value, since, until, moment, last, seen) "      \
                "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, 1)")                                           \
    X(FACT_SPAN, "UPDATE fact SET since=?2, until=?3 WHERE id=?1")                                 \
    X(FACT_SEEN, "UPDATE fact SET seen=seen+1, last=max(last, ?2) WHERE id=?1")                    \
    X(FACT_COUNT, "SELECT count(DISTINCT subject) FROM fact WHERE stream=?1")                      \
    X(FACT_LEAST, "SELECT subject FROM fact WHERE stream=?1 GROUP BY subject "                     \
                  "HAVING sum(seen)=1 ORDER BY max(last) LIMIT 1")                                 \
    X(FACT_OF_MOMENT, "SELECT id, since, until, subject, stream FROM fact WHERE +stream=?1 AND "   \
                      "moment=?2 LIMIT 1")                                                         \
    X(FACT_ONE, "SELECT id, since, until, subject, stream FROM fact WHERE id=?1")                  \
    X(FACT_DELETE, "DELETE FROM fact WHERE id=?1")                                                 \
    X(FACT_DELETE_SUBJECT, "DELETE FROM fact WHERE stream=?1 AND subject=?2")                      \
    X(WORDS_PUT, "INSERT INTO words(rowid, text) VALUES(?1, ?2)")                                  \
    X(WORDS_DELETE, "INSERT INTO words(words, rowid, text) VALUES('delete', ?1, ?2)")              \
    X(DF_PUT, "INSERT OR REPLACE INTO df(chunk, data) VALUES(?1, ?2)")                             \
    X(STRATUM_ADD, "UPDATE stratum SET moments=moments+?2, span_max=max(span_max, ?3) "            \
                   "WHERE stratum=?1")                                                             \
    X(DIRTY_PUT, "INSERT INTO dirty(stratum, unit, t) VALUES(?1, ?2, ?3) "                         \
                 "ON CONFLICT DO UPDATE SET t=min(t, excluded.t)")                                 \
    X(STATE_PUT, "INSERT INTO state(key, value) VALUES(?1, ?2) "                                   \
                 "ON CONFLICT DO UPDATE SET value=excluded.value")                                 \
    X(STATE_GET, "SELECT value FROM state WHERE key=?1")                                           \
    X(PIN, "UPDATE moment SET pinned=?2 WHERE id=?1")                                              \
    X(FEEDBACK, "UPDATE moment SET uses=uses+1, helped=helped+?2 WHERE id=?1")

enum store_statement {
#define STATEMENT_ENUM(name, sql) SQL_##name,
    STORE_STATEMENTS(STATEMENT_ENUM)
#undef STATEMENT_ENUM
        STORE_STATEMENT_COUNT
};

/* One word's part of what a transaction adds to the counters. */
struct word_delta {
    uint64_t hash;
    int32_t rows, records;
};

/* What a transaction changes outside the file; applied when it is durable. */
struct store_effects {
    struct word_delta *words;
    uint32_t word_count, word_capacity;
    int64_t rows, records;
    uint32_t moments;
    int64_t added[STRATA]; /* moments a stratum */
    int64_t span_max[STRATA];
    bool df_saved;
};

#define DIRTY_KNOWN 8
struct dirty_mark {
    int64_t unit, t;
};

/* An entity whose row is known; `count`, its span and its day are not in the file yet. */
#define ENTITY_SLOTS 512
struct entity_slot {
    uint64_t hash[2]; /* of kind and name */
    int64_t id;       /* 0: empty */
    int64_t first, last, count;
    struct {
        int64_t day, moments, count, unusual, first, last;
        int64_t moment; /* the last one counted */
        int64_t peak;   /* the most surprising one with an alert; 0: none */
        double z;       /* of that one */
    } today;
};

/* The row that an encoder's kind of lines is known by. */
#define KIND_SLOTS 1024
struct kind_slot {
    int64_t stream, kind; /* kind 0: empty */
    uint64_t hash;        /* of the text */
    uint32_t model;
};

struct consolidation; /* consolidate.c */
struct erasure;       /* erase.c */
struct keeper;        /* keep.c */

struct store {
    sqlite3 *db;
    const struct clock *clock;
    char *path;
    int lock_fd;
    bool in_transaction;
    sqlite3_stmt *statements[STORE_STATEMENT_COUNT];
    struct words_df *df;
    struct store_effects effects;
    uint32_t moments_since_df; /* since the word counters were saved */
    uint64_t moments_indexed;  /* that the counters cover, roughly */
    int64_t span_max[STRATA];
    /* Units of stratum 1 that this writer knows to be marked in the file, so as not to mark again.
     */
    struct dirty_mark known[DIRTY_KNOWN];
    uint32_t known_next;
    struct entity_slot entities[ENTITY_SLOTS];
    bool hurried;         /* room is short: what is to be summed up does not rest */
    int64_t entity_rows;  /* of the table; -1: to be counted */
    int64_t entity_tried; /* how many there were after names were last let go */
    uint32_t entity_days; /* rows put since the table was last trimmed */
    struct kind_slot kinds[KIND_SLOTS];
    struct arena sums_arena;
    struct buf sums_blob;
    struct consolidation *consolidation;
    bool refine; /* episodes' boundaries */
    struct erasure *erasure;
    struct keeper *keeper;
    bool scrubbing;         /* no checkpoint now: what the WAL holds is cleared last */
    struct buf scrub_pages; /* uint32_t: of a WAL that had to go into the file meanwhile (keep.c) */
};

static inline sqlite3_stmt *store_stmt(struct store *s, enum store_statement which)
{
    return s->statements[which];
}

/* Bounded checks of a file that is about to be written to (store_check.c). ERR_CORRUPT names the
 * damage. */
int store_check_file(const char *path, struct errmsg *err);
int store_check_tables(sqlite3 *db, struct errmsg *err);

/* One span of any stratum as the moment table has it. */
struct moment_row {
    int stratum;
    int64_t stream; /* 0: NULL */
    int64_t t_start, t_end;
    int64_t records, raw_bytes;
    int64_t seq_first, seq_last; /* 0: NULL */
    double bits, bits_max, z;
    int64_t unusual;
    int path;
    uint32_t code;
    double confidence, tau;
    uint32_t model, flags;
    int ended;
    unsigned char hash[16];
    struct slice title;
};

int store_insert_moment(struct store *s, const struct moment_row *row, int64_t *ret_id,
                        struct errmsg *err);
/* Quantises; an all-zero or not finite one is left out. */
int store_put_latent(struct store *s, int64_t id, uint32_t model, const float *latent,
                     struct errmsg *err);
/* Writes the rows of the index, and notes the counters' changes. */
int store_put_words(struct store *s, int64_t id, const struct store_words *words,
                    struct errmsg *err);
/* Takes the rows of a span out; `words` as they were put in. */
int store_delete_words(struct store *s, int64_t id, const struct store_words *words,
                       struct errmsg *err);
/* Marks what a new moment that starts at `t` changes (consolidate.c). */
int store_mark_dirty(struct store *s, int64_t t, struct errmsg *err);
void store_count_span(struct store *s, int stratum, int64_t added, int64_t span);

/* Counts what a moment names, and which names it says are one (store_entities.c). */
int store_entities_put(struct store *s, int64_t moment, const struct moment *m, struct errmsg *err);
/* What of a moment's share of an entity's day goes; store_entities_write comes first. */
struct entity_share {
    int64_t entity, count, moment, t_start;
    bool all;     /* the moment names it no more */
    bool unusual; /* it has an alert */
};
int store_entity_day_take_back(struct store *s, const struct entity_share *share,
                               struct errmsg *err);
/* An entity's days from the one of `from` to that of `until` (µs); entity 0: of all. */
int store_entity_days_drop(struct store *s, int64_t entity, int64_t from, int64_t until,
                           struct errmsg *err);
/* Takes back what a moment may have said of names that are one, before its links go. */
int store_entity_same_take_back(struct store *s, int64_t moment, struct errmsg *err);
/* Drops what tables hold of an entity whose own row goes. */
int store_entity_drop(struct store *s, int64_t entity, struct errmsg *err);
/* Drops whole entities, with their links and days. */
int store_entities_drop(struct store *s, const int64_t *ids, uint32_t count, struct errmsg *err);
/* Kinds or channels of each of so many streams that have a profile in a span (sums_put). */
uint32_t store_profiles_most(const struct store *s, uint32_t streams);
/* Most links of a remainder of that stratum (below 0) to entities: what the budget has room for. */
int64_t store_links_most(const struct store *s, int stratum);
/* Before a commit: writes what is counted. After a rollback: forgets it, ids too. */
int store_entities_write(struct store *s, struct errmsg *err);
void store_entities_forget(struct store *s);

/* The moment's tallies as its row of stat (store_stat.c). */
int store_put_tallies(struct store *s, int64_t id, int64_t stream, const struct moment *m,
                      struct errmsg *err);
/* Before it is forgotten: takes its lines out of the counts of kinds; a kind that nothing is left
 * of goes. */
int store_take_back_tallies(struct store *s, int64_t id, int64_t stream, struct errmsg *err);
int store_put_stat(struct store *s, int64_t id, int64_t stream, struct slice blob,
                   struct errmsg *err);
/* What the moment's records state (store_facts.c). */
int store_put_facts(struct store *s, int64_t id, int64_t stream, const struct moment *m,
                    struct errmsg *err);
/* Before it is forgotten: takes out what it was the first to state. */
int store_take_back_facts(struct store *s, int64_t id, int64_t stream, struct errmsg *err);
int store_take_back_fact(struct store *s, int64_t id, struct errmsg *err);
/* After a rollback, and when rows of kind were deleted. */
void store_kinds_forget(struct store *s);
/* Takes lines out of the count of a kind; one of which nothing is left goes. */
int store_take_back_kind(struct store *s, int64_t kind, uint64_t count, struct errmsg *err);

void consolidation_free(struct consolidation *c);
void erasure_free(struct erasure *e);

#endif
