/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server and libvarve against each other and against raw bytes: a loop with a small handler
 * runs in a thread, the test speaks to its socket.
 *
 * The handler answers daemon.status at once and keeps memory.search until daemon.reload;
 * stream.open makes a channel that acknowledges each batch; memory.ask answers with as many bytes
 * as its budget.
 */
#include <check.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/mem.h"
#include "ipc/server.h"
#include "ipc/varve.h"

#define HELD_MAX 300

static char folder[64], path[100];
static uv_loop_t loop;
static uv_async_t stop;
static pthread_t thread;
static struct server *server;
static struct ipc_request *held[HELD_MAX];
static unsigned held_count, closed_count, trouble_count;
static char last_trouble[128];
static struct server_stats last_stats;

/* One channel is enough. */
static struct ipc_conn *channel_conn;
static uint64_t channel_seq, channel_records;
static double channel_sum;
static char channel_text[64], channel_names[64];

static struct slice slice_of(const char *s)
{
    return (struct slice){s, strlen(s)};
}

static void answer_bytes(struct ipc_request *req, size_t size)
{
    struct buf out = {0};
    if (buf_reserve(&out, size + 2) < 0) {
        ipc_reply_error(req, ERR_NOMEM, NULL, "out of memory", (struct slice){0});
        return;
    }
    memset(out.data, 'x', size + 2);
    out.data[0] = out.data[size + 1] = '"';
    ipc_reply(req, (struct slice){out.data, size + 2});
    buf_deinit(&out);
}

static void open_stream(struct ipc_request *req)
{
    const char *framing = api_string(req->method, req->params, "framing");
    enum stream_kind kind;
    stream_kind_parse(api_string(req->method, req->params, "kind"), &kind);
    if (strcmp(api_string(req->method, req->params, "name"), "refused") == 0) {
        ipc_reply_error(req, ERR_CONFLICT, NULL, "of another kind", (struct slice){0});
    } else if (framing && strcmp(framing, "binary") == 0) {
        channel_conn = req->conn;
        channel_seq = channel_records = 0;
        channel_sum = 0;
        channel_names[0] = '\0';
        ipc_reply_channel(req, slice_of("{}"), kind, &channel_seq, 4096, 18);
    } else {
        ipc_reply(req, slice_of("{\"next_seq\":\"18\"}"));
    }
}

static void on_request(void *user, struct ipc_request *req)
{
    switch (req->method) {
    case API_MEMORY_SEARCH:
        ck_assert_uint_lt(held_count, HELD_MAX);
        held[held_count++] = req;
        break;
    case API_DAEMON_RELOAD:
        while (held_count > 0)
            ipc_reply(held[--held_count], slice_of("[]"));
        ipc_reply(req, slice_of("true"));
        break;
    case API_MEMORY_ASK:
        answer_bytes(req, (size_t)api_int(req->method, req->params, "budget"));
        break;
    case API_MEMORY_WATCH:
        ipc_notify(req->conn, "memory.hit", slice_of("{\"n\":1}"));
        ipc_notify(req->conn, "memory.hit", slice_of("{\"n\":2}"));
        ipc_reply(req, slice_of("{\"watch\":\"1\"}"));
        break;
    case API_MEMORY_OPEN:
        ipc_reply_error(req, ERR_NOTFOUND, "gone", "no \"such\" memory", slice_of("\"x\":1"));
        break;
    case API_STREAM_OPEN:
        open_stream(req);
        break;
    case API_STREAM_APPEND:
        ipc_reply(req, slice_of("{\"acked\":\"1\"}"));
        break;
    default:
        ipc_reply(req, slice_of("{\"ok\":true}"));
    }
}

static void on_closed(void *user, struct ipc_conn *conn)
{
    closed_count++;
    if (conn == channel_conn)
        channel_conn = NULL;
}

