/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path: open, then each question begins a snapshot, runs statements that are prepared when
 * first used, and ends it. A failed question leaves the reader usable. Sizes: the page cache, a 1
 * MiB table of document frequencies when none is shared, some hundred KiB of scratch that the
 * largest question sets.
 */
#include "memory/reader.h"

#include <string.h>

#include "base/mem.h"
#include "memory/evidence.h"
#include "memory/reader_internal.h"
#include "memory/words_internal.h"

#define SCRATCH_CHUNK (256u << 10)
#define SCRATCH_KEPT (4u << 20) /* what a memory of sound or pictures needed goes again */
#define STREAMS_MAX 65536

#define MOMENT_COLUMNS                                                                             \
    "id, stratum, stream, parent, t_start, t_end, records, raw_bytes, seq_first, seq_last, title"

#define COVER_COLUMNS "id, stratum, t_start, t_end, records, coalesce(stream, 0)"

#define FACT_COLUMNS                                                                               \
    "f.id, f.stream, s.name, f.subject, f.value, f.since, f.until, f.last, f.moment, f.seen"       \
    " FROM fact f JOIN stream s ON s.id = f.stream"

static const char *const texts[SQL_COUNT] = {
    [SQL_STREAMS] = "SELECT id, name, kind, source, created, next_seq, records, bytes, late, gaps,"
                    " dropped, redacted, first_time, last_time FROM stream ORDER BY id",
    [SQL_STREAM_BY_NAME] =
        "SELECT id, name, kind, source, created, next_seq, records, bytes, late, gaps,"
        " dropped, redacted, first_time, last_time FROM stream WHERE name = ?1",
    [SQL_STREAM_NAME] = "SELECT name, kind FROM stream WHERE id = ?1",
    [SQL_CHANNELS] = "SELECT idx, name FROM channel WHERE stream = ?1 ORDER BY idx",
    [SQL_STRATA] = "SELECT stratum, moments, span_max FROM stratum",
    [SQL_STREAM_TOTALS] = "SELECT count(*), sum(records), sum(bytes), min(first_time),"
                          " max(last_time) FROM stream",
    [SQL_WORD_ROWS] = "SELECT rowid FROM words WHERE words MATCH ?1 AND rowid BETWEEN ?2 AND ?3"
                      " ORDER BY rowid LIMIT ?4",
    [SQL_WORD_ROWS_BACK] =
        "SELECT rowid FROM words WHERE words MATCH ?1 AND rowid BETWEEN ?2 AND ?3"
        " ORDER BY rowid DESC LIMIT ?4",
    [SQL_SPAN_IDS] =
        "SELECT id FROM moment WHERE stratum = ?1 AND t_start >= ?2 AND t_start < ?3 LIMIT ?4",
    [SQL_STREAM_SPAN_IDS] =
        "SELECT id FROM moment WHERE stream = ?1 AND t_start >= ?2 AND t_start < ?3 LIMIT ?4",
    [SQL_SPAN_PROBE] = "SELECT id FROM moment WHERE stratum = ?1 AND t_start >= ?2 AND t_start < ?3"
                       " ORDER BY t_start LIMIT ?4",
    [SQL_STREAM_SPAN_PROBE] = "SELECT id FROM moment WHERE stream = ?1 AND t_start >= ?2 AND"
                              " t_start < ?3 ORDER BY t_start LIMIT ?4",
    [SQL_MOMENT] = "SELECT " MOMENT_COLUMNS " FROM moment WHERE id = ?1 AND stratum >= 0",
    [SQL_GIST] = "SELECT text FROM gist WHERE moment = ?1",
    [SQL_GIST_SIZE] = "SELECT length(CAST(text AS BLOB)) FROM gist WHERE moment = ?1",
    [SQL_EVIDENCE] = "SELECT block FROM evidence WHERE moment = ?1",
    [SQL_LATENT] = "SELECT scale, vec FROM latent WHERE moment = ?1",
    [SQL_SPAN] = "SELECT " MOMENT_COLUMNS " FROM moment WHERE stratum = ?1 AND t_start >= ?2 AND"
                 " t_start < ?3 AND t_end >= ?5 ORDER BY t_start, id LIMIT ?4",
    [SQL_STREAM_SPAN] = "SELECT " MOMENT_COLUMNS " FROM moment WHERE stream = ?1 AND t_start >= ?2"
                        " AND t_start < ?3 AND t_end >= ?5 ORDER BY t_start, id LIMIT ?4",
    [SQL_SPAN_BACK] = "SELECT " MOMENT_COLUMNS " FROM moment WHERE stratum = ?1 AND t_start >= ?2"
                      " AND t_start < ?3 AND t_end >= ?5 ORDER BY t_start DESC, id DESC LIMIT ?4",
    [SQL_STREAM_SPAN_BACK] =
        "SELECT " MOMENT_COLUMNS " FROM moment WHERE stream = ?1 AND t_start >= ?2"
        " AND t_start < ?3 AND t_end >= ?5 ORDER BY t_start DESC, id DESC LIMIT ?4",
    [SQL_CHILDREN] = "SELECT " MOMENT_COLUMNS " FROM moment WHERE stratum = ?1 AND t_start BETWEEN"
                     " ?2 AND ?3 AND parent = ?4 ORDER BY t_start, id LIMIT ?5",
    [SQL_CHILDREN_SIZE] =
        "SELECT sum(length(CAST(title AS BLOB)) + 29) FROM (SELECT title FROM moment WHERE"
        " stratum = ?1 AND t_start BETWEEN ?2 AND ?3 AND parent = ?4 LIMIT ?5)",
    [SQL_DETAILS] = "SELECT bits, bits_max, z, path, code, confidence, tau, model, pinned, hash"
                    " FROM moment WHERE id = ?1",
    [SQL_MOMENT_UNUSUAL] = "SELECT moment, stream, t_start, t_end, bits, z, score, why FROM unusual"
                           " WHERE moment = ?1 ORDER BY n",
    [SQL_UNUSUAL_BY_SCORE] = "SELECT moment, stream, t_start, t_end, bits, z, score, why FROM"
                             " unusual ORDER BY score DESC, bits DESC LIMIT ?1 OFFSET ?2",
    [SQL_UNUSUAL_BY_TIME] =
        "SELECT moment, stream, t_start, t_end, bits, z, score, why FROM unusual"
        " INDEXED BY unusual_time WHERE t_start >= ?1 AND t_start < ?2 LIMIT ?3",
    [SQL_MOMENT_ENTITIES] = "SELECT e.id, e.kind, e.name, em.count, 0, e.first, e.last FROM"
                            " entity_moment em JOIN entity e ON e.id = em.entity"
                            " WHERE em.moment = ?1 ORDER BY em.count DESC, e.name LIMIT 100",
    [SQL_ENTITIES] = "SELECT id, kind, name, count, 0, first, last FROM entity"
                     " WHERE (?1 IS NULL OR kind = ?1) AND (?2 IS NULL OR instr(lower(name), ?2))"
                     " ORDER BY count DESC, name LIMIT ?3",
    [SQL_ENTITY] = "SELECT id, kind, name, count, 0, first, last FROM entity WHERE name = ?1"
                   " ORDER BY count DESC LIMIT 1",
    [SQL_ENTITY_OF_KIND] = "SELECT id, kind, name, count, 0, first, last FROM entity"
                           " WHERE name = ?1 AND kind = ?2",
    /* What was evicted is known by the span it lay in. */
    [SQL_ENTITY_MOMENTS] = "SELECT CASE WHEN m.stratum < 0 THEN m.parent ELSE m.id END FROM"
                           " entity_moment em JOIN moment m ON m.id = em.moment"
                           " WHERE em.entity = ?1 ORDER BY em.moment DESC LIMIT ?2",
    [SQL_ENTITY_MOMENT_COUNT] = "SELECT count(*) FROM entity_moment WHERE entity = ?1",
    [SQL_ENTITY_BY_ID] = "SELECT id, kind, name, count, 0, first, last FROM entity WHERE id = ?1",
    [SQL_ENTITY_SAME] = "SELECT b, 1, renamed, beside, last FROM entity_same WHERE a = ?1 UNION ALL"
                        " SELECT a, 0, renamed, beside, last FROM entity_same WHERE b = ?1",
    [SQL_ENTITY_RIVALS] = "SELECT (SELECT coalesce(sum(beside), 0) FROM entity_same WHERE a = ?1"
                          " AND b <> ?2) + (SELECT coalesce(sum(beside), 0) FROM entity_same WHERE"
                          " b = ?2 AND a <> ?1)",
    [SQL_ENTITY_DAYS_AFTER] = "SELECT count(*) FROM entity_day WHERE entity = ?1 AND day > ?2",
    [SQL_ENTITY_DAYS] = "SELECT day, moments, count, unusual, first, last, peak, z FROM entity_day"
                        " WHERE entity = ?1 ORDER BY day DESC",
    /* Of the newest moments, so that a name that is everywhere costs no more. */
    [SQL_ENTITY_WITH] = "SELECT e.id, e.kind, e.name, e.count, count(*), e.first, e.last FROM"
                        " (SELECT moment FROM entity_moment WHERE entity = ?1 ORDER BY moment DESC"
                        " LIMIT 2000) x JOIN entity_moment o ON o.moment = x.moment JOIN entity e"
                        " ON e.id = o.entity WHERE o.entity <> ?1 GROUP BY o.entity"
                        " ORDER BY count(*) DESC, e.id LIMIT ?2",
    [SQL_TITLE_NOW_OR_PAST] = "SELECT title FROM moment WHERE id = ?1 UNION ALL"
                              " SELECT title FROM past WHERE moment = ?1 LIMIT 1",
    [SQL_SPAN_SUMS] = "SELECT id, stream, records, bits FROM moment WHERE stratum = 0 AND"
                      " t_start >= ?2 AND t_start < ?3 AND t_end >= ?5 LIMIT ?4",
    [SQL_STREAM_SPAN_SUMS] = "SELECT id, stream, records, bits FROM moment WHERE stream = ?1 AND"
                             " t_start >= ?2 AND t_start < ?3 AND t_end >= ?5 LIMIT ?4",
    [SQL_SPAN_LEFT] =
        "SELECT (SELECT sum(moments) FROM part WHERE moment = ?1), (SELECT count(*) FROM (SELECT 1"
        " FROM moment WHERE stratum = 0 AND t_start BETWEEN ?2 AND ?3 LIMIT ?4))",
    [SQL_STAT] = "SELECT data FROM stat WHERE moment = ?1 AND stream = ?2",
    [SQL_COVER_ROOTS] = "SELECT " COVER_COLUMNS " FROM moment WHERE stratum = ?1 AND t_start >= ?2"
                        " AND t_start < ?3 AND parent IS NULL ORDER BY t_start",
    [SQL_COVER_CHILDREN] = "SELECT " COVER_COLUMNS " FROM moment WHERE stratum IN (?1, ~?1)"
                           " AND t_start BETWEEN ?2 AND ?3 AND parent = ?4 ORDER BY t_start",
    [SQL_MARKED_HOURS] = "SELECT unit FROM dirty WHERE stratum = ?1 AND unit BETWEEN ?2 AND ?3"
                         " ORDER BY unit",
    [SQL_KIND] = "SELECT text FROM kind WHERE id = ?1",
    [SQL_KINDS] = "SELECT id, text, count, first, last FROM kind WHERE stream = ?1",
    [SQL_CHANNEL] = "SELECT name FROM channel WHERE idx = ?1 AND stream = ?2",
    [SQL_FACTS_AT] = "SELECT " FACT_COLUMNS " WHERE f.value <> '' AND CASE WHEN ?1 IS NULL THEN"
                     " f.until IS NULL ELSE f.since <= ?1 AND coalesce(f.until, ?1 + 1) > ?1 END",
    [SQL_FACTS_ABOUT] = "SELECT " FACT_COLUMNS " WHERE f.value <> '' AND"
                        " instr(' ' || f.subject || ' ', ?1) ORDER BY f.stream, f.subject, f.since,"
                        " f.id LIMIT ?2",
    [SQL_FACT_CHANGES] = "SELECT " FACT_COLUMNS " WHERE f.since >= ?1 AND f.since < ?2 AND"
                         " f.value <> '' ORDER BY EXISTS(SELECT 1 FROM fact o WHERE o.stream ="
                         " f.stream AND o.subject = f.subject AND o.since < f.since) DESC, f.since"
                         " LIMIT ?3",
    [SQL_CHANNEL_LIST] = "SELECT idx, name, 0, 0, 0 FROM channel WHERE stream = ?1",
};

