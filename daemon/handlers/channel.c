/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ingest channels: connections that send frames of records to one stream. Each frame is one batch;
 * its credits come back with its acknowledgement, and reading stops while the stream's queue is
 * full.
 */
#include <string.h>

#include "base/mem.h"
#include "daemon/handlers/handlers.h"
#include "daemon/stream.h"
#include "ipc/frame.h"

struct ingest_channel {
    struct daemon *daemon;
    struct live_stream *stream;
    struct ipc_conn *conn; /* NULL once it is gone */
    unsigned under_way; /* batches and calls that hold this: an answer may close the connection */
    bool closing;
    struct stream_waiter paused;
    uint16_t *map; /* sensor: the client's channel index -> the stream's, UINT16_MAX: unknown */
};

static void channel_free(struct ingest_channel *c)
{
    if (c)
        mem_free(c->map);
    mem_free(c);
}

static void channel_release(struct ingest_channel *c)
{
    if (!c->conn && c->under_way == 0)
        channel_free(c);
}

static void channel_drop(struct ingest_channel *c)
{
    c->under_way--;
    channel_release(c);
}

static void resume(struct stream_waiter *waiter)
{
    ipc_channel_resume(container_of(waiter, struct ingest_channel, paused)->conn);
}

void channel_open(struct daemon *d, struct ipc_request *req, struct live_stream *s)
{
    struct ingest_channel *c = mem_calloc(1, sizeof(*c));
    if (c && s->row.kind == KIND_SENSOR) {
        c->map = mem_alloc((UINT16_MAX + 1) * sizeof(*c->map));
        if (c->map)
            memset(c->map, 0xff, (UINT16_MAX + 1) * sizeof(*c->map));
    }
    struct buf out = {0};
    stream_opened_json(s, &out);
    if (!c || (s->row.kind == KIND_SENSOR && !c->map) || buf_failed(&out)) {
        channel_free(c);
        reply_error(req, ERR_NOMEM, NULL);
    } else if (ipc_conn_is_gone(req->conn)) { /* while the stream was made */
        channel_free(c);
        ipc_reply(req, (struct slice){out.data, out.size});
    } else {
        c->daemon = d;
        c->stream = s;
        c->conn = req->conn;
        c->paused.stream = s;
        c->paused.resume = resume;
        ipc_conn_set_user(c->conn, c);
        ipc_reply_channel(req, (struct slice){out.data, out.size}, s->row.kind, c, FRAME_CREDITS,
                          stream_next_seq(s));
    }
    buf_deinit(&out);
}

static void tell_conflicts(const struct ingest_channel *c, const struct batch *b)
{
    struct cursor in;
    cursor_init(&in, b->conflicts.data, b->conflicts.size);
    while (c->conn && cursor_left(&in) > 0) {
        uint64_t tag = cursor_u64(&in), seq = cursor_u64(&in);
        struct errmsg err;
        err_set(&err, ERR_CONFLICT, "seq %llu is stored already with another payload",
                (unsigned long long)seq);
        ipc_channel_error(c->conn, tag, ERR_CONFLICT, "seq_conflict", err.text);
    }
}

static void batch_acked(struct batch *b, int status, uint64_t acked, const struct errmsg *err)
{
    struct ingest_channel *c = b->owner;
    if (c->conn && status == 0)
        tell_conflicts(c, b);
    else if (c->conn)
        ipc_channel_error(c->conn, 0, status, NULL, err->text);
    if (c->conn) /* a refused batch gives its credits back, and makes nothing durable */
        ipc_channel_ack(c->conn, status == 0 ? acked : 0, b->charge);
    channel_drop(c);
}

/* Indices of the stream in place of the client's; false: the record names an unknown channel. */
static bool map_samples(const struct ingest_channel *c, struct record *r)
{
    struct sample *samples = (struct sample *)r->samples; /* they lie in the batch's own arena */
    for (uint32_t i = 0; i < r->sample_count; i++) {
        uint16_t index = c->map[samples[i].channel];
        if (index == UINT16_MAX)
            return false;
        samples[i].channel = index;
    }
    return true;
}

void channel_on_batch(void *user, void *channel, struct ipc_batch *in)
{
    struct daemon *d = user;
    struct ingest_channel *c = channel;
    c->under_way++;
    struct batch *b = batch_new(c->stream);
    int64_t now = clock_now(d->clock);
    int rc = b ? 0 : ERR_NOMEM;
    for (uint32_t i = 0; i < in->count && rc == 0; i++) {
        struct record *r = &in->records[i];
        r->arrival = now;
        if (r->flags & RECORD_NO_TIME)
            r->time = now;
        if (c->map && !map_samples(c, r)) {
            if (c->conn)
                ipc_channel_error(c->conn, r->tag, ERR_LIMIT, NULL,
                                  "the stream has as many channels as it may");
            continue;
        }
        rc = batch_copy_record(b, r);
    }
    size_t charge = in->bytes;
    ipc_batch_release(d->server, in);
    if (rc != 0) {
        batch_free(b);
        if (c->conn)
            ipc_channel_error(c->conn, 0, rc, NULL, "out of memory: the frame was not taken");
        if (c->conn)
            ipc_channel_ack(c->conn, 0, charge);
        channel_drop(c);
        return;
    }
    b->charge = charge;
    b->conflicts_singly = true;
    b->owner = c;
    b->acked_cb = batch_acked;
    stream_submit(b); /* it holds the channel now, until batch_acked */
    if (c->conn && stream_is_full(c->stream)) {
        ipc_channel_pause(c->conn);
        stream_wait(&c->paused);
    }
}

void channel_on_name(void *user, void *channel, uint16_t index, const char *name)
{
    struct ingest_channel *c = channel;
    uint16_t own;
    int rc = c->map ? stream_channel(c->stream, name, strlen(name), &own) : ERR_INVALID;
    if (rc == 0)
        c->map[index] = own;
    else
        ipc_channel_error(c->conn, 0, rc, NULL,
                          rc == ERR_LIMIT ? "the stream has as many channels as it may"
                                          : "only sensors have channels");
}

static void on_flushed(void *arg, int status, const struct errmsg *err)
{
    struct ingest_channel *c = arg;
    if (c->conn && status != 0)
        ipc_channel_error(c->conn, 0, status, NULL, err->text);
    if (c->conn && c->closing)
        ipc_channel_closed(c->conn);
    else if (c->conn)
        ipc_channel_flushed(c->conn);
    channel_drop(c);
}

void channel_on_flush(void *user, void *channel)
{
    struct ingest_channel *c = channel;
    c->under_way++;
    stream_flush(c->stream, on_flushed, c);
}

void channel_on_close(void *user, void *channel)
{
    struct ingest_channel *c = channel;
    c->closing = true;
    channel_on_flush(user, channel);
}

void channel_conn_closed(struct ipc_conn *conn)
{
    struct ingest_channel *c = ipc_conn_user(conn);
    if (!c)
        return;
    c->conn = NULL;
    stream_wait_cancel(&c->paused);
    channel_release(c);
}
