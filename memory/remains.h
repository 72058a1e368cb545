/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is still told of records that were let go: the unusual runs of a moment whose evidence is
 * gone, the lines of a span's gist whose moments are gone ("unusual 00:46:02 network: …"). They are
 * searched and shown as records without a number.
 */
#ifndef VARVE_MEMORY_REMAINS_H
#define VARVE_MEMORY_REMAINS_H

#include "memory/reader_internal.h"

/*
 * Lines of a gist and runs of a moment, in `arena`; their records have seq 0, the time as exact as
 * it is told, and "stream: words" as text above stratum 0.
 */
int remains_read(struct reader *r, const struct moment_row *row, struct arena *arena,
                 struct record **ret, uint32_t *ret_count, struct errmsg *err);

/* Which share 0..1 of the moments that a span was made of is gone. */
int remains_gone(struct reader *r, const struct moment_row *row, double *ret, struct errmsg *err);

/*
 * Unusual runs of [since, until) that only gists tell of, as runs of the span; at most `max`. Their
 * score is an alert's, or less where it was only the first of its kind.
 */
int remains_runs(struct reader *r, const struct reader_filter *f, uint32_t max,
                 struct recall_unusual *ret, uint32_t *ret_count, struct errmsg *err);

#endif
