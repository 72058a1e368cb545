/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path: predictor_observe once a sample, about a microsecond. Nothing fails: values are kept
 * inside +-LARGE so that differences stay finite, and everything learnt moves by bounded steps.
 * Irregular sampling: the clock experts read the time, the others count samples; a time that stands
 * or runs backwards is taken as one usual step.
 */
#include "model/predictor.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/record.h"

#define LARGE 1e300
/* Levels: a quick one (about 5 samples), a slow one that is the regime (about 512, a moment or
 * two). */
#define LEVEL_RATE 0.2
#define TREND_RATE 0.05
#define TREND_DAMP 0.9
#define SLOW_RATE (1.0 / 512)
/* How fast an expert's record fades: long enough to tell a 10 % difference apart. */
#define ERROR_RATE (1.0 / 128)
/* Clock profiles: about ten visits of a slot are remembered, so a changed habit is learnt in days.
 */
#define PROFILE_RATE 0.1
#define CLIP 6.0 /* an outlier moves levels and profiles by at most this many spreads */
/* Forgetting of the regression: 500 samples, many times its eight inputs. */
#define FORGET 0.998
#define INVERSE_START 10.0
#define INVERSE_MAX 1e4
#define NORMAL_MAX                                                                                 \
    50.0 /* normalised inputs are cut here: one wild sample must not wreck the fit                 \
          */
#define WEIGHT_MAX 100.0
/* Period: lags tried, pairs a lag (noise of the estimate 1/16), and what counts as periodic. */
#define LAG_MIN 3
#define LAG_MAX 480
#define LAG_PAIRS 256
#define FORM_MAX 4.0 /* outliers are cut, or one spike would make its own period */
#define PERIOD_MIN_SCORE 0.35
/* A longer lag must beat a shorter peak by this much: multiples of the period score alike. */
#define PERIOD_BETTER 0.06
#define USUAL_RATE 0.02

static const uint32_t horizon_steps[PREDICTOR_HORIZONS] = {1, 4, 16, 64, 256};

static double sane(double v)
{
    return v > LARGE ? LARGE : v < -LARGE ? -LARGE : isnan(v) ? 0 : v;
}

static double clip(double v, double limit)
{
    return v > limit ? limit : v < -limit ? -limit : v;
}

static double rate_from(uint64_t seen, double steady)
{
    double start = 1 / ((double)seen + 1);
    return start > steady ? start : steady;
}

void predictor_init(struct predictor *p)
{
    memset(p, 0, sizeof(*p));
    p->lag = LAG_MIN;
    for (int i = 0; i < PREDICTOR_INPUTS; i++)
        p->inverse[i][i] = INVERSE_START;
    p->weights[0] = 0.5;
    residual_init(&p->residual);
}

double predictor_floor(const struct predictor *p)
{
    double small = 1e-9 * (fabs(p->slow) + p->spread);
    double floor = 0.25 * p->grid > small ? 0.25 * p->grid : small;
    return floor > 1e-290 ? floor : 1e-290;
}

static uint32_t day_slot(int64_t time)
{
    int64_t in_day = ((time % US_PER_DAY) + US_PER_DAY) % US_PER_DAY;
    return (uint32_t)(in_day / (US_PER_DAY / PREDICTOR_DAY));
}

static uint32_t week_slot(int64_t time)
{
    const int64_t week = 7 * US_PER_DAY;
    return (uint32_t)((((time % week) + week) % week) / (week / PREDICTOR_WEEK));
}

/* One expert's value `steps` samples after the last one, at `time`. */
static double expert(const struct predictor *p, int which, uint64_t steps, int64_t time)
{
    switch (which) {
    case EXPERT_LAST:
        return p->last;
    case EXPERT_LEVEL:
        return p->level;
    case EXPERT_TREND: {
        double left = steps == 1 ? TREND_DAMP : pow(TREND_DAMP, (double)steps);
        return sane(p->last + p->trend * TREND_DAMP * (1 - left) / (1 - TREND_DAMP));
    }
    case EXPERT_DAY:
        return p->day_seen[day_slot(time)] ? p->day[day_slot(time)] : p->slow;
    case EXPERT_WEEK:
        return p->week_seen[week_slot(time)] ? p->week[week_slot(time)] : p->slow;
    case EXPERT_PERIOD:
        if (p->period) {
            uint64_t back = p->period - 1 - (steps - 1) % p->period;
            if (back + 1 < p->seen && back + 1 < PREDICTOR_RING)
                return predictor_past(p, back);
        }
        return p->slow;
    default:
        return p->slow;
    }
}

