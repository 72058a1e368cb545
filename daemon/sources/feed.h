/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a source's bytes to batches: a record reader whose records are collected and submitted with the
 * place in the source that lies behind them. One for each input; the loop's.
 */
#ifndef VARVE_DAEMON_FEED_H
#define VARVE_DAEMON_FEED_H

#include "daemon/sources/source.h"

struct feed;

/* `label` names the input in error texts (a path); copied. 0 or ERR_NOMEM. */
int feed_new(struct source *s, const char *label, struct feed **ret);
/* NULL is allowed. */
void feed_free(struct feed *f);
/* Takes bytes in; records that end in them wait for feed_submit. 0 or ERR_NOMEM. */
int feed_bytes(struct feed *f, const void *data, size_t size);
/* The input ended: a last line without its newline is a record. */
int feed_end(struct feed *f);
/* A new input begins at the next byte. */
void feed_restart(struct feed *f);
/* Bytes of a line whose end has not come yet. */
size_t feed_partial(const struct feed *f);
/*
 * Submits what was collected, if anything. With a key the value is committed together with it, also
 * where there is no record to submit.
 */
void feed_submit(struct feed *f, const char *cursor_key, struct slice cursor);

#endif
