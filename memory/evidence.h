/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records as bytes: the block in which the journal and every moment keep their originals (zstd over
 * a versioned, columnar layout, sound as FLAC; docs/format.md). Pure functions, any thread.
 */
#ifndef VARVE_MEMORY_EVIDENCE_H
#define VARVE_MEMORY_EVIDENCE_H

#include "base/arena.h"
#include "base/error.h"
#include "base/record.h"

#define EVIDENCE_HEADER 28
#define EVIDENCE_BODY_MAX (64u << 20)
#define EVIDENCE_RECORDS_MAX (1u << 20)

/*
 * Appends the block of `count` records to `out`. level: zstd's (1 for the journal, which leaves
 * sound as it is; 3 for moments). ERR_NOMEM; ERR_LIMIT when they are over the bounds above;
 * ERR_RANGE for a channel over CHANNELS_MAX.
 */
int evidence_encode(const struct record *records, uint32_t count, int level, struct buf *out);

/*
 * Reads a block that is not trusted; the records and all they point to live in `arena`.
 * ERR_CORRUPT with the place; at most 64 MiB decompressed.
 */
int evidence_decode(struct slice block, struct arena *arena, struct record **ret_records,
                    uint32_t *ret_count, struct errmsg *err);

/* What a block's header says, without looking into it. */
struct evidence_info {
    uint32_t count;
    uint32_t body_size;
    unsigned char hash[16]; /* XXH3-128 of the body: the same records always give the same */
};

int evidence_info(struct slice block, struct evidence_info *ret, struct errmsg *err);

/*
 * All refs of a block's records, one behind the other, and all texts: to see quickly what is
 * nowhere in it. In `arena`. Errors as above, but records are not checked one by one, nor the hash
 * of sound.
 */
int evidence_texts(struct slice block, struct arena *arena, struct slice *ret_refs,
                   struct slice *ret_texts, struct errmsg *err);

#endif
