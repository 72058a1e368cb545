/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Spans by filter. The file is not trusted: a parent that is missing, of the wrong stratum or
 * elsewhere in time makes its child a root, so that a walk from the roots ends and leaves nothing
 * out; how deep it goes is bounded by the strata. Sizes: a day has 24 hours, an hour some dozens of
 * episodes, an episode up to some thousands of moments; one such level is held at a time.
 */
#include "memory/dump/file.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "memory/evidence.h"
#include "memory/sqlite.h"

/* ?1 stratum or -1, ?2 until, ?3 since, ?4 stream or 0 */
#define PASSES(m)                                                                                  \
    m ".t_start < ?2 AND " m ".t_end >= ?3 AND (?4 = 0 OR ifnull(" m ".stream, 0) = ?4 OR "        \
      "EXISTS(SELECT 1 FROM part WHERE part.moment = " m ".id AND part.stream = ?4))"

#define COLUMNS                                                                                    \
    "m.id, ifnull(m.parent, 0), m.t_start, m.t_end, m.records, m.raw_bytes, m.seq_first,"          \
    " m.seq_last, ifnull(m.stream, 0), m.stratum, m.bits, m.bits_max, m.z, m.confidence, m.tau,"   \
    " m.path, m.code, m.model, m.flags, m.ended, m.pinned,"                                        \
    " EXISTS(SELECT 1 FROM evidence e WHERE e.moment = m.id), m.title,"                            \
    " (SELECT count(*) FROM unusual u WHERE " RUNS_OF_M " AND u.score >= 0.5),"                    \
    " (SELECT max(score) FROM unusual u WHERE " RUNS_OF_M "),"                                     \
    " (SELECT why FROM unusual u WHERE u.moment = m.id ORDER BY score DESC, bits DESC LIMIT 1)"    \
    " FROM moment m "
/* A moment's own runs; above, those of its time: two searches of which one finds nothing. */
#define RUNS_OF_M "(u.moment = m.id OR (m.stratum > 0 AND u.t_start BETWEEN m.t_start AND m.t_end))"

static const char roots_sql[] = "SELECT m.id FROM moment m WHERE " PASSES(
    "m") " AND m.stratum >= 0 AND (m.stratum = ?1 OR ?1 < 0 AND NOT EXISTS(SELECT 1 FROM moment p WHERE p.id = "
         "m.parent"
         " AND p.stratum = m.stratum + 1 AND m.t_start BETWEEN p.t_start AND p.t_end AND " PASSES(
             "p") ")) ORDER BY m.t_start, m.stratum DESC, m.id";

static const char spans_sql[] =
    "SELECT " COLUMNS
    "WHERE m.stratum = ?1 AND " PASSES("m") " ORDER BY m.t_start DESC, m.id DESC LIMIT ?5";

static const char children_sql[] = "SELECT " COLUMNS "WHERE m.stratum = ?1 AND " PASSES(
    "m") " AND m.t_start BETWEEN ?5 AND ?6 AND m.parent = ?7 ORDER BY m.t_start, m.id";

double file_heat(const struct file_span *span)
{
    double beyond = span->bits_max - log2(span->records > 1 ? (double)span->records : 1);
    double quiet = beyond > 0 ? fmin(beyond / HEAT_FULL_BITS, 0.49) : 0;
    double hot = fmin(span->score * pow(HEAT_FADE, span->stratum), 1);
    return hot > quiet ? hot : quiet;
}

const struct file_stream *file_stream(const struct dump_file *f, int64_t id)
{
    for (uint32_t i = 0; i < f->stream_count; i++)
        if (f->streams[i].row.id == id)
            return &f->streams[i];
    return NULL;
}

static const char *column_copy(sqlite3_stmt *s, int column, struct arena *arena)
{
    const char *text = (const char *)sqlite3_column_text(s, column);
    return arena_copy(arena, text ? text : "", text ? strlen(text) : 0);
}

static double column_finite(sqlite3_stmt *s, int column)
{
    double v = sqlite3_column_double(s, column);
    return isfinite(v) ? v : 0;
}

/* A growing array in an arena: doubled into a new place, the old one is left to the arena. */
static int grow(struct arena *arena, void **items, uint32_t count, size_t size)
{
    if (count & (count - 1) || (count > 0 && count < 16))
        return 0;
    uint32_t room = count ? 2 * count : 16;
    void *larger = arena_alloc(arena, room * size);
    if (!larger)
        return ERR_NOMEM;
    if (count)
        memcpy(larger, *items, count * size);
    *items = larger;
    return 0;
}

