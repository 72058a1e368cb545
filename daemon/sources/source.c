/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/sources/source.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"

static const struct source_ops *ops_of(int type)
{
    switch (type) {
    case CONFIG_SOURCE_FILE:
        return &source_file;
    case CONFIG_SOURCE_EXEC:
        return &source_exec;
    case CONFIG_SOURCE_JOURNAL:
        return &source_journal;
    case CONFIG_SOURCE_MEDIA:
        return &source_media;
    default:
        return &source_host;
    }
}

void source_set_trouble(struct source *s, const char *format, ...)
{
    char text[sizeof(s->trouble)];
    va_list ap;
    va_start(ap, format);
    vsnprintf(text, sizeof(text), format, ap);
    va_end(ap);
    if (strcmp(text, s->trouble) == 0)
        return;
    memcpy(s->trouble, text, sizeof(text));
    if (text[0]) {
        s->errors++;
        log_warn("source %s: %s", s->name, text);
    }
}

/* ---- streams ---- */

const struct source_stream *source_of_stream(const struct daemon *d,
                                             const struct live_stream *stream)
{
    for (const struct source *s = d->sources; s; s = s->next)
        for (const struct source_stream *ss = s->streams; ss; ss = ss->next)
            if (ss->stream == stream)
                return ss;
    return NULL;
}

const char *source_state(const struct source *s)
{
    if (s->trouble[0])
        return s->trouble;
    if (!s->started)
        return "starting";
    for (const struct source_stream *ss = s->streams; ss; ss = ss->next)
        if (ss->paused)
            return "slowed down";
    return "running";
}

const char *source_stream_state(const struct source_stream *ss)
{
    if (ss->trouble[0])
        return ss->trouble;
    if (!ss->source->many)
        return source_state(ss->source);
    return ss->paused ? "slowed down" : "running";
}

void sources_resume(struct daemon *d)
{
    if (d->paused_streams == 0)
        return;
    for (struct source *s = d->sources; s; s = s->next) {
        for (struct source_stream *ss = s->streams; ss; ss = ss->next) {
            if (!ss->paused || !s->started || s->stopping || stream_is_full(ss->stream))
                continue;
            ss->paused = false;
            d->paused_streams--;
            if (s->ops->resume)
                s->ops->resume(ss);
        }
    }
}

int source_batch_place(struct batch *b, const char *key, struct slice place)
{
    char *copy = arena_copy(&b->arena, place.data, place.size);
    if (!copy)
        return ERR_NOMEM;
    snprintf(b->cursor_key, sizeof(b->cursor_key), "%s", key);
    b->cursor = (struct slice){copy, place.size};
    return 0;
}

void source_submit(struct source_stream *ss, struct batch *b)
{
    struct source *s = ss->source;
    if (b->cursor_key[0])
        source_place_note(s->daemon, b);
    b->job.keep = s->ops->policy == STREAM_DURABLE;
    b->job.ordered = b->job.keep; /* a later place must not become durable before an earlier one */
    stream_submit(b);
    if (s->ops->policy != STREAM_DURABLE || ss->paused || !stream_is_full(ss->stream))
        return;
    ss->paused = true;
    s->daemon->paused_streams++;
    if (s->ops->pause)
        s->ops->pause(ss);
}

int source_note(struct source_stream *ss, const char *key, struct slice value)
{
    struct batch *b = batch_new(ss->stream);
    if (!b || source_batch_place(b, key, value) != 0) {
        batch_free(b);
        return ERR_NOMEM;
    }
    source_submit(ss, b);
    return 0;
}

static void stream_opened(void *arg, struct live_stream *stream, int status,
                          const struct errmsg *err)
{
    struct source_stream *ss = arg;
    ss->opening = false;
    if (!ss->source) {
        mem_free(ss);
        return;
    }
    if (stream) {
        ss->stream = stream;
        ss->trouble[0] = '\0';
        stream->policy = ss->source->ops->policy;
        stream->lateness = ss->source->config->lateness;
    } else {
        snprintf(ss->trouble, sizeof(ss->trouble), "%.199s", err->text);
    }
    if (!ss->source->stopping)
        ss->opened(ss);
}

static void open_stream(struct source_stream *ss)
{
    const struct source *s = ss->source;
    ss->opening = true;
    stream_open(s->daemon, ss->name, (enum stream_kind)s->config->kind, ss->about, stream_opened,
                ss);
}

struct source_stream *source_stream_add(struct source *s, const char *name, const char *about,
                                        void (*opened)(struct source_stream *ss))
{
    struct source_stream *ss = mem_calloc(1, sizeof(*ss));
    if (!ss)
        return NULL;
    ss->source = s;
    ss->opened = opened;
    snprintf(ss->name, sizeof(ss->name), "%s", name);
    snprintf(ss->about, sizeof(ss->about), "%s", about);
    struct source_stream **at = &s->streams;
    while (*at)
        at = &(*at)->next;
    *at = ss;
    open_stream(ss);
    return ss;
}

static void leave_streams(struct source *s)
{
    while (s->streams) {
        struct source_stream *ss = s->streams;
        s->streams = ss->next;
        ss->source = NULL;
        if (ss->paused)
            s->daemon->paused_streams--;
        if (ss->stream && !source_of_stream(s->daemon, ss->stream))
            ss->stream->policy = STREAM_DURABLE; /* clients may go on with it, and they can wait */
        if (!ss->opening)
            mem_free(ss);
    }
}

