/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Questions to memory run on the query pool: each thread has one reader and one arena, so answers
 * never wait for the writer or the model, and the loop only moves bytes.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/timespec.h"
#include "daemon/handlers/handlers.h"
#include "daemon/query_thread.h"
#include "daemon/stream.h"
#include "memory/recall.h"
#include "memory/recall_json.h"
#include "model/encoder.h"

/*
 * A question about the present must not miss what lies in open moments: `ask` closes them first,
 * but a stream's no oftener than SEAL_US, so that questions do not cut what belongs together, and
 * not while records are waiting for the model.
 */
#define SEAL_US (30 * US_PER_SECOND)
#define SEAL_BACKLOG (256u << 10)

#define USED_MAX 8

/* What an answer is made of: these memories are fresh again. */
struct used {
    int64_t ids[USED_MAX];
    uint32_t count;
};

struct query {
    struct work work;
    struct used used;
    unsigned seals; /* streams whose open moments are being closed */
    struct daemon *daemon;
    struct ipc_request *req;
    struct buf result;
    int status;
    struct errmsg err;
};

/* What an answer function works with; all of it lives until the query is over. */
struct asked {
    enum api_method method;
    const struct json *params;
    struct reader *reader;
    struct arena *arena;
    int64_t now;
    struct recall_filter filter;
    struct jsonw *out;
    struct used *used;
    struct errmsg *err;
};

static void use(struct asked *a, int64_t id)
{
    if (a->used->count < USED_MAX)
        a->used->ids[a->used->count++] = id;
}

static int parse_id(const char *text, int64_t *ret, struct errmsg *err)
{
    char *end;
    long long id = strtoll(text, &end, 10);
    if (end == text || *end || id <= 0)
        return err_set(err, ERR_INVALID, "id: \"%s\" is no memory's id", text);
    *ret = id;
    return 0;
}

static int param_id(struct asked *a, int64_t *ret)
{
    return parse_id(api_string(a->method, a->params, "id"), ret, a->err);
}

static int param_time(struct asked *a, const char *name, int64_t *ret)
{
    const char *text = json_string(json_get(a->params, name));
    *ret = TIME_UNKNOWN;
    if (!text)
        return 0;
    int rc = timespec_parse(text, a->now, ret, a->err);
    return rc == 0 ? 0 : err_wrap(a->err, ERR_INVALID, "%s", name);
}

static int param_streams(struct asked *a)
{
    const struct json *list = json_get(a->params, "streams");
    uint32_t count = json_type(list) == JSON_STRING ? 1 : (uint32_t)json_size(list);
    const char **names = arena_alloc(a->arena, (count + 1) * sizeof(*names));
    if (!names)
        return err_set(a->err, ERR_NOMEM, "out of memory");
    uint32_t n = 0;
    if (json_type(list) == JSON_STRING)
        names[n++] = json_string(list);
    else
        for (const struct json *m = json_first(list); m && n < count; m = json_next(m))
            names[n++] = json_string(m);
    a->filter.streams = names;
    a->filter.stream_count = n;
    return 0;
}

static int param_filter(struct asked *a)
{
    int rc = param_time(a, "since", &a->filter.since);
    if (rc == 0)
        rc = param_time(a, "until", &a->filter.until);
    if (rc == 0)
        rc = param_streams(a);
    return rc;
}

static struct slice text_of(struct asked *a, const char *name)
{
    const char *text = json_string(json_get(a->params, name));
    return text ? (struct slice){text, strlen(text)} : (struct slice){NULL, 0};
}

/* The text as a latent of the space that text moments lie in; NULL when memory is out: words only.
 */
static const float *latent_of(struct asked *a, struct slice text)
{
    float *latent = arena_alloc(a->arena, LATENT_DIM * sizeof(*latent));
    if (latent)
        encoder_text_query(text.data, text.size, latent);
    return latent;
}

