/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One line of time inside a stream: a sorter, the segmenter's window and the records in it. A
 * stream has a main lane and, once it was needed, a second one for what does not fit into the
 * first.
 */
#ifndef VARVE_PIPELINE_LANE_H
#define VARVE_PIPELINE_LANE_H

#include "pipeline/segment.h"
#include "pipeline/sorter.h"
#include "pipeline/summary.h"

struct lane {
    struct sorter sorter;
    struct segmenter *segmenter;
    uint32_t open; /* records in the window */
    size_t open_bytes;
    int64_t last_time; /* of the newest of them */
    int64_t last_mono; /* when something last came into the lane */
    int64_t open_mono; /* when the oldest of them came in */
    struct block *blocks[SEGMENT_WINDOW];
    struct record records[SEGMENT_WINDOW]; /* pointers into the blocks */
    struct noted notes[SEGMENT_WINDOW];    /* what the encoder said of each */
};

#endif
