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
                "ORDER BY score DESC, bits DESC LIMIT 1), '') FROM moment WHERE id=?1")            \
    X(PAST_DELETE, "DELETE FROM past WHERE moment=?1")                                             \
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
