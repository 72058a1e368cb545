/* SPDX-License-Identifier: Apache-2.0 */
/* What was unusual about a sample, in words for people. No state; any thread. */
#ifndef VARVE_MODEL_SENSOR_WORDS_H
#define VARVE_MODEL_SENSOR_WORDS_H

#include "model/novelty.h"
#include "model/predictor.h"

struct sensor_words {
    const char *name; /* of the channel; NULL: nothing here */
    int64_t time;
    double value;
    double season;   /* what was expected of it */
    double usual[2]; /* where nine of ten values lay before */
    uint64_t still;  /* samples without a move */
    int64_t still_since;
    struct prediction prediction;
    struct novelty_finding finding;
};

/* "cpu 97.2, usually 3 to 21", "level of temp fell from 21.3 to 17.9", "cpu flat at 3.1 for 40 min,
 * …" */
void sensor_words_alert(const struct sensor_words *w, char *ret, size_t size);
/* The same for a sample that is only rare; "" when it is not even that. `bits`: of its record. */
void sensor_words_rare(const struct sensor_words *w, double bits, char *ret, size_t size);

#endif
