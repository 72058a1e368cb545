/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory.forget. Happy path: the streams that are meant are flushed, so that what was acknowledged
 * lies in moments; then the writer does one bounded step of memory/forget.h after the other, other
 * jobs between them; when the records are gone the models of their streams drop the words that only
 * these held, their states go from the file and are saved anew; then the file is cleared, and the
 * receipt is sent.
 *
 * One at a time. When the daemon stops in the middle, the next start carries it to its end.
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/timespec.h"
#include "daemon/handlers/handlers.h"
#include "daemon/stream.h"
#include "memory/forget.h"
#include "memory/sketch.h"
#include "pipeline/stream.h"

#define FULL_TRIES 20

struct model_call {
    struct stream_call call;
    struct forgetting *forgetting;
    struct live_stream *stream;
};

struct forgetting {
    struct daemon *daemon;
    struct ipc_request *req;
    struct forget *forget;
    struct forget_selector selector; /* its match is not kept */
    struct live_stream *stream;      /* that is named; NULL: none */
    struct live_stream *leaving;     /* the stream that goes as a whole; NULL: none */
    struct write_job job;
    unsigned waiting; /* for flushes or models */
    int status;       /* of these */
    unsigned full;    /* times in a row that a step found no room */
    size_t sketches;  /* moments whose sketches are out */
    struct errmsg err;
};

static void step(struct forgetting *f);

static void hash_text(const unsigned char hash[16], char out[33])
{
    for (int i = 0; i < 16; i++)
        snprintf(out + 2 * i, 3, "%02x", hash[i]);
}

static void write_receipt(const struct forgetting *f, struct buf *out)
{
    struct forget_receipt r;
    struct jsonw w;
    char hash[33];
    size_t all;
    forget_receipt(f->forget, &r);
    forget_moments(f->forget, &all);
    hash_text(r.hash, hash);
    jsonw_init(&w, out);
    jsonw_object(&w);
    jsonw_kv_int(&w, "records", (int64_t)r.records);
    jsonw_kv_int(&w, "bytes", (int64_t)r.bytes);
    jsonw_kv_int(&w, "moments", (int64_t)r.moments);
    jsonw_kv_int(&w, "rewritten", (int64_t)r.rewritten);
    jsonw_kv_int(&w, "spans", (int64_t)r.spans);
    jsonw_kv_int(&w, "streams", (int64_t)r.streams);
    jsonw_key(&w, "ids");
    jsonw_array(&w);
    for (uint32_t i = 0; i < r.id_count; i++)
        jsonw_u64_string(&w, (uint64_t)r.ids[i]);
    jsonw_array_end(&w);
    jsonw_kv_bool(&w, "more", all > r.id_count);
    jsonw_kv_string(&w, "hash", hash);
    jsonw_kv_bool(&w, "dry", api_bool(API_MEMORY_FORGET, f->req->params, "dry"));
    jsonw_object_end(&w);
}

/* Answers and ends. */
static void end(struct forgetting *f, int status)
{
    struct daemon *d = f->daemon;
    struct buf out = {0};
    d->forgetting = NULL;
    if (f->leaving) {
        /* With a plan for it the row is lost, if only at the next start. */
        stream_retired(f->leaving, forget_phase(f->forget) > FORGET_PLANNING);
    }
    if (status == 0) {
        write_receipt(f, &out);
        reply_buf(f->req, &out);
    } else {
        enum forget_phase phase = forget_phase(f->forget);
        if (phase > FORGET_PLANNING && phase < FORGET_DONE) {
            log_warn("memory: what was begun to be forgotten waits for the next start: %s",
                     f->err.text);
            err_wrap(&f->err, status, "begun, and to be finished at the daemon's next start");
        }
        reply_error(f->req, status, &f->err);
    }
    forget_free(f->forget);
    mem_free(f);
}

/* ---- models ---- */

static bool knows(const void *arg, const char *text, size_t size)
{
    return forget_knows(arg, (struct slice){text, size});
}

static void clean_model(struct stream_call *call, struct pipeline_stream *pipeline)
{
    struct model_call *m = container_of(call, struct model_call, call);
    if (!pipeline) { /* no memory for it: it begins anew */
        buf_clear(&m->stream->learnt_before);
        return;
    }
    pipeline_stream_forget(pipeline, knows, m->forgetting->forget);
    m->stream->channels_told = 0; /* what it dropped of channels that stay */
    m->stream->learnt = true;
}

/* One less to wait for; the last goes on, or ends where one of them failed. */
static void waited(struct forgetting *f)
{
    if (--f->waiting > 0)
        return;
    if (f->status != 0)
        end(f, f->status);
    else
        step(f);
}

