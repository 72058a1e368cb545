/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path: open the file, load the streams, start writer and pools, listen, start the sources,
 * run the loop. A signal stops in this order: sources, sockets, streams (drained and flushed),
 * pools, writer (commits, checkpoints), file. Nothing that was acknowledged waits for any of it:
 * the journal has it already, so a drain that takes too long is cut short after DRAIN_MS.
 */
#include "daemon/core.h"

#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "daemon/handlers/handlers.h"
#include "daemon/notify.h"
#include "daemon/sources/source.h"
#include "daemon/stream.h"
#include "daemon/watch.h"
#include "memory/forget.h"
#include "memory/reader.h"
#include "memory/sketch.h"
#include "model/kernels.h"
#include "model/voice.h"

/* Questions go before records: with all cores busy reading lines, half the wait of a search was for
 * a core (p50 28 ms at 0, 14 at 5, 10 at 10; the rate of ingest stays). */
#define MODEL_NICE 5
#define QUERY_THREADS 2
#define DRAIN_MS 1200
#define SNAPSHOT_SECONDS 600

double daemon_load(const struct daemon *d)
{
    double fill = (double)d->undone_bytes / (double)budget_queue(d->config);
    return fill < 1 ? fill : 1;
}

/* ---- configuration ---- */

static bool config_is_used(const struct daemon *d, const struct config *config)
{
    for (const struct source *s = d->sources; s; s = s->next)
        for (size_t i = 0; i < config->source_count; i++)
            if (s->config == &config->source[i])
                return true;
    return false;
}

/* Frees the replaced configurations that no source uses any more. Returns a free slot, or NULL. */
static struct config **sweep_configs(struct daemon *d)
{
    struct config **slot = NULL;
    for (size_t i = 0; i < OLD_CONFIGS; i++) {
        struct config **old = &d->old_configs[i];
        if (*old && !config_is_used(d, *old)) {
            config_free(*old);
            *old = NULL;
        }
        if (!*old)
            slot = old;
    }
    return slot;
}

int daemon_reload(struct daemon *d, struct errmsg *kept, struct errmsg *err)
{
    struct config *fresh = NULL;
    struct config **slot = sweep_configs(d);
    int rc = 0;
    if (d->stopping)
        rc = err_set(err, ERR_CLOSED, "the daemon is stopping");
    else if (!slot)
        rc = err_set(err, ERR_BUSY, "sources are still ending after the last changes");
    if (rc == 0)
        rc = config_load(&d->args, &fresh, err);
    if (rc == 0)
        rc = config_keep_fixed(d->config, fresh, kept);
    if (rc == 0)
        rc = streams_set_redaction(d, fresh, err);
    if (rc != 0) {
        config_free(fresh);
        log_error("the configuration was not changed: %s", err->text);
        return rc;
    }
    *slot = d->config;
    d->config = fresh;
    budget_apply(d);
    log_set_level((enum log_level)fresh->log.level);
    server_set_limits(d->server, (size_t)fresh->ipc.max_request,
                      (size_t)fresh->ipc.max_connections);
    sources_apply(d);
    log_info("configuration loaded again%s%s", kept->text[0] ? "; needs a restart: " : "",
             kept->text);
    return 0;
}

static void on_reload(uv_timer_t *timer)
{
    struct daemon *d = container_of(timer, struct daemon, reload);
    struct errmsg kept = {""}, err = {""};
    if (d->stopping)
        return;
    notify_state("RELOADING=1");
    daemon_reload(d, &kept, &err);
    notify_state("READY=1");
}

/* libuv calls back once for every signal before it looks at anything else: a storm of them would
 * keep the loop for itself. One reload in a turn of the loop serves all that came before it. */
static void on_sighup(uv_signal_t *signal, int signum)
{
    struct daemon *d = container_of(signal, struct daemon, sighup);
    uv_timer_start(&d->reload, on_reload, 0, 0);
}

/* ---- once a second ---- */

