/* SPDX-License-Identifier: Apache-2.0 */
/*
 * First what SQLite can say of its own structure, then what can be asked in SQL (a table of
 * questions whose answer must be "no row"), then every block is decoded and compared with its row.
 * What consolidation still has to do (table dirty) is no damage: sums are only compared when it is
 * done.
 */
#include "memory/verify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/record.h"
#include "memory/evidence.h"
#include "memory/resend.h"
#include "memory/sqlite.h"
#include "memory/store_internal.h"
#include "memory/sums.h"

struct verify {
    sqlite3 *db;
    struct arena arena;
    struct verify_counts counts;
    struct buf seqs;   /* uint64_t of the moments whose ranges overlap */
    int64_t stream;    /* they are of */
    uint64_t seq_high; /* highest of them */
};

/* No row is allowed; the first column names the culprit. */
struct question {
    const char *what; /* with %lld */
    const char *sql;
    bool settled; /* only asked when nothing is left to consolidate */
};

static const struct question questions[] = {
    {"moment %lld: ends before it starts", "SELECT id FROM moment WHERE t_start>t_end", false},
    {"moment %lld: stratum out of range", "SELECT id FROM moment WHERE stratum NOT BETWEEN -5 AND 5",
     false},
    {"moment %lld: a stream above stratum 0, or none in it",
     "SELECT id FROM moment WHERE (stratum=0) <> (stream IS NOT NULL)", false},
    {"moment %lld: its parent is of another stratum",
     "SELECT m.id FROM moment m JOIN moment p ON p.id=m.parent WHERE "
     "p.stratum<>(CASE WHEN m.stratum<0 THEN -m.stratum ELSE m.stratum+1 END)",
     false},
    {"moment %lld: starts outside of its parent",
     "SELECT m.id FROM moment m JOIN moment p ON p.id=m.parent "
     "WHERE m.t_start NOT BETWEEN p.t_start AND p.t_end",
     true},
    {"moment %lld: no evidence, and its numbers are not marked as let go",
     "SELECT m.id FROM moment m WHERE m.stratum=0 AND m.id NOT IN (SELECT moment FROM evidence) "
     "AND NOT EXISTS(SELECT 1 FROM gone g WHERE g.stream=m.stream AND "
     "m.seq_first BETWEEN g.seq_first AND g.seq_last)",
     false},
    {"stream %lld: ranges of numbers let go overlap",
     "SELECT stream FROM (SELECT stream, seq_first, lag(seq_last) OVER "
     "(PARTITION BY stream ORDER BY seq_first) AS before FROM gone) WHERE seq_first<=before",
     false},
    {"moment %lld: shown as past, but there",
     "SELECT moment FROM past WHERE moment IN (SELECT id FROM moment)", false},
    {"moment %lld: shown as past by nothing",
     "SELECT moment FROM past WHERE moment NOT IN (SELECT usual FROM part) AND "
     "moment NOT IN (SELECT peak FROM part)",
     false},
    {"moment %lld: evidence above stratum 0",
     "SELECT e.moment FROM evidence e JOIN moment m ON m.id=e.moment WHERE m.stratum>0", false},
    {"moment %lld: latent of a wrong size, or not finite",
     "SELECT moment FROM latent WHERE length(vec)<>256 OR NOT (scale BETWEEN 0 AND 1e30)", false},
    {"moment %lld: unusual outside of it",
     "SELECT u.moment FROM unusual u JOIN moment m ON m.id=u.moment WHERE u.t_start<m.t_start OR "
     "u.t_end>m.t_end OR u.first>u.last OR u.last>=m.records OR u.stream<>m.stream",
     false},
    {"moment %lld: its count of what was unusual is wrong",
     "SELECT m.id FROM moment m WHERE m.stratum=0 AND "
     "m.unusual<>(SELECT count(*) FROM unusual u WHERE u.moment=m.id AND u.score>=0.5)",
     false},
    {"entity %lld: its count is not that of its moments",
     "SELECT e.id FROM entity e WHERE "
     "e.count<>(SELECT total(count) FROM entity_moment x WHERE x.entity=e.id)",
     false},
    {"entity %lld: a day that counts nothing, or ends before it begins",
     "SELECT entity FROM entity_day WHERE moments<1 OR count<1 OR unusual<0 OR last<first", false},
    {"entity %lld: said to be itself, or nothing says so",
     "SELECT a FROM entity_same WHERE a=b OR renamed+beside<1 OR last<first", false},
    {"stratum %lld: its count of moments is wrong",
     "SELECT s.stratum FROM stratum s WHERE "
     "s.moments<>(SELECT count(*) FROM moment m WHERE m.stratum=s.stratum)",
     false},
    {"stratum %lld: a span is longer than its longest",
     "SELECT s.stratum FROM stratum s WHERE "
     "s.span_max<(SELECT max(t_end-t_start) FROM moment m WHERE m.stratum=s.stratum)",
     false},
    {"stream %lld: a moment is longer than its longest",
     "SELECT s.id FROM stream s WHERE "
     "s.span_max<(SELECT max(t_end-t_start) FROM moment m WHERE m.stream=s.id)",
     false},
    {"stream %lld: a seq at or above its next one",
     "SELECT s.id FROM stream s WHERE "
     "s.next_seq<=(SELECT max(seq_last) FROM moment m WHERE m.stream=s.id) OR "
     "s.next_seq<=(SELECT max(seq_last) FROM pending p WHERE p.stream=s.id)",
     false},
    {"moment %lld: its words are not in the index",
     "SELECT m.id FROM moment m LEFT JOIN stream s ON s.id=m.stream WHERE "
     "(SELECT count(*) FROM words_docsize w WHERE w.id BETWEEN m.id*512 AND m.id*512+511) <> "
     "(m.stratum>=0)+(CASE WHEN s.kind=1 AND m.path=2 AND m.id IN (SELECT moment FROM evidence) "
     "THEN m.records ELSE 0 END)",
     false},
    {"moment %lld: words in the index, but no such moment",
     "SELECT id/512 FROM words_docsize WHERE id/512 NOT IN (SELECT id FROM moment)", false},
    {"moment %lld: belongs to no span of the stratum above",
     "SELECT id FROM moment WHERE stratum<5 AND parent IS NULL", true},
    {"moment %lld: its sums are not those of its children",
     "SELECT p.id FROM moment p LEFT JOIN (SELECT parent, sum(records) AS r, sum(raw_bytes) AS b, "
     "sum(unusual) AS u FROM moment GROUP BY parent) c ON c.parent=p.id "
     "WHERE p.stratum>0 AND (c.r IS NOT p.records OR c.b IS NOT p.raw_bytes OR c.u IS NOT "
     "p.unusual)",
     true},
    {"fact %lld: ends before it begins", "SELECT id FROM fact WHERE until<since", false},
    {"fact %lld: overlaps another value of its subject",
     "SELECT a.id FROM fact a JOIN fact b ON b.stream=a.stream AND b.subject=a.subject AND "
     "b.since>=a.since AND b.id<>a.id AND b.since<coalesce(a.until, b.since+1)",
     false},
    {"moment %lld: its parts do not add up to it",
     "SELECT p.id FROM moment p LEFT JOIN (SELECT moment, sum(records) AS r, sum(bytes) AS b FROM "
     "part GROUP BY moment) c ON c.moment=p.id "
     "WHERE p.stratum>0 AND (c.r IS NOT p.records OR c.b IS NOT p.raw_bytes)",
     true},
};

