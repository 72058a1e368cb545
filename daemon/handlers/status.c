/* SPDX-License-Identifier: Apache-2.0 */
/* daemon.status (JSON for programs and people), daemon.metrics (Prometheus text), daemon.reload. */
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/timestamp.h"
#include "daemon/core.h"
#include "daemon/handlers/handlers.h"
#include "daemon/sources/source.h"
#include "daemon/stream.h"
#include "memory/sketch.h"
#include "model/voice.h"

struct totals {
    uint64_t records, bytes, late, gaps, dropped, redacted, moments, latent, discrete, open_records;
};

static void add_up(const struct daemon *d, struct totals *t)
{
    *t = (struct totals){0};
    for (const struct live_stream *s = d->streams; s; s = s->next) {
        const struct stream_counters *c = &s->counters;
        t->records += atomic_load(&c->records);
        t->bytes += atomic_load(&c->bytes);
        t->late += atomic_load(&c->late);
        t->gaps += atomic_load(&c->gaps);
        t->dropped += atomic_load(&c->dropped);
        t->redacted += atomic_load(&c->redacted);
        t->moments += atomic_load(&c->moments);
        t->latent += atomic_load(&c->latent);
        t->discrete += atomic_load(&c->discrete);
        t->open_records += atomic_load(&c->open_records);
    }
}

static uint64_t file_size(const char *path, const char *suffix)
{
    char full[CONFIG_PATH_SIZE + 32];
    struct stat st;
    snprintf(full, sizeof(full), "%s%s", path, suffix);
    return stat(full, &st) == 0 ? (uint64_t)st.st_size : 0;
}