/* Parameter `without`; an unknown name is the caller's mistake. */
static int without_of(struct asked *a, struct recall_without *ret)
{
    *ret = (struct recall_without){0};
    for (const struct json *s = json_first(json_get(a->params, "without")); s; s = json_next(s)) {
        const char *name = json_string(s) ? json_string(s) : "";
        if (strcmp(name, "neighbours") == 0)
            ret->neighbours = true;
        else if (strcmp(name, "lending") == 0)
            ret->lending = true;
        else if (strcmp(name, "coarse") == 0)
            ret->coarse = true;
        else
            return err_set(a->err, ERR_INVALID, "without \"%.40s\": neighbours, lending or coarse",
                           name);
    }
    return 0;
}

static int answer_search(struct asked *a)
{
    struct recall_query q = {.text = text_of(a, "query"),
                             .filter = a->filter,
                             .limit = (uint32_t)api_int(a->method, a->params, "limit"),
                             .recency = api_number(a->method, a->params, "recency")};
    q.latent = latent_of(a, q.text);
    struct recall_found found;
    int rc = without_of(a, &q.without);
    if (rc == 0)
        rc = recall_search(a->reader, &q, a->arena, &found, a->err);
    if (rc == 0)
        recall_found_json(a->out, &found);
    return rc;
}

static int answer_ask(struct asked *a)
{
    struct recall_question q = {.text = text_of(a, "query"),
                                .filter = a->filter,
                                .budget = (uint32_t)api_int(a->method, a->params, "budget"),
                                .time_budget = api_int(a->method, a->params, "time_ms") * 1000};
    q.latent = latent_of(a, q.text);
    struct recall_answer answer;
    int rc = without_of(a, &q.without);
    if (rc == 0)
        rc = recall_ask(a->reader, &q, a->arena, &answer, a->err);
    for (uint32_t i = 0; rc == 0 && !answer.absent && i < answer.items.count; i++)
        use(a, answer.items.items[i].id);
    if (rc == 0)
        recall_answer_json(a->out, &answer);
    return rc;
}

static int answer_timeline(struct asked *a)
{
    struct recall_timeline_query q = {.time = TIME_UNKNOWN,
                                      .stratum = -1,
                                      .filter = a->filter,
                                      .limit = (uint32_t)api_int(a->method, a->params, "limit")};
    if (api_has(a->params, "stratum"))
        q.stratum = (int)api_int(a->method, a->params, "stratum");
    const char *at = json_string(json_get(a->params, "at"));
    int rc = 0;
    if (at && strspn(at, "0123456789") == strlen(at))
        rc = parse_id(at, &q.id, a->err);
    else if (at)
        rc = param_time(a, "at", &q.time);
    struct recall_items items;
    if (rc == 0)
        rc = recall_timeline(a->reader, &q, a->arena, &items, a->err);
    if (rc == 0)
        recall_items_json(a->out, &items);
    return rc;
}

static int answer_open(struct asked *a)
{
    int64_t id = 0;
    struct recall_opened opened;
    int rc = param_id(a, &id);
    if (rc == 0)
        rc = recall_open(a->reader, id, a->arena, &opened, a->err);
    if (rc == 0) {
        use(a, id);
        recall_opened_json(a->out, &opened);
    }
    return rc;
}

static int answer_file(struct asked *a, int64_t id)
{
    struct recall_file file;
    int rc = recall_file(a->reader, id, a->arena, &file, a->err);
    if (rc != 0)
        return rc;
    use(a, id);
    recall_file_json(a->out, &file);
    buf_deinit(&file.data);
    return 0;
}

static int answer_raw(struct asked *a)
{
    int64_t id = 0;
    struct recall_raw raw;
    int rc = param_id(a, &id);
    const char *form = json_string(json_get(a->params, "form"));
    if (rc == 0 && form && strcmp(form, "file") == 0)
        return answer_file(a, id);
    uint32_t first = (uint32_t)api_int(a->method, a->params, "offset");
    if (rc == 0)
        rc = recall_raw(a->reader, id, first, a->arena, &raw, a->err);
    if (rc == 0) {
        uint32_t limit = (uint32_t)api_int(a->method, a->params, "limit");
        if (raw.count > limit)
            raw.count = limit;
        use(a, id);
        recall_raw_json(a->out, &raw);
    }
    return rc;
}

