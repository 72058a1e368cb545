/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stream's turn on a pool thread: admits batches, pushes what is durable through the pipeline,
 * makes write jobs of the moments that come out.
 *
 * Failure: a batch that cannot be admitted goes back whole, with the reason, and nothing of it is
 * stored. When memory runs out in the model, the batch's records stay in the journal and the next
 * start of the daemon takes them up.
 */
#include "daemon/stream.h"

#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "daemon/daemon.h"
#include "daemon/moment_job.h"
#include "daemon/under_way.h"
#include "memory/evidence.h"
#include "memory/resend.h"
#include "pipeline/redact.h"
#include "pipeline/stream.h"

#define SLICE 256            /* records between two looks at the stop */
#define RELEARNT_MOMENTS 400 /* that a start learns from again at most, 100,000 records */
#define RELEARNT_MEDIA 40    /* of sound and pictures, which take a hundred times as long */

static void refuse(struct live_stream *s, struct batch *b, int status)
{
    b->job.status = status;
    b->next = NULL;
    *s->refused_last = b;
    s->refused_last = &b->next;
}

/* ---- admission ---- */

static int redact_record(struct redactor *redactor, struct batch *b, struct record *r,
                         struct buf *scratch)
{
    int rc = redactor_apply(redactor, r->text.data, r->text.size, scratch);
    if (rc != REDACTED)
        return rc;
    char *copy = arena_copy(&b->arena, scratch->data, scratch->size);
    if (!copy)
        return ERR_NOMEM;
    r->text = (struct slice){copy, scratch->size};
    r->flags |= RECORD_REDACTED;
    return 0;
}

static int redact_batch(struct live_stream *s, struct batch *b)
{
    if (s->row.kind != KIND_TEXT)
        return 0;
    struct redactor *redactor = s->redactor;
    struct buf scratch = {0};
    uint64_t before = redactor_count(redactor);
    int rc = 0;
    for (uint32_t i = 0; i < b->count && rc == 0; i++)
        if (b->records[i].text.size > 0)
            rc = redact_record(redactor, b, &b->records[i], &scratch);
    atomic_fetch_add(&s->counters.redacted, redactor_count(redactor) - before);
    buf_deinit(&scratch);
    return rc == 0 ? 0 : err_set(&b->job.err, rc, "out of memory");
}

/* What the file holds of the numbers from..to: a resend asks for one after the other, and a block
 * of evidence that is decoded tells of many. */
#define OLD_NUMBERS 1024
struct old_numbers {
    uint64_t from, to; /* 0: nothing was looked up */
    uint64_t hash[OLD_NUMBERS];
    bool found[OLD_NUMBERS];
};

static void found_old(void *arg, uint64_t seq, uint64_t hash)
{
    struct old_numbers *old = arg;
    old->found[seq - old->from] = true;
    old->hash[seq - old->from] = hash;
}

static int ensure_reader(struct daemon *d, unsigned thread, struct errmsg *err)
{
    if (d->model_readers[thread])
        return 0;
    struct reader_options options = {.path = d->database, .clock = d->clock, .cache_kib = 256};
    return reader_open(&options, &d->model_readers[thread], err);
}

/* A batch that is being numbered. */
struct numbering {
    struct live_stream *stream;
    struct batch *batch;
    unsigned thread;
    uint64_t next;
    uint32_t at;   /* index of the record that is numbered */
    uint32_t kept; /* of those before it */
    struct under_way under_way;
    struct old_numbers *old; /* NULL until one is asked for */
};

