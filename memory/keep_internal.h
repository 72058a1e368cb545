/* SPDX-License-Identifier: Apache-2.0 */
/* Between keep.c (when), keep_pick.c (which), keep_state.c (what of it lies in the file) and the
 * files that lay down and erase. */
#ifndef VARVE_MEMORY_KEEP_INTERNAL_H
#define VARVE_MEMORY_KEEP_INTERNAL_H

#include "memory/keep.h"
#include "memory/store_internal.h"
#include "memory/tau.h"
#include "model/coverage.h"

#define KEEP_POOL 256   /* candidates of one look */
#define KEEP_STREAMS 64 /* that usual[] has room for; a place is taken over by the latest */

/* Columns of a candidate: id, bytes, touched, hits, uses, helped, unusual, z, t_start, t_end,
 * features, whether a span has taken it up, stream. ?1: from there on, ?2: how many, ?3: stratum.
 */
#define KEEP_FIELDS                                                                                \
    "m.touched, m.hits, m.uses, m.helped, m.unusual, m.z, m.t_start, m.t_end, l.features, "        \
    "m.parent IS NOT NULL, m.stream "
#define KEEP_STATEMENTS(X)                                                                         \
    X(PAGES, "PRAGMA page_count")                                                                  \
    X(FREE, "PRAGMA freelist_count")                                                               \
    X(EVIDENCE, "SELECT m.id, length(e.block), " KEEP_FIELDS                                       \
                "FROM evidence e CROSS JOIN moment m ON m.id=e.moment "                            \
                "LEFT JOIN latent l ON l.moment=m.id WHERE e.moment>=?1 AND m.pinned=0 "           \
                "ORDER BY e.moment LIMIT ?2")                                                      \
    X(SPANS, "SELECT m.id, length(m.title)+coalesce(length(g.text), 0)+600, " KEEP_FIELDS          \
             "FROM moment m LEFT JOIN gist g ON g.moment=m.id "                                    \
             "LEFT JOIN latent l ON l.moment=m.id WHERE m.stratum=?3 AND m.t_start>=?1 AND "       \
             "m.pinned=0 AND (?3=0 OR NOT EXISTS (SELECT 1 FROM moment c "                         \
             "WHERE c.stratum=?3-1 AND c.t_start BETWEEN m.t_start AND m.t_end AND "               \
             "c.parent=m.id)) ORDER BY m.t_start LIMIT ?2")                                        \
    X(MEASURE, "SELECT avg(2*(length(title)+coalesce((SELECT length(text) FROM gist g WHERE "      \
               "g.moment=m.id), 0)+600)+2*coalesce((SELECT sum(length(data)+16) FROM stat t "      \
               "WHERE t.moment=m.id), 0)+120*(SELECT count(*) FROM part p WHERE p.moment=m.id)+"   \
               "40*coalesce((SELECT count(*) FROM entity_moment x WHERE x.moment=(SELECT id FROM " \
               "moment c WHERE c.stratum=-?1 AND c.t_start BETWEEN m.t_start AND m.t_end AND "     \
               "c.parent=m.id)), 0)) FROM (SELECT * FROM moment WHERE stratum=?1 AND "             \
               "t_start>=?2 ORDER BY t_start LIMIT 32) m")                                         \
    X(FIXED, "SELECT coalesce((SELECT sum(length(value)) FROM state), 0)+"                         \
             "coalesce((SELECT sum(length(data)) FROM df), 0)+170*(SELECT count(*) FROM entity)+"  \
             "64*(SELECT count(*) FROM entity_day)+"                                               \
             "coalesce((SELECT sum(length(title)+length(why)+24) FROM past), 0)+"                  \
             "coalesce((SELECT sum(length(text)+40) FROM kind), 0)")                               \
    X(HAS_EVIDENCE, "SELECT 1 FROM evidence WHERE moment=?1")                                      \
    X(EVIDENCE_FIRST, "SELECT min(moment) FROM evidence")                                          \
    X(EVIDENCE_LAST, "SELECT max(moment) FROM evidence")                                           \
    X(SPAN_FIRST, "SELECT min(t_start) FROM moment WHERE stratum=?1")                              \
    X(SPAN_LAST, "SELECT max(t_start) FROM moment WHERE stratum=?1")                               \
    X(PLACE, "SELECT t_start FROM moment WHERE id>?1 % (SELECT max(id) FROM moment) LIMIT 1")      \
    X(COUNT, "SELECT moments FROM stratum WHERE stratum=?1")                                       \
    X(MAY_GO, "SELECT pinned=0 AND NOT EXISTS (SELECT 1 FROM forget WHERE what BETWEEN 1 AND 19 "  \
              "AND (what=2 AND id=?1 OR stratum>0)) FROM moment WHERE id=?1")                      \
    X(DUE, "SELECT stratum, unit FROM dirty ORDER BY stratum, unit LIMIT 64")                      \
    X(MERGE, "INSERT INTO words(words, rank) VALUES('merge', ?1)")                                 \
    X(TOUCH, "UPDATE moment SET touched=max(touched, ?2), hits=hits+1 WHERE id=?1 AND stratum>=0") \
    X(FEATURES, "SELECT features FROM latent WHERE moment=?1")                                     \
    X(FEATURES_PUT, "UPDATE latent SET features=?2 WHERE moment=?1")                               \
    X(PINNED, "SELECT coalesce(sum(coalesce(length(e.block), 0)+length(m.title)+"                  \
              "coalesce(length(g.text), 0)+600), 0) FROM moment m "                                \
              "LEFT JOIN evidence e ON e.moment=m.id LEFT JOIN gist g ON g.moment=m.id "           \
              "WHERE m.pinned<>0")                                                                 \
    X(SPAN_BYTES, "SELECT coalesce(length(e.block), 0)+length(m.title)+"                           \
                  "coalesce(length(g.text), 0)+600, m.pinned FROM moment m "                       \
                  "LEFT JOIN evidence e ON e.moment=m.id LEFT JOIN gist g ON g.moment=m.id "       \
                  "WHERE m.id=?1")