/* The example of sound or video as a latent of its kind's space. */
static int media_latent(struct asked *a, struct recall_example *q)
{
    const struct json *list = json_get(a->params, "media");
    const char *kind = json_string(json_get(a->params, "kind"));
    bool one = json_type(list) == JSON_STRING;
    size_t count = one ? 1 : json_size(list);
    if (!kind || stream_kind_parse(kind, &q->kind) != 0)
        return err_set(a->err, ERR_INVALID, "`media` needs `kind`: audio or video");
    struct record *records = arena_alloc(a->arena, count * sizeof(*records));
    float *latent = arena_alloc(a->arena, LATENT_DIM * sizeof(*latent));
    if (!records || !latent)
        return err_set(a->err, ERR_NOMEM, "out of memory");
    memset(records, 0, count * sizeof(*records));
    uint32_t n = 0;
    for (const struct json *m = one ? list : json_first(list); m && n < count; m = json_next(m)) {
        int rc = media_from_json(q->kind, m, a->arena, &records[n].media, a->err);
        if (rc != 0)
            return err_wrap(a->err, rc, "number %u", n + 1);
        n++;
    }
    int64_t time =
        TIME_MIN; /* one behind the other; pictures as a camera of the usual rate sends */
    for (uint32_t i = 0; i < n; i++) {
        records[i].seq = i + 1;
        records[i].time = time;
        time += q->kind == KIND_AUDIO
                    ? (int64_t)records[i].media.size / 2 * US_PER_SECOND / AUDIO_RATE
                    : US_PER_SECOND / 2;
    }
    q->latent = latent;
    int rc = encoder_span(q->kind, records, n, latent);
    return rc ? err_set(a->err, rc, "%s", err_text(rc)) : 0;
}

static int answer_similar(struct asked *a)
{
    struct recall_example q = {.kind = KIND_TEXT,
                               .text = text_of(a, "text"),
                               .filter = a->filter,
                               .limit = (uint32_t)api_int(a->method, a->params, "limit")};
    int rc = 0;
    bool media = api_has(a->params, "media");
    if (api_has(a->params, "id") + (q.text.size > 0) + media != 1)
        rc = err_set(a->err, ERR_INVALID, "give one of `id`, `text` and `media`");
    else if (media)
        rc = media_latent(a, &q);
    else if (q.text.size == 0)
        rc = param_id(a, &q.id);
    else
        q.latent = latent_of(a, q.text);
    struct recall_items items;
    if (rc == 0)
        rc = recall_similar(a->reader, &q, a->arena, &items, a->err);
    if (rc == 0)
        recall_items_json(a->out, &items);
    return rc;
}

static int answer_surprise(struct asked *a)
{
    struct recall_unusual *items;
    uint32_t count;
    uint32_t limit = (uint32_t)api_int(a->method, a->params, "limit");
    int rc = recall_surprise(a->reader, &a->filter, limit, a->arena, &items, &count, a->err);
    if (rc == 0)
        recall_surprise_json(a->out, items, count);
    return rc;
}

static int answer_entities(struct asked *a)
{
    struct recall_entity *items;
    uint32_t count;
    int rc = recall_entities(a->reader, json_string(json_get(a->params, "kind")),
                             json_string(json_get(a->params, "match")),
                             (uint32_t)api_int(a->method, a->params, "limit"), a->arena, &items,
                             &count, a->err);
    if (rc == 0)
        recall_entities_json(a->out, items, count);
    return rc;
}

