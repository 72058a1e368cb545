/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Streams that are named and not there are made; the moments follow from the evidence, everything
 * else from the moments: a row that refers to what is gone goes too. Spans above the moments stay
 * where they may stand for what was evicted; consolidation makes them again from what there is.
 */
#include "memory/salvage/mend.h"

#include <stdio.h>
#include <string.h>

void mend_count(struct salvage_report *report, const char *table, uint64_t rows)
{
    for (uint32_t i = 0; i < report->table_count; i++)
        if (strcmp(report->tables[i].name, table) == 0)
            report->tables[i].broken += rows;
}

struct change {
    const char *table; /* whose rows it loses; NULL: nothing is lost by it */
    const char *sql;
};

static const struct change streams[] = {
    {NULL, "CREATE TEMP TABLE channels(stream INTEGER PRIMARY KEY, top INTEGER NOT NULL)"},
    {"stream", "DELETE FROM stream WHERE id<1 OR length(CAST(name AS BLOB)) NOT BETWEEN 1 AND 128"},
    {NULL, "UPDATE stream SET kind=0 WHERE kind NOT BETWEEN 1 AND 4"},
    {NULL, "UPDATE stream SET next_seq=1 WHERE next_seq<1"},
    {NULL, "UPDATE stream SET records=max(records, 0), bytes=max(bytes, 0), late=max(late, 0), "
           "gaps=max(gaps, 0), dropped=max(dropped, 0), redacted=max(redacted, 0), "
           "source=substr(source, 1, 150)"},
    {NULL, "INSERT OR IGNORE INTO stream(id, name, kind, source, created) "
           "SELECT stream, 'recovered-'||stream, 0, 'salvage', 0 FROM ("
           "SELECT m.stream FROM evidence e JOIN moment m ON m.id=e.moment WHERE m.stream>0 UNION "
           "SELECT p.stream FROM evidence e JOIN place p ON p.moment=e.moment WHERE p.stream>0 "
           "UNION SELECT stream FROM pending WHERE stream>0)"},
    {"pending", "DELETE FROM pending WHERE id<1"},
};

/* After the moments: what evidence does not prove goes. */
static const struct change spare_changes[] = {
    {NULL, "DELETE FROM gist WHERE moment IN (SELECT id FROM moment WHERE stratum<>0)"},
    {NULL, "DELETE FROM latent WHERE moment IN (SELECT id FROM moment WHERE stratum<>0)"},
    {NULL, "DELETE FROM entity_moment WHERE moment IN (SELECT id FROM moment WHERE stratum<>0)"},
    {NULL, "DELETE FROM part"},
    {NULL, "DELETE FROM past"},
    {NULL, "DELETE FROM stat"},
    {NULL, "DELETE FROM state WHERE key IN ('keep', 'tau')"},
    {NULL, "UPDATE moment SET parent=NULL"},
    {"moment", "DELETE FROM moment WHERE stratum<0"},
    {NULL, "DELETE FROM moment WHERE stratum>0"},
    {"moment", "DELETE FROM moment WHERE id NOT IN (SELECT moment FROM evidence)"},
};

