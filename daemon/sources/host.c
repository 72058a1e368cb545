/* SPDX-License-Identifier: Apache-2.0 */
/* The host source: samples host_metrics on a timer, one record a sample. Live: it cannot wait. */
#include <string.h>

#include "base/mem.h"
#include "daemon/sources/host_metrics.h"
#include "daemon/sources/source.h"

struct host {
    struct source *source;
    struct host_metrics *metrics;
    uv_timer_t timer;
    struct sample samples[CHANNELS_MAX];
    uint32_t count;
};

static void take_metric(void *arg, const char *name, double value)
{
    struct host *h = arg;
    if (h->count == CHANNELS_MAX)
        return;
    struct sample *sample = &h->samples[h->count];
    memset(sample, 0, sizeof(*sample));
    if (stream_channel(h->source->streams->stream, name, strlen(name), &sample->channel) != 0)
        return;
    sample->value = value;
    h->count++;
}

static void on_timer(uv_timer_t *timer)
{
    struct host *h = container_of(timer, struct host, timer);
    struct daemon *d = h->source->daemon;
    h->count = 0;
    host_metrics_sample(h->metrics, clock_mono(d->clock), take_metric, h);
    struct batch *b = batch_new(h->source->streams->stream);
    int64_t now = clock_now(d->clock);
    struct record r = {
        .time = now, .arrival = now, .samples = h->samples, .sample_count = h->count};
    if (h->count == 0 || !b || batch_copy_record(b, &r) != 0) {
        batch_free(b);
        return;
    }
    source_submit(h->source->streams, b);
}

static int start(struct source *s)
{
    struct host *h = mem_calloc(1, sizeof(*h));
    if (!h || host_metrics_new("", &h->metrics) != 0) {
        mem_free(h);
        source_set_trouble(s, "out of memory");
        return ERR_NOMEM;
    }
    h->source = s;
    s->impl = h;
    uv_timer_init(&s->daemon->loop, &h->timer);
    uint64_t ms = (uint64_t)s->config->interval / 1000;
    uv_timer_start(&h->timer, on_timer, 0, ms ? ms : 1000);
    return 0;
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct host *h = container_of(handle, struct host, timer);
    struct source *s = h->source;
    host_metrics_free(h->metrics);
    mem_free(h);
    source_closed(s);
}

static void stop(struct source *s)
{
    struct host *h = s->impl;
    uv_close((uv_handle_t *)&h->timer, on_timer_closed);
}

const struct source_ops source_host = {.policy = STREAM_LIVE, .start = start, .stop = stop};
