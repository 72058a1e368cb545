/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libvarve, the connection: connect, call, notifications. The socket does not block; every wait is
 * a poll with a deadline. An answer that comes after its call gave up is recognised by its id and
 * dropped. Whatever breaks the connection is said once by varve_error and stays.
 */
#include "ipc/client.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/mem.h"
#include "config/paths.h"
#include "ipc/api.h"

#define RECEIVE_SIZE (64u << 10)
#define ANSWER_MAX (256u << 20) /* bytes the daemon may make us hold */
#define NOTES_MAX (16u << 20)

/* ---- waiting and moving bytes ---------------------------------------------------------------- */

static int64_t now(void)
{
    return clock_mono(clock_system());
}

int64_t client_deadline(int milliseconds)
{
    return milliseconds > 0 ? now() + milliseconds * 1000LL : INT64_MAX;
}

int client_lost(struct varve *v, int code, const char *text)
{
    if (v->fd >= 0)
        close(v->fd);
    v->fd = -1;
    return err_set(&v->err, code, "%s", text);
}

/* Waits until the socket is ready for one of `events`; *ret_ready is what it is ready for. */
static int wait_ready(struct varve *v, short events, int64_t deadline, short *ret_ready)
{
    for (;;) {
        int64_t left = deadline == INT64_MAX ? -1 : deadline - now();
        if (deadline != INT64_MAX && left < 0)
            left = 0;
        struct pollfd p = {.fd = v->fd, .events = events};
        int ms = left < 0 ? -1 : left > INT32_MAX ? INT32_MAX : (int)((left + 999) / 1000);
        int n = poll(&p, 1, ms);
        if (n > 0) {
            *ret_ready = p.revents;
            return 0;
        }
        if (n == 0)
            return err_set(&v->err, ERR_TIMEOUT, "the daemon at %s does not answer", v->path);
        if (errno != EINTR)
            return client_lost(v, ERR_IO, strerror(errno));
    }
}

/* What is there now. 0 also when there was nothing. */
static int take_in(struct varve *v)
{
    if (v->taken > 0) {
        buf_consume(&v->in, v->taken);
        v->scanned -= v->scanned < v->taken ? v->scanned : v->taken;
        v->taken = 0;
    }
    if (v->in.size > ANSWER_MAX)
        return client_lost(v, ERR_LIMIT, "the daemon's answer is too large");
    if (buf_reserve(&v->in, RECEIVE_SIZE) < 0)
        return client_lost(v, ERR_NOMEM, "out of memory");
    ssize_t n = recv(v->fd, v->in.data + v->in.size, RECEIVE_SIZE, 0);
    if (n > 0) {
        v->in.size += (size_t)n;
        return 0;
    }
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    return client_lost(v, ERR_CLOSED, "the daemon closed the connection");
}

int client_receive(struct varve *v, int64_t deadline)
{
    if (v->fd < 0 && v->err.text[0])
        return ERR_CLOSED; /* the text says why already */
    if (v->fd < 0)
        return err_set(&v->err, ERR_CLOSED, "not connected");
    short ready;
    int r = wait_ready(v, POLLIN, deadline, &ready);
    return r < 0 ? r : take_in(v);
}

/* ERR_CLOSED leaves the socket open: what the daemon said before it closed may still be read. */
static int send_some(struct varve *v, size_t *sent)
{
    size_t size = v->out.size - *sent;
    if (fault_tick(FAULT_SOCKWRITE))
        size = 1;
    ssize_t n = send(v->fd, v->out.data + *sent, size, MSG_NOSIGNAL);
    if (n >= 0)
        *sent += (size_t)n;
    else if (errno != EAGAIN && errno != EINTR)
        return ERR_CLOSED;
    return 0;
}

int client_send(struct varve *v)
{
    if (v->fd < 0)
        return err_set(&v->err, ERR_CLOSED, "not connected");
    if (buf_failed(&v->out))
        return client_lost(v, ERR_NOMEM, "out of memory");
    size_t sent = 0;
    int r = send_some(v, &sent);
    while (r == 0 && sent < v->out.size) {
        short ready;
        r = wait_ready(v, POLLIN | POLLOUT, client_deadline(v->timeout), &ready);
        if (r == 0 && (ready & POLLIN))
            r = take_in(v);
        if (r == 0 && v->fd >= 0 && (ready & POLLOUT))
            r = send_some(v, &sent);
    }
    buf_clear(&v->out);
    if (r == ERR_TIMEOUT)
        return client_lost(v, r, "the daemon does not read"); /* in the middle of a message */
    return r == ERR_CLOSED ? 0 : r;
}

/* ---- lines ----------------------------------------------------------------------------------- */

struct message {
    bool has_id, own; /* own: answers this call, or no call in particular */
    struct slice method, params, result, error;
};

