/* SPDX-License-Identifier: Apache-2.0 */
/* Makes a file out of what trees_copy found: every invariant of memory/verify.h holds again. */
#ifndef VARVE_MEMORY_SALVAGE_MEND_H
#define VARVE_MEMORY_SALVAGE_MEND_H

#include "memory/salvage/salvage.h"
#include "memory/store_internal.h"

/*
 * Checks every block of evidence, makes moments whose row is lost again from it, drops what belongs
 * to nothing any more, and fills index, counters and marks for consolidation. The temporary table
 * `place` is trees_copy's. With `spare` nothing stays but what evidence proves: no spans above the
 * moments, no moments without evidence.
 */
int mend_all(struct store *s, bool spare, struct salvage_report *report, struct errmsg *err);

/* mend_moments.c: the moments and their evidence. */
int mend_moments(struct store *s, struct salvage_report *report, struct errmsg *err);
/* mend_gone.c: moments without evidence have their numbers in table gone, whose ranges are apart.
 */
int mend_gone(struct store *s, struct salvage_report *report, struct errmsg *err);
/* mend_words.c: the index of every span, and the marks for consolidation. */
int mend_words(struct store *s, struct errmsg *err);
/* mend_journal.c: journaled records that lie in no moment, each once. */
int mend_journal(struct store *s, struct salvage_report *report, struct errmsg *err);

/* Counts rows of a table that were found and cannot stay. */
void mend_count(struct salvage_report *report, const char *table, uint64_t rows);

#endif