int reader_nomem(struct errmsg *err)
{
    return err_set(err, ERR_NOMEM, "out of memory");
}

int reader_limit(uint32_t limit, uint32_t fallback, uint32_t *ret, struct errmsg *err)
{
    if (limit > RECALL_LIMIT_MAX)
        return err_set(err, ERR_INVALID, "limit %u: at most %u", limit, RECALL_LIMIT_MAX);
    *ret = limit ? limit : fallback;
    return 0;
}

int reader_open(const struct reader_options *options, struct reader **ret, struct errmsg *err)
{
    struct reader *r = mem_calloc(1, sizeof(*r));
    if (!r)
        return reader_nomem(err);
    r->clock = options->clock;
    r->sketches = options->sketches;
    r->df = options->df;
    r->weights = options->weights ? options->weights : &rank_weights_default;
    arena_init(&r->scratch, SCRATCH_CHUNK);
    int rc = sqlite_open_readonly(options->path, options->cache_kib, &r->db, err);
    if (rc == 0 && !r->df) {
        rc = words_df_new(&r->own_df);
        if (rc == 0)
            rc = words_df_load(r->own_df, r->db, err);
        else
            reader_nomem(err);
        r->df = r->own_df;
    }
    if (rc) {
        reader_close(r);
        return rc;
    }
    *ret = r;
    return 0;
}

