/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What sort of answer a question wants, by fixed English forms: "how many …", "what came just
 * before …", "was … normal …". Pure: text in, the sort and what it is about out. Any thread.
 *
 * `about` is the question without the words that only ask, time phrases and names still in it; what
 * is of no known form is QUESTION_PLAIN with its whole text.
 */
#ifndef VARVE_MEMORY_QUESTION_H
#define VARVE_MEMORY_QUESTION_H

#include <stdbool.h>

#include "base/record.h"
#include "memory/timephrase.h"
#include "memory/words.h"

enum question_kind {
    QUESTION_PLAIN,
    QUESTION_WHEN,    /* when did … [last|first] … */
    QUESTION_COUNT,   /* how often, how many times, how many … were there */
    QUESTION_AMOUNT,  /* how many …: an amount that a record may state, else a count */
    QUESTION_BEFORE,  /* what came just before …, what led to …, why did we get … */
    QUESTION_AFTER,   /* what came just after …, what followed … */
    QUESTION_CHANGED, /* what changed … */
    QUESTION_NORMAL,  /* was … normal, anything unusual with … */
    QUESTION_USUAL,   /* what is the usual … */
    QUESTION_STATE,   /* what is …, who …, which …: what holds, now or at a time */
    QUESTION_EXISTS,  /* did …, was there … */
};

/* "plain", "when", … */
const char *question_form_name(enum question_kind kind);

enum question_which { QUESTION_ANY, QUESTION_FIRST, QUESTION_LAST };

struct question {
    enum question_kind kind;
    enum question_which which;
    bool cause; /* BEFORE: the first of what led to it rather than the nearest */
    bool lasts; /* STATE: of what holds for a time, not of an event */
    char about[TIMEPHRASE_TEXT_MAX + 1];
};

void question_parse(struct slice text, struct question *ret);

/* What a question says of microphones and cameras. */
struct question_sense {
    enum stream_kind kind; /* KIND_AUDIO, KIND_VIDEO; 0: it does not say */
    bool meanwhile;        /* what else there was when ..., what was heard at the time of ... */
};

/* Cuts out of its `about` who heard or saw it. */
void question_cut_sense(struct question *q, struct question_sense *ret);

/* Does it hold nothing but words that ask without saying what about? 0 or ERR_NOMEM. */
int question_is_generic(struct slice text, bool *ret);
/* Cuts out words that ask for what was out of the usual: every gist of such holds the word itself.
 * Tells whether there were any. */
bool question_drop_unusual(char *text);

#endif
