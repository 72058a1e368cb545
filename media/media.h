/* SPDX-License-Identifier: Apache-2.0 */
/*
 * varve-media: from anything FFmpeg's libraries read to the records of one audio or video stream.
 * One process reads one input; nothing here is used by two threads.
 *
 * Order of work: the input is opened (a path becomes a descriptor, a device or a camera a running
 * connection), the process locks itself up (sandbox.h), and only then is a byte of a file parsed.
 */
#ifndef VARVE_MEDIA_MEDIA_H
#define VARVE_MEDIA_MEDIA_H

#include <stdbool.h>
#include <stdint.h>

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>

#include "base/error.h"
#include "base/record.h"

#define MEDIA_FPS 2.0 /* frames a second that become records */
#define MEDIA_FPS_MAX 60.0
#define MEDIA_WIDTH 640               /* pixels, unless told otherwise */
#define MEDIA_PIXELS_MAX (36LL << 20) /* of a picture as it comes: 8K fits, 16K does not */
#define MEDIA_STREAMS_MAX 256         /* in one file */
#define MEDIA_SAMPLE_RATE_MIN 1000    /* of sound as it comes */
#define MEDIA_SAMPLE_RATE_MAX 768000
#define MEDIA_CHANNELS_MAX 64
#define MEDIA_STALL 30   /* seconds without a record, or from a camera without a frame */
#define MEDIA_CPU 10     /* seconds of CPU time that a file may take */
#define MEDIA_CPU_MIB 60 /* and for each MiB of it */
#define MEDIA_CPU_MAX 21600
#define MEDIA_GAP (US_PER_HOUR) /* a longer jump of an input's times is an error of the input */
#define MEDIA_SPAN (31 * US_PER_DAY) /* of one file */

struct media_options {
    const char *url; /* a path, "-", a device, rtsp:// */
    enum stream_kind kind;
    double fps;    /* video */
    int width;     /* video: at most so wide, larger pictures are scaled */
    int64_t start; /* event time of the first record; TIME_UNKNOWN: see media_times_init */
    bool live;     /* a file is read at its own pace, as if it came now */
};

/* ---- input.c ---- */

enum media_origin {
    MEDIA_FILE,   /* a regular file: can be sought in */
    MEDIA_PIPE,   /* standard input, a named pipe */
    MEDIA_DEVICE, /* a camera, a microphone */
    MEDIA_NET,
};

struct media_input {
    enum media_origin origin;
    int fd;                  /* file and pipe; else -1 */
    int64_t size;            /* file; bytes */
    int64_t mtime;           /* file; microseconds UTC */
    AVFormatContext *format; /* device and network: open already */
    AVIOContext *io;         /* file and pipe */
};

/* What can only be done before the process is locked up. ERR_* with the url in the text. */
int media_input_open(const struct media_options *o, struct media_input *ret, struct errmsg *err);
/* The rest: reads the container's head and what its streams are. */
int media_input_probe(const struct media_options *o, struct media_input *in, struct errmsg *err);
void media_input_close(struct media_input *in);
/* Is it a device or a camera, whose times are the clock's? */
bool media_input_is_live(const struct media_input *in);
/* What the input is called in messages. */
const char *media_label(const struct media_options *o);
/* From here on only the wanted stream is decoded. */
void media_decoding_begins(void);
/* How often FFmpeg found something wrong with the container, or with the wanted stream. */
uint64_t media_complaints(void);
/* What FFmpeg said last was wrong, "" when nothing; `code` is its return value. */
const char *media_reason(int code);

/* ---- times.c: from an input's own times to event times ---- */

struct media_times {
    int64_t base; /* event time of `origin` */
    int64_t
        origin; /* on the input's own time line, microseconds; TIME_UNKNOWN: the first that comes */
    int64_t last; /* event time given last; TIME_UNKNOWN: none yet */
    bool live;
};

/*
 * The first event time: options->start, else for what is live the clock, else the container's
 * creation_time, else a file's mtime less its duration, else now.
 */
void media_times_init(struct media_times *t, const struct media_options *o,
                      const struct media_input *in, int64_t now);
/*
 * The event time of something at `pts` (AV_NOPTS_VALUE: `step` after the last). An input whose
 * times go backwards, or ahead by more than MEDIA_GAP, goes on `step` after the last.
 */
int64_t media_times_map(struct media_times *t, int64_t pts, int64_t step, int64_t now);

/* ---- sink.c: where records go ---- */

struct media_sink;

/*
 * To a descriptor as ingest frames: RECORDS, at the end CLOSE, or ERROR with number 0 and what was
 * wrong. 0 or ERR_NOMEM.
 */
int media_sink_new_pipe(enum stream_kind kind, int fd, struct media_sink **ret);
/* To a stream of the daemon at `socket` (NULL: where the programs look). */
int media_sink_new_socket(enum stream_kind kind, const char *socket, const char *stream,
                          struct media_sink **ret, struct errmsg *err);
/* Queues a record; ERR_CLOSED when nobody takes it any more. */
int media_sink_put(struct media_sink *s, int64_t time, const void *data, size_t size,
                   struct errmsg *err);
/* Sends what is queued; `code` 0: all went well, else `text` says what did not. */
int media_sink_end(struct media_sink *s, int code, const char *text, struct errmsg *err);
uint64_t media_sink_count(const struct media_sink *s);
void media_sink_free(struct media_sink *s);

/* ---- audio.c, video.c: from decoded frames to records ---- */

struct media_audio;
struct media_video;

int media_audio_new(struct media_times *times, struct media_sink *sink, struct media_audio **ret);
/* `pts` in microseconds or AV_NOPTS_VALUE. ERR_PARSE, ERR_LIMIT: this frame is of no
 * use. */
int media_audio_frame(struct media_audio *a, const AVFrame *frame, int64_t pts, int64_t now,
                      struct errmsg *err);
/* The rest, shorter than a whole record. */
int media_audio_end(struct media_audio *a, struct errmsg *err);
void media_audio_free(struct media_audio *a);

/* How much too early a picture may be: times are rounded to the input's own grid. */
static inline int64_t media_slack(int64_t interval, int64_t step)
{
    return step / 2 < interval / 10 ? step / 2 : interval / 10;
}

int media_video_new(const struct media_options *o, struct media_times *times,
                    struct media_sink *sink, struct media_video **ret);
/* `step`: microseconds to the next frame, as far as is known. MEDIA_TAKEN: it became a record; 0:
 * it was not due. ERR_PARSE, ERR_LIMIT: this frame is of no use. */
#define MEDIA_TAKEN 1
int media_video_frame(struct media_video *v, AVFrame *frame, int64_t pts, int64_t step, int64_t now,
                      struct errmsg *err);
void media_video_free(struct media_video *v);

/* ---- decode.c ---- */

/*
 * Reads the input to its end. 0: all of it. Negative: `err` says what ended it or what was left
 * out; the records before and between went to the sink all the same.
 */
int media_decode(const struct media_options *o, struct media_input *in, struct media_sink *sink,
                 struct errmsg *err);

#endif
