/* SPDX-License-Identifier: Apache-2.0 */
/* Streams as clients see them: open, append, flush, close, list. */
#include <math.h>
#include <string.h>

#include "base/base64.h"
#include "base/media.h"
#include "base/mem.h"
#include "base/timestamp.h"
#include "daemon/handlers/handlers.h"
#include "daemon/sources/source.h"
#include "daemon/stream.h"

struct opening {
    struct daemon *daemon;
    struct ipc_request *req;
};

void stream_opened_json(const struct live_stream *s, struct buf *out)
{
    struct jsonw w;
    jsonw_init(&w, out);
    jsonw_object(&w);
    jsonw_kv_string(&w, "stream", s->row.name);
    jsonw_key(&w, "next_seq");
    jsonw_u64_string(&w, stream_next_seq(s));
    jsonw_object_end(&w);
}

static void opened(void *arg, struct live_stream *s, int status, const struct errmsg *err)
{
    struct opening *o = arg;
    struct ipc_request *req = o->req;
    struct daemon *d = o->daemon;
    mem_free(o);
    if (!s) {
        reply_error(req, status, err);
        return;
    }
    const char *framing = json_string(json_get(req->params, "framing"));
    if (framing && strcmp(framing, "binary") == 0) {
        channel_open(d, req, s);
        return;
    }
    struct buf out = {0};
    stream_opened_json(s, &out);
    reply_buf(req, &out);
}

void handle_stream_open(struct daemon *d, struct ipc_request *req)
{
    struct opening *o = mem_alloc(sizeof(*o));
    if (!o) {
        reply_error(req, ERR_NOMEM, NULL);
        return;
    }
    *o = (struct opening){d, req};
    enum stream_kind kind = KIND_TEXT;
    stream_kind_parse(json_string(json_get(req->params, "kind")), &kind);
    char source[160];
    snprintf(source, sizeof(source), "client %s", ipc_conn_name(req->conn));
    stream_open(d, json_string(json_get(req->params, "name")), kind, source, opened, o);
}

/* NULL when there is none: the request was answered. */
static struct live_stream *find_or_reply(struct daemon *d, struct ipc_request *req)
{
    const char *name = json_string(json_get(req->params, "stream"));
    struct live_stream *s = stream_find(d, name);
    if (!s) {
        struct errmsg err;
        err_set(&err, ERR_NOTFOUND, "no stream is called \"%s\": open it with stream.open", name);
        reply_error(req, ERR_NOTFOUND, &err);
    }
    return s;
}

/* ---- append ---- */

static int read_seq(const struct json *field, struct record *r, struct errmsg *err)
{
    if (!field)
        return 0;
    if (json_uint64(field, &r->seq) != 0 || r->seq == 0 || r->seq > SEQ_MAX)
        return err_set(err, ERR_INVALID,
                       "seq must be a whole number from 1 to %llu, best as a string",
                       (unsigned long long)SEQ_MAX);
    return 0;
}

static int read_time(const struct json *field, struct record *r, struct errmsg *err)
{
    if (!field) {
        r->time = r->arrival;
        r->flags |= RECORD_NO_TIME;
        return 0;
    }
    const char *text = json_string(field);
    bool zoned = true;
    int rc = text ? timestamp_parse(text, strlen(text), &r->time, &zoned) : ERR_PARSE;
    if (rc == ERR_RANGE)
        return err_set(err, ERR_RANGE, "time lies outside 1970 to 2200");
    if (rc != 0 || !zoned)
        return err_set(err, ERR_INVALID,
                       "time must be RFC 3339 with a zone, like 2026-11-23T12:00:00Z");
    return 0;
}

static int read_values(struct live_stream *s, struct batch *b, const struct json *field,
                       struct record *r, struct errmsg *err)
{
    if (json_type(field) != JSON_OBJECT || json_size(field) == 0)
        return err_set(err, ERR_INVALID, "values must be an object of channel names and numbers");
    size_t count = json_size(field);
    if (count > CHANNELS_MAX)
        return err_set(err, ERR_LIMIT, "values holds more than %d channels", CHANNELS_MAX);
    struct sample *samples = arena_alloc(&b->arena, count * sizeof(*samples));
    if (!samples)
        return err_set(err, ERR_NOMEM, "out of memory");
    for (const struct json *m = json_first(field); m; m = json_next(m)) {
        const char *name = json_key(m);
        double value = json_double(m, NAN);
        if (!isfinite(value))
            return err_set(err, ERR_INVALID, "values: %s is not a number", name);
        struct sample *sample = &samples[r->sample_count];
        memset(sample, 0, sizeof(*sample));
        int rc = stream_channel(s, name, strlen(name), &sample->channel);
        if (rc != 0)
            return err_set(err, rc, "values: channel \"%.60s\": %s", name,
                           rc == ERR_LIMIT ? "the stream has as many channels as it may"
                                           : "a name has 1 to 96 bytes");
        sample->value = value;
        r->sample_count++;
    }
    r->samples = samples;
    return 0;
}