/* ---- life ---- */

#define RETRY_MAX 60 /* seconds */

static void try_start(struct source *s)
{
    if (s->started || s->stopping || (!s->many && (!s->streams || !s->streams->stream)))
        return;
    if (s->ops->start(s) == 0) {
        s->started = true;
        source_set_trouble(s, "%s", "");
        return;
    }
    s->retry_after = s->retry_after ? s->retry_after * 2 : 1;
    if (s->retry_after > RETRY_MAX)
        s->retry_after = RETRY_MAX;
    s->waited = 0;
}

static void only_stream_opened(struct source_stream *ss)
{
    if (ss->stream)
        try_start(ss->source);
    else
        source_set_trouble(ss->source, "%s", ss->trouble);
}

static void begin(struct source *s)
{
    if (s->many)
        try_start(s);
    else if (!source_stream_add(s, s->config->stream, s->about, only_stream_opened))
        source_set_trouble(s, "out of memory");
}

static void describe(struct source *s)
{
    const struct config_source *c = s->config;
    const char *what = "";
    if (c->type == CONFIG_SOURCE_FILE && c->path.count > 0)
        what = c->path.items[0];
    else if (c->type == CONFIG_SOURCE_EXEC && c->command.count > 0)
        what = c->command.items[0];
    else if (c->type == CONFIG_SOURCE_MEDIA && !strstr(c->url, "://")) /* could hold a password */
        what = c->url;
    snprintf(s->about, sizeof(s->about), "%s%s%.120s", config_source_type_name(c->type),
             *what ? " " : "", what);
    snprintf(s->switch_off, sizeof(s->switch_off), "[source %.100s] enabled = off", c->name);
}

static int add_source(struct daemon *d, const struct config_source *config)
{
    struct source *s = mem_calloc(1, sizeof(*s));
    if (!s)
        return ERR_NOMEM;
    s->daemon = d;
    s->config = config;
    s->ops = ops_of(config->type);
    snprintf(s->name, sizeof(s->name), "%s", config->name);
    s->many = s->ops->many && s->ops->many(config);
    describe(s);
    struct source **at = &d->sources;
    while (*at)
        at = &(*at)->next;
    *at = s;
    begin(s);
    return 0;
}

static bool is_wanted(const struct config_source *c)
{
    if (!c->enabled)
        return false;
    return !c->fallback || !source_journal_readable();
}

static const struct config_source *find_config(const struct config *c, const char *name)
{
    for (size_t i = 0; i < c->source_count; i++)
        if (strcmp(c->source[i].name, name) == 0)
            return &c->source[i];
    return NULL;
}

static void unlink_source(struct source *s)
{
    for (struct source **at = &s->daemon->sources; *at; at = &(*at)->next) {
        if (*at == s) {
            *at = s->next;
            return;
        }
    }
}

void source_closed(struct source *s)
{
    unlink_source(s);
    leave_streams(s);
    if (s->closed_cb)
        s->closed_cb(s);
    mem_free(s);
}

static void stop_source(struct source *s, void (*closed_cb)(struct source *))
{
    if (s->stopping)
        return;
    s->stopping = true;
    s->closed_cb = closed_cb;
    if (s->started)
        s->ops->stop(s);
    else
        source_closed(s);
}

static void start_missing(struct daemon *d)
{
    for (size_t i = 0; i < d->config->source_count; i++) {
        const struct config_source *c = &d->config->source[i];
        bool there = false;
        for (const struct source *s = d->sources; s; s = s->next)
            if (strcmp(s->name, c->name) == 0)
                there = true;
        if (!there && is_wanted(c) && add_source(d, c) != 0)
            log_error("source %s: out of memory", c->name);
    }
}

static void closed_for_reload(struct source *s)
{
    /* What the reload put in its place starts now that the old one is gone. */
    if (!s->daemon->stopping)
        start_missing(s->daemon);
}

int sources_apply(struct daemon *d)
{
    if (d->stopping)
        return 0;
    struct source *next;
    for (struct source *s = d->sources; s; s = next) {
        next = s->next;
        const struct config_source *fresh = find_config(d->config, s->name);
        if (s->stopping)
            continue;
        if (fresh && is_wanted(fresh) && config_source_equal(s->config, fresh)) {
            s->config = fresh;
        } else {
            stop_source(s, closed_for_reload);
        }
    }
    start_missing(d);
    return 0;
}

static void closed_for_stop(struct source *s)
{
    struct daemon *d = s->daemon;
    if (!d->sources)
        d->sources_stopped(d);
}

void sources_stop(struct daemon *d, void (*done)(struct daemon *))
{
    d->sources_stopped = done;
    if (!d->sources) {
        done(d);
        return;
    }
    struct source *next;
    for (struct source *s = d->sources; s; s = next) {
        next = s->next;
        s->closed_cb = closed_for_stop; /* also of one that a reload is stopping already */
        stop_source(s, closed_for_stop);
    }
}

void sources_tick(struct daemon *d)
{
    for (struct source *s = d->sources; s; s = s->next) {
        if (s->stopping)
            continue;
        for (struct source_stream *ss = s->streams; ss; ss = ss->next)
            if (!ss->stream && !ss->opening)
                open_stream(ss);
        if (!s->many && !s->streams)
            begin(s);
        else if (!s->started && ++s->waited >= s->retry_after)
            try_start(s);
    }
    sources_resume(d); /* of what waited for room on the disk, nothing else tells */
}