static void on_batch(void *user, void *channel, struct ipc_batch *b)
{
    ck_assert_ptr_eq(channel, &channel_seq);
    for (uint32_t i = 0; i < b->count; i++) {
        const struct record *r = &b->records[i];
        channel_records++;
        channel_seq = r->seq ? r->seq : channel_seq + 1;
        if (r->text.size > 0 && r->text.size < sizeof(channel_text))
            snprintf(channel_text, sizeof(channel_text), "%.*s", (int)r->text.size, r->text.data);
        for (uint32_t k = 0; k < r->sample_count; k++)
            channel_sum += r->samples[k].value;
        if (r->text.size == 3 && memcmp(r->text.data, "bad", 3) == 0)
            ipc_channel_error(channel_conn, r->tag, ERR_CONFLICT, "seq_conflict", "refused");
    }
    ipc_channel_ack(channel_conn, channel_seq, b->bytes);
    ipc_batch_release(server, b);
}

static void on_channel_name(void *user, void *channel, uint16_t index, const char *name)
{
    size_t n = strlen(channel_names);
    snprintf(channel_names + n, sizeof(channel_names) - n, "%u=%s ", index, name);
}

static void on_flush(void *user, void *channel)
{
    ipc_channel_flushed(channel_conn);
}

static void on_channel_close(void *user, void *channel)
{
    ipc_channel_closed(channel_conn);
}

static void on_trouble(void *user, const struct ipc_conn *conn, const char *what)
{
    trouble_count++;
    snprintf(last_trouble, sizeof(last_trouble), "%s", what);
}

static const struct server_callbacks callbacks = {
    .request = on_request,
    .closed = on_closed,
    .batch = on_batch,
    .channel_name = on_channel_name,
    .flush = on_flush,
    .close = on_channel_close,
    .trouble = on_trouble,
};

static void on_stop(uv_async_t *async)
{
    while (held_count > 0)
        ipc_reply(held[--held_count], slice_of("[]"));
    server_stats(server, &last_stats);
    server_close(server, NULL, NULL);
    uv_close((uv_handle_t *)async, NULL);
}

static void *run_loop(void *arg)
{
    uv_run(&loop, UV_RUN_DEFAULT);
    return NULL;
}

static void start(struct server_options options)
{
    struct errmsg err = {{0}};
    held_count = closed_count = trouble_count = 0;
    channel_conn = NULL;
    if (options.fd == 0)
        options.fd = -1;
    options.path = path;
    options.callbacks = &callbacks;
    ck_assert_int_eq(uv_loop_init(&loop), 0);
    uv_async_init(&loop, &stop, on_stop);
    int r = server_open(&loop, &options, &server, &err);
    ck_assert_msg(r == 0, "%s", err.text);
    ck_assert_int_eq(pthread_create(&thread, NULL, run_loop, NULL), 0);
}

static void finish(void)
{
    uv_async_send(&stop);
    pthread_join(thread, NULL);
    ck_assert_int_eq(uv_loop_close(&loop), 0);
    ck_assert_int_lt(access(path, F_OK), 0);
}

static void setup(void)
{
    strcpy(folder, "/tmp/varve-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/s", folder);
}

static void teardown(void)
{
    rmdir(folder);
}

/* ---- raw client ------------------------------------------------------------------------------ */

static int raw_connect(void)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    strcpy(a.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    struct timeval wait = {.tv_sec = 20};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
    return fd;
}

static void raw_send(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t n = send(fd, data, size, MSG_NOSIGNAL);
        if (n < 0)
            return; /* closed on: what was said is still to be read */
        data += n;
        size -= (size_t)n;
    }
}

/* One line without its end; "" when the connection has ended. */
static const char *raw_line(int fd)
{
    static char line[1 << 16];
    size_t n = 0;
    while (n < sizeof(line) - 1 && recv(fd, line + n, 1, 0) == 1 && line[n] != '\n')
        n++;
    line[n] = '\0';
    return line;
}

static const char *ask(int fd, const char *request)
{
    raw_send(fd, request, strlen(request));
    raw_send(fd, "\n", 1);
    return raw_line(fd);
}

#define STATUS "{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"method\":\"daemon.status\"}"
#define STATUS_ANSWER "{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"result\":{\"ok\":true}}"