/* Looks up `seq` and, around it, what the batch may ask for next. */
static int look_up_old(struct numbering *n, uint64_t seq)
{
    const struct batch *b = n->batch;
    struct errmsg *err = &n->batch->job.err;
    struct live_stream *s = n->stream;
    uint64_t from = seq, to = seq;
    for (uint32_t i = n->at; i < b->count; i++)
        if (b->records[i].seq > 0 && b->records[i].seq < from &&
            seq - b->records[i].seq < OLD_NUMBERS)
            from = b->records[i].seq;
    for (uint32_t i = n->at; i < b->count; i++)
        if (b->records[i].seq > to && b->records[i].seq - from < OLD_NUMBERS)
            to = b->records[i].seq;
    if (!n->old)
        n->old = mem_alloc(sizeof(*n->old));
    if (!n->old)
        return err_set(err, ERR_NOMEM, "out of memory");
    n->old->from = n->old->to = 0;
    memset(n->old->found, 0, sizeof(n->old->found));
    int rc = ensure_reader(s->daemon, n->thread, err);
    if (rc != 0)
        return rc;
    n->old->from = from;
    rc = evidence_find_seq(s->daemon->model_readers[n->thread], s->row.id, from, to, found_old,
                           n->old, err);
    n->old->to = rc == 0 ? to : 0;
    return rc;
}

/* What the file holds under an old number. */
static int check_file(struct numbering *n, uint64_t seq, uint64_t hash, enum seq_verdict *ret)
{
    int rc = n->old && seq >= n->old->from && seq <= n->old->to ? 0 : look_up_old(n, seq);
    bool found = rc == 0 && n->old->found[seq - n->old->from], gone = false;
    if (rc == 0 && !found)
        rc = evidence_seq_gone(n->stream->daemon->model_readers[n->thread], n->stream->row.id, seq,
                               &gone, &n->batch->job.err);
    if (rc != 0)
        return rc;
    bool same = gone || (found && n->old->hash[seq - n->old->from] == hash);
    *ret = same ? SEQ_SAME : found ? SEQ_OTHER : SEQ_NEW;
    return 0;
}

/* Only batches with numbers below the next one need the table. */
static int look_under_way(struct numbering *n)
{
    if (n->under_way.size > 0)
        return 0;
    if (under_way_make(&n->under_way, n->stream->journaling, n->batch) != 0)
        return err_set(&n->batch->job.err, ERR_NOMEM, "out of memory");
    for (uint32_t i = 0; i < n->kept; i++)
        under_way_add(&n->under_way, n->batch, i);
    return 0;
}

/* A record is left out because another sending of it is under way: it is durable when that one is.
 */
static void lean(const struct numbering *n, uint64_t seq)
{
    struct batch *b = n->batch;
    const struct batch *first = NULL;
    under_way_find(&n->under_way, seq, &first);
    if (first && first != b && (b->leans_on == 0 || first->tag < b->leans_on))
        b->leans_on = first->tag;
}

/* Among records of this batch and those that are being journaled: numbers the file does not know
 * yet. */
static enum seq_verdict check_under_way(const struct numbering *n, uint64_t seq, uint64_t hash)
{
    const struct batch *in = NULL;
    const struct record *r = under_way_find(&n->under_way, seq, &in);
    if (!r)
        return SEQ_OLD;
    /* Those of this batch carry their hash. */
    return (in == n->batch ? r->tag : record_hash(r)) == hash ? SEQ_SAME : SEQ_OTHER;
}

/* Whether a number below the next one is free, or whose it is. */
static int judge(struct numbering *n, const struct record *r, enum seq_verdict *ret)
{
    struct live_stream *s = n->stream;
    int rc = look_under_way(n);
    if (rc != 0)
        return rc;
    *ret = seqs_check(s->seqs, r->seq, r->tag);
    if (*ret == SEQ_OLD || *ret == SEQ_NEW)
        *ret = check_under_way(n, r->seq, r->tag);
    if (*ret == SEQ_OLD && r->seq < seqs_next(s->seqs))
        rc = check_file(n, r->seq, r->tag, ret);
    return rc;
}

