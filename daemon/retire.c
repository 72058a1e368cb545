/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stream that is to be forgotten leaves the daemon's list at once, so that what is under way can
 * be waited for while nothing new comes. Sources and channels that feed it know it by its address:
 * what they go on sending is held, and given to a fresh stream of the same name once the old one is
 * gone. The old struct stays until the daemon ends.
 */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "daemon/daemon.h"
#include "daemon/stream.h"

static void unlink_from(struct live_stream **list, struct live_stream *s)
{
    while (*list != s)
        list = &(*list)->next;
    *list = s->next;
}

static void find_end(struct daemon *d)
{
    d->streams_last = &d->streams;
    while (*d->streams_last)
        d->streams_last = &(*d->streams_last)->next;
}

void stream_retire(struct live_stream *s)
{
    struct daemon *d = s->daemon;
    unlink_from(&d->streams, s);
    find_end(d);
    d->stream_count--;
    s->next = d->retired;
    d->retired = s;
    s->retired = STREAM_LEAVING;
}

void stream_refuse(struct batch *b, int status, const struct errmsg *err)
{
    if (b->acked_cb)
        b->acked_cb(b, status, 0, err);
    batch_free(b);
}

static bool is_numbered(const struct record *r, const struct live_stream *from,
                        const struct live_stream *to)
{
    bool good = from == to;
    for (uint32_t k = 0; k < r->sample_count && good; k++)
        good = !atomic_load(&from->channels_gone[r->samples[k].channel]);
    return good;
}

/* A fresh stream numbers its channels anew, another those that were forgotten. */
int stream_renumber(struct batch *b, struct live_stream *to)
{
    const struct live_stream *from = b->stream;
    for (uint32_t i = 0; i < b->count; i++) {
        const struct record *r = &b->records[i];
        if (is_numbered(r, from, to))
            continue;
        struct sample *samples = arena_alloc(&b->arena, r->sample_count * sizeof(*samples) + 1);
        if (!samples)
            return ERR_NOMEM;
        if (r->sample_count)
            memcpy(samples, r->samples, r->sample_count * sizeof(*samples));
        for (uint32_t k = 0; k < r->sample_count; k++) {
            const char *name = from->channels[samples[k].channel];
            int rc = stream_channel(to, name, strlen(name), &samples[k].channel);
            if (rc != 0)
                return rc;
        }
        b->records[i].samples = r->sample_count ? samples : NULL;
    }
    return 0;
}

static void pass_on(struct batch *b, struct live_stream *to)
{
    int rc = b->stream->row.kind == KIND_SENSOR ? stream_renumber(b, to) : 0;
    if (rc != 0) {
        struct errmsg err = {""};
        stream_refuse(b, err_set(&err, rc, "stream %s: %s", to->row.name, err_text(rc)), &err);
        return;
    }
    b->stream = to;
    stream_submit(b);
}

static void pass_on_held(struct live_stream *s, struct live_stream *to, int status,
                         const struct errmsg *err)
{
    struct batch *b = s->held;
    s->held = NULL;
    while (b) {
        struct batch *next = b->next;
        b->next = NULL;
        if (to)
            pass_on(b, to);
        else
            stream_refuse(b, status, err);
        b = next;
    }
    streams_resume(s->daemon);
}

static void opened_again(void *arg, struct live_stream *fresh, int status, const struct errmsg *err)
{
    struct live_stream *s = arg;
    s->reopening = false;
    if (fresh && !s->successor) {
        fresh->policy = s->policy;
        fresh->lateness = s->lateness;
        s->successor = fresh;
    }
    pass_on_held(s, fresh, status, err);
}

static void open_again(struct live_stream *s)
{
    if (s->reopening || !s->held || s->retired != STREAM_GONE)
        return;
    s->reopening = true;
    stream_open(s->daemon, s->row.name, s->row.kind, s->row.source, opened_again, s);
}

void stream_hold(struct batch *b)
{
    struct live_stream *s = b->stream;
    /* The fresh one may have been forgotten as well. */
    while (s->successor && s->successor->retired == STREAM_GONE && s->successor->successor)
        s->successor = s->successor->successor;
    if (s->successor) {
        pass_on(b, s->successor);
        return;
    }
    struct batch **at = &s->held;
    while (*at)
        at = &(*at)->next;
    b->next = NULL;
    *at = b;
    open_again(s);
}

void stream_retired(struct live_stream *s, bool gone)
{
    struct daemon *d = s->daemon;
    if (gone) {
        s->retired = STREAM_GONE;
        open_again(s);
        return;
    }
    unlink_from(&d->retired, s);
    s->retired = STREAM_SERVES;
    s->next = NULL;
    find_end(d);
    *d->streams_last = s;
    d->streams_last = &s->next;
    d->stream_count++;
    pass_on_held(s, s, 0, NULL);
}

bool stream_is_leaving(const struct daemon *d, const char *name)
{
    for (const struct live_stream *s = d->retired; s; s = s->next)
        if (s->retired == STREAM_LEAVING && strcmp(s->row.name, name) == 0)
            return true;
    return false;
}