START_TEST(test_lines)
{
    static const struct {
        const char *request, *answer;
    } rows[] = {
        {STATUS, STATUS_ANSWER},
        {"{\"id\":9007199254740993,\"method\":\"daemon.status\",\"jsonrpc\":\"2.0\"}",
         "{\"jsonrpc\":\"2.0\",\"id\":9007199254740993,\"result\":{\"ok\":true}}"},
        {"{\"jsonrpc\":\"2.0\",\"method\":\"daemon\\u002estatus\"}\r",
         "{\"jsonrpc\":\"2.0\",\"id\":null,\"result\":{\"ok\":true}}"},
        {"", "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32700,\"message\":"
             "\"byte 0: the text ends where an object should stand\","
             "\"data\":{\"code\":\"parse\"}}}"},
        {"{\"id\":1,\"id\":2}",
         "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32700,\"message\":"
         "\"byte 8: the key \\\"id\\\" stands twice\",\"data\":{\"code\":\"parse\"}}}"},
        {"[" STATUS "]",
         "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32600,\"message\":"
         "\"a request is one object; batches are not taken\",\"data\":{\"code\":\"request\"}}}"},
        {"{\"jsonrpc\":\"2.0\",\"params\":{},\"id\":7}",
         "{\"jsonrpc\":\"2.0\",\"id\":7,\"error\":{\"code\":-32600,\"message\":"
         "\"method: must be a string\",\"data\":{\"code\":\"request\"}}}"},
        {"{\"jsonrpc\":\"1.0\",\"method\":\"daemon.status\",\"id\":7}",
         "{\"jsonrpc\":\"2.0\",\"id\":7,\"error\":{\"code\":-32600,\"message\":"
         "\"jsonrpc: must be \\\"2.0\\\"\",\"data\":{\"code\":\"request\"}}}"},
        {"{\"jsonrpc\":\"2.0\",\"method\":\"no.such\",\"id\":7}",
         "{\"jsonrpc\":\"2.0\",\"id\":7,\"error\":{\"code\":-32601,\"message\":"
         "\"no method \\\"no.such\\\"\",\"data\":{\"code\":\"method\"}}}"},
        {"{\"jsonrpc\":\"2.0\",\"method\":\"memory.search\",\"id\":7,\"params\":{\"query\":\"x\","
         "\"limit\":0}}",
         "{\"jsonrpc\":\"2.0\",\"id\":7,\"error\":{\"code\":-32602,\"message\":"
         "\"limit: at least 1\",\"data\":{\"code\":\"invalid\",\"param\":\"limit\"}}}"},
        {"{\"jsonrpc\":\"2.0\",\"method\":\"daemon.status\",\"id\":7,\"params\":[]}",
         "{\"jsonrpc\":\"2.0\",\"id\":7,\"error\":{\"code\":-32602,\"message\":"
         "\"params: must be an object\",\"data\":{\"code\":\"invalid\"}}}"},
        {"{\"jsonrpc\":\"2.0\",\"method\":\"memory.open\",\"id\":7,\"params\":{\"id\":\"5\"}}",
         "{\"jsonrpc\":\"2.0\",\"id\":7,\"error\":{\"code\":-32007,\"message\":"
         "\"no \\\"such\\\" memory\",\"data\":{\"code\":\"gone\",\"x\":1}}}"},
    };
    start((struct server_options){0});
    int fd = raw_connect();
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        ck_assert_str_eq(ask(fd, rows[i].request), rows[i].answer);
    close(fd);
    finish();
    ck_assert_uint_eq(last_stats.requests, sizeof(rows) / sizeof(*rows));
}
END_TEST

/* In pieces of every size, many in one piece, and a last one without its end. */
START_TEST(test_pieces)
{
    start((struct server_options){0});
    int fd = raw_connect();
    static const char line[] = STATUS "\n";
    for (size_t piece = 1; piece < 12; piece++) {
        for (size_t at = 0; at < sizeof(line) - 1; at += piece)
            raw_send(fd, line + at, sizeof(line) - 1 - at < piece ? sizeof(line) - 1 - at : piece);
        ck_assert_str_eq(raw_line(fd), STATUS_ANSWER);
    }
    struct buf many = {0};
    for (int i = 0; i < 3000; i++)
        buf_puts(&many, line);
    buf_puts(&many, STATUS);
    raw_send(fd, many.data, many.size);
    shutdown(fd, SHUT_WR);
    for (int i = 0; i < 3001; i++)
        ck_assert_str_eq(raw_line(fd), STATUS_ANSWER);
    ck_assert_str_eq(raw_line(fd), "");
    buf_deinit(&many);
    close(fd);
    finish();
}
END_TEST

