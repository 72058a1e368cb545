/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one SQLite file, seen from the thread that writes it. docs/format.md describes the tables.
 *
 * Thread: a `struct store` belongs to one thread, the writer; no other connection writes or
 * checkpoints. Readers use memory/reader.h. Every call between store_begin and store_commit is one
 * transaction; the caller groups as many as it likes (group commit). After a failed call inside a
 * transaction the caller calls store_rollback and may try again.
 */
#ifndef VARVE_MEMORY_STORE_H
#define VARVE_MEMORY_STORE_H

#include "base/clock.h"
#include "base/error.h"
#include "base/record.h"

struct store;

struct store_options {
    const char *path; /* of memory.db */
    const struct clock *clock;
    int cache_kib; /* SQLite page cache of the writer; 0: 8192 */
    bool no_sync;  /* synchronous=NORMAL instead of FULL: benchmarks only */
    /* Called at most once a second while an older file is brought up to this program's schema, with
     * what is being done; on the caller's thread, from inside store_open. NULL: nobody asks. */
    void (*progress)(void *arg, const char *what);
    void *progress_arg;
};

/*
 * Opens or creates the file (0600), takes the lock file beside it (ERR_BUSY names the other
 * process's pid), checks application id and schema version, migrates. ERR_CORRUPT names the damage,
 * ERR_READONLY and ERR_PERM the path.
 */
int store_open(const struct store_options *options, struct store **ret, struct errmsg *err);
/* Checkpoints, closes, gives the lock back. NULL is allowed. */
void store_close(struct store *s);

int store_begin(struct store *s, struct errmsg *err);
/* When it returns 0 the transaction is durable. ERR_FULL: the disk is full, nothing of it was kept.
 */
int store_commit(struct store *s, struct errmsg *err);
void store_rollback(struct store *s);
/* Passive WAL checkpoint; `truncate` resets the WAL file when no reader is in the way. */
int store_checkpoint(struct store *s, bool truncate, struct errmsg *err);

struct store_stream {
    int64_t id;
    char name[STREAM_NAME_MAX + 1];
    enum stream_kind kind;
    char source[160]; /* why it is recorded: "host", "file /var/log/syslog", "client uid 1000", … */
    int64_t created;
    uint64_t next_seq; /* one past the highest seq that was journaled */
    uint64_t records, bytes;
    uint64_t late, gaps, dropped, redacted; /* counted for ever */
    int64_t first_time, last_time;          /* of its records; TIME_UNKNOWN when none */
};

/* All streams, in id order; the callback's struct is borrowed. */
int store_streams(struct store *s, void (*each)(void *arg, const struct store_stream *stream),
                  void *arg, struct errmsg *err);
/* Creates a stream; ERR_EXISTS if the name is taken. */
int store_stream_create(struct store *s, const char *name, enum stream_kind kind,
                        const char *source, int64_t *ret_id, struct errmsg *err);
/* Writes the counters and times of a stream (all fields but id, name, kind, created). */
int store_stream_update(struct store *s, const struct store_stream *stream, struct errmsg *err);
/* Names channel `index` of a sensor stream. Idempotent. */
int store_channel_put(struct store *s, int64_t stream, uint16_t index, const char *name,
                      struct errmsg *err);
int store_channels(struct store *s, int64_t stream,
                   void (*each)(void *arg, uint16_t index, const char *name), void *arg,
                   struct errmsg *err);

/*
 * Journal: accepted records that lie in no moment yet. `block` is what evidence_encode made of
 * them. Durable with the transaction; `ret_id` names the batch for store_pending_delete.
 */
int store_pending_put(struct store *s, int64_t stream, uint64_t seq_first, uint64_t seq_last,
                      uint32_t count, struct slice block, int64_t *ret_id, struct errmsg *err);
int store_pending_delete(struct store *s, int64_t id, struct errmsg *err);
/*
 * After a crash: every batch, oldest first. `block` holds only those of its records that lie in no
 * moment yet; a batch that has none left is not reported but deleted.
 */
int store_pending(struct store *s,
                  int (*each)(void *arg, int64_t id, int64_t stream, struct slice block), void *arg,
                  struct errmsg *err);

/*
 * A closed moment with its evidence and index. `block` is evidence_encode of its records, `words`
 * what words_index made of them (memory/evidence.h, memory/words.h): both are computed off the
 * writer. The hash, sizes and counts kept with the moment are the block's own.
 */
struct store_words;
int store_moment_put(struct store *s, int64_t stream, const struct moment *m, struct slice block,
                     const struct store_words *words, int64_t *ret_id, struct errmsg *err);

/* Where sources stand (file offset, journal cursor) and models' snapshots: small named values. */
int store_state_put(struct store *s, const char *key, struct slice value, struct errmsg *err);
/* ERR_NOTFOUND when there is none. The value is appended to `out`. */
int store_state_get(struct store *s, const char *key, struct buf *out, struct errmsg *err);

/* Keeps a moment (of any stratum) for ever, or no longer. ERR_NOTFOUND. */
int store_pin(struct store *s, int64_t id, bool pinned, struct errmsg *err);
/* Counts a judgement: this memory helped, or did not. ERR_NOTFOUND. */
int store_feedback(struct store *s, int64_t id, bool helped, struct errmsg *err);

/* The live word counters (memory/words.h), for readers in this process; the store's until it
 * closes. */
struct words_df;
const struct words_df *store_df(const struct store *s);

/*
 * Groups moments into episodes and fills hours and days that changed since the last call, a bounded
 * amount of work a call. Returns 0 when nothing is left to do for now, STORE_MORE when there is.
 * Outside a transaction it makes one of its own.
 *
 * A span that took long to consolidate is let rest before its next turn, so that a busy hour costs
 * at most a few per cent of a core.
 */
#define STORE_MORE 1
/* Whether boundaries of episodes are refined by modularity (memory/refine.h); without it they lie
 * where two streams say so. Spans that are there stay as they are until they are made again. */
void store_set_refine(struct store *s, bool refine);
int store_consolidate(struct store *s, struct errmsg *err);

#endif
