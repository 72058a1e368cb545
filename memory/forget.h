/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Forgetting for good: records, their evidence, every summary's share of them, latents, words,
 * numbers of entities, and what the file keeps of all that in free pages, gaps and WAL.
 *
 * Happy path: a plan is made in the file (ids of what goes, never the pattern), carried out in
 * bounded steps, the file cleared, the plan's last row removed. A kill before the plan is complete
 * leaves everything as it was; a kill later leaves the rest to forget_finish at the next start.
 *
 * It covers what lies in moments when it begins: flush streams first. Thread: the writer's; a
 * struct forget is handed over between threads, never used by two at a time.
 */
#ifndef VARVE_MEMORY_FORGET_H
#define VARVE_MEMORY_FORGET_H

#include "memory/store.h"

#define FORGET_MATCH_MAX 1024 /* bytes of a pattern */
#define FORGET_IDS_MAX 1000   /* ids in a receipt */
#define FORGET_STEP_ROOM (64 << 10) /* for store_make_room before a step: what goes needs some, too */

/* What to forget: `id` alone, or what fits all of the others that are given. */
struct forget_selector {
    int64_t id;           /* a memory of any stratum with all below it; 0: none */
    int64_t stream;       /* 0: any. Alone: the stream itself goes as well */
    int64_t since, until; /* records of since <= time < until; TIME_UNKNOWN: open */
    struct slice match;   /* records whose text or ref holds it, case folded; size 0: any */
    bool dry;             /* only count: nothing changes */
};

enum forget_phase {
    FORGET_PLANNING,
    FORGET_ERASING,
    FORGET_MODELS, /* the caller's: models of forget_streams must drop what forget_knows before the
                      step, which takes their states from the file, and be saved after it */
    FORGET_INDEX,  /* deleted words leave the index when its segments merge */
    FORGET_ROOM,   /* free pages go back to the file system */
    FORGET_FILE,   /* the rest of the file is cleared: outside of a transaction */
    FORGET_ENDING,
    FORGET_DONE
};

struct forget_receipt {
    uint64_t records, bytes; /* of payload */
    uint64_t moments;        /* that went whole */
    uint64_t rewritten;      /* that lost some records, or words that told of them */
    uint64_t spans;          /* above that were made again */
    uint64_t streams;        /* that went */
    uint64_t planned, done;  /* pieces of work, for progress */
    const int64_t *ids;      /* of the moments, the first FORGET_IDS_MAX */
    uint32_t id_count;
    unsigned char hash[16]; /* over stream and number of every record, in order */
};

struct forget;

/* ERR_INVALID with the reason for a selector that says nothing or contradicts itself. */
int forget_new(const struct forget_selector *selector, struct forget **ret, struct errmsg *err);
/*
 * The name of a sensor stream's channel goes as well: no record that comes from now on may use its
 * number, and all that did hold the pattern. Before the first step. 0 or ERR_NOMEM.
 */
int forget_channel(struct forget *f, int64_t stream, uint16_t index);
/* NULL is allowed. */
void forget_free(struct forget *f);

enum forget_phase forget_phase(const struct forget *f);
/*
 * One bounded step of the phase, inside a transaction of the caller's unless that is FORGET_FILE.
 * ERR_NOTFOUND: no such memory or stream. forget_settle must follow, once the transaction is
 * committed or rolled back; then the phase may be another. In FORGET_MODELS it takes the models as
 * done.
 */
int forget_step(struct store *s, struct forget *f, struct errmsg *err);
void forget_settle(struct forget *f, bool committed);
void forget_receipt(const struct forget *f, struct forget_receipt *ret);

/* Ids of the streams that records were taken from, or whose models may know of them. */
const int64_t *forget_streams(const struct forget *f, uint32_t *ret_count);
/* Does the text hold the pattern, or a word that only what was forgotten held? Any thread. */
bool forget_knows(const struct forget *f, struct slice text);
/* Ids of all moments whose latents went, for the sketches. */
const int64_t *forget_moments(const struct forget *f, size_t *ret_count);

/* At start, before anything else: carries out what a kill left. *ret_did: there was something.
 * Models of the streams it touched begin anew. ERR_BUSY: the file could not be cleared for another
 * program's reading; ERR_FULL: there was no room for it; the rest stays planned. */
int forget_finish(struct store *s, bool *ret_did, struct errmsg *err);

#endif
