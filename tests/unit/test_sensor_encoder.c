/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sensor model: its surprise is calibrated on stationary data of many shapes, its state
 * survives a save, damaged states and wild values break nothing, and it allocates nothing once
 * warm.
 */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "model/sensor_encoder.h"
#include "tests/unit/random_fixture.h"

static struct encoder *fresh(void)
{
    struct encoder *e;
    ck_assert_int_eq(sensor_encoder_new(&e), 0);
    return e;
}

/* Which channel feed() speaks of. The first four are also watched for changes of regime, which has
 * its own tests and is slow beside the rest; long runs take a later one. */
static uint16_t fed = 0;
#define UNWATCHED 9

static struct observation feed(struct encoder *e, uint64_t seq, int64_t step, double value)
{
    struct sample sample = {.channel = fed, .value = value};
    struct record r = {.seq = seq,
                       .time = 1700000000LL * US_PER_SECOND + (int64_t)seq * step,
                       .samples = &sample,
                       .sample_count = 1};
    struct observation o;
    /* One plain condition: each ck_assert writes to a file, a million of them take half a minute.
     */
    if (encoder_observe(e, &r, &o) != 0 || !isfinite(o.bits) || o.bits < 0 ||
        !(o.score >= 0 && o.score <= 1) || !o.latent || !o.why)
        ck_abort_msg("record %llu: bits %g, score %g", (unsigned long long)seq, o.bits, o.score);
    return o;
}

static void free_both(struct encoder *a, struct encoder *b)
{
    a->ops->free(a);
    if (b)
        b->ops->free(b);
}

/* ---- calibration ---- */

static double state_ar;

static double make_gauss(int i)
{
    return 20 + 3 * gauss();
}
static double make_uniform(int i)
{
    return uniform();
}
static double make_laplace(int i)
{
    double u = uniform() - 0.5;
    return -copysign(log(1 - 2 * fabs(u)), u);
}
static double make_student3(int i)
{
    double a = gauss(), b = gauss(), c = gauss(), d = gauss();
    return a / sqrt((b * b + c * c + d * d) / 3);
}
static double make_ar(int i)
{
    state_ar = 0.9 * state_ar + gauss();
    return 100 + state_ar;
}
static double make_season(int i)
{
    return 10 * sin(2 * M_PI * i / 288) + gauss();
}
static double make_counts(int i)
{
    double limit = exp(-4), product = uniform();
    int n = 0;
    for (; product > limit; n++)
        product *= uniform();
    return n;
}

static const struct {
    const char *name;
    double (*make)(int i);
    double least; /* P(bits >= b) is at least this share of 2^-b; bounded and discrete data fall
                     below: their outermost values carry mass */
} shapes[] = {
    {"gaussian", make_gauss, 0.5},  {"uniform", make_uniform, 0.2},
    {"laplace", make_laplace, 0.5}, {"student-t3", make_student3, 0.5},
    {"AR(1)", make_ar, 0.5},        {"seasonal", make_season, 0.5},
    {"poisson", make_counts, 0.1},
};

START_TEST(surprise_is_calibrated)
{
    /* 60,000 samples leave 60 beyond 10 bits: 2 sigma are 26 %. Twice and half are the tolerance.
     */
    enum { N = 60000, WARM = 4000 };
    struct encoder *e = fresh();
    int over[11] = {0};
    rng = 88172645463325252ULL;
    state_ar = 0;
    fed = UNWATCHED;
    for (int i = 0; i < N + WARM; i++) {
        struct observation o = feed(e, (uint64_t)i + 1, 300 * US_PER_SECOND, shapes[_i].make(i));
        for (int b = 1; b <= 10 && i >= WARM; b++)
            over[b] += o.bits >= b;
    }
    printf("%-10s", shapes[_i].name);
    for (int b = 1; b <= 10; b++)
        printf(" %5.2f", over[b] / (double)N * exp2(b));
    printf("\n");
    for (int b = 1; b <= 10; b++) {
        double share = over[b] / (double)N * exp2(b);
        ck_assert_msg(share < 2 && share > shapes[_i].least, "%s: P(bits >= %d) is %.2f * 2^-%d",
                      shapes[_i].name, b, share, b);
    }
    free_both(e, NULL);
}
END_TEST

/* ---- state ---- */

static double mixed(int i)
{
    return 50 + 10 * sin(2 * M_PI * i / 48) + gauss() + (i > 700 ? 30 : 0);
}

