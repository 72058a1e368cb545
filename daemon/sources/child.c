/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The child runs in a process group of its own, which gets SIGTERM when the child ends or the
 * source stops, and SIGKILL half a second later; what the child still writes is taken.
 */
#include "daemon/sources/child.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"

#define READ_BYTES (64u << 10)
#define REST_READS 64 /* of READ_BYTES: more than a pipe holds */
#define BACKOFF_MAX_MS 60000
#define STEADY_MS 60000
#define KILL_AFTER_MS 500 /* of the two seconds that a stop may take */

struct child {
    struct source *source;
    const struct child_ops *ops;
    void *arg;
    char **argv;
    uv_process_t process;
    uv_pipe_t out, err;
    uv_timer_t timer; /* the next start; while the child runs, its minute, and then the kill */
    bool running;     /* the child has not been reaped */
    bool paused;
    unsigned open; /* handles of this run that are not closed yet */
    int exit_status, exit_signal;
    bool exited;
    uint64_t backoff_ms;
    char buffer[READ_BYTES];
    char noise[512]; /* a line of standard error that has not ended yet */
    size_t noise_size;
};

static void run(struct child *c);

static void free_child(struct child *c)
{
    for (size_t i = 0; c->argv && c->argv[i]; i++)
        mem_free(c->argv[i]);
    mem_free(c->argv);
    mem_free(c);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct child *c = container_of(handle, struct child, timer);
    void (*closed)(void *arg) = c->ops->closed;
    void *arg = c->arg;
    free_child(c);
    closed(arg);
}

static void on_steady(uv_timer_t *timer)
{
    struct child *c = container_of(timer, struct child, timer);
    c->backoff_ms = 0;
    source_set_trouble(c->source, "%s", "");
}

static void on_restart(uv_timer_t *timer)
{
    run(container_of(timer, struct child, timer));
}

/* The run is over when the child is reaped and its pipes are closed. */
static void handle_closed(struct child *c)
{
    if (--c->open > 0)
        return;
    c->running = false;
    uv_timer_stop(&c->timer);
    if (c->source->stopping) {
        uv_close((uv_handle_t *)&c->timer, on_timer_closed);
        return;
    }
    if (c->exited && c->ops->ended(c->arg, c->exit_status, c->exit_signal))
        c->backoff_ms = 0;
    uint64_t least = (uint64_t)c->source->config->restart / 1000;
    c->backoff_ms = c->backoff_ms ? c->backoff_ms * 2 : least;
    uint64_t most = least > BACKOFF_MAX_MS ? least : BACKOFF_MAX_MS;
    if (c->backoff_ms > most)
        c->backoff_ms = most;
    c->source->restarts++;
    uv_timer_start(&c->timer, on_restart, c->backoff_ms, 0);
}

static void on_out_closed(uv_handle_t *handle)
{
    handle_closed(container_of(handle, struct child, out));
}

static void on_err_closed(uv_handle_t *handle)
{
    handle_closed(container_of(handle, struct child, err));
}

static void on_process_closed(uv_handle_t *handle)
{
    handle_closed(container_of(handle, struct child, process));
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct child *c = handle->data;
    *buf = uv_buf_init(c->buffer, sizeof(c->buffer));
}

static void end_output(struct child *c)
{
    if (uv_is_closing((uv_handle_t *)&c->out))
        return;
    c->ops->end(c->arg);
    uv_close((uv_handle_t *)&c->out, on_out_closed);
}

static void on_output(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct child *c = stream->data;
    if (n < 0)
        end_output(c);
    else if (n > 0)
        c->ops->output(c->arg, c->buffer, (size_t)n);
}

/* What still lies in the pipe of a child that has ended. */
static void take_rest(struct child *c)
{
    uv_os_fd_t fd;
    if (uv_is_closing((uv_handle_t *)&c->out) || uv_fileno((uv_handle_t *)&c->out, &fd) != 0)
        return;
    ssize_t n;
    for (int i = 0; i < REST_READS && (n = read(fd, c->buffer, sizeof(c->buffer))) > 0; i++)
        c->ops->output(c->arg, c->buffer, (size_t)n);
    end_output(c);
}

static void log_noise(struct child *c)
{
    if (c->noise_size > 0)
        log_info("source %s: %.*s", c->source->name, (int)c->noise_size, c->noise);
    c->noise_size = 0;
}