/* The first row of a PRAGMA that reports damage; "ok" and no row are sound. */
static int check_pragma(sqlite3 *db, const char *sql, struct errmsg *err)
{
    sqlite3_stmt *q;
    int r = sql_error(db, sqlite3_prepare_v2(db, sql, -1, &q, NULL), err, NULL);
    if (r)
        return r;
    r = sql_step(q, err);
    if (r == 0) {
        const char *text = (const char *)sqlite3_column_text(q, 0);
        if (!text || strcmp(text, "ok") != 0)
            r = err_set(err, ERR_CORRUPT, "%s: %s %s", sql, text ? text : "",
                        sqlite3_column_count(q) > 2 ? sqlite3_column_text(q, 2) : NULL);
    }
    sqlite3_finalize(q);
    return r == SQL_DONE ? 0 : r;
}

static int ask(sqlite3 *db, const struct question *question, struct errmsg *err)
{
    int64_t id;
    int r = sql_int64(db, question->sql, &id, err);
    if (r == ERR_NOTFOUND)
        return 0;
    if (r)
        return r;
    char what[128];
    const char *place = strstr(question->what, "%lld");
    snprintf(what, sizeof(what), "%.*s%lld%s", (int)(place - question->what), question->what,
             (long long)id, place + 4);
    return err_set(err, ERR_CORRUPT, "%s", what);
}

