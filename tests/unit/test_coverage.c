/* SPDX-License-Identifier: Apache-2.0 */
/* The dictionary against a slow one in doubles, and what it is for: rare things have a feature of
 * their own. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/coverage.h"
#include "model/kernels.h"

static uint32_t seed;
static uint32_t kept[COVERAGE_FEATURES];

static float random_unit(void)
{
    seed = seed * 1103515245u + 12345u;
    return (float)(seed >> 8) / 8388608.0f - 1;
}

static void normalise(float *x)
{
    double sum = 0;
    for (int d = 0; d < LATENT_DIM; d++)
        sum += (double)x[d] * x[d];
    for (int d = 0; d < LATENT_DIM; d++)
        x[d] = (float)(x[d] / sqrt(sum));
}

/* Direction number `n` of a fixed set. */
static void direction(uint32_t n, float *ret)
{
    uint32_t before = seed;
    seed = n * 2654435761u + 1;
    for (int d = 0; d < LATENT_DIM; d++)
        ret[d] = random_unit();
    normalise(ret);
    seed = before;
}

/* Three of `count` directions and a little noise. */
static void mixture(uint32_t count, float *ret)
{
    float part[LATENT_DIM];
    memset(ret, 0, LATENT_DIM * sizeof(*ret));
    for (int k = 0; k < 3; k++) {
        float weight = 1 + 0.5f * random_unit();
        direction((uint32_t)((random_unit() + 1) / 2 * (float)count) % count, part);
        for (int d = 0; d < LATENT_DIM; d++)
            ret[d] += weight * part[d] + 0.005f * random_unit();
    }
    normalise(ret);
}

/* ---- the slow one: the file format gives its rows ---------------------------------------------- */

struct slow {
    double rows[COVERAGE_FEATURES][LATENT_DIM];
    uint32_t uses[COVERAGE_FEATURES];
};

static void slow_read(struct coverage *c, struct slow *s)
{
    struct buf b = {0};
    struct cursor in;
    memset(s, 0, sizeof(*s));
    ck_assert_int_eq(coverage_save(c, &b), 0);
    cursor_init(&in, b.data, b.size);
    cursor_u32(&in);
    cursor_u32(&in);
    for (int i = 0; i < COVERAGE_FEATURES; i++) {
        double sum = 0;
        s->uses[i] = (uint32_t)cursor_varint(&in);
        if (s->uses[i] == 0)
            continue;
        cursor_varint(&in);
        for (int d = 0; d < LATENT_DIM; d++) {
            s->rows[i][d] = (int8_t)cursor_u8(&in);
            sum += s->rows[i][d] * s->rows[i][d];
        }
        for (int d = 0; d < LATENT_DIM; d++)
            s->rows[i][d] /= sqrt(sum);
    }
    ck_assert(!in.failed && cursor_left(&in) == 0);
    buf_deinit(&b);
}

struct slow_code {
    uint32_t count;
    int ids[COVERAGE_ACTIVE];
    double values[COVERAGE_ACTIVE];
};

static double slow_dot(const double *x, const double *y)
{
    double sum = 0;
    for (int d = 0; d < LATENT_DIM; d++)
        sum += x[d] * y[d];
    return sum;
}

static bool slow_taken(const struct slow_code *code, int id)
{
    for (uint32_t k = 0; k < code->count; k++)
        if (code->ids[k] == id)
            return true;
    return false;
}

/* `rest` is what the code leaves over; returns its square. */
static double slow_encode(const struct slow *s, const float *x, struct slow_code *ret, double *rest)
{
    double error = 1;
    *ret = (struct slow_code){0};
    for (int d = 0; d < LATENT_DIM; d++)
        rest[d] = x[d];
    while (ret->count < COVERAGE_ACTIVE && error > 0.02) {
        int best = -1;
        double product = 0;
        for (int i = 0; i < COVERAGE_FEATURES; i++) {
            double p = slow_dot(s->rows[i], rest);
            if (slow_taken(ret, i) || p < COVERAGE_LEAST || (best >= 0 && p <= product))
                continue;
            best = i;
            product = p;
        }
        if (best < 0)
            break;
        ret->ids[ret->count] = best;
        ret->values[ret->count++] = product;
        for (int d = 0; d < LATENT_DIM; d++)
            rest[d] -= product * s->rows[best][d];
        error = slow_dot(rest, rest);
    }
    return error;
}

static void slow_step(struct slow *s, const float *x)
{
    struct slow_code code;
    double rest[LATENT_DIM];
    slow_encode(s, x, &code, rest);
    for (uint32_t i = 0; i < code.count; i++) {
        double *row = s->rows[code.ids[i]];
        double rate = fmax(0.6 / sqrt((double)s->uses[code.ids[i]] + 1), 0.02);
        for (int d = 0; d < LATENT_DIM; d++)
            row[d] += rate * code.values[i] * rest[d];
        double norm = sqrt(slow_dot(row, row));
        for (int d = 0; d < LATENT_DIM; d++)
            row[d] /= norm;
    }
}

static void check_same(const struct slow *s, const struct coverage *c, const float *x)
{
    struct coverage_code code;
    struct slow_code slow;
    double rest[LATENT_DIM], error = slow_encode(s, x, &slow, rest);
    coverage_encode(c, x, &code);
    ck_assert_uint_eq(code.count, slow.count);
    for (uint32_t k = 0; k < code.count; k++) {
        ck_assert_uint_eq(code.ids[k], slow.ids[k]);
        ck_assert_double_eq_tol(code.values[k], slow.values[k], 1e-5);
    }
    ck_assert_double_eq_tol(coverage_error(c, x), error, 1e-5);
}