static int no_memory(struct errmsg *err)
{
    return err_set(err, ERR_NOMEM, "%s", err_text(ERR_NOMEM));
}

static int read_span(sqlite3_stmt *s, struct arena *arena, struct file_span *ret)
{
    *ret = (struct file_span){
        .id = sqlite3_column_int64(s, 0),
        .parent = sqlite3_column_int64(s, 1),
        .start = sqlite3_column_int64(s, 2),
        .end = sqlite3_column_int64(s, 3),
        .records = sqlite3_column_int64(s, 4),
        .bytes = sqlite3_column_int64(s, 5),
        .seq_first = (uint64_t)sqlite3_column_int64(s, 6),
        .seq_last = (uint64_t)sqlite3_column_int64(s, 7),
        .stream = sqlite3_column_int64(s, 8),
        .stratum = sqlite3_column_int(s, 9),
        .bits = column_finite(s, 10),
        .bits_max = column_finite(s, 11),
        .z = column_finite(s, 12),
        .confidence = column_finite(s, 13),
        .tau = column_finite(s, 14),
        .path = (uint32_t)sqlite3_column_int64(s, 15),
        .code = (uint32_t)sqlite3_column_int64(s, 16),
        .model = (uint32_t)sqlite3_column_int64(s, 17),
        .flags = (uint32_t)sqlite3_column_int64(s, 18),
        .ended = (uint32_t)sqlite3_column_int64(s, 19),
        .pinned = sqlite3_column_int(s, 20) != 0,
        .evidence = sqlite3_column_int(s, 21) != 0,
        .title = column_copy(s, 22, arena),
        .unusual = sqlite3_column_int64(s, 23),
        .score = column_finite(s, 24),
        .why = column_copy(s, 25, arena),
    };
    /* A clock that no record can show is damage; times are added and subtracted from here on. */
    if (ret->start < TIME_MIN || ret->start > TIME_MAX || ret->end < ret->start ||
        ret->end > TIME_MAX + US_PER_DAY || ret->stratum < 0 || ret->stratum >= STRATA)
        return ERR_CORRUPT;
    return ret->title && ret->why ? 0 : ERR_NOMEM;
}

static int collect_spans(struct dump_file *f, sqlite3_stmt *s, struct arena *arena,
                         struct file_span **ret, uint32_t *ret_count, struct errmsg *err)
{
    struct file_span *spans = NULL;
    uint32_t count = 0;
    int r;
    while ((r = sql_step(s, err)) == 0) {
        if (grow(arena, (void **)&spans, count, sizeof(*spans)) != 0)
            r = ERR_NOMEM;
        else
            r = read_span(s, arena, &spans[count]);
        if (r) {
            int64_t id = sqlite3_column_int64(s, 0);
            sqlite3_reset(s);
            return r == ERR_NOMEM ? no_memory(err)
                                  : err_set(err, r, "%s: moment %lld: no such time or stratum",
                                            f->path, (long long)id);
        }
        count++;
    }
    if (r < 0)
        return err_wrap(err, r, "%s", f->path);
    *ret = spans;
    *ret_count = count;
    return 0;
}

static void bind_filter(sqlite3_stmt *s, const struct file_filter *filter, int stratum)
{
    sqlite3_bind_int(s, 1, stratum);
    sqlite3_bind_int64(s, 2, filter->until == TIME_UNKNOWN ? INT64_MAX : filter->until);
    sqlite3_bind_int64(s, 3, filter->since); /* TIME_UNKNOWN lies before all */
    sqlite3_bind_int64(s, 4, filter->stream);
}

int file_begin(struct dump_file *f, struct errmsg *err)
{
    return sql_exec(f->db, "BEGIN", err);
}

void file_end(struct dump_file *f)
{
    sqlite3_exec(f->db, "COMMIT", NULL, NULL, NULL);
}