START_TEST(save_and_load_go_on_alike)
{
    struct encoder *a = fresh(), *b = fresh();
    struct buf saved = {0}, again = {0};
    struct errmsg err;
    rng = 7;
    ck_assert_int_eq(a->ops->channel(a, 0, "temp"), 0);
    for (int i = 0; i < 900; i++)
        feed(a, (uint64_t)i + 1, US_PER_MINUTE, mixed(i));
    ck_assert_int_eq(a->ops->save(a, false, &saved), 0);
    ck_assert_msg(b->ops->load(b, saved.data, saved.size, &err) == 0, "%s", err.text);
    ck_assert_int_eq(b->ops->save(b, false, &again), 0);
    ck_assert_uint_eq(saved.size, again.size);
    ck_assert_mem_eq(saved.data, again.data, saved.size);
    for (int i = 900; i < 1500; i++) {
        double value = mixed(i);
        struct observation x = feed(a, (uint64_t)i + 1, US_PER_MINUTE, value);
        struct observation y = feed(b, (uint64_t)i + 1, US_PER_MINUTE, value);
        ck_assert(x.bits == y.bits && x.score == y.score);
        ck_assert_mem_eq(x.latent, y.latent, sizeof(float) * LATENT_DIM);
        ck_assert_str_eq(x.why, y.why);
    }
    buf_deinit(&saved);
    buf_deinit(&again);
    free_both(a, b);
}
END_TEST

START_TEST(brief_state_leaves_out_the_regimes_only)
{
    struct encoder *a = fresh(), *b = fresh();
    struct buf full = {0}, brief = {0};
    struct errmsg err;
    rng = 7;
    ck_assert_int_eq(a->ops->channel(a, 0, "temp"), 0);
    for (int i = 0; i < 3000; i++)
        feed(a, (uint64_t)i + 1, US_PER_MINUTE, mixed(i));
    ck_assert_int_eq(a->ops->save(a, false, &full), 0);
    ck_assert_int_eq(a->ops->save(a, true, &brief), 0);
    ck_assert_uint_lt(brief.size, full.size / 4);
    ck_assert_msg(b->ops->load(b, brief.data, brief.size, &err) == 0, "%s", err.text);
    for (int i = 3000; i < 3300; i++) {
        double value = mixed(i);
        struct observation x = feed(a, (uint64_t)i + 1, US_PER_MINUTE, value);
        struct observation y = feed(b, (uint64_t)i + 1, US_PER_MINUTE, value);
        ck_assert(x.bits == y.bits);
        ck_assert_mem_eq(x.latent, y.latent, sizeof(float) * LATENT_DIM);
    }
    buf_deinit(&full);
    buf_deinit(&brief);
    a->ops->free(a);
    b->ops->free(b);
}
END_TEST

START_TEST(damaged_state_is_refused_or_harmless)
{
    struct encoder *a = fresh(), *b = fresh();
    struct buf saved = {0};
    rng = 11;
    for (int i = 0; i < 300; i++)
        feed(a, (uint64_t)i + 1, US_PER_MINUTE, mixed(i));
    ck_assert_int_eq(a->ops->save(a, false, &saved), 0);
    for (size_t cut = 0; cut < saved.size; cut += 37)
        ck_assert_int_lt(b->ops->load(b, saved.data, cut, NULL), 0);
    for (int turn = 0; turn < 3000; turn++) {
        size_t at = (size_t)(uniform() * (double)saved.size);
        char keep = saved.data[at];
        saved.data[at] = (char)(uniform() * 256);
        if (b->ops->load(b, saved.data, saved.size, NULL) == 0)
            for (int i = 0; i < 5; i++)
                feed(b, (uint64_t)i + 301, US_PER_MINUTE, mixed(i));
        saved.data[at] = keep;
    }
    for (size_t i = 0; i < saved.size; i++)
        saved.data[i] = (char)(uniform() * 256);
    ck_assert_int_lt(b->ops->load(b, saved.data, saved.size, NULL), 0);
    buf_deinit(&saved);
    free_both(a, b);
}
END_TEST

START_TEST(wild_values_stay_finite)
{
    static const double wild[] = {0, -0.0,  1e308, -1e308, 5e-324, 1e-310,
                                  1, 1e300, 3,     1e-300, -1,     1.7976931348623157e308};
    struct encoder *e = fresh();
    rng = 3;
    for (int i = 0; i < 5000; i++) {
        double value = i % 7 == 3 ? wild[(int)(uniform() * 12)] : i < 2500 ? gauss() : wild[i % 12];
        feed(e, (uint64_t)i + 1, i % 100 ? US_PER_SECOND : -US_PER_DAY, value);
        double mid, low, high;
        int r = sensor_encoder_forecast(e, 0, (int64_t)(uniform() * 1e15), &mid, &low, &high);
        ck_assert_int_eq(r, i ? 0 : ERR_NOTFOUND);
        ck_assert(!i || (isfinite(mid) && isfinite(low) && isfinite(high) && low <= high));
    }
    struct sample bad[] = {{0, NAN}, {0, INFINITY}, {65535, 1}};
    struct record r = {.seq = 9, .time = INT64_MIN, .samples = bad, .sample_count = 3};
    struct observation o;
    ck_assert_int_eq(encoder_observe(e, &r, &o), 0);
    ck_assert(o.bits == 0 && o.score == 0);
    free_both(e, NULL);
}
END_TEST

