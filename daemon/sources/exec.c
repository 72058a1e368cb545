/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The exec source: a child's standard output, line by line.
 *
 * Durable: while the stream's queue is full the pipe is not read, and the child waits in its write.
 */
#include "base/mem.h"
#include "daemon/sources/child.h"
#include "daemon/sources/feed.h"

struct exec {
    struct source *source;
    struct feed *feed;
    struct child *child;
};

static void on_begin(void *arg)
{
    struct exec *e = arg;
    feed_restart(e->feed);
}

static void submit(struct exec *e, int rc)
{
    if (feed_submit(e->feed, NULL, (struct slice){NULL, 0}) != 0 || rc != 0)
        source_set_trouble(e->source, "out of memory: output was lost");
}

static void on_output(void *arg, const void *data, size_t size)
{
    struct exec *e = arg;
    submit(e, feed_bytes(e->feed, data, size));
}

static void on_end(void *arg)
{
    struct exec *e = arg;
    submit(e, feed_end(e->feed));
}

static bool on_ended(void *arg, int status, int signal)
{
    struct exec *e = arg;
    if (signal)
        source_set_trouble(e->source, "the command was ended by signal %d", signal);
    else
        source_set_trouble(e->source, "the command ended with status %d", status);
    return false;
}

static void on_closed(void *arg)
{
    struct exec *e = arg;
    struct source *s = e->source;
    feed_free(e->feed);
    mem_free(e);
    source_closed(s);
}

static const struct child_ops child_ops = {
    .begin = on_begin, .output = on_output, .end = on_end, .ended = on_ended, .closed = on_closed};

static int start(struct source *s)
{
    const struct config_list *command = &s->config->command;
    struct exec *e = mem_calloc(1, sizeof(*e));
    int rc = e ? feed_new(s->streams, command->items[0], &e->feed) : ERR_NOMEM;
    if (rc == 0) {
        e->source = s;
        s->impl = e;
        rc = child_start(s, (const char *const *)command->items, command->count, &child_ops, e,
                         &e->child);
    }
    if (rc != 0) {
        if (e)
            feed_free(e->feed);
        mem_free(e);
        source_set_trouble(s, "out of memory");
    }
    return rc;
}

static void stop(struct source *s)
{
    struct exec *e = s->impl;
    child_stop(e->child);
}

static void pause_reading(struct source_stream *ss)
{
    struct exec *e = ss->source->impl;
    child_pause(e->child);
}

static void resume_reading(struct source_stream *ss)
{
    struct exec *e = ss->source->impl;
    child_resume(e->child);
}

const struct source_ops source_exec = {.policy = STREAM_DURABLE,
                                       .start = start,
                                       .stop = stop,
                                       .pause = pause_reading,
                                       .resume = resume_reading};
