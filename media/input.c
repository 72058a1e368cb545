/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A path is opened as a descriptor and read through callbacks, so FFmpeg never opens anything
 * itself: a playlist or a reference to another file leads nowhere. Devices and cameras must be
 * opened by the library, with the whole process still at liberty; what they say is looked at
 * afterwards.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <libavdevice/version.h>

#include "base/clock.h"
#include "media/sandbox.h"

#define IO_BYTES (64 << 10)
#define SCORE_MIN 6            /* a container that is less sure to be one is noise */
#define NET_TIMEOUT "15000000" /* microseconds */

static char last_complaint[200];
static uint64_t complaints;
static bool decoding;

/* Before the wanted stream is chosen, decoders are tried on others, whose damage is none of ours.
 */
static bool concerns_us(void *object)
{
    const AVClass *class = object ? *(const AVClass **)object : NULL;
    if (decoding || !class)
        return decoding;
    AVClassCategory category = class->get_category ? class->get_category(object) : class->category;
    return category == AV_CLASS_CATEGORY_DEMUXER;
}

/* FFmpeg's words are kept for the message that will need them; nobody reads them by themselves. */
static void on_log(void *object, int level, const char *format, va_list ap)
{
    if (level > AV_LOG_ERROR)
        return;
    complaints += concerns_us(object);
    char text[sizeof(last_complaint)];
    vsnprintf(text, sizeof(text), format, ap);
    size_t n = strcspn(text, "\n");
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)text[i] < ' ' || (unsigned char)text[i] > '~')
            text[i] = '?';
    text[n] = '\0';
    if (n > 0)
        memcpy(last_complaint, text, sizeof(text));
}

void media_decoding_begins(void)
{
    decoding = true;
}

uint64_t media_complaints(void)
{
    return complaints;
}

const char *media_reason(int code)
{
    static char text[sizeof(last_complaint) + AV_ERROR_MAX_STRING_SIZE + 4];
    char general[AV_ERROR_MAX_STRING_SIZE] = "";
    if (code < 0)
        av_strerror(code, general, sizeof(general));
    snprintf(text, sizeof(text), "%s%s%s", general, general[0] && last_complaint[0] ? ": " : "",
             last_complaint);
    return text;
}

const char *media_label(const struct media_options *o)
{
    if (strstr(o->url, "://"))
        return "the camera"; /* its address may hold a password */
    return strcmp(o->url, "-") == 0 ? "standard input" : o->url;
}

static int too_many_streams(const struct media_options *o, struct errmsg *err)
{
    return err_set(err, ERR_LIMIT, "%.200s: has more than %d streams", media_label(o),
                   MEDIA_STREAMS_MAX);
}

static int fail(const struct media_options *o, int code, const char *what, struct errmsg *err)
{
    int ours = code == AVERROR(ENOMEM) ? ERR_NOMEM : ERR_PARSE;
    if (strstr(last_complaint, "max_streams"))
        return too_many_streams(o, err);
    return err_set(err, ours, "%.200s: %s: %.250s", media_label(o), what, media_reason(code));
}

/* ---- before the lock ---- */