/* `tag` carries the record's hash meanwhile. */
static int number_record(struct numbering *n, struct record r)
{
    struct batch *b = n->batch;
    const char *name = n->stream->row.name;
    uint64_t submitted = r.tag;
    enum seq_verdict verdict = SEQ_NEW;
    r.tag = record_hash(&r);
    if (r.seq == 0)
        r.seq = n->next;
    else if (r.seq < n->next) {
        int rc = judge(n, &r, &verdict);
        if (rc != 0)
            return rc;
    }
    if (verdict == SEQ_OTHER && b->conflicts_singly) {
        buf_put_u64(&b->conflicts, submitted);
        buf_put_u64(&b->conflicts, r.seq);
        return 0;
    }
    if (r.seq > SEQ_MAX)
        return err_set(&b->job.err, ERR_RANGE, "stream %s: no number is left after %llu", name,
                       (unsigned long long)SEQ_MAX);
    if (verdict == SEQ_OTHER)
        return err_set(&b->job.err, ERR_CONFLICT,
                       "stream %s: seq %llu is stored already with another payload", name,
                       (unsigned long long)r.seq);
    if (verdict == SEQ_SAME) {
        lean(n, r.seq);
        return 0;
    }
    n->next = r.seq >= n->next ? r.seq + 1 : n->next;
    b->records[n->kept++] = r;
    if (n->under_way.size > 0)
        under_way_add(&n->under_way, b, n->kept - 1);
    return 0;
}

/* Numbers the records and takes out those that are stored already. ERR_CONFLICT: a number that is
 * taken by another payload. */
static int number_batch(struct live_stream *s, struct batch *b, unsigned thread)
{
    struct numbering n = {.stream = s, .batch = b, .thread = thread, .next = seqs_next(s->seqs)};
    int rc = 0;
    for (; n.at < b->count && rc == 0; n.at++)
        rc = number_record(&n, b->records[n.at]);
    under_way_deinit(&n.under_way);
    mem_free(n.old);
    if (rc == 0)
        b->count = n.kept;
    return rc;
}

/* The stream's row with its counters as they are by now. */
static struct store_stream current_row(const struct live_stream *s)
{
    const struct stream_counters *c = &s->counters;
    struct store_stream row = s->row;
    row.next_seq = atomic_load(&c->next_seq);
    row.records = atomic_load(&c->records);
    row.bytes = atomic_load(&c->bytes);
    row.late = atomic_load(&c->late);
    row.gaps = atomic_load(&c->gaps);
    row.dropped = atomic_load(&c->dropped);
    row.redacted = atomic_load(&c->redacted);
    row.first_time = atomic_load(&c->first_time);
    row.last_time = atomic_load(&c->last_time);
    return row;
}

static void take_batch(struct live_stream *s, struct batch *b)
{
    struct stream_counters *c = &s->counters;
    b->tag = s->next_tag++;
    b->seq_first = UINT64_MAX;
    b->seq_last = 0;
    uint64_t bytes = 0;
    int64_t first = atomic_load(&c->first_time), last = atomic_load(&c->last_time);
    for (uint32_t i = 0; i < b->count; i++) {
        struct record *r = &b->records[i];
        if (seqs_take(s->seqs, r->seq, r->tag))
            atomic_fetch_add(&c->gaps, 1);
        r->tag = b->tag;
        b->seq_first = r->seq < b->seq_first ? r->seq : b->seq_first;
        b->seq_last = r->seq > b->seq_last ? r->seq : b->seq_last;
        bytes += record_payload_size(r);
        if (first == TIME_UNKNOWN || r->time < first)
            first = r->time;
        if (last == TIME_UNKNOWN || r->time > last)
            last = r->time;
    }
    atomic_store(&c->first_time, first);
    atomic_store(&c->last_time, last);
    atomic_fetch_add(&c->records, b->count);
    atomic_fetch_add(&c->bytes, bytes);
    b->high = seqs_next(s->seqs) - 1;
    atomic_store(&c->next_seq, b->high + 1);
    b->remaining = b->count;
    b->channels_from = s->channels_stored;
    b->snapshot = current_row(s);
}

