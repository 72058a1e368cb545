/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Of decoded pictures as many as were asked for become JPEGs: scaled down to the wanted width, into
 * the bounds that a record has.
 */
#include <libavutil/imgutils.h>
#include <libswscale/swscale.h>

#include "base/clock.h"
#include "base/mem.h"
#include "media/media.h"

#define QUALITY 4 /* FFmpeg's scale, 2 best: about what 80 is elsewhere */
#define QUALITY_WORST 31

struct media_video {
    struct media_times *times;
    struct media_sink *sink;
    int64_t interval; /* microseconds */
    int64_t due;      /* event time of the next picture that is wanted */
    bool any;
    int width_most;
    struct SwsContext *sws;
    int range; /* of the source, that sws knows; -1: not told yet */
    AVCodecContext *jpeg;
    AVFrame *scaled;
    AVPacket *packet;
};

int media_video_new(const struct media_options *o, struct media_times *times,
                    struct media_sink *sink, struct media_video **ret)
{
    struct media_video *v = mem_calloc(1, sizeof(*v));
    if (!v)
        return ERR_NOMEM;
    v->times = times;
    v->sink = sink;
    v->interval = (int64_t)(US_PER_SECOND / o->fps);
    v->width_most = o->width;
    v->scaled = av_frame_alloc();
    v->packet = av_packet_alloc();
    if (!v->scaled || !v->packet) {
        media_video_free(v);
        return ERR_NOMEM;
    }
    *ret = v;
    return 0;
}

void media_video_free(struct media_video *v)
{
    if (!v)
        return;
    sws_freeContext(v->sws);
    avcodec_free_context(&v->jpeg);
    av_frame_free(&v->scaled);
    av_packet_free(&v->packet);
    mem_free(v);
}

static int bound(double side)
{
    int even = (int)(side / 2 + 0.5) * 2;
    return even < VIDEO_SIDE_MIN ? VIDEO_SIDE_MIN : even > VIDEO_SIDE_MAX ? VIDEO_SIDE_MAX : even;
}

/* The size as it is to be seen: pixels may not be square, extreme shapes are bent into the bounds.
 */
static void fit(const struct media_video *v, const AVFrame *frame, int *ret_width, int *ret_height)
{
    double width = frame->width, height = frame->height;
    double aspect = av_q2d(frame->sample_aspect_ratio);
    if (aspect > 0.2 && aspect < 5)
        width *= aspect;
    double scale = width > v->width_most ? v->width_most / width : 1;
    if (height * scale > VIDEO_SIDE_MAX)
        scale = VIDEO_SIDE_MAX / height;
    double least = width < height ? width : height;
    if (least * scale < VIDEO_SIDE_MIN)
        scale = VIDEO_SIDE_MIN / least;
    *ret_width = bound(width * scale);
    *ret_height = bound(height * scale);
}

static int begin_size(struct media_video *v, int width, int height, struct errmsg *err)
{
    if (v->jpeg && v->jpeg->width == width && v->jpeg->height == height)
        return 0;
    avcodec_free_context(&v->jpeg);
    av_frame_unref(v->scaled);
    const AVCodec *codec = avcodec_find_encoder(AV_CODEC_ID_MJPEG);
    if (!codec)
        return err_set(err, ERR_UNSUPPORTED, "FFmpeg was built without JPEG");
    v->jpeg = avcodec_alloc_context3(codec);
    if (!v->jpeg)
        return err_set(err, ERR_NOMEM, "out of memory");
    v->jpeg->width = v->scaled->width = width;
    v->jpeg->height = v->scaled->height = height;
    v->jpeg->pix_fmt = AV_PIX_FMT_YUVJ420P;
    v->scaled->format = AV_PIX_FMT_YUVJ420P;
    v->jpeg->time_base = (AVRational){1, 25};
    v->jpeg->flags |= AV_CODEC_FLAG_QSCALE;
    v->jpeg->thread_count = 1;
    int r = avcodec_open2(v->jpeg, codec, NULL);
    if (r >= 0)
        r = av_frame_get_buffer(v->scaled, 0);
    if (r < 0) {
        avcodec_free_context(&v->jpeg);
        return err_set(err, ERR_NOMEM, "a picture of %dx%d: %s", width, height, media_reason(r));
    }
    return 0;
}

