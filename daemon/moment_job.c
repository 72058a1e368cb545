/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/moment_job.h"

#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "daemon/daemon.h"
#include "daemon/watch.h"
#include "memory/evidence.h"
#include "memory/sketch.h"
#include "memory/words.h"

#define ARENA_CHUNK (16u << 10)
#define EVIDENCE_LEVEL 3

static void job_free(struct moment_job *job)
{
    while (job->finished) {
        struct batch *b = job->finished;
        job->finished = b->next;
        batch_free(b);
    }
    arena_deinit(&job->arena);
    buf_deinit(&job->block);
    store_words_free(job->words);
    mem_free(job);
}

static void *copy_array(struct arena *arena, const void *from, size_t size, bool *ok)
{
    if (size == 0)
        return NULL;
    void *copy = arena_alloc(arena, size);
    if (copy)
        memcpy(copy, from, size);
    else
        *ok = false;
    return copy;
}

/* The writer reads the records' numbers, times and sizes, never their payload: that is in the
 * block. */
static bool copy_moment(struct moment_job *job, const struct moment *m)
{
    bool ok = true;
    struct moment *own = &job->moment;
    *own = *m;
    struct record *records =
        copy_array(&job->arena, m->records, m->record_count * sizeof(*m->records), &ok);
    for (uint32_t i = 0; records && i < m->record_count; i++) {
        records[i].ref = (struct slice){NULL, 0};
        records[i].text = (struct slice){NULL, record_payload_size(&m->records[i])};
        records[i].media = (struct slice){NULL, 0};
        records[i].samples = NULL;
        records[i].sample_count = 0;
    }
    own->records = records;
    own->unusual = copy_array(&job->arena, m->unusual, m->unusual_count * sizeof(*m->unusual), &ok);
    own->entities =
        copy_array(&job->arena, m->entities, m->entity_count * sizeof(*m->entities), &ok);
    struct tally *tallies =
        copy_array(&job->arena, m->tallies, m->tally_count * sizeof(*m->tallies), &ok);
    for (uint32_t i = 0; tallies && i < m->tally_count; i++)
        tallies[i].kind.data =
            copy_array(&job->arena, m->tallies[i].kind.data, m->tallies[i].kind.size, &ok);
    own->tallies = tallies;
    own->facts = copy_array(&job->arena, m->facts, m->fact_count * sizeof(*m->facts), &ok);
    own->same = copy_array(&job->arena, m->same, m->same_count * sizeof(*m->same), &ok);
    own->gist.data = copy_array(&job->arena, m->gist.data, m->gist.size, &ok);
    return ok;
}

int moment_job_new(struct live_stream *s, const struct moment *m, struct moment_job **ret)
{
    struct moment_job *job = mem_calloc(1, sizeof(*job));
    if (!job)
        return ERR_NOMEM;
    job->stream = s;
    arena_init(&job->arena, ARENA_CHUNK);
    job->words = store_words_new();
    int rc = job->words && copy_moment(job, m) ? 0 : ERR_NOMEM;
    if (rc == 0)
        rc = evidence_encode(m->records, m->record_count, EVIDENCE_LEVEL, &job->block);
    if (rc == 0)
        rc = words_index(m, s->row.name, (const char *const *)s->channels, s->channels_told,
                         job->words);
    if (rc != 0) {
        job_free(job);
        return rc;
    }
    *ret = job;
    return 0;
}

static int moment_apply(struct write_job *write, struct store *store, struct errmsg *err)
{
    struct moment_job *job = container_of(write, struct moment_job, job);
    struct slice block = {job->block.data, job->block.size};
    int rc = 0;
    /* First, so that their pages serve: in a full memory there may be no others. */
    for (struct batch *b = job->finished; b && rc == 0; b = b->next)
        rc = store_pending_delete(store, b->pending_id, err);
    return rc ? rc
              : store_moment_put(store, job->stream->row.id, &job->moment, block, job->words,
                                 &job->id, err);
}

static void moment_done(struct write_job *write)
{
    struct moment_job *job = container_of(write, struct moment_job, job);
    struct live_stream *s = job->stream;
    struct daemon *d = s->daemon;
    if (write->status == 0) {
        const struct moment *m = &job->moment;
        if (sketch_index_append(d->sketches, job->id, s->row.id, m->kind, m->start, m->latent) != 0)
            log_warn("moment %lld is found by its words only: no memory for its sketch",
                     (long long)job->id);
        watch_moment_closed(d, s, job->id, m->start, m->end);
    } else {
        log_error("stream %s: a moment of %u records waits in the journal for a restart: %s",
                  s->row.name, job->moment.record_count,
                  write->err.text[0] ? write->err.text : err_text(write->status));
    }
    job_free(job);
}

void moment_job_post(struct moment_job *job)
{
    job->job.apply = moment_apply;
    job->job.done = moment_done;
    job->job.keep = true;
    job->job.ordered = true; /* a journal row goes with its last moment, not before an earlier */
    job->job.lazy = true;
    job->job.size = job->block.size + arena_size(&job->arena);
    writer_post(&job->stream->daemon->writer, &job->job, true);
}