static int journal_apply(struct write_job *job, struct store *store, struct errmsg *err)
{
    struct batch *b = container_of(job, struct batch, job);
    int64_t stream = b->stream->row.id;
    int rc = 0;
    char room[CHANNEL_GONE_ROOM];
    for (uint16_t i = b->channels_from; i < b->channels && rc == 0; i++)
        rc = store_channel_put(store, stream, i, stream_channel_name(b->stream, i, room), err);
    if (rc == 0 && b->count > 0) {
        struct slice block = {b->block.data, b->block.size};
        rc = store_pending_put(store, stream, b->seq_first, b->seq_last, b->count, block,
                               &b->pending_id, err);
        if (rc == 0)
            rc = store_stream_update(store, &b->snapshot, err);
    }
    if (rc == 0 && b->cursor_key[0])
        rc = store_state_put(store, b->cursor_key, b->cursor, err);
    return rc;
}

static void admit(struct live_stream *s, struct batch *b, unsigned thread)
{
    int rc = redact_batch(s, b);
    if (rc == 0)
        rc = number_batch(s, b, thread);
    if (rc == 0 && b->count > 0) {
        buf_clear(&b->block);
        rc = evidence_encode(b->records, b->count, 1, &b->block);
        if (rc != 0)
            err_set(&b->job.err, rc, "out of memory");
    }
    size_t most = atomic_load(&s->daemon->batch_most);
    if (rc == 0 && b->block.size > most)
        rc =
            err_set(&b->job.err, ERR_LIMIT,
                    "stream %s: %u records of %zu bytes, packed, at once: [memory] budget has room "
                    "for %zu",
                    s->row.name, b->count, b->block.size, most);
    /* What fills the file before it is a moment would leave no room to become one. */
    if (rc == 0 && b->count > 0 &&
        atomic_load(&s->daemon->journal_bytes) + b->block.size > JOURNAL_BATCHES * most)
        rc = err_set(
            &b->job.err, ERR_FULL,
            "stream %s: more waits in the journal already than [memory] budget has room for",
            s->row.name);
    if (rc != 0) {
        refuse(s, b, rc);
        return;
    }
    batch_count_journal(b, b->block.size);
    take_batch(s, b);
    b->next = NULL;
    *s->journaling_last = b;
    s->journaling_last = &b->next;
    b->job.apply = journal_apply;
    b->job.done = stream_batch_journaled;
    b->job.size = b->block.size + 64;
    /* Also without a new record: the acknowledgement must not overtake the first sending's. */
    writer_post(&s->daemon->writer, &b->job, true);
}

/* ---- the pipeline ---- */

static struct batch *find_modelled(struct live_stream *s, uint64_t tag, struct batch ***ret_at)
{
    for (struct batch **at = &s->modelled; *at; at = &(*at)->next) {
        if ((*at)->tag == tag) {
            *ret_at = at;
            return *at;
        }
    }
    return NULL;
}

static int on_moment(void *arg, const struct moment *m)
{
    struct live_stream *s = arg;
    struct moment_job *job;
    s->learnt = true; /* routing and summing up taught it something */
    int rc = moment_job_new(s, m, &job);
    if (rc != 0) {
        log_error("stream %s: a moment of %u records waits in the journal for a restart: %s",
                  s->row.name, m->record_count, err_text(rc));
        return 0;
    }
    struct batch **at = NULL;
    struct batch *b = NULL;
    for (uint32_t i = 0; i < m->record_count; i++) {
        if (!b || b->tag != m->records[i].tag)
            b = find_modelled(s, m->records[i].tag, &at);
        if (b && --b->remaining == 0) {
            *at = b->next;
            if (!b->next)
                s->modelled_last = at;
            b->next = job->finished;
            job->finished = b;
            b = NULL;
        }
    }
    moment_job_post(job);
    return 0;
}