int file_roots(struct dump_file *f, int stratum, struct arena *arena, int64_t **ret,
               uint32_t *ret_count, struct errmsg *err)
{
    sqlite3_stmt *s;
    int r = sql_prepare(f->db, roots_sql, &s, err);
    if (r)
        return err_wrap(err, r, "%s", f->path);
    bind_filter(s, &f->filter, stratum);
    int64_t *ids = NULL;
    uint32_t count = 0;
    while ((r = sql_step(s, err)) == 0) {
        r = grow(arena, (void **)&ids, count, sizeof(*ids));
        if (r)
            break;
        ids[count++] = sqlite3_column_int64(s, 0);
    }
    sqlite3_finalize(s);
    if (r < 0)
        return r == ERR_NOMEM ? no_memory(err) : err_wrap(err, r, "%s", f->path);
    *ret = ids;
    *ret_count = count;
    return 0;
}

int file_span(struct dump_file *f, int64_t id, struct arena *arena, struct file_span *ret,
              struct errmsg *err)
{
    struct file_span *span;
    uint32_t count;
    sqlite3_bind_int64(f->by_id, 1, id);
    int r = collect_spans(f, f->by_id, arena, &span, &count, err);
    if (r)
        return r;
    if (count == 0)
        return ERR_NOTFOUND;
    *ret = span[0];
    return 0;
}

int file_children(struct dump_file *f, const struct file_span *of, struct arena *arena,
                  struct file_span **ret, uint32_t *ret_count, struct errmsg *err)
{
    bind_filter(f->children, &f->filter, of->stratum - 1);
    sqlite3_bind_int64(f->children, 5, of->start);
    sqlite3_bind_int64(f->children, 6, of->end);
    sqlite3_bind_int64(f->children, 7, of->id);
    return collect_spans(f, f->children, arena, ret, ret_count, err);
}

int file_spans(struct dump_file *f, int stratum, uint32_t limit, struct arena *arena,
               struct file_span **ret, uint32_t *ret_count, struct errmsg *err)
{
    sqlite3_stmt *s;
    int r = sql_prepare(f->db, spans_sql, &s, err);
    if (r)
        return err_wrap(err, r, "%s", f->path);
    bind_filter(s, &f->filter, stratum);
    sqlite3_bind_int64(s, 5, limit);
    r = collect_spans(f, s, arena, ret, ret_count, err);
    sqlite3_finalize(s);
    if (r)
        return r;
    for (uint32_t i = 0, j = *ret_count; i + 1 < j; i++) {
        struct file_span swap = (*ret)[i];
        (*ret)[i] = (*ret)[--j];
        (*ret)[j] = swap;
    }
    return 0;
}

/* The end of a list of what a moment holds; `r` is what ended it, 0: memory. */
static int listed(struct dump_file *f, sqlite3_stmt *s, int64_t id, int r, struct errmsg *err)
{
    sqlite3_reset(s);
    if (r == SQL_DONE)
        return 0;
    return r == 0 ? no_memory(err) : err_wrap(err, r, "%s: moment %lld", f->path, (long long)id);
}

int file_unusual(struct dump_file *f, int64_t id, struct arena *arena, struct file_unusual **ret,
                 uint32_t *ret_count, struct errmsg *err)
{
    sqlite3_stmt *s = f->unusual;
    struct file_unusual *list = NULL;
    uint32_t count = 0;
    int r;
    sqlite3_bind_int64(s, 1, id);
    while ((r = sql_step(s, err)) == 0) {
        if (grow(arena, (void **)&list, count, sizeof(*list)) != 0)
            break;
        struct file_unusual *u = &list[count];
        *u = (struct file_unusual){
            .start = sqlite3_column_int64(s, 0),
            .end = sqlite3_column_int64(s, 1),
            .first = (uint32_t)sqlite3_column_int64(s, 2),
            .last = (uint32_t)sqlite3_column_int64(s, 3),
            .bits = column_finite(s, 4),
            .z = column_finite(s, 5),
            .score = column_finite(s, 6),
            .why = column_copy(s, 7, arena),
        };
        if (!u->why)
            break;
        /* Of a damaged file: such a run cannot be shown anywhere. */
        if (u->start >= TIME_MIN && u->start <= u->end && u->end <= TIME_MAX)
            count++;
    }
    r = listed(f, s, id, r, err);
    if (r)
        return r;
    *ret = list;
    *ret_count = count;
    return 0;
}

