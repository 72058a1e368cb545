/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON-RPC 2.0 lines: envelope and params out of a line, a request to its handler, the answer back.
 *
 * The scanner walks the envelope without a tree and checks the whole line on the way; only params
 * become one. A usual line has 100 to 500 bytes. Lines above POOL_LINE are parsed on libuv's pool,
 * and the connection's further input waits for them, so requests keep their order. Every line gets
 * one answer: notifications and what cannot be parsed are answered with the id null.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/jsonw.h"
#include "base/mem.h"
#include "ipc/conn.h"
#include "ipc/json_private.h"

enum { RPC_PARSE = -32700, RPC_REQUEST = -32600, RPC_METHOD = -32601, RPC_PARAMS = -32602 };

/* What a line says. */
struct parsed {
    int code; /* 0, or JSON-RPC's */
    enum api_method method;
    struct json *params;
    char id[ID_MAX + 1];
    char param[64]; /* that an error is about; "" for none */
    struct errmsg err;
};

/* ---- parsing (any thread) -------------------------------------------------------------------- */

struct envelope {
    bool version;
    struct json_field method, params; /* type 0: not there */
    const char *wrong;                /* what is wrong with it, if anything */
};

static void note_id(const struct json_field *f, struct envelope *e, struct parsed *p)
{
    if (f->type != JSON_STRING && f->type != JSON_NUMBER && f->type != JSON_NULL) {
        e->wrong = "id: must be a string or a number";
        return;
    }
    size_t quotes = f->type == JSON_STRING;
    size_t size = f->raw.size + 2 * quotes;
    if (size > ID_MAX) {
        e->wrong = "id: longer than 128 bytes";
        return;
    }
    memcpy(p->id, f->raw.data - quotes, size);
    p->id[size] = '\0';
}

/* 0, or the scanner's error. Goes to the end also when something is wrong: the id may come last. */
static int read_envelope(struct json_scanner *s, const char *line, size_t size, struct envelope *e,
                         struct parsed *p)
{
    struct json_field f;
    int r = json_scan_object(s, line, size, &p->err);
    if (r < 0)
        return r;
    while ((r = json_scan_next(s, &f, &p->err)) == 0) {
        if (json_field_is(&f, "jsonrpc"))
            e->version = f.type == JSON_STRING && f.raw.size == 3 && !memcmp(f.raw.data, "2.0", 3);
        else if (json_field_is(&f, "method"))
            e->method = f;
        else if (json_field_is(&f, "params"))
            e->params = f;
        else if (json_field_is(&f, "id"))
            note_id(&f, e, p);
        else
            e->wrong = "only jsonrpc, id, method and params may stand in a request";
    }
    return r == JSON_END ? 0 : r;
}

static int find_method(const struct json_field *f, enum api_method *ret)
{
    struct arena arena;
    arena_init(&arena, 256);
    struct slice name;
    int r = json_field_text(f, &arena, &name);
    if (r == 0)
        r = api_find(name.data, name.size, ret);
    arena_deinit(&arena);
    return r;
}

static void not_parsed(struct json_scanner *s, const char *line, size_t size, int r,
                       struct parsed *p)
{
    struct errmsg ignored;
    if (r == ERR_NOMEM) {
        p->code = api_error_code(ERR_NOMEM);
    } else if (json_check(s, line, size, &ignored) == 0) {
        p->code = RPC_REQUEST;
        err_set(&p->err, ERR_INVALID, "a request is one object; batches are not taken");
    } else {
        p->code = RPC_PARSE;
    }
}

static void parse_params(const struct json_field *params, struct parsed *p)
{
    if (params->type == JSON_OBJECT) {
        p->params = json_tree(params->raw.data, params->raw.size);
        if (!p->params) {
            p->code = api_error_code(err_set(&p->err, ERR_NOMEM, "out of memory"));
            return;
        }
    } else if (params->type) {
        p->code = RPC_PARAMS;
        err_set(&p->err, ERR_INVALID, "params: must be an object");
        return;
    }
    const char *param;
    if (api_check(p->method, p->params, &param, &p->err) < 0) {
        p->code = RPC_PARAMS;
        snprintf(p->param, sizeof(p->param), "%s", param);
    }
}