static int check_questions(sqlite3 *db, struct errmsg *err)
{
    int64_t dirty;
    int r = sql_int64(db, "SELECT count(*) FROM dirty", &dirty, err);
    for (size_t i = 0; i < sizeof(questions) / sizeof(*questions) && r == 0; i++)
        if (!questions[i].settled || dirty == 0)
            r = ask(db, &questions[i], err);
    return r;
}

static int compare_seq(const void *a, const void *b)
{
    uint64_t x, y;
    memcpy(&x, a, sizeof(x));
    memcpy(&y, b, sizeof(y));
    return (x > y) - (x < y);
}

/* The moments whose ranges of seq overlap are all in: none may be there twice. */
static int check_seqs(struct verify *v, struct errmsg *err)
{
    size_t n = v->seqs.size / sizeof(uint64_t);
    if (buf_failed(&v->seqs))
        return err_set(err, ERR_NOMEM, "%s", err_text(ERR_NOMEM));
    if (n > 1)
        qsort(v->seqs.data, n, sizeof(uint64_t), compare_seq);
    for (size_t i = 1; i < n; i++)
        if (compare_seq(v->seqs.data + (i - 1) * 8, v->seqs.data + i * 8) == 0) {
            uint64_t seq;
            memcpy(&seq, v->seqs.data + i * 8, sizeof(seq));
            return err_set(err, ERR_CORRUPT, "stream %lld: seq %llu is stored twice",
                           (long long)v->stream, (unsigned long long)seq);
        }
    buf_clear(&v->seqs);
    v->seq_high = 0;
    return 0;
}

struct record_sums {
    uint64_t first, last;
    size_t bytes;
};

static int sum_records(const struct record *records, uint32_t count, struct record_sums *ret,
                       struct errmsg *err)
{
    *ret = (struct record_sums){.first = UINT64_MAX};
    for (uint32_t i = 0; i < count; i++) {
        const struct record *r = &records[i];
        ret->first = r->seq < ret->first ? r->seq : ret->first;
        ret->last = r->seq > ret->last ? r->seq : ret->last;
        ret->bytes += record_payload_size(r);
    }
    return count ? 0 : err_set(err, ERR_CORRUPT, "no records");
}

/* Columns of a moment: id, stream, t_start, t_end, records, raw_bytes, seq_first, seq_last, hash,
 * block. */