START_TEST(nothing_is_allocated_once_warm)
{
    struct encoder *e = fresh();
    rng = 5;
    for (int i = 0; i < 10; i++)
        feed(e, (uint64_t)i + 1, US_PER_SECOND, gauss());
    uint64_t before = mem_thread_allocations();
    for (int i = 10; i < 5000; i++)
        feed(e, (uint64_t)i + 1, US_PER_SECOND, gauss());
    ck_assert_uint_eq(mem_thread_allocations(), before);
    free_both(e, NULL);
}
END_TEST

/* ---- what must alert, and what must not ---- */

static double quiet_level(int i)
{
    return 40 + gauss();
}
static double quiet_day(int i)
{
    return 50 + 20 * sin(2 * M_PI * i / 288) + gauss();
}
static double spike(int i)
{
    return quiet_level(i) + (i == 2500 ? 30 : 0);
}
static double step_down(int i)
{
    return quiet_level(i) - (i >= 2500 ? 6 : 0);
}
static double flat_line(int i)
{
    return i >= 2500 ? 40.5 : quiet_level(i);
}
static double wild_swings(int i)
{
    return i >= 2500 ? 40 + 2.5 * gauss() : quiet_level(i);
}
/* The day's peak, due from sample 2304 + 30 on, does not come; every value is a usual one. */
static double missing_peak(int i)
{
    return i >= 2304 && i < 2304 + 144 ? 50 + gauss() : quiet_day(i);
}

static const struct {
    const char *name;
    double (*make)(int i);
    int from, to; /* an alert must lie here; none expected when to is 0 */
    const char *word;
} stories[] = {
    {"spike", spike, 2500, 2501, "usually"},
    {"step", step_down, 2500, 2520, ""},
    {"flat line", flat_line, 2500, 2570, "flat at 40.5"},
    {"variance", wild_swings, 2500, 2570, ""},
    {"missing peak", missing_peak, 2304, 2448, ""},
    {"quiet", quiet_level, 0, 0, ""},
    {"quiet days", quiet_day, 0, 0, ""},
};

START_TEST(stories_alert_once_and_in_time)
{
    int hits = 0, others = 0, told = 0;
    fed = UNWATCHED;
    enum { TURNS = 10 };
    for (int turn = 0; turn < TURNS; turn++) {
        struct encoder *e = fresh();
        bool hit = false;
        rng = 1000003ULL * (uint64_t)(turn + 1);
        for (int i = 0; i < 4000; i++) {
            struct observation o =
                feed(e, (uint64_t)i + 1, 300 * US_PER_SECOND, stories[_i].make(i));
            if (o.score < 0.5)
                continue;
            ck_assert_str_ne(o.why, "");
            if (i >= stories[_i].from && i < stories[_i].to) {
                hit = true;
                told += strstr(o.why, stories[_i].word) != NULL;
            } else if (i < stories[_i].from || !stories[_i].to) {
                others++;
            }
        }
        hits += hit;
        free_both(e, NULL);
    }
    printf("%-12s hit %d of %d, other alerts %d\n", stories[_i].name, hits, TURNS, others);
    if (stories[_i].to) {
        ck_assert_int_ge(hits, TURNS - 1);
        ck_assert_int_ge(told, TURNS - 1);
    }
    /* A few false ones in 4,000 samples, most of them while the channel is young. */
    ck_assert_int_le(others, 4 * TURNS);
}
END_TEST

START_TEST(many_channels_are_not_louder)
{
    /* Sixteen quiet channels: their surprise is as calibrated as one's, their alerts stay few. */
    struct encoder *e = fresh();
    int over5 = 0, alerts = 0;
    enum { N = 8000, WARM = 2000 };
    rng = 17;
    for (int i = 0; i < N + WARM; i++) {
        struct sample samples[16];
        for (int c = 0; c < 16; c++)
            samples[c] = (struct sample){(uint16_t)c, gauss()};
        struct record r = {.seq = (uint64_t)i + 1,
                           .time = i * US_PER_SECOND,
                           .samples = samples,
                           .sample_count = 16};
        struct observation o;
        ck_assert_int_eq(encoder_observe(e, &r, &o), 0);
        over5 += i >= WARM && o.bits >= 5;
        alerts += o.score >= 0.5;
    }
    double share = over5 / (double)N * 32;
    ck_assert_msg(share > 0.7 && share < 1.4, "P(bits >= 5) is %.2f / 32", share);
    ck_assert_int_le(alerts, 30);
    free_both(e, NULL);
}
END_TEST