static void on_second(uv_timer_t *timer)
{
    struct daemon *d = container_of(timer, struct daemon, second);
    d->seconds++;
    for (struct live_stream *s = d->streams; s; s = s->next) {
        stream_tick(s);
        if (d->seconds % SNAPSHOT_SECONDS == 0)
            stream_snapshot(s);
    }
    budget_tick(d);
    streams_resume(d);
    sources_tick(d);
    sweep_configs(d);
    if (d->watchdog_seconds && d->seconds % d->watchdog_seconds == 0)
        notify_state("WATCHDOG=1");
}

/* ---- sketches ---- */

static void load_sketches(struct work *work, unsigned thread)
{
    struct daemon *d = container_of(work, struct daemon, sketch_work);
    struct errmsg err;
    if (sketch_index_load(d->sketches, d->database, 0, &d->sketches_stop, &err) != 0)
        log_warn("memories are found by their words only: %s", err.text);
}

static void sketches_loaded(struct work *work)
{
    struct daemon *d = container_of(work, struct daemon, sketch_work);
    d->sketches_loaded = true;
    if (!d->stopping)
        sources_apply(
            d); /* first: what a source says of its stream holds for the journal's records too */
    streams_start(d);
    forgetting_begin(d);
}

/* ---- stopping ---- */

static bool all_idle(const struct daemon *d)
{
    for (const struct live_stream *s = d->streams; s; s = s->next)
        if (stream_is_busy(s))
            return false;
    return true;
}

static void close_handles(struct daemon *d)
{
    uv_signal_t *signals[] = {&d->sigterm, &d->sigint, &d->sighup};
    for (int i = 0; i < 3; i++) {
        int signum = signals[i]->signum;
        uv_close((uv_handle_t *)signals[i], NULL);
        signal(signum,
               SIG_IGN); /* libuv gives it back to its default: it would cut the end short */
    }
    uv_close((uv_handle_t *)&d->second, NULL);
    uv_close((uv_handle_t *)&d->drain, NULL);
    uv_close((uv_handle_t *)&d->reload, NULL);
}

/* Streams are flushed and their models saved, or time is up: the threads end now. */
static void finish(struct daemon *d)
{
    if (d->finished)
        return;
    d->finished = true;
    atomic_store(&d->hurry, true);
    pool_drop(&d->query_pool);
    pool_stop(&d->model_pool);
    pool_stop(&d->query_pool);
    writer_stop(&d->writer);
    close_handles(d);
    mailbox_close(&d->mailbox);
    streams_abandon(d);
}

static void on_drained(void *user)
{
    struct daemon *d = user;
    d->server = NULL;
    d->server_closed = true;
}

static void on_drain_tick(uv_timer_t *timer)
{
    struct daemon *d = container_of(timer, struct daemon, drain);
    uint64_t ms = uv_now(&d->loop) - d->drain_start;
    bool in_time = ms < DRAIN_MS;
    if (!in_time)
        atomic_store(&d->hurry, true);
    if (in_time && (d->flushes_open > 0 || !all_idle(d)))
        return;
    if (!d->saving) {
        d->saving = true;
        for (struct live_stream *s = d->streams; s; s = s->next)
            stream_snapshot(s);
        if (in_time)
            return;
    }
    if (!d->server_closing) {
        d->server_closing = true;
        server_close(d->server, on_drained, d);
        return;
    }
    if (!d->server_closed && ms < DRAIN_MS + 200)
        return;
    if (!in_time)
        log_warn("stopping with records in the journal; the next start takes them up");
    finish(d);
}

static void on_flushed(void *arg, int status, const struct errmsg *err)
{
    struct daemon *d = arg;
    d->flushes_open--;
}

static void drain_streams(struct daemon *d)
{
    for (struct live_stream *s = d->streams; s; s = s->next) {
        d->flushes_open++;
        stream_flush(s, on_flushed, d);
    }
    uv_update_time(&d->loop);
    d->drain_start = uv_now(&d->loop);
    uv_timer_start(&d->drain, on_drain_tick, 5, 5);
}