/* The next line, which lives until the next receive. */
static int next_line(struct varve *v, int64_t deadline, struct slice *ret)
{
    for (;;) {
        const char *start = v->in.data + v->taken;
        size_t from = v->scanned > v->taken ? v->scanned : v->taken;
        const char *end =
            v->in.size > from ? memchr(v->in.data + from, '\n', v->in.size - from) : NULL;
        if (end) {
            *ret = (struct slice){start, (size_t)(end - start)};
            v->taken = (size_t)(end - v->in.data) + 1;
            v->scanned = v->taken;
            return 0;
        }
        v->scanned = v->in.size;
        int r = client_receive(v, deadline);
        if (r < 0)
            return r;
    }
}

/* A value as it was written, a string with its quotes. */
static struct slice value_of(const struct json_field *f)
{
    size_t quotes = f->type == JSON_STRING;
    return (struct slice){f->raw.data - quotes, f->raw.size + 2 * quotes};
}

static int read_message(struct varve *v, struct slice line, struct message *ret)
{
    *ret = (struct message){0};
    char id[32];
    size_t id_size = (size_t)snprintf(id, sizeof(id), "%llu", (unsigned long long)v->calls);
    struct json_field f;
    int r = json_scan_object(v->scanner, line.data, line.size, &v->err);
    while (r == 0 && (r = json_scan_next(v->scanner, &f, &v->err)) == 0) {
        if (json_field_is(&f, "id")) {
            ret->has_id = true;
            ret->own = f.type == JSON_NULL || (f.type == JSON_NUMBER && f.raw.size == id_size &&
                                               memcmp(f.raw.data, id, id_size) == 0);
        } else if (json_field_is(&f, "method") && f.type == JSON_STRING) {
            ret->method = f.raw;
        } else if (json_field_is(&f, "params")) {
            ret->params = value_of(&f);
        } else if (json_field_is(&f, "result")) {
            ret->result = value_of(&f);
        } else if (json_field_is(&f, "error")) {
            ret->error = value_of(&f);
        }
    }
    if (r < 0)
        return client_lost(v, ERR_PARSE, "the daemon's answer is not what it should be");
    return 0;
}

/* Code and text of an error member. */
static int read_error(struct varve *v, struct slice error)
{
    struct arena arena;
    arena_init(&arena, 1024);
    struct slice text = {"the daemon refused", 18};
    int64_t code = 0;
    struct json_field f;
    int r = json_scan_object(v->scanner, error.data, error.size, NULL);
    while (r == 0 && (r = json_scan_next(v->scanner, &f, NULL)) == 0) {
        if (json_field_is(&f, "code"))
            json_field_int64(&f, &code);
        else if (json_field_is(&f, "message") && f.type == JSON_STRING)
            json_field_text(&f, &arena, &text);
    }
    r = api_error_back((int)code);
    err_set(&v->err, r, "%.*s", (int)(text.size < 400 ? text.size : 400), text.data);
    arena_deinit(&arena);
    return r;
}

static int set_text(struct varve *v, struct buf *out, struct slice s)
{
    buf_clear(out);
    buf_append(out, s.data, s.size);
    buf_putc(out, '\0'); /* an empty one too is a string */
    return buf_failed(out) ? client_lost(v, ERR_NOMEM, "out of memory") : 0;
}

/* ---- interface ------------------------------------------------------------------------------- */

static int connect_to(struct varve *v, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(v->path, path, strlen(path) + 1); /* config_client_sockets gives no longer ones */
    memcpy(address.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_set(&v->err, err_from_errno(errno), "socket: %s", strerror(errno));
    struct timeval wait = {.tv_sec = v->timeout / 1000};
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
        int errnum = errno;
        close(fd);
        if (errnum == ENOENT || errnum == ECONNREFUSED || errnum == ENOTDIR)
            return err_set(&v->err, ERR_NOTFOUND, "no daemon at %s: start it with `varved`", path);
        return err_set(&v->err, err_from_errno(errnum), "%s: %s", path, strerror(errnum));
    }
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    v->fd = fd;
    return 0;
}

int varve_connect(const char *path, struct varve **ret)
{
    struct varve *v = mem_calloc(1, sizeof(*v));
    if (!v || json_scanner_new(&v->scanner) < 0) {
        mem_free(v);
        return ERR_NOMEM;
    }
    v->fd = -1;
    v->timeout = 60000;
    *ret = v;
    char paths[2][CONFIG_SOCKET_SIZE];
    size_t count = config_client_sockets(path, paths);
    if (count == 0 && path)
        return err_set(&v->err, ERR_LIMIT, "%s: too long for a socket", path);
    int r = err_set(&v->err, ERR_NOTFOUND, "no place to look for the daemon's socket");
    /* What is said of the first place counts, unless a later one is there but cannot be used. */
    for (size_t i = 0; i < count; i++) {
        struct errmsg before = v->err;
        int got = connect_to(v, paths[i]);
        if (got == 0) {
            v->err.text[0] = '\0';
            return 0;
        }
        if (i > 0 && got == ERR_NOTFOUND) {
            v->err = before;
            memcpy(v->path, paths[0], sizeof(v->path));
        } else {
            r = got;
        }
    }
    return r;
}

