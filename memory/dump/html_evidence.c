/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the timeline page shows of evidence: excerpts of the most unusual moments, and of sensor
 * streams the range of a few channels in each moment. Decoding is what costs here, some tens of
 * microseconds a moment, so very many moments are drawn from every second, third, … one.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "memory/dump/html.h"

#define EXCERPT_LINES 40
#define EXCERPT_LINE_SIZE 400
#define EXCERPT_RECORDS 256 /* sensor: values a channel */
#define EXCERPT_CHANNELS 4
#define EXCERPTS_SIZE_MAX (12u << 20) /* bytes of JSON, all together */
#define SPARK_CHANNELS 6
#define SPARK_DECODES 30000

int page_channel_of(const struct file_stream *stream, const char *why)
{
    int best = -1;
    size_t longest = 0;
    for (uint32_t c = 0; c < stream->channel_count; c++) {
        const char *name = stream->channels[c];
        size_t n = name ? strlen(name) : 0;
        if (n > longest && strncmp(why, name, n) == 0 && (!why[n] || strchr(" :,;=", why[n]))) {
            longest = n;
            best = (int)c;
        }
    }
    return best;
}

static int compare_unusual(const void *a, const void *b)
{
    const struct file_span *x = *(const struct file_span *const *)a;
    const struct file_span *y = *(const struct file_span *const *)b;
    if (x->score != y->score)
        return x->score < y->score ? 1 : -1;
    double u = file_heat(x), v = file_heat(y);
    return (u < v) - (u > v);
}

/* Marks which records to show: around what was unusual first, then from the beginning on. */
static uint32_t choose_lines(uint32_t count, const struct file_unusual *unusual, uint32_t runs,
                             bool *chosen)
{
    uint32_t taken = 0;
    for (uint32_t u = 0; u < runs; u++) {
        uint32_t from = unusual[u].first > 3 ? unusual[u].first - 3 : 0;
        uint32_t until = unusual[u].last < count ? unusual[u].last + 4 : count;
        for (uint32_t i = from; i < until && i < from + 16 && i < count; i++)
            if (!chosen[i] && taken < EXCERPT_LINES) {
                chosen[i] = true;
                taken++;
            }
    }
    for (uint32_t i = 0; i < count && taken < EXCERPT_LINES; i++)
        if (!chosen[i]) {
            chosen[i] = true;
            taken++;
        }
    return taken;
}

static void put_line(struct jsonw *w, struct slice text)
{
    char line[EXCERPT_LINE_SIZE + 4];
    if (text.size <= EXCERPT_LINE_SIZE) {
        jsonw_string_n(w, text.data, text.size);
        return;
    }
    size_t n = utf8_cut(text.data, text.size, EXCERPT_LINE_SIZE);
    memcpy(line, text.data, n);
    memcpy(line + n, "…", sizeof("…"));
    jsonw_string_n(w, line, n + sizeof("…") - 1);
}

static void put_lines(struct jsonw *w, const struct file_span *span, const struct record *records,
                      uint32_t count, const bool *chosen)
{
    jsonw_key(w, "times");
    jsonw_array(w);
    for (uint32_t i = 0; i < count; i++)
        if (chosen[i])
            jsonw_int(w, page_ms(records[i].time) - page_ms(span->start));
    jsonw_array_end(w);
    jsonw_key(w, "index");
    jsonw_array(w);
    for (uint32_t i = 0; i < count; i++)
        if (chosen[i])
            jsonw_int(w, i);
    jsonw_array_end(w);
    jsonw_key(w, "lines");
    jsonw_array(w);
    for (uint32_t i = 0; i < count; i++)
        if (chosen[i])
            put_line(w, records[i].text);
    jsonw_array_end(w);
}

static bool has_channel(const struct record *records, uint32_t count, uint16_t channel)
{
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t k = 0; k < records[i].sample_count; k++)
            if (records[i].samples[k].channel == channel)
                return true;
    return false;
}

/* The channels that the reasons name, then the first ones there are. */
static int choose_channels(const struct file_stream *stream, const struct record *records,
                           uint32_t count, const struct file_unusual *unusual, uint32_t runs,
                           uint16_t *ret)
{
    int taken = 0;
    for (uint32_t u = 0; u < runs + stream->channel_count && taken < EXCERPT_CHANNELS; u++) {
        int c = u < runs ? page_channel_of(stream, unusual[u].why) : (int)(u - runs);
        bool known = c < 0 || !stream->channels[c];
        for (int i = 0; i < taken; i++)
            known = known || ret[i] == c;
        if (!known && has_channel(records, count, (uint16_t)c))
            ret[taken++] = (uint16_t)c;
        if (u + 1 == runs && taken > 0)
            break;
    }
    return taken;
}

