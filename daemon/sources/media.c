/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The media source: varve-media, kept running, which reads a camera, a microphone or a file and
 * writes ingest frames. What it reads may break it: that is one run that ended, a line in the log,
 * and a later start.
 *
 * Live: nobody can make a camera wait, so the stream loses its oldest undone work under overload.
 */
#include <stdio.h>

#include "base/mem.h"
#include "config/paths.h"
#include "daemon/sources/child.h"
#include "ipc/media_frames.h"

struct media {
    struct source *source;
    struct child *child;
    struct media_frames frames;
    struct batch *batch;  /* of the bytes at hand */
    struct errmsg broken; /* these were not its frames: the rest of the run is not looked at */
};

static void on_begin(void *arg)
{
    struct media *m = arg;
    media_frames_deinit(&m->frames);
    media_frames_init(&m->frames, m->source->streams->stream->row.kind);
    m->broken.text[0] = '\0';
}

static int on_record(void *arg, const struct record *r)
{
    struct media *m = arg;
    struct record own = *r;
    own.arrival = clock_now(m->source->daemon->clock);
    if (r->flags & RECORD_NO_TIME)
        own.time = own.arrival;
    if (!m->batch)
        m->batch = batch_new(m->source->streams->stream);
    return m->batch ? batch_copy_record(m->batch, &own) : ERR_NOMEM;
}

static void on_output(void *arg, const void *data, size_t size)
{
    struct media *m = arg;
    if (m->broken.text[0])
        return;
    if (media_frames_take(&m->frames, data, size, on_record, m, &m->broken) != 0 &&
        !m->broken.text[0])
        err_set(&m->broken, 0, "out of memory");
    struct batch *b = m->batch;
    m->batch = NULL;
    if (b)
        source_submit(m->source->streams, b);
}

static void on_end(void *arg)
{
}

static bool on_ended(void *arg, int status, int signal)
{
    struct media *m = arg;
    struct errmsg err;
    if (m->broken.text[0])
        err = m->broken;
    else if (media_frames_verdict(&m->frames, status, signal, &err) == 0)
        return true;
    source_set_trouble(m->source, "%.199s", err.text);
    return false;
}

static void on_closed(void *arg)
{
    struct media *m = arg;
    struct source *s = m->source;
    media_frames_deinit(&m->frames);
    mem_free(m);
    source_closed(s);
}

static const struct child_ops child_ops = {
    .begin = on_begin, .output = on_output, .end = on_end, .ended = on_ended, .closed = on_closed};

static int run(struct source *s, struct media *m)
{
    const struct config_source *c = s->config;
    char program[CONFIG_PATH_SIZE], fps[32], width[32];
    struct errmsg err;
    int rc = config_media_program(program, &err);
    if (rc != 0) {
        source_set_trouble(s, "%.199s", err.text);
        return rc;
    }
    snprintf(fps, sizeof(fps), "%g", c->fps);
    snprintf(width, sizeof(width), "%lld", (long long)c->width);
    const char *words[] = {program,   "--kind", stream_kind_name((enum stream_kind)c->kind),
                           "--live",  "--fps",  fps,
                           "--width", width,    "--",
                           c->url};
    rc = child_start(s, words, sizeof(words) / sizeof(words[0]), &child_ops, m, &m->child);
    if (rc != 0)
        source_set_trouble(s, "out of memory");
    return rc;
}

static int start(struct source *s)
{
    struct media *m = mem_calloc(1, sizeof(*m));
    if (!m) {
        source_set_trouble(s, "out of memory");
        return ERR_NOMEM;
    }
    m->source = s;
    s->impl = m;
    media_frames_init(&m->frames, s->streams->stream->row.kind);
    int rc = run(s, m);
    if (rc != 0) {
        media_frames_deinit(&m->frames);
        mem_free(m);
    }
    return rc;
}

static void stop(struct source *s)
{
    struct media *m = s->impl;
    child_stop(m->child);
}

const struct source_ops source_media = {.policy = STREAM_LIVE, .start = start, .stop = stop};
