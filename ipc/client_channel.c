/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libvarve, the ingest channel: records are copied into a batch, a full batch becomes one frame,
 * and frames go out as long as the daemon has given credit for them. Acknowledgements are taken in
 * on the way. Whatever ends the channel stays in varve_error, and every later call returns it
 * again.
 */
#include <string.h>

#include "base/jsonw.h"
#include "base/mem.h"
#include "ipc/client.h"
#include "ipc/frame.h"

#define BATCH_RECORDS 1024
#define BATCH_BYTES (64u << 10)
#define FRAME_MAX (1u << 20) /* what the daemon sends is small */

struct varve_channel {
    struct varve *v;
    enum stream_kind kind;
    uint64_t credits, outstanding, next_seq, acked;
    bool flushed, closed;
    int failed;         /* the code that ended the channel */
    struct arena arena; /* of the batch */
    struct record records[BATCH_RECORDS];
    uint32_t count;
    size_t bytes;
    char *names[CHANNELS_MAX];
    uint32_t name_count, names_sent;
    void (*on_error)(void *user, uint64_t number, const char *text);
    void *on_error_user;
};

void channel_free(struct varve_channel *c)
{
    if (!c)
        return;
    for (uint32_t i = 0; i < c->name_count; i++)
        mem_free(c->names[i]);
    arena_deinit(&c->arena);
    c->v->channel = NULL;
    mem_free(c);
}

/* ---- what the daemon says -------------------------------------------------------------------- */

static int end_channel(struct varve_channel *c, const struct frame_error *e)
{
    c->failed = e->code < 0 ? e->code : ERR_IO;
    return err_set(&c->v->err, c->failed, "%.*s", (int)(e->text.size < 400 ? e->text.size : 400),
                   e->text.data);
}

static int on_error_frame(struct varve_channel *c, const struct frame *f)
{
    struct frame_error e;
    if (frame_get_error(f->body, &e) < 0)
        return client_lost(c->v, ERR_PARSE, "a malformed frame from the daemon");
    if (e.number == 0)
        return end_channel(c, &e);
    if (c->on_error) {
        struct errmsg text;
        err_set(&text, 0, "%.*s", (int)(e.text.size < 400 ? e.text.size : 400), e.text.data);
        c->on_error(c->on_error_user, e.number, text.text);
    }
    return 0;
}

static int on_frame(struct varve_channel *c, const struct frame *f)
{
    uint64_t seq, bytes;
    switch (f->type) {
    case FRAME_ACK:
        if (frame_get_ack(f->body, &seq, &bytes) < 0)
            break;
        c->outstanding -= bytes < c->outstanding ? bytes : c->outstanding;
        if (seq > c->acked)
            c->acked = seq;
        return 0;
    case FRAME_HELLO:
        if (frame_get_hello(f->body, &c->credits, &c->next_seq) < 0)
            break;
        return 0;
    case FRAME_FLUSHED:
        c->flushed = true;
        return 0;
    case FRAME_CLOSED:
        c->closed = true;
        return 0;
    case FRAME_ERROR:
        return on_error_frame(c, f);
    default:
        break;
    }
    return client_lost(c->v, ERR_PARSE, "a malformed frame from the daemon");
}

/* Handles the whole frames that were received. */
static int handle_received(struct varve_channel *c)
{
    struct varve *v = c->v;
    while (!c->failed) {
        struct frame f;
        int r = frame_next(v->in.data + v->taken, v->in.size - v->taken, FRAME_MAX, &f, &v->err);
        if (r == FRAME_MORE)
            return 0;
        if (r == 0) {
            v->taken += f.size;
            r = on_frame(c, &f);
        }
        if (r < 0)
            c->failed = r;
    }
    return c->failed;
}

/* Receives once more and handles what came; silence for the whole timeout ends the channel. */
static int wait_frames(struct varve_channel *c)
{
    int r = client_receive(c->v, client_deadline(c->v->timeout));
    if (r < 0)
        return c->failed = r;
    return handle_received(c);
}

/* ---- sending --------------------------------------------------------------------------------- */

static int send_out(struct varve_channel *c)
{
    int r = client_send(c->v);
    if (r < 0)
        return c->failed = r;
    return handle_received(c);
}