static uint64_t resident_bytes(void)
{
    char text[64] = "";
    FILE *f = fopen("/proc/self/statm", "re");
    unsigned long long pages = 0;
    if (f && fgets(text, sizeof(text), f))
        sscanf(text, "%*u %llu", &pages);
    if (f)
        fclose(f);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static double cpu_seconds(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void sources_json(const struct daemon *d, struct jsonw *w)
{
    jsonw_array(w);
    for (const struct source *s = d->sources; s; s = s->next) {
        jsonw_object(w);
        jsonw_kv_string(w, "name", s->name);
        jsonw_kv_string(w, "reads", s->about);
        jsonw_kv_string(w, "state", source_state(s));
        jsonw_key(w, "streams");
        jsonw_array(w);
        for (const struct source_stream *ss = s->streams; ss; ss = ss->next)
            jsonw_string(w, ss->name);
        jsonw_array_end(w);
        jsonw_kv_int(w, "errors", (int64_t)s->errors);
        jsonw_kv_int(w, "restarts", (int64_t)s->restarts);
        jsonw_object_end(w);
    }
    jsonw_array_end(w);
}

static void queues_json(struct daemon *d, struct jsonw *w)
{
    const struct writer_counters *c = &d->writer.counters;
    jsonw_object(w);
    jsonw_kv_int(w, "model_bytes", (int64_t)d->undone_bytes);
    jsonw_kv_int(w, "model_bound", (int64_t)budget_queue(d->config));
    jsonw_kv_int(w, "model_jobs", pool_waiting(&d->model_pool));
    jsonw_kv_int(w, "query_jobs", pool_waiting(&d->query_pool));
    jsonw_kv_int(w, "writer_jobs", (int64_t)atomic_load(&c->queued_jobs));
    jsonw_kv_int(w, "writer_bytes", (int64_t)atomic_load(&c->queued_bytes));
    jsonw_kv_int(w, "waiting_for_room", (int64_t)atomic_load(&c->laid_aside));
    jsonw_object_end(w);
}

static void writer_json(struct daemon *d, struct jsonw *w)
{
    const struct writer_counters *c = &d->writer.counters;
    jsonw_object(w);
    jsonw_kv_int(w, "commits", (int64_t)atomic_load(&c->commits));
    jsonw_kv_int(w, "failed_commits", (int64_t)atomic_load(&c->failed_commits));
    jsonw_kv_int(w, "checkpoints", (int64_t)atomic_load(&c->checkpoints));
    jsonw_kv_fixed(w, "longest_commit_ms", (double)atomic_load(&c->commit_us_max) / 1000, 1);
    jsonw_object_end(w);
}

static void paths_json(const struct totals *t, struct jsonw *w)
{
    uint64_t all = t->latent + t->discrete;
    jsonw_object(w);
    jsonw_kv_int(w, "latent", (int64_t)t->latent);
    jsonw_kv_int(w, "discrete", (int64_t)t->discrete);
    jsonw_kv_fixed(w, "latent_share", all ? (double)t->latent / (double)all : 0, 4);
    jsonw_object_end(w);
}

static const char *const class_names[KEEP_CLASSES] = {
    [KEEP_EVIDENCE] = "evidence", [KEEP_MOMENTS] = "moments", [KEEP_EPISODES] = "episodes",
    [KEEP_HOURS] = "hours",       [KEEP_DAYS] = "days",
};

/* A line for people each: what is kept of it, what was let go. */
static void kept_json(const struct store_usage *u, struct jsonw *w)
{
    for (int c = 0; c < KEEP_CLASSES; c++) {
        char key[24];
        snprintf(key, sizeof(key), "kept_%s", class_names[c]);
        jsonw_key(w, key);
        jsonw_object(w);
        jsonw_kv_int(w, "count", u->count[c]);
        jsonw_kv_int(w, "bytes", u->bytes[c]);
        jsonw_kv_int(w, "let_go", u->let_go[c]);
        jsonw_object_end(w);
    }
}

static void memory_json(const struct store_usage *u, struct jsonw *w)
{
    jsonw_object(w);
    jsonw_kv_int(w, "room_bytes", u->room);
    jsonw_kv_int(w, "pinned_bytes", u->pinned);
    jsonw_kv_int(w, "features", u->features);
    jsonw_kv_fixed(w, "tau", u->tau, 1);
    jsonw_kv_fixed(w, "load", u->load, 3);
    jsonw_kv_fixed(w, "load_mean", u->load_mean, 3);
    jsonw_object_end(w);
}

void handle_status(struct daemon *d, struct ipc_request *req)
{
    struct totals t;
    add_up(d, &t);
    struct server_stats ipc;
    server_stats(d->server, &ipc);
    struct buf out = {0};
    struct jsonw w;
    jsonw_init(&w, &out);
    jsonw_object(&w);
    jsonw_kv_string(&w, "version", VARVE_VERSION);
    jsonw_kv_int(&w, "pid", getpid());
    jsonw_kv_string(&w, "state", d->stopping ? "stopping" : "running");
    jsonw_kv_time(&w, "started", d->started);
    jsonw_kv_int(&w, "uptime", (clock_now(d->clock) - d->started) / US_PER_SECOND);
    jsonw_kv_string(&w, "database", d->database);
    jsonw_kv_string(&w, "socket", d->socket);
    jsonw_kv_int(&w, "file_bytes", (int64_t)file_size(d->database, ""));
    jsonw_kv_int(&w, "wal_bytes", (int64_t)file_size(d->database, "-wal"));
    jsonw_kv_int(&w, "budget_bytes", d->config->memory.budget);
    jsonw_kv_int(&w, "resident_bytes", (int64_t)resident_bytes());
    jsonw_kv_fixed(&w, "cpu_seconds", cpu_seconds(), 2);
    jsonw_kv_string(&w, "speech_detector", voice_detector());
    jsonw_kv_int(&w, "records", (int64_t)t.records);
    jsonw_kv_int(&w, "payload_bytes", (int64_t)t.bytes);
    jsonw_kv_int(&w, "moments", (int64_t)sketch_index_count(d->sketches));
    jsonw_kv_int(&w, "open_records", (int64_t)t.open_records);
    jsonw_kv_int(&w, "dropped", (int64_t)t.dropped);
    jsonw_kv_int(&w, "redacted", (int64_t)t.redacted);
    jsonw_kv_int(&w, "late", (int64_t)t.late);
    jsonw_kv_int(&w, "gaps", (int64_t)t.gaps);
    struct store_usage usage;
    writer_usage(&d->writer, &usage);
    kept_json(&usage, &w);
    jsonw_key(&w, "memory");
    memory_json(&usage, &w);
    jsonw_key(&w, "paths");
    paths_json(&t, &w);
    jsonw_key(&w, "queues");
    queues_json(d, &w);
    jsonw_key(&w, "writer");
    writer_json(d, &w);
    jsonw_key(&w, "forgetting");
    forgetting_json(d, &w);
    jsonw_key(&w, "clients");
    jsonw_object(&w);
    jsonw_kv_int(&w, "connections", (int64_t)ipc.connections);
    jsonw_kv_int(&w, "accepted", (int64_t)ipc.accepted);
    jsonw_kv_int(&w, "refused", (int64_t)ipc.refused);
    jsonw_kv_int(&w, "requests", (int64_t)ipc.requests);
    jsonw_kv_int(&w, "errors", (int64_t)ipc.errors);
    jsonw_kv_int(&w, "overflows", (int64_t)ipc.overflows);
    jsonw_object_end(&w);
    jsonw_key(&w, "sources");
    sources_json(d, &w);
    jsonw_key(&w, "streams");
    streams_json(d, &w);
    jsonw_object_end(&w);
    reply_buf(req, &out);
}

/* ---- metrics ---- */

static void metric(struct buf *out, const char *name, const char *type, const char *help, double v)
{
    buf_printf(out, "# HELP varve_%s %s\n# TYPE varve_%s %s\nvarve_%s %.17g\n", name, help, name,
               type, name, v);
}

/* A label's value: backslash, quote and newline escaped, as the text format asks. */
static void put_label(struct buf *out, const char *s)
{
    for (; *s; s++) {
        if (*s == '\\' || *s == '"')
            buf_putc(out, '\\');
        if (*s == '\n')
            buf_puts(out, "\\n");
        else
            buf_putc(out, *s);
    }
}

static void stream_metric(struct daemon *d, struct buf *out, const char *name, const char *help,
                          size_t counter)
{
    buf_printf(out, "# HELP varve_stream_%s %s\n# TYPE varve_stream_%s counter\n", name, help,
               name);
    for (const struct live_stream *s = d->streams; s; s = s->next) {
        const atomic_ullong *v = (const void *)((const char *)&s->counters + counter);
        buf_printf(out, "varve_stream_%s{stream=\"", name);
        put_label(out, s->row.name);
        buf_printf(out, "\"} %llu\n", atomic_load(v));
    }
}

static void class_metric(struct buf *out, const char *name, const char *type, const char *help,
                         const int64_t *values)
{
    buf_printf(out, "# HELP varve_%s %s\n# TYPE varve_%s %s\n", name, help, name, type);
    for (int c = 0; c < KEEP_CLASSES; c++)
        buf_printf(out, "varve_%s{kind=\"%s\"} %lld\n", name, class_names[c],
                   (long long)values[c]);
}

static void memory_metrics(struct daemon *d, struct buf *out)
{
    struct store_usage u;
    writer_usage(&d->writer, &u);
    class_metric(out, "kept", "gauge", "What memory holds.", u.count);
    class_metric(out, "kept_bytes", "gauge", "What it takes in the file, about.", u.bytes);
    class_metric(out, "let_go_total", "counter", "Let go for want of room.", u.let_go);
    metric(out, "pinned_bytes", "gauge", "What is kept for ever.", (double)u.pinned);
    metric(out, "tau_seconds_total", "counter", "The subjective clock.", u.tau);
    metric(out, "load", "gauge", "Load of the last window, over its slow mean.",
           u.load_mean > 0 ? u.load / u.load_mean : 0);
}

static void metrics_text(struct daemon *d, struct buf *out)
{
    struct totals t;
    add_up(d, &t);
    struct server_stats ipc;
    server_stats(d->server, &ipc);
    const struct writer_counters *c = &d->writer.counters;
    metric(out, "uptime_seconds", "gauge", "Seconds since the daemon started.",
           (double)(clock_now(d->clock) - d->started) / US_PER_SECOND);
    metric(out, "resident_bytes", "gauge", "Memory in use.", (double)resident_bytes());
    metric(out, "cpu_seconds_total", "counter", "Processor time used.", cpu_seconds());
    metric(out, "file_bytes", "gauge", "Size of the database.", (double)file_size(d->database, ""));
    metric(out, "wal_bytes", "gauge", "Size of its write-ahead log.",
           (double)file_size(d->database, "-wal"));
    metric(out, "budget_bytes", "gauge", "What database and log may take.",
           (double)d->config->memory.budget);
    memory_metrics(d, out);
    metric(out, "moments", "gauge", "Moments in memory that have a latent.",
           (double)sketch_index_count(d->sketches));
    metric(out, "latent_path_total", "counter", "Moments that went the latent path.",
           (double)t.latent);
    metric(out, "discrete_path_total", "counter", "Moments that went the discrete path.",
           (double)t.discrete);
    metric(out, "model_queue_bytes", "gauge", "Payload that waits for the model.",
           (double)d->undone_bytes);
    metric(out, "writer_queue_bytes", "gauge", "Bytes that wait for the writer.",
           (double)atomic_load(&c->queued_bytes));
    metric(out, "waiting_for_room", "gauge", "Moments that wait for room on the disk.",
           (double)atomic_load(&c->laid_aside));
    metric(out, "commits_total", "counter", "Transactions committed.",
           (double)atomic_load(&c->commits));
    metric(out, "failed_commits_total", "counter", "Transactions rolled back.",
           (double)atomic_load(&c->failed_commits));
    metric(out, "connections", "gauge", "Clients connected.", (double)ipc.connections);
    metric(out, "requests_total", "counter", "Requests taken.", (double)ipc.requests);
    metric(out, "request_errors_total", "counter", "Requests answered with an error.",
           (double)ipc.errors);
    stream_metric(d, out, "records_total", "Records made durable.",
                  offsetof(struct stream_counters, records));
    stream_metric(d, out, "bytes_total", "Payload made durable.",
                  offsetof(struct stream_counters, bytes));
    stream_metric(d, out, "late_total", "Records after the lateness bound.",
                  offsetof(struct stream_counters, late));
    stream_metric(d, out, "dropped_total", "Records of live sources lost to load.",
                  offsetof(struct stream_counters, dropped));
    stream_metric(d, out, "tokens_total", "Patches that frames were looked at in.",
                  offsetof(struct stream_counters, tokens));
    stream_metric(d, out, "redacted_total", "Secrets taken out.",
                  offsetof(struct stream_counters, redacted));
}

void handle_metrics(struct daemon *d, struct ipc_request *req)
{
    struct buf text = {0};
    metrics_text(d, &text);
    struct buf out = {0};
    struct jsonw w;
    jsonw_init(&w, &out);
    jsonw_object(&w);
    jsonw_key(&w, "text");
    jsonw_string_n(&w, text.data ? text.data : "", text.size);
    jsonw_object_end(&w);
    out.failed |= text.failed;
    buf_deinit(&text);
    reply_buf(req, &out);
}

/* ---- reload ---- */

void handle_reload(struct daemon *d, struct ipc_request *req)
{
    struct errmsg err = {""}, kept = {""};
    int rc = daemon_reload(d, &kept, &err);
    if (rc != 0) {
        reply_error(req, rc, &err);
        return;
    }
    struct buf out = {0};
    struct jsonw w;
    jsonw_init(&w, &out);
    jsonw_object(&w);
    jsonw_kv_bool(&w, "reloaded", true);
    jsonw_key(&w, "kept");
    jsonw_array(&w);
    if (kept.text[0])
        jsonw_string(&w, kept.text);
    jsonw_array_end(&w);
    jsonw_object_end(&w);
    reply_buf(req, &out);
}
