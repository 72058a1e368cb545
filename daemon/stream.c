/* SPDX-License-Identifier: Apache-2.0 */
/* The loop's side of live streams: opening, submitting, flushing. turn.c is the pool's side. */
#include "daemon/stream.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "daemon/daemon.h"
#include "daemon/sources/source.h"
#include "pipeline/redact.h"

/* A stream may have this much on its way before its durable senders are told to wait. */
#define STREAM_FULL_BYTES (4u << 20)

static void start_turn(struct live_stream *s);

struct live_stream *stream_find(struct daemon *d, const char *name)
{
    for (struct live_stream *s = d->streams; s; s = s->next)
        if (strcmp(s->row.name, name) == 0)
            return s;
    return NULL;
}

void stream_state_key(const struct live_stream *s, char *out, size_t size)
{
    snprintf(out, size, "model/%lld", (long long)s->row.id);
}

bool stream_is_busy(const struct live_stream *s)
{
    return s->in_turn || s->inbox || s->undone_bytes > 0;
}

bool stream_is_full(const struct live_stream *s)
{
    const struct daemon *d = s->daemon;
    if (s->retired != STREAM_SERVES)
        return s->held || (s->successor && stream_is_full(s->successor));
    return s->undone_bytes > STREAM_FULL_BYTES ||
           d->undone_bytes > budget_queue(d->config) ||
           atomic_load(&d->writer.counters.laid_aside) > 0;
}

static void push_item(struct live_stream *s, struct stream_item *item)
{
    item->next = NULL;
    *s->inbox_last = item;
    s->inbox_last = &item->next;
    start_turn(s);
}

void stream_wait(struct stream_waiter *w)
{
    if (w->waiting)
        return;
    struct daemon *d = w->stream->daemon;
    w->waiting = true;
    w->next = d->waiters;
    d->waiters = w;
}

void stream_wait_cancel(struct stream_waiter *w)
{
    if (!w->waiting)
        return;
    struct stream_waiter **at = &w->stream->daemon->waiters;
    while (*at != w)
        at = &(*at)->next;
    *at = w->next;
    w->waiting = false;
}

void streams_resume(struct daemon *d)
{
    for (struct stream_waiter **at = &d->waiters; *at;) {
        struct stream_waiter *w = *at;
        if (stream_is_full(w->stream)) {
            at = &w->next;
            continue;
        }
        *at = w->next;
        w->waiting = false;
        w->resume(w);
    }
}

static void add_undone(struct live_stream *s, size_t bytes)
{
    s->undone_bytes += bytes;
    s->daemon->undone_bytes += bytes;
}

static void sub_undone(struct live_stream *s, size_t bytes)
{
    s->undone_bytes -= bytes;
    s->daemon->undone_bytes -= bytes;
}

/* What a turn left in a hurry comes before what was submitted meanwhile. */
static void put_back(struct live_stream *s)
{
    struct stream_item **end = &s->turn_items;
    if (!*end)
        return;
    while (*end)
        end = &(*end)->next;
    *end = s->inbox;
    if (!s->inbox)
        s->inbox_last = end;
    s->inbox = s->turn_items;
    s->turn_items = NULL;
}

static void turn_done(struct work *work)
{
    struct live_stream *s = container_of(work, struct live_stream, work);
    s->in_turn = false;
    put_back(s);
    sub_undone(s, s->modelled_bytes);
    s->modelled_bytes = 0;
    struct batch *b = s->refused;
    s->refused = NULL;
    s->refused_last = &s->refused;
    while (b) {
        struct batch *next = b->next;
        sub_undone(s, b->bytes);
        if (b->acked_cb)
            b->acked_cb(b, b->job.status, 0, &b->job.err);
        batch_free(b);
        b = next;
    }
    sources_resume(s->daemon);
    streams_resume(s->daemon);
    start_turn(s);
}

static void turn_run(struct work *work, unsigned thread)
{
    stream_turn(container_of(work, struct live_stream, work), thread);
}

static bool has_item(const struct live_stream *s, enum stream_item_kind kind)
{
    for (const struct stream_item *item = s->inbox; item; item = item->next)
        if (item->kind == kind)
            return true;
    return false;
}