static void on_stop_signal(uv_signal_t *signal, int signum)
{
    struct daemon *d = signal->data;
    if (d->stopping)
        return;
    d->stopping = true;
    log_info("stopping");
    notify_state("STOPPING=1");
    atomic_store(&d->sketches_stop, true);
    server_drain(d->server);
    sources_stop(d, drain_streams);
}

/* ---- starting ---- */

static int start_signals(struct daemon *d)
{
    d->sigterm.data = d->sigint.data = d;
    uv_signal_init(&d->loop, &d->sigterm);
    uv_signal_init(&d->loop, &d->sigint);
    uv_signal_init(&d->loop, &d->sighup);
    uv_timer_init(&d->loop, &d->second);
    uv_timer_init(&d->loop, &d->drain);
    uv_timer_init(&d->loop, &d->reload);
    int rc = uv_signal_start(&d->sigterm, on_stop_signal, SIGTERM);
    if (rc == 0)
        rc = uv_signal_start(&d->sigint, on_stop_signal, SIGINT);
    if (rc == 0)
        rc = uv_signal_start(&d->sighup, on_sighup, SIGHUP);
    if (rc == 0)
        rc = uv_timer_start(&d->second, on_second, 1000, 1000);
    return rc == 0 ? 0 : ERR_IO;
}

/* An older file is brought up before anything is served; systemd must not take that for a hang. */
static void tell_migration(void *arg, const char *what)
{
    char state[256];
    snprintf(state, sizeof(state), "EXTEND_TIMEOUT_USEC=%lld\nSTATUS=%s", 60 * US_PER_SECOND, what);
    notify_state(state);
    log_info("%s", what);
}

/* What a kill left of a forgetting, before anybody can ask for it. */
static int finish_forgetting(struct daemon *d, struct errmsg *err)
{
    bool did;
    int rc = forget_finish(d->store, &did, err);
    if (rc == 0 && did)
        log_info("finished what was begun to be forgotten before the last stop");
    if (rc != ERR_BUSY && rc != ERR_FULL)
        return rc;
    log_warn("what was begun to be forgotten waits for the next start: %s", err->text);
    return 0;
}

static int open_memory(struct daemon *d, struct errmsg *err)
{
    struct store_options options = {
        .path = d->database, .clock = d->clock, .progress = tell_migration};
    int rc = store_open(&options, &d->store, err);
    struct store_budget budget;
    atomic_store(&d->batch_most, budget_batch(d->config));
    budget_of(d->config, &budget);
    if (rc == 0)
        store_set_budget(d->store, &budget);
    if (rc == 0)
        store_set_refine(d->store, d->config->memory.refine);
    if (rc == 0)
        rc = finish_forgetting(d, err);
    if (rc == 0)
        rc = streams_load(d, err);
    if (rc == ERR_CORRUPT) {
        size_t size = strlen(err->text);
        snprintf(err->text + size, sizeof(err->text) - size,
                 "; varve-dump --salvage brings out what is whole");
    }
    if (rc == 0 && sketch_index_new(&d->sketches) != 0)
        rc = err_set(err, ERR_NOMEM, "out of memory");
    return rc;
}

static int start_threads(struct daemon *d, struct errmsg *err)
{
    int rc = mailbox_init(&d->mailbox, &d->loop);
    if (rc == 0)
        rc = writer_init(&d->writer, d->store, &d->mailbox, budget_let_go, d);
    if (rc == 0)
        rc = pool_init(&d->model_pool, (unsigned)d->config->model.threads, "model", MODEL_NICE,
                       &d->mailbox);
    if (rc == 0)
        rc = pool_init(&d->query_pool, QUERY_THREADS, "query", 0, &d->mailbox);
    return rc == 0 ? 0 : err_set(err, rc, "the daemon's threads could not be started");
}

