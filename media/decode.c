/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets in, frames out, with as little decoding as the wanted rate of pictures allows: between
 * two wanted pictures packets are only held. When the next one is due they are decoded, those that
 * nothing refers to are skipped; when a key frame comes before that, what was held is of no use to
 * anybody and goes.
 *
 * What is damaged is counted and the rest goes on. A watchdog ends what does not get on at all.
 */
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "media/sandbox.h"

#define PACE_MAX US_PER_MINUTE /* a longer pause is a jump of the file's times */
#define HELD_MAX 512
#define HELD_BYTES (4 << 20)
#define SHORT_US US_PER_SECOND /* how much may be missing at a file's end: players round, too */

struct decode {
    const struct media_options *o;
    struct media_input *in;
    struct media_sink *sink;
    AVStream *stream;
    AVCodecContext *codec;
    AVPacket *packet;
    AVFrame *frame;
    struct media_times times;
    struct media_audio *audio;
    struct media_video *video;
    bool may_wait; /* its key frames are what they say; of animated GIFs they are not */
    AVPacket *held[HELD_MAX];
    int held_count;
    int64_t held_bytes;
    int64_t interval;   /* video: microseconds between two wanted pictures */
    int64_t slack;      /* see media_slack */
    int64_t taken;      /* pts in microseconds of the last picture that became a record */
    bool wanting;       /* a picture is due and has not come out of the decoder yet */
    int64_t end;        /* where the last packet of any stream ends, microseconds */
    int64_t first_time; /* event time of the first frame */
    int64_t paced_wall, paced_pts;
    uint64_t damaged;
    struct errmsg first_damage;
};

/* Microseconds; what lies beyond all sense counts as no time, so that sums of times stay in range.
 */
static int64_t micro(int64_t t, AVRational base)
{
    int64_t us = t == AV_NOPTS_VALUE ? t : av_rescale_q(t, base, AV_TIME_BASE_Q);
    return us < -TIME_MAX || us > TIME_MAX ? AV_NOPTS_VALUE : us;
}

static void note_damage(struct decode *d, const char *text)
{
    if (d->damaged++ == 0)
        err_set(&d->first_damage, 0, "%.200s", text);
}

/* ---- setting up ---- */

static const char *kind_words(enum stream_kind kind)
{
    return kind == KIND_AUDIO ? "sound" : "picture";
}

static int choose_stream(struct decode *d, const AVCodec **ret_codec, struct errmsg *err)
{
    AVFormatContext *f = d->in->format;
    enum AVMediaType type = d->o->kind == KIND_AUDIO ? AVMEDIA_TYPE_AUDIO : AVMEDIA_TYPE_VIDEO;
    int index = av_find_best_stream(f, type, -1, -1, ret_codec, 0);
    if (index == AVERROR_DECODER_NOT_FOUND)
        return err_set(err, ERR_UNSUPPORTED,
                       "%.200s: its %s has a format that FFmpeg cannot decode", media_label(d->o),
                       kind_words(d->o->kind));
    if (index < 0 || (f->streams[index]->disposition & AV_DISPOSITION_ATTACHED_PIC))
        return err_set(err, ERR_NOTFOUND, "%.200s: there is no %s in it", media_label(d->o),
                       kind_words(d->o->kind));
    d->stream = f->streams[index];
    const AVCodecParameters *p = d->stream->codecpar;
    if ((int64_t)p->width * p->height > MEDIA_PIXELS_MAX)
        return err_set(err, ERR_LIMIT,
                       "%.200s: pictures of %dx%d: larger ones than %lld megapixels are not read",
                       media_label(d->o), p->width, p->height, MEDIA_PIXELS_MAX >> 20);
    return 0;
}