static void put_values(struct jsonw *w, const struct file_stream *stream,
                       const struct file_span *span, const struct record *records, uint32_t count,
                       const struct file_unusual *unusual, uint32_t runs)
{
    uint16_t channels[EXCERPT_CHANNELS];
    int n = choose_channels(stream, records, count, unusual, runs, channels);
    jsonw_key(w, "times");
    jsonw_array(w);
    for (uint32_t i = 0; i < count; i++)
        jsonw_int(w, page_ms(records[i].time) - page_ms(span->start));
    jsonw_array_end(w);
    jsonw_key(w, "values");
    jsonw_array(w);
    for (int c = 0; c < n; c++) {
        jsonw_object(w);
        jsonw_kv_string(w, "channel", stream->channels[channels[c]]);
        jsonw_key(w, "values");
        jsonw_array(w);
        for (uint32_t i = 0; i < count; i++) {
            double v = NAN;
            for (uint32_t k = 0; k < records[i].sample_count; k++)
                if (records[i].samples[k].channel == channels[c])
                    v = records[i].samples[k].value;
            jsonw_double(w, v == 0 ? v : (double)(float)v);
        }
        jsonw_array_end(w);
        jsonw_object_end(w);
    }
    jsonw_array_end(w);
}

static int put_excerpt(struct page *p, const struct file_span *span, struct jsonw *w,
                       struct arena *arena, struct errmsg *err)
{
    struct record *records;
    struct file_unusual *unusual;
    uint32_t count, runs;
    const struct file_stream *stream = file_stream(p->f, span->stream);
    int r = file_evidence(p->f, span->id, arena, &records, &count, err);
    if (r == 0)
        r = file_unusual(p->f, span->id, arena, &unusual, &runs, err);
    if (r || count == 0 || !stream)
        return r;
    char key[16];
    snprintf(key, sizeof(key), "%u", (uint32_t)(span - p->spans[0]));
    jsonw_key(w, key);
    jsonw_object(w);
    if (stream->row.kind == KIND_SENSOR) {
        put_values(w, stream, span, records, count < EXCERPT_RECORDS ? count : EXCERPT_RECORDS,
                   unusual, runs);
    } else {
        bool *chosen = mem_calloc(count, sizeof(*chosen));
        if (!chosen)
            return err_set(err, ERR_NOMEM, "%s", err_text(ERR_NOMEM));
        choose_lines(count, unusual, runs, chosen);
        put_lines(w, span, records, count, chosen);
        mem_free(chosen);
    }
    jsonw_object_end(w);
    return 0;
}

int page_ranked(const struct page *p, const struct file_span ***ret, struct errmsg *err)
{
    uint32_t n = p->counts[0];
    const struct file_span **ranked = mem_calloc(n ? n : 1, sizeof(const struct file_span *));
    if (!ranked)
        return err_set(err, ERR_NOMEM, "%s", err_text(ERR_NOMEM));
    for (uint32_t i = 0; i < n; i++)
        ranked[i] = &p->spans[0][i];
    qsort(ranked, n, sizeof(*ranked), compare_unusual);
    *ret = ranked;
    return 0;
}

/* Lines and values; sound and pictures are shown as such. */
static bool has_excerpt(const struct page *p, const struct file_span *span)
{
    const struct file_stream *stream = file_stream(p->f, span->stream);
    return span->evidence && stream &&
           (stream->row.kind == KIND_TEXT || stream->row.kind == KIND_SENSOR);
}

int page_excerpts(struct page *p, struct errmsg *err)
{
    struct jsonw w;
    struct arena arena;
    uint32_t n = p->counts[0], left = p->o->excerpts;
    const struct file_span **ranked = NULL;
    int r = page_ranked(p, &ranked, err);
    if (r)
        return r;
    arena_init(&arena, 256u << 10);
    jsonw_init(&w, &p->excerpts);
    jsonw_object(&w);
    for (uint32_t i = 0; r == 0 && i < n && left > 0 && p->excerpts.size < EXCERPTS_SIZE_MAX; i++) {
        if (!has_excerpt(p, ranked[i]))
            continue;
        arena_reset(&arena);
        r = put_excerpt(p, ranked[i], &w, &arena, err);
        left--;
    }
    jsonw_object_end(&w);
    arena_deinit(&arena);
    mem_free(ranked);
    return r;
}

struct spark {
    uint16_t channel;
    uint32_t named; /* how many reasons are about it */
    double low, high;
    float *range; /* low and high of each moment of the stream; NAN: no value */
};

struct sparks {
    const struct file_stream *stream;
    struct spark list[SPARK_CHANNELS];
    int count;
    uint32_t moments;
};

static void choose_sparks(struct page *p, struct sparks *s)
{
    uint32_t named[CHANNELS_MAX] = {0};
    for (uint32_t i = 0; i < p->counts[0]; i++) {
        const struct file_span *span = &p->spans[0][i];
        if (span->stream != s->stream->row.id)
            continue;
        s->moments++;
        int c = span->score >= 0.5 ? page_channel_of(s->stream, span->why) : -1;
        if (c >= 0)
            named[c]++;
    }
    while (s->count < SPARK_CHANNELS) {
        int best = -1;
        for (uint32_t c = 0; c < s->stream->channel_count; c++) {
            bool taken = !s->stream->channels[c];
            for (int i = 0; i < s->count; i++)
                taken = taken || s->list[i].channel == c;
            if (!taken && (best < 0 || named[c] > named[best]))
                best = (int)c;
        }
        if (best < 0)
            break;
        s->list[s->count++] = (struct spark){
            .channel = (uint16_t)best, .named = named[best], .low = INFINITY, .high = -INFINITY};
    }
}

