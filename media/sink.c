/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records leave one by one: sound every half second, a picture as often as was asked for, so
 * nothing waits for a full batch. Whoever reads may be slow, which is no stall of the input.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "ipc/frame.h"
#include "ipc/varve.h"
#include "media/sandbox.h"

struct media_sink {
    enum stream_kind kind;
    int fd; /* pipe */
    struct buf out;
    struct varve *v; /* socket */
    struct varve_channel *channel;
    uint64_t count;
};

int media_sink_new_pipe(enum stream_kind kind, int fd, struct media_sink **ret)
{
    struct media_sink *s = mem_calloc(1, sizeof(*s));
    if (!s)
        return ERR_NOMEM;
    s->kind = kind;
    s->fd = fd;
    *ret = s;
    return 0;
}

int media_sink_new_socket(enum stream_kind kind, const char *socket, const char *stream,
                          struct media_sink **ret, struct errmsg *err)
{
    struct media_sink *s = mem_calloc(1, sizeof(*s));
    if (!s)
        return err_set(err, ERR_NOMEM, "out of memory");
    s->kind = kind;
    s->fd = -1;
    int r = varve_connect(socket, &s->v);
    if (r == 0)
        r = varve_channel_open(s->v, stream, stream_kind_name(kind), &s->channel);
    if (r < 0) {
        err_set(err, r, "%s", s->v ? varve_error(s->v) : err_text(r));
        media_sink_free(s);
        return r;
    }
    *ret = s;
    return 0;
}

static int write_out(struct media_sink *s, struct errmsg *err)
{
    size_t at = 0;
    if (buf_failed(&s->out))
        return err_set(err, ERR_NOMEM, "out of memory");
    while (at < s->out.size) {
        ssize_t n = write(s->fd, s->out.data + at, s->out.size - at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_set(err, ERR_CLOSED, "standard output: %s", strerror(errno));
        at += (size_t)n;
    }
    buf_clear(&s->out);
    return 0;
}

static int put_channel(struct media_sink *s, const struct record *r, struct errmsg *err)
{
    int rc = varve_channel_put_media(s->channel, 0, r->time, NULL, r->media.data, r->media.size);
    if (rc == 0)
        rc = varve_channel_send(s->channel);
    return rc < 0 ? err_set(err, ERR_CLOSED, "%s", varve_error(s->v)) : 0;
}

int media_sink_put(struct media_sink *s, int64_t time, const void *data, size_t size,
                   struct errmsg *err)
{
    struct record r = {.time = time, .media = {data, size}};
    int rc;
    watchdog_rest();
    if (s->channel) {
        rc = put_channel(s, &r, err);
    } else {
        frame_put_records(&s->out, s->kind, &r, 1);
        rc = write_out(s, err);
    }
    watchdog_feed();
    if (rc == 0)
        s->count++;
    return rc;
}

int media_sink_end(struct media_sink *s, int code, const char *text, struct errmsg *err)
{
    watchdog_rest();
    if (s->channel) {
        int rc = varve_channel_close(s->channel);
        s->channel = NULL;
        return rc < 0 ? err_set(err, rc, "%s", varve_error(s->v)) : 0;
    }
    struct frame_error e = {.code = code, .name = {"media", 5}, .text = {text, strlen(text)}};
    if (code)
        frame_put_error(&s->out, &e);
    else
        frame_put_empty(&s->out, FRAME_CLOSE);
    return write_out(s, err);
}

uint64_t media_sink_count(const struct media_sink *s)
{
    return s->count;
}

void media_sink_free(struct media_sink *s)
{
    if (!s)
        return;
    varve_close(s->v);
    buf_deinit(&s->out);
    mem_free(s);
}