static void send_names(struct varve_channel *c)
{
    while (c->names_sent < c->name_count) {
        struct frame_channel one = {(uint16_t)c->names_sent,
                                    {c->names[c->names_sent], strlen(c->names[c->names_sent])}};
        frame_put_channels(&c->v->out, &one, 1);
        c->names_sent++;
    }
}

static int send_batch(struct varve_channel *c)
{
    struct varve *v = c->v;
    if (c->failed)
        return c->failed;
    if (c->count == 0)
        return 0;
    buf_clear(&v->out);
    send_names(c);
    size_t at = v->out.size;
    frame_put_records(&v->out, c->kind, c->records, c->count);
    size_t size = v->out.size - at;
    c->count = 0;
    c->bytes = 0;
    arena_reset(&c->arena);
    while (c->outstanding > 0 && c->outstanding + size > c->credits) {
        int r = wait_frames(c);
        if (r < 0)
            return r;
    }
    c->outstanding += size;
    return send_out(c);
}

/* ---- interface ------------------------------------------------------------------------------- */

static int ask_open(struct varve *v, const char *stream, const char *kind)
{
    struct buf params = {0};
    struct jsonw w;
    jsonw_init(&w, &params);
    jsonw_object(&w);
    jsonw_kv_string(&w, "name", stream);
    jsonw_kv_string(&w, "kind", kind);
    jsonw_kv_string(&w, "framing", "binary");
    jsonw_object_end(&w);
    int r = buf_failed(&params) ? err_set(&v->err, ERR_NOMEM, "out of memory")
                                : varve_call(v, "stream.open", params.data, NULL);
    buf_deinit(&params);
    return r;
}

/* The connection served its channel and can do nothing else; the channel's error stays. */
static int end_connection(struct varve_channel *c, int r)
{
    struct varve *v = c->v;
    struct errmsg err = v->err;
    channel_free(c);
    client_lost(v, ERR_CLOSED, "");
    if (r < 0)
        v->err = err;
    return r;
}

int varve_channel_open(struct varve *v, const char *stream, const char *kind,
                       struct varve_channel **ret)
{
    enum stream_kind k;
    if (stream_kind_parse(kind, &k) < 0)
        return err_set(&v->err, ERR_INVALID,
                       "kind: must be \"text\", \"sensor\", \"audio\" or \"video\"");
    int r = ask_open(v, stream, kind);
    if (r < 0)
        return r;
    struct varve_channel *c = mem_calloc(1, sizeof(*c));
    if (!c)
        return client_lost(v, ERR_NOMEM, "out of memory");
    c->v = v;
    c->kind = k;
    arena_init(&c->arena, BATCH_BYTES);
    v->channel = c;
    r = handle_received(c);
    while (r == 0 && c->next_seq == 0)
        r = wait_frames(c);
    if (r < 0)
        return end_connection(c, r);
    *ret = c;
    return 0;
}

uint64_t varve_channel_next_seq(const struct varve_channel *c)
{
    return c->next_seq;
}

uint64_t varve_channel_acked(const struct varve_channel *c)
{
    return c->acked;
}

void varve_channel_on_error(struct varve_channel *c,
                            void (*call)(void *user, uint64_t number, const char *text), void *user)
{
    c->on_error = call;
    c->on_error_user = user;
}

/* Checks the record, copies it into the batch, sends the batch when it is full. */
static int put(struct varve_channel *c, struct record *r)
{
    struct varve *v = c->v;
    if (c->failed)
        return c->failed;
    if (r->time == VARVE_TIME_NONE) {
        r->flags = RECORD_NO_TIME;
        r->time = 0;
    }
    int rc = frame_check_record(c->kind, r, &v->err);
    if (rc < 0)
        return rc;
    size_t samples = r->sample_count * sizeof(*r->samples);
    char *ref = arena_copy(&c->arena, r->ref.data ? r->ref.data : "", r->ref.size);
    char *text = arena_copy(&c->arena, r->text.data ? r->text.data : "", r->text.size);
    char *media = arena_copy(&c->arena, r->media.data ? r->media.data : "", r->media.size);
    struct sample *values = arena_alloc(&c->arena, samples);
    if (!ref || !text || !media || !values)
        return err_set(&v->err, ERR_NOMEM, "out of memory");
    if (samples > 0)
        memcpy(values, r->samples, samples);
    r->ref.data = ref;
    r->text.data = text;
    r->media.data = media;
    r->samples = values;
    c->records[c->count++] = *r;
    c->bytes += r->ref.size + record_payload_size(r) + 16;
    return c->count == BATCH_RECORDS || c->bytes >= BATCH_BYTES ? send_batch(c) : 0;
}