static int best_season(const struct predictor *p)
{
    int best = EXPERT_SLOW;
    for (int i = EXPERT_DAY; i <= EXPERT_PERIOD; i++)
        if (p->errors[i] < p->errors[best])
            best = i;
    return best;
}

double predictor_season(const struct predictor *p, int64_t time)
{
    int which = best_season(p);
    return which == EXPERT_SLOW ? p->slow : expert(p, which, 1, time);
}

/* Inputs of the regression in units of the spread around the slow level; the last is the constant.
 */
static void regression_inputs(const struct predictor *p, double season, double *in)
{
    double size = p->spread > predictor_floor(p) ? p->spread : predictor_floor(p);
    double before = p->seen > 1 ? predictor_past(p, 1) : p->last;
    double third = p->seen > 2 ? predictor_past(p, 2) : before;
    double raw[PREDICTOR_INPUTS - 1] = {
        p->last, before, third, p->level, season, p->season_before, p->slow + p->trend};
    for (int i = 0; i < PREDICTOR_INPUTS - 1; i++)
        in[i] = clip((raw[i] - p->slow) / size, NORMAL_MAX);
    in[PREDICTOR_INPUTS - 1] = 0.25;
}

static void regression_learn(struct predictor *p, const double *in, double error)
{
    double gain[PREDICTOR_INPUTS], power = FORGET;
    for (int i = 0; i < PREDICTOR_INPUTS; i++) {
        gain[i] = 0;
        for (int j = 0; j < PREDICTOR_INPUTS; j++)
            gain[i] += p->inverse[i][j] * in[j];
        power += gain[i] * in[i];
    }
    double trace = 0, by = 1 / power, grow = 1 / FORGET;
    for (int i = 0; i < PREDICTOR_INPUTS; i++) {
        p->weights[i] = clip(p->weights[i] + gain[i] * by * error, WEIGHT_MAX);
        for (int j = 0; j < PREDICTOR_INPUTS; j++)
            p->inverse[i][j] = (p->inverse[i][j] - gain[i] * gain[j] * by) * grow;
        trace += p->inverse[i][i];
    }
    /* Without news (constant input) the inverse grows without end; rounding can break it. */
    bool broken = !isfinite(trace);
    for (int i = 0; i < PREDICTOR_INPUTS; i++)
        broken |= !(p->inverse[i][i] > 0) || !isfinite(p->weights[i]);
    if (!broken && trace < INVERSE_MAX)
        return;
    if (broken)
        memset(p->weights, 0, sizeof(p->weights));
    memset(p->inverse, 0, sizeof(p->inverse));
    for (int i = 0; i < PREDICTOR_INPUTS; i++)
        p->inverse[i][i] = INVERSE_START;
}

/*
 * Autocorrelation at one lag over LAG_PAIRS pairs of the kept normalised samples; a sweep over all
 * the lags takes LAG_MAX samples and ends with the first clear peak.
 */
static double lag_score(const struct predictor *p, uint32_t lag)
{
    uint64_t have = p->seen < PREDICTOR_FORMS ? p->seen : PREDICTOR_FORMS;
    uint64_t pairs = have > lag ? have - lag : 0;
    if (pairs < lag + 32)
        return 0; /* two whole turns at least */
    uint64_t stride = pairs > LAG_PAIRS ? pairs / LAG_PAIRS : 1;
    uint64_t count = pairs / stride < LAG_PAIRS ? pairs / stride : LAG_PAIRS;
    /* Four sums, because one would wait for itself; single precision is far inside the noise. */
    const uint32_t mask = PREDICTOR_FORMS - 1;
    uint32_t at = (uint32_t)(p->seen - 1), step = (uint32_t)stride;
    float s0 = 0, s1 = 0, s2 = 0, s3 = 0;
    for (uint64_t i = 0; i + 4 <= count; i += 4) {
        s0 += p->forms[at & mask] * p->forms[(at - lag) & mask];
        at -= step;
        s1 += p->forms[at & mask] * p->forms[(at - lag) & mask];
        at -= step;
        s2 += p->forms[at & mask] * p->forms[(at - lag) & mask];
        at -= step;
        s3 += p->forms[at & mask] * p->forms[(at - lag) & mask];
        at -= step;
    }
    double power = p->power / (double)have * (double)(count & ~3ULL);
    return power > 0 ? ((double)s0 + (double)s1 + (double)s2 + (double)s3) / power : 0;
}

