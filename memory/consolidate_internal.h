/* SPDX-License-Identifier: Apache-2.0 */
/* Between consolidate.c (what is due), consolidate_unit.c (episodes), consolidate_above.c (hours to
 * months), consolidate_sums.c (what they counted), consolidate_gist.c (what they say) and
 * consolidate_span.c (rows). */
#ifndef VARVE_MEMORY_CONSOLIDATE_INTERNAL_H
#define VARVE_MEMORY_CONSOLIDATE_INTERNAL_H

#include "memory/store_internal.h"
#include "memory/sums.h"

#define CHILD_FIELDS                                                                               \
    "id, coalesce(stream, 0), coalesce(parent, 0), t_start, t_end, records, raw_bytes, bits, "     \
    "bits_max, z, unusual, model, flags, ended, stratum<0"

/* Prepared at the first consolidation. */
#define CONSOLIDATE_STATEMENTS(X)                                                                  \
    X(DUE, "SELECT stratum, unit, t, resume FROM dirty ORDER BY stratum, unit LIMIT 64")           \
    X(DUE_ONE, "SELECT stratum, unit, t, resume FROM dirty WHERE stratum=?1 AND unit=?2")          \
    X(DONE, "DELETE FROM dirty WHERE stratum=?1 AND unit=?2")                                      \
    X(PROGRESS, "UPDATE dirty SET t=?3, resume=?3 WHERE stratum=?1 AND unit=?2")                   \
    X(STARTS, "SELECT t_start FROM moment WHERE stratum=0 AND t_start>=?1 AND t_start<=?2 "        \
              "ORDER BY t_start LIMIT 20000")                                                      \
    X(LAST_START, "SELECT t_start FROM moment WHERE stratum=1 AND t_start<=?1 AND t_start>=?2 "    \
                  "ORDER BY t_start DESC LIMIT 1")                                                 \
    X(ENDED_BEFORE, "SELECT ended FROM moment WHERE stream=?1 AND t_start<?2 "                     \
                    "ORDER BY t_start DESC, id DESC LIMIT 1")                                      \
    /* A span's remainder is a child like others (memory/remainder.c). */                          \
    X(CHILDREN, "SELECT " CHILD_FIELDS " FROM moment WHERE stratum=?1 AND t_start>=?2 "            \
                "AND t_start<?3 UNION ALL SELECT " CHILD_FIELDS " FROM moment WHERE stratum=~?1 "  \
                "AND t_start>=?2 AND t_start<?3 ORDER BY 4, 1 LIMIT ?4")                           \
    X(SPANS, "SELECT id, t_start, t_end, coalesce(parent, 0) FROM moment "                         \
             "WHERE stratum=?1 AND t_start>=?2 AND t_start<?3")                                    \
    X(ORPHAN, "UPDATE moment SET parent=NULL WHERE stratum IN (?1, ~?1) AND t_start>=?2 "          \
              "AND t_start<=?3 AND parent=?4")                                                     \
    X(LEFT_OUT, "SELECT min(t_start) FROM moment WHERE stratum=?1 AND t_start>=?2 AND t_start<?3 " \
                "AND parent IS NULL")                                                              \
    X(STARTED, "SELECT t_start FROM moment WHERE id=?1")                                           \
    X(ADOPT, "UPDATE moment SET parent=?2 WHERE id=?1")                                            \
    X(PARTS, "SELECT stream, moments, records, bytes, unusual, usual, usual_bits, peak, peak_z "   \
             "FROM part WHERE moment=?1")                                                          \
    X(PART_PUT, "INSERT INTO part VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)")                \
    X(PARTS_DELETE, "DELETE FROM part WHERE moment=?1")                                            \
    X(OLD, "SELECT m.hash, m.title, g.text, m.t_start FROM moment m "                              \
           "LEFT JOIN gist g ON g.moment=m.id WHERE m.id=?1")                                      \
    X(UPDATE, "UPDATE moment SET t_start=?2, t_end=?3, records=?4, raw_bytes=?5, bits=?6, "        \
              "bits_max=?7, z=?8, unusual=?9, model=?10, flags=?11, hash=?12, title=?13 "          \
              "WHERE id=?1")                                                                       \
    X(STAT, "SELECT data FROM stat WHERE moment=?1 AND stream=?2")                                 \
    X(STAT_STREAMS, "SELECT stream FROM stat WHERE moment=?1")                                     \
    X(STATS_DELETE, "DELETE FROM stat WHERE moment=?1")                                            \
    X(NAMES, "SELECT entity, count FROM entity_moment WHERE moment=?1")                            \
    X(RUNS, "SELECT t_start, bits, score, why FROM unusual WHERE moment=?1 AND score>=0.5 "        \
            "ORDER BY score DESC, bits DESC LIMIT 4")                                              \
    X(MOMENT_DELETE, "DELETE FROM moment WHERE id=?1")                                             \
    X(GIST_DELETE, "DELETE FROM gist WHERE moment=?1")                                             \
    X(LATENT_DELETE, "DELETE FROM latent WHERE moment=?1")                                         \
    X(LATENT, "SELECT scale, vec FROM latent WHERE moment=?1 AND model=?2")                        \
    X(KIND, "SELECT text FROM kind WHERE id=?1")                                                   \
    X(CHANNEL, "SELECT name FROM channel WHERE idx=?1 AND stream=?2")                              \
    X(NAME, "SELECT name FROM entity WHERE id=?1 AND kind NOT IN ('number', 'channel')")           \
    X(SIBLINGS, "SELECT id FROM moment WHERE stratum=?1 AND t_start<?2 "                           \
                "ORDER BY t_start DESC LIMIT ?3")                                                  \
    X(FACTS_OF, "SELECT f.id, f.since, EXISTS(SELECT 1 FROM fact o WHERE o.stream=f.stream AND "   \
                "o.subject=f.subject AND o.since<f.since) FROM fact f WHERE f.moment=?1 AND "      \
                "f.value<>'' AND f.since>0")                                                       \
    X(FACT, "SELECT subject, value, (SELECT o.value FROM fact o WHERE o.stream=f.stream AND "      \
            "o.subject=f.subject AND o.since<f.since ORDER BY o.since DESC LIMIT 1) "              \
            "FROM fact f WHERE f.id=?1")                                                           \
    X(KIND_FIRST, "SELECT k.text, k.first, k.first>s.first_time+?2 FROM kind k JOIN stream s "     \
                  "ON s.id=k.stream WHERE k.id=?1")                                                \
    X(STREAM_NAME, "SELECT name FROM stream WHERE id=?1")                                          \
    X(TITLE, "SELECT title FROM moment WHERE id=?1 UNION ALL "                                     \
             "SELECT title FROM past WHERE moment=?1")                                             \
    X(WHY, "SELECT * FROM (SELECT why FROM unusual WHERE moment=?1 "                               \
           "ORDER BY score DESC, bits DESC LIMIT 1) UNION ALL "                                    \
           "SELECT why FROM past WHERE moment=?1")

