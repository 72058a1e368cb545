/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lower rungs of the ladder: one memory in full, and its evidence. Happy path: row, details,
 * gist, evidence made readable, what was unusual, entities, neighbours, family. Evidence that was
 * let go leaves the rest.
 */
#include <stdio.h>
#include <string.h>

#include "base/timestamp.h"
#include "base/utf8.h"
#include "memory/reader_internal.h"

#define RAW_BYTES (4u << 20)
#define UNUSUAL_MAX 256
#define ENTITIES_MAX 100

/* ---- body ---- */

static void body_text(struct buf *out, const struct record *records, uint32_t count)
{
    char time[TIMESTAMP_SIZE];
    for (uint32_t i = 0; i < count && out->size <= RECALL_BODY_MAX; i++) {
        buf_printf(out, "%s ", timestamp_format(records[i].time, time));
        buf_append(out, records[i].text.data, records[i].text.size);
        buf_putc(out, '\n');
    }
}

struct channel_sum {
    uint64_t count;
    double first, last, low, high, sum;
};

/* A line a channel: its range and where it went. */
static int body_sensor(struct buf *out, const struct record *records, uint32_t count,
                       const char *const *names, uint32_t name_count, struct arena *arena)
{
    struct channel_sum *sums = arena_alloc(arena, CHANNELS_MAX * sizeof(*sums));
    if (!sums)
        return ERR_NOMEM;
    memset(sums, 0, CHANNELS_MAX * sizeof(*sums));
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t k = 0; k < records[i].sample_count; k++) {
            const struct sample *s = &records[i].samples[k];
            struct channel_sum *c = &sums[s->channel % CHANNELS_MAX];
            if (c->count++ == 0)
                c->first = c->low = c->high = s->value;
            c->last = s->value;
            c->low = s->value < c->low ? s->value : c->low;
            c->high = s->value > c->high ? s->value : c->high;
            c->sum += s->value;
        }
    }
    for (uint32_t i = 0; i < CHANNELS_MAX; i++) {
        const struct channel_sum *c = &sums[i];
        if (!c->count)
            continue;
        if (i < name_count && names[i])
            buf_puts(out, names[i]);
        else
            buf_printf(out, "channel %u", i);
        buf_printf(out, ": %.6g to %.6g, mean %.6g, first %.6g, last %.6g, %llu samples\n", c->low,
                   c->high, c->sum / (double)c->count, c->first, c->last,
                   (unsigned long long)c->count);
    }
    return 0;
}

static int read_channels(struct reader *r, int64_t stream, struct arena *arena,
                         const char *const **ret, uint32_t *ret_count, struct errmsg *err)
{
    sqlite3_stmt *stmt = NULL;
    const char **names = arena_alloc(arena, CHANNELS_MAX * sizeof(*names));
    if (!names)
        return reader_nomem(err);
    memset(names, 0, CHANNELS_MAX * sizeof(*names));
    *ret_count = 0;
    int rc = reader_statement(r, SQL_CHANNELS, &stmt, err);
    if (rc)
        return rc;
    sqlite3_bind_int64(stmt, 1, stream);
    while ((rc = sql_step(stmt, err)) == 0) {
        int64_t index = sqlite3_column_int64(stmt, 0);
        if (index < 0 || index >= CHANNELS_MAX)
            continue;
        names[index] = reader_column_text(stmt, 1, arena);
        if (!names[index])
            return reader_nomem(err);
        if (index >= *ret_count)
            *ret_count = (uint32_t)index + 1;
    }
    *ret = names;
    return rc == SQL_DONE ? 0 : rc;
}

static int finish_body(struct buf *body, struct arena *arena, struct recall_opened *ret,
                       struct errmsg *err)
{
    if (buf_failed(body))
        return reader_nomem(err);
    ret->body_cut = body->size > RECALL_BODY_MAX;
    if (ret->body_cut)
        body->size = utf8_cut(body->data, body->size, RECALL_BODY_MAX);
    ret->body = arena_copy(arena, body->size ? body->data : "", body->size);
    return ret->body ? 0 : reader_nomem(err);
}