static int listen_on_socket(struct daemon *d, struct errmsg *err)
{
    int fd = notify_listen_fd();
    struct server_options options = {.path = fd < 0 ? d->socket : NULL,
                                     .fd = fd,
                                     .group = d->config->ipc.group,
                                     .max_request = (size_t)d->config->ipc.max_request,
                                     .max_connections = (size_t)d->config->ipc.max_connections,
                                     .callbacks = &handlers_callbacks,
                                     .user = d};
    return server_open(&d->loop, &options, &d->server, err);
}

static int start(struct daemon *d, struct errmsg *err)
{
    int rc = config_resolve_state(d->config, d->state, err);
    if (rc == 0)
        rc = config_resolve_socket(d->config, d->socket, err);
    if (rc != 0)
        return rc;
    snprintf(d->database, sizeof(d->database), "%s/memory.db", d->state);
    rc = streams_set_redaction(d, d->config, err); /* a wrong pattern ends the start here */
    if (rc == 0)
        rc = open_memory(d, err);
    if (rc == 0)
        rc = listen_on_socket(d, err);
    if (rc == 0)
        rc = start_threads(d, err);
    if (rc == 0 && start_signals(d) != 0)
        rc = err_set(err, ERR_IO, "signals cannot be taken");
    return rc;
}

/* Without its weights speech is still told, if less well: no reason not to start. */
static void load_voice(void)
{
    struct errmsg err = {""};
    int rc = voice_load(&err);
    if (rc != 0 && rc != ERR_NOTFOUND)
        log_warn("speech is told by %s: %s", voice_detector(), err.text);
}

static void free_all(struct daemon *d)
{
    for (unsigned i = 0; i < POOL_THREADS_MAX; i++) {
        query_thread_deinit(&d->query_threads[i]);
        reader_close(d->model_readers[i]);
    }
    for (size_t i = 0; i < OLD_CONFIGS; i++)
        config_free(d->old_configs[i]);
    watch_free_all(d);
    source_places_free(d);
    streams_free(d);
    voice_unload();
    sketch_index_free(d->sketches);
    store_close(d->store);
    config_free(d->config);
    mem_free(d);
}

static void on_walk(uv_handle_t *handle, void *arg)
{
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

int daemon_run(const struct config_args *args, struct config *config, struct errmsg *err)
{
    struct daemon *d = mem_calloc(1, sizeof(*d));
    if (!d) {
        config_free(config);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    d->args = *args;
    d->config = config;
    d->clock = clock_system();
    d->started = clock_now(d->clock);
    d->streams_last = &d->streams;
    umask(0077);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a limit on files' sizes is one more full disk */
    log_set_level((enum log_level)config->log.level);
    int rc = model_blas_check(err);
    load_voice();
    uv_loop_init(&d->loop);
    if (rc == 0)
        rc = start(d, err);
    if (rc != 0) {
        pool_stop(&d->model_pool);
        pool_stop(&d->query_pool);
        writer_stop(&d->writer);
        if (d->server)
            server_close(d->server, on_drained, d);
        uv_walk(&d->loop, on_walk, NULL);
        uv_run(&d->loop, UV_RUN_DEFAULT);
        uv_loop_close(&d->loop);
        free_all(d);
        return rc;
    }
    uint64_t watchdog = notify_watchdog_interval();
    d->watchdog_seconds = watchdog ? (unsigned)(watchdog / (2 * US_PER_SECOND)) : 0;
    if (watchdog && d->watchdog_seconds == 0)
        d->watchdog_seconds = 1;
    d->sketch_work.run = load_sketches;
    d->sketch_work.done = sketches_loaded;
    pool_submit(&d->query_pool, &d->sketch_work);
    notify_state("READY=1\nSTATUS=");
    log_info("varved %s: memory in %s, socket %s", VARVE_VERSION, d->database, d->socket);
    uv_run(&d->loop, UV_RUN_DEFAULT);
    if (uv_loop_close(&d->loop) != 0)
        log_warn("the loop had handles left at the end");
    log_info("stopped");
    free_all(d);
    return 0;
}
