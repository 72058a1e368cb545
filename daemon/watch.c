/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Expected: a handful of watches, a few moments a second. A watch with a query is one search over
 * the closed moment's own span; without one, the moment's most unusual span decides. Looks are
 * bounded: where moments close faster than the query pool looks at them, some are passed over and
 * it is said.
 */
#include "daemon/watch.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "daemon/daemon.h"
#include "daemon/handlers/handlers.h"
#include "daemon/stream.h"
#include "memory/recall.h"
#include "memory/recall_json.h"

#define WATCHES_MAX 64
#define LOOKS_MAX 1024 /* that wait for the query pool */

struct watch {
    struct watch *next;
    struct ipc_conn *conn;
    uint64_t id;
    char *query; /* "" for none */
    char **streams;
    size_t stream_count;
    double min_score;
};

static void watch_free(struct watch *w)
{
    for (size_t i = 0; i < w->stream_count; i++)
        mem_free(w->streams[i]);
    mem_free(w->streams);
    mem_free(w->query);
    mem_free(w);
}

static int copy_streams(struct watch *w, const struct json *list)
{
    bool one = json_type(list) == JSON_STRING;
    size_t count = one ? 1 : json_size(list);
    w->streams = mem_calloc(count + 1, sizeof(*w->streams));
    if (!w->streams)
        return ERR_NOMEM;
    for (const struct json *m = one ? list : json_first(list); m && w->stream_count < count;
         m = one ? NULL : json_next(m)) {
        w->streams[w->stream_count] = mem_strdup(json_string(m));
        if (!w->streams[w->stream_count++])
            return ERR_NOMEM;
    }
    return 0;
}

static void reply_watch(struct ipc_request *req, uint64_t id)
{
    char result[48];
    int n = snprintf(result, sizeof(result), "{\"watch\":\"%llu\"}", (unsigned long long)id);
    ipc_reply(req, (struct slice){result, (size_t)n});
}

void watch_add(struct daemon *d, struct ipc_request *req)
{
    struct errmsg err = {""};
    size_t count = 0;
    for (const struct watch *w = d->watches; w; w = w->next)
        count++;
    if (count >= WATCHES_MAX) {
        reply_error(req, err_set(&err, ERR_LIMIT, "there are %d watches already", WATCHES_MAX),
                    &err);
        return;
    }
    struct watch *w = mem_calloc(1, sizeof(*w));
    const char *query = json_string(json_get(req->params, "query"));
    if (w)
        w->query = mem_strdup(query ? query : "");
    if (!w || !w->query || copy_streams(w, json_get(req->params, "streams")) != 0) {
        if (w)
            watch_free(w);
        reply_error(req, ERR_NOMEM, NULL);
        return;
    }
    w->conn = req->conn;
    w->id = ++d->last_watch;
    w->min_score = api_number(req->method, req->params, "min_score");
    w->next = d->watches;
    d->watches = w;
    reply_watch(req, w->id);
}

void watch_remove(struct daemon *d, struct ipc_request *req)
{
    const char *id = json_string(json_get(req->params, "watch"));
    for (struct watch **at = &d->watches; *at; at = &(*at)->next) {
        struct watch *w = *at;
        char text[24];
        snprintf(text, sizeof(text), "%llu", (unsigned long long)w->id);
        if (w->conn != req->conn || strcmp(text, id) != 0)
            continue;
        *at = w->next;
        reply_watch(req, w->id);
        watch_free(w);
        return;
    }
    struct errmsg err;
    reply_error(req, err_set(&err, ERR_NOTFOUND, "this connection has no watch \"%s\"", id), &err);
}

void watch_conn_closed(struct daemon *d, struct ipc_conn *conn)
{
    for (struct watch **at = &d->watches; *at;) {
        struct watch *w = *at;
        if (w->conn == conn) {
            *at = w->next;
            watch_free(w);
        } else {
            at = &w->next;
        }
    }
}

void watch_free_all(struct daemon *d)
{
    while (d->watches) {
        struct watch *w = d->watches;
        d->watches = w->next;
        watch_free(w);
    }
}