static int open_moment_body(struct reader *r, const struct moment_row *m, struct arena *arena,
                            struct recall_opened *ret, struct errmsg *err)
{
    struct buf body = {0};
    struct record *records = NULL;
    uint32_t count = 0, channel_count = 0;
    const char *const *channels = NULL;
    const struct known_stream *stream = reader_known_stream(r, m->stream);
    int rc = reader_evidence(r, m->id, &r->scratch, &records, &count, err);
    if (rc < 0)
        return rc;
    ret->evidence = rc == 0;
    rc = 0;
    if (stream && (stream->kind == KIND_AUDIO || stream->kind == KIND_VIDEO)) {
        reader_media_body(&body, stream->kind, records, count, &ret->media);
    } else if (stream && stream->kind == KIND_SENSOR) {
        rc = read_channels(r, m->stream, &r->scratch, &channels, &channel_count, err);
        if (rc == 0 && body_sensor(&body, records, count, channels, channel_count, &r->scratch))
            rc = reader_nomem(err);
    } else {
        body_text(&body, records, count);
    }
    if (rc == 0)
        rc = finish_body(&body, arena, ret, err);
    buf_deinit(&body);
    return rc;
}

/* What each stream saw in the same time: its name, and its moments in time order below it. */
static void body_streams(struct reader *r, struct buf *out, const struct moment_row *children,
                         uint32_t count)
{
    char time[TIMESTAMP_SIZE];
    for (uint32_t i = 0; i < count && out->size <= RECALL_BODY_MAX; i++) {
        bool told = false;
        for (uint32_t k = 0; k < i && !told; k++)
            told = children[k].stream == children[i].stream;
        if (told)
            continue;
        const struct known_stream *stream = reader_known_stream(r, children[i].stream);
        buf_printf(out, "%s (%s)\n", stream ? stream->name : "a stream",
                   stream ? stream_kind_name(stream->kind) : "unknown");
        for (uint32_t k = i; k < count && out->size <= RECALL_BODY_MAX; k++)
            if (children[k].stream == children[i].stream)
                buf_printf(out, "  %s %s\n", timestamp_format(children[k].start, time),
                           children[k].title);
    }
}

/* A higher stratum's body is its children's titles, an episode's by stream. */
static int open_children(struct reader *r, const struct moment_row *m, struct arena *arena,
                         struct recall_opened *ret, struct errmsg *err)
{
    sqlite3_stmt *stmt = NULL;
    struct buf body = {0};
    char time[TIMESTAMP_SIZE];
    ret->children = arena_alloc(arena, RECALL_CHILDREN * sizeof(*ret->children));
    struct moment_row *rows = arena_alloc(&r->scratch, RECALL_CHILDREN * sizeof(*rows));
    int rc =
        ret->children && rows ? reader_statement(r, SQL_CHILDREN, &stmt, err) : reader_nomem(err);
    if (rc)
        return rc;
    sqlite3_bind_int(stmt, 1, m->stratum - 1);
    sqlite3_bind_int64(stmt, 2, m->start);
    sqlite3_bind_int64(stmt, 3, m->end);
    sqlite3_bind_int64(stmt, 4, m->id);
    sqlite3_bind_int(stmt, 5, RECALL_CHILDREN);
    while ((rc = sql_step(stmt, err)) == 0) {
        struct moment_row *child = &rows[ret->child_count];
        if (reader_moment_columns(stmt, &r->scratch, child)) {
            rc = reader_nomem(err);
            break;
        }
        ret->children[ret->child_count++] = child->id;
        if (m->stratum != STRATUM_EPISODE && body.size <= RECALL_BODY_MAX)
            buf_printf(&body, "%s %s\n", timestamp_format(child->start, time), child->title);
    }
    if (m->stratum == STRATUM_EPISODE)
        body_streams(r, &body, rows, ret->child_count);
    rc = rc == SQL_DONE ? finish_body(&body, arena, ret, err) : rc;
    buf_deinit(&body);
    return rc;
}

/* ---- details ---- */

static int open_details(struct reader *r, int64_t id, struct arena *arena,
                        struct recall_opened *ret, struct errmsg *err)
{
    sqlite3_stmt *stmt = NULL;
    int rc = reader_statement(r, SQL_DETAILS, &stmt, err);
    if (rc)
        return rc;
    sqlite3_bind_int64(stmt, 1, id);
    rc = sql_step(stmt, err);
    if (rc)
        return rc;
    ret->bits = sqlite3_column_double(stmt, 0);
    ret->bits_max = sqlite3_column_double(stmt, 1);
    ret->z = sqlite3_column_double(stmt, 2);
    int path = sqlite3_column_int(stmt, 3);
    ret->path = path == PATH_LATENT ? "latent" : path == PATH_DISCRETE ? "discrete" : NULL;
    ret->code = (uint32_t)sqlite3_column_int64(stmt, 4);
    ret->confidence = sqlite3_column_double(stmt, 5);
    ret->tau = sqlite3_column_double(stmt, 6);
    ret->model = (uint32_t)sqlite3_column_int64(stmt, 7);
    ret->pinned = sqlite3_column_int(stmt, 8) != 0;
    const unsigned char *hash = sqlite3_column_blob(stmt, 9);
    int size = sqlite3_column_bytes(stmt, 9);
    char *hex = arena_alloc(arena, 2 * (size_t)size + 1);
    if (!hex)
        return reader_nomem(err);
    hex[0] = '\0';
    for (int i = 0; i < size; i++)
        snprintf(hex + 2 * i, 3, "%02x", hash[i]);
    ret->hash = hex;
    sqlite3_reset(stmt);
    return 0;
}

