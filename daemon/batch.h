/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A batch: records of one stream on their way from a client or source through the journal and the
 * model. It owns their memory until the last of them lies in a stored moment.
 */
#ifndef VARVE_DAEMON_BATCH_H
#define VARVE_DAEMON_BATCH_H

#include "base/arena.h"
#include "base/record.h"
#include "daemon/writer.h"

struct live_stream;
struct batch;

/* What waits for a stream's turn, in order. */
enum stream_item_kind {
    ITEM_ADMIT,     /* a batch from its submitter */
    ITEM_JOURNALED, /* it is durable: into the pipeline */
    ITEM_REFUSED,   /* the journal could not take it: as if it had never come */
    ITEM_FLUSH,
    ITEM_CALL,
    ITEM_REDACTOR, /* a new configuration's */
    ITEM_TICK,
    ITEM_SNAPSHOT,
};

struct stream_item {
    struct stream_item *next;
    enum stream_item_kind kind;
    struct batch *batch;
};

struct batch {
    struct batch *next;
    struct stream_item item;
    struct live_stream *stream;
    struct arena arena; /* the records and all they point to */
    struct record *records;
    uint32_t count, capacity;
    size_t bytes; /* payload */

    /*
     * What the submitter wants to hear, on the loop, once: status 0 means durable, and `acked` is
     * the highest seq up to which everything received is durable. NULL when nobody waits.
     */
    void (*acked_cb)(struct batch *, int status, uint64_t acked, const struct errmsg *err);
    void *owner;     /* the submitter's */
    uint64_t charge; /* bytes of the submitter's credit that come back with the acknowledgement */

    /* Where the source stands behind this batch; committed with it. Empty: none. */
    char cursor_key[192];
    struct slice cursor; /* in the arena */

    uint16_t channels; /* sensor: how many of the stream's channels are known by now */

    /*
     * A record whose number is taken by another payload: refuses the whole batch, or, for a
     * channel, is left out alone and noted here as pairs of u64: its tag as submitted, its number.
     */
    bool conflicts_singly;
    struct buf conflicts;

    /* Filled in on admission. */
    uint64_t seq_first, seq_last; /* lowest and highest of its records */
    uint64_t high;                /* the stream's highest seq after this batch */
    uint64_t tag;                 /* its number within the stream */
    uint64_t
        leans_on; /* the lowest tag of a batch under way that holds a record it repeats; 0: none */
    uint32_t remaining;           /* records that lie in no stored moment yet */
    int64_t pending_id;           /* in the journal */
    struct buf block;             /* what the journal keeps of it */
    size_t journal_size;          /* of that, as counted; 0: not yet */
    struct store_stream snapshot; /* the stream's counters after this batch */
    uint16_t channels_from;       /* channels that must be written with it */
    struct write_job job;
};

/* NULL when memory is out. */
struct batch *batch_new(struct live_stream *stream);
/* Counts it into the daemon's journal_bytes, out of which batch_free takes it. */
void batch_count_journal(struct batch *b, size_t size);
void batch_free(struct batch *b);
/*
 * A slot for one more record, zeroed; NULL when memory is out. Slots move when the array grows:
 * keep no pointer to an earlier one.
 */
struct record *batch_add(struct batch *b);
/* Copies r and all it points to. 0 or ERR_NOMEM. */
int batch_copy_record(struct batch *b, const struct record *r);

#endif