static int open_codec(struct decode *d, const AVCodec *codec, struct errmsg *err)
{
    const AVCodecParameters *p = d->stream->codecpar;
    d->codec = avcodec_alloc_context3(codec);
    d->packet = av_packet_alloc();
    d->frame = av_frame_alloc();
    if (!d->codec || !d->packet || !d->frame)
        return err_set(err, ERR_NOMEM, "out of memory");
    int r = avcodec_parameters_to_context(d->codec, p);
    d->codec->thread_count = 1;
    d->codec->max_pixels = MEDIA_PIXELS_MAX;
    d->codec->pkt_timebase = d->stream->time_base;
    d->codec->err_recognition |= AV_EF_CRCCHECK;
    const AVCodecDescriptor *about = avcodec_descriptor_get(p->codec_id);
    int props = about ? about->props : 0;
    d->may_wait = (props & (AV_CODEC_PROP_INTRA_ONLY | AV_CODEC_PROP_REORDER)) ||
                  p->codec_id == AV_CODEC_ID_VP8 || p->codec_id == AV_CODEC_ID_VP9 ||
                  p->codec_id == AV_CODEC_ID_AV1;
    /* Where no picture builds on another: elsewhere small errors would add up. */
    while ((props & AV_CODEC_PROP_INTRA_ONLY) && d->codec->lowres < codec->max_lowres &&
           p->width >> (d->codec->lowres + 1) >= d->o->width)
        d->codec->lowres++;
    if (r >= 0)
        r = avcodec_open2(d->codec, codec, NULL);
    if (r < 0)
        return err_set(err, ERR_PARSE, "%.200s: its %s cannot be decoded: %s", media_label(d->o),
                       kind_words(d->o->kind), media_reason(r));
    return 0;
}

/* How long a picture stays, as far as the input says. */
static int64_t frame_step(const struct decode *d)
{
    AVRational rate = d->stream->avg_frame_rate;
    if (rate.num <= 0 || rate.den <= 0)
        rate = d->stream->r_frame_rate;
    if (rate.num <= 0 || rate.den <= 0)
        rate = (AVRational){25, 1};
    int64_t step = av_rescale(US_PER_SECOND, rate.den, rate.num);
    return step < 1 ? 1 : step > US_PER_SECOND * 60 ? US_PER_SECOND * 60 : step;
}

static int begin(struct decode *d, struct errmsg *err)
{
    const AVCodec *codec = NULL;
    int r = choose_stream(d, &codec, err);
    if (r == 0)
        r = open_codec(d, codec, err);
    if (r != 0)
        return r;
    /* The other streams of a file are not looked into, but their packets say how far it reaches. */
    for (unsigned i = 0; i < d->in->format->nb_streams; i++) {
        bool ours = d->in->format->streams[i] == d->stream;
        d->in->format->streams[i]->discard =
            ours || d->in->origin == MEDIA_FILE ? AVDISCARD_DEFAULT : AVDISCARD_ALL;
    }
    d->slack = media_slack(d->interval, frame_step(d));
    media_decoding_begins();
    media_times_init(&d->times, d->o, d->in, clock_now(clock_system()));
    r = d->o->kind == KIND_AUDIO ? media_audio_new(&d->times, d->sink, &d->audio)
                                 : media_video_new(d->o, &d->times, d->sink, &d->video);
    return r ? err_set(err, r, "out of memory") : 0;
}

/* ---- frames ---- */

/* ERR_PARSE and ERR_LIMIT are about this frame; other codes end it all. */
static int take_frame(struct decode *d, struct errmsg *err)
{
    int64_t now = clock_now(clock_system());
    int64_t pts = micro(d->frame->best_effort_timestamp, d->stream->time_base);
    int r;
    if (media_input_is_live(d->in))
        watchdog_feed();
    if (d->frame->decode_error_flags || (d->frame->flags & AV_FRAME_FLAG_CORRUPT))
        note_damage(d, "a damaged frame");
    if (d->audio) {
        r = media_audio_frame(d->audio, d->frame, pts, now, err);
    } else {
        r = media_video_frame(d->video, d->frame, pts, frame_step(d), now, err);
        if (r == MEDIA_TAKEN) {
            d->taken = pts;
            d->wanting = false;
            r = 0;
        }
    }
    if (d->first_time == TIME_UNKNOWN)
        d->first_time = d->times.last;
    if (r == 0 && d->in->origin == MEDIA_FILE && d->times.last - d->first_time > MEDIA_SPAN)
        return err_set(err, ERR_RANGE, "%.200s: is longer than %lld days: the rest was left out",
                       media_label(d->o), MEDIA_SPAN / US_PER_DAY);
    return r;
}

static int receive(struct decode *d, struct errmsg *err)
{
    for (;;) {
        int r = avcodec_receive_frame(d->codec, d->frame);
        if (r == AVERROR(EAGAIN) || r == AVERROR_EOF)
            return 0;
        if (r < 0) {
            note_damage(d, media_reason(r));
            return 0;
        }
        r = take_frame(d, err);
        av_frame_unref(d->frame);
        if (r == ERR_PARSE || r == ERR_LIMIT)
            note_damage(d, err->text);
        else if (r != 0)
            return r;
    }
}