int reader_unusual_columns(struct reader *r, sqlite3_stmt *stmt, struct arena *arena,
                           struct recall_unusual *ret)
{
    const struct known_stream *stream = reader_known_stream(r, sqlite3_column_int64(stmt, 1));
    const char *name = stream ? stream->name : "";
    *ret = (struct recall_unusual){.id = sqlite3_column_int64(stmt, 0),
                                   .stream = arena_copy(arena, name, strlen(name)),
                                   .start = sqlite3_column_int64(stmt, 2),
                                   .end = sqlite3_column_int64(stmt, 3),
                                   .bits = sqlite3_column_double(stmt, 4),
                                   .z = sqlite3_column_double(stmt, 5),
                                   .score = sqlite3_column_double(stmt, 6),
                                   .why = reader_column_text(stmt, 7, arena),
                                   .count = 1};
    return ret->stream && ret->why ? 0 : ERR_NOMEM;
}

static int open_unusual(struct reader *r, int64_t id, struct arena *arena,
                        struct recall_opened *ret, struct errmsg *err)
{
    sqlite3_stmt *stmt = NULL;
    ret->unusual = arena_alloc(arena, UNUSUAL_MAX * sizeof(*ret->unusual));
    int rc = ret->unusual ? reader_statement(r, SQL_MOMENT_UNUSUAL, &stmt, err) : reader_nomem(err);
    if (rc)
        return rc;
    sqlite3_bind_int64(stmt, 1, id);
    while (ret->unusual_count < UNUSUAL_MAX && (rc = sql_step(stmt, err)) == 0)
        if (reader_unusual_columns(r, stmt, arena, &ret->unusual[ret->unusual_count++]))
            return reader_nomem(err);
    sqlite3_reset(stmt);
    return rc < 0 ? rc : 0;
}

int reader_entity_columns(sqlite3_stmt *stmt, struct arena *arena, struct recall_entity *ret)
{
    *ret = (struct recall_entity){.id = sqlite3_column_int64(stmt, 0),
                                  .kind = reader_column_text(stmt, 1, arena),
                                  .name = reader_column_text(stmt, 2, arena),
                                  .count = (uint64_t)sqlite3_column_int64(stmt, 3),
                                  .moments = (uint64_t)sqlite3_column_int64(stmt, 4),
                                  .first = sqlite3_column_int64(stmt, 5),
                                  .last = sqlite3_column_int64(stmt, 6)};
    return ret->kind && ret->name ? 0 : ERR_NOMEM;
}

static int open_entities(struct reader *r, int64_t id, struct arena *arena,
                         struct recall_opened *ret, struct errmsg *err)
{
    sqlite3_stmt *stmt = NULL;
    ret->entities = arena_alloc(arena, ENTITIES_MAX * sizeof(*ret->entities));
    int rc =
        ret->entities ? reader_statement(r, SQL_MOMENT_ENTITIES, &stmt, err) : reader_nomem(err);
    if (rc)
        return rc;
    sqlite3_bind_int64(stmt, 1, id);
    while (ret->entity_count < ENTITIES_MAX && (rc = sql_step(stmt, err)) == 0)
        if (reader_entity_columns(stmt, arena, &ret->entities[ret->entity_count++]))
            return reader_nomem(err);
    sqlite3_reset(stmt);
    return rc < 0 ? rc : 0;
}

/* The id of the nearest moment of its stream (or stratum) on one side; 0: none. */
static int open_neighbour(struct reader *r, const struct moment_row *m, bool back, int64_t *ret,
                          struct errmsg *err)
{
    sqlite3_stmt *stmt = NULL;
    bool stream = m->stratum == STRATUM_MOMENT;
    enum reader_sql which = stream ? (back ? SQL_STREAM_SPAN_BACK : SQL_STREAM_SPAN)
                                   : (back ? SQL_SPAN_BACK : SQL_SPAN);
    int rc = reader_statement(r, which, &stmt, err);
    if (rc)
        return rc;
    sqlite3_bind_int64(stmt, 1, stream ? m->stream : m->stratum);
    sqlite3_bind_int64(stmt, 2, back ? INT64_MIN : m->start);
    sqlite3_bind_int64(stmt, 3, back ? m->start + 1 : INT64_MAX);
    /* Several may start at the same time: their ids order them. */
    sqlite3_bind_int64(stmt, 4, 64);
    sqlite3_bind_int64(stmt, 5, INT64_MIN);
    *ret = 0;
    while ((rc = sql_step(stmt, err)) == 0) {
        int64_t id = sqlite3_column_int64(stmt, 0), start = sqlite3_column_int64(stmt, 4);
        bool beyond = start != m->start || (back ? id < m->id : id > m->id);
        if (id == m->id || !beyond)
            continue;
        *ret = id;
        break;
    }
    sqlite3_reset(stmt);
    return rc == SQL_DONE ? 0 : rc;
}

