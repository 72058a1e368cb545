/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection: bytes in, lines or frames out of them, bytes back.
 *
 * Reads go into one buffer of the server; whole lines are taken from there without a copy, and only
 * what is left of the last one is kept in `in`. Reading stops while the connection may take nothing
 * more (requests in flight, the pool, a paused channel, the server's pending bytes) and goes on
 * when conn_serve finds that changed. Answers are tried with one write at once; what the socket
 * does not take waits in `writing`.
 *
 * Failure: a peer that is gone, does not read, or memory that is out, closes this connection only.
 */
#include "ipc/conn.h"

#include <stdio.h>
#include <string.h>

#include "base/fault.h"
#include "base/mem.h"

#define BUFFER_KEEP (256u << 10) /* a larger buffer is given back when empty */

static void process(struct ipc_conn *c, const char *data, size_t size);

/* ---- lifetime -------------------------------------------------------------------------------- */

struct ipc_conn *conn_new(struct server *s)
{
    struct ipc_conn *c = mem_calloc(1, sizeof(*c));
    if (!c)
        return NULL;
    if (uv_pipe_init(s->loop, &c->pipe, 0) != 0) {
        mem_free(c);
        return NULL;
    }
    c->server = s;
    c->pipe.data = c;
    c->refs = 1;
    c->next = s->conns;
    if (s->conns)
        s->conns->prev = c;
    s->conns = c;
    return c;
}

void conn_ref(struct ipc_conn *c)
{
    c->refs++;
}

void conn_unref(struct ipc_conn *c)
{
    if (--c->refs > 0)
        return;
    struct server *s = c->server;
    if (c->prev)
        c->prev->next = c->next;
    else
        s->conns = c->next;
    if (c->next)
        c->next->prev = c->prev;
    buf_deinit(&c->in);
    buf_deinit(&c->out);
    buf_deinit(&c->writing);
    mem_free(c);
    server_check_done(s);
}

static void on_closed(uv_handle_t *handle)
{
    conn_unref(handle->data);
}

static void drop_input(struct ipc_conn *c)
{
    c->server->buffered -= c->in.size;
    c->in.size = 0;
    c->scanned = 0;
}

void conn_close(struct ipc_conn *c)
{
    if (c->closing)
        return;
    struct server *s = c->server;
    c->closing = true;
    drop_input(c);
    s->stats.outgoing_bytes -= c->out.size + c->writing.size - c->written;
    c->out.size = c->writing.size = c->written = 0;
    if (c->admitted) {
        s->stats.connections--;
        s->options.callbacks->closed(s->options.user, c);
    }
    uv_close((uv_handle_t *)&c->pipe, on_closed);
}

void conn_queue(struct ipc_conn *c)
{
    if (c->queued || c->closing)
        return;
    c->queued = true;
    conn_ref(c);
    c->queue_next = c->server->queue;
    c->server->queue = c;
}

void ipc_conn_close(struct ipc_conn *c)
{
    c->last_words = true;
    conn_queue(c);
}

void conn_refuse(struct ipc_conn *c, int code, const char *text)
{
    if (c->framed)
        ipc_channel_error(c, 0, code, NULL, text);
    else
        rpc_put_error(c, "null", api_error_code(code), NULL, text, (struct slice){0});
    server_trouble(c->server, c, text);
    ipc_conn_close(c);
}

/* ---- writing --------------------------------------------------------------------------------- */

int conn_put(struct ipc_conn *c, size_t before)
{
    if (c->closing)
        return ERR_CLOSED;
    if (buf_failed(&c->out)) {
        c->out.size = before;
        server_trouble(c->server, c, "out of memory while answering; closing");
        conn_close(c);
        return ERR_NOMEM;
    }
    c->server->stats.outgoing_bytes += c->out.size - before;
    if (c->out.size + c->writing.size > c->server->options.max_outgoing) {
        c->server->stats.overflows++;
        server_trouble(c->server, c, "does not read its answers; closing");
        conn_close(c);
        return ERR_LIMIT;
    }
    conn_queue(c);
    return 0;
}

static void give_back(struct buf *b)
{
    if (b->capacity > BUFFER_KEEP)
        buf_deinit(b);
}

static void on_written(uv_write_t *req, int status)
{
    struct ipc_conn *c = req->data;
    if (!c->closing) {
        c->server->stats.outgoing_bytes -= c->writing.size - c->written;
        c->server->stats.bytes_out += c->writing.size - c->written;
        c->writing.size = c->written = 0;
        give_back(&c->writing);
        if (status < 0)
            conn_close(c);
        else
            conn_queue(c);
    }
    conn_unref(c);
}

/* What the socket took at once; negative when it is broken. */
static int try_write(struct ipc_conn *c)
{
    size_t size = c->out.size < INT32_MAX ? c->out.size : INT32_MAX;
    if (fault_tick(FAULT_SOCKWRITE))
        size = 1;
    uv_buf_t part = uv_buf_init(c->out.data, (unsigned)size);
    int n = uv_try_write((uv_stream_t *)&c->pipe, &part, 1);
    return n == UV_EAGAIN ? 0 : n;
}

void conn_flush(struct ipc_conn *c)
{
    if (c->closing || c->writing.size > 0 || c->out.size == 0)
        return;
    int n = try_write(c);
    if (n < 0) {
        conn_close(c);
        return;
    }
    c->server->stats.outgoing_bytes -= (size_t)n;
    c->server->stats.bytes_out += (size_t)n;
    if ((size_t)n == c->out.size) {
        c->out.size = 0;
        give_back(&c->out);
        return;
    }
    struct buf whole = c->out;
    c->out = c->writing;
    c->writing = whole;
    c->written = (size_t)n;
    uv_buf_t rest = uv_buf_init(whole.data + n, (unsigned)(whole.size - (size_t)n));
    c->write.data = c;
    conn_ref(c);
    if (fault_tick(FAULT_SOCKWRITE) ||
        uv_write(&c->write, (uv_stream_t *)&c->pipe, &rest, 1, on_written) != 0) {
        conn_unref(c);
        conn_close(c);
    }
}

/* ---- reading --------------------------------------------------------------------------------- */

bool conn_may_take(const struct ipc_conn *c)
{
    const struct server *s = c->server;
    return !c->closing && !c->last_words && !c->busy && !c->paused && !s->draining &&
           c->in_flight < s->options.max_in_flight &&
           s->stats.pending_bytes < s->options.max_pending;
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
    struct ipc_conn *c = handle->data;
    *ret = uv_buf_init(c->server->scratch, READ_SIZE);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct ipc_conn *c = stream->data;
    if (n > 0) {
        c->server->stats.bytes_in += (size_t)n;
        process(c, buf->base, (size_t)n);
    } else if (n == UV_EOF) {
        c->eof = true;
        uv_read_stop(stream);
        c->reading = false;
        conn_queue(c);
    } else if (n < 0) {
        conn_close(c);
    }
}

static void adjust_reading(struct ipc_conn *c)
{
    if (c->closing)
        return;
    bool want = !c->eof && conn_may_take(c);
    if (want && !c->reading && uv_read_start((uv_stream_t *)&c->pipe, on_alloc, on_read) != 0) {
        conn_close(c);
        return;
    }
    if (!want && c->reading)
        uv_read_stop((uv_stream_t *)&c->pipe);
    c->reading = want;
    c->starved = !want && c->server->stats.pending_bytes >= c->server->options.max_pending;
}

static void refuse_length(struct ipc_conn *c)
{
    char text[96];
    snprintf(text, sizeof(text), "a request of more than %zu bytes; closing",
             c->server->options.max_request);
    conn_refuse(c, ERR_LIMIT, text);
}

/* Takes whole lines; returns the bytes taken. `scanned` bytes are known to hold no line end. */
static size_t take_lines(struct ipc_conn *c, const char *data, size_t size, size_t scanned)
{
    size_t at = 0;
    while (!c->framed && conn_may_take(c)) {
        const char *end = memchr(data + at + scanned, '\n', size - at - scanned);
        size_t length = end ? (size_t)(end - data) - at : size - at;
        if (length > c->server->options.max_request) {
            refuse_length(c);
            break;
        }
        if (!end)
            break;
        scanned = 0;
        rpc_line(c, data + at, length);
        at += length + 1;
    }
    return at;
}

/* Takes what can be taken. A connection turns from lines to frames in the middle of it. */
static size_t take(struct ipc_conn *c, const char *data, size_t size, size_t scanned)
{
    size_t at = 0;
    if (!c->framed)
        at = take_lines(c, data, size, scanned);
    if (c->framed && conn_may_take(c))
        at += channel_take(c, data + at, size - at);
    return at;
}

/* The server holds too many unfinished requests: the largest goes. */
static void relieve(struct server *s)
{
    struct ipc_conn *largest = NULL;
    for (struct ipc_conn *c = s->conns; c; c = c->next) {
        if (!c->closing && (!largest || c->in.size > largest->in.size))
            largest = c;
    }
    if (!largest)
        return;
    drop_input(largest);
    conn_refuse(largest, ERR_LIMIT, "too many unfinished requests; closing the largest");
}

static void keep(struct ipc_conn *c, const char *data, size_t size)
{
    buf_append(&c->in, data, size);
    if (buf_failed(&c->in)) {
        server_trouble(c->server, c, "out of memory while reading");
        conn_close(c);
        return;
    }
    c->server->buffered += size;
    if (c->server->buffered > c->server->options.max_pending)
        relieve(c->server);
}

/* New bytes, or none: then what waits in `in` is looked at again. */
static void process(struct ipc_conn *c, const char *data, size_t size)
{
    if (c->processing)
        return;
    c->processing = true;
    conn_ref(c);
    if (c->in.size == 0) {
        size_t taken = take(c, data, size, 0);
        if (!c->closing && !c->last_words && taken < size) {
            keep(c, data + taken, size - taken);
            c->scanned = conn_may_take(c) ? c->in.size : 0;
        }
    } else {
        keep(c, data, size);
        if (!c->closing && c->in.size > 0) {
            size_t taken = take(c, c->in.data, c->in.size, c->scanned);
            if (!c->closing && taken > 0) {
                c->server->buffered -= taken;
                buf_consume(&c->in, taken);
            }
            c->scanned = conn_may_take(c) ? c->in.size : 0;
        }
        if (c->in.size == 0)
            give_back(&c->in);
    }
    c->processing = false;
    adjust_reading(c);
    conn_unref(c);
}

/* The client has shut its side: a last line without an end is a line; then answers, then the end.
 */
static void process_eof(struct ipc_conn *c)
{
    if (!conn_may_take(c))
        return;
    if (!c->framed && c->in.size > 0) {
        keep(c, "\n", 1);
        if (!c->closing)
            process(c, NULL, 0);
        return;
    }
    if (c->in_flight == 0)
        c->last_words = true;
}

void conn_serve(struct ipc_conn *c)
{
    if (c->in.size > 0 && conn_may_take(c))
        process(c, NULL, 0);
    if (c->eof && !c->last_words)
        process_eof(c);
    adjust_reading(c);
    conn_flush(c);
    if (c->last_words && c->out.size == 0 && c->writing.size == 0)
        conn_close(c);
}

void conn_start(struct ipc_conn *c)
{
    adjust_reading(c);
}

/* ---- small ones ------------------------------------------------------------------------------ */

const char *ipc_conn_name(const struct ipc_conn *c)
{
    return c->name;
}

bool ipc_conn_is_gone(const struct ipc_conn *c)
{
    return c->closing;
}

void ipc_conn_set_user(struct ipc_conn *c, void *user)
{
    c->user = user;
}

void *ipc_conn_user(const struct ipc_conn *c)
{
    return c->user;
}
