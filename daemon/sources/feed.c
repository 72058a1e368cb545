/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/sources/feed.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "pipeline/reader.h"

struct feed {
    struct source *source;
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
        f->batch = batch_new(f->source->stream);
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
    int rc = stream_channel(f->source->stream, name, strlen(name), &f->map[index]);
    if (rc == ERR_NOMEM)
        return rc;
    if (rc != 0) {
        f->map[index] = UINT16_MAX;
        source_set_trouble(f->source, "%s: channel %s is left out: %s", f->label, name, err_text(rc));
    }
    return 0;
}

static int on_error(void *arg, uint64_t line, const char *text)
{
    struct feed *f = arg;
    f->source->errors++;
    log_warn("source %s: %s:%llu: %s", f->source->name, f->label, (unsigned long long)line, text);
    return 0;
}

int feed_new(struct source *s, const char *label, struct feed **ret)
{
    struct feed *f = mem_calloc(1, sizeof(*f));
    if (!f)
        return ERR_NOMEM;
    f->source = s;
    f->label = mem_strdup(label);
    f->map = mem_alloc(CHANNELS_MAX * sizeof(*f->map));
    struct record_reader_options options = {.kind = s->stream->row.kind, .clock = s->daemon->clock};
    struct record_reader_callbacks callbacks = {
        .arg = f, .record = on_record, .channel = on_channel, .error = on_error};
    int rc = f->label && f->map ? record_reader_new(&options, &callbacks, &f->reader, NULL) : ERR_NOMEM;
    if (rc != 0) {
        feed_free(f);
        return rc;
    }
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

size_t feed_partial(const struct feed *f)
{
    return record_reader_partial(f->reader);
}

void feed_submit(struct feed *f, const char *cursor_key, struct slice cursor)
{
    if (!f->batch && !cursor_key)
        return;
    struct batch *b = f->batch ? f->batch : batch_new(f->source->stream);
    f->batch = NULL;
    if (!b) {
        source_set_trouble(f->source, "out of memory");
        return;
    }
    if (cursor_key) {
        char *copy = arena_copy(&b->arena, cursor.data, cursor.size);
        if (copy) {
            snprintf(b->cursor_key, sizeof(b->cursor_key), "%s", cursor_key);
            b->cursor = (struct slice){copy, cursor.size};
        }
    }
    source_submit(f->source, b);
}