static void start_turn(struct live_stream *s)
{
    const struct daemon *d = s->daemon;
    /* Moments go into the sketches, which are one thread's while they are loaded. */
    if (s->in_turn || !s->inbox || d->finished || !d->sketches_loaded)
        return;
    if (atomic_load(&d->hurry) && !has_item(s, ITEM_SNAPSHOT))
        return;
    s->in_turn = true;
    s->turn_items = s->inbox;
    s->inbox = NULL;
    s->inbox_last = &s->inbox;
    s->load = daemon_load(s->daemon);
    s->work.run = turn_run;
    s->work.done = turn_done;
    pool_submit(&s->daemon->model_pool, &s->work);
}

/* Room for a live stream's newest: the oldest batch that no turn has begun goes. */
static void drop_oldest(struct live_stream *s)
{
    for (struct stream_item **at = &s->inbox; *at; at = &(*at)->next) {
        struct stream_item *item = *at;
        if (item->kind != ITEM_ADMIT)
            continue;
        *at = item->next;
        if (s->inbox_last == &item->next)
            s->inbox_last = at;
        struct batch *b = item->batch;
        atomic_fetch_add(&s->counters.dropped, b->count);
        sub_undone(s, b->bytes);
        if (b->acked_cb) {
            struct errmsg err;
            err_set(&err, ERR_LIMIT, "stream %s: load exceeds capacity, its oldest records went",
                    s->row.name);
            b->acked_cb(b, ERR_LIMIT, 0, &err);
        }
        batch_free(b);
        return;
    }
}

void stream_submit(struct batch *b)
{
    struct live_stream *s = b->stream;
    if (s->retired != STREAM_SERVES) {
        stream_hold(b);
        return;
    }
    int rc = s->any_gone ? stream_renumber(b, s) : 0;
    if (rc != 0) {
        struct errmsg err = {""};
        stream_refuse(b, err_set(&err, rc, "stream %s: %s", s->row.name, err_text(rc)), &err);
        return;
    }
    b->channels = s->channel_count;
    b->item = (struct stream_item){.kind = ITEM_ADMIT, .batch = b};
    if (s->policy == STREAM_LIVE && stream_is_full(s))
        drop_oldest(s);
    add_undone(s, b->bytes);
    push_item(s, &b->item);
}

void stream_take_up(struct live_stream *s, struct batch *b)
{
    b->item = (struct stream_item){.kind = ITEM_JOURNALED, .batch = b};
    *s->journaling_last = b;
    s->journaling_last = &b->next;
    add_undone(s, b->bytes);
    *s->inbox_last = &b->item;
    s->inbox_last = &b->item.next;
}

void streams_start(struct daemon *d)
{
    for (struct live_stream *s = d->streams; s; s = s->next)
        start_turn(s);
}

void stream_batch_journaled(struct write_job *job)
{
    struct batch *b = container_of(job, struct batch, job);
    struct live_stream *s = b->stream;
    int status = job->status;
    if (status != 0) {
        s->refused_tag = b->tag;
        log_warn("stream %s: %u records were refused: %s", s->row.name, b->count, job->err.text);
    } else if (b->leans_on > 0 && b->leans_on <= s->refused_tag) {
        status =
            err_set(&job->err, ERR_BUSY,
                    "stream %s: an earlier sending of these records was refused: send them again",
                    s->row.name);
    }
    if (b->acked_cb)
        b->acked_cb(b, status, b->high, &job->err);
    b->acked_cb = NULL;
    b->item.kind = job->status == 0 ? ITEM_JOURNALED : ITEM_REFUSED;
    push_item(s, &b->item);
}

void stream_flush(struct live_stream *s,
                  void (*cb)(void *arg, int status, const struct errmsg *err), void *arg)
{
    struct errmsg none = {""};
    while (s->retired == STREAM_GONE && s->successor)
        s = s->successor;
    if (s->retired == STREAM_GONE) { /* all that was submitted is gone with it */
        cb(arg, 0, &none);
        return;
    }
    struct stream_flush *f = mem_calloc(1, sizeof(*f));
    if (!f) {
        struct errmsg err;
        cb(arg, err_set(&err, ERR_NOMEM, "out of memory"), &err);
        return;
    }
    f->item.kind = ITEM_FLUSH;
    f->stream = s;
    f->cb = cb;
    f->arg = arg;
    push_item(s, &f->item);
}

void stream_ask_model(struct live_stream *s, struct stream_call *call)
{
    call->item = (struct stream_item){.kind = ITEM_CALL};
    push_item(s, &call->item);
}

static void push_simple(struct live_stream *s, enum stream_item_kind kind)
{
    struct stream_item *item = mem_calloc(1, sizeof(*item));
    if (!item)
        return; /* the next tick or snapshot does as well */
    item->kind = kind;
    push_item(s, item);
}