static int tell_channels(struct live_stream *s, uint16_t upto)
{
    int rc = 0;
    char room[CHANNEL_GONE_ROOM];
    while (s->channels_told < upto && rc == 0) {
        rc = pipeline_stream_channel(s->pipeline, s->channels_told,
                                     stream_channel_name(s, s->channels_told, room));
        if (rc == 0)
            s->channels_told++;
    }
    return rc;
}

static void relearn(void *arg, const struct record *records, uint32_t count)
{
    pipeline_stream_relearn(arg, records, count);
}

/*
 * After a kill: what was stored since the snapshot is learnt from its evidence. After a stop there
 * is none. Without it the stream still works, only more surprised.
 */
static void catch_up(struct live_stream *s, unsigned thread)
{
    struct errmsg err;
    bool media = s->row.kind == KIND_AUDIO || s->row.kind == KIND_VIDEO;
    int rc = ensure_reader(s->daemon, thread, &err);
    if (rc == 0)
        rc = tell_channels(s, s->channels_stored);
    if (rc == 0)
        rc = evidence_after(s->daemon->model_readers[thread], s->row.id,
                            pipeline_stream_observed(s->pipeline),
                            media ? RELEARNT_MEDIA : RELEARNT_MOMENTS, relearn, s->pipeline, &err);
    if (rc != 0)
        log_warn("stream %s: what was stored since the last snapshot is not learnt again: %s",
                 s->row.name, err_text(rc));
}

static int ensure_pipeline(struct live_stream *s, unsigned thread)
{
    if (s->pipeline)
        return 0;
    struct pipeline_options options = {.kind = s->row.kind,
                                       .lateness_us = s->lateness,
                                       .open_bytes = s->moment_bytes,
                                       .segment.max_records = s->moment_records,
                                       .tau_min = s->tau_min,
                                       .tau_max = s->tau_max,
                                       .clock = s->daemon->clock};
    struct pipeline_callbacks callbacks = {.arg = s, .moment = on_moment};
    int rc = pipeline_stream_new(&options, &callbacks, &s->pipeline);
    if (rc == 0 && s->learnt_before.size > 0) {
        struct errmsg err;
        if (pipeline_stream_restore(s->pipeline, s->learnt_before.data, s->learnt_before.size,
                                    &err) != 0)
            log_warn("stream %s: what was learnt could not be read back (%s); it learns anew",
                     s->row.name, err.text);
        buf_deinit(&s->learnt_before);
    }
    if (rc == 0)
        catch_up(s, thread);
    return rc;
}

static void start_flush(struct stream_flush *f);

static void release_flushes(struct live_stream *s)
{
    while (s->flushes && (!s->journaling || s->journaling->tag > s->flushes->upto)) {
        struct stream_flush *f = s->flushes;
        s->flushes = f->next;
        start_flush(f);
    }
}

static void leave_journaling(struct live_stream *s, struct batch *b)
{
    struct batch **at = &s->journaling; /* verdicts come in order: it is the first */
    while (*at && *at != b)
        at = &(*at)->next;
    if (*at) {
        *at = b->next;
        if (s->journaling_last == &b->next)
            s->journaling_last = at;
    }
    b->next = NULL;
}

/* In slices: a stop does not wait for a large batch, whose rest the next start takes up. */
static int push_records(struct live_stream *s, const struct record *records, uint32_t count)
{
    int rc = 0;
    for (uint32_t at = 0; at < count && rc == 0 && !atomic_load(&s->daemon->hurry); at += SLICE) {
        uint32_t n = count - at < SLICE ? count - at : SLICE;
        rc = pipeline_stream_push(s->pipeline, records + at, n, NULL);
    }
    return rc;
}