void varve_close(struct varve *v)
{
    if (!v)
        return;
    if (v->fd >= 0)
        close(v->fd);
    channel_free(v->channel);
    json_scanner_free(v->scanner);
    buf_deinit(&v->error_json);
    buf_deinit(&v->in);
    buf_deinit(&v->out);
    buf_deinit(&v->notes);
    buf_deinit(&v->result);
    buf_deinit(&v->method);
    mem_free(v);
}

const char *varve_error(const struct varve *v)
{
    return v->err.text;
}

const char *varve_error_json(const struct varve *v)
{
    return v->error_json.size ? v->error_json.data : "";
}

void varve_set_timeout(struct varve *v, int milliseconds)
{
    v->timeout = milliseconds;
}

const char *varve_path(const struct varve *v)
{
    return v->path;
}

int varve_fd(const struct varve *v)
{
    return v->fd;
}

/* Line ends between the tokens of params become blanks: a request is one line. */
static int put_request(struct varve *v, const char *method, const char *params)
{
    size_t size = params ? strlen(params) : 0;
    struct errmsg err;
    if (params && json_check(v->scanner, params, size, &err) < 0)
        return err_set(&v->err, ERR_INVALID, "params: %s", err.text);
    for (const char *p = method; *p; p++) {
        if (*p < 0x21 || *p > 0x7e || *p == '"' || *p == '\\')
            return err_set(&v->err, ERR_INVALID, "no method has such a name");
    }
    buf_clear(&v->out);
    buf_printf(&v->out, "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"method\":\"%s\"",
               (unsigned long long)v->calls, method);
    if (params) {
        buf_puts(&v->out, ",\"params\":");
        size_t at = v->out.size;
        buf_append(&v->out, params, size);
        for (size_t i = at; i < v->out.size; i++) {
            if (v->out.data[i] == '\n' || v->out.data[i] == '\r')
                v->out.data[i] = ' ';
        }
    }
    buf_puts(&v->out, "}\n");
    return buf_failed(&v->out) ? err_set(&v->err, ERR_NOMEM, "out of memory") : 0;
}

static int keep_note(struct varve *v, struct slice line)
{
    if (v->notes.size + line.size > NOTES_MAX)
        return client_lost(v, ERR_LIMIT, "too many notifications that nobody asked for");
    buf_append(&v->notes, line.data, line.size);
    buf_putc(&v->notes, '\n');
    return buf_failed(&v->notes) ? client_lost(v, ERR_NOMEM, "out of memory") : 0;
}

static int wait_answer(struct varve *v, const char **ret_result)
{
    int64_t deadline = client_deadline(v->timeout);
    for (;;) {
        struct slice line;
        struct message m = {0};
        int r = next_line(v, deadline, &line);
        if (r == 0)
            r = read_message(v, line, &m);
        if (r < 0)
            return r;
        if (!m.has_id) {
            r = keep_note(v, line);
            if (r < 0)
                return r;
        } else if (m.own && m.error.size > 0) {
            r = set_text(v, &v->error_json, m.error);
            return r < 0 ? r : read_error(v, m.error);
        } else if (m.own) {
            r = set_text(v, &v->result, m.result);
            if (r == 0 && ret_result)
                *ret_result = v->result.data;
            return r;
        }
    }
}

int varve_call(struct varve *v, const char *method, const char *params, const char **ret_result)
{
    v->err.text[0] = '\0';
    v->error_json.size = 0;
    if (v->channel)
        return err_set(&v->err, ERR_INVALID, "this connection is an ingest channel");
    v->calls++;
    int r = put_request(v, method, params);
    if (r == 0)
        r = client_send(v);
    return r < 0 ? r : wait_answer(v, ret_result);
}

int varve_next_notification(struct varve *v, int milliseconds, const char **ret_method,
                            const char **ret_params)
{
    v->err.text[0] = '\0';
    int64_t deadline = milliseconds < 0 ? INT64_MAX : now() + milliseconds * 1000LL;
    for (;;) {
        struct slice line;
        struct message m = {0};
        char *end = v->notes.size ? memchr(v->notes.data, '\n', v->notes.size) : NULL;
        if (end)
            line = (struct slice){v->notes.data, (size_t)(end - v->notes.data)};
        int r = end ? 0 : next_line(v, deadline, &line);
        if (r == 0)
            r = read_message(v, line, &m);
        if (r < 0)
            return r;
        bool note = !m.has_id && m.method.size > 0;
        if (note) {
            r = set_text(v, &v->method, m.method);
            if (r == 0)
                r = set_text(v, &v->result, m.params);
        }
        if (end)
            buf_consume(&v->notes, line.size + 1);
        if (r < 0)
            return r;
        if (!note)
            continue;
        *ret_method = v->method.data;
        *ret_params = v->result.data;
        return 0;
    }
}