/* A remainder is believed when it lies in its span and its parts add up to it. */
static const struct change rest[] = {
    {NULL, "UPDATE stream SET kind=1 WHERE kind=0"},
    {"moment", "DELETE FROM moment WHERE id NOT BETWEEN 1 AND 10000000000000000 OR "
               "stratum NOT BETWEEN -5 AND 5 OR t_end<t_start OR t_start<0 OR "
               "t_end>7258118400000000 OR records<0 OR raw_bytes<0 OR "
               "(stratum=0) <> (stream IS NOT NULL) OR length(hash)<>16"},
    {"moment", "DELETE FROM moment WHERE stratum=0 AND id NOT IN (SELECT moment FROM evidence) AND "
               "NOT (records BETWEEN 1 AND 256 AND seq_first BETWEEN 1 AND seq_last AND "
               "seq_last<9223372036854775806)"},
    {"moment", "DELETE FROM moment WHERE stratum<0 AND NOT EXISTS (SELECT 1 FROM moment p WHERE "
               "p.id=moment.parent AND p.stratum=-moment.stratum AND "
               "moment.t_start BETWEEN p.t_start AND p.t_end)"},
    {"moment", "DELETE FROM moment WHERE stratum<0 AND NOT EXISTS (SELECT 1 FROM part c WHERE "
               "c.moment=moment.id GROUP BY c.moment HAVING sum(c.records)=moment.records AND "
               "sum(c.bytes)=moment.raw_bytes)"},
    {NULL, "UPDATE moment SET parent=NULL WHERE stratum>=0 AND parent IS NOT NULL AND NOT EXISTS "
           "(SELECT 1 FROM moment p WHERE p.id=moment.parent AND p.stratum=moment.stratum+1 AND "
           "moment.t_start BETWEEN p.t_start AND p.t_end)"},
    {"evidence",
     "DELETE FROM evidence WHERE moment NOT IN (SELECT id FROM moment WHERE stratum=0)"},
    {NULL, "DELETE FROM past WHERE moment IN (SELECT id FROM moment)"},
    {"fact", "DELETE FROM fact WHERE until<since OR EXISTS (SELECT 1 FROM fact b WHERE "
             "b.stream=fact.stream AND b.subject=fact.subject AND b.id<>fact.id AND "
             "b.since>=fact.since AND b.since<coalesce(fact.until, b.since+1))"},
    {NULL, "UPDATE moment SET path=1 WHERE path NOT IN (1, 2)"},
    {NULL, "UPDATE moment SET ended=5 WHERE ended NOT BETWEEN 1 AND 5"},
    {NULL, "UPDATE moment SET pinned=0 WHERE pinned<>1"},
    {NULL, "UPDATE moment SET uses=max(uses, 0), helped=max(helped, 0)"},
    {NULL, "UPDATE moment SET bits=0, bits_max=0, z=0 WHERE NOT (abs(bits)<1e30 AND "
           "abs(bits_max)<1e30 AND abs(z)<1e30)"},
    {NULL, "UPDATE moment SET confidence=0, tau=0, touched=0 WHERE NOT (abs(confidence)<1e30 AND "
           "abs(tau)<1e30 AND abs(touched)<1e30)"},
    {"latent", "DELETE FROM latent WHERE length(vec)<>256 OR NOT (scale BETWEEN 0 AND 1e30)"},
    {"unusual", "DELETE FROM unusual WHERE NOT EXISTS (SELECT 1 FROM moment m WHERE "
                "m.id=unusual.moment AND unusual.t_start>=m.t_start AND unusual.t_end<=m.t_end AND "
                "unusual.first>=0 AND unusual.first<=unusual.last AND unusual.last<m.records AND "
                "unusual.stream=m.stream) OR NOT (abs(bits)<1e30 AND abs(z)<1e30 AND "
                "score BETWEEN 0 AND 1)"},
    {"entity_moment", "DELETE FROM entity_moment WHERE count<1 OR count>1000000000"},
    {"channel", "DELETE FROM channel WHERE idx NOT BETWEEN 0 AND 1023 OR name='' OR "
                "length(CAST(name AS BLOB))>96 OR (stream, idx) NOT IN "
                "(SELECT stream, min(idx) FROM channel GROUP BY stream, name)"},
    {NULL, "INSERT INTO channels SELECT stream, max(idx) FROM channel WHERE true GROUP BY stream "
           "ON CONFLICT DO UPDATE SET top=max(top, excluded.top)"},
    {NULL, "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i+1 FROM n WHERE i<1023) "
           "INSERT OR IGNORE INTO channel(stream, idx, name) SELECT c.stream, n.i, 'lost-'||n.i "
           "FROM channels c JOIN n ON n.i<=c.top WHERE c.stream IN (SELECT id FROM stream)"},
};

