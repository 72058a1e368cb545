/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A moment in words: its title, its gist, what in it was unusual, and the entities it names.
 *
 * Thread: a summariser belongs to one stream, one thread at a time. Once warm it allocates nothing.
 */
#ifndef VARVE_PIPELINE_SUMMARY_H
#define VARVE_PIPELINE_SUMMARY_H

#include "base/error.h"
#include "base/record.h"
#include "model/encoder.h"

#define GIST_MAX 1500
#define WHY_MAX 160

/* What the encoder said of a record, kept until its moment closes. */
struct noted {
    float bits, z, score;
    uint32_t template_id;
    char why[WHY_MAX];
    float traits[OBSERVATION_TRAITS];
};

struct summariser;

/* The encoder is borrowed for as long as the summariser lives. */
int summariser_new(enum stream_kind kind, const struct encoder *encoder, struct summariser **ret);
void summariser_free(struct summariser *s);
/* Sensors: a channel's name. */
int summariser_channel(struct summariser *s, uint16_t index, const char *name);

/* Sensors: channels whose names `knows` says so of begin anew, nameless. */
void summariser_forget(struct summariser *s,
                       bool (*knows)(const void *arg, const char *text, size_t size),
                       const void *arg);

/*
 * Reads kind, records and record_count of `m` and fills start, end, flags, bits, bits_max, z,
 * unusual, entities, tallies, facts, title and gist. All of it points into the summariser and lives until the next
 * call.
 */
void summariser_sum(struct summariser *s, const struct noted *notes, struct moment *m);

/* What it knows of the stream's usual words and ranges. ERR_CORRUPT leaves it usable. */
int summariser_save(const struct summariser *s, struct buf *out);
int summariser_load(struct summariser *s, struct cursor *in, struct errmsg *err);

#endif