static void model_cleaned(struct stream_call *call)
{
    struct model_call *m = container_of(call, struct model_call, call);
    struct forgetting *f = m->forgetting;
    mem_free(m);
    waited(f);
}

static struct live_stream *find_id(struct daemon *d, int64_t id)
{
    for (struct live_stream *s = d->streams; s; s = s->next)
        if (s->row.id == id)
            return s;
    return NULL;
}

/* The streams whose models are asked are held by `waiting` until all have answered. */
static void clean_models(struct forgetting *f)
{
    uint32_t n;
    const int64_t *ids = forget_streams(f->forget, &n);
    f->waiting = 1;
    for (uint32_t i = 0; i < n && f->status == 0; i++) {
        struct live_stream *s = find_id(f->daemon, ids[i]);
        if (!s) /* the one that leaves */
            continue;
        struct model_call *m = mem_calloc(1, sizeof(*m));
        if (!m) { /* those that were asked already come back first */
            f->status = err_set(&f->err, ERR_NOMEM, "out of memory");
            continue;
        }
        *m = (struct model_call){{.run = clean_model, .done = model_cleaned}, f, s};
        f->waiting++;
        stream_ask_model(s, &m->call);
    }
    waited(f);
}

/* The old states are out of the file; one that cannot be saved now is learnt again after a kill. */
static void save_models(struct forgetting *f)
{
    uint32_t n;
    const int64_t *ids = forget_streams(f->forget, &n);
    for (uint32_t i = 0; i < n; i++) {
        struct live_stream *s = find_id(f->daemon, ids[i]);
        if (s)
            stream_snapshot(s);
    }
}

/* ---- steps ---- */

static int step_apply(struct write_job *job, struct store *store, struct errmsg *err)
{
    struct forgetting *f = container_of(job, struct forgetting, job);
    int rc = forget_step(store, f->forget, err);
    return rc < 0 ? rc : 0;
}

static void drop_sketches(struct forgetting *f)
{
    size_t n;
    const int64_t *ids = forget_moments(f->forget, &n);
    while (f->sketches < n) {
        int64_t some[64];
        size_t count = n - f->sketches < 64 ? n - f->sketches : 64;
        memcpy(some, ids + f->sketches, count * sizeof(*some));
        sketch_index_remove(f->daemon->sketches, some, count);
        f->sketches += count;
    }
}

static void step_done(struct write_job *job)
{
    struct forgetting *f = container_of(job, struct forgetting, job);
    enum forget_phase before = forget_phase(f->forget);
    forget_settle(f->forget, job->status == 0);
    enum forget_phase phase = forget_phase(f->forget);
    /* In a full memory each try makes some more room. */
    if (job->status == ERR_FULL && ++f->full < FULL_TRIES && !f->daemon->stopping) {
        step(f);
        return;
    }
    f->full = 0;
    if (job->status != 0) {
        f->err = job->err;
        end(f, job->status);
        return;
    }
    drop_sketches(f);
    if (before == FORGET_MODELS && phase != before)
        save_models(f);
    if (phase == FORGET_DONE)
        end(f, 0);
    else if (f->daemon->stopping)
        end(f, err_set(&f->err, ERR_CLOSED, "the daemon is stopping"));
    else if (phase == FORGET_MODELS && before != phase)
        clean_models(f);
    else
        step(f);
}

static void step(struct forgetting *f)
{
    f->job.apply = step_apply;
    f->job.done = step_done;
    f->job.size = FORGET_STEP_ROOM;
    f->job.hasty = f->full == 0; /* after that it waits as others do */
    f->job.alone = forget_phase(f->forget) == FORGET_FILE;
    writer_post(&f->daemon->writer, &f->job, false);
}

/* ---- beginning ---- */

static void flushed(void *arg, int status, const struct errmsg *err)
{
    struct forgetting *f = arg;
    if (status != 0 && f->status == 0) {
        f->status = status;
        f->err = *err;
    }
    waited(f);
}

static void flush_streams(struct forgetting *f, int64_t only)
{
    f->waiting = 1;
    for (struct live_stream *s = f->daemon->streams; s; s = s->next) {
        if (only && s->row.id != only)
            continue;
        f->waiting++;
        stream_flush(s, flushed, f);
    }
    if (f->leaving) {
        f->waiting++;
        stream_flush(f->leaving, flushed, f);
    }
    flushed(f, 0, NULL);
}

static int param_time(const struct ipc_request *req, const char *name, int64_t now, int64_t *ret,
                      struct errmsg *err)
{
    const char *text = json_string(json_get(req->params, name));
    *ret = TIME_UNKNOWN;
    int rc = text ? timespec_parse(text, now, ret, err) : 0;
    return rc == 0 ? 0 : err_wrap(err, ERR_INVALID, "%s", name);
}