static void end_noise(struct child *c)
{
    if (uv_is_closing((uv_handle_t *)&c->err))
        return;
    log_noise(c);
    uv_close((uv_handle_t *)&c->err, on_err_closed);
}

static void on_exit_status(uv_process_t *process, int64_t status, int signal)
{
    struct child *c = container_of(process, struct child, process);
    c->exited = true;
    c->exit_status = (int)status;
    c->exit_signal = signal;
    /*
     * A grandchild may hold the pipes open for ever: what the child wrote is taken, then they
     * close. It would only be one more after each restart, so it is told to end as well.
     */
    kill(-process->pid, SIGTERM);
    take_rest(c);
    end_noise(c);
    uv_close((uv_handle_t *)process, on_process_closed);
}

static void on_noise(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct child *c = stream->data;
    if (n < 0) {
        end_noise(c);
        return;
    }
    for (ssize_t i = 0; i < n; i++) {
        char one = buf->base[i];
        if (one != '\n' && c->noise_size < sizeof(c->noise))
            c->noise[c->noise_size++] = (unsigned char)one < ' ' ? ' ' : one;
        if (one == '\n')
            log_noise(c);
    }
}

static void run(struct child *c)
{
    struct source *s = c->source;
    uv_loop_t *loop = &s->daemon->loop;
    uv_pipe_init(loop, &c->out, 0);
    uv_pipe_init(loop, &c->err, 0);
    c->out.data = c->err.data = c;
    uv_stdio_container_t stdio[3] = {
        {.flags = UV_IGNORE},
        {.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE, .data.stream = (uv_stream_t *)&c->out},
        {.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE, .data.stream = (uv_stream_t *)&c->err}};
    uv_process_options_t options = {.exit_cb = on_exit_status,
                                    .file = c->argv[0],
                                    .args = c->argv,
                                    .stdio = stdio,
                                    .stdio_count = 3,
                                    .flags = UV_PROCESS_DETACHED};
    int rc = uv_spawn(loop, &c->process, &options);
    c->open = 3;
    c->running = true;
    c->exited = false;
    c->ops->begin(c->arg);
    if (rc != 0) {
        source_set_trouble(s, "%s cannot be started: %s", c->argv[0], uv_strerror(rc));
        uv_close((uv_handle_t *)&c->process, on_process_closed);
        uv_close((uv_handle_t *)&c->out, on_out_closed);
        uv_close((uv_handle_t *)&c->err, on_err_closed);
        return;
    }
    if (c->backoff_ms == 0)
        source_set_trouble(s, "%s", "");
    uv_timer_start(&c->timer, on_steady, STEADY_MS, 0);
    if (!c->paused)
        uv_read_start((uv_stream_t *)&c->out, on_alloc, on_output);
    uv_read_start((uv_stream_t *)&c->err, on_alloc, on_noise);
}

int child_start(struct source *s, const char *const *words, size_t count,
                const struct child_ops *ops, void *arg, struct child **ret)
{
    struct child *c = mem_calloc(1, sizeof(*c));
    bool whole = c && (c->argv = mem_calloc(count + 1, sizeof(*c->argv)));
    for (size_t i = 0; whole && i < count; i++)
        whole = (c->argv[i] = mem_strdup(words[i])) != NULL;
    if (!whole) {
        if (c)
            free_child(c);
        return ERR_NOMEM;
    }
    c->source = s;
    c->ops = ops;
    c->arg = arg;
    uv_timer_init(&s->daemon->loop, &c->timer);
    *ret = c;
    run(c);
    return 0;
}

static void on_kill(uv_timer_t *timer)
{
    struct child *c = container_of(timer, struct child, timer);
    kill(-c->process.pid, SIGKILL);
}

void child_stop(struct child *c)
{
    if (!c->running) {
        uv_close((uv_handle_t *)&c->timer, on_timer_closed);
        return;
    }
    if (!uv_is_closing((uv_handle_t *)&c->process)) {
        kill(-c->process.pid, SIGTERM);
        uv_timer_start(&c->timer, on_kill, KILL_AFTER_MS, 0);
    }
}

void child_pause(struct child *c)
{
    c->paused = true;
    if (c->running && !uv_is_closing((uv_handle_t *)&c->out))
        uv_read_stop((uv_stream_t *)&c->out);
}

void child_resume(struct child *c)
{
    c->paused = false;
    if (c->running && !uv_is_closing((uv_handle_t *)&c->out))
        uv_read_start((uv_stream_t *)&c->out, on_alloc, on_output);
}
