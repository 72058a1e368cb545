/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a source's bytes to batches: a record reader whose records are collected and submitted with
 * the place in the source that lies behind them. One for each input; the loop's.
 */
#ifndef VARVE_DAEMON_FEED_H
#define VARVE_DAEMON_FEED_H

#include "daemon/sources/source.h"

struct feed;

/* `ss` is open. `label` names the input in error texts (a path); copied. 0 or ERR_NOMEM. */
int feed_new(struct source_stream *ss, const char *label, struct feed **ret);
/* NULL is allowed. */
void feed_free(struct feed *f);
/* Takes bytes in; records that end in them wait for feed_submit. 0 or ERR_NOMEM. */
int feed_bytes(struct feed *f, const void *data, size_t size);
/* The input ended: a last line without its newline is a record. */
int feed_end(struct feed *f);
/* A new input begins at the next byte. */
void feed_restart(struct feed *f);
/* What an input's beginning decided, and an input taken up in its middle (pipeline/reader.h). */
struct slice feed_head(const struct feed *f);
int feed_resume(struct feed *f, struct slice head);
/* Bytes of a line whose end has not come yet. */
size_t feed_partial(const struct feed *f);
/*
 * Submits what was collected, if anything. With a key the place is committed together with it, also
 * where there is no record to submit. 0, or ERR_NOMEM: all is still collected.
 */
int feed_submit(struct feed *f, const char *place_key, struct slice place);

#endif
