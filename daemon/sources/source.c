/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/sources/source.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "memory/lookup.h"

static const struct source_ops *ops_of(int type)
{
    switch (type) {
    case CONFIG_SOURCE_FILE:
        return &source_file;
    case CONFIG_SOURCE_EXEC:
        return &source_exec;
    case CONFIG_SOURCE_JOURNAL:
        return &source_journal;
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

const struct source *source_of_stream(const struct daemon *d, const struct live_stream *stream)
{
    for (const struct source *s = d->sources; s; s = s->next)
        if (s->stream == stream)
            return s;
    return NULL;
}

const char *source_state(const struct source *s)
{
    if (s->trouble[0])
        return s->trouble;
    return !s->started ? "starting" : s->paused ? "slowed down" : "running";
}

static void resume_source(void *arg)
{
    struct source *s = arg;
    if (s->paused && s->started && !s->stopping) {
        s->paused = false;
        s->ops->resume(s);
    }
}

/* Where sources stand, as submitted in this run: a reload must not read what is still being written. */
struct source_place {
    struct source_place *next;
    char key[192];
    struct buf value;
};

static void remember_place(struct daemon *d, const struct batch *b)
{
    struct source_place *p = d->places;
    while (p && strcmp(p->key, b->cursor_key) != 0)
        p = p->next;
    if (!p) {
        p = mem_calloc(1, sizeof(*p));
        if (!p)
            return;
        memcpy(p->key, b->cursor_key, sizeof(p->key));
        p->next = d->places;
        d->places = p;
    }
    buf_clear(&p->value);
    buf_append(&p->value, b->cursor.data, b->cursor.size);
}

void sources_free_places(struct daemon *d)
{
    while (d->places) {
        struct source_place *p = d->places;
        d->places = p->next;
        buf_deinit(&p->value);
        mem_free(p);
    }
}

int source_state_get(struct source *s, const char *key, struct buf *out)
{
    struct daemon *d = s->daemon;
    for (const struct source_place *p = d->places; p; p = p->next) {
        if (strcmp(p->key, key) == 0) {
            buf_append(out, p->value.data, p->value.size);
            return buf_failed(out) ? ERR_NOMEM : 0;
        }
    }
    struct errmsg err;
    return lookup_state(d->database, key, out, &err);
}

void source_submit(struct source *s, struct batch *b)
{
    if (b->cursor_key[0])
        remember_place(s->daemon, b);
    b->job.keep = s->ops->policy == STREAM_DURABLE;
    stream_submit(b);
    if (!s->paused && s->ops->pause && stream_is_full(s->stream)) {
        s->paused = true;
        s->ops->pause(s);
    }
}

static void try_start(struct source *s)
{
    if (s->started || s->stopping || !s->stream)
        return;
    if (s->ops->start(s) == 0) {
        s->started = true;
        source_set_trouble(s, "%s", "");
    }
}

struct opening {
    struct daemon *daemon;
    struct source *source;
};

static bool is_still_there(const struct daemon *d, const struct source *source)
{
    for (const struct source *s = d->sources; s; s = s->next)
        if (s == source)
            return true;
    return false;
}

static void stream_opened(void *arg, struct live_stream *stream, int status, const struct errmsg *err)
{
    struct opening o = *(struct opening *)arg;
    mem_free(arg);
    struct source *s = o.source;
    if (!is_still_there(o.daemon, s) || s->stopping)
        return;
    if (!stream) {
        source_set_trouble(s, "%s", err->text);
        return;
    }
    s->stream = stream;
    stream->policy = s->ops->policy;
    stream->lateness = s->config->lateness;
    if (s->ops->pause) {
        stream->source_resume = resume_source;
        stream->source_arg = s;
    }
    try_start(s);
}

static void open_stream(struct source *s)
{
    struct opening *o = mem_alloc(sizeof(*o));
    if (!o) {
        source_set_trouble(s, "out of memory");
        return;
    }
    *o = (struct opening){s->daemon, s};
    stream_open(s->daemon, s->config->stream, (enum stream_kind)s->config->kind, s->about,
                stream_opened, o);
}

static void describe(struct source *s)
{
    const struct config_source *c = s->config;
    const char *what = "";
    if (c->type == CONFIG_SOURCE_FILE && c->path.count > 0)
        what = c->path.items[0];
    else if (c->type == CONFIG_SOURCE_EXEC && c->command.count > 0)
        what = c->command.items[0];
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
    describe(s);
    struct source **at = &d->sources;
    while (*at)
        at = &(*at)->next;
    *at = s;
    open_stream(s);
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
    if (s->stream && s->stream->source_arg == s) {
        s->stream->source_resume = NULL;
        s->stream->source_arg = NULL;
    }
    unlink_source(s);
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
        if (!s->stream && s->trouble[0])
            open_stream(s);
        else
            try_start(s);
    }
}