static int read_text(struct batch *b, const struct json *field, struct record *r,
                     struct errmsg *err)
{
    const char *text = json_string(field);
    if (!text)
        return err_set(err, ERR_INVALID, "text is missing or no string");
    size_t size = strlen(text);
    if (size > RECORD_SIZE_MAX)
        return err_set(err, ERR_LIMIT, "text is longer than %u bytes", RECORD_SIZE_MAX);
    r->text = (struct slice){arena_copy(&b->arena, text, size), size};
    return r->text.data ? 0 : err_set(err, ERR_NOMEM, "out of memory");
}

int media_from_json(enum stream_kind kind, const struct json *field, struct arena *arena,
                    struct slice *ret, struct errmsg *err)
{
    const char *text = json_string(field);
    if (!text)
        return err_set(err, ERR_INVALID, "media is missing or no string");
    size_t size = strlen(text);
    if (size > BASE64_ENCODED(RECORD_SIZE_MAX))
        return err_set(err, ERR_LIMIT, "media is longer than %u bytes", RECORD_SIZE_MAX);
    char *bytes = arena_alloc(arena, BASE64_DECODED_MAX(size));
    if (!bytes)
        return err_set(err, ERR_NOMEM, "out of memory");
    if (base64_decode(text, size, bytes, &size) != 0)
        return err_set(err, ERR_INVALID, "media is not base64");
    *ret = (struct slice){bytes, size};
    return media_check(kind, *ret, err);
}

/* The field in which records of the kind have their payload. */
static const char *payload_key(enum stream_kind kind)
{
    return kind == KIND_TEXT ? "text" : kind == KIND_SENSOR ? "values" : "media";
}

static int read_payload(struct live_stream *s, struct batch *b, const struct json *in,
                        struct record *r, struct errmsg *err)
{
    const struct json *field = json_get(in, payload_key(s->row.kind));
    if (s->row.kind == KIND_TEXT)
        return read_text(b, field, r, err);
    return s->row.kind == KIND_SENSOR
               ? read_values(s, b, field, r, err)
               : media_from_json(s->row.kind, field, &b->arena, &r->media, err);
}

static int read_record(struct live_stream *s, struct batch *b, const struct json *in, int64_t now,
                       struct errmsg *err)
{
    if (json_type(in) != JSON_OBJECT)
        return err_set(err, ERR_INVALID, "not an object");
    const char *payload = payload_key(s->row.kind);
    for (const struct json *m = json_first(in); m; m = json_next(m)) {
        const char *key = json_key(m);
        if (strcmp(key, "seq") && strcmp(key, "time") && strcmp(key, "ref") && strcmp(key, payload))
            return err_set(err, ERR_INVALID, "a %s record has no \"%.40s\"",
                           stream_kind_name(s->row.kind), key);
    }
    struct record r = {.arrival = now};
    int rc = read_seq(json_get(in, "seq"), &r, err);
    if (rc == 0)
        rc = read_time(json_get(in, "time"), &r, err);
    const struct json *ref_field = json_get(in, "ref");
    const char *ref = json_string(ref_field);
    if (rc == 0 && ref_field && (!ref || strlen(ref) > RECORD_REF_MAX))
        rc = err_set(err, ERR_INVALID, "ref must be a string of at most %d bytes", RECORD_REF_MAX);
    if (rc == 0 && ref && *ref) {
        r.ref = (struct slice){arena_copy(&b->arena, ref, strlen(ref)), strlen(ref)};
        if (!r.ref.data)
            rc = err_set(err, ERR_NOMEM, "out of memory");
    }
    if (rc == 0)
        rc = read_payload(s, b, in, &r, err);
    if (rc != 0)
        return rc;
    struct record *slot = batch_add(b);
    if (!slot)
        return err_set(err, ERR_NOMEM, "out of memory");
    *slot = r;
    b->bytes += record_payload_size(slot);
    return 0;
}

static void append_acked(struct batch *b, int status, uint64_t acked, const struct errmsg *err)
{
    struct ipc_request *req = b->owner;
    if (status == ERR_CONFLICT) {
        ipc_reply_error(req, status, "seq_conflict", err->text, (struct slice){NULL, 0});
        return;
    }
    if (status != 0) {
        reply_error(req, status, err);
        return;
    }
    char result[64];
    int n = snprintf(result, sizeof(result), "{\"acked\":\"%llu\"}", (unsigned long long)acked);
    ipc_reply(req, (struct slice){result, (size_t)n});
}