/* A line for the pool keeps its place before the small one behind it. */
START_TEST(test_large)
{
    start((struct server_options){0});
    int fd = raw_connect();
    struct buf line = {0};
    buf_puts(&line, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"stream.append\",\"params\":"
                    "{\"stream\":\"s\",\"records\":[");
    for (int i = 0; i < 20000; i++)
        buf_puts(&line, i ? ",{\"text\":\"a line\"}" : "{\"text\":\"a line\"}");
    buf_puts(&line, "]}}\n" STATUS "\n");
    raw_send(fd, line.data, line.size);
    ck_assert_str_eq(raw_line(fd), "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"acked\":\"1\"}}");
    ck_assert_str_eq(raw_line(fd), STATUS_ANSWER);
    line.data[100000] = '\x01';
    raw_send(fd, line.data, line.size);
    ck_assert_ptr_nonnull(strstr(raw_line(fd), "-32700"));
    ck_assert_str_eq(raw_line(fd), STATUS_ANSWER);
    buf_deinit(&line);
    close(fd);
    finish();
}
END_TEST

START_TEST(test_too_long)
{
    start((struct server_options){.max_request = 1000});
    int other = raw_connect(), fd = raw_connect();
    char *line = malloc(100000);
    memset(line, ' ', 100000);
    raw_send(fd, line, 100000);
    ck_assert_ptr_nonnull(strstr(raw_line(fd), "\"code\":-32005,\"message\":\"a request of more "
                                               "than 1000 bytes; closing\""));
    ck_assert_str_eq(raw_line(fd), "");
    memcpy(line, STATUS, strlen(STATUS));
    line[1000] = '\n';
    raw_send(other, line, 1001);
    ck_assert_str_eq(raw_line(other), STATUS_ANSWER);
    free(line);
    close(fd);
    close(other);
    finish();
}
END_TEST

/* Out-of-order answers; the 65th request waits, and goes on when there is room. */
START_TEST(test_in_flight)
{
    start((struct server_options){.max_in_flight = 8});
    int fd = raw_connect();
    static const char search[] = "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"memory.search\","
                                 "\"params\":{\"query\":\"x\"}}\n";
    char line[128];
    for (int i = 0; i < 20; i++) {
        snprintf(line, sizeof(line), search, i);
        raw_send(fd, line, strlen(line));
    }
    /* Another client's reload answers what is held: never more than 8. */
    int other = raw_connect();
    bool seen[20] = {0};
    int answered = 0;
    while (answered < 20) {
        ask(other, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"daemon.reload\"}");
        struct pollfd p = {.fd = fd, .events = POLLIN};
        for (int burst = 0; poll(&p, 1, 0) == 1; burst++) {
            int id = -1;
            ck_assert_int_lt(burst, 20);
            sscanf(raw_line(fd), "{\"jsonrpc\":\"2.0\",\"id\":%d", &id);
            ck_assert(id >= 0 && id < 20 && !seen[id]);
            seen[id] = true;
            answered++;
        }
    }
    close(fd);
    close(other);
    finish();
}
END_TEST

/* The client goes while its request waits: the answer goes nowhere, and nobody minds. */
START_TEST(test_gone)
{
    start((struct server_options){0});
    for (int i = 0; i < 5; i++) {
        int fd = raw_connect();
        raw_send(fd,
                 "{\"jsonrpc\":\"2.0\",\"method\":\"memory.search\",\"params\":"
                 "{\"query\":\"x\"}}\n{\"jso",
                 71);
        struct linger hard = {1, 0};
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
        close(fd);
    }
    int fd = raw_connect();
    ask(fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"daemon.reload\"}");
    ck_assert_str_eq(ask(fd, STATUS), STATUS_ANSWER);
    close(fd);
    finish();
}
END_TEST