static int scale(struct media_video *v, const AVFrame *frame, struct errmsg *err)
{
    struct SwsContext *sws = sws_getCachedContext(
        v->sws, frame->width, frame->height, (enum AVPixelFormat)frame->format, v->scaled->width,
        v->scaled->height, AV_PIX_FMT_YUVJ420P, SWS_BILINEAR, NULL, NULL, NULL);
    int range = frame->color_range == AVCOL_RANGE_JPEG;
    if (!sws) {
        v->sws = NULL;
        return err_set(err, ERR_PARSE, "pictures of this format cannot be converted");
    }
    if (sws != v->sws || range != v->range) {
        const int *table = sws_getCoefficients(SWS_CS_DEFAULT);
        if (range)
            sws_setColorspaceDetails(sws, table, 1, table, 1, 0, 1 << 16, 1 << 16);
        v->range = range;
    }
    v->sws = sws;
    int r = av_frame_make_writable(v->scaled);
    if (r >= 0)
        r = sws_scale(sws, (const uint8_t *const *)frame->data, frame->linesize, 0, frame->height,
                      v->scaled->data, v->scaled->linesize);
    return r < 0 ? err_set(err, ERR_PARSE, "scaling: %s", media_reason(r)) : 0;
}

static int encode(struct media_video *v, int quality, struct errmsg *err)
{
    v->scaled->quality = quality * FF_QP2LAMBDA;
    v->scaled->pict_type = AV_PICTURE_TYPE_I;
    av_packet_unref(v->packet);
    int r = avcodec_send_frame(v->jpeg, v->scaled);
    if (r >= 0)
        r = avcodec_receive_packet(v->jpeg, v->packet);
    return r < 0 ? err_set(err, ERR_NOMEM, "JPEG: %s", media_reason(r)) : 0;
}

static int send_picture(struct media_video *v, const AVFrame *frame, int64_t time,
                        struct errmsg *err)
{
    int width, height;
    fit(v, frame, &width, &height);
    int r = begin_size(v, width, height, err);
    if (r == 0)
        r = scale(v, frame, err);
    if (r == 0)
        r = encode(v, QUALITY, err);
    /* Noise all over a tall picture; nothing else is as large. */
    for (int q = 2 * QUALITY; r == 0 && v->packet->size > (int)RECORD_SIZE_MAX; q *= 2) {
        if (q > QUALITY_WORST)
            return err_set(err, ERR_LIMIT, "a picture that is too large even at the worst quality");
        r = encode(v, q, err);
    }
    if (r == 0)
        r = media_sink_put(v->sink, time, v->packet->data, (size_t)v->packet->size, err);
    av_packet_unref(v->packet);
    return r;
}

int media_video_frame(struct media_video *v, AVFrame *frame, int64_t pts, int64_t step, int64_t now,
                      struct errmsg *err)
{
    if (frame->width < 1 || frame->height < 1 ||
        (int64_t)frame->width * frame->height > MEDIA_PIXELS_MAX)
        return err_set(err, ERR_LIMIT, "a picture of %dx%d", frame->width, frame->height);
    int64_t time = media_times_map(v->times, pts, step, now);
    if (v->any && time < v->due - media_slack(v->interval, step) && time > v->due - 2 * v->interval)
        return 0;
    int r = send_picture(v, frame, time, err);
    if (r != 0)
        return r;
    bool behind = !v->any || time > v->due + v->interval / 2 || time < v->due - v->interval / 2;
    v->due = (behind ? time : v->due) + v->interval;
    v->any = true;
    return MEDIA_TAKEN;
}
