/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A live stream: the daemon's side of one named source of records.
 *
 * A record's way: the loop submits a batch; the stream's turn on the model pool admits it (redacts,
 * numbers, recognises resends) and hands it to the writer's journal; once that is durable the
 * submitter hears of it and the stream's next turn pushes the records through the pipeline; moments
 * go to the writer, and with the last record of a batch in a stored moment its journal row goes.
 *
 * Threads: a stream has at most one turn at a time, on some pool thread. Fields are the loop's or
 * the turn's, as marked; what both need goes along with the turn.
 */
#ifndef VARVE_DAEMON_STREAM_H
#define VARVE_DAEMON_STREAM_H

#include <stdatomic.h>

#include "daemon/batch.h"
#include "daemon/pool.h"
#include "daemon/seqs.h"

struct daemon;
struct pipeline_stream;
struct config;
struct redactor;

enum stream_policy {
    STREAM_DURABLE, /* its sender can wait: reading stops when the queue is full */
    STREAM_LIVE,    /* it cannot: the oldest undone batch is dropped and counted */
};

enum stream_retired {
    STREAM_SERVES,
    STREAM_LEAVING, /* to be forgotten: what comes for it is held */
    STREAM_GONE     /* forgotten: what comes for it goes to a fresh one */
};

/* Read by the loop for status while turns change them. */
struct stream_counters {
    atomic_ullong records, bytes, late, gaps, dropped, redacted, repaired;
    atomic_ullong moments, latent, discrete, tokens;
    atomic_ullong next_seq;
    atomic_llong first_time, last_time; /* of its records; TIME_UNKNOWN when none */
    atomic_uint open_records;           /* in the sorter and in open moments */
    atomic_uint tau_thousandths;
};

struct live_stream {
    struct live_stream *next;
    struct daemon *daemon;
    struct store_stream row; /* id, name, kind, source, created: never change */
    enum stream_policy policy;
    _Atomic int64_t lateness; /* set by the loop, read when the pipeline is made */
    uint32_t moment_records;  /* most in a moment; 0: as many as there may be */
    uint32_t moment_bytes;    /* the same of their bytes */
    bool brief;               /* snapshots are to be small */
    double tau_min, tau_max;  /* the router's bounds */
    struct stream_counters counters;

    /* The loop's. */
    struct stream_item *inbox, **inbox_last; /* what the next turn gets */
    struct stream_item *turn_items;          /* what this turn has */
    size_t undone_bytes;                     /* submitted and not yet through the model */
    bool in_turn;
    int64_t sealed;       /* monotonic: when a question last closed its open moments; 0: never */
    uint64_t refused_tag; /* of the last batch that the journal could not take */
    char **channels;      /* sensor: names by index; slots are filled once and stay */
    uint16_t channel_count;
    atomic_bool *channels_gone; /* forgotten: their numbers are not used any more. Any thread reads */
    bool any_gone;
    struct work work;
    enum stream_retired retired;   /* retire.c */
    struct batch *held;            /* while it is leaving */
    struct live_stream *successor; /* of one that is gone; NULL: none yet */
    bool reopening;

    /* The turn's. */
    struct pipeline_stream *pipeline;
    struct redactor
        *redactor; /* text: a secret may spread over lines, so each stream has its own */
    struct seqs *seqs;
    struct batch *journaling, **journaling_last; /* admitted, not known to be durable yet */
    struct batch *modelled, **modelled_last; /* records of it lie in open moments; oldest first */
    struct batch *refused, **refused_last;   /* on admission: the loop tells their submitters */
    size_t modelled_bytes;                   /* that this turn got through */
    uint64_t next_tag;
    uint64_t durable_high;        /* highest seq that is durable */
    uint16_t channels_told;       /* the encoder knows that many */
    uint16_t channels_stored;     /* known to be durable */
    bool learnt;                  /* something to save since the last snapshot */
    struct buf learnt_before;     /* the last snapshot, until the pipeline is made */
    double load;                  /* of the daemon, told by the loop before each turn */
    struct stream_flush *flushes; /* waiting for batches that are being journaled */
};

/* A sender that stopped reading because a stream was full, until it is no longer. Loop. */
struct stream_waiter {
    struct stream_waiter *next;
    struct live_stream *stream;
    void (*resume)(struct stream_waiter *);
    bool waiting;
};

/* One stream_flush call on its way: first to the turn, then as a barrier through the writer. */
struct stream_flush {
    struct stream_item item;
    struct stream_flush *next;
    uint64_t upto;  /* the last batch it waits for */
    bool left_over; /* moments that closed before it wait for room on the disk */
    struct write_job job;
    struct live_stream *stream;
    void (*cb)(void *arg, int status, const struct errmsg *err);
    void *arg;
};

/* A question to a stream's model, asked in its turn: `run` on a pool thread, then `done` on the
 * loop. */
