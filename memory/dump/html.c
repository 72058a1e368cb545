/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The timeline as one page: memory/dump/timeline/ with the data in its middle. Everything is
 * gathered from one snapshot first and written afterwards, so an error never leaves half a page.
 *
 * The data is one JSON object. `strata` counts the nodes of each stratum, moments first; the
 * columns id, start (milliseconds since the node before), length (ms), stream (index, -1 above
 * moments), parent (id, 0: none), bits (of the most surprising record, tenths), mean (tenths),
 * score (hundredths), records, path, title and gist (indices into `texts`, -1: none) have a value a
 * node, ordered by start within a stratum. unusual: [node, offset ms, length ms, bits, z, score,
 * why]. mentions, excerpts and media are by node. sparks: two bytes a moment of the stream. "<" is
 * written as \u003c throughout, so that no text can end the script element it stands in.
 *
 * Sizes: 100,000 moments make a page of about 20 MB; what would make it much larger is left out,
 * least unusual first, and the page says so.
 */
#include "memory/dump/html.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "memory/dump/timeline_page.h"

#define MOMENTS_MAX 300000u
#define GISTS_SIZE_MAX (24u << 20)
#define MENTIONS_MAX 400000u
#define MENTIONS_PER_SPAN 12

static const char *const stratum_names[STRATA] = {"moments", "episodes", "hours",
                                                  "days",    "weeks",    "months"};

static int no_memory(struct errmsg *err)
{
    return err_set(err, ERR_NOMEM, "%s", err_text(ERR_NOMEM));
}

static void note(struct page *p, const char *before, uint64_t n, const char *behind)
{
    struct jsonw w;
    char text[200];
    snprintf(text, sizeof(text), "%s%llu%s", before, (unsigned long long)n, behind);
    if (p->notes.size)
        buf_putc(&p->notes, ',');
    jsonw_init(&w, &p->notes);
    jsonw_string(&w, text);
}

static uint32_t node_count(const struct page *p)
{
    uint32_t n = 0;
    for (int s = 0; s < STRATA; s++)
        n += p->counts[s];
    return n;
}

static struct file_span *node(const struct page *p, uint32_t n)
{
    int s = 0;
    while (n >= p->counts[s])
        n -= p->counts[s++];
    return &p->spans[s][n];
}

static int load_spans(struct page *p, struct errmsg *err)
{
    for (int s = 0; s < STRATA; s++) {
        int r = file_spans(p->f, s, MOMENTS_MAX, &p->arena, &p->spans[s], &p->counts[s], err);
        if (r)
            return r;
        if (s == 0 && p->counts[0] == MOMENTS_MAX) {
            p->f->filter.since = p->spans[0][0].start;
            note(p, "Only the newest ", MOMENTS_MAX,
                 " moments are in this page; --since and --until choose others.");
        }
    }
    return 0;
}

static int load_gist(struct page *p, uint32_t n, uint64_t *left_out, struct errmsg *err)
{
    const char *text;
    struct arena arena;
    arena_init(&arena, 4u << 10);
    int r = file_gist(p->f, node(p, n)->id, &arena, &text, err);
    if (r == 0 && text && text[0] && strcmp(text, node(p, n)->title) != 0) {
        uint32_t number;
        if (p->texts.bytes.size > GISTS_SIZE_MAX)
            ++*left_out;
        else if (intern_put(&p->texts, text, strlen(text), &number) != 0)
            r = no_memory(err);
        else
            p->gists[n] = number;
    }
    arena_deinit(&arena);
    return r;
}

/* Those of the higher strata and of unusual moments first, then the newest, while there is room. */
static int load_gists(struct page *p, struct errmsg *err)
{
    uint32_t count = node_count(p);
    uint64_t left_out = 0;
    int r = 0;
    p->gists = mem_alloc((count + 1) * sizeof(*p->gists));
    if (!p->gists)
        return no_memory(err);
    for (uint32_t n = 0; n < count; n++)
        p->gists[n] = -1;
    for (uint32_t n = count; r == 0 && n-- > 0;)
        if (n >= p->counts[0] || node(p, n)->score >= 0.5)
            r = load_gist(p, n, &left_out, err);
    for (uint32_t n = p->counts[0]; r == 0 && n-- > 0;)
        if (node(p, n)->score < 0.5)
            r = load_gist(p, n, &left_out, err);
    if (left_out)
        note(p, "The gists of ", left_out, " usual moments are left out to keep this page small.");
    return r;
}