START_TEST(test_never_reads)
{
    start((struct server_options){.max_outgoing = 4 << 20});
    int other = raw_connect(), fd = raw_connect();
    static const char big[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"memory.ask\",\"params\":"
                              "{\"query\":\"x\",\"budget\":1048576}}\n";
    for (int i = 0; i < 10; i++)
        raw_send(fd, big, strlen(big));
    /* The other one is served before and after. */
    do
        ck_assert_str_eq(ask(other, STATUS), STATUS_ANSWER);
    while (__atomic_load_n(&trouble_count, __ATOMIC_RELAXED) == 0);
    ck_assert_str_eq(ask(other, STATUS), STATUS_ANSWER);
    close(fd);
    close(other);
    finish();
    ck_assert_uint_eq(last_stats.overflows, 1);
    ck_assert_str_eq(last_trouble, "does not read its answers; closing");
}
END_TEST

/* Unfinished requests of all together are bounded too: the largest goes, the others stay. */
START_TEST(test_unfinished)
{
    start((struct server_options){.max_pending = 1 << 20});
    int small = raw_connect(), fd = raw_connect();
    raw_send(small, "{\"jsonrpc\"", 10);
    char *half = malloc(2 << 20);
    memset(half, ' ', 2 << 20);
    raw_send(fd, half, 2 << 20);
    ck_assert_ptr_nonnull(strstr(raw_line(fd), "too many unfinished requests"));
    ck_assert_str_eq(ask(small, ":\"2.0\",\"id\":\"a\",\"method\":\"daemon.status\"}"),
                     STATUS_ANSWER);
    free(half);
    close(fd);
    close(small);
    finish();
    ck_assert_uint_eq(last_stats.pending_bytes, 0);
    ck_assert_uint_eq(last_stats.outgoing_bytes, 0);
}
END_TEST

START_TEST(test_connections)
{
    start((struct server_options){.max_connections = 2});
    int a = raw_connect(), b = raw_connect();
    ck_assert_str_eq(ask(a, STATUS), STATUS_ANSWER);
    ck_assert_str_eq(ask(b, STATUS), STATUS_ANSWER);
    int c = raw_connect();
    ck_assert_ptr_nonnull(strstr(raw_line(c), "too many connections"));
    ck_assert_str_eq(raw_line(c), "");
    close(a);
    do { /* until the server has seen that a is gone */
        close(c);
        c = raw_connect();
    } while (strcmp(ask(c, STATUS), STATUS_ANSWER) != 0);
    close(b);
    close(c);
    finish();
}
END_TEST

START_TEST(test_socket_file)
{
    struct errmsg err;
    struct server *second;
    struct server_options o = {.path = path, .fd = -1, .callbacks = &callbacks};
    /* A dead daemon's file is replaced. */
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    strcpy(a.sun_path, path);
    int dead = socket(AF_UNIX, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(dead, (struct sockaddr *)&a, sizeof(a)), 0);
    close(dead);
    start((struct server_options){0});
    struct stat st;
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_eq(st.st_mode & 0777, 0660);
    uv_loop_t other;
    uv_loop_init(&other);
    ck_assert_int_eq(server_open(&other, &o, &second, &err), ERR_BUSY);
    ck_assert_ptr_nonnull(strstr(err.text, path));
    int fd = raw_connect();
    ck_assert_str_eq(ask(fd, STATUS), STATUS_ANSWER);
    close(fd);
    finish();
    FILE *f = fopen(path, "w");
    fclose(f);
    ck_assert_int_eq(server_open(&other, &o, &second, &err), ERR_EXISTS);
    unlink(path);
    char name[300];
    memset(name, 'n', sizeof(name));
    name[299] = '\0';
    o.path = name;
    ck_assert_int_eq(server_open(&other, &o, &second, &err), ERR_LIMIT);
    uv_run(&other, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&other), 0);
}
END_TEST

