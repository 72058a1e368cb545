/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Remarkable things of a time, on all streams: unusual runs, and records with words that hardly
 * ever occur. What stands close to remarkable things of other streams counts more: causes and
 * effects seldom keep to one stream.
 */
#ifndef VARVE_MEMORY_EVENTS_H
#define VARVE_MEMORY_EVENTS_H

#include "memory/answer.h"

#define EVENTS_MAX 512

struct event {
    int64_t moment, stream, start, end;
    const struct record *record;      /* NULL: an unusual run */
    const struct recall_unusual *run; /* NULL: a record */
    const char *title;                /* of a whole moment, that is neither */
    double strength;                  /* about 0..1 */
    double score;
};

struct events {
    struct answering *a;
    struct event *items;
    uint32_t count;
};

/* Words that mark a record: letters only, in a few records of memory. */
struct marks {
    const struct words_df *df;
    uint64_t rare[16];
    uint32_t count;
    double strength; /* of the rarest, 0..1 */
    double total;
};

int events_init(struct events *e, struct answering *a, struct errmsg *err);
void events_add(struct events *e, const struct event *one);
struct event event_of_run(const struct answering *a, const struct recall_unusual *u);
struct marks marks_of(const struct reader *r, struct slice text);
bool marks_shared(const struct marks *a, const struct marks *b);

/* How many other streams, up to two, had an unusual run within minutes of it. */
uint32_t events_company(const struct recall_unusual *runs, uint32_t count, const char *stream,
                        int64_t start, int64_t end);

/* Best score first. */
void events_sort(struct events *e);
/* Puts the best `most` into the answer's lists; call answer_room before. */
int events_show(struct events *e, uint32_t most, const char *through, struct errmsg *err);
/* Answers with what was remarkable right before and after a moment of sound or pictures: as the
 * answer_ functions. */
int events_beside(struct answering *a, const struct rank_query *rank, const struct event *moment,
                  struct errmsg *err);
void events_say(struct answering *a, const struct event *e);

#endif