static int64_t scaled(double v, double by)
{
    v *= by;
    return v > 1e9 ? 1000000000 : v < -1e9 ? -1000000000 : llrint(v);
}

static int load_unusual(struct page *p, struct errmsg *err)
{
    struct jsonw w;
    struct arena arena;
    int r = 0;
    arena_init(&arena, 16u << 10);
    jsonw_init(&w, &p->unusual);
    jsonw_array(&w);
    for (uint32_t n = 0; r == 0 && n < p->counts[0]; n++) {
        struct file_span *span = &p->spans[0][n];
        struct file_unusual *list;
        uint32_t count = 0;
        if (span->score <= 0)
            continue;
        arena_reset(&arena);
        r = file_unusual(p->f, span->id, &arena, &list, &count, err);
        for (uint32_t i = 0; r == 0 && i < count; i++) {
            const struct file_unusual *u = &list[i];
            uint32_t why;
            if (u->score < 0.5 && !u->why[0])
                continue;
            if (intern_put(&p->texts, u->why, strlen(u->why), &why) != 0) {
                r = no_memory(err);
                break;
            }
            jsonw_array(&w);
            jsonw_int(&w, n);
            jsonw_int(&w, page_ms(u->start) - page_ms(span->start));
            jsonw_int(&w, page_ms(u->end) - page_ms(u->start));
            jsonw_int(&w, scaled(u->bits, 10));
            jsonw_int(&w, scaled(u->z, 10));
            jsonw_int(&w, scaled(u->score, 100));
            jsonw_int(&w, why);
            jsonw_array_end(&w);
        }
    }
    jsonw_array_end(&w);
    arena_deinit(&arena);
    return r;
}

static int put_mentions(struct page *p, uint32_t n, struct jsonw *w, uint32_t *total,
                        struct arena *arena, struct errmsg *err)
{
    struct file_entity *list;
    uint32_t count;
    char key[16];
    int r = file_entities(p->f, node(p, n)->id, MENTIONS_PER_SPAN, arena, &list, &count, err);
    if (r || count == 0)
        return r;
    snprintf(key, sizeof(key), "%u", n);
    jsonw_key(w, key);
    jsonw_array(w);
    struct buf pair = {0};
    for (uint32_t i = 0; r == 0 && i < count; i++) {
        struct jsonw one;
        uint32_t number;
        buf_clear(&pair);
        jsonw_init(&one, &pair);
        jsonw_array(&one);
        jsonw_string(&one, list[i].kind);
        jsonw_string(&one, list[i].name);
        jsonw_array_end(&one);
        if (buf_failed(&pair) || intern_put(&p->entities, pair.data, pair.size, &number) != 0)
            r = no_memory(err);
        else
            jsonw_int(w, number);
    }
    buf_deinit(&pair);
    jsonw_array_end(w);
    *total += count;
    return r;
}

static int load_mentions(struct page *p, struct errmsg *err)
{
    struct jsonw w;
    struct arena arena;
    uint32_t total = 0;
    int r = 0;
    arena_init(&arena, 4u << 10);
    jsonw_init(&w, &p->mentions);
    jsonw_object(&w);
    for (uint32_t n = node_count(p); r == 0 && n-- > 0 && total < MENTIONS_MAX;) {
        arena_reset(&arena);
        r = put_mentions(p, n, &w, &total, &arena, err);
    }
    jsonw_object_end(&w);
    arena_deinit(&arena);
    return r;
}

static int gather(struct page *p, struct errmsg *err)
{
    uint64_t left_out = 0;
    int r = file_begin(p->f, err);
    if (r)
        return r;
    r = load_spans(p, err);
    if (r == 0)
        r = load_gists(p, err);
    if (r == 0)
        r = load_unusual(p, err);
    if (r == 0)
        r = load_mentions(p, err);
    if (r == 0)
        r = page_excerpts(p, err);
    if (r == 0)
        r = page_media(p, &left_out, err);
    if (r == 0 && left_out)
        note(p, "Thumbnails and waveforms of ", left_out,
             " moments are left out to keep this page small; --since and --until choose others.");
    if (r == 0)
        r = page_sparks(p, err);
    file_end(p->f);
    bool failed = buf_failed(&p->unusual) || buf_failed(&p->mentions) || buf_failed(&p->excerpts) ||
                  buf_failed(&p->media) || buf_failed(&p->sparks) || buf_failed(&p->notes);
    return r == 0 && failed ? no_memory(err) : r;
}