START_TEST(test_inherited)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    strcpy(a.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    ck_assert_int_eq(listen(fd, 5), 0);
    start((struct server_options){.fd = fd});
    int client = raw_connect();
    ck_assert_str_eq(ask(client, STATUS), STATUS_ANSWER);
    close(client);
    uv_async_send(&stop);
    pthread_join(thread, NULL);
    uv_loop_close(&loop);
    ck_assert_int_eq(unlink(path), 0); /* it was not ours to remove */
}
END_TEST

/* ---- libvarve -------------------------------------------------------------------------------- */

START_TEST(test_client)
{
    start((struct server_options){0});
    struct varve *v;
    const char *result, *method, *params;
    ck_assert_int_eq(varve_connect(path, &v), 0);
    ck_assert_str_eq(varve_path(v), path);
    ck_assert_int_eq(varve_call(v, "daemon.status", NULL, &result), 0);
    ck_assert_str_eq(result, "{\"ok\":true}");
    ck_assert_int_eq(varve_call(v, "memory.open", "{\n \"id\":\"5\"\n}", &result), VARVE_NOTFOUND);
    ck_assert_str_eq(varve_error(v), "no \"such\" memory");
    ck_assert_str_eq(varve_error_json(v), "{\"code\":-32007,\"message\":\"no \\\"such\\\" "
                                          "memory\",\"data\":{\"code\":\"gone\",\"x\":1}}");
    ck_assert_int_eq(varve_call(v, "memory.open", "{\"id\":}", &result), VARVE_INVALID);
    ck_assert_str_eq(varve_error(v), "params: byte 6: '}' where a value should stand");
    ck_assert_int_eq(varve_call(v, "bad\nname", NULL, &result), VARVE_INVALID);
    ck_assert_int_eq(varve_call(v, "no.such", NULL, &result), VARVE_UNSUPPORTED);
    /* Notifications that come before the answer are kept. */
    ck_assert_int_eq(varve_call(v, "memory.watch", "{}", &result), 0);
    ck_assert_str_eq(result, "{\"watch\":\"1\"}");
    ck_assert_int_eq(varve_next_notification(v, 0, &method, &params), 0);
    ck_assert_str_eq(method, "memory.hit");
    ck_assert_str_eq(params, "{\"n\":1}");
    ck_assert_int_eq(varve_call(v, "memory.ask", "{\"query\":\"x\",\"budget\":1000000}", &result),
                     0);
    ck_assert_uint_eq(strlen(result), 1000002);
    ck_assert_int_eq(varve_next_notification(v, -1, &method, &params), 0);
    ck_assert_str_eq(params, "{\"n\":2}");
    ck_assert_int_eq(varve_next_notification(v, 0, &method, &params), VARVE_TIMEOUT);
    varve_close(v);
    finish();
}
END_TEST

START_TEST(test_client_timeout)
{
    start((struct server_options){0});
    struct varve *v, *other;
    const char *result;
    ck_assert_int_eq(varve_connect(path, &v), 0);
    ck_assert_int_eq(varve_connect(path, &other), 0);
    varve_set_timeout(v, 1);
    ck_assert_int_eq(varve_call(v, "memory.search", "{\"query\":\"x\"}", &result), VARVE_TIMEOUT);
    ck_assert_int_eq(varve_call(other, "daemon.reload", NULL, &result), 0);
    /* The late answer is not taken for this one's. */
    varve_set_timeout(v, 0);
    ck_assert_int_eq(varve_call(v, "daemon.status", NULL, &result), 0);
    ck_assert_str_eq(result, "{\"ok\":true}");
    varve_close(other);
    finish();
    ck_assert_int_eq(varve_call(v, "daemon.status", NULL, &result), VARVE_CLOSED);
    ck_assert_str_eq(varve_error(v), "the daemon closed the connection");
    ck_assert_int_eq(varve_call(v, "daemon.status", NULL, &result), VARVE_CLOSED);
    ck_assert_str_eq(varve_error(v), "not connected");
    varve_close(v);
    ck_assert_int_eq(varve_connect(path, &v), VARVE_NOTFOUND);
    ck_assert_ptr_nonnull(strstr(varve_error(v), path));
    ck_assert_ptr_nonnull(strstr(varve_error(v), "start it with `varved`"));
    varve_close(v);
}
END_TEST