/* NULL: nothing follows, the decoder gives what it still has. */
static int decode_packet(struct decode *d, const AVPacket *packet, struct errmsg *err)
{
    int r = avcodec_send_packet(d->codec, packet);
    if (r < 0 && r != AVERROR_EOF)
        note_damage(d, media_reason(r));
    return receive(d, err);
}

/* ---- which packets ---- */

static void drop_held(struct decode *d)
{
    for (int i = 0; i < d->held_count; i++)
        av_packet_free(&d->held[i]);
    d->held_count = 0;
    d->held_bytes = 0;
}

/* No picture of these is wanted, only what later ones refer to. */
static int decode_held(struct decode *d, struct errmsg *err)
{
    int r = 0;
    d->codec->skip_frame = AVDISCARD_NONREF;
    for (int i = 0; r == 0 && i < d->held_count; i++)
        r = decode_packet(d, d->held[i], err);
    d->codec->skip_frame = AVDISCARD_DEFAULT;
    drop_held(d);
    return r;
}

static bool can_wait(const struct decode *d, int64_t pts)
{
    return d->may_wait && !d->wanting && pts != AV_NOPTS_VALUE && d->taken != AV_NOPTS_VALUE &&
           pts < d->taken + d->interval - d->slack && pts > d->taken - US_PER_SECOND;
}

static int hold(struct decode *d, struct errmsg *err)
{
    if (d->held_count == HELD_MAX || d->held_bytes > HELD_BYTES) {
        int r = decode_held(d, err);
        if (r != 0)
            return r;
    }
    if (d->packet->flags & AV_PKT_FLAG_KEY) {
        drop_held(d);
        avcodec_flush_buffers(d->codec);
    }
    AVPacket *kept = av_packet_alloc();
    if (!kept)
        return err_set(err, ERR_NOMEM, "out of memory");
    av_packet_move_ref(kept, d->packet);
    d->held_bytes += kept->size;
    d->held[d->held_count++] = kept;
    return 0;
}

static int take_packet(struct decode *d, struct errmsg *err)
{
    int64_t pts = micro(d->packet->pts, d->stream->time_base);
    if (d->video && can_wait(d, pts))
        return hold(d, err);
    d->wanting = true;
    if (d->held_count > 0 && (d->packet->flags & AV_PKT_FLAG_KEY)) {
        drop_held(d);
        avcodec_flush_buffers(d->codec);
    }
    int r = decode_held(d, err);
    return r ? r : decode_packet(d, d->packet, err);
}

/* ---- the input ---- */

/* Waits until a file that is read as if it were live has come to this packet. */
static void pace(struct decode *d)
{
    int64_t at = micro(d->packet->dts, d->stream->time_base);
    int64_t mono = clock_mono(clock_system());
    if (at == AV_NOPTS_VALUE)
        return;
    bool first = d->paced_pts == AV_NOPTS_VALUE;
    int64_t left = first ? 0 : d->paced_wall + (at - d->paced_pts) - mono;
    if (first || at < d->paced_pts || left > PACE_MAX) {
        d->paced_pts = at;
        d->paced_wall = mono;
        return;
    }
    if (left <= 0)
        return;
    struct timespec wait = {left / US_PER_SECOND, left % US_PER_SECOND * 1000};
    watchdog_rest();
    nanosleep(&wait, NULL);
    watchdog_feed();
}

static void note_end(struct decode *d)
{
    const AVPacket *p = d->packet;
    AVRational base = d->in->format->streams[p->stream_index]->time_base;
    int64_t at = micro(p->pts != AV_NOPTS_VALUE ? p->pts : p->dts, base);
    int64_t length = p->duration > 0 ? micro(p->duration, base) : 0;
    if (at == AV_NOPTS_VALUE)
        return;
    int64_t end = at + (length == AV_NOPTS_VALUE ? 0 : length);
    if (d->end == AV_NOPTS_VALUE || end > d->end)
        d->end = end;
}

/* A device may have nothing yet; if that lasts the watchdog ends it. */
static int read_packet(struct decode *d)
{
    const struct timespec nap = {0, 5000000};
    int got;
    while ((got = av_read_frame(d->in->format, d->packet)) == AVERROR(EAGAIN) &&
           media_input_is_live(d->in))
        nanosleep(&nap, NULL);
    return got;
}