void handle_stream_append(struct daemon *d, struct ipc_request *req)
{
    struct live_stream *s = find_or_reply(d, req);
    if (!s)
        return;
    struct batch *b = batch_new(s);
    if (!b) {
        reply_error(req, ERR_NOMEM, NULL);
        return;
    }
    struct errmsg err = {""};
    int64_t now = clock_now(d->clock);
    int rc = 0;
    unsigned index = 0;
    const struct json *records = json_get(req->params, "records");
    for (const struct json *m = json_first(records); m && rc == 0; m = json_next(m)) {
        rc = read_record(s, b, m, now, &err);
        if (rc != 0)
            err_wrap(&err, rc, "records[%u]", index);
        index++;
    }
    if (rc != 0) {
        batch_free(b);
        reply_error(req, rc, &err);
        return;
    }
    b->owner = req;
    b->acked_cb = append_acked;
    stream_submit(b);
}

/* ---- flush and close ---- */

static void flushed(void *arg, int status, const struct errmsg *err)
{
    struct ipc_request *req = arg;
    if (status != 0) {
        reply_error(req, status, err);
        return;
    }
    struct buf out = {0};
    struct jsonw w;
    jsonw_init(&w, &out);
    jsonw_object(&w);
    jsonw_kv_string(&w, "stream", json_string(json_get(req->params, "stream")));
    jsonw_object_end(&w);
    reply_buf(req, &out);
}

void handle_stream_flush(struct daemon *d, struct ipc_request *req)
{
    struct live_stream *s = find_or_reply(d, req);
    if (s)
        stream_flush(s, flushed, req);
}

/* ---- list ---- */

static void stream_json(struct daemon *d, const struct live_stream *s, struct jsonw *w)
{
    const struct stream_counters *c = &s->counters;
    const struct source_stream *fed = source_of_stream(d, s);
    const struct source *source = fed ? fed->source : NULL;
    jsonw_object(w);
    jsonw_kv_string(w, "stream", s->row.name);
    jsonw_kv_string(w, "kind", stream_kind_name(s->row.kind));
    jsonw_kv_string(w, "source", s->row.source);
    jsonw_kv_string(w, "state", fed ? source_stream_state(fed) : "fed by clients");
    jsonw_kv_string(w, "why", source ? source->config->why : "a client opened it");
    jsonw_kv_string(w, "switch", source ? source->switch_off : "");
    jsonw_kv_int(w, "records", (int64_t)atomic_load(&c->records));
    jsonw_kv_int(w, "bytes", (int64_t)atomic_load(&c->bytes));
    jsonw_key(w, "next_seq");
    jsonw_u64_string(w, stream_next_seq(s));
    jsonw_kv_time(w, "first", atomic_load(&c->first_time));
    jsonw_kv_time(w, "last", atomic_load(&c->last_time));
    jsonw_kv_int(w, "late", (int64_t)atomic_load(&c->late));
    jsonw_kv_int(w, "gaps", (int64_t)atomic_load(&c->gaps));
    jsonw_kv_int(w, "dropped", (int64_t)atomic_load(&c->dropped));
    jsonw_kv_int(w, "redacted", (int64_t)atomic_load(&c->redacted));
    jsonw_kv_int(w, "moments", (int64_t)atomic_load(&c->moments));
    jsonw_kv_int(w, "latent", (int64_t)atomic_load(&c->latent));
    jsonw_kv_int(w, "discrete", (int64_t)atomic_load(&c->discrete));
    jsonw_kv_fixed(w, "tau", atomic_load(&c->tau_thousandths) / 1000.0, 3);
    jsonw_kv_int(w, "waiting_bytes", (int64_t)s->undone_bytes);
    jsonw_kv_int(w, "open_records", atomic_load(&c->open_records));
    jsonw_object_end(w);
}

void streams_json(struct daemon *d, struct jsonw *w)
{
    jsonw_array(w);
    for (const struct live_stream *s = d->streams; s; s = s->next)
        stream_json(d, s, w);
    jsonw_array_end(w);
}

void handle_stream_list(struct daemon *d, struct ipc_request *req)
{
    struct buf out = {0};
    struct jsonw w;
    jsonw_init(&w, &out);
    jsonw_object(&w);
    jsonw_key(&w, "items");
    streams_json(d, &w);
    jsonw_object_end(&w);
    reply_buf(req, &out);
}
