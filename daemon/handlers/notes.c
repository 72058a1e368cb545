/* SPDX-License-Identifier: Apache-2.0 */
/* Notes by hand, pins and judgements: small writes that answer when they are durable. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/timespec.h"
#include "daemon/handlers/handlers.h"
#include "daemon/stream.h"
#include "memory/lookup.h"

#define NOTES_STREAM "notes"

/* ---- pin, unpin, feedback ---- */

struct mark {
    struct write_job job;
    struct ipc_request *req;
    int64_t id;
};

static int mark_apply(struct write_job *job, struct store *store, struct errmsg *err)
{
    struct mark *m = container_of(job, struct mark, job);
    if (m->req->method == API_MEMORY_FEEDBACK) {
        bool helped = api_bool(m->req->method, m->req->params, "helped");
        int rc = store_feedback(store, m->id, helped, err);
        return rc == 0 && helped ? store_touch(store, &m->id, 1, err) : rc;
    }
    return store_pin(store, m->id, m->req->method == API_MEMORY_PIN, err);
}

static void mark_done(struct write_job *job)
{
    struct mark *m = container_of(job, struct mark, job);
    struct ipc_request *req = m->req;
    if (job->status != 0) {
        reply_error(req, job->status, &job->err);
    } else {
        bool feedback = req->method == API_MEMORY_FEEDBACK;
        bool value =
            feedback ? api_bool(req->method, req->params, "helped") : req->method == API_MEMORY_PIN;
        char result[96];
        int n = snprintf(result, sizeof(result), "{\"id\":\"%lld\",\"%s\":%s}", (long long)m->id,
                         feedback ? "helped" : "pinned", value ? "true" : "false");
        ipc_reply(req, (struct slice){result, (size_t)n});
    }
    mem_free(m);
}

static void mark(struct daemon *d, struct ipc_request *req)
{
    const char *text = json_string(json_get(req->params, "id"));
    char *end;
    long long id = strtoll(text, &end, 10);
    struct errmsg err;
    if (*end || id <= 0) {
        reply_error(req, err_set(&err, ERR_INVALID, "id: \"%s\" is no memory's id", text), &err);
        return;
    }
    struct mark *m = mem_calloc(1, sizeof(*m));
    if (!m) {
        reply_error(req, ERR_NOMEM, NULL);
        return;
    }
    m->req = req;
    m->id = id;
    m->job.apply = mark_apply;
    m->job.done = mark_done;
    writer_post(&d->writer, &m->job, false);
}

void handle_pin(struct daemon *d, struct ipc_request *req)
{
    mark(d, req);
}

void handle_feedback(struct daemon *d, struct ipc_request *req)
{
    mark(d, req);
}

/* ---- remember ---- */

struct note {
    struct daemon *daemon;
    struct ipc_request *req;
    struct live_stream *stream;
    uint64_t seq;
    int64_t id;
    struct write_job pin;
};

static void note_reply(struct note *n, int status, const struct errmsg *err)
{
    struct ipc_request *req = n->req;
    if (status != 0) {
        reply_error(req, status, err);
        mem_free(n);
        return;
    }
    struct buf out = {0};
    struct jsonw w;
    jsonw_init(&w, &out);
    jsonw_object(&w);
    jsonw_key(&w, "id");
    jsonw_u64_string(&w, (uint64_t)n->id);
    jsonw_kv_string(&w, "stream", n->stream->row.name);
    jsonw_key(&w, "seq");
    jsonw_u64_string(&w, n->seq);
    jsonw_kv_bool(&w, "pinned", api_bool(req->method, req->params, "pin"));
    jsonw_object_end(&w);
    reply_buf(req, &out);
    mem_free(n);
}

/* The note is in a moment by now: finds which, and pins it where that was asked for. */
static int find_apply(struct write_job *job, struct store *store, struct errmsg *err)
{
    struct note *n = container_of(job, struct note, pin);
    int rc = lookup_moment_of(n->daemon->database, n->stream->row.id, n->seq, &n->id, err);
    if (rc == ERR_NOTFOUND)
        rc = err_set(err, ERR_FULL, "the note found no room beside what stays");
    if (rc == 0 && api_bool(n->req->method, n->req->params, "pin"))
        rc = store_pin(store, n->id, true, err);
    return rc;
}

static void find_done(struct write_job *job)
{
    struct note *n = container_of(job, struct note, pin);
    note_reply(n, job->status, &job->err);
}

static void note_flushed(void *arg, int status, const struct errmsg *err)
{
    struct note *n = arg;
    if (status != 0) {
        note_reply(n, status, err);
        return;
    }
    n->pin.apply = find_apply;
    n->pin.done = find_done;
    writer_post(&n->daemon->writer, &n->pin, false);
}

static void note_acked(struct batch *b, int status, uint64_t acked, const struct errmsg *err)
{
    struct note *n = b->owner;
    if (status != 0) {
        note_reply(n, status, err);
        return;
    }
    n->stream = b->stream; /* may have been forgotten and opened anew since */
    n->seq = b->seq_first;
    stream_flush(n->stream, note_flushed, n);
}

static int note_batch(struct note *n, struct batch *b, struct errmsg *err)
{
    const struct json *params = n->req->params;
    const char *text = json_string(json_get(params, "text"));
    const char *ref = json_string(json_get(params, "ref"));
    const char *time = json_string(json_get(params, "time"));
    int64_t now = clock_now(n->daemon->clock);
    struct record r = {.time = now, .arrival = now, .text = {text, strlen(text)}};
    if (ref)
        r.ref = (struct slice){ref, strlen(ref)};
    if (!time)
        r.flags = RECORD_NO_TIME;
    else if (timespec_parse(time, now, &r.time, err) != 0)
        return err_wrap(err, ERR_INVALID, "time");
    int rc = batch_copy_record(b, &r);
    return rc == 0 ? 0 : err_set(err, rc, "out of memory");
}

static void note_stream_opened(void *arg, struct live_stream *s, int status,
                               const struct errmsg *open_err)
{
    struct note *n = arg;
    struct errmsg err = {""};
    if (!s) {
        note_reply(n, status, open_err);
        return;
    }
    n->stream = s;
    struct batch *b = batch_new(s);
    int rc = b ? note_batch(n, b, &err) : err_set(&err, ERR_NOMEM, "out of memory");
    if (rc != 0) {
        batch_free(b);
        note_reply(n, rc, &err);
        return;
    }
    b->owner = n;
    b->acked_cb = note_acked;
    stream_submit(b);
}

void handle_remember(struct daemon *d, struct ipc_request *req)
{
    struct note *n = mem_calloc(1, sizeof(*n));
    if (!n) {
        reply_error(req, ERR_NOMEM, NULL);
        return;
    }
    n->daemon = d;
    n->req = req;
    const char *stream = json_string(json_get(req->params, "stream"));
    stream_open(d, stream ? stream : NOTES_STREAM, KIND_TEXT, "notes by hand", note_stream_opened,
                n);
}