void reader_close(struct reader *r)
{
    if (!r)
        return;
    for (int i = 0; i < SQL_COUNT; i++)
        sqlite3_finalize(r->statements[i]);
    sqlite3_close(r->db);
    for (uint32_t i = 0; i < r->stream_count; i++)
        mem_free(r->streams[i].name);
    mem_free(r->streams);
    words_df_free(r->own_df);
    arena_deinit(&r->scratch);
    mem_free(r);
}

int reader_statement(struct reader *r, enum reader_sql which, sqlite3_stmt **ret,
                     struct errmsg *err)
{
    if (!r->statements[which]) {
        int rc = sql_prepare(r->db, texts[which], &r->statements[which], err);
        if (rc)
            return rc;
    }
    sqlite3_reset(r->statements[which]);
    sqlite3_clear_bindings(r->statements[which]);
    *ret = r->statements[which];
    return 0;
}

int reader_begin(struct reader *r, struct errmsg *err)
{
    arena_trim(&r->scratch, SCRATCH_KEPT);
    return sql_exec(r->db, "BEGIN", err);
}

int reader_end(struct reader *r, int rc)
{
    /* A statement left in mid-scan would keep the snapshot, and with it the WAL, alive. */
    for (int i = 0; i < SQL_COUNT; i++)
        if (r->statements[i])
            sqlite3_reset(r->statements[i]);
    if (!sqlite3_get_autocommit(r->db))
        sql_exec(r->db, "ROLLBACK", NULL);
    return rc;
}

