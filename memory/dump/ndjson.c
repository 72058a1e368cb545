/* SPDX-License-Identifier: Apache-2.0 */
/* One span a line, a parent before its children: all that memory knows of it but latent and
 * evidence. */
#include <string.h>

#include "base/jsonw.h"
#include "memory/dump/file.h"
#include "memory/dump/sums.h"

#define ENTITIES_MAX 1000

static const char *path_name(uint32_t path)
{
    return path == PATH_LATENT ? "latent" : path == PATH_DISCRETE ? "discrete" : NULL;
}

static const char *end_name(uint32_t ended)
{
    static const char *const names[] = {NULL, "surprise", "shift", "gap", "length", "flush"};
    return ended < sizeof(names) / sizeof(names[0]) ? names[ended] : NULL;
}

static void put_id(struct jsonw *w, const char *key, int64_t id)
{
    jsonw_key(w, key);
    if (id)
        jsonw_int(w, id);
    else
        jsonw_null(w);
}

static void put_span(struct jsonw *w, struct dump_file *f, const struct file_span *s)
{
    const struct file_stream *stream = file_stream(f, s->stream);
    jsonw_kv_int(w, "id", s->id);
    jsonw_kv_int(w, "stratum", s->stratum);
    jsonw_kv_string(w, "name", stratum_name(s->stratum));
    put_id(w, "parent", s->parent);
    jsonw_kv_string(w, "stream", stream ? stream->row.name : NULL);
    jsonw_kv_time(w, "start", s->start);
    jsonw_kv_time(w, "end", s->end);
    jsonw_kv_string(w, "title", s->title);
    jsonw_kv_int(w, "records", s->records);
    jsonw_kv_int(w, "bytes", s->bytes);
    jsonw_kv_fixed(w, "bits", s->bits, 3);
    jsonw_kv_fixed(w, "bits_max", s->bits_max, 3);
    jsonw_kv_fixed(w, "z", s->z, 3);
    jsonw_kv_int(w, "model", s->model);
    jsonw_kv_bool(w, "pinned", s->pinned);
    if (s->stratum != 0)
        return;
    jsonw_key(w, "seq_first");
    jsonw_u64_string(w, s->seq_first);
    jsonw_key(w, "seq_last");
    jsonw_u64_string(w, s->seq_last);
    jsonw_kv_string(w, "path", path_name(s->path));
    jsonw_kv_int(w, "code", s->code);
    jsonw_kv_fixed(w, "confidence", s->confidence, 4);
    jsonw_kv_fixed(w, "tau", s->tau, 4);
    jsonw_kv_string(w, "ended", end_name(s->ended));
    jsonw_kv_bool(w, "late", s->flags & RECORD_LATE);
    jsonw_kv_bool(w, "future", s->flags & RECORD_FUTURE);
    jsonw_kv_bool(w, "redacted", s->flags & RECORD_REDACTED);
    jsonw_kv_bool(w, "evidence", s->evidence);
}

static int put_details(struct jsonw *w, struct dump_file *f, const struct file_span *s,
                       struct arena *arena, struct errmsg *err)
{
    const char *gist;
    struct file_unusual *unusual;
    struct file_entity *entities;
    uint32_t unusual_count, entity_count;
    int r = file_gist(f, s->id, arena, &gist, err);
    if (r == 0)
        r = file_unusual(f, s->id, arena, &unusual, &unusual_count, err);
    if (r == 0)
        r = file_entities(f, s->id, ENTITIES_MAX, arena, &entities, &entity_count, err);
    if (r)
        return r;
    jsonw_kv_string(w, "gist", gist);
    jsonw_key(w, "unusual");
    jsonw_array(w);
    for (uint32_t i = 0; i < unusual_count; i++) {
        jsonw_object(w);
        jsonw_kv_time(w, "start", unusual[i].start);
        jsonw_kv_time(w, "end", unusual[i].end);
        jsonw_kv_fixed(w, "bits", unusual[i].bits, 3);
        jsonw_kv_fixed(w, "z", unusual[i].z, 3);
        jsonw_kv_fixed(w, "score", unusual[i].score, 4);
        jsonw_kv_string(w, "why", unusual[i].why);
        jsonw_object_end(w);
    }
    jsonw_array_end(w);
    jsonw_key(w, "entities");
    jsonw_array(w);
    for (uint32_t i = 0; i < entity_count; i++) {
        jsonw_object(w);
        jsonw_kv_string(w, "kind", entities[i].kind);
        jsonw_kv_string(w, "name", entities[i].name);
        jsonw_kv_int(w, "count", entities[i].count);
        jsonw_object_end(w);
    }
    jsonw_array_end(w);
    return dump_sums(w, f, s, err);
}

static int walk(struct dump_file *f, const struct file_span *s, bool flat, struct dump_out *out,
                struct errmsg *err)
{
    struct arena arena;
    struct jsonw w;
    arena_init(&arena, 16u << 10);
    jsonw_init(&w, &out->buf);
    jsonw_object(&w);
    put_span(&w, f, s);
    int r = put_details(&w, f, s, &arena, err);
    jsonw_object_end(&w);
    buf_putc(&out->buf, '\n');
    if (r == 0)
        r = dump_out_flush(out, false, err);
    struct file_span *children = NULL;
    uint32_t count = 0;
    if (r == 0 && !flat && s->stratum > 0)
        r = file_children(f, s, &arena, &children, &count, err);
    for (uint32_t i = 0; r == 0 && i < count; i++)
        r = walk(f, &children[i], flat, out, err);
    arena_deinit(&arena);
    return r;
}

int dump_ndjson(struct dump_file *f, const struct dump_options *o, struct dump_out *out,
                struct errmsg *err)
{
    struct arena ids, one;
    arena_init(&ids, 64u << 10);
    arena_init(&one, 4u << 10);
    int64_t *roots;
    uint32_t count;
    int r = file_roots(f, o->stratum, &ids, &roots, &count, err);
    for (uint32_t i = 0; r == 0 && i < count; i++) {
        struct file_span span;
        arena_reset(&one);
        r = file_span(f, roots[i], &one, &span, err);
        r = r == ERR_NOTFOUND ? 0 : r ? r : walk(f, &span, o->stratum >= 0, out, err);
    }
    arena_deinit(&one);
    arena_deinit(&ids);
    return r;
}
