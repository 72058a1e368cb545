/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the timeline page shows of sound and pictures: waveforms and thumbnails, the most unusual
 * moments first while there is room. Decoding is what costs, up to thirty milliseconds a moment, so
 * only so much is looked at, and the page says how many moments are not.
 *
 * `media` is by node. Sound: {"seconds", "peak" of 1, "wave"}: two signed bytes for each of at most
 * WAVE_COLUMNS equal spans, the lowest and the highest sample in 127ths of the peak. Pictures:
 * {"width", "height" of the first frame, "frames": [[ms since the node's start, JPEG], …]}, those
 * of what was unusual among them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/media.h"
#include "base/mem.h"
#include "memory/dump/html.h"
#include "model/thumbnail.h"

#define WAVE_COLUMNS 240
#define THUMBNAIL_SIDE 160
#define FRAMES_UNUSUAL 6
#define FRAMES_USUAL 3
#define DECODED_MAX (2ull << 30)   /* bytes of payload that are looked at: some ten seconds */
#define MEDIA_SIZE_MAX (12u << 20) /* bytes of JSON, all together */

static void put_wave(struct jsonw *w, const struct record *records, uint32_t count)
{
    int16_t range[2 * WAVE_COLUMNS];
    int8_t columns[2 * WAVE_COLUMNS];
    size_t total = 0, at = 0;
    int peak = 1;
    for (uint32_t i = 0; i < count; i++)
        total += records[i].media.size / 2;
    size_t n = total < WAVE_COLUMNS ? total : WAVE_COLUMNS;
    memset(range, 0, sizeof(range));
    for (uint32_t i = 0; i < count; i++) {
        const unsigned char *pcm = (const unsigned char *)records[i].media.data;
        for (size_t k = 0; k < records[i].media.size / 2; k++, at++) {
            int16_t v = (int16_t)(pcm[2 * k] | pcm[2 * k + 1] << 8);
            int16_t *column = &range[2 * (at * n / total)];
            column[0] = v < column[0] ? v : column[0];
            column[1] = v > column[1] ? v : column[1];
            peak = abs(v) > peak ? abs(v) : peak;
        }
    }
    for (size_t i = 0; i < 2 * n; i++)
        columns[i] = (int8_t)(range[i] * 127 / peak);
    jsonw_kv_double(w, "seconds", (double)total / AUDIO_RATE);
    jsonw_kv_fixed(w, "peak", peak / 32768.0, 5);
    jsonw_key(w, "wave");
    jsonw_base64(w, columns, 2 * n);
}

/* Marks up to `most` records: up to half of them where something unusual began, others evenly. */
static void choose_frames(uint32_t count, const struct file_unusual *unusual, uint32_t runs,
                          uint32_t most, bool *chosen)
{
    uint32_t taken = 0;
    for (uint32_t u = 0; u < runs && taken < most / 2; u++)
        if (unusual[u].first < count && !chosen[unusual[u].first]) {
            chosen[unusual[u].first] = true;
            taken++;
        }
    for (uint32_t i = 0, even = most - taken; i < even; i++) {
        uint32_t at = (uint32_t)((uint64_t)count * (2 * i + 1) / (2 * even));
        chosen[at] = true;
    }
}

static int put_frame(struct jsonw *w, const struct file_span *span, const struct record *r,
                     struct errmsg *err)
{
    struct buf small = {0};
    int rc = thumbnail_make(r->media, THUMBNAIL_SIDE, &small, err);
    if (rc == 0) {
        jsonw_array(w);
        jsonw_int(w, page_ms(r->time) - page_ms(span->start));
        jsonw_base64(w, small.data, small.size);
        jsonw_array_end(w);
    }
    buf_deinit(&small);
    return rc == ERR_NOMEM ? rc : 0; /* one that cannot be seen is not shown */
}

static int put_frames(struct jsonw *w, const struct file_span *span, const struct record *records,
                      uint32_t count, const struct file_unusual *unusual, uint32_t runs,
                      struct errmsg *err)
{
    struct media_jpeg head = {0};
    bool *chosen = mem_calloc(count, sizeof(*chosen));
    if (!chosen)
        return err_set(err, ERR_NOMEM, "%s", err_text(ERR_NOMEM));
    choose_frames(count, unusual, runs, span->score >= 0.5 ? FRAMES_UNUSUAL : FRAMES_USUAL, chosen);
    media_jpeg_header(records[0].media, &head, NULL);
    jsonw_kv_int(w, "width", head.width);
    jsonw_kv_int(w, "height", head.height);
    jsonw_key(w, "frames");
    jsonw_array(w);
    int r = 0;
    for (uint32_t i = 0; i < count && r == 0; i++)
        if (chosen[i])
            r = put_frame(w, span, &records[i], err);
    jsonw_array_end(w);
    mem_free(chosen);
    return r;
}

static int put_moment(struct page *p, const struct file_span *span, enum stream_kind kind,
                      struct jsonw *w, struct arena *arena, uint64_t *looked, struct errmsg *err)
{
    struct record *records;
    struct file_unusual *unusual;
    uint32_t count, runs;
    int r = file_evidence(p->f, span->id, arena, &records, &count, err);
    if (r == 0)
        r = file_unusual(p->f, span->id, arena, &unusual, &runs, err);
    if (r || count == 0)
        return r;
    for (uint32_t i = 0; i < count; i++)
        *looked += records[i].media.size;
    char key[16];
    snprintf(key, sizeof(key), "%u", (uint32_t)(span - p->spans[0]));
    jsonw_key(w, key);
    jsonw_object(w);
    if (kind == KIND_AUDIO)
        put_wave(w, records, count);
    else
        r = put_frames(w, span, records, count, unusual, runs, err);
    jsonw_object_end(w);
    return r;
}

int page_media(struct page *p, uint64_t *ret_left_out, struct errmsg *err)
{
    struct jsonw w;
    struct arena arena;
    const struct file_span **ranked;
    uint64_t looked = 0;
    int r = page_ranked(p, &ranked, err);
    if (r)
        return r;
    arena_init(&arena, 1u << 20);
    jsonw_init(&w, &p->media);
    jsonw_object(&w);
    *ret_left_out = 0;
    for (uint32_t i = 0; r == 0 && p->o->excerpts && i < p->counts[0]; i++) {
        const struct file_stream *stream = file_stream(p->f, ranked[i]->stream);
        enum stream_kind kind = stream ? stream->row.kind : KIND_TEXT;
        if ((kind != KIND_AUDIO && kind != KIND_VIDEO) || !ranked[i]->evidence)
            continue;
        if (looked > DECODED_MAX || p->media.size > MEDIA_SIZE_MAX) {
            ++*ret_left_out;
            continue;
        }
        arena_reset(&arena);
        r = put_moment(p, ranked[i], kind, &w, &arena, &looked, err);
    }
    jsonw_object_end(&w);
    arena_deinit(&arena);
    mem_free(ranked);
    return r;
}