const char *reader_column_text(sqlite3_stmt *stmt, int column, struct arena *arena)
{
    const char *s = (const char *)sqlite3_column_text(stmt, column);
    return arena_copy(arena, s ? s : "", (size_t)sqlite3_column_bytes(stmt, column));
}

/* ---- streams ---- */

static int64_t column_time(sqlite3_stmt *stmt, int column)
{
    return sqlite3_column_type(stmt, column) == SQLITE_NULL ? TIME_UNKNOWN
                                                            : sqlite3_column_int64(stmt, column);
}

static void copy_text(char *out, size_t size, sqlite3_stmt *stmt, int column)
{
    const char *s = (const char *)sqlite3_column_text(stmt, column);
    size_t n = s ? strnlen(s, size - 1) : 0;
    memcpy(out, s ? s : "", n);
    out[n] = '\0';
}

static void stream_columns(sqlite3_stmt *stmt, struct store_stream *ret)
{
    *ret = (struct store_stream){
        .id = sqlite3_column_int64(stmt, 0),
        .kind = (enum stream_kind)sqlite3_column_int(stmt, 2),
        .created = sqlite3_column_int64(stmt, 4),
        .next_seq = (uint64_t)sqlite3_column_int64(stmt, 5),
        .records = (uint64_t)sqlite3_column_int64(stmt, 6),
        .bytes = (uint64_t)sqlite3_column_int64(stmt, 7),
        .late = (uint64_t)sqlite3_column_int64(stmt, 8),
        .gaps = (uint64_t)sqlite3_column_int64(stmt, 9),
        .dropped = (uint64_t)sqlite3_column_int64(stmt, 10),
        .redacted = (uint64_t)sqlite3_column_int64(stmt, 11),
        .first_time = column_time(stmt, 12),
        .last_time = column_time(stmt, 13),
    };
    copy_text(ret->name, sizeof(ret->name), stmt, 1);
    copy_text(ret->source, sizeof(ret->source), stmt, 3);
}