void stream_tick(struct live_stream *s)
{
    if (!s->in_turn && !s->inbox && atomic_load(&s->counters.open_records) > 0)
        push_simple(s, ITEM_TICK);
}

void stream_snapshot(struct live_stream *s)
{
    push_simple(s, ITEM_SNAPSHOT);
}

static bool name_is_good(const char *name, struct errmsg *err)
{
    size_t n = strlen(name);
    if (n == 0 || n > STREAM_NAME_MAX)
        err_set(err, ERR_INVALID, "a stream's name has 1 to %d bytes", STREAM_NAME_MAX);
    else if (!utf8_valid(name, n, NULL))
        err_set(err, ERR_INVALID, "the stream's name is not UTF-8");
    else if (strpbrk(name, "\n\r\t\x1b"))
        err_set(err, ERR_INVALID, "the stream's name holds a control character");
    else
        return true;
    return false;
}

static int make_redactor(const struct config *config, struct redactor **ret, struct errmsg *err)
{
    int rc = redactor_new(config->redact.builtin, ret);
    if (rc != 0)
        return err_set(err, rc, "out of memory");
    for (size_t i = 0; i < config->redact.pattern.count && rc == 0; i++)
        rc = redactor_add_pattern(*ret, config->redact.pattern.items[i], err);
    if (rc != 0) {
        redactor_free(*ret);
        *ret = NULL;
        return err_wrap(err, rc, "[redact] pattern");
    }
    return 0;
}

int streams_set_redaction(struct daemon *d, const struct config *config, struct errmsg *err)
{
    struct redactor *probe;
    int rc = make_redactor(config, &probe, err);
    if (rc != 0)
        return rc;
    redactor_free(probe);
    for (struct live_stream *s = d->streams; s && rc == 0; s = s->next) {
        if (s->row.kind != KIND_TEXT)
            continue;
        struct stream_redactor *r = mem_calloc(1, sizeof(*r));
        rc =
            r ? make_redactor(config, &r->redactor, err) : err_set(err, ERR_NOMEM, "out of memory");
        if (rc != 0) {
            mem_free(r);
            break;
        }
        r->item.kind = ITEM_REDACTOR;
        push_item(s, &r->item);
    }
    return rc;
}

struct live_stream *stream_adopt(struct daemon *d, const struct store_stream *row)
{
    struct live_stream *s = mem_calloc(1, sizeof(*s));
    if (!s)
        return NULL;
    s->daemon = d;
    s->row = *row;
    s->lateness = d->config->streams.lateness;
    s->moment_records = budget_moment_records(d->config);
    s->moment_bytes = budget_moment_bytes(d->config);
    s->brief = budget_brief(d->config);
    s->tau_min = d->config->model.tau_min;
    s->tau_max = d->config->model.tau_max;
    s->inbox_last = &s->inbox;
    s->journaling_last = &s->journaling;
    s->refused_last = &s->refused;
    s->modelled_last = &s->modelled;
    s->next_tag = 1;
    s->durable_high = row->next_seq - 1;
    atomic_store(&s->counters.next_seq, row->next_seq);
    atomic_store(&s->counters.first_time, row->first_time);
    atomic_store(&s->counters.last_time, row->last_time);
    atomic_store(&s->counters.records, row->records);
    atomic_store(&s->counters.bytes, row->bytes);
    atomic_store(&s->counters.late, row->late);
    atomic_store(&s->counters.gaps, row->gaps);
    atomic_store(&s->counters.dropped, row->dropped);
    atomic_store(&s->counters.redacted, row->redacted);
    if (row->kind == KIND_SENSOR) {
        s->channels = mem_calloc(CHANNELS_MAX, sizeof(*s->channels));
        s->channels_gone = mem_calloc(CHANNELS_MAX, sizeof(*s->channels_gone));
    }
    struct errmsg err;
    if ((row->kind == KIND_SENSOR && (!s->channels || !s->channels_gone)) || seqs_new(row->next_seq, &s->seqs) != 0 ||
        (row->kind == KIND_TEXT && make_redactor(d->config, &s->redactor, &err) != 0)) {
        seqs_free(s->seqs);
        mem_free(s->channels);
        mem_free(s->channels_gone);
        mem_free(s);
        return NULL;
    }
    *d->streams_last = s;
    d->streams_last = &s->next;
    d->stream_count++;
    return s;
}

