/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon's side of an ingest channel: whole frames to the handler, answers back as frames.
 *
 * A frame's body is copied once, into the batch that then belongs to the handler. A record that is
 * bad costs an error frame and nothing else; a frame that is malformed ends the connection, because
 * where the next one starts can no longer be trusted.
 */
#include <string.h>

#include "base/mem.h"
#include "ipc/conn.h"

#define BATCH_CHUNK (64u << 10)
#define BATCH_KEEP (1u << 20) /* a batch that grew larger is not kept */

static struct ipc_batch *take_batch(struct server *s)
{
    if (s->free_batch_count > 0)
        return s->free_batches[--s->free_batch_count];
    struct ipc_batch *b = mem_calloc(1, sizeof(*b));
    if (b)
        arena_init(&b->arena, BATCH_CHUNK);
    return b;
}

static void free_batch(struct ipc_batch *b)
{
    arena_deinit(&b->arena);
    mem_free(b);
}

void ipc_batch_release(struct server *s, struct ipc_batch *b)
{
    if (s->free_batch_count == BATCHES_KEPT || arena_size(&b->arena) > BATCH_KEEP) {
        free_batch(b);
        return;
    }
    arena_reset(&b->arena);
    s->free_batches[s->free_batch_count++] = b;
}

void channel_free_batches(struct server *s)
{
    while (s->free_batch_count > 0)
        free_batch(s->free_batches[--s->free_batch_count]);
}

/* ---- frames in ------------------------------------------------------------------------------- */

static void bad_record(void *arg, uint32_t index, const char *text)
{
    struct ipc_conn *c = arg;
    ipc_channel_error(c, c->records + 1 + index, ERR_INVALID, NULL, text);
}

static bool all_named(const struct ipc_conn *c, const struct record *r)
{
    for (uint32_t i = 0; i < r->sample_count; i++) {
        uint16_t channel = r->samples[i].channel;
        if (!(c->named[channel / 8] & 1u << channel % 8))
            return false;
    }
    return true;
}

/* Drops records whose channels have no name yet, numbers the others on the channel. */
static void number_records(struct ipc_conn *c, struct ipc_batch *b)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < b->count; i++) {
        struct record *r = &b->records[i];
        if (!all_named(c, r)) {
            bad_record(c, (uint32_t)r->tag, "values: a channel without a name");
            continue;
        }
        r->tag += c->records + 1;
        b->records[kept++] = *r;
    }
    b->count = kept;
}

static int decode_batch(struct ipc_conn *c, const struct frame *f, struct ipc_batch *b,
                        struct errmsg *err)
{
    char *body = arena_copy(&b->arena, f->body.data, f->body.size);
    if (!body)
        return err_set(err, ERR_NOMEM, "out of memory");
    uint32_t total;
    int r = frame_get_records((struct slice){body, f->body.size}, c->kind, &b->arena, bad_record, c,
                              &b->records, &b->count, &total, err);
    if (r < 0)
        return r;
    b->bytes = f->size;
    number_records(c, b);
    c->records += total;
    return 0;
}

static int take_records(struct ipc_conn *c, const struct frame *f, struct errmsg *err)
{
    struct server *s = c->server;
    if (c->outstanding > 0 && c->outstanding + f->size > c->credits)
        return err_set(err, ERR_LIMIT, "more than %llu bytes under way",
                       (unsigned long long)c->credits);
    struct ipc_batch *b = take_batch(s);
    if (!b)
        return err_set(err, ERR_NOMEM, "out of memory");
    int r = decode_batch(c, f, b, err);
    if (r < 0) {
        ipc_batch_release(s, b);
        return r;
    }
    if (c->closing) { /* its errors were more than the client would read */
        ipc_batch_release(s, b);
        return 0;
    }
    c->outstanding += f->size;
    if (b->count == 0) {
        ipc_channel_ack(c, 0, b->bytes);
        ipc_batch_release(s, b);
    } else {
        s->options.callbacks->batch(s->options.user, c->channel, b);
    }
    return 0;
}