int file_entities(struct dump_file *f, int64_t id, uint32_t limit, struct arena *arena,
                  struct file_entity **ret, uint32_t *ret_count, struct errmsg *err)
{
    sqlite3_stmt *s = f->entities;
    struct file_entity *list = NULL;
    uint32_t count = 0;
    int r;
    sqlite3_bind_int64(s, 1, id);
    sqlite3_bind_int64(s, 2, limit);
    while ((r = sql_step(s, err)) == 0) {
        if (grow(arena, (void **)&list, count, sizeof(*list)) != 0)
            break;
        list[count] = (struct file_entity){
            .id = sqlite3_column_int64(s, 0),
            .kind = column_copy(s, 1, arena),
            .name = column_copy(s, 2, arena),
            .count = sqlite3_column_int64(s, 3),
        };
        if (!list[count].kind || !list[count].name)
            break;
        count++;
    }
    r = listed(f, s, id, r, err);
    if (r)
        return r;
    *ret = list;
    *ret_count = count;
    return 0;
}

int file_gist(struct dump_file *f, int64_t id, struct arena *arena, const char **ret,
              struct errmsg *err)
{
    *ret = NULL;
    sqlite3_bind_int64(f->gist, 1, id);
    int r = sql_step(f->gist, err);
    if (r == SQL_DONE)
        return 0;
    if (r == 0) {
        *ret = column_copy(f->gist, 0, arena);
        r = *ret ? 0 : no_memory(err);
    }
    sqlite3_reset(f->gist);
    return r;
}

int file_evidence(struct dump_file *f, int64_t id, struct arena *arena, struct record **ret,
                  uint32_t *ret_count, struct errmsg *err)
{
    *ret_count = 0;
    sqlite3_bind_int64(f->evidence, 1, id);
    int r = sql_step(f->evidence, err);
    if (r == SQL_DONE)
        return 0;
    if (r == 0) {
        struct slice block = {
            .data = sqlite3_column_blob(f->evidence, 0),
            .size = (size_t)sqlite3_column_bytes(f->evidence, 0),
        };
        r = evidence_decode(block, arena, ret, ret_count, err);
    }
    sqlite3_reset(f->evidence);
    return r ? err_wrap(err, r, "%s: evidence of moment %lld", f->path, (long long)id) : 0;
}

static int read_channels(struct dump_file *f, struct file_stream *stream, struct errmsg *err)
{
    sqlite3_stmt *s;
    int r =
        sql_prepare(f->db, "SELECT idx, name FROM channel WHERE stream = ? ORDER BY idx", &s, err);
    if (r)
        return r;
    sqlite3_bind_int64(s, 1, stream->row.id);
    stream->channels = arena_alloc(&f->arena, CHANNELS_MAX * sizeof(*stream->channels));
    r = stream->channels ? 0 : no_memory(err);
    while (r == 0 && (r = sql_step(s, err)) == 0) {
        int64_t index = sqlite3_column_int64(s, 0);
        if (index < 0 || index >= CHANNELS_MAX)
            continue;
        while (stream->channel_count <= index)
            stream->channels[stream->channel_count++] = NULL;
        stream->channels[index] = column_copy(s, 1, &f->arena);
        if (!stream->channels[index])
            r = no_memory(err);
    }
    sqlite3_finalize(s);
    return r < 0 ? r : 0;
}

static int64_t column_time(sqlite3_stmt *s, int column)
{
    int64_t t = sqlite3_column_int64(s, column);
    bool known = sqlite3_column_type(s, column) == SQLITE_INTEGER && t >= TIME_MIN && t <= TIME_MAX;
    return known ? t : TIME_UNKNOWN;
}

static void read_stream(sqlite3_stmt *s, struct store_stream *ret)
{
    *ret = (struct store_stream){
        .id = sqlite3_column_int64(s, 0),
        .kind = (enum stream_kind)sqlite3_column_int(s, 2),
        .created = sqlite3_column_int64(s, 4),
        .next_seq = (uint64_t)sqlite3_column_int64(s, 5),
        .records = (uint64_t)sqlite3_column_int64(s, 6),
        .bytes = (uint64_t)sqlite3_column_int64(s, 7),
        .late = (uint64_t)sqlite3_column_int64(s, 8),
        .gaps = (uint64_t)sqlite3_column_int64(s, 9),
        .dropped = (uint64_t)sqlite3_column_int64(s, 10),
        .redacted = (uint64_t)sqlite3_column_int64(s, 11),
        .first_time = column_time(s, 12),
        .last_time = column_time(s, 13),
    };
    const char *name = (const char *)sqlite3_column_text(s, 1);
    const char *source = (const char *)sqlite3_column_text(s, 3);
    snprintf(ret->name, sizeof(ret->name), "%s", name ? name : "");
    snprintf(ret->source, sizeof(ret->source), "%s", source ? source : "");
}