static int read_selector(struct daemon *d, const struct ipc_request *req,
                         struct forget_selector *ret, struct live_stream **ret_stream,
                         struct errmsg *err)
{
    const char *id = json_string(json_get(req->params, "id"));
    const char *stream = json_string(json_get(req->params, "stream"));
    const char *match = json_string(json_get(req->params, "match"));
    char *rest = NULL;
    *ret = (struct forget_selector){.dry = api_bool(req->method, req->params, "dry")};
    *ret_stream = NULL;
    if (id) {
        ret->id = strtoll(id, &rest, 10);
        if (*rest || ret->id <= 0)
            return err_set(err, ERR_INVALID, "id: \"%s\" is no memory's id", id);
    }
    if (stream) {
        *ret_stream = stream_find(d, stream);
        if (!*ret_stream)
            return err_set(err, ERR_NOTFOUND, "no stream is called \"%s\"", stream);
        ret->stream = (*ret_stream)->row.id;
    }
    if (match)
        ret->match = (struct slice){match, strlen(match)};
    int64_t now = clock_now(d->clock);
    int rc = param_time(req, "since", now, &ret->since, err);
    if (rc == 0)
        rc = param_time(req, "until", now, &ret->until, err);
    if (rc == 0 && !ret->dry && !api_bool(req->method, req->params, "confirm"))
        rc = err_set(err, ERR_INVALID,
                     "this cannot be taken back: confirm must be true, or dry to count only");
    return rc;
}

static bool is_timeless(const struct forget_selector *x)
{
    return x->since == TIME_UNKNOWN && x->until == TIME_UNKNOWN;
}

/* All records of a channel whose name holds the pattern go, so the name does, too; with times others
 * may be left, and it stays. */
static int forget_channels(struct forgetting *f)
{
    const struct forget_selector *x = &f->selector;
    int rc = 0;
    if (!x->match.size || !is_timeless(x) || x->dry)
        return 0;
    for (struct live_stream *s = f->daemon->streams; s && rc == 0; s = s->next) {
        if (x->stream && s != f->stream)
            continue;
        for (uint16_t i = 0; i < s->channel_count && rc == 0; i++) {
            struct slice name = {s->channels[i], strlen(s->channels[i])};
            if (!forget_knows(f->forget, name))
                continue;
            stream_forget_channel(s, i);
            rc = forget_channel(f->forget, s->row.id, i);
        }
    }
    return rc;
}

/* What was sent before lies in moments when the first step is done, nothing of it in the journal. */
void forgetting_begin(struct daemon *d)
{
    struct forgetting *f = d->forgetting;
    const struct forget_selector *x = f ? &f->selector : NULL;
    if (!f)
        return;
    if (d->stopping) {
        end(f, err_set(&f->err, ERR_CLOSED, "the daemon is stopping"));
        return;
    }
    if (f->stream && !x->match.size && is_timeless(x) && !x->dry) {
        f->leaving = f->stream;
        stream_retire(f->stream);
    }
    if (forget_channels(f) != 0)
        end(f, err_set(&f->err, ERR_NOMEM, "out of memory"));
    else if (x->id)
        step(f);
    else
        flush_streams(f, x->stream);
}

void handle_forget(struct daemon *d, struct ipc_request *req)
{
    struct errmsg err = {""};
    struct forgetting *f = mem_calloc(1, sizeof(*f));
    int rc = f ? 0 : err_set(&err, ERR_NOMEM, "out of memory");
    if (rc == 0 && d->forgetting)
        rc = err_set(&err, ERR_BUSY, "another forgetting is under way");
    if (rc == 0)
        rc = read_selector(d, req, &f->selector, &f->stream, &err);
    if (rc == 0)
        rc = forget_new(&f->selector, &f->forget, &err);
    if (rc != 0) {
        mem_free(f);
        reply_error(req, rc, &err);
        return;
    }
    f->daemon = d;
    f->req = req;
    d->forgetting = f;
    if (d->sketches_loaded)
        forgetting_begin(d);
}

void forgetting_json(const struct daemon *d, struct jsonw *w)
{
    static const char *const names[] = {"planning", "erasing", "models", "index",
                                        "room",     "file",    "ending", "done"};
    struct forget_receipt r;
    if (!d->forgetting) {
        jsonw_null(w);
        return;
    }
    forget_receipt(d->forgetting->forget, &r);
    jsonw_object(w);
    jsonw_kv_string(w, "phase", names[forget_phase(d->forgetting->forget)]);
    jsonw_kv_int(w, "planned", (int64_t)r.planned);
    jsonw_kv_int(w, "done", (int64_t)r.done);
    jsonw_object_end(w);
}
