/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One stream's way from records to moments: sorted by event time inside the lateness bound,
 * observed by the encoder, cut by the segmenter, summarised, routed, handed out.
 *
 * Every record pushed comes out in exactly one moment. Records older than the lateness bound are
 * marked RECORD_LATE, those ahead of their arrival RECORD_FUTURE; both run in a lane of their own
 * beside the main one, so that a straggler, a second log or a clock that is off cuts no moment in
 * two. No moment spans a step back in time.
 *
 * Thread: one at a time for one stream; streams share nothing. Once warm nothing is allocated for
 * records of the usual sizes.
 */
#ifndef VARVE_PIPELINE_STREAM_H
#define VARVE_PIPELINE_STREAM_H

#include "base/clock.h"
#include "base/error.h"
#include "base/record.h"
#include "model/encoder.h"
#include "pipeline/segment.h"

struct pipeline_stream;

struct pipeline_options {
    enum stream_kind kind;
    int64_t lateness_us; /* 0: 5 s */
    int64_t silence_us;  /* a moment closes after that much wall time without a record; 0: 30 s,
                            stretched for streams that are slower than that, up to max_open_us */
    int64_t max_open_us; /* a moment is open no longer than that of wall time; 0: 5 min */
    uint32_t open_bytes;   /* records in an open moment; 0: 4 MiB */
    struct segment_options segment;
    double tau_min, tau_max; /* the router's bounds for the latent path; 0: 0.4 and 0.9 */
    struct encoder *encoder; /* taken over, freed with the stream; NULL: encoder_new(kind) */
    const struct clock *clock;
};

struct pipeline_callbacks {
    void *arg;
    /*
     * A closed moment; all of it lives until the call returns. Not 0 is returned by the pipeline
     * call that led here, after the stream has put itself in order: the moment counts as delivered.
     */
    int (*moment)(void *arg, const struct moment *m);
    /* What the encoder said of a record, in the order of observation, before its moment. May be
     * NULL. */
    void (*observed)(void *arg, const struct record *r, const struct observation *o);
};

struct pipeline_stats {
    uint64_t records, late, future; /* pushed */
    uint64_t moments, latent, discrete;
    uint64_t tokens;  /* video: patches that its frames were looked at in, since the start */
    uint32_t waiting; /* records in the sorter */
    uint32_t open;    /* records in open moments */
    uint64_t bytes;   /* memory the stream holds, without its encoder */
    float tau;        /* the router's threshold now */
};

int pipeline_stream_new(const struct pipeline_options *options,
                        const struct pipeline_callbacks *callbacks, struct pipeline_stream **ret);
void pipeline_stream_free(struct pipeline_stream *s);

/* Names a sensor channel before its first sample. */
int pipeline_stream_channel(struct pipeline_stream *s, uint16_t index, const char *name);
/*
 * Takes copies. 0, ERR_NOMEM (the records from *ret_taken on were not taken; may be NULL), or what
 * the moment callback returned.
 */
int pipeline_stream_push(struct pipeline_stream *s, const struct record *records, uint32_t count,
                         uint32_t *ret_taken);
/* Call about once a second: lets go what has waited long enough by the clock, closes silent
 * moments. */
int pipeline_stream_tick(struct pipeline_stream *s);
/* Everything out, open moments closed (END_FLUSH). */
int pipeline_stream_flush(struct pipeline_stream *s);
/* How full the queues before the model are, 0..1; the router's tau follows: under load more goes
 * the latent path. */
void pipeline_stream_load_set(struct pipeline_stream *s, double fill);

void pipeline_stream_stats(const struct pipeline_stream *s, struct pipeline_stats *ret);
/* Texts that the model keeps and `knows` says so of go, and channels so named; tell the names of those
 * that stay again. */
void pipeline_stream_forget(struct pipeline_stream *s,
                            bool (*knows)(const void *arg, const char *text, size_t size),
                            const void *arg);
/* The highest seq that the encoder has learnt from; 0: none, UINT64_MAX: not known. */
uint64_t pipeline_stream_observed(const struct pipeline_stream *s);
/*
 * Learns from the records of a moment that is stored already and newer than the snapshot, as after
 * a kill: those above the highest seq it knew, in the given order. Before the first push; no moment
 * comes of it.
 */
void pipeline_stream_relearn(struct pipeline_stream *s, const struct record *records,
                             uint32_t count);
/* For template texts. Borrowed. */
const struct encoder *pipeline_stream_encoder(const struct pipeline_stream *s);

/*
 * What was learnt (encoder, segmenter, codebook), not the open records: flush first. Brief: without
 * what is large and soon learnt again (encoder.h).
 */
int pipeline_stream_save(const struct pipeline_stream *s, bool brief, struct buf *out);
/* Into a fresh stream of the same kind. ERR_CORRUPT leaves it fresh enough to use. */
int pipeline_stream_restore(struct pipeline_stream *s, const void *data, size_t size,
                            struct errmsg *err);

#endif