/* One watch's look at one moment, on the query pool. */
struct look {
    struct work work;
    struct daemon *daemon;
    uint64_t watch; /* by number: it may be gone when the answer is there */
    char *query;
    char stream[STREAM_NAME_MAX + 1];
    double min_score;
    int64_t id, start, end;
    struct buf hit; /* the notification; empty: no hit */
};

static void write_hit(struct look *l, const struct recall_item *item)
{
    struct jsonw w;
    jsonw_init(&w, &l->hit);
    jsonw_object(&w);
    jsonw_key(&w, "watch");
    jsonw_u64_string(&w, l->watch);
    jsonw_key(&w, "item");
    recall_item_json(&w, item);
    jsonw_object_end(&w);
}

static int look_by_query(struct look *l, struct query_thread *t, const struct recall_filter *filter,
                         struct errmsg *err)
{
    struct recall_query q = {.text = {l->query, strlen(l->query)}, .filter = *filter, .limit = 10};
    struct recall_found found;
    int rc = recall_search(t->reader, &q, &t->arena, &found, err);
    for (uint32_t i = 0; rc == 0 && i < found.items.count; i++)
        if (found.items.items[i].id == l->id && found.items.items[i].score >= l->min_score)
            write_hit(l, &found.items.items[i]);
    return rc;
}

static int look_by_surprise(struct look *l, struct query_thread *t,
                            const struct recall_filter *filter, struct errmsg *err)
{
    struct recall_opened opened;
    int rc = recall_open(t->reader, l->id, &t->arena, &opened, err);
    if (rc != 0)
        return rc;
    double score = 0;
    for (uint32_t i = 0; i < opened.unusual_count; i++)
        if (opened.unusual[i].score > score)
            score = opened.unusual[i].score;
    opened.item.score = score;
    if (score >= l->min_score)
        write_hit(l, &opened.item);
    return 0;
}

static void look_run(struct work *work, unsigned thread)
{
    struct look *l = container_of(work, struct look, work);
    struct query_thread *t = &l->daemon->query_threads[thread];
    struct errmsg err;
    if (query_thread_ready(l->daemon, t, &err) != 0)
        return;
    const char *stream = l->stream;
    struct recall_filter filter = {
        .since = l->start, .until = l->end + 1, .streams = &stream, .stream_count = 1};
    if (l->query[0])
        look_by_query(l, t, &filter, &err);
    else
        look_by_surprise(l, t, &filter, &err);
    arena_trim(&t->arena, QUERY_ARENA_KEPT);
}

static void look_done(struct work *work)
{
    struct look *l = container_of(work, struct look, work);
    struct watch *w = l->daemon->watches;
    while (w && w->id != l->watch)
        w = w->next;
    if (w && l->hit.size > 0 && !buf_failed(&l->hit))
        ipc_notify(w->conn, "memory.hit", (struct slice){l->hit.data, l->hit.size});
    if (--l->daemon->looks == 0)
        l->daemon->looks_full = false;
    buf_deinit(&l->hit);
    mem_free(l->query);
    mem_free(l);
}

static bool wants_stream(const struct watch *w, const char *name)
{
    for (size_t i = 0; i < w->stream_count; i++)
        if (strcmp(w->streams[i], name) == 0)
            return true;
    return w->stream_count == 0;
}

void watch_moment_closed(struct daemon *d, struct live_stream *s, int64_t id, int64_t start,
                         int64_t end)
{
    for (const struct watch *w = d->watches; w && !d->stopping; w = w->next) {
        if (!wants_stream(w, s->row.name))
            continue;
        if (d->looks == LOOKS_MAX) {
            if (!d->looks_full)
                log_warn("moments close faster than watches look at them: some are passed over");
            d->looks_full = true;
            return;
        }
        struct look *l = mem_calloc(1, sizeof(*l));
        if (l)
            l->query = mem_strdup(w->query);
        if (!l || !l->query) {
            mem_free(l);
            return;
        }
        l->daemon = d;
        l->watch = w->id;
        snprintf(l->stream, sizeof(l->stream), "%s", s->row.name);
        l->min_score = w->min_score;
        l->id = id;
        l->start = start;
        l->end = end;
        l->work.run = look_run;
        l->work.done = look_done;
        d->looks++;
        pool_submit(&d->query_pool, &l->work);
    }
}
