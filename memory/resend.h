/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looks up records by their seq, to recognise a resend and to sort out after a crash what lies in a
 * moment already. Its cost is that of the moments and batches around the asked range.
 */
#ifndef VARVE_MEMORY_RESEND_H
#define VARVE_MEMORY_RESEND_H

#include "base/record.h"
#include "memory/reader.h"

/*
 * Calls `each` for every stored record of the stream with seq_first <= seq <= seq_last, journaled
 * or in a moment, in no order; one that is in both comes twice. `hash` is its record_hash.
 */
int evidence_find_seq(struct reader *r, int64_t stream, uint64_t seq_first, uint64_t seq_last,
                      void (*each)(void *arg, uint64_t seq, uint64_t hash), void *arg,
                      struct errmsg *err);

/*
 * Whether the number was stored and then let go (evicted or forgotten): its payload is not known any
 * more, so whatever comes under it again is taken for a resend.
 */
int evidence_seq_gone(struct reader *r, int64_t stream, uint64_t seq, bool *ret,
                      struct errmsg *err);

/*
 * Calls `each` for the records of the newest `most` moments of the stream that hold a seq above
 * `seq`, oldest moment first; they live for the call. Moments whose evidence was let go are left
 * out.
 */
int evidence_after(struct reader *r, int64_t stream, uint64_t seq, uint32_t most,
                   void (*each)(void *arg, const struct record *records, uint32_t count), void *arg,
                   struct errmsg *err);

/* The same on a bare connection, for this folder. */
struct sqlite3;
int resend_find(struct sqlite3 *db, int64_t stream, uint64_t seq_first, uint64_t seq_last,
                bool journal, void (*each)(void *arg, uint64_t seq, uint64_t hash), void *arg,
                struct errmsg *err);
/* The ranges of numbers let go that reach into seq_first..seq_last, appended as pairs of uint64_t.
 */
int resend_find_gone(struct sqlite3 *db, int64_t stream, uint64_t seq_first, uint64_t seq_last,
                     struct buf *out, struct errmsg *err);

#endif
