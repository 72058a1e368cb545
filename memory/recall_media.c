/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sound and pictures for people: what the body of such a memory says, and the file that a player
 * opens. Sound is packed as it is for keeping; pictures go into an AVI, a single one is a file by
 * itself. Sizes: a moment is at most some MiB, and so is its file.
 */
#include <math.h>
#include <string.h>

#include "base/media.h"
#include "base/timestamp.h"
#include "memory/avi.h"
#include "memory/flac.h"
#include "memory/reader_internal.h"

#define LEVELS 30 /* lines of a body */
#define HEAD_SIZE 50
#define LEVEL_SIZE 68

/* ---- body ---- */

static void put_decibels(struct buf *out, double level)
{
    if (level > 0)
        buf_printf(out, "%.1f dBFS", 20 * log10(level / 32768));
    else
        buf_puts(out, "silent");
}

struct level {
    double sum, peak; /* of squares; of the loudest sample */
    size_t samples;
};

static void add_level(struct level *l, struct slice pcm)
{
    const unsigned char *at = (const unsigned char *)pcm.data;
    for (size_t i = 0; i + 1 < pcm.size; i += 2) {
        double v = (int16_t)(at[i] | at[i + 1] << 8);
        l->sum += v * v;
        l->peak = fabs(v) > l->peak ? fabs(v) : l->peak;
    }
    l->samples += pcm.size / 2;
}

/* How loud it was, in at most LEVELS steps. */
static void body_sound(struct buf *out, const struct record *records, uint32_t count)
{
    char time[TIMESTAMP_SIZE];
    uint32_t step = (count + LEVELS - 1) / LEVELS;
    for (uint32_t i = 0; i < count; i += step) {
        struct level l = {0};
        for (uint32_t k = i; k < i + step && k < count; k++)
            add_level(&l, records[k].media);
        buf_printf(out, "%s %.1f s, ", timestamp_format(records[i].time, time),
                   (double)l.samples / AUDIO_RATE);
        put_decibels(out, sqrt(l.sum / (double)(l.samples ? l.samples : 1)));
        if (l.peak > 0) {
            buf_puts(out, ", peak ");
            put_decibels(out, l.peak);
        }
        buf_putc(out, '\n');
    }
}

void reader_media_body(struct buf *out, enum stream_kind kind, const struct record *records,
                       uint32_t count, struct recall_media *ret)
{
    struct media_jpeg head;
    size_t bytes = 0;
    for (uint32_t i = 0; i < count; i++)
        bytes += records[i].media.size;
    if (count == 0)
        return;
    if (kind == KIND_AUDIO) {
        ret->seconds = (double)(bytes / 2) / AUDIO_RATE;
        buf_printf(out, "%.1f s of sound, 16 kHz mono, in %u records\n", ret->seconds, count);
        body_sound(out, records, count);
        return;
    }
    ret->seconds = (double)(records[count - 1].time - records[0].time) / US_PER_SECOND;
    ret->frames = count;
    if (media_jpeg_header(records[0].media, &head, NULL) == 0) {
        ret->width = head.width;
        ret->height = head.height;
    }
    buf_printf(out, "%u frame%s of %ux%u in %.1f s, %zu bytes of JPEG\n", count,
               count == 1 ? "" : "s", ret->width, ret->height, ret->seconds, bytes);
}

uint64_t reader_media_body_size(enum stream_kind kind, uint64_t records)
{
    uint64_t lines = records < LEVELS ? records : LEVELS;
    return HEAD_SIZE + (kind == KIND_AUDIO ? lines * LEVEL_SIZE : 0);
}

/* ---- file ---- */

static int make_sound(const struct record *records, uint32_t count, struct recall_file *ret)
{
    struct buf pcm = {0};
    for (uint32_t i = 0; i < count; i++)
        buf_append(&pcm, records[i].media.data, records[i].media.size);
    int r = buf_failed(&pcm) ? ERR_NOMEM : flac_encode(pcm.data, pcm.size, &ret->data);
    ret->type = "audio/flac";
    buf_deinit(&pcm);
    return r;
}

static int make_pictures(const struct record *records, uint32_t count, struct recall_file *ret)
{
    if (count == 1) {
        ret->type = "image/jpeg";
        buf_append(&ret->data, records[0].media.data, records[0].media.size);
    } else {
        ret->type = "video/x-msvideo";
        avi_put(&ret->data, records, count);
    }
    return buf_failed(&ret->data) ? ERR_NOMEM : 0;
}

int recall_file(struct reader *r, int64_t id, struct arena *arena, struct recall_file *ret,
                struct errmsg *err)
{
    struct recall_raw raw;
    *ret = (struct recall_file){0};
    int rc = recall_raw(r, id, 0, arena, &raw, err);
    if (rc)
        return rc;
    enum stream_kind kind = KIND_TEXT;
    stream_kind_parse(raw.kind, &kind);
    if (kind != KIND_AUDIO && kind != KIND_VIDEO)
        return err_set(err, ERR_UNSUPPORTED,
                       "memory %lld is of kind %s: only sound and pictures make a file",
                       (long long)id, raw.kind);
    ret->id = id;
    ret->stream = raw.stream;
    ret->kind = raw.kind;
    rc = kind == KIND_AUDIO ? make_sound(raw.records, raw.total, ret)
                            : make_pictures(raw.records, raw.total, ret);
    if (rc)
        buf_deinit(&ret->data);
    return rc ? err_set(err, rc, "%s", err_text(rc)) : 0;
}
