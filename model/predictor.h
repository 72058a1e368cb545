/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One channel's forecast of its next sample and of later ones, learnt online and without training.
 *
 * Eight small experts forecast each sample: the last value, a quick and a slow level, a damped
 * trend, the time of day, the hour of the week, one period ago (the period is found by
 * autocorrelation), and a recursive regression over what the others know. The better ones of late
 * carry the forecast. Later horizons use the first seven, each horizon with its own record of who
 * was right. Memory about 12 KiB, no allocation. One owner, no thread.
 */
#ifndef VARVE_MODEL_PREDICTOR_H
#define VARVE_MODEL_PREDICTOR_H

#include <stdbool.h>
#include <stdint.h>

#include "model/residual.h"
#include "model/state.h"

#define PREDICTOR_RING 512   /* samples kept */
#define PREDICTOR_FORMS 1024 /* normalised samples kept for the search of a period */
#define PREDICTOR_DAY 96     /* quarters of an hour */
#define PREDICTOR_WEEK 168   /* hours */
#define PREDICTOR_INPUTS 8   /* of the regression */
#define PREDICTOR_HORIZONS 5

enum predictor_expert {
    EXPERT_LAST,
    EXPERT_LEVEL,
    EXPERT_SLOW,
    EXPERT_TREND,
    EXPERT_DAY,
    EXPERT_WEEK,
    EXPERT_PERIOD,
    EXPERT_REGRESSION,
    EXPERTS,
};

/* A forecast made `steps` ago (at record `made`), to be judged at `made + steps`. */
struct predictor_pending {
    uint64_t made;
    double by[EXPERT_REGRESSION];
};

struct predictor {
    uint64_t seen;
    int64_t time;                            /* of the last sample */
    double step;                             /* usual distance of samples, microseconds */
    double last, level, trend, slow, spread; /* spread: mean distance from `slow`, robust */
    double grid;     /* smallest change that occurs, roughly: the resolution */
    double usual[2]; /* 5 % and 95 % quantiles of the values, tracked */
    double ring[PREDICTOR_RING];
    float forms[PREDICTOR_FORMS];
    double day[PREDICTOR_DAY], week[PREDICTOR_WEEK];
    uint8_t day_seen[PREDICTOR_DAY], week_seen[PREDICTOR_WEEK];
    /* The search of a period: one lag a sample. */
    uint32_t lag, best_lag, period;
    double power; /* sum of the squares of `forms` */
    double best_score, before_score, before_before, period_score;
    /* Regression over PREDICTOR_INPUTS inputs, recursive least squares. */
    double weights[PREDICTOR_INPUTS];
    double inverse[PREDICTOR_INPUTS][PREDICTOR_INPUTS];
    double season_before;
    double errors[EXPERTS]; /* recent mean absolute error at one step */
    struct predictor_pending pending[PREDICTOR_HORIZONS];
    double horizon_errors[PREDICTOR_HORIZONS][EXPERT_REGRESSION];
    double horizon_outer[PREDICTOR_HORIZONS]; /* 90 % quantile of the absolute error, tracked */
    struct residual residual;
};

#define PREDICTION_RARE 0.004

/* What one sample was, seen from before it. All finite. */
struct prediction {
    double low, high;   /* 90 % interval; only where probability < PREDICTION_RARE, else 0 */
    double probability; /* two-sided, calibrated, 2^-40..1; 1 for the first samples */
    double units;       /* error in units of its usual size */
};

void predictor_init(struct predictor *p);

/* Judges the sample, then learns it. `value` finite. */
void predictor_observe(struct predictor *p, int64_t time, double value, struct prediction *ret);

/*
 * The value `horizon` microseconds after the last sample, with its 90 % interval. Returns 0, or
 * ERR_NOTFOUND when fewer than two samples were seen, or ERR_INVALID for a horizon below 0.
 */
int predictor_forecast(const struct predictor *p, int64_t horizon, double *ret_mid, double *ret_low,
                       double *ret_high);

/* The sample `ago` samples before the last one; ago < PREDICTOR_RING and < seen. */
static inline double predictor_past(const struct predictor *p, uint64_t ago)
{
    return p->ring[(p->seen - 1 - ago) % PREDICTOR_RING];
}

/* What is usual around `time`: by the best season when it explains much, else the slow level. */
double predictor_season(const struct predictor *p, int64_t time);

/* The smallest difference that matters in this channel, > 0. */
double predictor_floor(const struct predictor *p);

/* Saves or loads; see state.h. */
void predictor_walk(struct predictor *p, struct state *s);

#endif
