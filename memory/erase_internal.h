/* SPDX-License-Identifier: Apache-2.0 */
/* Between erase.c (what goes), remainder.c (what stays of it above) and gone.c (its numbers). */
#ifndef VARVE_MEMORY_ERASE_INTERNAL_H
#define VARVE_MEMORY_ERASE_INTERNAL_H

#include "base/arena.h"
#include "memory/consolidate_internal.h"
#include "memory/erase.h"
#include "memory/store_internal.h"

/* Prepared when something is erased for the first time. */
#define ERASE_STATEMENTS(X)                                                                        \
    X(LOAD, "SELECT m.stratum, coalesce(m.stream, 0), coalesce(m.parent, 0), m.t_start, m.t_end, " \
            "m.records, m.raw_bytes, m.bits, m.bits_max, m.z, m.unusual, m.path, m.model, "        \
            "m.flags, m.title, coalesce(g.text, ''), s.name, coalesce(s.kind, 0), e.block "        \
            "FROM moment m LEFT JOIN gist g ON g.moment=m.id LEFT JOIN stream s ON s.id=m.stream " \
            "LEFT JOIN evidence e ON e.moment=m.id WHERE m.id=?1")                                 \
    X(WHYS, "SELECT why FROM unusual WHERE moment=?1 ORDER BY n")                                  \
    X(CHANNELS, "SELECT idx, name FROM channel WHERE stream=?1 ORDER BY idx")                      \
    X(EVIDENCE_DELETE, "DELETE FROM evidence WHERE moment=?1")                                     \
    X(UNUSUAL_DELETE, "DELETE FROM unusual WHERE moment=?1")                                       \
    X(LINKS_DELETE, "DELETE FROM entity_moment WHERE moment=?1")                                   \
    X(STAT_DELETE, "DELETE FROM stat WHERE moment=?1")                                             \
    X(LINKS, "SELECT entity, count FROM entity_moment WHERE moment=?1")                            \
    X(LINK_COUNT, "SELECT count(*) FROM entity_moment WHERE moment=?1")                            \
    X(LINKS_LEAST, "SELECT x.entity, x.count, EXISTS(SELECT 1 FROM entity_moment o WHERE "         \
                   "o.entity=x.entity AND o.moment<>?1) FROM entity_moment x "                     \
                   "JOIN entity e ON e.id=x.entity WHERE x.moment=?1 "                             \
                   "ORDER BY e.last-e.first, e.count, e.id LIMIT ?2")                              \
    X(ENTITY_SUB, "UPDATE entity SET count=count-?2 WHERE id=?1")                                  \
    X(ENTITY_SPAN, "SELECT min(m.t_start), max(m.t_end) FROM entity_moment x "                     \
                   "JOIN moment m ON m.id=x.moment WHERE x.entity=?1")                             \
    X(ENTITY_SPAN_PUT, "UPDATE entity SET first=?2, last=?3 WHERE id=?1")                          \
    X(ENTITY_DELETE, "DELETE FROM entity WHERE id=?1")                                             \
    X(CHILD, "SELECT id FROM moment WHERE stratum=?1 AND t_start BETWEEN ?2 AND ?3 "               \
             "AND parent=?4 LIMIT 1")                                                              \
    X(SPAN_OF, "SELECT stratum, t_start, t_end FROM moment WHERE id=?1")                           \
    X(REMAINDER, "SELECT t_start, t_end, records, raw_bytes, bits, bits_max, z, unusual, model, "  \
                 "flags FROM moment WHERE id=?1")                                                  \
    X(REMAINDER_PUT, "UPDATE moment SET t_start=?2, t_end=?3, records=?4, raw_bytes=?5, bits=?6, " \
                     "bits_max=?7, z=?8, unusual=?9, model=?10, flags=?11, parent=?12 "            \
                     "WHERE id=?1")                                                                \
    X(PART, "SELECT stream, moments, records, bytes, unusual, usual, usual_bits, peak, peak_z "    \
            "FROM part WHERE moment=?1 AND stream=?2")                                             \
    X(PART_DELETE, "DELETE FROM part WHERE moment=?1 AND stream=?2")                               \
    X(PAST_PUT, "INSERT OR IGNORE INTO past(moment, title, why) "                                  \
                "SELECT id, title, coalesce((SELECT why FROM unusual WHERE moment=?1 "             \
                "ORDER BY score DESC, bits DESC LIMIT 1), '') FROM moment WHERE id=?1 AND "        \
                "(unusual>0 OR NOT EXISTS (SELECT 1 FROM stat WHERE moment=?1))")                  \
    X(PAST_DELETE, "DELETE FROM past WHERE moment=?1")                                             \
    X(RUNS, "SELECT stream, t_start, t_end, first, last, bits, z, score, why FROM unusual "        \
            "WHERE moment=?1 ORDER BY n")                                                          \
    X(LINK_NAMES, "SELECT x.entity, x.count, e.kind, e.name FROM entity_moment x "                 \
                  "JOIN entity e ON e.id=x.entity WHERE x.moment=?1")                              \
    X(EVIDENCE_UPDATE, "UPDATE evidence SET block=?2 WHERE moment=?1")                             \
    X(MOMENT_UPDATE, "UPDATE moment SET t_start=?2, t_end=?3, records=?4, raw_bytes=?5, "          \
                     "seq_first=?6, seq_last=?7, unusual=?8, flags=?9, bits_max=?10, z=?11, "      \
                     "hash=?12, title=?13 WHERE id=?1")                                            \
    X(BELOW, "SELECT id, stratum FROM moment WHERE stratum IN (?1, ~?1) AND "                      \
             "t_start BETWEEN ?2 AND ?3 AND parent=?4")                                            \
    X(REMAINDER_SUB, "UPDATE moment SET records=records-?2, raw_bytes=raw_bytes-?3, "              \
                     "unusual=unusual-?4 WHERE id=?1")                                             \
    X(SHOWN_BY, "SELECT m.stratum, m.t_start FROM part p JOIN moment m ON m.id=p.moment "          \
                "WHERE m.stratum<0 AND (p.usual=?1 OR p.peak=?1)")                                 \
    X(ENTITY_LINKS_DELETE, "DELETE FROM entity_moment WHERE entity=?1")                            \
    X(LINK_DELETE, "DELETE FROM entity_moment WHERE entity=?1 AND moment=?2")                      \
    X(LINKS_SCOPE, FORGET_LINKS)                                                                   \
    X(CHANNEL_BLANK, "UPDATE channel SET name='(forgotten ' || idx || ')' WHERE stream=?1 AND "    \
                     "idx=?2")                                                                     \
    X(CHANNELS_BLANK, "SELECT idx FROM channel WHERE stream=?1 AND "                               \
                      "name='(forgotten ' || idx || ')'")                                          \
    X(FACT_VALUES, "SELECT id, value, since FROM fact WHERE moment=?1")                            \
    X(FACTS_LEFT, "SELECT id FROM fact f WHERE iif(moment=0, coalesce(until, since), since) "      \
                  "BETWEEN ?1 AND ?2 AND "                                                         \
                  "NOT EXISTS (SELECT 1 FROM moment m WHERE m.id=f.moment)")                       \
    X(STREAM_FACTS, "DELETE FROM fact WHERE stream=?1")                                            \
    X(KIND_TEXT, "SELECT text, stream FROM kind WHERE id=?1")                                              \
    X(KIND_BLANK, "UPDATE kind SET text='(forgotten ' || id || ')' WHERE id=?1")                   \
    X(STREAM_PENDING, "DELETE FROM pending WHERE stream=?1")                                       \
    X(STREAM_CHANNELS, "DELETE FROM channel WHERE stream=?1")                                      \
    X(PART_STAT_DELETE, "DELETE FROM stat WHERE moment=?1 AND stream=?2")                          \
    X(STAT_STREAMS, "SELECT stream FROM stat WHERE moment=?1")                                     \
    X(STREAM_KINDS, "DELETE FROM kind WHERE stream=?1")                                            \
    X(STREAM_GONE, "DELETE FROM gone WHERE stream=?1")                                             \
    X(STREAM_STATE, "DELETE FROM state WHERE key='model/' || ?1")                                  \
    X(STREAM_DELETE, "DELETE FROM stream WHERE id=?1")                                             \
    X(FORGET_NEXT, "SELECT what, id, arg FROM forget WHERE what BETWEEN 1 AND 19 "                 \
                   "ORDER BY what, id LIMIT 1")                                                    \
    X(FORGET_DONE, "DELETE FROM forget WHERE what=?1 AND id=?2")                                   \
    X(FORGET_PUT, "INSERT OR IGNORE INTO forget(what, id, arg) VALUES(?1, ?2, ?3)")                \
    X(GONE_BEFORE, "SELECT seq_first, seq_last FROM gone WHERE stream=?1 AND seq_first<=?2 "       \
                   "ORDER BY seq_first DESC LIMIT 1")                                              \
    X(GONE_DELETE, "DELETE FROM gone WHERE stream=?1 AND seq_first=?2")                            \
    X(GONE_PUT, "INSERT INTO gone(stream, seq_first, seq_last) VALUES(?1, ?2, ?3)")                \
    X(GONE_COUNT, "SELECT count(*) FROM gone WHERE stream=?1")                                     \
    X(GONE_LOWEST, "SELECT seq_first, seq_last FROM gone WHERE stream=?1 "                         \
                   "ORDER BY seq_first LIMIT 2")