static void model_batch(struct live_stream *s, struct batch *b, unsigned thread)
{
    leave_journaling(s, b);
    s->modelled_bytes += b->bytes;
    if (b->channels > s->channels_stored)
        s->channels_stored = b->channels;
    if (b->count > 0 && b->seq_last > s->durable_high)
        s->durable_high = b->seq_last;
    if (b->count == 0) {
        batch_free(b);
        release_flushes(s);
        return;
    }
    *s->modelled_last = b;
    s->modelled_last = &b->next;
    int rc = ensure_pipeline(s, thread);
    if (rc == 0)
        rc = tell_channels(s, b->channels);
    if (rc == 0) {
        /* The batch may be finished, and gone, before push returns: hold its records until then. */
        struct record *records = b->records;
        struct arena arena = b->arena;
        uint32_t count = b->count;
        b->records = NULL;
        arena_init(&b->arena, arena.chunk_size);
        buf_deinit(&b->block);
        rc = push_records(s, records, count);
        mem_free(records);
        arena_deinit(&arena);
        s->learnt = true;
    }
    if (rc != 0)
        log_error("stream %s: records wait in the journal for a restart: %s", s->row.name,
                  err_text(rc));
    release_flushes(s);
}

/* An acknowledgement must not cover numbers that were refused: those at the end are as if never
 * sent. */
static void free_numbers(struct live_stream *s)
{
    uint64_t high = s->durable_high;
    for (const struct batch *b = s->journaling; b; b = b->next)
        if (b->count > 0 && b->seq_last > high)
            high = b->seq_last;
    if (high + 1 < seqs_next(s->seqs)) {
        seqs_rewind(s->seqs, high + 1);
        atomic_store(&s->counters.next_seq, high + 1);
    }
}

static void forget_refused(struct live_stream *s, struct batch *b)
{
    leave_journaling(s, b);
    s->modelled_bytes += b->bytes;
    for (uint32_t i = 0; i < b->count; i++) {
        seqs_untake(s->seqs, b->records[i].seq);
        atomic_fetch_sub(&s->counters.bytes, record_payload_size(&b->records[i]));
    }
    atomic_fetch_sub(&s->counters.records, b->count);
    free_numbers(s);
    batch_free(b);
    release_flushes(s);
}

/* ---- flush, tick, snapshot ---- */

static int flush_apply(struct write_job *job, struct store *store, struct errmsg *err)
{
    struct stream_flush *f = container_of(job, struct stream_flush, job);
    /* What counts is its place in the writer's order: whatever closed before is written, or laid
     * aside. */
    f->left_over = atomic_load(&f->stream->daemon->writer.counters.laid_aside) > 0;
    return 0;
}

static void flush_done(struct write_job *job)
{
    struct stream_flush *f = container_of(job, struct stream_flush, job);
    int status = job->status;
    if (status == 0 && f->left_over)
        status =
            err_set(&job->err, ERR_FULL,
                    "stream %s: records are durable, but their moments wait for room on the disk",
                    f->stream->row.name);
    f->cb(f->arg, status, &job->err);
    mem_free(f);
}

static void start_flush(struct stream_flush *f)
{
    struct live_stream *s = f->stream;
    if (s->pipeline && pipeline_stream_flush(s->pipeline) != 0)
        log_error("stream %s: out of memory while closing its moment", s->row.name);
    f->job.apply = flush_apply;
    f->job.done = flush_done;
    writer_post(&s->daemon->writer, &f->job, true);
}

static void take_flush(struct live_stream *s, struct stream_flush *f)
{
    f->upto = s->next_tag - 1;
    struct stream_flush **at = &s->flushes;
    while (*at)
        at = &(*at)->next;
    f->next = NULL;
    *at = f;
    release_flushes(s);
}

struct snapshot_job {
    struct write_job job;
    char key[64];
    struct buf state;
    struct store_stream row; /* what was late is known only after its batch was stored */
};

static int snapshot_apply(struct write_job *job, struct store *store, struct errmsg *err)
{
    struct snapshot_job *j = container_of(job, struct snapshot_job, job);
    int rc = store_state_put(store, j->key, (struct slice){j->state.data, j->state.size}, err);
    return rc == 0 ? store_stream_update(store, &j->row, err) : rc;
}

