/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The exec source: a child's standard output, line by line; its standard error goes to the log.
 * When the child ends it is started again after a wait that doubles up to a minute and falls back
 * once the child has lived for a minute. The child runs in a process group of its own, which gets
 * SIGTERM when the child ends or the source stops, and SIGKILL half a second later; what the child
 * still writes is taken.
 *
 * Durable: while the stream's queue is full the pipe is not read, and the child waits in its write.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "daemon/sources/feed.h"

#define READ_BYTES (64u << 10)
#define REST_READS 64 /* of READ_BYTES: more than a pipe holds */
#define BACKOFF_MAX_MS 60000
#define STEADY_MS 60000
#define KILL_AFTER_MS 500 /* of the two seconds that a stop may take */

struct exec {
    struct source *source;
    struct feed *feed;
    uv_process_t process;
    uv_pipe_t out, err;
    uv_timer_t timer; /* the next start; while the child runs, its minute, and then the kill */
    bool running;     /* the child has not been reaped */
    unsigned open;    /* handles of this run that are not closed yet */
    uint64_t backoff_ms;
    char buffer[READ_BYTES];
    char noise[512]; /* a line of standard error that has not ended yet */
    size_t noise_size;
};

static void run_child(struct exec *e);

static void on_timer_closed(uv_handle_t *handle)
{
    struct exec *e = container_of(handle, struct exec, timer);
    struct source *s = e->source;
    feed_free(e->feed);
    mem_free(e);
    source_closed(s);
}

static void on_steady(uv_timer_t *timer)
{
    struct exec *e = container_of(timer, struct exec, timer);
    e->backoff_ms = 0;
    source_set_trouble(e->source, "%s", "");
}

static void on_restart(uv_timer_t *timer)
{
    run_child(container_of(timer, struct exec, timer));
}

/* The run is over when the child is reaped and its pipes are closed. */
static void handle_closed(struct exec *e)
{
    if (--e->open > 0)
        return;
    e->running = false;
    uv_timer_stop(&e->timer);
    if (e->source->stopping) {
        uv_close((uv_handle_t *)&e->timer, on_timer_closed);
        return;
    }
    uint64_t least = (uint64_t)e->source->config->restart / 1000;
    e->backoff_ms = e->backoff_ms ? e->backoff_ms * 2 : least;
    uint64_t most = least > BACKOFF_MAX_MS ? least : BACKOFF_MAX_MS;
    if (e->backoff_ms > most)
        e->backoff_ms = most;
    e->source->restarts++;
    uv_timer_start(&e->timer, on_restart, e->backoff_ms, 0);
}

static void on_out_closed(uv_handle_t *handle)
{
    handle_closed(container_of(handle, struct exec, out));
}

static void on_err_closed(uv_handle_t *handle)
{
    handle_closed(container_of(handle, struct exec, err));
}

static void on_process_closed(uv_handle_t *handle)
{
    handle_closed(container_of(handle, struct exec, process));
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct exec *e = handle->data;
    *buf = uv_buf_init(e->buffer, sizeof(e->buffer));
}

static void submit(struct exec *e, int rc)
{
    if (feed_submit(e->feed, NULL, (struct slice){NULL, 0}) != 0 || rc != 0)
        source_set_trouble(e->source, "out of memory: output was lost");
}

static void take_output(struct exec *e, size_t size)
{
    submit(e, feed_bytes(e->feed, e->buffer, size));
}

static void end_output(struct exec *e)
{
    if (uv_is_closing((uv_handle_t *)&e->out))
        return;
    submit(e, feed_end(e->feed));
    uv_close((uv_handle_t *)&e->out, on_out_closed);
}

static void on_output(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct exec *e = stream->data;
    if (n < 0) {
        end_output(e);
        return;
    }
    take_output(e, (size_t)n);
}

/* What still lies in the pipe of a child that has ended. */
static void take_rest(struct exec *e)
{
    uv_os_fd_t fd;
    if (uv_is_closing((uv_handle_t *)&e->out) || uv_fileno((uv_handle_t *)&e->out, &fd) != 0)
        return;
    ssize_t n;
    for (int i = 0; i < REST_READS && (n = read(fd, e->buffer, sizeof(e->buffer))) > 0; i++)
        take_output(e, (size_t)n);
    end_output(e);
}

static void log_noise(struct exec *e)
{
    if (e->noise_size > 0)
        log_info("source %s: %.*s", e->source->name, (int)e->noise_size, e->noise);
    e->noise_size = 0;
}

static void end_noise(struct exec *e)
{
    if (uv_is_closing((uv_handle_t *)&e->err))
        return;
    log_noise(e);
    uv_close((uv_handle_t *)&e->err, on_err_closed);
}