static int find_moment(struct reader *r, int64_t id, struct moment_row *ret, struct errmsg *err)
{
    int rc = reader_moment(r, id, &r->scratch, ret, err);
    return rc == SQL_DONE ? err_set(err, ERR_NOTFOUND, "no memory %lld", (long long)id) : rc;
}

static int open_memory(struct reader *r, int64_t id, struct arena *arena, struct recall_opened *ret,
                       struct errmsg *err)
{
    struct moment_row m;
    int rc = find_moment(r, id, &m, err);
    if (rc == 0)
        rc = reader_item(r, &m, arena, &ret->item, err);
    if (rc == 0)
        rc = reader_gist(r, id, arena, &ret->gist, err);
    if (rc)
        return rc;
    const struct known_stream *stream = reader_known_stream(r, m.stream);
    ret->kind = stream ? stream_kind_name(stream->kind) : NULL;
    ret->seq_first = m.seq_first;
    ret->seq_last = m.seq_last;
    ret->records = m.records;
    ret->parent = m.parent;
    rc = m.stratum == STRATUM_MOMENT ? open_moment_body(r, &m, arena, ret, err)
                                     : open_children(r, &m, arena, ret, err);
    if (rc == 0)
        rc = open_details(r, id, arena, ret, err);
    if (rc == 0)
        rc = open_unusual(r, id, arena, ret, err);
    if (rc == 0)
        rc = open_entities(r, id, arena, ret, err);
    if (rc == 0)
        rc = open_neighbour(r, &m, true, &ret->before, err);
    if (rc == 0)
        rc = open_neighbour(r, &m, false, &ret->after, err);
    return rc;
}

int recall_open(struct reader *r, int64_t id, struct arena *arena, struct recall_opened *ret,
                struct errmsg *err)
{
    *ret = (struct recall_opened){0};
    int rc = reader_begin(r, err);
    return reader_end(r, rc ? rc : open_memory(r, id, arena, ret, err));
}

/* ---- raw ---- */

static int raw(struct reader *r, int64_t id, uint32_t first, struct arena *arena,
               struct recall_raw *ret, struct errmsg *err)
{
    struct moment_row m;
    struct record *records;
    int rc = find_moment(r, id, &m, err);
    if (rc)
        return rc;
    if (m.stratum != STRATUM_MOMENT)
        return err_set(err, ERR_INVALID, "memory %lld is of stratum %d: its moments have evidence",
                       (long long)id, m.stratum);
    rc = reader_evidence(r, id, arena, &records, &ret->total, err);
    if (rc == SQL_DONE)
        return err_set(err, ERR_NOTFOUND, "the evidence of memory %lld was let go; its gist stays",
                       (long long)id);
    if (rc)
        return rc;
    const struct known_stream *stream = reader_known_stream(r, m.stream);
    ret->id = id;
    ret->stream = arena_copy(arena, stream ? stream->name : "", stream ? strlen(stream->name) : 0);
    ret->kind = stream ? stream_kind_name(stream->kind) : "text";
    ret->first = first < ret->total ? first : ret->total;
    ret->records = records + ret->first;
    size_t bytes = 0;
    for (uint32_t i = ret->first; i < ret->total; i++) {
        bytes += record_payload_size(&records[i]);
        if (bytes > RAW_BYTES && ret->count > 0)
            break;
        ret->count++;
    }
    if (!ret->stream)
        return reader_nomem(err);
    if (!stream || stream->kind != KIND_SENSOR)
        return 0;
    return read_channels(r, m.stream, arena, &ret->channels, &ret->channel_count, err);
}

int recall_raw(struct reader *r, int64_t id, uint32_t first, struct arena *arena,
               struct recall_raw *ret, struct errmsg *err)
{
    *ret = (struct recall_raw){0};
    int rc = reader_begin(r, err);
    return reader_end(r, rc ? rc : raw(r, id, first, arena, ret, err));
}
