/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The watch for a change of regime: it finds where a shape changes, leaves alone what only repeats
 * or only drifts, and goes on alike after a save.
 */
#include <check.h>
#include <math.h>
#include <stdlib.h>

#include "model/regime.h"
#include "tests/unit/random_fixture.h"

static double drift;

static double faster_wave(int i)
{
    return sin(2 * M_PI * i / (i < 1500 ? 60 : 23)) + 0.1 * gauss();
}
static double other_shape(int i)
{
    double phase = (i % 80) / 80.0;
    return (i < 1500 ? phase : fabs(phase - 0.5) * 2) + 0.03 * gauss();
}
static double noise(int i)
{
    return gauss();
}
static double wave(int i)
{
    return sin(2 * M_PI * i / 288) + 0.1 * gauss();
}
static double wander(int i)
{
    drift = 0.97 * drift + 0.25 * gauss();
    return drift;
}
static double flat_with_blips(int i)
{
    return uniform() < 0.01;
}

static const struct {
    const char *name;
    double (*make)(int i);
    int truth; /* where it changes; 0: nowhere */
} series[] = {
    {"faster wave", faster_wave, 1500},
    {"other shape", other_shape, 1500},
    {"noise", noise, 0},
    {"wave", wave, 0},
    {"wander", wander, 0},
    {"blips", flat_with_blips, 0},
};

START_TEST(changes_are_found_and_nothing_else)
{
    struct regime *r;
    int cuts = 0, where = 0;
    rng = 88172645463325252ULL;
    drift = 0;
    ck_assert_int_eq(regime_new(&r), 0);
    for (int i = 0; i < 8000; i++) {
        uint32_t back;
        if (i >= 3000 && series[_i].truth)
            break;
        if (!regime_push(r, series[_i].make(i), &back))
            continue;
        cuts++;
        where = i - (int)back;
        ck_assert_int_le((int)back, i);
    }
    ck_assert_msg(cuts == (series[_i].truth != 0), "%s: %d cuts, the last at %d", series[_i].name,
                  cuts, where);
    if (series[_i].truth)
        ck_assert_int_le(abs(where - series[_i].truth), 40);
    regime_free(r);
}
END_TEST

START_TEST(it_goes_on_alike_after_a_save)
{
    struct regime *a, *b;
    struct buf saved = {0};
    struct state out = {.out = &saved}, in = {0};
    int cuts = 0;
    rng = 5;
    ck_assert_int_eq(regime_new(&a), 0);
    ck_assert_int_eq(regime_new(&b), 0);
    uint32_t back, other;
    for (int i = 0; i < 1450; i++)
        regime_push(a, faster_wave(i), &back);
    regime_walk(a, &out);
    cursor_init(&in.in, saved.data, saved.size);
    regime_walk(b, &in);
    ck_assert(!in.failed && in.in.at == saved.size);
    for (int i = 1450; i < 2500; i++) {
        double value = faster_wave(i);
        int x = regime_push(a, value, &back), y = regime_push(b, value, &other);
        ck_assert_int_eq(x, y);
        ck_assert(!x || back == other);
        cuts += x;
    }
    ck_assert_int_eq(cuts, 1);
    regime_free(a);
    regime_free(b);
    buf_deinit(&saved);
}
END_TEST

START_TEST(wild_values_do_no_harm)
{
    static const double wild[] = {0, -0.0, 1e308, -1e308, 5e-324, 16, -16, 1e-30};
    struct regime *r;
    uint32_t back;
    rng = 9;
    ck_assert_int_eq(regime_new(&r), 0);
    for (int i = 0; i < 10000; i++)
        regime_push(r, i % 3 ? wild[(int)(uniform() * 8)] : gauss(), &back);
    /* What went in before must not have spoilt the running products. */
    int found = 0;
    for (int i = 0; i < 9000; i++) {
        double period = i < 6000 ? 60 : 23;
        if (regime_push(r, sin(2 * M_PI * i / period) + 0.1 * gauss(), &back))
            found |= abs(i - (int)back - 6000) <= 40;
    }
    ck_assert(found);
    regime_free(r);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("regime");
    TCase *tests = tcase_create("regime");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, changes_are_found_and_nothing_else, 0,
                        (int)(sizeof(series) / sizeof(*series)));
    tcase_add_test(tests, it_goes_on_alike_after_a_save);
    tcase_add_test(tests, wild_values_do_no_harm);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