static bool has_prefix(const char *s, const char *prefix)
{
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

/* FFmpeg's device and the name it knows the input by; NULL: it is none. */
static const char *device_of(const char *url, const char **ret_name)
{
    *ret_name = url;
    if (has_prefix(url, "/dev/video"))
        return "video4linux2";
    if (has_prefix(url, "alsa:")) {
        *ret_name = url + strlen("alsa:");
        return "alsa";
    }
    if (has_prefix(url, "pulse:")) {
        *ret_name = url + strlen("pulse:");
        return "pulse";
    }
    return NULL;
}

/*
 * libavdevice brings eighty libraries along, some of which start threads: three times the start-up
 * cost, for nothing where a file is read.
 */
static int load_devices(struct errmsg *err)
{
    static const char name[] = "libavdevice.so." AV_STRINGIFY(LIBAVDEVICE_VERSION_MAJOR);
    setenv("OPENBLAS_NUM_THREADS", "1", 1);
    void *library = dlopen(name, RTLD_NOW);
    void *symbol = library ? dlsym(library, "avdevice_register_all") : NULL;
    if (!symbol)
        return err_set(err, ERR_UNSUPPORTED, "devices cannot be read: %s", dlerror());
    void (*register_all)(void);
    memcpy(&register_all, &symbol, sizeof(symbol));
    register_all();
    return 0;
}

static int open_device(const struct media_options *o, const char *device, const char *name,
                       struct media_input *in, struct errmsg *err)
{
    int r = load_devices(err);
    if (r != 0)
        return r;
    const AVInputFormat *format = av_find_input_format(device);
    if (!format)
        return err_set(err, ERR_UNSUPPORTED, "%s: FFmpeg was built without %s", o->url, device);
    in->origin = MEDIA_DEVICE;
    r = avformat_open_input(&in->format, name, format, NULL);
    return r < 0 ? fail(o, r, "cannot be opened", err) : 0;
}

static int open_net(const struct media_options *o, struct media_input *in, struct errmsg *err)
{
    AVDictionary *settings = NULL;
    av_dict_set(&settings, "rtsp_transport", "tcp", 0);
    av_dict_set(&settings, "timeout", NET_TIMEOUT, 0);
    av_dict_set(&settings, "protocol_whitelist", "rtsp,rtp,tcp,udp", 0);
    in->origin = MEDIA_NET;
    int r = avformat_open_input(&in->format, o->url, NULL, &settings);
    av_dict_free(&settings);
    return r < 0 ? fail(o, r, "cannot be opened", err) : 0;
}

static int open_file(const struct media_options *o, struct media_input *in, struct errmsg *err)
{
    bool standard = strcmp(o->url, "-") == 0;
    struct stat st;
    watchdog_rest(); /* a named pipe waits for its writer */
    in->fd = standard ? STDIN_FILENO : open(o->url, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    watchdog_feed();
    if (in->fd < 0 || fstat(in->fd, &st) != 0)
        return err_set(err, err_from_errno(errno), "%s: %s", o->url, strerror(errno));
    if (S_ISDIR(st.st_mode))
        return err_set(err, ERR_INVALID, "%s: is a folder", o->url);
    if (S_ISREG(st.st_mode) && st.st_size == 0)
        return err_set(err, ERR_PARSE, "%s: is empty", o->url);
    in->origin = S_ISREG(st.st_mode) ? MEDIA_FILE : MEDIA_PIPE;
    in->size = st.st_size;
    in->mtime = st.st_mtim.tv_sec * US_PER_SECOND + st.st_mtim.tv_nsec / 1000;
    return 0;
}

int media_input_open(const struct media_options *o, struct media_input *ret, struct errmsg *err)
{
    const char *name;
    const char *device = device_of(o->url, &name);
    *ret = (struct media_input){.fd = -1};
    av_log_set_callback(on_log);
    av_max_alloc(1 << 30);
    if (device)
        return open_device(o, device, name, ret, err);
    if (has_prefix(o->url, "rtsp://"))
        return open_net(o, ret, err);
    if (strstr(o->url, "://"))
        return err_set(err, ERR_UNSUPPORTED, "only rtsp:// is read over the network");
    return open_file(o, ret, err);
}

/* ---- behind the lock ---- */

static int on_read(void *opaque, uint8_t *data, int size)
{
    struct media_input *in = opaque;
    ssize_t n;
    if (in->origin == MEDIA_PIPE)
        watchdog_rest();
    do {
        n = read(in->fd, data, (size_t)size);
    } while (n < 0 && errno == EINTR);
    if (in->origin == MEDIA_PIPE)
        watchdog_feed();
    return n > 0 ? (int)n : n == 0 ? AVERROR_EOF : AVERROR(errno);
}

static int64_t on_seek(void *opaque, int64_t offset, int whence)
{
    struct media_input *in = opaque;
    if (whence == AVSEEK_SIZE) {
        struct stat st;
        return fstat(in->fd, &st) == 0 ? st.st_size : AVERROR(errno);
    }
    off_t at = lseek(in->fd, offset, whence & ~AVSEEK_FORCE);
    return at < 0 ? AVERROR(errno) : at;
}

/* Of what a file refers to nothing is opened. */
static int refuse_open(AVFormatContext *s, AVIOContext **pb, const char *url, int flags,
                       AVDictionary **options)
{
    return AVERROR(EACCES);
}

static int open_stream(const struct media_options *o, struct media_input *in, struct errmsg *err)
{
    uint8_t *buffer = av_malloc(IO_BYTES);
    in->format = avformat_alloc_context();
    if (!buffer || !in->format) {
        av_free(buffer);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    in->io = avio_alloc_context(buffer, IO_BYTES, 0, in, on_read, NULL,
                                in->origin == MEDIA_FILE ? on_seek : NULL);
    if (!in->io) {
        av_free(buffer);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    in->format->pb = in->io;
    in->format->flags |= AVFMT_FLAG_CUSTOM_IO;
    in->format->max_streams = MEDIA_STREAMS_MAX;
    in->format->io_open = refuse_open;
    int r = avformat_open_input(&in->format, "", NULL, NULL);
    if (r < 0)
        return fail(o, r, "not sound or pictures that can be read", err);
    if (in->format->probe_score < SCORE_MIN)
        return err_set(err, ERR_PARSE, "%s: not sound or pictures that can be read",
                       media_label(o));
    return 0;
}

int media_input_probe(const struct media_options *o, struct media_input *in, struct errmsg *err)
{
    int r = in->format ? 0 : open_stream(o, in, err);
    if (r != 0)
        return r;
    AVFormatContext *f = in->format;
    f->max_streams = MEDIA_STREAMS_MAX;
    for (unsigned i = 0; i < f->nb_streams; i++) {
        enum AVMediaType type = f->streams[i]->codecpar->codec_type;
        bool wanted = type == (o->kind == KIND_AUDIO ? AVMEDIA_TYPE_AUDIO : AVMEDIA_TYPE_VIDEO);
        if (!wanted && type != AVMEDIA_TYPE_UNKNOWN)
            f->streams[i]->discard = AVDISCARD_ALL;
    }
    r = avformat_find_stream_info(f, NULL);
    if (r < 0)
        return fail(o, r, "its streams cannot be made out", err);
    if (f->nb_streams > MEDIA_STREAMS_MAX)
        return too_many_streams(o, err);
    return 0;
}

bool media_input_is_live(const struct media_input *in)
{
    return in->origin == MEDIA_DEVICE || in->origin == MEDIA_NET;
}

void media_input_close(struct media_input *in)
{
    avformat_close_input(&in->format);
    if (in->io)
        av_freep(&in->io->buffer);
    avio_context_free(&in->io);
    if (in->fd > STDIN_FILENO)
        close(in->fd);
    in->fd = -1;
}