static void parse(struct json_scanner *s, const char *line, size_t size, struct parsed *p)
{
    struct envelope e = {0};
    memcpy(p->id, "null", 5);
    p->code = 0;
    p->params = NULL;
    p->param[0] = '\0';
    p->err.text[0] = '\0';
    int r = read_envelope(s, line, size, &e, p);
    if (r < 0) {
        memcpy(p->id, "null", 5);
        not_parsed(s, line, size, r, p);
        return;
    }
    if (!e.version)
        e.wrong = "jsonrpc: must be \"2.0\"";
    else if (e.method.type != JSON_STRING)
        e.wrong = "method: must be a string";
    if (e.wrong) {
        p->code = RPC_REQUEST;
        err_set(&p->err, ERR_INVALID, "%s", e.wrong);
    } else if (find_method(&e.method, &p->method) < 0) {
        p->code = RPC_METHOD;
        err_set(&p->err, ERR_UNSUPPORTED, "no method \"%.*s\"",
                (int)(e.method.raw.size < 64 ? e.method.raw.size : 64), e.method.raw.data);
    } else {
        parse_params(&e.params, p);
    }
    if (p->code) {
        json_free(p->params);
        p->params = NULL;
    }
}

/* ---- requests -------------------------------------------------------------------------------- */

static struct rpc_request *take_request(struct server *s)
{
    struct rpc_request *r = s->free_requests;
    if (!r)
        return mem_alloc(sizeof(*r));
    s->free_requests = r->next;
    s->free_request_count--;
    return r;
}

void rpc_free_requests(struct server *s)
{
    while (s->free_requests) {
        struct rpc_request *r = s->free_requests;
        s->free_requests = r->next;
        mem_free(r);
    }
}

/* Gives back what the request holds; its connection may go on. */
static void release(struct rpc_request *r)
{
    struct ipc_conn *c = r->pub.conn;
    struct server *s = c->server;
    bool full = s->stats.pending_bytes >= s->options.max_pending;
    s->stats.pending_bytes -= r->bytes;
    s->stats.in_flight--;
    c->in_flight--;
    if (r->opens)
        c->busy = false;
    json_free(r->params);
    if (s->free_request_count < REQUESTS_KEPT) {
        r->next = s->free_requests;
        s->free_requests = r;
        s->free_request_count++;
    } else {
        mem_free(r);
    }
    if (full && s->stats.pending_bytes < s->options.max_pending)
        server_feed_starved(s);
    conn_queue(c);
    conn_unref(c);
}

/* What data.code says of JSON-RPC's code: the error's name in lower case. */
static const char *code_name(int code, char out[RPC_NAME_SIZE])
{
    switch (code) {
    case RPC_REQUEST:
        return "request";
    case RPC_METHOD:
        return "method";
    default:
        return rpc_error_name(api_error_back(code), out);
    }
}

