/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Facts with versions: values that records stated, each from when until when it held. A value that
 * is contradicted keeps its span; "as of" is a question of time, not of what was said last.
 *
 * Thread: as the reader. Every call is one snapshot of its own, or part of one that runs.
 */
#ifndef VARVE_MEMORY_FACT_H
#define VARVE_MEMORY_FACT_H

#include "base/arena.h"
#include "base/error.h"
#include "memory/reader.h"

struct fact {
    int64_t id, stream;
    const char *stream_name;
    const char *subject; /* lower case: "thermostat in room a setpoint" */
    const char *value;
    int64_t since; /* event time; TIME_MIN: it was so before the first record that told of it */
    int64_t until; /* when another value took its place; TIME_UNKNOWN: it still holds */
    int64_t last;  /* when it was said last */
    int64_t
        moment;    /* that stated it first; may have been let go, 0 when only a change told of it */
    uint32_t seen; /* how often it was said */
    float match;   /* fact_search: share of the question's words, weighted by rarity, 0..1 */
};

/*
 * Facts whose subject (or value) holds words of the question, best first; stop words count nothing,
 * words are compared as the index does. `at`: only what held then; TIME_UNKNOWN: what holds now.
 */
int fact_search(struct reader *r, const char *question, int64_t at, uint32_t limit,
                struct arena *arena, struct fact **ret, uint32_t *ret_count, struct errmsg *err);

/* All versions of the subjects that hold the word or words, subject by subject, in time order. */
int fact_about(struct reader *r, const char *words, uint32_t limit, struct arena *arena,
               struct fact **ret, uint32_t *ret_count, struct errmsg *err);

/* Versions that began in [since, until): those that replaced another value first, then by time. */
int fact_changes(struct reader *r, int64_t since, int64_t until, uint32_t limit,
                 struct arena *arena, struct fact **ret, uint32_t *ret_count, struct errmsg *err);

#endif