int reader_streams_read(struct reader *r, struct arena *arena, struct store_stream **ret,
                        uint32_t *ret_count, struct errmsg *err)
{
    sqlite3_stmt *stmt = NULL;
    uint32_t count = 0, capacity = 64;
    struct store_stream *all = arena_alloc(arena, capacity * sizeof(*all));
    int rc = all ? reader_statement(r, SQL_STREAMS, &stmt, err) : reader_nomem(err);
    while (rc == 0 && (rc = sql_step(stmt, err)) == 0) {
        if (count == capacity) {
            struct store_stream *more = arena_alloc(arena, 2 * capacity * sizeof(*more));
            if (!more)
                return reader_nomem(err);
            memcpy(more, all, count * sizeof(*all));
            all = more;
            capacity *= 2;
        }
        stream_columns(stmt, &all[count++]);
    }
    if (rc != SQL_DONE)
        return rc;
    *ret = all;
    *ret_count = count;
    return 0;
}

static int find_stream(struct reader *r, const char *name, struct store_stream *ret,
                       struct errmsg *err)
{
    sqlite3_stmt *stmt;
    int rc = reader_statement(r, SQL_STREAM_BY_NAME, &stmt, err);
    if (rc)
        return rc;
    sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC);
    rc = sql_step(stmt, err);
    if (rc == 0)
        stream_columns(stmt, ret);
    sqlite3_reset(stmt);
    return rc == SQL_DONE ? err_set(err, ERR_NOTFOUND, "no stream \"%.128s\"", name) : rc;
}

static struct known_stream *remember_stream(struct reader *r, int64_t id, sqlite3_stmt *stmt)
{
    if (r->stream_count == r->stream_capacity) {
        uint32_t capacity = r->stream_capacity ? 2 * r->stream_capacity : 16;
        struct known_stream *more =
            capacity <= STREAMS_MAX ? mem_realloc(r->streams, capacity * sizeof(*more)) : NULL;
        if (!more)
            return NULL;
        r->streams = more;
        r->stream_capacity = capacity;
    }
    char *name = mem_strdup((const char *)sqlite3_column_text(stmt, 0));
    if (!name)
        return NULL;
    r->streams[r->stream_count] = (struct known_stream){
        .id = id, .name = name, .kind = (enum stream_kind)sqlite3_column_int(stmt, 1)};
    return &r->streams[r->stream_count++];
}

const struct known_stream *reader_known_stream(struct reader *r, int64_t id)
{
    sqlite3_stmt *stmt;
    if (id == 0)
        return NULL;
    for (uint32_t i = 0; i < r->stream_count; i++)
        if (r->streams[i].id == id)
            return &r->streams[i];
    if (reader_statement(r, SQL_STREAM_NAME, &stmt, NULL))
        return NULL;
    sqlite3_bind_int64(stmt, 1, id);
    struct known_stream *known = NULL;
    if (sql_step(stmt, NULL) == 0)
        known = remember_stream(r, id, stmt);
    sqlite3_reset(stmt);
    return known;
}