enum erase_statement {
#define ERASE_ENUM(name, sql) ERASE_##name,
    ERASE_STATEMENTS(ERASE_ENUM)
#undef ERASE_ENUM
        ERASE_STATEMENT_COUNT
};

struct erasure {
    sqlite3_stmt *statements[ERASE_STATEMENT_COUNT];
    struct arena arena; /* of the moment at hand */
    struct store_words *words;
    uint32_t gone_puts; /* since the ranges of a stream were last counted */
    bool later;         /* first and last of entities are found when all is erased (forget.c) */
};

static inline sqlite3_stmt *erase_stmt(struct store *s, enum erase_statement which)
{
    return s->erasure->statements[which];
}

/* Prepares s->erasure (and the consolidation's statements) once. */
int erase_prepare(struct store *s, struct errmsg *err);

/* A span as it is in the file; what it points to lives until the next one is loaded. */
struct erased {
    struct moment_row row;
    int64_t id, parent;
    struct moment moment; /* stratum 0: what words_index needs */
    const char *stream_name;
    const char **channels;
    uint32_t channel_count;
    bool evidence;
    size_t block_size; /* of the evidence */
};

int erase_load(struct store *s, int64_t id, struct erased *ret, struct errmsg *err);
/* The words that are in the index for the span as it was loaded, into the erasure's `words`. */
int erase_index_words(struct store *s, const struct erased *e, struct errmsg *err);
/* Takes these out. */
int erase_delete_words(struct store *s, const struct erased *e, struct errmsg *err);
/* What store_erase_moment does with one that was loaded. */
int erase_loaded(struct store *s, const struct erased *e, enum erase_why why, struct errmsg *err);
/* Its rows in all tables but words and links. */
int erase_rows(struct store *s, const struct erased *e, struct errmsg *err);
/* Counts `count` of an entity back; one that nothing names any more goes. */
int erase_entity_count(struct store *s, int64_t entity, int64_t count, struct errmsg *err);
/* Takes all links of a span to entities away, and counts them back. */
int erase_links(struct store *s, const struct erased *e, struct errmsg *err);
/* Finds first and last of an entity again, or deletes it. */
int erase_entity_recount(struct store *s, int64_t entity, struct errmsg *err);
/* Runs a statement whose only parameter is an id. */
int erase_one(struct store *s, enum erase_statement which, int64_t id, struct errmsg *err);
int erase_con_one(struct store *s, enum consolidate_statement which, int64_t id,
                  struct errmsg *err);

/* Adds a moment's or a span's share to the remainder of its parent, which is made when there is
 * none. Links to entities move along. */
int remainder_add(struct store *s, const struct erased *e, struct errmsg *err);
/* Takes the remainders below a span away: what they hold is in the span itself. Links to entities
 * move to the remainder `to`. */
int remainder_drop(struct store *s, const struct erased *span, int64_t to, struct errmsg *err);

/* Numbers that were stored and let go: a resend of them is ignored. */
int gone_add(struct store *s, int64_t stream, uint64_t first, uint64_t last, struct errmsg *err);
int gone_add_records(struct store *s, int64_t stream, const struct record *records, uint32_t count,
                     struct errmsg *err);

#endif