static int take_channels(struct ipc_conn *c, const struct frame *f, struct errmsg *err)
{
    struct server *s = c->server;
    struct arena arena;
    arena_init(&arena, 4096);
    struct frame_channel *channels;
    uint32_t count = 0;
    int r = frame_get_channels(f->body, &arena, &channels, &count, err);
    if (r == 0 && c->kind != KIND_SENSOR)
        r = err_set(err, ERR_INVALID, "only sensors have channels");
    for (uint32_t i = 0; r == 0 && i < count && !c->closing; i++) {
        uint16_t index = channels[i].index;
        char name[CHANNEL_NAME_MAX + 1];
        memcpy(name, channels[i].name.data, channels[i].name.size);
        name[channels[i].name.size] = '\0';
        c->named[index / 8] |= (uint8_t)(1u << index % 8);
        s->options.callbacks->channel_name(s->options.user, c->channel, index, name);
    }
    arena_deinit(&arena);
    return r;
}

static int take_frame(struct ipc_conn *c, const struct frame *f, struct errmsg *err)
{
    struct server *s = c->server;
    switch (f->type) {
    case FRAME_RECORDS:
        return take_records(c, f, err);
    case FRAME_CHANNELS:
        return take_channels(c, f, err);
    case FRAME_FLUSH:
        s->options.callbacks->flush(s->options.user, c->channel);
        return 0;
    case FRAME_CLOSE:
        s->options.callbacks->close(s->options.user, c->channel);
        return 0;
    default:
        return err_set(err, ERR_PARSE, "a frame of unknown type %d", f->type);
    }
}

size_t channel_take(struct ipc_conn *c, const char *data, size_t size)
{
    size_t at = 0;
    while (conn_may_take(c)) {
        struct frame f;
        struct errmsg err;
        int r = frame_next(data + at, size - at, c->server->options.max_request, &f, &err);
        if (r == FRAME_MORE)
            break;
        if (r == 0)
            r = take_frame(c, &f, &err);
        if (r < 0) {
            conn_refuse(c, r, err.text);
            break;
        }
        at += f.size;
    }
    return at;
}

/* ---- frames out ------------------------------------------------------------------------------ */

void ipc_channel_ack(struct ipc_conn *c, uint64_t seq, uint64_t bytes)
{
    if (c->closing)
        return;
    c->outstanding -= bytes < c->outstanding ? bytes : c->outstanding;
    size_t before = c->out.size;
    frame_put_ack(&c->out, seq, bytes);
    conn_put(c, before);
}

void ipc_channel_error(struct ipc_conn *c, uint64_t number, int code, const char *name,
                       const char *text)
{
    if (c->closing)
        return;
    char lower[RPC_NAME_SIZE];
    if (!name)
        name = rpc_error_name(code, lower);
    struct frame_error e = {number, code, {name, strlen(name)}, {text, strlen(text)}};
    size_t before = c->out.size;
    frame_put_error(&c->out, &e);
    c->server->stats.errors++;
    conn_put(c, before);
}

static void put_empty(struct ipc_conn *c, enum frame_type type)
{
    if (c->closing)
        return;
    size_t before = c->out.size;
    frame_put_empty(&c->out, type);
    conn_put(c, before);
}

void ipc_channel_flushed(struct ipc_conn *c)
{
    put_empty(c, FRAME_FLUSHED);
}

void ipc_channel_closed(struct ipc_conn *c)
{
    put_empty(c, FRAME_CLOSED);
    ipc_conn_close(c);
}

void ipc_channel_pause(struct ipc_conn *c)
{
    c->paused = true;
    conn_queue(c);
}

void ipc_channel_resume(struct ipc_conn *c)
{
    c->paused = false;
    conn_queue(c);
}