int reader_filter_resolve(struct reader *r, const struct recall_filter *filter,
                          struct reader_filter *ret, struct errmsg *err)
{
    *ret =
        (struct reader_filter){.since = filter->since,
                               .until = filter->until == TIME_UNKNOWN ? INT64_MAX : filter->until,
                               .stream_count = filter->stream_count};
    if (ret->until <= ret->since)
        return err_set(err, ERR_INVALID, "the span ends before it starts");
    ret->streams = arena_alloc(&r->scratch, (filter->stream_count + 1) * sizeof(int64_t));
    if (!ret->streams)
        return reader_nomem(err);
    for (uint32_t i = 0; i < filter->stream_count; i++) {
        struct store_stream stream;
        int rc = find_stream(r, filter->streams[i], &stream, err);
        if (rc)
            return rc == ERR_NOTFOUND ? ERR_INVALID : rc;
        ret->streams[i] = stream.id;
    }
    return 0;
}

/* ---- moments ---- */

int reader_moment_columns(sqlite3_stmt *stmt, struct arena *arena, struct moment_row *ret)
{
    *ret = (struct moment_row){
        .id = sqlite3_column_int64(stmt, 0),
        .stratum = sqlite3_column_int(stmt, 1),
        .stream = sqlite3_column_int64(stmt, 2),
        .parent = sqlite3_column_int64(stmt, 3),
        .start = sqlite3_column_int64(stmt, 4),
        .end = sqlite3_column_int64(stmt, 5),
        .records = (uint64_t)sqlite3_column_int64(stmt, 6),
        .raw_bytes = (uint64_t)sqlite3_column_int64(stmt, 7),
        .seq_first = (uint64_t)sqlite3_column_int64(stmt, 8),
        .seq_last = (uint64_t)sqlite3_column_int64(stmt, 9),
        .title = reader_column_text(stmt, 10, arena),
    };
    return ret->title ? 0 : ERR_NOMEM;
}

int reader_moment(struct reader *r, int64_t id, struct arena *arena, struct moment_row *ret,
                  struct errmsg *err)
{
    sqlite3_stmt *stmt;
    int rc = reader_statement(r, SQL_MOMENT, &stmt, err);
    if (rc)
        return rc;
    sqlite3_bind_int64(stmt, 1, id);
    rc = sql_step(stmt, err);
    if (rc == 0 && reader_moment_columns(stmt, arena, ret))
        rc = reader_nomem(err);
    sqlite3_reset(stmt);
    return rc;
}

bool reader_moment_passes(const struct moment_row *m, const struct reader_filter *f)
{
    if (m->start >= f->until || m->end < f->since)
        return false;
    if (f->stream_count == 0)
        return true;
    for (uint32_t i = 0; i < f->stream_count; i++)
        if (f->streams[i] == m->stream)
            return true;
    return false;
}

int reader_gist(struct reader *r, int64_t id, struct arena *arena, const char **ret,
                struct errmsg *err)
{
    sqlite3_stmt *stmt;
    int rc = reader_statement(r, SQL_GIST, &stmt, err);
    if (rc)
        return rc;
    sqlite3_bind_int64(stmt, 1, id);
    rc = sql_step(stmt, err);
    if (rc == 0) {
        *ret = reader_column_text(stmt, 0, arena);
        if (!*ret)
            rc = reader_nomem(err);
    } else if (rc == SQL_DONE) {
        *ret = "";
        rc = 0;
    }
    sqlite3_reset(stmt);
    return rc;
}

int reader_evidence(struct reader *r, int64_t id, struct arena *arena, struct record **ret,
                    uint32_t *ret_count, struct errmsg *err)
{
    sqlite3_stmt *stmt;
    int rc = reader_statement(r, SQL_EVIDENCE, &stmt, err);
    if (rc)
        return rc;
    sqlite3_bind_int64(stmt, 1, id);
    rc = sql_step(stmt, err);
    if (rc == 0) {
        struct slice block = {sqlite3_column_blob(stmt, 0), (size_t)sqlite3_column_bytes(stmt, 0)};
        rc = evidence_decode(block, arena, ret, ret_count, err);
        if (rc)
            err_wrap(err, rc, "evidence of moment %lld", (long long)id);
    }
    sqlite3_reset(stmt);
    return rc;
}