static int check_moment(struct verify *v, sqlite3_stmt *q, struct errmsg *err)
{
    struct slice block = {sqlite3_column_blob(q, 9), (size_t)sqlite3_column_bytes(q, 9)};
    struct evidence_info info;
    struct record *records;
    struct record_sums sums;
    uint32_t n;
    arena_reset(&v->arena);
    int r = evidence_info(block, &info, err);
    if (r == 0)
        r = evidence_decode(block, &v->arena, &records, &n, err);
    if (r == 0)
        r = sum_records(records, n, &sums, err);
    if (r)
        return r;
    if (sqlite3_column_bytes(q, 8) != 16 || memcmp(sqlite3_column_blob(q, 8), info.hash, 16) != 0)
        return err_set(err, ERR_CORRUPT, "its hash is not that of its evidence");
    if (sqlite3_column_int64(q, 4) != n || sqlite3_column_int64(q, 5) != (int64_t)sums.bytes)
        return err_set(err, ERR_CORRUPT, "its evidence has %u records, %zu bytes", n, sums.bytes);
    if (sqlite3_column_int64(q, 6) != (int64_t)sums.first ||
        sqlite3_column_int64(q, 7) != (int64_t)sums.last)
        return err_set(err, ERR_CORRUPT, "its evidence has seq %llu to %llu",
                       (unsigned long long)sums.first, (unsigned long long)sums.last);
    for (uint32_t i = 1; i < n; i++)
        if (records[i].time < records[i - 1].time)
            return err_set(err, ERR_CORRUPT, "record %u of its evidence is out of order", i);
    if (records[0].time != sqlite3_column_int64(q, 2) ||
        records[n - 1].time != sqlite3_column_int64(q, 3))
        return err_set(err, ERR_CORRUPT, "its span is not that of its evidence");
    for (uint32_t i = 0; i < n; i++)
        buf_append(&v->seqs, &records[i].seq, sizeof(uint64_t));
    v->seq_high = sums.last > v->seq_high ? sums.last : v->seq_high;
    v->counts.moments++;
    v->counts.records += n;
    return 0;
}

static int check_moments(struct verify *v, struct errmsg *err)
{
    sqlite3_stmt *q;
    int r = sql_prepare(v->db,
                        "SELECT m.id, m.stream, m.t_start, m.t_end, m.records, m.raw_bytes, "
                        "m.seq_first, m.seq_last, m.hash, e.block FROM moment m "
                        "JOIN evidence e ON e.moment=m.id ORDER BY m.stream, m.seq_first",
                        &q, err);
    if (r)
        return r;
    while ((r = sql_step(q, err)) == 0) {
        int64_t stream = sqlite3_column_int64(q, 1);
        if (stream != v->stream || (uint64_t)sqlite3_column_int64(q, 6) > v->seq_high)
            r = check_seqs(v, err);
        v->stream = stream;
        if (r == 0 && (r = check_moment(v, q, err)) != 0)
            err_wrap(err, r, "moment %lld", (long long)sqlite3_column_int64(q, 0));
        if (r)
            break;
    }
    sqlite3_finalize(q);
    return r == SQL_DONE ? check_seqs(v, err) : r;
}

/* A journaled record that lies in a moment as well must be the same one. */
struct overlap {
    const struct record *records;
    uint32_t count, found;
    uint64_t different; /* a seq */
};

static void compare_stored(void *arg, uint64_t seq, uint64_t hash)
{
    struct overlap *o = arg;
    for (uint32_t i = 0; i < o->count; i++) {
        if (o->records[i].seq != seq)
            continue;
        o->found++;
        if (record_hash(&o->records[i]) != hash)
            o->different = seq;
        return;
    }
}

static int check_batch(struct verify *v, sqlite3_stmt *q, struct errmsg *err)
{
    struct slice block = {sqlite3_column_blob(q, 5), (size_t)sqlite3_column_bytes(q, 5)};
    struct record *records;
    struct record_sums sums;
    uint32_t n;
    arena_reset(&v->arena);
    int r = evidence_decode(block, &v->arena, &records, &n, err);
    if (r == 0)
        r = sum_records(records, n, &sums, err);
    if (r)
        return r;
    if (sqlite3_column_int64(q, 2) != (int64_t)sums.first ||
        sqlite3_column_int64(q, 3) != (int64_t)sums.last || sqlite3_column_int64(q, 4) != n)
        return err_set(err, ERR_CORRUPT, "%u records with seq %llu to %llu", n,
                       (unsigned long long)sums.first, (unsigned long long)sums.last);
    struct overlap o = {records, n, 0, 0};
    r = resend_find(v->db, sqlite3_column_int64(q, 1), sums.first, sums.last, false, compare_stored,
                    &o, err);
    if (r == 0 && o.different)
        r = err_set(err, ERR_CORRUPT, "seq %llu is another record in a moment",
                    (unsigned long long)o.different);
    for (uint32_t i = 0; i < n; i++)
        buf_append(&v->seqs, &records[i].seq, sizeof(uint64_t));
    v->counts.journaled += n - o.found;
    return r;
}