static void snapshot_done(struct write_job *job)
{
    struct snapshot_job *j = container_of(job, struct snapshot_job, job);
    if (job->status != 0)
        log_warn("%s could not be saved: %s", j->key, job->err.text);
    buf_deinit(&j->state);
    mem_free(j);
}

static void take_snapshot(struct live_stream *s)
{
    if (!s->learnt || !s->pipeline)
        return;
    struct snapshot_job *j = mem_calloc(1, sizeof(*j));
    if (!j)
        return;
    if (pipeline_stream_save(s->pipeline, s->brief, &j->state) != 0) {
        buf_deinit(&j->state);
        mem_free(j);
        return;
    }
    stream_state_key(s, j->key, sizeof(j->key));
    j->row = current_row(s);
    j->job.apply = snapshot_apply;
    j->job.done = snapshot_done;
    j->job.size = j->state.size;
    s->learnt = false;
    writer_post(&s->daemon->writer, &j->job, true);
}

static void deliver_call(struct message *message)
{
    struct stream_call *call = container_of(message, struct stream_call, message);
    call->done(call);
}

static void run_call(struct live_stream *s, struct stream_call *call, unsigned thread)
{
    if (ensure_pipeline(s, thread) == 0)
        tell_channels(s, s->channels_stored);
    call->run(call, s->pipeline);
    call->message.deliver = deliver_call;
    mailbox_post(&s->daemon->mailbox, &call->message);
}

static void take_redactor(struct live_stream *s, struct stream_redactor *r)
{
    redactor_free(s->redactor);
    s->redactor = r->redactor;
    mem_free(r);
}

static void publish_counters(struct live_stream *s)
{
    if (!s->pipeline)
        return;
    struct pipeline_stats stats;
    pipeline_stream_stats(s->pipeline, &stats);
    atomic_store(&s->counters.late, s->row.late + stats.late);
    atomic_store(&s->counters.moments, stats.moments);
    atomic_store(&s->counters.latent, stats.latent);
    atomic_store(&s->counters.discrete, stats.discrete);
    atomic_store(&s->counters.tokens, stats.tokens);
    atomic_store(&s->counters.open_records, stats.waiting + stats.open);
    atomic_store(&s->counters.tau_thousandths, (unsigned)(stats.tau * 1000 + 0.5f));
}

void stream_turn(struct live_stream *s, unsigned thread)
{
    struct stream_item *item = s->turn_items;
    struct stream_item **left = &s->turn_items;
    if (s->pipeline)
        pipeline_stream_load_set(s->pipeline, s->load);
    while (item) {
        struct stream_item *next = item->next;
        if (item->kind != ITEM_SNAPSHOT && atomic_load(&s->daemon->hurry)) {
            *left = item;
            left = &item->next;
            item = next;
            continue;
        }
        switch (item->kind) {
        case ITEM_ADMIT:
            admit(s, item->batch, thread);
            break;
        case ITEM_JOURNALED:
            model_batch(s, item->batch, thread);
            break;
        case ITEM_REFUSED:
            forget_refused(s, item->batch);
            break;
        case ITEM_FLUSH:
            take_flush(s, container_of(item, struct stream_flush, item));
            break;
        case ITEM_CALL:
            run_call(s, container_of(item, struct stream_call, item), thread);
            break;
        case ITEM_REDACTOR:
            take_redactor(s, container_of(item, struct stream_redactor, item));
            break;
        case ITEM_TICK:
            if (s->pipeline && pipeline_stream_tick(s->pipeline) != 0)
                log_error("stream %s: out of memory while closing its moment", s->row.name);
            mem_free(item);
            break;
        case ITEM_SNAPSHOT:
            take_snapshot(s);
            mem_free(item);
            break;
        }
        item = next;
    }
    *left = NULL;
    publish_counters(s);
}