static void keep_form(struct predictor *p, double form)
{
    float *slot = &p->forms[p->seen % PREDICTOR_FORMS];
    p->power += form * form - (double)*slot * (double)*slot;
    *slot = (float)form;
    if (p->seen % PREDICTOR_FORMS == 0) {
        p->power = 0;
        for (int i = 0; i < PREDICTOR_FORMS; i++)
            p->power += (double)p->forms[i] * (double)p->forms[i];
    }
}

static void search_period(struct predictor *p)
{
    double score = lag_score(p, p->lag);
    /* The lag before this one was a peak. */
    if (p->lag > LAG_MIN + 1 && p->before_score > p->before_before && p->before_score >= score &&
        p->before_score > p->best_score + PERIOD_BETTER) {
        p->best_score = p->before_score;
        p->best_lag = p->lag - 1;
    }
    p->before_before = p->before_score;
    p->before_score = score;
    if (++p->lag <= LAG_MAX)
        return;
    p->period = p->best_score > PERIOD_MIN_SCORE ? p->best_lag : 0;
    p->period_score = p->best_score;
    p->lag = LAG_MIN;
    p->best_lag = 0;
    p->best_score = p->before_score = p->before_before = 0;
}

static void learn_profile(struct predictor *p, double *slot, uint8_t *seen, double value)
{
    double step = value - *slot;
    if (*seen > 2)
        step = clip(step, CLIP * p->spread);
    *slot = sane(*slot + rate_from(*seen, PROFILE_RATE) * step);
    if (*seen < UINT8_MAX)
        ++*seen;
}

/*
 * Experts weighed by the eighth power of how well they did: equals share, one that is a third worse
 * is out. (Equal weights would let poor ones spoil it; the single best one jumps between near
 * equals.)
 */
static double blend(const double *errors, const double *by, int count, double floor)
{
    double least = errors[0], mix = 0, weight = 0;
    for (int i = 1; i < count; i++)
        least = errors[i] < least ? errors[i] : least;
    for (int i = 0; i < count; i++) {
        double trust = (least + floor) / (errors[i] + floor);
        trust *= trust;
        trust *= trust;
        trust *= trust;
        mix += trust * by[i];
        weight += trust;
    }
    return sane(mix / weight);
}

/* Forecasts for later: judged when their time comes, made anew then. */
static void judge_horizons(struct predictor *p, int64_t time, double value)
{
    for (int h = 0; h < PREDICTOR_HORIZONS; h++) {
        struct predictor_pending *f = &p->pending[h];
        if (f->made && p->seen - f->made < horizon_steps[h])
            continue;
        if (f->made && p->seen - f->made == horizon_steps[h]) {
            double rate = h ? 0.1 : ERROR_RATE, *e = p->horizon_errors[h];
            double mix = blend(e, f->by, EXPERT_REGRESSION, predictor_floor(p));
            double miss = sane(fabs(mix - value));
            for (int i = 0; i < EXPERT_REGRESSION; i++)
                e[i] += rate * (sane(fabs(f->by[i] - value)) - e[i]);
            double *outer = &p->horizon_outer[h];
            double step = 0.1 * (*outer > 0.1 * p->spread ? *outer : 0.1 * p->spread);
            *outer += miss > *outer ? 0.9 * step : -0.1 * step;
            if (*outer < 0)
                *outer = 0;
        }
        f->made = p->seen;
        int64_t at = time + (int64_t)(p->step * horizon_steps[h]);
        for (int i = 0; i < EXPERT_REGRESSION; i++)
            f->by[i] = expert(p, i, horizon_steps[h], at);
    }
}