static int check_journal(struct verify *v, struct errmsg *err)
{
    sqlite3_stmt *q;
    int r = sql_prepare(v->db,
                        "SELECT id, stream, seq_first, seq_last, records, block FROM pending "
                        "ORDER BY stream, id",
                        &q, err);
    if (r)
        return r;
    while ((r = sql_step(q, err)) == 0) {
        int64_t stream = sqlite3_column_int64(q, 1);
        if (stream != v->stream)
            r = check_seqs(v, err);
        v->stream = stream;
        if (r == 0)
            r = check_batch(v, q, err);
        if (r) {
            err_wrap(err, r, "journal batch %lld", (long long)sqlite3_column_int64(q, 0));
            break;
        }
    }
    sqlite3_finalize(q);
    return r == SQL_DONE ? check_seqs(v, err) : r;
}

/* Sums can be read, and none counts more than its span's part says. */
static int check_stats(struct verify *v, struct errmsg *err)
{
    sqlite3_stmt *q;
    struct sums sums;
    int r = sql_prepare(v->db,
                        "SELECT t.moment, t.data, (SELECT p.records FROM part p WHERE "
                        "p.moment=t.moment AND p.stream=t.stream) FROM stat t",
                        &q, err);
    if (r)
        return r;
    while ((r = sql_step(q, err)) == 0) {
        arena_reset(&v->arena);
        sums_init(&sums, &v->arena, &v->arena);
        r = sums_merge(&sums, sqlite3_column_blob(q, 1), (size_t)sqlite3_column_bytes(q, 1), -1);
        const struct sum *all = r ? NULL : sums_find(&sums, STAT_RECORDS, 0);
        if (all && (int64_t)all->count > sqlite3_column_int64(q, 2))
            r = ERR_CORRUPT;
        if (r) {
            r = err_set(err, r, "moment %lld: its sums: %s",
                        (long long)sqlite3_column_int64(q, 0), err_text(r));
            break;
        }
    }
    sqlite3_finalize(q);
    return r == SQL_DONE ? 0 : r;
}

static int check_all(struct verify *v, struct errmsg *err)
{
    int64_t above;
    int r = sql_exec(v->db, "BEGIN", err);
    if (r == 0)
        r = store_check_tables(v->db, err);
    if (r == 0)
        r = check_pragma(v->db, "PRAGMA integrity_check(1)", err);
    if (r == 0)
        r = check_pragma(v->db, "PRAGMA foreign_key_check", err);
    if (r == 0)
        r = check_questions(v->db, err);
    if (r == 0)
        r = check_stats(v, err);
    if (r == 0)
        r = check_moments(v, err);
    if (r == 0)
        r = check_journal(v, err);
    if (r == 0)
        r = sql_int64(v->db, "SELECT count(*) FROM moment WHERE stratum>0", &above, err);
    if (r == 0)
        v->counts.above = (uint64_t)above;
    return r;
}

int verify_file(const char *path, struct verify_counts *ret, struct errmsg *err)
{
    struct verify v = {0};
    int r = sqlite_open_readonly(path, 0, &v.db, err);
    if (r)
        return r;
    arena_init(&v.arena, 256u << 10);
    r = check_all(&v, err);
    if (r)
        err_wrap(err, r, "%s", path);
    else if (ret)
        *ret = v.counts;
    arena_deinit(&v.arena);
    buf_deinit(&v.seqs);
    sqlite3_close(v.db);
    return r;
}