static uint64_t refused[8];
static unsigned refused_count;

static void on_refused(void *user, uint64_t number, const char *text)
{
    ck_assert_str_eq(text, "refused");
    refused[refused_count++] = number;
}

/* 20,000 records through 4 KiB of credit. */
START_TEST(test_channel)
{
    start((struct server_options){0});
    struct varve *v;
    struct varve_channel *c;
    const char *result;
    refused_count = 0;
    ck_assert_int_eq(varve_connect(path, &v), 0);
    ck_assert_int_eq(varve_channel_open(v, "refused", "text", &c), VARVE_CONFLICT);
    ck_assert_int_eq(varve_channel_open(v, "s", "smell", &c), VARVE_INVALID);
    ck_assert_int_eq(varve_channel_open(v, "s", "text", &c), 0);
    ck_assert_uint_eq(varve_channel_next_seq(c), 18);
    varve_channel_on_error(c, on_refused, NULL);
    ck_assert_int_eq(varve_call(v, "daemon.status", NULL, &result), VARVE_INVALID);
    for (int i = 1; i <= 20000; i++) {
        const char *text = i == 700 || i == 19999 ? "bad" : "a line of text";
        ck_assert_int_eq(varve_channel_put_text(c, 0, i, "ref", text, strlen(text)), 0);
    }
    ck_assert_int_eq(varve_channel_put_text(c, 0, -5, NULL, "x", 1), VARVE_INVALID);
    ck_assert_int_eq(varve_channel_put_text(c, 0, 5, NULL, "\xff", 1), VARVE_INVALID);
    ck_assert_int_eq(varve_channel_put_values(c, 0, 5, NULL, NULL, NULL, 0), VARVE_INVALID);
    ck_assert_int_eq(varve_channel_flush(c), 0);
    ck_assert_uint_eq(varve_channel_acked(c), 20000);
    ck_assert_uint_eq(refused_count, 2);
    ck_assert(refused[0] == 700 && refused[1] == 19999);
    ck_assert_int_eq(varve_channel_put_text(c, 0, VARVE_TIME_NONE, NULL, "last", 4), 0);
    ck_assert_int_eq(varve_channel_close(c), 0);
    ck_assert_str_eq(varve_error(v), "");
    varve_close(v);
    finish();
    ck_assert_uint_eq(channel_records, 20001);
    ck_assert_str_eq(channel_text, "last");
}
END_TEST

START_TEST(test_sensor_channel)
{
    start((struct server_options){0});
    struct varve *v;
    struct varve_channel *c;
    uint16_t cpu, temp, again;
    ck_assert_int_eq(varve_connect(path, &v), 0);
    ck_assert_int_eq(varve_channel_open(v, "s", "sensor", &c), 0);
    ck_assert_int_eq(varve_channel_name(c, "cpu", &cpu), 0);
    ck_assert_int_eq(varve_channel_name(c, "temp", &temp), 0);
    ck_assert_int_eq(varve_channel_name(c, "cpu", &again), 0);
    ck_assert(cpu == again && cpu != temp);
    uint16_t both[] = {cpu, temp}, none[] = {17};
    double values[] = {1.5, 2};
    for (int i = 0; i < 1000; i++)
        ck_assert_int_eq(varve_channel_put_values(c, (uint64_t)i + 1, i, NULL, both, values, 2), 0);
    ck_assert_int_eq(varve_channel_put_values(c, 0, 5, NULL, none, values, 1), VARVE_INVALID);
    values[1] = 1.0 / 0.0;
    ck_assert_int_eq(varve_channel_put_values(c, 0, 5, NULL, both, values, 2), VARVE_INVALID);
    ck_assert_int_eq(varve_channel_close(c), 0);
    varve_close(v);
    finish();
    ck_assert(channel_records == 1000 && channel_seq == 1000 && channel_sum == 3500);
    ck_assert_str_eq(channel_names, "0=cpu 1=temp ");
}
END_TEST