int reader_latent(struct reader *r, int64_t id, float *ret, struct errmsg *err)
{
    sqlite3_stmt *stmt;
    int rc = reader_statement(r, SQL_LATENT, &stmt, err);
    if (rc)
        return rc;
    sqlite3_bind_int64(stmt, 1, id);
    rc = sql_step(stmt, err);
    if (rc == 0) {
        float scale = (float)sqlite3_column_double(stmt, 0);
        const int8_t *vec = sqlite3_column_blob(stmt, 1);
        if (sqlite3_column_bytes(stmt, 1) != LATENT_DIM)
            rc = err_set(err, ERR_CORRUPT, "latent of moment %lld: %d bytes", (long long)id,
                         sqlite3_column_bytes(stmt, 1));
        for (int i = 0; rc == 0 && i < LATENT_DIM; i++)
            ret[i] = scale * vec[i];
    }
    sqlite3_reset(stmt);
    return rc;
}

/* What the body of a higher stratum costs: a line a child. */
static int children_size(struct reader *r, const struct moment_row *m, uint64_t *ret,
                         struct errmsg *err)
{
    sqlite3_stmt *stmt;
    int rc = reader_statement(r, SQL_CHILDREN_SIZE, &stmt, err);
    if (rc)
        return rc;
    sqlite3_bind_int(stmt, 1, m->stratum - 1);
    sqlite3_bind_int64(stmt, 2, m->start);
    sqlite3_bind_int64(stmt, 3, m->end);
    sqlite3_bind_int64(stmt, 4, m->id);
    sqlite3_bind_int(stmt, 5, RECALL_CHILDREN);
    rc = sql_step(stmt, err);
    if (rc == 0)
        *ret = (uint64_t)sqlite3_column_int64(stmt, 0);
    sqlite3_reset(stmt);
    return rc;
}

static int gist_size(struct reader *r, int64_t id, uint64_t *ret, struct errmsg *err)
{
    sqlite3_stmt *stmt;
    int rc = reader_statement(r, SQL_GIST_SIZE, &stmt, err);
    if (rc)
        return rc;
    sqlite3_bind_int64(stmt, 1, id);
    rc = sql_step(stmt, err);
    *ret = rc == 0 ? (uint64_t)sqlite3_column_int64(stmt, 0) : 0;
    sqlite3_reset(stmt);
    return rc == SQL_DONE ? 0 : rc;
}

int reader_item(struct reader *r, const struct moment_row *m, struct arena *arena,
                struct recall_item *ret, struct errmsg *err)
{
    const struct known_stream *stream = reader_known_stream(r, m->stream);
    uint64_t records = m->records ? m->records : 1;
    uint64_t body = m->raw_bytes + 29 * m->records; /* a time, a blank and a line's end each */
    *ret = (struct recall_item){.id = m->id,
                                .stratum = m->stratum,
                                .start = m->start,
                                .end = m->end,
                                .title = arena_copy(arena, m->title, strlen(m->title)),
                                .cost = {.title = strlen(m->title), .raw = m->raw_bytes}};
    if (stream) {
        ret->stream = arena_copy(arena, stream->name, strlen(stream->name));
        if (stream->kind == KIND_AUDIO || stream->kind == KIND_VIDEO)
            body = reader_media_body_size(stream->kind, m->records);
        else if (stream->kind == KIND_SENSOR)
            body = m->raw_bytes / 10 / records * 80; /* a line a channel */
    }
    int rc = m->stratum > 0 ? children_size(r, m, &body, err) : 0;
    if (rc)
        return rc;
    ret->cost.body = body < RECALL_BODY_MAX ? body : RECALL_BODY_MAX;
    rc = gist_size(r, m->id, &ret->cost.gist, err);
    return rc || (ret->title && (!stream || ret->stream)) ? rc : reader_nomem(err);
}