enum consolidate_statement {
#define CONSOLIDATE_ENUM(name, sql) CON_##name,
    CONSOLIDATE_STATEMENTS(CONSOLIDATE_ENUM)
#undef CONSOLIDATE_ENUM
        CONSOLIDATE_STATEMENT_COUNT
};

/* A row below the span that is being made. */
struct child {
    int64_t id, stream, parent, t_start, t_end, records, raw_bytes;
    double bits, bits_max, z;
    int64_t unusual;
    uint32_t model, flags;
    int ended;
    bool remainder; /* stands for evicted ones */
    bool strong;    /* starts where the moment before it in its stream ended by surprise or shift */
    uint32_t end;   /* of the first of an episode: one past its last */
};

/* What one stream contributed to a span. */
struct part {
    int64_t stream, moments, records, bytes, unusual;
    int64_t usual; /* id of its least surprising moment */
    double usual_bits;
    int64_t peak; /* of its most surprising one */
    double peak_z;
    struct sums sums;
    size_t blob_at, blob_size; /* of the sums in `blobs` */
};

struct old_span {
    int64_t id, t_start, t_end, parent;
    bool kept;
};

#define RESTING 16
struct rest {
    int stratum;
    int64_t unit;
    int64_t until; /* monotonic */
};

struct consolidation {
    sqlite3_stmt *statements[CONSOLIDATE_STATEMENT_COUNT];
    struct child *children;
    uint32_t child_count, child_capacity;
    struct part *parts;
    uint32_t part_count, part_capacity;
    struct old_span *old;
    uint32_t old_count, old_capacity;
    struct buf gist;
    char title[160];
    float latent[LATENT_DIM];
    struct store_words *words;
    struct arena sums_arena, profile_arena;
    struct buf blobs;  /* rows of stat that are about to be written */
    int64_t step_ends; /* monotonic; what a call has not done by then is left for the next one */
    struct rest resting[RESTING];
    uint32_t resting_next;
};