struct create_job {
    struct write_job job;
    struct daemon *daemon;
    struct store_stream row;
    void (*cb)(void *arg, struct live_stream *s, int status, const struct errmsg *err);
    void *arg;
};

static int create_apply(struct write_job *job, struct store *store, struct errmsg *err)
{
    struct create_job *c = container_of(job, struct create_job, job);
    return store_stream_create(store, c->row.name, c->row.kind, c->row.source, &c->row.id, err);
}

static int check_kind(const struct live_stream *s, enum stream_kind kind, struct errmsg *err)
{
    if (s->row.kind == kind)
        return 0;
    return err_set(err, ERR_CONFLICT, "stream %s is of kind %s, not %s", s->row.name,
                   stream_kind_name(s->row.kind), stream_kind_name(kind));
}

static void create_done(struct write_job *job)
{
    struct create_job *c = container_of(job, struct create_job, job);
    /* Two clients may have asked at once: the loser of the race finds the winner's stream. */
    struct live_stream *s = stream_find(c->daemon, c->row.name);
    int rc = 0;
    if (!s && job->status == 0) {
        s = stream_adopt(c->daemon, &c->row);
        if (!s)
            rc = err_set(&job->err, ERR_NOMEM, "out of memory");
    } else if (!s) {
        rc = job->status;
    }
    if (s)
        rc = check_kind(s, c->row.kind, &job->err);
    c->cb(c->arg, rc == 0 ? s : NULL, rc, &job->err);
    mem_free(c);
}

void stream_open(struct daemon *d, const char *name, enum stream_kind kind, const char *source,
                 void (*cb)(void *arg, struct live_stream *s, int status, const struct errmsg *err),
                 void *arg)
{
    struct errmsg err = {""};
    struct live_stream *s = stream_find(d, name);
    int rc = 0;
    if (s)
        rc = check_kind(s, kind, &err);
    else if (!name_is_good(name, &err))
        rc = ERR_INVALID;
    else if (stream_is_leaving(d, name))
        rc = err_set(&err, ERR_BUSY, "stream %s is being forgotten", name);
    else if (d->stream_count >= (unsigned)d->config->streams.max)
        rc = err_set(&err, ERR_LIMIT, "there are %u streams already ([streams] max)",
                     d->stream_count);
    if (s || rc != 0) {
        cb(arg, rc == 0 ? s : NULL, rc, &err);
        return;
    }
    struct create_job *c = mem_calloc(1, sizeof(*c));
    if (!c) {
        cb(arg, NULL, err_set(&err, ERR_NOMEM, "out of memory"), &err);
        return;
    }
    c->daemon = d;
    c->row.kind = kind;
    c->row.created = clock_now(d->clock);
    c->row.next_seq = 1;
    c->row.first_time = c->row.last_time = TIME_UNKNOWN;
    snprintf(c->row.name, sizeof(c->row.name), "%s", name);
    snprintf(c->row.source, sizeof(c->row.source), "%s", source);
    c->cb = cb;
    c->arg = arg;
    c->job.apply = create_apply;
    c->job.done = create_done;
    writer_post(&d->writer, &c->job, false);
}

int stream_channel(struct live_stream *s, const char *name, size_t size, uint16_t *ret_index)
{
    if (size == 0 || size > CHANNEL_NAME_MAX || memchr(name, '\0', size))
        return ERR_INVALID;
    for (uint16_t i = 0; i < s->channel_count; i++) {
        if (!atomic_load(&s->channels_gone[i]) && strncmp(s->channels[i], name, size) == 0 &&
            s->channels[i][size] == '\0') {
            *ret_index = i;
            return 0;
        }
    }
    if (s->channel_count == CHANNELS_MAX)
        return ERR_LIMIT;
    char *copy = mem_strndup(name, size);
    if (!copy)
        return ERR_NOMEM;
    s->channels[s->channel_count] = copy;
    *ret_index = s->channel_count++;
    return 0;
}

void stream_forget_channel(struct live_stream *s, uint16_t index)
{
    atomic_store(&s->channels_gone[index], true);
    s->any_gone = true;
}

const char *stream_channel_name(const struct live_stream *s, uint16_t index,
                                char room[CHANNEL_GONE_ROOM])
{
    if (!atomic_load(&s->channels_gone[index]))
        return s->channels[index];
    snprintf(room, CHANNEL_GONE_ROOM, "(forgotten %u)", index);
    return room;
}