/* What a careless client may send on a channel, as raw frames behind the request. */
START_TEST(test_raw_frames)
{
    static const struct {
        const char *frame;
        size_t size;
        const char *text; /* of the error that ends the channel */
    } rows[] = {
        {"\0\0\0\0\1", 5, "length 0"},
        {"\xff\xff\xff\x7f\1", 5, "at most"},
        {"\1\0\0\0\x63", 5, "unknown type 99"},
        {"\2\0\0\0\1\5", 6, "shorter than its count"},
        {"\4\0\0\0\2\1\0\0", 8, "shorter than its count"},
    };
    static const char open[] =
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"stream.open\",\"params\":"
        "{\"name\":\"s\",\"kind\":\"text\",\"framing\":\"binary\"}}\n";
    start((struct server_options){0});
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        int fd = raw_connect();
        raw_send(fd, open, strlen(open));
        raw_send(fd, rows[i].frame, rows[i].size);
        char all[1024];
        size_t n = 0;
        for (ssize_t got; (got = recv(fd, all + n, sizeof(all) - n, 0)) > 0;)
            n += (size_t)got;
        ck_assert_ptr_nonnull(memmem(all, n, rows[i].text, strlen(rows[i].text)));
        close(fd);
    }
    finish();
    ck_assert_uint_eq(closed_count, sizeof(rows) / sizeof(*rows));
}
END_TEST

#ifdef VARVE_FAULT_HOOKS
/* One exchange of each kind; true when all of it worked. */
static bool exchange(void)
{
    struct varve *v = NULL;
    struct varve_channel *c;
    const char *result;
    bool done = varve_connect(path, &v) == 0 &&
                varve_call(v, "memory.ask", "{\"query\":\"x\",\"budget\":300000}", &result) == 0 &&
                strlen(result) == 300002 && varve_channel_open(v, "s", "text", &c) == 0 &&
                varve_channel_put_text(c, 0, 1, NULL, "one", 3) == 0 && varve_channel_close(c) == 0;
    if (!done && v)
        ck_assert_str_ne(varve_error(v), "");
    varve_close(v);
    return done;
}

/* Memory that is out at any one place costs one exchange and never the next one. */
START_TEST(test_fault_alloc)
{
    start((struct server_options){0});
    long failed = 0;
    for (long n = 0; n < 120; n++) {
        fault_config(FAULT_ALLOC, n, 1);
        failed += !exchange();
        fault_clear();
        ck_assert_msg(exchange(), "after the allocation %ld had failed", n);
    }
    ck_assert_int_gt(failed, 10);
    finish();
}
END_TEST

/* Short writes lose nothing; one that fails outright ends its own connection. */
START_TEST(test_fault_write)
{
    start((struct server_options){0});
    for (long n = 0; n < 30; n++) {
        fault_config(FAULT_SOCKWRITE, n, 1);
        exchange();
        fault_clear();
        ck_assert_msg(exchange(), "after the write %ld had failed", n);
    }
    finish();
}
END_TEST
#endif

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    Suite *s = suite_create("server");
    TCase *t = tcase_create("server");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_lines);
    tcase_add_test(t, test_pieces);
    tcase_add_test(t, test_large);
    tcase_add_test(t, test_too_long);
    tcase_add_test(t, test_in_flight);
    tcase_add_test(t, test_gone);
    tcase_add_test(t, test_never_reads);
    tcase_add_test(t, test_unfinished);
    tcase_add_test(t, test_connections);
    tcase_add_test(t, test_socket_file);
    tcase_add_test(t, test_inherited);
    tcase_add_test(t, test_client);
    tcase_add_test(t, test_client_timeout);
    tcase_add_test(t, test_channel);
    tcase_add_test(t, test_sensor_channel);
    tcase_add_test(t, test_raw_frames);
#ifdef VARVE_FAULT_HOOKS
    tcase_add_test(t, test_fault_alloc);
    tcase_add_test(t, test_fault_write);
#endif
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