static void on_exit_status(uv_process_t *process, int64_t status, int signal)
{
    struct exec *e = container_of(process, struct exec, process);
    if (!e->source->stopping) {
        if (signal)
            source_set_trouble(e->source, "the command was ended by signal %d", signal);
        else
            source_set_trouble(e->source, "the command ended with status %lld", (long long)status);
    }
    /*
     * A grandchild may hold the pipes open for ever: what the child wrote is taken, then they
     * close. It would only be one more after each restart, so it is told to end as well.
     */
    kill(-process->pid, SIGTERM);
    take_rest(e);
    end_noise(e);
    uv_close((uv_handle_t *)process, on_process_closed);
}

static void on_noise(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct exec *e = stream->data;
    if (n < 0) {
        end_noise(e);
        return;
    }
    for (ssize_t i = 0; i < n; i++) {
        char c = buf->base[i];
        if (c != '\n' && e->noise_size < sizeof(e->noise))
            e->noise[e->noise_size++] = (unsigned char)c < ' ' ? ' ' : c;
        if (c == '\n')
            log_noise(e);
    }
}

static void run_child(struct exec *e)
{
    struct source *s = e->source;
    uv_loop_t *loop = &s->daemon->loop;
    const struct config_list *command = &s->config->command;
    char **argv = mem_calloc(command->count + 1, sizeof(*argv));
    if (!argv) {
        uv_timer_start(&e->timer, on_restart, 1000, 0);
        return;
    }
    memcpy(argv, command->items, command->count * sizeof(*argv));
    uv_pipe_init(loop, &e->out, 0);
    uv_pipe_init(loop, &e->err, 0);
    e->out.data = e->err.data = e;
    uv_stdio_container_t stdio[3] = {
        {.flags = UV_IGNORE},
        {.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE, .data.stream = (uv_stream_t *)&e->out},
        {.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE, .data.stream = (uv_stream_t *)&e->err}};
    uv_process_options_t options = {.exit_cb = on_exit_status,
                                    .file = argv[0],
                                    .args = argv,
                                    .stdio = stdio,
                                    .stdio_count = 3,
                                    .flags = UV_PROCESS_DETACHED};
    int rc = uv_spawn(loop, &e->process, &options);
    mem_free(argv);
    e->open = 3;
    e->running = true;
    feed_restart(e->feed);
    if (rc != 0) {
        source_set_trouble(s, "%s cannot be started: %s", command->items[0], uv_strerror(rc));
        uv_close((uv_handle_t *)&e->process, on_process_closed);
        uv_close((uv_handle_t *)&e->out, on_out_closed);
        uv_close((uv_handle_t *)&e->err, on_err_closed);
        return;
    }
    if (e->backoff_ms == 0)
        source_set_trouble(s, "%s", "");
    uv_timer_start(&e->timer, on_steady, STEADY_MS, 0);
    if (!s->streams->paused)
        uv_read_start((uv_stream_t *)&e->out, on_alloc, on_output);
    uv_read_start((uv_stream_t *)&e->err, on_alloc, on_noise);
}

static int start(struct source *s)
{
    struct exec *e = mem_calloc(1, sizeof(*e));
    if (!e || feed_new(s->streams, s->config->command.items[0], &e->feed) != 0) {
        mem_free(e);
        source_set_trouble(s, "out of memory");
        return ERR_NOMEM;
    }
    e->source = s;
    s->impl = e;
    uv_timer_init(&s->daemon->loop, &e->timer);
    run_child(e);
    return 0;
}

static void on_kill(uv_timer_t *timer)
{
    struct exec *e = container_of(timer, struct exec, timer);
    kill(-e->process.pid, SIGKILL);
}

static void stop(struct source *s)
{
    struct exec *e = s->impl;
    if (!e->running) {
        uv_close((uv_handle_t *)&e->timer, on_timer_closed);
        return;
    }
    if (!uv_is_closing((uv_handle_t *)&e->process)) {
        kill(-e->process.pid, SIGTERM);
        uv_timer_start(&e->timer, on_kill, KILL_AFTER_MS, 0);
    }
}

static void pause_reading(struct source_stream *ss)
{
    struct exec *e = ss->source->impl;
    if (e->running && !uv_is_closing((uv_handle_t *)&e->out))
        uv_read_stop((uv_stream_t *)&e->out);
}

static void resume_reading(struct source_stream *ss)
{
    struct exec *e = ss->source->impl;
    if (e->running && !uv_is_closing((uv_handle_t *)&e->out))
        uv_read_start((uv_stream_t *)&e->out, on_alloc, on_output);
}

const struct source_ops source_exec = {.policy = STREAM_DURABLE,
                                       .start = start,
                                       .stop = stop,
                                       .pause = pause_reading,
                                       .resume = resume_reading};