static int read_streams(struct dump_file *f, struct errmsg *err)
{
    sqlite3_stmt *s;
    int r = sql_prepare(f->db,
                        "SELECT id, name, kind, source, created, next_seq, records, bytes, late,"
                        " gaps, dropped, redacted, first_time, last_time FROM stream ORDER BY id",
                        &s, err);
    if (r)
        return r;
    while ((r = sql_step(s, err)) == 0) {
        r = grow(&f->arena, (void **)&f->streams, f->stream_count, sizeof(*f->streams));
        if (r)
            break;
        f->streams[f->stream_count] = (struct file_stream){.channels = NULL};
        read_stream(s, &f->streams[f->stream_count++].row);
    }
    sqlite3_finalize(s);
    if (r == ERR_NOMEM)
        return no_memory(err);
    for (uint32_t i = 0; r == SQL_DONE && i < f->stream_count; i++)
        if (f->streams[i].row.kind == KIND_SENSOR) {
            int failed = read_channels(f, &f->streams[i], err);
            r = failed ? failed : r;
        }
    return r < 0 ? r : 0;
}

static int prepare_all(struct dump_file *f, struct errmsg *err)
{
    const struct {
        sqlite3_stmt **stmt;
        const char *sql;
    } all[] = {
        {&f->by_id, "SELECT " COLUMNS "WHERE m.id = ?1"},
        {&f->children, children_sql},
        {&f->unusual, "SELECT t_start, t_end, first, last, bits, z, score, why FROM unusual"
                      " WHERE moment = ? ORDER BY n"},
        {&f->entities, "SELECT e.id, e.kind, e.name, em.count FROM entity_moment em"
                       " JOIN entity e ON e.id = em.entity WHERE em.moment = ?"
                       " ORDER BY em.count DESC, e.id LIMIT ?"},
        {&f->gist, "SELECT text FROM gist WHERE moment = ?"},
        {&f->evidence, "SELECT block FROM evidence WHERE moment = ?"},
        {&f->stat, "SELECT stream, data FROM stat WHERE moment = ? ORDER BY stream"},
        {&f->kind, "SELECT text FROM kind WHERE id = ?"},
    };
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        int r = sql_prepare(f->db, all[i].sql, all[i].stmt, err);
        if (r)
            return r;
    }
    return 0;
}

static int take_filter(struct dump_file *f, const struct dump_options *o, struct errmsg *err)
{
    f->filter = (struct file_filter){.since = o->since, .until = o->until};
    for (uint32_t i = 0; o->stream && i < f->stream_count; i++)
        if (strcmp(f->streams[i].row.name, o->stream) == 0)
            f->filter.stream = f->streams[i].row.id;
    if (o->stream && !f->filter.stream)
        return err_set(err, ERR_NOTFOUND, "no stream \"%.128s\"; varve-dump --stats lists them",
                       o->stream);
    return 0;
}

int file_open(const struct dump_options *o, struct dump_file **ret, struct errmsg *err)
{
    struct dump_file *f = mem_calloc(1, sizeof(*f));
    if (!f)
        return no_memory(err);
    f->path = o->path;
    arena_init(&f->arena, 64u << 10);
    int r = sqlite_open_readonly(o->path, 0, &f->db, err);
    if (r == 0 && ((r = read_streams(f, err)) != 0 || (r = prepare_all(f, err)) != 0))
        err_wrap(err, r, "%s", o->path);
    if (r == 0)
        r = take_filter(f, o, err);
    if (r) {
        file_close(f);
        return r;
    }
    *ret = f;
    return 0;
}

void file_close(struct dump_file *f)
{
    if (!f)
        return;
    sqlite3_stmt *all[] = {f->by_id, f->children, f->unusual, f->entities, f->gist,
                           f->evidence, f->stat, f->kind};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        sqlite3_finalize(all[i]);
    sqlite3_close(f->db);
    arena_deinit(&f->arena);
    mem_free(f);
}
