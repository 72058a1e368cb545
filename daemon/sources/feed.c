/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/sources/feed.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "pipeline/reader.h"

struct feed {
    struct source_stream *stream;
    char *label;
    struct record_reader *reader;
    struct batch *batch;
    uint16_t *map; /* sensor: the reader's channel -> the stream's */
    uint16_t known;
};

static int on_record(void *arg, const struct record *r, uint64_t line)
{
    struct feed *f = arg;
    if (!f->batch)
        f->batch = batch_new(f->stream->stream);
    if (!f->batch)
        return ERR_NOMEM;
    struct record own = *r;
    struct sample *samples = NULL;
    if (r->sample_count > 0) {
        samples = arena_alloc(&f->batch->arena, r->sample_count * sizeof(*samples));
        if (!samples)
            return ERR_NOMEM;
        own.sample_count = 0;
        for (uint32_t i = 0; i < r->sample_count; i++) {
            if (f->map[r->samples[i].channel] == UINT16_MAX)
                continue; /* the stream has as many channels as it may */
            samples[own.sample_count] = r->samples[i];
            samples[own.sample_count++].channel = f->map[r->samples[i].channel];
        }
        own.samples = samples;
    }
    return batch_copy_record(f->batch, &own);
}

static int on_channel(void *arg, uint16_t index, const char *name)
{
    struct feed *f = arg;
    if (index >= CHANNELS_MAX)
        return 0;
    int rc = stream_channel(f->stream->stream, name, strlen(name), &f->map[index]);
    if (rc == ERR_NOMEM)
        return rc;
    if (rc != 0) {
        f->map[index] = UINT16_MAX;
        f->stream->source->errors++;
        log_warn("source %s: %s: channel %s is left out: %s", f->stream->source->name, f->label,
                 name, err_text(rc));
    }
    return 0;
}

static int on_error(void *arg, uint64_t line, const char *text)
{
    struct feed *f = arg;
    f->stream->source->errors++;
    log_warn("source %s: %s:%llu: %s", f->stream->source->name, f->label, (unsigned long long)line,
             text);
    return 0;
}

int feed_new(struct source_stream *ss, const char *label, struct feed **ret)
{
    struct feed *f = mem_calloc(1, sizeof(*f));
    if (!f)
        return ERR_NOMEM;
    bool sensor = ss->stream->row.kind == KIND_SENSOR;
    f->stream = ss;
    f->label = mem_strdup(label);
    f->map = sensor ? mem_alloc(CHANNELS_MAX * sizeof(*f->map)) : NULL;
    struct record_reader_options options = {
        .kind = ss->stream->row.kind, .live = true, .clock = ss->source->daemon->clock};
    struct record_reader_callbacks callbacks = {
        .arg = f, .record = on_record, .channel = on_channel, .error = on_error};
    int rc = ERR_NOMEM;
    if (f->label && (f->map || !sensor))
        rc = record_reader_new(&options, &callbacks, &f->reader, NULL);
    if (rc != 0) {
        feed_free(f);
        return rc;
    }
    if (sensor)
        memset(f->map, 0xff, CHANNELS_MAX * sizeof(*f->map));
    *ret = f;
    return 0;
}

void feed_free(struct feed *f)
{
    if (!f)
        return;
    record_reader_free(f->reader);
    batch_free(f->batch);
    mem_free(f->map);
    mem_free(f->label);
    mem_free(f);
}

int feed_bytes(struct feed *f, const void *data, size_t size)
{
    return record_reader_feed(f->reader, data, size, NULL);
}

int feed_end(struct feed *f)
{
    return record_reader_end(f->reader, NULL);
}

void feed_restart(struct feed *f)
{
    record_reader_restart(f->reader);
}

struct slice feed_head(const struct feed *f)
{
    return record_reader_head(f->reader);
}

int feed_resume(struct feed *f, struct slice head)
{
    return record_reader_resume(f->reader, head);
}

size_t feed_partial(const struct feed *f)
{
    return record_reader_partial(f->reader);
}

int feed_submit(struct feed *f, const char *place_key, struct slice place)
{
    if (!f->batch && !place_key)
        return 0;
    struct batch *b = f->batch ? f->batch : batch_new(f->stream->stream);
    if (!b || (place_key && source_batch_place(b, place_key, place) != 0)) {
        if (b != f->batch)
            batch_free(b);
        return ERR_NOMEM;
    }
    f->batch = NULL;
    source_submit(f->stream, b);
    return 0;
}