static void learn_levels(struct predictor *p, int64_t time, double value)
{
    double away = value - p->slow, grid = fabs(value - p->last);
    double limit = CLIP * p->spread + predictor_floor(p);
    double calm = p->seen > 16 ? clip(away, limit) : away;
    double rate = rate_from(p->seen, SLOW_RATE);
    double level_before = p->level;
    p->slow = sane(p->slow + rate * calm);
    p->spread += rate * (fabs(calm) - p->spread);
    /* A level that stays away is the new one: the clip makes the spread follow it, by 1 % a sample.
     */
    p->level = sane(p->level + rate_from(p->seen, LEVEL_RATE) * (value - p->level));
    p->trend = sane(p->trend + TREND_RATE * (p->level - level_before - p->trend));
    if (grid > 0 && (p->grid <= 0 || grid < p->grid))
        p->grid = grid;
    else
        p->grid *= 1 + 1.0 / 4096;
    if (p->grid > p->spread)
        p->grid = p->spread;
    for (int i = 0; i < 2; i++) {
        double share = i ? 0.95 : 0.05;
        double step = (p->spread > limit / 64 ? p->spread : limit / 64) *
                      (p->seen < 200 ? 4 / ((double)p->seen + 20) : USUAL_RATE);
        p->usual[i] = sane(p->usual[i] + step * (value > p->usual[i] ? share : share - 1));
    }
    uint32_t day = day_slot(time), week = week_slot(time);
    learn_profile(p, &p->day[day], &p->day_seen[day], value);
    learn_profile(p, &p->week[week], &p->week_seen[week], value);
    double step = (double)time - (double)p->time;
    if (step > 0 && p->seen)
        p->step +=
            (p->step > 0 ? 0.05 : 1) * (clip(step, p->step > 0 ? 4 * p->step : step) - p->step);
}

static void begin(struct predictor *p, int64_t time, double value)
{
    p->last = p->level = p->slow = p->usual[0] = p->usual[1] = value;
    p->season_before = value;
    p->time = time;
}

void predictor_observe(struct predictor *p, int64_t time, double value, struct prediction *ret)
{
    value = sane(value);
    time = time < TIME_MIN ? TIME_MIN : time > TIME_MAX ? TIME_MAX : time;
    if (!p->seen)
        begin(p, time, value);
    double by[EXPERTS], in[PREDICTOR_INPUTS], floor = predictor_floor(p);
    for (int i = 0; i < EXPERT_REGRESSION; i++)
        by[i] = expert(p, i, 1, time);
    double season = predictor_season(p, time), fit = 0;
    double size = p->spread > floor ? p->spread : floor;
    regression_inputs(p, season, in);
    for (int i = 0; i < PREDICTOR_INPUTS; i++)
        fit += p->weights[i] * in[i];
    by[EXPERT_REGRESSION] = sane(p->slow + clip(fit, NORMAL_MAX) * size);

    double mid = blend(p->errors, by, EXPERTS, floor), error = sane(value - mid);
    *ret = (struct prediction){
        .probability = p->seen < 2 ? 1 : residual_probability(&p->residual, error, floor),
        .units = p->seen < 2 ? 0 : residual_units(&p->residual, error, floor),
    };

    if (ret->probability < PREDICTION_RARE) {
        residual_interval(&p->residual, 0.9, floor, &ret->low, &ret->high);
        ret->low = sane(mid + ret->low);
        ret->high = sane(mid + ret->high);
    }
    if (p->seen)
        residual_learn(&p->residual, error, floor);
    for (int i = 0; i < EXPERTS; i++) {
        double miss = sane(fabs(value - by[i])), limit = CLIP * p->errors[i] + floor;
        p->errors[i] += rate_from(p->seen, ERROR_RATE) *
                        ((miss < limit || p->seen < 16 ? miss : limit) - p->errors[i]);
    }
    double target = clip((value - p->slow) / size, NORMAL_MAX);
    double wrong = clip(target - fit, 3 * (fabs(p->errors[EXPERT_REGRESSION]) / size + 1e-3));
    regression_learn(p, in, wrong);
    p->season_before = season;
    learn_levels(p, time, value);
    p->ring[p->seen % PREDICTOR_RING] = value;
    size = p->spread > floor ? p->spread : floor;
    keep_form(p, clip((value - p->slow) / size, FORM_MAX));
    p->last = value;
    p->time = time > p->time ? time : p->time; /* late samples do not turn it back */
    p->seen++;
    search_period(p);
    judge_horizons(p, time, value);
}