static int read_all(struct decode *d, struct errmsg *err)
{
    int r = 0, got;
    while (r == 0 && (got = read_packet(d)) >= 0) {
        note_end(d);
        if (d->packet->stream_index == d->stream->index) {
            if (d->o->live)
                pace(d);
            r = take_packet(d, err);
        }
        av_packet_unref(d->packet);
    }
    if (r != 0)
        return r;
    if (got != AVERROR_EOF)
        note_damage(d, media_reason(got));
    else if (d->in->format->pb && d->in->format->pb->error)
        note_damage(d, media_reason(d->in->format->pb->error));
    r = decode_held(d, err);
    if (r == 0)
        r = decode_packet(d, NULL, err);
    if (r == 0 && d->audio)
        r = media_audio_end(d->audio, err);
    return r;
}

/* Did the file end before its container said it would? */
static bool is_cut(const struct decode *d, double *ret_seconds, double *ret_of)
{
    const AVFormatContext *f = d->in->format;
    if (d->in->origin != MEDIA_FILE ||
        f->duration_estimation_method == AVFMT_DURATION_FROM_BITRATE || f->duration <= 0 ||
        d->end == AV_NOPTS_VALUE)
        return false;
    int64_t start = micro(f->start_time, AV_TIME_BASE_Q);
    start = start == AV_NOPTS_VALUE ? 0 : start;
    int64_t slack = f->duration / 50 > SHORT_US ? f->duration / 50 : SHORT_US;
    *ret_seconds = (double)(d->end - start) / US_PER_SECOND;
    *ret_of = (double)f->duration / US_PER_SECOND;
    return d->end - start < f->duration - slack;
}

/* FFmpeg has a bound of its own, which it words as if the file were damaged. */
static bool is_about_size(const char *reason)
{
    return strstr(reason, "Invalid image size") || strstr(reason, "Picture size");
}

/* All was read: what is there to say about it? */
static int verdict(struct decode *d, struct errmsg *err)
{
    double seconds, of;
    if (media_input_is_live(d->in))
        return err_set(err, ERR_CLOSED, "%.200s: stopped sending%s%s", media_label(d->o),
                       d->damaged ? ": " : "", d->damaged ? d->first_damage.text : "");
    if (d->video && media_sink_count(d->sink) == 0 && is_about_size(d->first_damage.text))
        return err_set(err, ERR_LIMIT, "%.200s: larger pictures than %lld megapixels are not read",
                       media_label(d->o), MEDIA_PIXELS_MAX >> 20);
    if (d->damaged > 0)
        return err_set(err, ERR_PARSE, "%.200s: %" PRIu64 " place%s of it %s damaged: %s",
                       media_label(d->o), d->damaged, d->damaged == 1 ? "" : "s",
                       d->damaged == 1 ? "is" : "are", d->first_damage.text);
    if (media_sink_count(d->sink) == 0)
        return err_set(err, ERR_PARSE, "%.200s: not a single %s could be decoded",
                       media_label(d->o), d->audio ? "sound" : "picture");
    if (media_complaints() > 0)
        return err_set(err, ERR_PARSE, "%.200s: is damaged: %s", media_label(d->o),
                       media_reason(0));
    if (is_cut(d, &seconds, &of))
        return err_set(err, ERR_PARSE,
                       "%.200s: ends after %.1f s, though it says that it has %.1f s",
                       media_label(d->o), seconds, of);
    return 0;
}

int media_decode(const struct media_options *o, struct media_input *in, struct media_sink *sink,
                 struct errmsg *err)
{
    struct decode d = {.o = o,
                       .in = in,
                       .sink = sink,
                       .interval = (int64_t)(US_PER_SECOND / o->fps),
                       .taken = AV_NOPTS_VALUE,
                       .end = AV_NOPTS_VALUE,
                       .paced_pts = AV_NOPTS_VALUE,
                       .first_time = TIME_UNKNOWN};
    int r = begin(&d, err);
    if (r == 0)
        r = read_all(&d, err);
    if (r == 0)
        r = verdict(&d, err);
    drop_held(&d);
    media_audio_free(d.audio);
    media_video_free(d.video);
    avcodec_free_context(&d.codec);
    av_packet_free(&d.packet);
    av_frame_free(&d.frame);
    return r;
}
