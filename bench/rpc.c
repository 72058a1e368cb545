/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trivial requests a second: our server against a bare libuv + cJSON echo server, in one run.
 *
 *   rpc [CLIENTS [REQUESTS [ROUNDS]]]      16 clients, 20,000 requests each a round, 5 rounds
 *
 * Each server has a loop in a child process; the clients are one poll loop in this one, each with
 * one request of about 256 bytes of params under way. The bare server reads lines, parses each with
 * cJSON, and prints its params back; ours checks strictly, parses, validates against the method
 * table and answers the same bytes. Rounds alternate, so that both meet the same machine; the
 * medians count.
 */
#include <cjson/cJSON.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include "base/buf.h"
#include "ipc/server.h"

#define CLIENTS_MAX 256
#define ROUNDS_MAX 99

static char request[1024];
static size_t request_size;
static char query[257];

static void die(const char *what)
{
    fprintf(stderr, "rpc: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* ---- the bare server ------------------------------------------------------------------------- */

struct bare {
    uv_pipe_t pipe;
    struct buf in;
};

static void bare_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
    static char scratch[65536];
    *ret = uv_buf_init(scratch, sizeof(scratch));
}

static void bare_closed(uv_handle_t *handle)
{
    struct bare *b = handle->data;
    buf_deinit(&b->in);
    free(b);
}

/* One write an answer, tried at once, as the shortest program would do it. */
static void bare_answer(struct bare *b, const char *line, size_t size)
{
    cJSON *call = cJSON_ParseWithLength(line, size);
    cJSON *answer = cJSON_CreateObject();
    cJSON_AddStringToObject(answer, "jsonrpc", "2.0");
    cJSON_AddItemToObject(answer, "id", cJSON_DetachItemFromObject(call, "id"));
    cJSON_AddItemToObject(answer, "result", cJSON_DetachItemFromObject(call, "params"));
    char *text = cJSON_PrintUnformatted(answer);
    uv_buf_t parts[2] = {uv_buf_init(text, (unsigned)strlen(text)), uv_buf_init("\n", 1)};
    uv_try_write((uv_stream_t *)&b->pipe, parts, 2);
    cJSON_free(text);
    cJSON_Delete(answer);
    cJSON_Delete(call);
}

static void bare_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *got)
{
    struct bare *b = stream->data;
    if (n < 0) {
        uv_close((uv_handle_t *)stream, bare_closed);
        return;
    }
    buf_append(&b->in, got->base, (size_t)n);
    char *end;
    while (b->in.size > 0 && (end = memchr(b->in.data, '\n', b->in.size))) {
        size_t size = (size_t)(end - b->in.data);
        bare_answer(b, b->in.data, size);
        buf_consume(&b->in, size + 1);
    }
}

static void bare_connection(uv_stream_t *listener, int status)
{
    struct bare *b = calloc(1, sizeof(*b));
    if (!b)
        die("bare server");
    uv_pipe_init(listener->loop, &b->pipe, 0);
    b->pipe.data = b;
    uv_accept(listener, (uv_stream_t *)&b->pipe);
    uv_read_start((uv_stream_t *)&b->pipe, bare_alloc, bare_read);
}

static void run_bare(int fd)
{
    uv_loop_t *loop = uv_default_loop();
    uv_pipe_t listener;
    uv_pipe_init(loop, &listener, 0);
    uv_pipe_open(&listener, fd);
    uv_listen((uv_stream_t *)&listener, 128, bare_connection);
    uv_run(loop, UV_RUN_DEFAULT);
}

/* ---- ours ------------------------------------------------------------------------------------ */

static void on_request(void *user, struct ipc_request *req)
{
    static struct buf out;
    buf_clear(&out);
    buf_printf(&out, "{\"query\":\"%s\",\"limit\":10}",
               api_string(req->method, req->params, "query"));
    ipc_reply(req, (struct slice){out.data, out.size});
}

static void on_closed(void *user, struct ipc_conn *conn)
{
}

static void run_ours(int fd)
{
    static const struct server_callbacks callbacks = {.request = on_request, .closed = on_closed};
    struct server_options options = {.fd = fd, .callbacks = &callbacks};
    struct server *server;
    struct errmsg err;
    if (server_open(uv_default_loop(), &options, &server, &err) < 0) {
        fprintf(stderr, "rpc: %s\n", err.text);
        exit(1);
    }
    uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}

/* ---- clients --------------------------------------------------------------------------------- */