START_TEST(forecast_holds_its_interval)
{
    /* A daily wave sampled each 15 minutes: half a day ahead the season must be known, and nine of
     * ten values must lie inside the interval, give or take. */
    struct encoder *e = fresh();
    int inside = 0, asked = 0;
    double worst = 0;
    rng = 23;
    for (int i = 0; i < 3000; i++) {
        feed(e, (uint64_t)i + 1, 15 * US_PER_MINUTE, 20 * sin(2 * M_PI * i / 96) + gauss());
        if (i < 1500)
            continue;
        double mid, low, high, truth = 20 * sin(2 * M_PI * (i + 48) / 96);
        ck_assert_int_eq(sensor_encoder_forecast(e, 0, 48 * 15 * US_PER_MINUTE, &mid, &low, &high),
                         0);
        worst = fmax(worst, fabs(mid - truth));
        double value = truth + gauss();
        inside += value >= low && value <= high;
        asked++;
    }
    ck_assert_msg(worst < 8, "the forecast was off by %.1f", worst);
    ck_assert_msg(inside > 0.8 * asked, "%d of %d inside", inside, asked);
    double v;
    ck_assert_int_eq(sensor_encoder_forecast(e, 0, -1, &v, &v, &v), ERR_INVALID);
    ck_assert_int_eq(sensor_encoder_forecast(e, 5, 1, &v, &v, &v), ERR_NOTFOUND);
    free_both(e, NULL);
}
END_TEST

static double cosine(const float *a, const float *b)
{
    double sum = 0, x = 0, y = 0;
    for (int i = 0; i < LATENT_DIM; i++) {
        sum += (double)a[i] * (double)b[i];
        x += (double)a[i] * (double)a[i];
        y += (double)b[i] * (double)b[i];
    }
    return sum / sqrt(x * y);
}

START_TEST(latents_tell_regimes_apart)
{
    /* Means over windows: two of one regime are nearer than two of different ones. */
    static float means[4][LATENT_DIM];
    struct encoder *e = fresh();
    rng = 29;
    for (int i = 0; i < 2000; i++) {
        double phase = 2 * M_PI * i / (i < 1000 ? 50 : 12);
        struct observation o =
            feed(e, (uint64_t)i + 1, US_PER_SECOND, 5 * sin(phase) + 0.3 * gauss());
        double length = cosine(o.latent, o.latent);
        ck_assert(fabs(length - 1) < 1e-5);
        int window = i % 1000 >= 900 ? 2 * (i / 1000) + 1 : i % 1000 >= 800 ? 2 * (i / 1000) : -1;
        for (int d = 0; d < LATENT_DIM && window >= 0; d++)
            means[window][d] += o.latent[d];
    }
    double same = fmin(cosine(means[0], means[1]), cosine(means[2], means[3]));
    double other = fmax(cosine(means[0], means[2]), cosine(means[1], means[3]));
    printf("cosine: same regime %.3f, other %.3f\n", same, other);
    ck_assert(same > 0.95 && other < same - 0.1);
    free_both(e, NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sensor_encoder");
    TCase *calibration = tcase_create("calibration"), *rest = tcase_create("state");
    tcase_set_timeout(calibration, 60);
    tcase_set_timeout(rest, 60);
    tcase_add_loop_test(calibration, surprise_is_calibrated, 0,
                        (int)(sizeof(shapes) / sizeof(*shapes)));
    tcase_add_test(rest, save_and_load_go_on_alike);
    tcase_add_test(rest, brief_state_leaves_out_the_regimes_only);
    tcase_add_test(rest, damaged_state_is_refused_or_harmless);
    tcase_add_test(rest, wild_values_stay_finite);
    tcase_add_test(rest, nothing_is_allocated_once_warm);
    tcase_add_loop_test(rest, stories_alert_once_and_in_time, 0,
                        (int)(sizeof(stories) / sizeof(*stories)));
    tcase_add_test(rest, many_channels_are_not_louder);
    tcase_add_test(rest, forecast_holds_its_interval);
    tcase_add_test(rest, latents_tell_regimes_apart);
    suite_add_tcase(suite, calibration);
    suite_add_tcase(suite, rest);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