static int answer_history(struct asked *a)
{
    const char *name = json_string(json_get(a->params, "name"));
    const char *kind = json_string(json_get(a->params, "kind"));
    struct buf full = {0};
    if (kind)
        buf_printf(&full, "%s:", kind);
    buf_puts(&full, name);
    struct recall_life life;
    int rc = buf_failed(&full)
                 ? err_set(a->err, ERR_NOMEM, "out of memory")
                 : recall_entity_history(a->reader, full.data, &a->filter,
                                         (uint32_t)api_int(a->method, a->params, "limit"), a->arena,
                                         &life, a->err);
    buf_deinit(&full);
    if (rc == 0)
        recall_life_json(a->out, &life);
    return rc;
}

static int answer(struct asked *a)
{
    int rc = param_filter(a);
    if (rc != 0)
        return rc;
    switch (a->method) {
    case API_MEMORY_SEARCH:
        return answer_search(a);
    case API_MEMORY_ASK:
        return answer_ask(a);
    case API_MEMORY_TIMELINE:
        return answer_timeline(a);
    case API_MEMORY_OPEN:
        return answer_open(a);
    case API_MEMORY_RAW:
        return answer_raw(a);
    case API_MEMORY_SIMILAR:
        return answer_similar(a);
    case API_PREDICT_SURPRISE:
        return answer_surprise(a);
    case API_ENTITY_LIST:
        return answer_entities(a);
    case API_ENTITY_HISTORY:
        return answer_history(a);
    default:
        return err_set(a->err, ERR_INTERNAL, "no answer to this method");
    }
}

static void query_run(struct work *work, unsigned thread)
{
    struct query *q = container_of(work, struct query, work);
    struct query_thread *t = &q->daemon->query_threads[thread];
    q->status = query_thread_ready(q->daemon, t, &q->err);
    if (q->status != 0)
        return;
    struct jsonw w;
    jsonw_init(&w, &q->result);
    struct asked a = {.method = q->req->method,
                      .params = q->req->params,
                      .reader = t->reader,
                      .arena = &t->arena,
                      .now = clock_now(q->daemon->clock),
                      .out = &w,
                      .used = &q->used,
                      .err = &q->err};
    q->status = answer(&a);
    arena_trim(&t->arena, QUERY_ARENA_KEPT);
}

static void query_done(struct work *work)
{
    struct query *q = container_of(work, struct query, work);
    if (work->dropped)
        q->status = err_set(&q->err, ERR_CLOSED, "the daemon is stopping");
    if (q->status != 0) {
        reply_error(q->req, q->status, &q->err);
        buf_deinit(&q->result);
    } else {
        for (uint32_t i = 0; i < q->used.count; i++)
            budget_used(q->daemon, q->used.ids[i]);
        reply_buf(q->req, &q->result);
    }
    mem_free(q);
}

static void start_query(struct query *q)
{
    pool_submit(&q->daemon->query_pool, &q->work);
}

static void on_sealed(void *arg, int status, const struct errmsg *err)
{
    struct query *q = arg;
    if (--q->seals == 0)
        start_query(q);
}

static void seal_open_moments(struct query *q)
{
    struct daemon *d = q->daemon;
    int64_t now = clock_mono(d->clock);
    for (struct live_stream *s = d->streams; s; s = s->next) {
        bool nothing = atomic_load(&s->counters.open_records) == 0 && s->undone_bytes == 0;
        if (nothing || s->undone_bytes > SEAL_BACKLOG ||
            (s->sealed != 0 && now - s->sealed < SEAL_US))
            continue;
        s->sealed = now;
        q->seals++;
        stream_flush(s, on_sealed, q);
    }
}

void handle_query(struct daemon *d, struct ipc_request *req)
{
    struct query *q = mem_calloc(1, sizeof(*q));
    if (!q) {
        reply_error(req, ERR_NOMEM, NULL);
        return;
    }
    q->daemon = d;
    q->req = req;
    q->work.run = query_run;
    q->work.done = query_done;
    q->seals = 1; /* its own, so that the last seal cannot start it twice */
    if (req->method == API_MEMORY_ASK)
        seal_open_moments(q);
    on_sealed(q, 0, NULL);
}
