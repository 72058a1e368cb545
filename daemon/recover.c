/* SPDX-License-Identifier: Apache-2.0 */
/* Streams as the file has them, and the records that a crash left in its journal. */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "daemon/daemon.h"
#include "daemon/stream.h"
#include "memory/evidence.h"
#include "pipeline/redact.h"
#include "pipeline/stream.h"

struct loading {
    struct daemon *daemon;
    struct live_stream *stream;
    int status;
    uint64_t records;
    struct errmsg *err;
};

static void load_stream(void *arg, const struct store_stream *row)
{
    struct loading *l = arg;
    if (l->status == 0 && !stream_adopt(l->daemon, row))
        l->status = err_set(l->err, ERR_NOMEM, "out of memory");
}

static void load_channel(void *arg, uint16_t index, const char *name)
{
    struct loading *l = arg;
    struct live_stream *s = l->stream;
    char gone[CHANNEL_GONE_ROOM];
    if (l->status != 0)
        return;
    if (index != s->channel_count || index >= CHANNELS_MAX || strlen(name) > CHANNEL_NAME_MAX) {
        l->status = err_set(l->err, ERR_CORRUPT, "stream %s: channel %u (%s) is out of order",
                            s->row.name, index, name);
        return;
    }
    s->channels[index] = mem_strndup(name, strlen(name));
    if (!s->channels[index]) {
        l->status = err_set(l->err, ERR_NOMEM, "out of memory");
        return;
    }
    s->channel_count++;
    snprintf(gone, sizeof(gone), "(forgotten %u)", index);
    if (strcmp(name, gone) == 0)
        stream_forget_channel(s, index);
}

static struct live_stream *find_id(struct daemon *d, int64_t id)
{
    for (struct live_stream *s = d->streams; s; s = s->next)
        if (s->row.id == id)
            return s;
    return NULL;
}

static int load_pending(void *arg, int64_t id, int64_t stream, struct slice block)
{
    struct loading *l = arg;
    struct live_stream *s = find_id(l->daemon, stream);
    if (!s)
        return err_set(l->err, ERR_CORRUPT, "journal row %lld names no stream", (long long)id);
    struct batch *b = batch_new(s);
    if (!b)
        return err_set(l->err, ERR_NOMEM, "out of memory");
    struct record *records;
    int rc = evidence_decode(block, &b->arena, &records, &b->count, l->err);
    if (rc == 0) {
        b->records = mem_alloc(b->count * sizeof(*records));
        if (!b->records)
            rc = err_set(l->err, ERR_NOMEM, "out of memory");
    }
    if (rc != 0) {
        batch_free(b);
        return err_wrap(l->err, rc, "journal row %lld", (long long)id);
    }
    memcpy(b->records, records, b->count * sizeof(*records));
    b->pending_id = id;
    batch_count_journal(b, block.size);
    b->tag = s->next_tag++;
    b->remaining = b->count;
    b->channels = s->channel_count;
    b->seq_first = UINT64_MAX;
    for (uint32_t i = 0; i < b->count; i++) {
        uint64_t seq = b->records[i].seq;
        b->seq_first = seq < b->seq_first ? seq : b->seq_first;
        b->seq_last = seq > b->seq_last ? seq : b->seq_last;
        b->records[i].tag = b->tag;
        b->bytes += record_payload_size(&b->records[i]);
    }
    l->records += b->count;
    stream_take_up(s, b);
    return 0;
}

int streams_load(struct daemon *d, struct errmsg *err)
{
    struct loading l = {.daemon = d, .err = err};
    int rc = store_streams(d->store, load_stream, &l, err);
    for (struct live_stream *s = d->streams; s && rc == 0 && l.status == 0; s = s->next) {
        l.stream = s;
        char key[64];
        stream_state_key(s, key, sizeof(key));
        rc = store_state_get(d->store, key, &s->learnt_before, err);
        if (rc == ERR_CORRUPT) { /* records are worth more than what was learnt of them */
            log_warn("stream %s learns anew: %s", s->row.name, err->text);
            buf_clear(&s->learnt_before);
        }
        if (rc == ERR_NOTFOUND || rc == ERR_CORRUPT)
            rc = 0;
        if (rc == 0 && s->row.kind == KIND_SENSOR)
            rc = store_channels(d->store, s->row.id, load_channel, &l, err);
        s->channels_stored = s->channel_count;
    }
    if (rc == 0)
        rc = l.status;
    if (rc == 0)
        rc = store_pending(d->store, load_pending, &l, err);
    if (rc == 0 && l.records > 0)
        log_info("taking up %llu records from the journal", (unsigned long long)l.records);
    return rc;
}

static void abandon_flush(struct stream_flush *f)
{
    struct errmsg err;
    f->cb(f->arg, err_set(&err, ERR_CLOSED, "the daemon is stopping"), &err);
    mem_free(f);
}

static void abandon_item(struct stream_item *item)
{
    struct errmsg err;
    struct stream_call *call;
    switch (item->kind) {
    case ITEM_ADMIT:
        if (item->batch->acked_cb)
            item->batch->acked_cb(item->batch, ERR_CLOSED, 0,
                                  (err_set(&err, ERR_CLOSED, "the daemon is stopping"), &err));
        batch_free(item->batch);
        break;
    case ITEM_JOURNALED:
    case ITEM_REFUSED: /* its batch is in the list of those being journaled */
        break;
    case ITEM_FLUSH:
        abandon_flush(container_of(item, struct stream_flush, item));
        break;
    case ITEM_CALL:
        call = container_of(item, struct stream_call, item);
        call->done(call);
        break;
    case ITEM_REDACTOR:
        redactor_free(container_of(item, struct stream_redactor, item)->redactor);
        mem_free(container_of(item, struct stream_redactor, item));
        break;
    case ITEM_TICK:
    case ITEM_SNAPSHOT:
        mem_free(item);
        break;
    }
}

static void abandon_all(struct live_stream *list)
{
    for (struct live_stream *s = list; s; s = s->next) {
        while (s->inbox) {
            struct stream_item *item = s->inbox;
            s->inbox = item->next;
            abandon_item(item);
        }
        s->inbox_last = &s->inbox;
        while (s->flushes) {
            struct stream_flush *f = s->flushes;
            s->flushes = f->next;
            abandon_flush(f);
        }
        while (s->held) {
            struct batch *b = s->held;
            s->held = b->next;
            b->item = (struct stream_item){.kind = ITEM_ADMIT, .batch = b};
            abandon_item(&b->item);
        }
    }
}

void streams_abandon(struct daemon *d)
{
    abandon_all(d->streams);
    abandon_all(d->retired);
}

static void free_batches(struct batch *list)
{
    while (list) {
        struct batch *next = list->next;
        batch_free(list);
        list = next;
    }
}

static void free_stream(struct live_stream *s)
{
    free_batches(s->modelled);
    free_batches(s->journaling);
    pipeline_stream_free(s->pipeline);
    redactor_free(s->redactor);
    seqs_free(s->seqs);
    buf_deinit(&s->learnt_before);
    for (uint16_t i = 0; i < s->channel_count; i++)
        mem_free(s->channels[i]);
    mem_free(s->channels);
    mem_free(s->channels_gone);
    mem_free(s);
}

static void free_list(struct live_stream *list)
{
    while (list) {
        struct live_stream *next = list->next;
        free_stream(list);
        list = next;
    }
}

void streams_free(struct daemon *d)
{
    free_list(d->streams);
    free_list(d->retired);
    d->streams = d->retired = NULL;
    d->streams_last = &d->streams;
}