int varve_channel_put_text(struct varve_channel *c, uint64_t seq, int64_t time, const char *ref,
                           const char *text, size_t size)
{
    struct record r = {.seq = seq, .time = time, .text = {text, size}};
    if (ref)
        r.ref = (struct slice){ref, strlen(ref)};
    if (c->kind != KIND_TEXT)
        return err_set(&c->v->err, ERR_INVALID, "this channel takes no text");
    return put(c, &r);
}

int varve_channel_put_media(struct varve_channel *c, uint64_t seq, int64_t time, const char *ref,
                            const void *data, size_t size)
{
    struct record r = {.seq = seq, .time = time, .media = {data, size}};
    if (ref)
        r.ref = (struct slice){ref, strlen(ref)};
    if (c->kind != KIND_AUDIO && c->kind != KIND_VIDEO)
        return err_set(&c->v->err, ERR_INVALID, "this channel takes neither sound nor pictures");
    return put(c, &r);
}

int varve_channel_put_values(struct varve_channel *c, uint64_t seq, int64_t time, const char *ref,
                             const uint16_t *channels, const double *values, size_t count)
{
    struct sample samples[CHANNELS_MAX];
    if (c->kind != KIND_SENSOR)
        return err_set(&c->v->err, ERR_INVALID, "this channel takes no values");
    if (count > CHANNELS_MAX)
        return err_set(&c->v->err, ERR_INVALID, "values: more than %d", CHANNELS_MAX);
    for (size_t i = 0; i < count; i++) {
        samples[i] = (struct sample){channels[i], values[i]};
        if (channels[i] >= c->name_count)
            return err_set(&c->v->err, ERR_INVALID, "values: channel %u has no name", channels[i]);
    }
    struct record r = {.seq = seq, .time = time, .samples = samples};
    r.sample_count = (uint32_t)count;
    if (ref)
        r.ref = (struct slice){ref, strlen(ref)};
    return put(c, &r);
}

int varve_channel_name(struct varve_channel *c, const char *name, uint16_t *ret_index)
{
    for (uint32_t i = 0; i < c->name_count; i++) {
        if (strcmp(c->names[i], name) == 0) {
            *ret_index = (uint16_t)i;
            return 0;
        }
    }
    size_t size = strlen(name);
    if (size == 0 || size > CHANNEL_NAME_MAX)
        return err_set(&c->v->err, ERR_INVALID, "a channel's name has 1 to %d bytes",
                       CHANNEL_NAME_MAX);
    if (c->name_count == CHANNELS_MAX)
        return err_set(&c->v->err, ERR_LIMIT, "more than %d channels", CHANNELS_MAX);
    char *copy = mem_strdup(name);
    if (!copy)
        return err_set(&c->v->err, ERR_NOMEM, "out of memory");
    c->names[c->name_count] = copy;
    *ret_index = (uint16_t)c->name_count++;
    return 0;
}

int varve_channel_send(struct varve_channel *c)
{
    return send_batch(c);
}

/* Sends a frame without a body and waits until `*done`. */
static int request(struct varve_channel *c, enum frame_type type, const bool *done)
{
    int r = send_batch(c);
    if (r < 0)
        return r;
    buf_clear(&c->v->out);
    frame_put_empty(&c->v->out, type);
    r = send_out(c);
    while (r == 0 && !*done)
        r = wait_frames(c);
    return r;
}

int varve_channel_flush(struct varve_channel *c)
{
    c->flushed = false;
    return request(c, FRAME_FLUSH, &c->flushed);
}

int varve_channel_close(struct varve_channel *c)
{
    return end_connection(c, request(c, FRAME_CLOSE, &c->closed));
}
