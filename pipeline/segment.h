/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a moment ends: robust surprise, topic shift, a gap in time, or a change of a sensor's
 * regime (EM-LLM's surprise boundaries with modularity refinement, HiMem's "topic or surprise",
 * made robust by median and MAD). Fed with one observation a record; a cut is decided up to `lag`
 * records later. Thread: one at a time. Allocates at _new only.
 */
#ifndef VARVE_PIPELINE_SEGMENT_H
#define VARVE_PIPELINE_SEGMENT_H

#include "base/error.h"
#include "base/record.h"
#include "model/encoder.h"

#define SEGMENT_LAG_MAX 256
#define SEGMENT_WINDOW (MOMENT_RECORDS + SEGMENT_LAG_MAX)

/* Zeroed: everything on, default numbers. Each switch turns one ingredient off (benchmarks). */
struct segment_options {
    bool no_surprise, no_shift, no_gap, no_refine, no_regime;
    float gamma;          /* robust z of surprise; 0: 3 */
    float shift;          /* cosine distance of adjacent windows, robust z; 0: 4 */
    uint32_t min_records; /* 0: 8 */
    uint32_t max_records; /* 0, or more than that: MOMENT_RECORDS */
};

struct segmenter;

int segmenter_new(enum stream_kind kind, const struct segment_options *options,
                  struct segmenter **ret);
void segmenter_free(struct segmenter *s);

/*
 * One more record behind the window. The caller then asks segmenter_cut until it gives 0.
 * Of `o` bits (finite), latent (not NULL, copied) and shift are read; `backward` demands a cut
 * before this record.
 */
void segmenter_push(struct segmenter *s, int64_t time, const struct observation *o, bool backward);

struct segment_cut {
    uint32_t count; /* the first so many records of the window are a moment: 1..max_records */
    enum moment_end ended;
    float latent[LATENT_DIM]; /* of the moment, unit length or zero */
};

/* 0: no cut is due. SEGMENT_CUT: a moment ended; its records have left the window. */
#define SEGMENT_CUT 1
int segmenter_cut(struct segmenter *s, struct segment_cut *ret);
/* Closes what is left, as far as max_records allows; call until it gives 0. */
int segmenter_flush(struct segmenter *s, enum moment_end why, struct segment_cut *ret);

/* How many of the window's first records will not have a cut before them any more, the first one's
 * own aside: with it, rows are printed with a bounded lag. Asked after segmenter_cut gave 0. */
uint32_t segmenter_settled(const struct segmenter *s);
/* How long a stream may be silent until it is beyond its usual, microseconds. */
int64_t segmenter_usual_gap(const struct segmenter *s);
/* Robust z of a surprise against the stream's recent records. */
float segmenter_z(const struct segmenter *s, double bits);

int segmenter_save(const struct segmenter *s, struct buf *out);
/* Checks what it reads: ERR_CORRUPT. */
int segmenter_load(struct segmenter *s, struct cursor *in, struct errmsg *err);
/*
 * What segmenter_save leaves out: the state between two records of a segmenter that goes on. Loaded
 * behind segmenter_load.
 */
void segmenter_save_phase(const struct segmenter *s, struct buf *out);
int segmenter_load_phase(struct segmenter *s, struct cursor *in, struct errmsg *err);

#endif
