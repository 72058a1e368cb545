/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "memory/refine.h"

#define HALF REFINE_WINDOW

static uint64_t state = 1;

static double uniform(void)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (double)(state >> 11) / (double)(1ull << 53);
}

/* Half of it is its event's, the rest chance. */
static void fill(struct refine_item *item, const double *topic, double share)
{
    for (int i = 0; i < LATENT_DIM; i++)
        item->vec[i] = (signed char)(60 * (share * topic[i] + (1 - share) * (2 * uniform() - 1)));
}

/* Two events after each other, two streams in turns; the boundary is said some moments late. */
static void plant(struct refine_item *items, double share)
{
    double topics[2][2][LATENT_DIM];
    for (int t = 0; t < 2; t++)
        for (int m = 0; m < 2; m++)
            for (int i = 0; i < LATENT_DIM; i++)
                topics[t][m][i] = 2 * uniform() - 1;
    for (uint32_t i = 0; i < 2 * HALF; i++) {
        items[i] = (struct refine_item){.time = i * 5 * US_PER_SECOND, .model = 1 + i % 2};
        fill(&items[i], topics[i >= HALF][i % 2], share);
    }
}

/* Mean distance of the cut from the planted one, as said and refined. */
static void measure(double share, double *ret_said, double *ret_refined)
{
    struct refine_item items[2 * HALF];
    double said = 0, refined = 0;
    int rounds = 300;
    for (int round = 0; round < rounds; round++) {
        uint32_t late = (uint32_t)(uniform() * 6);
        plant(items, share);
        uint32_t cut = refine_cut(items, 2 * HALF, HALF - 6, HALF + late);
        said += late;
        refined += fabs((double)cut - HALF);
    }
    *ret_said = said / rounds;
    *ret_refined = refined / rounds;
}

START_TEST(test_late_boundaries_move)
{
    double said, refined;
    measure(0.5, &said, &refined);
    ck_assert_double_gt(said, 2);
    ck_assert_double_lt(refined, 0.1);
    measure(0.2, &said, &refined);
    ck_assert_double_lt(refined, said);
}
END_TEST

START_TEST(test_bounds)
{
    struct refine_item items[2 * HALF] = {0};
    /* Nothing hangs together but by time. */
    for (uint32_t i = 0; i < 2 * HALF; i++)
        items[i].time = (int64_t)(i + (i >= 20 ? 60 : 0)) * US_PER_SECOND;
    ck_assert_uint_eq(refine_cut(items, 2 * HALF, 10, HALF), 20);
    ck_assert_uint_eq(refine_cut(items, 2 * HALF, HALF, HALF), HALF);
    ck_assert_uint_eq(refine_cut(items, 2, 1, 1), 1);
    ck_assert_uint_eq(refine_cut(items, 1, 1, 1), 1);
    ck_assert_uint_eq(refine_cut(items, 2 * HALF + 1, 10, HALF), HALF);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("refine");
    TCase *t = tcase_create("modularity");
    tcase_add_test(t, test_late_boundaries_move);
    tcase_add_test(t, test_bounds);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