static const struct change counts[] = {
    /* Consolidation leaves alone what has the hash of what it would write. */
    {NULL, "UPDATE moment SET hash=zeroblob(16) WHERE stratum>0"},
    {NULL, "UPDATE moment SET unusual=(SELECT count(*) FROM unusual u WHERE u.moment=moment.id AND "
           "u.score>=0.5) WHERE stratum=0"},
    {NULL, "UPDATE entity SET count="
           "(SELECT total(count) FROM entity_moment x WHERE x.entity=entity.id)"},
    {NULL, "DELETE FROM entity_day WHERE entity IN (SELECT id FROM entity WHERE count=0)"},
    {NULL, "DELETE FROM entity_same WHERE a IN (SELECT id FROM entity WHERE count=0) OR "
           "b IN (SELECT id FROM entity WHERE count=0)"},
    {"entity_day", "DELETE FROM entity_day WHERE moments<1 OR count<1 OR unusual<0 OR last<first OR "
                   "NOT abs(z)<1e30"},
    {"entity_same", "DELETE FROM entity_same WHERE a=b OR renamed<0 OR beside<0 OR "
                    "renamed+beside<1 OR last<first"},
    {"entity", "DELETE FROM entity WHERE count=0"},
    {NULL, "UPDATE stratum SET moments=(SELECT count(*) FROM moment m WHERE "
           "m.stratum=stratum.stratum), span_max=(SELECT coalesce(max(t_end-t_start), 0) FROM "
           "moment m WHERE m.stratum=stratum.stratum)"},
    {NULL, "UPDATE stream SET span_max=(SELECT coalesce(max(t_end-t_start), 0) FROM moment m "
           "WHERE m.stream=stream.id)"},
    {NULL, "UPDATE stream SET next_seq=max(next_seq, "
           "(SELECT coalesce(max(seq_last), 0)+1 FROM moment m WHERE m.stream=stream.id), "
           "(SELECT coalesce(max(seq_last), 0)+1 FROM pending p WHERE p.stream=stream.id))"},
    {NULL, "UPDATE stream SET first_time=(SELECT min(t_start) FROM moment m WHERE "
           "m.stream=stream.id), last_time=(SELECT max(t_end) FROM moment m WHERE "
           "m.stream=stream.id) WHERE first_time IS NULL OR last_time IS NULL OR "
           "first_time<0 OR last_time<first_time OR last_time>7258118400000000"},
    {NULL, "UPDATE stream SET records=(SELECT coalesce(sum(records), 0) FROM moment m WHERE "
           "m.stream=stream.id), bytes=(SELECT coalesce(sum(raw_bytes), 0) FROM moment m WHERE "
           "m.stream=stream.id) WHERE records=0"},
};

static int make_changes(sqlite3 *db, struct salvage_report *report, const struct change *changes,
                        size_t count, struct errmsg *err)
{
    int r = 0;
    for (size_t i = 0; i < count && r == 0; i++) {
        r = sql_exec(db, changes[i].sql, err);
        if (r == 0 && changes[i].table)
            mend_count(report, changes[i].table, (uint64_t)sqlite3_changes64(db));
    }
    return r;
}

/* Rows that refer to a row that is not there, whatever table they are of. */
static int drop_dangling(sqlite3 *db, struct salvage_report *report, struct errmsg *err)
{
    int r = 0;
    for (uint32_t i = 0; i < report->table_count && r == 0; i++) {
        struct salvage_table *t = &report->tables[i];
        sqlite3_stmt *q;
        r = sql_prepare(db, "SELECT \"from\", \"table\", \"to\" FROM pragma_foreign_key_list(?1)",
                        &q, err);
        if (r)
            break;
        sqlite3_bind_text(q, 1, t->name, -1, SQLITE_STATIC);
        while ((r = sql_step(q, err)) == 0) {
            char sql[512];
            const char *from = (const char *)sqlite3_column_text(q, 0);
            snprintf(sql, sizeof(sql),
                     "DELETE FROM \"%s\" WHERE \"%s\" IS NOT NULL AND \"%s\" NOT IN "
                     "(SELECT \"%s\" FROM \"%s\")",
                     t->name, from, from, (const char *)sqlite3_column_text(q, 2),
                     (const char *)sqlite3_column_text(q, 1));
            const struct change change = {t->name, sql};
            r = make_changes(db, report, &change, 1, err);
            if (r)
                break;
        }
        sqlite3_finalize(q);
        r = r == SQL_DONE ? 0 : r;
    }
    return r;
}

#define CHANGES(list) list, sizeof(list) / sizeof(*(list))

static int mend_tables(struct store *s, bool spare, struct salvage_report *report,
                       struct errmsg *err)
{
    int r = make_changes(s->db, report, CHANGES(streams), err);
    if (r == 0)
        r = mend_moments(s, report, err);
    if (r == 0 && spare)
        r = make_changes(s->db, report, CHANGES(spare_changes), err);
    if (r == 0)
        r = make_changes(s->db, report, CHANGES(rest), err);
    if (r == 0)
        r = drop_dangling(s->db, report, err);
    if (r == 0)
        r = mend_gone(s, report, err);
    if (r == 0)
        r = mend_journal(s, report, err);
    return r ? r : make_changes(s->db, report, CHANGES(counts), err);
}

int mend_all(struct store *s, bool spare, struct salvage_report *report, struct errmsg *err)
{
    int r = store_begin(s, err);
    if (r == 0)
        r = mend_tables(s, spare, report, err);
    if (r == 0)
        r = store_commit(s, err);
    if (r)
        store_rollback(s);
    return r ? r : mend_words(s, err);
}