static inline sqlite3_stmt *con_stmt(struct store *s, enum consolidate_statement which)
{
    return s->consolidation->statements[which];
}

/* A growable array in the consolidation: room for one more, or ERR_NOMEM. */
int con_grow(void **array, uint32_t *capacity, uint32_t count, size_t size, struct errmsg *err);

/* A row of dirty. */
struct due {
    int stratum;
    int64_t unit, t;
    int64_t resume; /* where the last call stopped; INT64_MAX: it is not in the middle */
};

/* Makes the episodes of an hour from time t on; *ret_next is where to go on, or INT64_MAX. */
int con_episodes(struct store *s, const struct due *due, int64_t *ret_next, struct errmsg *err);
/* Makes the row of an hour (unit: its number), day, week or month (unit: its start). */
int con_above(struct store *s, int stratum, int64_t unit, struct errmsg *err);
/* Fills `children` with the spans of the stratum that start in [since, until), at most `limit`. */
int con_load_children(struct store *s, int stratum, int64_t since, int64_t until, int64_t limit,
                      struct errmsg *err);
/* And `old` with the rows that there are already. */
int con_load_old(struct store *s, int stratum, int64_t since, int64_t until, struct errmsg *err);
/* The span of the next stratum that one of `stratum` at `t_start` belongs to has changed. */
int con_mark_above(struct store *s, int stratum, int64_t t_start, struct errmsg *err);

/*
 * Writes the span of children[0..count) with the consolidation's parts: a new row when id is 0.
 * Says nothing changed by *ret_changed false. The children's parent is set.
 */
int con_write_span(struct store *s, int stratum, int64_t t_start, int64_t t_end,
                   struct child *children, uint32_t count, int64_t id, bool *ret_changed,
                   struct errmsg *err);
/* Sums up each part's stream over the children, and makes the blobs (consolidate_sums.c). */
int con_sum_streams(struct store *s, int stratum, const struct child *children, uint32_t count,
                    struct errmsg *err);
/* Adds what the row of stat of a span says of the stream, without joining it to a profile. */
int con_add_sums_of(struct store *s, struct sums *sums, int64_t span, int64_t stream,
                    struct errmsg *err);
/* Makes title and gist of the parts of the span of children[0..count) (consolidate_gist.c). */
int con_describe(struct store *s, const struct moment_row *row, const struct child *children,
                 uint32_t count, struct errmsg *err);
int con_put_stats(struct store *s, int64_t id, struct errmsg *err);
/* Before a child is evicted: adds its sums to those of the remainder of its span. */
int con_evict_sums(struct store *s, int stratum, const struct child *child, int64_t remainder,
                   struct errmsg *err);
void con_sums_init(struct consolidation *c);
void con_sums_deinit(struct consolidation *c);
int con_delete_span(struct store *s, int64_t id, int stratum, struct errmsg *err);
/* What a single moment contributed. */
struct part con_part_of(int64_t stream, int64_t id, int64_t records, int64_t bytes, int64_t unusual,
                        double bits, double z);
/* Parts of the same stream; the result does not depend on the order in which many are merged. */
void con_merge_part(struct part *to, const struct part *p);
/* Columns as CON_PARTS gives them; and the row. */
void con_read_part(sqlite3_stmt *q, struct part *ret);
int con_put_part(struct store *s, int64_t id, const struct part *p, struct errmsg *err);
/* Adds a moment to the parts, or merges the parts of a child span. */
int con_add_part(struct store *s, const struct part *p, struct errmsg *err);
/* Those of a span that is written. */
int con_add_parts_of(struct store *s, int64_t id, struct errmsg *err);

/* The transaction begins with the first thing that is written: all reading and computing of a unit
 * that makes one span comes before it. */
int con_begin(struct store *s, struct errmsg *err);
/* Makes s->consolidation when it is not there yet. */
int con_prepare(struct store *s, struct errmsg *err);
/* Makes a unit that is marked, now, and an hour's neighbours where they are; nothing where it is
 * not. */
int con_make(struct store *s, int stratum, int64_t unit, struct errmsg *err);
int con_mark(struct store *s, int stratum, int64_t unit, int64_t t, struct errmsg *err);

#endif
