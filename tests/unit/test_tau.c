/* SPDX-License-Identifier: Apache-2.0 */
/* The subjective clock: what moves it, which way, and that nothing else does. */
#include <check.h>
#include <math.h>
#include <string.h>

#include "memory/tau.h"

#define T0 1700000000000000LL

static struct moment moment(int64_t start, int64_t end, float bits, uint32_t records)
{
    return (struct moment){.kind = KIND_TEXT, .start = start, .end = end, .bits = bits,
                           .record_count = records};
}

/* `seconds` of moments of 10 s with so many records of so many bits each; returns the end. */
static int64_t run(struct tau_clock *c, int64_t from, int seconds, uint32_t rate, float bits, int sign)
{
    for (int i = 0; i < seconds; i += 10) {
        int64_t start = from + i * US_PER_SECOND;
        struct moment m = moment(start, start + 10 * US_PER_SECOND, bits, rate * 10);
        double before = c->tau;
        tau_moment(c, KIND_TEXT, &m, rate * 10 * 20, sign);
        ck_assert_double_gt(c->tau, before);
    }
    return from + seconds * US_PER_SECOND;
}

static double day_then(uint32_t rate, float bits, int sign)
{
    struct tau_clock c;
    tau_init(&c);
    int64_t t = run(&c, T0, 86400, 10, 4, sign);
    double before = c.tau;
    run(&c, t, 3600, rate, bits, sign);
    return c.tau - before;
}

START_TEST(test_ordinary_day)
{
    struct tau_clock c;
    tau_init(&c);
    run(&c, T0, 86400, 10, 4, 1);
    ck_assert_double_eq_tol(c.tau, 86400, 900);
}
END_TEST

/* Five times the events in the same time: monotone in their rate and in their surprise, and the two
 * signs give opposite orders. */
START_TEST(test_load_moves_it)
{
    for (int sign = -1; sign <= 1; sign += 2) {
        double usual = day_then(10, 4, sign), busy = day_then(50, 4, sign);
        double odd = day_then(50, 8, sign), quiet = day_then(2, 4, sign);
        ck_assert_double_eq_tol(usual, 3600, 60);
        ck_assert(sign > 0 ? busy > 1.5 * usual : busy < usual / 1.5);
        ck_assert(sign > 0 ? odd > 1.1 * busy : odd < busy / 1.1);
        ck_assert(sign > 0 ? quiet < usual : quiet > usual);
    }
}
END_TEST

/* Nine quiet days cost little. */
START_TEST(test_silence)
{
    struct tau_clock c;
    tau_init(&c);
    int64_t t = run(&c, T0, 86400, 10, 4, 1);
    double before = c.tau;
    run(&c, t + 9 * US_PER_DAY, 20, 10, 4, 1);
    ck_assert_double_lt(c.tau - before, 120);
}
END_TEST

/* However far times jump, a step is bounded; times ahead of the clock do not move it at all. */
START_TEST(test_jumps)
{
    static const int64_t times[] = {T0 + 5 * US_PER_DAY, TIME_MIN,  T0,
                                    TIME_MAX,            TIME_MAX, T0 + US_PER_DAY};
    for (int sign = -1; sign <= 1; sign += 2) {
        struct tau_clock c;
        tau_init(&c);
        run(&c, T0, 3600, 10, 4, sign);
        for (size_t i = 0; i < sizeof(times) / sizeof(*times); i++) {
            struct moment m = moment(times[i], times[i], 1e30f, 256);
            double before = c.tau;
            tau_moment(&c, KIND_TEXT, &m, 1u << 30, sign);
            ck_assert(isfinite(c.tau));
            ck_assert_double_ge(c.tau, before);
            ck_assert_double_le(c.tau - before,
                                2 * TAU_FASTEST * (double)TAU_STEP_MAX / US_PER_SECOND);
        }
    }
    struct tau_clock c;
    tau_init(&c);
    run(&c, T0, 3600, 10, 4, 1);
    struct moment m = moment(TIME_MAX, TIME_MAX, 4, 100);
    int64_t last = c.last;
    m.flags = RECORD_FUTURE;
    tau_moment(&c, KIND_TEXT, &m, 2000, 1);
    ck_assert_int_eq(c.last, last);
    m.bits = NAN;
    m.flags = 0;
    m.start = m.end = T0 + US_PER_DAY;
    tau_moment(&c, KIND_SENSOR, &m, 0, 1);
    ck_assert(isfinite(c.tau) && isfinite(c.mean));
}
END_TEST

/* In the middle of a window as well. */
START_TEST(test_goes_on_after_a_restart)
{
    struct tau_clock a, b;
    struct buf saved = {0};
    struct errmsg err;
    tau_init(&a);
    int64_t t = run(&a, T0, 7200, 10, 4, 1);
    struct moment half = moment(t, t + US_PER_SECOND, 9, 3);
    tau_moment(&a, KIND_SENSOR, &half, 100, 1);
    tau_friction(&a);
    ck_assert_int_eq(tau_save(&a, &saved), 0);
    ck_assert_int_eq(tau_load(&b, saved.data, saved.size, &err), 0);
    ck_assert_double_eq(a.tau, b.tau);
    run(&a, t + US_PER_SECOND, 3600, 13, 5, 1);
    run(&b, t + US_PER_SECOND, 3600, 13, 5, 1);
    ck_assert_double_eq(a.tau, b.tau);
    ck_assert_double_eq(a.mean, b.mean);
    for (size_t cut = 0; cut < saved.size; cut++)
        ck_assert_int_eq(tau_load(&b, saved.data, cut, &err), ERR_CORRUPT);
    memset(saved.data + 4, 0xff, 8); /* not a number */
    ck_assert_int_eq(tau_load(&b, saved.data, saved.size, &err), ERR_CORRUPT);
    ck_assert_double_eq(b.tau, 0);
    buf_deinit(&saved);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tau");
    TCase *tcase = tcase_create("clock");
    tcase_set_timeout(tcase, 30);
    tcase_add_test(tcase, test_ordinary_day);
    tcase_add_test(tcase, test_load_moves_it);
    tcase_add_test(tcase, test_silence);
    tcase_add_test(tcase, test_jumps);
    tcase_add_test(tcase, test_goes_on_after_a_restart);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
