/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decoded sound of any rate and layout becomes mono at 16 kHz, in records of half a second. Where
 * the input's times leave a gap a record ends early and the next begins behind the gap.
 */
#include <libavutil/channel_layout.h>
#include <libswresample/swresample.h>

#include "base/clock.h"
#include "base/mem.h"
#include "media/media.h"

#define CHUNK 8000                 /* samples a record */
#define SAMPLES_MAX (1 << 20)      /* of one decoded frame */
#define GAP_US (US_PER_SECOND / 4) /* what a frame's time may be off before it counts as a gap */

struct media_audio {
    struct media_times *times;
    struct media_sink *sink;
    struct SwrContext *swr;
    int rate, format;
    AVChannelLayout layout; /* what swr was made for */
    int64_t frame_us;       /* how long the last frame was */
    int64_t time;           /* of chunk[0] */
    int count;
    int16_t chunk[CHUNK];
    int16_t *converted;
    int room;
};

int media_audio_new(struct media_times *times, struct media_sink *sink, struct media_audio **ret)
{
    struct media_audio *a = mem_calloc(1, sizeof(*a));
    if (!a)
        return ERR_NOMEM;
    a->times = times;
    a->sink = sink;
    *ret = a;
    return 0;
}

void media_audio_free(struct media_audio *a)
{
    if (!a)
        return;
    swr_free(&a->swr);
    av_channel_layout_uninit(&a->layout);
    mem_free(a->converted);
    mem_free(a);
}

static int64_t samples_us(int samples)
{
    return (int64_t)samples * US_PER_SECOND / AUDIO_RATE;
}

/* Sends the chunk as it is. The machine is little endian or this would not be the wire's order. */
static int send_chunk(struct media_audio *a, struct errmsg *err)
{
    if (a->count == 0)
        return 0;
    uint8_t wire[CHUNK * 2];
    for (int i = 0; i < a->count; i++) {
        wire[2 * i] = (uint8_t)((uint16_t)a->chunk[i] & 0xff);
        wire[2 * i + 1] = (uint8_t)((uint16_t)a->chunk[i] >> 8);
    }
    int r = media_sink_put(a->sink, a->time, wire, (size_t)a->count * 2, err);
    a->time += samples_us(a->count);
    a->count = 0;
    return r;
}

static int take(struct media_audio *a, const int16_t *samples, int count, struct errmsg *err)
{
    int r = 0;
    for (int i = 0; r == 0 && i < count; i++) {
        a->chunk[a->count++] = samples[i];
        if (a->count == CHUNK)
            r = send_chunk(a, err);
    }
    return r;
}

/* Converts `frame`, or with NULL what the resampler still holds. */
static int convert(struct media_audio *a, const AVFrame *frame, struct errmsg *err)
{
    int given = frame ? frame->nb_samples : 0;
    int most = swr_get_out_samples(a->swr, given);
    if (most < 0)
        return err_set(err, ERR_PARSE, "%s", media_reason(most));
    if (most > a->room) {
        int16_t *grown = mem_realloc(a->converted, (size_t)most * sizeof(*grown));
        if (!grown)
            return err_set(err, ERR_NOMEM, "out of memory");
        a->converted = grown;
        a->room = most;
    }
    uint8_t *out = (uint8_t *)a->converted;
    int n = most == 0 ? 0
                      : swr_convert(a->swr, &out, most,
                                    frame ? (const uint8_t **)frame->extended_data : NULL, given);
    if (n < 0)
        return err_set(err, ERR_PARSE, "%s", media_reason(n));
    return take(a, a->converted, n, err);
}

static int begin_format(struct media_audio *a, const AVFrame *frame, struct errmsg *err)
{
    AVChannelLayout mono = AV_CHANNEL_LAYOUT_MONO, from = {0};
    int channels = frame->ch_layout.nb_channels;
    if (frame->sample_rate < MEDIA_SAMPLE_RATE_MIN || frame->sample_rate > MEDIA_SAMPLE_RATE_MAX ||
        channels < 1 || channels > MEDIA_CHANNELS_MAX)
        return err_set(
            err, ERR_LIMIT, "%d channels at %d Hz: only up to %d at %d to %d Hz are read", channels,
            frame->sample_rate, MEDIA_CHANNELS_MAX, MEDIA_SAMPLE_RATE_MIN, MEDIA_SAMPLE_RATE_MAX);
    if (a->swr) {
        int r = convert(a, NULL, err);
        if (r != 0)
            return r;
    }
    swr_free(&a->swr);
    av_channel_layout_uninit(&a->layout);
    if (frame->ch_layout.order == AV_CHANNEL_ORDER_UNSPEC)
        av_channel_layout_default(&from, channels);
    else
        av_channel_layout_copy(&from, &frame->ch_layout);
    int r = swr_alloc_set_opts2(&a->swr, &mono, AV_SAMPLE_FMT_S16, AUDIO_RATE, &from,
                                (enum AVSampleFormat)frame->format, frame->sample_rate, 0, NULL);
    av_channel_layout_uninit(&from);
    if (r >= 0)
        r = swr_init(a->swr);
    if (r >= 0)
        r = av_channel_layout_copy(&a->layout, &frame->ch_layout);
    if (r < 0) {
        swr_free(&a->swr);
        return err_set(err, ERR_PARSE, "sound of this layout: %s", media_reason(r));
    }
    a->rate = frame->sample_rate;
    a->format = frame->format;
    return 0;
}

int media_audio_frame(struct media_audio *a, const AVFrame *frame, int64_t pts, int64_t now,
                      struct errmsg *err)
{
    int r = 0;
    if (frame->nb_samples <= 0 || frame->nb_samples > SAMPLES_MAX)
        return err_set(err, ERR_PARSE, "a frame of %d samples", frame->nb_samples);
    if (!a->swr || a->rate != frame->sample_rate || a->format != frame->format ||
        av_channel_layout_compare(&a->layout, &frame->ch_layout) != 0)
        r = begin_format(a, frame, err);
    if (r != 0)
        return r;
    int64_t time = media_times_map(a->times, pts, a->frame_us, now);
    int64_t expected = a->time + samples_us(a->count);
    bool gap = time < expected - GAP_US || time > expected + GAP_US;
    if (gap) {
        r = send_chunk(a, err);
        a->time = time;
    }
    a->frame_us = (int64_t)frame->nb_samples * US_PER_SECOND / frame->sample_rate;
    return r ? r : convert(a, frame, err);
}

int media_audio_end(struct media_audio *a, struct errmsg *err)
{
    int r = a->swr ? convert(a, NULL, err) : 0;
    return r ? r : send_chunk(a, err);
}