struct stream_call {
    struct stream_item item;
    struct message message;
    /* The pipeline is NULL when memory for it was out. */
    void (*run)(struct stream_call *, struct pipeline_stream *);
    void (*done)(struct stream_call *);
};

/* A redactor on its way to the turn that takes it over. */
struct stream_redactor {
    struct stream_item item;
    struct redactor *redactor;
};

/* A turn, on a pool thread (turn.c). */
void stream_turn(struct live_stream *s, unsigned thread);
/* Where its model's state lies in the file. */
void stream_state_key(const struct live_stream *s, char *out, size_t size);
/* The journal's verdict on a batch, on the loop (stream.c). */
void stream_batch_journaled(struct write_job *job);

/* Loads every stream of the file, and the journal that a crash left behind. Before the writer
 * starts. */
int streams_load(struct daemon *d, struct errmsg *err);
/* Puts a batch that lies in the journal in line for the pipeline; no turn starts yet. */
void stream_take_up(struct live_stream *s, struct batch *b);
/* Starts the turns that streams_load found work for. */
void streams_start(struct daemon *d);
/* The pools have ended: tells whoever still waits that the daemon is going. */
void streams_abandon(struct daemon *d);
/* All turns must be over. */
void streams_free(struct daemon *d);

/* A stream that lies in the file, made live; NULL when memory is out. */
struct live_stream *stream_adopt(struct daemon *d, const struct store_stream *row);
/* NULL when there is none. Loop. */
struct live_stream *stream_find(struct daemon *d, const char *name);
/*
 * Finds or creates. `cb` gets the stream, or NULL and why: ERR_CONFLICT for another kind, ERR_LIMIT
 * for too many streams, ERR_INVALID for a bad name. It may be called before this returns. Loop.
 */
void stream_open(struct daemon *d, const char *name, enum stream_kind kind, const char *source,
                 void (*cb)(void *arg, struct live_stream *s, int status, const struct errmsg *err),
                 void *arg);
/* Index of a channel, made when it is new; ERR_LIMIT, ERR_INVALID, ERR_NOMEM. Loop. */
int stream_channel(struct live_stream *s, const char *name, size_t size, uint16_t *ret_index);

/*
 * A channel's name goes: samples of it that still come get a new number, and what is written from
 * now on calls the old one "(forgotten N)". Loop.
 */
void stream_forget_channel(struct live_stream *s, uint16_t index);
/* The name, in `room` if it was forgotten. Any thread. */
#define CHANNEL_GONE_ROOM 24
const char *stream_channel_name(const struct live_stream *s, uint16_t index,
                                char room[CHANNEL_GONE_ROOM]);
/* Numbers a batch's samples as `to` numbers its channels; ERR_NOMEM, ERR_LIMIT. Loop. */
int stream_renumber(struct batch *b, struct live_stream *to);
/* Tells a batch's submitter that it was not taken. */
void stream_refuse(struct batch *b, int status, const struct errmsg *err);

/* Takes the batch over; its acked_cb is called in the end, whatever happens. Loop. */
void stream_submit(struct batch *b);
/* True while a durable submitter should stop reading. Loop. */
bool stream_is_full(const struct live_stream *s);
/* Calls w->resume once, when there is room again. Again while it waits: nothing changes. Loop. */
void stream_wait(struct stream_waiter *w);
void stream_wait_cancel(struct stream_waiter *w);
/* Room may have come for any stream: tells those who wait. Loop. */
void streams_resume(struct daemon *d);

/* `cb` when all that was submitted before is searchable, open moments included. Loop. */
void stream_flush(struct live_stream *s,
                  void (*cb)(void *arg, int status, const struct errmsg *err), void *arg);
/* The number that the next unnumbered record gets. Any thread. */
static inline uint64_t stream_next_seq(const struct live_stream *s)
{
    return atomic_load(&s->counters.next_seq);
}
/* Puts a question to the stream's model. Loop. */
void stream_ask_model(struct live_stream *s, struct stream_call *call);
/* What every text stream redacts by from now on; nothing changes when a pattern is wrong. Loop. */
int streams_set_redaction(struct daemon *d, const struct config *config, struct errmsg *err);
/*
 * Takes a stream out of the daemon's list before it is forgotten; then stream_retired, with `gone`
 * when it was, else it serves again. Loop.
 */
void stream_retire(struct live_stream *s);
void stream_retired(struct live_stream *s, bool gone);
/* A batch for one that has left. */
void stream_hold(struct batch *b);
/* Is one of this name being forgotten just now? */
bool stream_is_leaving(const struct daemon *d, const char *name);
/* Once a second: lets go what has waited long enough. Loop. */
void stream_tick(struct live_stream *s);
/* Gives the model's state to the writer, if it has learnt something. Loop. */
void stream_snapshot(struct live_stream *s);
/* True while anything of it is on its way: in the inbox or in a turn. Loop. */
bool stream_is_busy(const struct live_stream *s);

#endif