struct target {
    const char *name;
    void (*run)(int fd);
    struct sockaddr_un address;
    socklen_t address_size;
    pid_t pid;
    double rates[ROUNDS_MAX];
};

static void start_server(struct target *t)
{
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    t->address.sun_family = AF_UNIX;
    /* An autobound abstract name: nothing to remove afterwards. */
    socklen_t family = sizeof(t->address.sun_family);
    t->address_size = sizeof(t->address);
    if (fd < 0 || bind(fd, (struct sockaddr *)&t->address, family) < 0 || listen(fd, 128) < 0 ||
        getsockname(fd, (struct sockaddr *)&t->address, &t->address_size) < 0)
        die(t->name);
    t->pid = fork();
    if (t->pid < 0)
        die("fork");
    if (t->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        t->run(fd);
        _exit(0);
    }
    close(fd);
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void send_request(int fd)
{
    if (write(fd, request, request_size) != (ssize_t)request_size)
        die("write");
}

/* Answers a second over all clients. */
static double run_clients(const struct target *t, int clients, long requests)
{
    struct pollfd fds[CLIENTS_MAX];
    long left[CLIENTS_MAX];
    for (int i = 0; i < clients; i++) {
        fds[i] = (struct pollfd){.fd = socket(AF_UNIX, SOCK_STREAM, 0), .events = POLLIN};
        if (connect(fds[i].fd, (const struct sockaddr *)&t->address, t->address_size) < 0)
            die("connect");
        left[i] = requests;
    }
    double start = seconds();
    for (int i = 0; i < clients; i++)
        send_request(fds[i].fd);
    for (long all = clients * requests; all > 0;) {
        if (poll(fds, (nfds_t)clients, -1) < 0)
            die("poll");
        for (int i = 0; i < clients; i++) {
            char answer[2048];
            if (!(fds[i].revents & POLLIN))
                continue;
            ssize_t n = read(fds[i].fd, answer, sizeof(answer));
            if (n <= 0)
                die("read");
            if (answer[n - 1] != '\n')
                continue;
            all--;
            if (--left[i] > 0)
                send_request(fds[i].fd);
        }
    }
    double rate = (double)clients * (double)requests / (seconds() - start);
    for (int i = 0; i < clients; i++)
        close(fds[i].fd);
    return rate;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    int clients = argc > 1 ? atoi(argv[1]) : 16;
    long requests = argc > 2 ? atol(argv[2]) : 20000;
    int rounds = argc > 3 ? atoi(argv[3]) : 5;
    if (clients < 1 || clients > CLIENTS_MAX || requests < 1 || rounds < 1 || rounds > ROUNDS_MAX) {
        fprintf(stderr, "usage: rpc [CLIENTS [REQUESTS [ROUNDS]]]\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    memset(query, 'q', sizeof(query) - 1);
    request_size = (size_t)snprintf(request, sizeof(request),
                                    "{\"jsonrpc\":\"2.0\",\"id\":17,\"method\":\"memory.search\","
                                    "\"params\":{\"query\":\"%s\",\"limit\":10}}\n",
                                    query);
    struct target targets[2] = {{.name = "libuv+cJSON echo", .run = run_bare},
                                {.name = "varve server", .run = run_ours}};
    for (int i = 0; i < 2; i++) {
        start_server(&targets[i]);
        run_clients(&targets[i], clients, requests / 10 + 1);
    }
    double ratios[ROUNDS_MAX];
    for (int round = 0; round < rounds; round++) {
        for (int i = 0; i < 2; i++)
            targets[i].rates[round] = run_clients(&targets[i], clients, requests);
        ratios[round] = targets[1].rates[round] / targets[0].rates[round];
    }
    qsort(ratios, (size_t)rounds, sizeof(double), by_value);
    for (int i = 0; i < 2; i++) {
        kill(targets[i].pid, SIGTERM);
        waitpid(targets[i].pid, NULL, 0);
        qsort(targets[i].rates, (size_t)rounds, sizeof(double), by_value);
        printf("%-18s %9.0f requests/s (%d clients, %d rounds, %.0f to %.0f)\n", targets[i].name,
               targets[i].rates[rounds / 2], clients, rounds, targets[i].rates[0],
               targets[i].rates[rounds - 1]);
    }
    printf("ratio %.2f (%.2f to %.2f)\n", ratios[rounds / 2], ratios[0], ratios[rounds - 1]);
    return 0;
}
