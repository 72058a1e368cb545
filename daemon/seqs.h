/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sequence numbers of one stream: which are taken, and by what. The newest are kept in a ring
 * by hash; older ones are looked up in the file. This is what makes a resend harmless. One owner at
 * a time.
 */
#ifndef VARVE_DAEMON_SEQS_H
#define VARVE_DAEMON_SEQS_H

#include "base/error.h"
#include "base/record.h"

struct seqs;

enum seq_verdict { SEQ_NEW, SEQ_SAME, SEQ_OTHER, SEQ_OLD /* ask the file */ };

/* `next` is one past the highest number taken so far. */
int seqs_new(uint64_t next, struct seqs **ret);
/* NULL is allowed. */
void seqs_free(struct seqs *s);
uint64_t seqs_next(const struct seqs *s);
enum seq_verdict seqs_check(const struct seqs *s, uint64_t seq, uint64_t hash);
/* Takes it. Returns true when it leaves a gap before it. Never fails. */
bool seqs_take(struct seqs *s, uint64_t seq, uint64_t hash);
/* Gives a number back whose record could not be journaled: the next sender may use it. */
void seqs_untake(struct seqs *s, uint64_t seq);
/* Numbers from `next` on were all given back: they are free again. */
void seqs_rewind(struct seqs *s, uint64_t next);

#endif