enum keep_statement {
#define KEEP_ENUM(name, sql) KEEP_SQL_##name,
    KEEP_STATEMENTS(KEEP_ENUM)
#undef KEEP_ENUM
        KEEP_STATEMENT_COUNT
};

struct keep_candidate {
    int64_t id;
    double value;
    double weight; /* how many it stands for in a sample, relatively */
};

/* How surprising a stream's moments are as a rule: z differs more between streams than within. */
struct keep_usual {
    int64_t stream; /* 0: none */
    uint32_t moments;
    float mean, off; /* of z; off: mean distance from the mean */
};

/* What changes with memories, and lies in the file beside them. */
struct keep_counts {
    struct keep_usual usual[KEEP_STREAMS];
    int64_t evidence_bytes, evidence;
    int64_t let_go[KEEP_CLASSES];
    uint32_t kept[2][COVERAGE_FEATURES]; /* memories with the feature: of evidence, of moments */
};

struct keeper {
    sqlite3_stmt *statements[KEEP_STATEMENT_COUNT];
    struct store_budget budget;
    struct coverage *coverage;
    struct keep_counts counts, durable;
    struct tau_clock tau, tau_durable;
    bool changed, tau_changed; /* since the transaction began */
    int64_t pages_most;        /* of the database */
    int64_t log_most, reserve; /* bytes */
    int64_t log_bytes;         /* of the frames in use */
    bool lent;                 /* keep_lend: until the transaction ends */
    int64_t rows_dead;         /* rows of the index deleted since it was last put together */
    bool merging;
    uint32_t commits; /* since segments were last looked at */
    bool settling;
    bool cautious; /* the last step had not enough room itself */
    /* What goes leaves bytes in the index and in free places: how often that was, and up to when
     * they have been cleared. */
    uint64_t residue, cleared;
    bool behind;   /* much of what was looked at waits to be summed up */
    /* Candidates, worst first. */
    struct keep_candidate pool[KEEP_POOL];
    uint32_t pool_count, pool_next;
    enum keep_class pool_class;
    double span_bytes[KEEP_CLASSES]; /* mean room of a span with all that hangs on it, as sampled */
    int64_t fixed; /* what is there whatever is kept: snapshots, counters, tables */
    uint32_t measures, looks;
    uint64_t random;
    int64_t gone[KEEP_POOL]; /* moments that went */
    uint32_t gone_count;
};

static inline sqlite3_stmt *keep_stmt(struct store *s, enum keep_statement which)
{
    return s->keeper->statements[which];
}
static inline int keep_stratum(enum keep_class class)
{
    return (int)class - KEEP_MOMENTS;
}

/* keep_state.c */
int keep_open(struct store *s, struct errmsg *err);
void keep_free(struct store *s);
/* A stratum-0 moment with its latent and `size` bytes of evidence is in the tables. */
int keep_moment(struct store *s, int64_t stream, int64_t id, const struct moment *m, size_t size,
                struct errmsg *err);
/* Before rows go: its evidence, or all of a moment (which may have none any more: size 0). */
int keep_gone(struct store *s, int64_t id, bool moment, size_t size, struct errmsg *err);
/* A moment lost some of its evidence, and its latent. */
/* The transaction under way may use the pages that upkeep may: what it does gives room in the end.
 */
void keep_lend(struct store *s, bool lend);
int keep_rewritten(struct store *s, int64_t id, size_t before, size_t size, struct errmsg *err);
/* Inside the transaction that commits; and what came of it. */
int keep_save(struct store *s, struct errmsg *err);
int keep_save_dictionary(struct store *s, struct errmsg *err);
void keep_settle(struct store *s, bool committed);
/* ERR_LIMIT: pinning it would take more than the budget's share of what is pinned. */
int keep_may_pin(struct store *s, int64_t id, struct errmsg *err);

/* keep_pick.c: the next memory of the class that may go; SQL_DONE: there is none. `all`: also what
 * nothing has taken up, or what is marked to be consolidated again. */
int keep_pick(struct store *s, enum keep_class class, bool all, int64_t *ret_id,
              struct errmsg *err);
int keep_count(struct store *s, enum keep_class class, int64_t *ret, struct errmsg *err);
/* For samples. */
uint64_t keep_random(struct store *s);
/* Refreshes `fixed` and `span_bytes` from a sample. */
int keep_measure(struct store *s, struct errmsg *err);

/* Most ranges of numbers that are remembered as had, a stream. */
int64_t keep_gone_most(const struct store *s);

#endif