/* Writes out what stands in `json`, "<" escaped, and empties it. */
static int pass_on(struct dump_out *out, struct buf *json, struct errmsg *err)
{
    if (buf_failed(json))
        return no_memory(err);
    for (size_t at = 0; at < json->size;) {
        const char *hit = memchr(json->data + at, '<', json->size - at);
        size_t until = hit ? (size_t)(hit - json->data) : json->size;
        buf_append(&out->buf, json->data + at, until - at);
        if (hit)
            buf_puts(&out->buf, "\\u003c");
        at = until + (hit != NULL);
        int r = dump_out_flush(out, false, err);
        if (r)
            return r;
    }
    buf_clear(json);
    return 0;
}

static int64_t lane_of(const struct page *p, int64_t stream)
{
    for (uint32_t i = 0; i < p->f->stream_count; i++)
        if (p->f->streams[i].row.id == stream)
            return i;
    return -1;
}

enum column {
    COL_ID,
    COL_START,
    COL_LENGTH,
    COL_STREAM,
    COL_PARENT,
    COL_BITS,
    COL_MEAN,
    COL_SCORE,
    COL_RECORDS,
    COL_PATH,
    COL_TITLE,
    COL_GIST,
    COLUMNS
};

static int64_t column_value(struct page *p, enum column c, uint32_t n, const struct file_span *span,
                            int64_t *last)
{
    uint32_t title = 0;
    switch (c) {
    case COL_ID:
        return span->id;
    case COL_START: {
        int64_t delta = page_ms(span->start) - *last;
        *last = page_ms(span->start);
        return delta;
    }
    case COL_LENGTH:
        return page_ms(span->end) - page_ms(span->start);
    case COL_STREAM:
        return lane_of(p, span->stream);
    case COL_PARENT:
        return span->parent;
    case COL_BITS:
        return scaled(span->bits_max, 10);
    case COL_MEAN:
        return scaled(span->bits, 10);
    case COL_SCORE:
        return scaled(span->score, 100);
    case COL_RECORDS:
        return span->records;
    case COL_PATH:
        return span->path;
    case COL_TITLE:
        /* Out of memory shows as texts.bytes having failed, which the end asks for. */
        if (intern_put(&p->texts, span->title, strlen(span->title), &title) != 0)
            p->texts.bytes.failed = true;
        return title;
    default:
        return p->gists[n];
    }
}

static int put_columns(struct page *p, struct dump_out *out, struct jsonw *w, struct errmsg *err)
{
    static const char *const names[COLUMNS] = {"id",      "start", "length", "stream",
                                               "parent",  "bits",  "mean",   "score",
                                               "records", "path",  "title",  "gist"};
    uint32_t count = node_count(p);
    for (int c = 0; c < COLUMNS; c++) {
        int64_t last = 0;
        jsonw_key(w, names[c]);
        jsonw_array(w);
        for (uint32_t n = 0; n < count; n++) {
            jsonw_int(w, column_value(p, (enum column)c, n, node(p, n), &last));
            int r = w->out->size > (64u << 10) ? pass_on(out, w->out, err) : 0;
            if (r)
                return r;
        }
        jsonw_array_end(w);
    }
    return buf_failed(&p->texts.bytes) ? no_memory(err) : 0;
}

static void put_stream(struct jsonw *w, const struct file_stream *stream)
{
    const struct store_stream *s = &stream->row;
    jsonw_object(w);
    jsonw_kv_string(w, "name", s->name);
    jsonw_kv_string(w, "kind", stream_kind_name(s->kind));
    jsonw_kv_string(w, "source", s->source);
    jsonw_kv_int(w, "records", (int64_t)s->records);
    jsonw_kv_int(w, "late", (int64_t)s->late);
    jsonw_kv_int(w, "gaps", (int64_t)s->gaps);
    jsonw_kv_int(w, "dropped", (int64_t)s->dropped);
    jsonw_kv_int(w, "redacted", (int64_t)s->redacted);
    jsonw_key(w, "first");
    if (s->first_time == TIME_UNKNOWN)
        jsonw_null(w);
    else
        jsonw_int(w, page_ms(s->first_time));
    jsonw_key(w, "last");
    if (s->last_time == TIME_UNKNOWN)
        jsonw_null(w);
    else
        jsonw_int(w, page_ms(s->last_time));
    jsonw_object_end(w);
}