int predictor_forecast(const struct predictor *p, int64_t horizon, double *ret_mid, double *ret_low,
                       double *ret_high)
{
    if (horizon < 0)
        return ERR_INVALID;
    if (p->seen < 2)
        return ERR_NOTFOUND;
    double exact = p->step > 0 ? (double)horizon / p->step : 1;
    uint64_t steps = exact < 1 ? 1 : exact > 1e9 ? 1000000000 : (uint64_t)(exact + 0.5);
    int64_t time;
    if (__builtin_add_overflow(p->time, horizon, &time) || time > TIME_MAX)
        time = TIME_MAX;
    int h = 0;
    while (h + 1 < PREDICTOR_HORIZONS && horizon_steps[h + 1] <= steps &&
           p->horizon_outer[h + 1] > 0)
        h++;
    double by[EXPERT_REGRESSION];
    for (int i = 0; i < EXPERT_REGRESSION; i++)
        by[i] = expert(p, i, steps, time);
    double mid = blend(p->horizon_errors[h], by, EXPERT_REGRESSION, predictor_floor(p));
    /* Between the horizons judged, an error grows with the square root of the way at most. */
    double outer = p->horizon_outer[h] > 0 ? p->horizon_outer[h] : 2 * p->errors[EXPERT_LAST];
    if (steps > horizon_steps[h]) {
        double grown = outer * sqrt((double)steps / horizon_steps[h]);
        double next = h + 1 < PREDICTOR_HORIZONS && p->horizon_outer[h + 1] > 0
                          ? p->horizon_outer[h + 1]
                          : outer + 2 * p->spread;
        outer = grown < next ? grown : next > outer ? next : outer;
    }
    *ret_mid = mid;
    *ret_low = sane(mid - outer);
    *ret_high = sane(mid + outer);
    return 0;
}

static void walk_seen(uint8_t *seen, int count, struct state *s)
{
    for (int i = 0; i < count; i++) {
        uint32_t wide = seen[i];
        state_u32(s, &wide, UINT8_MAX);
        seen[i] = (uint8_t)wide;
    }
}

void predictor_walk(struct predictor *p, struct state *s)
{
    state_u64(s, &p->seen, UINT64_MAX / 2);
    state_i64(s, &p->time);
    double *plain[] = {&p->step,         &p->last,          &p->level,        &p->trend,
                       &p->slow,         &p->spread,        &p->grid,         &p->usual[0],
                       &p->usual[1],     &p->best_score,    &p->before_score, &p->before_before,
                       &p->period_score, &p->season_before, &p->power};
    for (size_t i = 0; i < sizeof(plain) / sizeof(*plain); i++)
        state_f64(s, plain[i]);
    state_f64s(s, p->ring, PREDICTOR_RING);
    state_f32s(s, p->forms, PREDICTOR_FORMS);
    state_f64s(s, p->day, PREDICTOR_DAY);
    state_f64s(s, p->week, PREDICTOR_WEEK);
    walk_seen(p->day_seen, PREDICTOR_DAY, s);
    walk_seen(p->week_seen, PREDICTOR_WEEK, s);
    state_u32(s, &p->lag, LAG_MAX);
    state_u32(s, &p->best_lag, LAG_MAX);
    state_u32(s, &p->period, LAG_MAX);
    state_f64s(s, p->weights, PREDICTOR_INPUTS);
    for (int i = 0; i < PREDICTOR_INPUTS; i++)
        state_f64s(s, p->inverse[i], PREDICTOR_INPUTS);
    state_f64s(s, p->errors, EXPERTS);
    for (int h = 0; h < PREDICTOR_HORIZONS; h++) {
        state_u64(s, &p->pending[h].made, UINT64_MAX / 2);
        state_f64s(s, p->pending[h].by, EXPERT_REGRESSION);
        state_f64s(s, p->horizon_errors[h], EXPERT_REGRESSION);
    }
    state_f64s(s, p->horizon_outer, PREDICTOR_HORIZONS);
    residual_walk(&p->residual, s);
    s->failed |= p->lag < LAG_MIN || p->spread < 0 || p->grid < 0 || p->step < 0 ||
                 p->step > (double)TIME_MAX || p->time < TIME_MIN || p->time > TIME_MAX;
}
