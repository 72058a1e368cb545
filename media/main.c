/* SPDX-License-Identifier: Apache-2.0 */
/*
 * varve-media: reads sound or pictures and writes ingest frames to standard output for varve and
 * varved, which start it; or feeds a stream of the daemon itself (--stream), as network cameras do.
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/timestamp.h"
#include "ipc/frame.h"
#include "media/sandbox.h"

struct arguments {
    struct media_options media;
    const char *socket, *stream;
};

static const char usage_text[] =
    "usage: varve-media --kind audio|video [--fps N] [--width PIXELS] [--start TIME] [--live]\n"
    "                   [--stream NAME [--socket PATH]] [URL]\n"
    "URL is a file, - for standard input, /dev/videoN, alsa:NAME, pulse:NAME or rtsp://...;\n"
    "without it $VARVE_MEDIA_URL is taken. Without --stream ingest frames go to standard output.\n";

static int usage(const char *what, const char *value)
{
    if (what)
        fprintf(stderr, "varve-media: %s%s\n", what, value);
    fputs(usage_text, stderr);
    return 2;
}

static bool set_kind(struct media_options *o, const char *value)
{
    return stream_kind_parse(value, &o->kind) == 0 &&
           (o->kind == KIND_AUDIO || o->kind == KIND_VIDEO);
}

static bool set_number(const char *value, double least, double most, double *ret)
{
    char *end;
    *ret = strtod(value, &end);
    return end != value && !*end && *ret >= least && *ret <= most;
}

static bool set(struct arguments *a, int option, const char *value)
{
    double number;
    switch (option) {
    case 'k':
        return set_kind(&a->media, value);
    case 'f':
        return set_number(value, 0.01, MEDIA_FPS_MAX, &a->media.fps);
    case 'w':
        if (!set_number(value, VIDEO_SIDE_MIN, VIDEO_SIDE_MAX, &number))
            return false;
        a->media.width = (int)number;
        return true;
    case 's':
        return timestamp_parse(value, strlen(value), &a->media.start, NULL) == 0 &&
               a->media.start >= TIME_MIN && a->media.start <= TIME_MAX;
    case 'l':
        a->media.live = true;
        return true;
    case 'S':
        a->socket = value;
        return true;
    default:
        a->stream = value;
        return true;
    }
}

/* 0, or the exit status of a wrong usage. */
static int parse(int argc, char **argv, struct arguments *a)
{
    static const struct option options[] = {
        {"kind", required_argument, NULL, 'k'},   {"fps", required_argument, NULL, 'f'},
        {"width", required_argument, NULL, 'w'},  {"start", required_argument, NULL, 's'},
        {"live", no_argument, NULL, 'l'},         {"socket", required_argument, NULL, 'S'},
        {"stream", required_argument, NULL, 'n'}, {NULL, 0, NULL, 0}};
    int option, index;
    *a = (struct arguments){
        .media = {.fps = MEDIA_FPS, .width = MEDIA_WIDTH, .start = TIME_UNKNOWN}};
    while ((option = getopt_long(argc, argv, "", options, &index)) != -1) {
        if (option == '?')
            return usage(NULL, NULL);
        if (!set(a, option, optarg))
            return usage("not a value that it can have: --", options[index].name);
    }
    a->media.url = optind < argc ? argv[optind] : getenv("VARVE_MEDIA_URL");
    if (!a->media.url || optind + 1 < argc)
        return usage("one input is needed", "");
    if (!a->media.kind)
        return usage("--kind is needed", "");
    if (!a->stream && isatty(STDOUT_FILENO))
        return usage("ingest frames are not for a terminal: use varve ingest", "");
    return 0;
}

static int open_sink(const struct arguments *a, struct media_sink **ret, struct errmsg *err)
{
    if (a->stream)
        return media_sink_new_socket(a->media.kind, a->socket, a->stream, ret, err);
    /* Whoever started it and reads its frames is gone: nobody needs it any more. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int r = media_sink_new_pipe(a->media.kind, STDOUT_FILENO, ret);
    return r ? err_set(err, r, "out of memory") : 0;
}

/* What the watchdog says goes where the records went, or to people. */
static void put_message(const struct arguments *a, struct buf *out, const char *what,
                        double seconds)
{
    struct errmsg text;
    err_set(&text, 0, "%.200s: %s %.0f s", media_label(&a->media), what, seconds);
    struct frame_error e = {
        .code = ERR_TIMEOUT, .name = {"media", 5}, .text = {text.text, strlen(text.text)}};
    if (a->stream)
        buf_printf(out, "varve-media: %s\n", text.text);
    else
        frame_put_error(out, &e);
}

static void watch_stalls(const struct arguments *a, struct buf *message)
{
    double seconds = MEDIA_STALL;
    if (a->media.kind == KIND_VIDEO && a->media.fps < MEDIA_FPS)
        seconds *= MEDIA_FPS / a->media.fps;
    put_message(a, message, "nothing came of it for", seconds);
    watchdog_init(a->stream ? STDERR_FILENO : STDOUT_FILENO,
                  (struct slice){message->data, message->size}, (unsigned)seconds);
}

/* A small file that keeps a decoder busy for long was made to. */
static int limit_cpu(const struct arguments *a, const struct media_input *in, struct buf *message,
                     struct errmsg *err)
{
    if (in->origin != MEDIA_FILE || a->media.live)
        return 0;
    int64_t seconds = MEDIA_CPU + MEDIA_CPU_MIB * (in->size >> 20);
    if (seconds > MEDIA_CPU_MAX)
        seconds = MEDIA_CPU_MAX;
    put_message(a, message, "is too much work for its size: it has taken", (double)seconds);
    return watchdog_limit_cpu((struct slice){message->data, message->size}, (unsigned)seconds, err);
}

static int run(const struct arguments *a, struct media_input *in, struct media_sink *sink,
               struct errmsg *err)
{
    struct buf stalled = {0}, endless = {0};
    watch_stalls(a, &stalled);
    int r = media_input_open(&a->media, in, err);
    if (r == 0)
        r = limit_cpu(a, in, &endless, err);
    if (r == 0)
        r = sandbox_lock(in->origin, a->stream != NULL, err);
    if (r == 0)
        r = media_input_probe(&a->media, in, err);
    if (r == 0)
        r = media_decode(&a->media, in, sink, err);
    watchdog_rest();
    /* The watchdog's messages stay as long as it can bark, which is to the end. */
    return r;
}

int main(int argc, char **argv)
{
    struct arguments a;
    struct media_input in = {.fd = -1};
    struct media_sink *sink = NULL;
    struct errmsg err = {""}, at_end = {""};
    int status = parse(argc, argv, &a);
    if (status)
        return status;
    int r = sandbox_limit(&err);
    if (r == 0)
        r = open_sink(&a, &sink, &err);
    if (r == 0) {
        r = run(&a, &in, sink, &err);
        int ended = media_sink_end(sink, r, err.text, &at_end);
        if (r == 0 && ended != 0) {
            r = ended;
            err = at_end;
        }
    }
    if (r != 0 && (a.stream || !sink))
        fprintf(stderr, "varve-media: %s\n", err.text[0] ? err.text : err_text(r));
    media_input_close(&in);
    media_sink_free(sink);
    /* Not exit: what libraries do at the end may ask for more than is allowed here. */
    fflush(stderr);
    _exit(r != 0);
}