static void put_head(struct page *p, struct jsonw *w)
{
    const char *slash = strrchr(p->f->path, '/');
    jsonw_kv_int(w, "format", 1);
    jsonw_kv_string(w, "file", slash ? slash + 1 : p->f->path);
    jsonw_kv_string(w, "version", VARVE_VERSION);
    jsonw_kv_int(w, "made", page_ms(clock_now(clock_system())));
    jsonw_key(w, "streams");
    jsonw_array(w);
    for (uint32_t i = 0; i < p->f->stream_count; i++)
        put_stream(w, &p->f->streams[i]);
    jsonw_array_end(w);
    jsonw_key(w, "strata");
    jsonw_array(w);
    for (int s = 0; s < STRATA; s++) {
        jsonw_object(w);
        jsonw_kv_int(w, "stratum", s);
        jsonw_kv_string(w, "name", stratum_names[s]);
        jsonw_kv_int(w, "count", p->counts[s]);
        jsonw_object_end(w);
    }
    jsonw_array_end(w);
}

static int put_interned(const struct intern *t, bool raw, struct dump_out *out, struct jsonw *w,
                        struct errmsg *err)
{
    int r = 0;
    jsonw_array(w);
    for (uint32_t i = 0; r == 0 && i < t->count; i++) {
        struct slice s = intern_get(t, i);
        if (raw)
            jsonw_raw(w, s.data, s.size);
        else
            jsonw_string_n(w, s.data, s.size);
        if (w->out->size > (64u << 10))
            r = pass_on(out, w->out, err);
    }
    jsonw_array_end(w);
    return r;
}

static void put_finished(struct jsonw *w, const char *key, const struct buf *json)
{
    jsonw_key(w, key);
    jsonw_raw(w, json->data, json->size);
}

static int put_data(struct page *p, struct dump_out *out, struct buf *json, struct errmsg *err)
{
    struct jsonw w;
    jsonw_init(&w, json);
    jsonw_object(&w);
    put_head(p, &w);
    int r = put_columns(p, out, &w, err);
    if (r)
        return r;
    jsonw_key(&w, "texts");
    r = put_interned(&p->texts, false, out, &w, err);
    jsonw_key(&w, "entities");
    if (r == 0)
        r = put_interned(&p->entities, true, out, &w, err);
    put_finished(&w, "unusual", &p->unusual);
    put_finished(&w, "mentions", &p->mentions);
    put_finished(&w, "excerpts", &p->excerpts);
    put_finished(&w, "media", &p->media);
    put_finished(&w, "sparks", &p->sparks);
    jsonw_key(&w, "notes");
    jsonw_array(&w);
    if (p->notes.size)
        jsonw_raw(&w, p->notes.data, p->notes.size);
    jsonw_array_end(&w);
    jsonw_object_end(&w);
    return r ? r : pass_on(out, json, err);
}

static int put_page(struct page *p, struct dump_out *out, struct errmsg *err)
{
    struct buf json = {0};
    buf_append(&out->buf, timeline_head, timeline_head_size);
    int r = put_data(p, out, &json, err);
    buf_append(&out->buf, timeline_tail, timeline_tail_size);
    buf_deinit(&json);
    return r;
}

int dump_html(struct dump_file *f, const struct dump_options *o, struct dump_out *out,
              struct errmsg *err)
{
    struct page p = {.f = f, .o = o};
    arena_init(&p.arena, 1u << 20);
    int r = gather(&p, err);
    if (r == 0)
        r = put_page(&p, out, err);
    struct buf *parts[] = {&p.unusual, &p.mentions, &p.excerpts, &p.media, &p.sparks, &p.notes};
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        buf_deinit(parts[i]);
    intern_deinit(&p.texts);
    intern_deinit(&p.entities);
    mem_free(p.gists);
    arena_deinit(&p.arena);
    return r;
}