static void add_sample(struct sparks *s, uint32_t moment, const struct sample *sample)
{
    for (int i = 0; i < s->count; i++) {
        struct spark *k = &s->list[i];
        if (k->channel != sample->channel || !isfinite(sample->value))
            continue;
        float v = (float)sample->value, *range = &k->range[2 * moment];
        if (!isfinite(v))
            return;
        range[0] = isnan(range[0]) || v < range[0] ? v : range[0];
        range[1] = isnan(range[1]) || v > range[1] ? v : range[1];
        k->low = v < k->low ? v : k->low;
        k->high = v > k->high ? v : k->high;
        return;
    }
}

static int read_sparks(struct page *p, struct sparks *s, uint32_t stride, struct errmsg *err)
{
    struct arena arena;
    int r = 0;
    arena_init(&arena, 1u << 20);
    for (uint32_t i = 0, moment = 0; r == 0 && i < p->counts[0]; i++) {
        const struct file_span *span = &p->spans[0][i];
        if (span->stream != s->stream->row.id)
            continue;
        struct record *records;
        uint32_t count = 0;
        arena_reset(&arena);
        /* What was unusual is read in any case: a spike must not be lost to the stride. */
        if (span->evidence && (moment % stride == 0 || span->score >= 0.5))
            r = file_evidence(p->f, span->id, &arena, &records, &count, err);
        for (uint32_t k = 0; r == 0 && k < count; k++)
            for (uint32_t c = 0; c < records[k].sample_count; c++)
                add_sample(s, moment, &records[k].samples[c]);
        moment++;
    }
    arena_deinit(&arena);
    return r;
}

/* Two bytes a moment: where its lowest and highest value lie between the stream's; 255, 0: no
 * value. */
static void put_spark(struct jsonw *w, const struct sparks *s, const struct spark *k, uint32_t lane)
{
    uint8_t *bytes = mem_alloc(2 * (size_t)s->moments + 1);
    if (!bytes) {
        w->out->failed = true;
        return;
    }
    double scale = k->high > k->low ? 255 / (k->high - k->low) : 0;
    for (uint32_t m = 0; m < s->moments; m++) {
        const float *range = &k->range[2 * m];
        bool known = !isnan(range[0]);
        bytes[2 * m] = known ? (uint8_t)lrint((range[0] - k->low) * scale) : 255;
        bytes[2 * m + 1] = known ? (uint8_t)lrint((range[1] - k->low) * scale) : 0;
        if (known && !scale)
            bytes[2 * m] = bytes[2 * m + 1] = 128;
    }
    jsonw_object(w);
    jsonw_kv_int(w, "stream", lane);
    jsonw_kv_string(w, "channel", s->stream->channels[k->channel]);
    jsonw_kv_double(w, "low", k->low);
    jsonw_kv_double(w, "high", k->high);
    jsonw_key(w, "data");
    jsonw_base64(w, bytes, 2 * (size_t)s->moments);
    jsonw_object_end(w);
    mem_free(bytes);
}

static int put_stream_sparks(struct page *p, struct jsonw *w, uint32_t lane, uint32_t stride,
                             struct errmsg *err)
{
    struct sparks s = {.stream = &p->f->streams[lane]};
    choose_sparks(p, &s);
    int r = 0;
    for (int i = 0; i < s.count; i++) {
        s.list[i].range = mem_alloc((2 * (size_t)s.moments + 1) * sizeof(float));
        if (!s.list[i].range)
            r = err_set(err, ERR_NOMEM, "%s", err_text(ERR_NOMEM));
        for (uint32_t m = 0; r == 0 && m < 2 * s.moments; m++)
            s.list[i].range[m] = NAN;
    }
    if (r == 0 && s.moments)
        r = read_sparks(p, &s, stride, err);
    for (int i = 0; i < s.count; i++) {
        if (r == 0 && s.list[i].low <= s.list[i].high)
            put_spark(w, &s, &s.list[i], lane);
        mem_free(s.list[i].range);
    }
    return r;
}

int page_sparks(struct page *p, struct errmsg *err)
{
    struct jsonw w;
    uint32_t sensor = 0;
    for (uint32_t i = 0; i < p->counts[0]; i++) {
        const struct file_stream *stream = file_stream(p->f, p->spans[0][i].stream);
        sensor += stream && stream->row.kind == KIND_SENSOR;
    }
    jsonw_init(&w, &p->sparks);
    jsonw_array(&w);
    int r = 0;
    for (uint32_t lane = 0; r == 0 && lane < p->f->stream_count; lane++)
        if (p->f->streams[lane].row.kind == KIND_SENSOR)
            r = put_stream_sparks(p, &w, lane, sensor / SPARK_DECODES + 1, err);
    jsonw_array_end(&w);
    return r;
}