static struct coverage *learnt(uint32_t directions, int latents)
{
    struct coverage *c;
    struct coverage_code code;
    float x[LATENT_DIM];
    ck_assert_int_eq(coverage_new(&c), 0);
    seed = 7;
    memset(kept, 0, sizeof(kept));
    for (int i = 0; i < latents; i++) {
        mixture(directions, x);
        coverage_learn(c, x, kept, &code);
    }
    return c;
}

START_TEST(test_same_as_reference)
{
    static struct slow s;
    struct coverage *c = learnt(40, 500);
    struct coverage_code code;
    float x[LATENT_DIM];
    int steps = 0;
    for (int i = 0; i < 100; i++) {
        slow_read(c, &s);
        mixture(40, x);
        check_same(&s, c, x);
        bool step = coverage_error(c, x) < 0.39f;
        coverage_learn(c, x, kept, &code);
        if (!step)
            continue;
        steps++;
        slow_step(&s, x);
        for (int k = 0; k < 5; k++) {
            mixture(40, x);
            check_same(&s, c, x);
        }
    }
    ck_assert_int_gt(steps, 50);
    coverage_free(c);
}
END_TEST

static double mean_error(const struct coverage *c, uint32_t directions)
{
    float x[LATENT_DIM];
    double sum = 0;
    for (int i = 0; i < 200; i++) {
        mixture(directions, x);
        sum += coverage_error(c, x);
    }
    return sum / 200;
}

START_TEST(test_learns)
{
    struct coverage *young = learnt(40, 20), *old = learnt(40, 5000);
    double before = mean_error(young, 40), after = mean_error(old, 40);
    ck_assert_msg(after < 0.05 && after < before / 2, "error %g, at first %g", after, before);
    ck_assert_uint_ge(coverage_used(old), 40);
    ck_assert_uint_lt(coverage_used(old), 80);
    coverage_free(young);
    coverage_free(old);
}
END_TEST

/* What was seen once has a feature that nothing usual has, and keeps it while it is kept. */
START_TEST(test_rare_is_covered)
{
    struct coverage *c = learnt(40, 3000);
    struct coverage_code code, rare;
    float x[LATENT_DIM];
    direction(1000, x);
    coverage_learn(c, x, kept, &rare);
    ck_assert_uint_ge(rare.count, 1);
    ck_assert_float_gt(rare.values[0], 0.9f);
    kept[rare.ids[0]] = 1;
    int with = 0;
    for (int i = 0; i < 6000; i++) {
        mixture(40, x);
        coverage_learn(c, x, kept, &code);
        for (uint32_t k = 0; k < code.count; k++)
            with += code.ids[k] == rare.ids[0];
    }
    ck_assert_int_lt(with, 60);
    /* More than there are features: those of the usual are given away, the kept one is not. */
    for (uint32_t n = 2000; n < 2000 + 2 * COVERAGE_FEATURES; n++)
        for (int again = 0; again < 20; again++) {
            direction(n, x);
            coverage_learn(c, x, kept, &code);
        }
    direction(1000, x);
    coverage_encode(c, x, &code);
    ck_assert_uint_eq(code.ids[0], rare.ids[0]);
    ck_assert_float_gt(code.values[0], 0.9f);
    coverage_free(c);
}
END_TEST

START_TEST(test_odd_latents)
{
    struct coverage *c = learnt(10, 100);
    struct coverage_code code;
    float x[LATENT_DIM] = {0};
    const float odd[] = {0, INFINITY, NAN};
    for (int i = 0; i < 3; i++) {
        x[0] = odd[i];
        coverage_learn(c, x, kept, &code);
        ck_assert_uint_eq(code.count, 0);
    }
    mixture(10, x);
    ck_assert(isfinite(coverage_error(c, x)));
    coverage_free(c);
}
END_TEST

START_TEST(test_saved_and_restored)
{
    struct coverage *c = learnt(60, 2000), *back;
    struct coverage_code a, b;
    struct buf saved = {0}, again = {0};
    struct cursor in;
    struct errmsg err;
    float x[LATENT_DIM];
    ck_assert_int_eq(coverage_save(c, &saved), 0);
    ck_assert_int_eq(coverage_new(&back), 0);
    cursor_init(&in, saved.data, saved.size);
    ck_assert_int_eq(coverage_load(back, &in, &err), 0);
    for (int i = 0; i < 500; i++) { /* learning goes on the same way */
        mixture(60, x);
        coverage_learn(c, x, kept, &a);
        coverage_learn(back, x, kept, &b);
        ck_assert_uint_eq(a.count, b.count);
        ck_assert_mem_eq(a.ids, b.ids, a.count);
        ck_assert_mem_eq(a.values, b.values, a.count * sizeof(*a.values));
    }
    for (size_t cut = 0; cut < saved.size; cut += 97) {
        cursor_init(&in, saved.data, cut);
        ck_assert_int_eq(coverage_load(back, &in, &err), ERR_CORRUPT);
        ck_assert_uint_eq(coverage_used(back), 0);
    }
    saved.data[0] ^= 1;
    cursor_init(&in, saved.data, saved.size);
    ck_assert_int_eq(coverage_load(back, &in, &err), ERR_CORRUPT);
    ck_assert_int_eq(coverage_save(back, &again), 0);
    buf_deinit(&saved);
    buf_deinit(&again);
    coverage_free(c);
    coverage_free(back);
}
END_TEST

int main(void)
{
    struct errmsg err;
    if (model_blas_check(&err) != 0)
        return 1;
    Suite *suite = suite_create("coverage");
    TCase *tcase = tcase_create("all");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, test_same_as_reference);
    tcase_add_test(tcase, test_learns);
    tcase_add_test(tcase, test_rare_is_covered);
    tcase_add_test(tcase, test_odd_latents);
    tcase_add_test(tcase, test_saved_and_restored);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