const char *rpc_error_name(int err, char out[RPC_NAME_SIZE])
{
    snprintf(out, RPC_NAME_SIZE, "%s", err_name(err));
    for (char *p = out; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    return out;
}

static void dispatch(struct ipc_conn *c, struct parsed *p, size_t size)
{
    struct server *s = c->server;
    s->stats.requests++;
    if (p->code) {
        struct buf data = {0};
        struct jsonw w;
        jsonw_init(&w, &data);
        if (p->param[0])
            jsonw_kv_string(&w, "param", p->param);
        rpc_put_error(c, p->id, p->code, NULL, p->err.text, (struct slice){data.data, data.size});
        buf_deinit(&data);
        return;
    }
    struct rpc_request *r = take_request(s);
    if (!r) {
        rpc_put_error(c, p->id, api_error_code(ERR_NOMEM), NULL, "out of memory",
                      (struct slice){0});
        json_free(p->params);
        return;
    }
    r->pub = (struct ipc_request){.conn = c, .method = p->method, .params = p->params};
    r->params = p->params;
    r->bytes = size;
    const char *framing = json_string(json_get(p->params, "framing"));
    r->opens = p->method == API_STREAM_OPEN && framing && strcmp(framing, "binary") == 0;
    strcpy(r->id, p->id);
    if (r->opens)
        c->busy = true;
    c->in_flight++;
    s->stats.in_flight++;
    s->stats.pending_bytes += size;
    conn_ref(c);
    s->options.callbacks->request(s->options.user, &r->pub);
}

/* ---- large lines ----------------------------------------------------------------------------- */

struct job {
    uv_work_t work;
    struct ipc_conn *conn;
    struct parsed parsed;
    size_t size;
    char line[];
};

static void job_run(uv_work_t *work)
{
    struct job *job = work->data;
    struct json_scanner *s;
    if (json_scanner_new(&s) < 0) {
        job->parsed = (struct parsed){.code = api_error_code(ERR_NOMEM), .id = "null"};
        err_set(&job->parsed.err, ERR_NOMEM, "out of memory");
        return;
    }
    parse(s, job->line, job->size, &job->parsed);
    json_scanner_free(s);
}

static void job_done(uv_work_t *work, int status)
{
    struct job *job = work->data;
    struct ipc_conn *c = job->conn;
    c->busy = false;
    c->server->stats.pending_bytes -= job->size;
    if (!c->closing)
        dispatch(c, &job->parsed, job->size);
    else
        json_free(job->parsed.params);
    conn_queue(c);
    conn_unref(c);
    mem_free(job);
}

static int parse_on_pool(struct ipc_conn *c, const char *line, size_t size)
{
    struct job *job = mem_alloc(sizeof(*job) + size);
    if (!job)
        return ERR_NOMEM;
    job->conn = c;
    job->size = size;
    job->work.data = job;
    memcpy(job->line, line, size);
    if (uv_queue_work(c->server->loop, &job->work, job_run, job_done) != 0) {
        mem_free(job);
        return ERR_NOMEM;
    }
    c->busy = true;
    c->server->stats.pending_bytes += size;
    conn_ref(c);
    return 0;
}

void rpc_line(struct ipc_conn *c, const char *line, size_t size)
{
    if (size > POOL_LINE) {
        if (parse_on_pool(c, line, size) < 0)
            rpc_put_error(c, "null", api_error_code(ERR_NOMEM), NULL, "out of memory",
                          (struct slice){0});
        return;
    }
    struct parsed p;
    parse(c->server->scanner, line, size, &p);
    dispatch(c, &p, size);
}

/* ---- answers --------------------------------------------------------------------------------- */

static void put_envelope(struct ipc_conn *c, const char *id)
{
    buf_puts(&c->out, "{\"jsonrpc\":\"2.0\",\"id\":");
    buf_puts(&c->out, id);
}

void rpc_put_error(struct ipc_conn *c, const char *id, int code, const char *name, const char *text,
                   struct slice data)
{
    if (c->closing)
        return;
    char lower[RPC_NAME_SIZE];
    if (!name)
        name = code_name(code, lower);
    size_t before = c->out.size;
    put_envelope(c, id);
    buf_printf(&c->out, ",\"error\":{\"code\":%d,\"message\":", code);
    struct jsonw w;
    jsonw_init(&w, &c->out);
    jsonw_string(&w, text);
    buf_printf(&c->out, ",\"data\":{\"code\":\"%s\"%s", name, data.size ? "," : "");
    buf_append(&c->out, data.data, data.size);
    buf_puts(&c->out, "}}}\n");
    c->server->stats.errors++;
    conn_put(c, before);
}

static void put_result(struct ipc_conn *c, const char *id, struct slice result)
{
    if (c->closing)
        return;
    size_t before = c->out.size;
    buf_reserve(&c->out, result.size + ID_MAX + 64);
    put_envelope(c, id);
    buf_puts(&c->out, ",\"result\":");
    buf_append(&c->out, result.data, result.size);
    buf_puts(&c->out, "}\n");
    conn_put(c, before);
}

void ipc_reply(struct ipc_request *req, struct slice result)
{
    struct rpc_request *r = (struct rpc_request *)req;
    put_result(r->pub.conn, r->id, result);
    release(r);
}

void ipc_reply_error(struct ipc_request *req, int code, const char *name, const char *text,
                     struct slice data)
{
    struct rpc_request *r = (struct rpc_request *)req;
    rpc_put_error(r->pub.conn, r->id, api_error_code(code), name, text, data);
    release(r);
}

void ipc_reply_channel(struct ipc_request *req, struct slice result, enum stream_kind kind,
                       void *channel, uint64_t credits, uint64_t next_seq)
{
    struct rpc_request *r = (struct rpc_request *)req;
    struct ipc_conn *c = r->pub.conn;
    put_result(c, r->id, result);
    if (!c->closing) {
        c->framed = true;
        c->kind = kind;
        c->channel = channel;
        c->credits = credits;
        size_t before = c->out.size;
        frame_put_hello(&c->out, credits, next_seq);
        conn_put(c, before);
    }
    release(r);
}

int ipc_notify(struct ipc_conn *c, const char *method, struct slice params)
{
    if (c->closing)
        return ERR_CLOSED;
    size_t before = c->out.size;
    buf_printf(&c->out, "{\"jsonrpc\":\"2.0\",\"method\":\"%s\",\"params\":", method);
    buf_append(&c->out, params.data, params.size);
    buf_puts(&c->out, "}\n");
    return conn_put(c, before);
}
