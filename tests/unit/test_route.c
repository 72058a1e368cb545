/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <math.h>
#include <string.h>

#include "model/route.h"

static void axis(float *v, int d)
{
    memset(v, 0, LATENT_DIM * sizeof(*v));
    v[d] = 1;
}

static float cosine(const float *a, const float *b)
{
    float ab = 0, aa = 0, bb = 0;
    for (int d = 0; d < LATENT_DIM; d++) {
        ab += a[d] * b[d];
        aa += a[d] * a[d];
        bb += b[d] * b[d];
    }
    return ab / sqrtf(aa * bb);
}

static struct codebook *book(uint32_t codes)
{
    struct codebook *c;
    ck_assert_int_eq(codebook_new(&(struct codebook_options){.codes = codes}, &c), 0);
    return c;
}

START_TEST(test_codes_follow_their_clusters)
{
    struct codebook *c = book(8);
    float v[LATENT_DIM];
    for (int i = 0; i < 300; i++) {
        axis(v, 10 * (i % 3));
        v[10 * (i % 3) + 1 + i % 5] = 0.2f;
        float norm = sqrtf(1.04f);
        for (int d = 0; d < LATENT_DIM; d++)
            v[d] /= norm;
        codebook_learn(c, v);
    }
    ck_assert_uint_eq(codebook_count(c), 3);
    float p[CODEBOOK_MAX], sum = 0;
    axis(v, 10);
    codebook_distribution(c, v, p);
    for (uint32_t i = 0; i < 3; i++)
        sum += p[i];
    ck_assert(p[1] > 0.9f && sum <= 1.0001f);
    codebook_free(c);
}
END_TEST

/* Full: what is used least gives way, and the book never grows. */
START_TEST(test_full_book)
{
    struct codebook *c = book(4);
    float v[LATENT_DIM];
    for (int i = 0; i < 40; i++) {
        axis(v, 0);
        ck_assert_uint_eq(codebook_learn(c, v), 0);
        axis(v, 1 + i);
        codebook_learn(c, v);
    }
    ck_assert_uint_eq(codebook_count(c), 4);
    axis(v, 0);
    ck_assert_float_gt(cosine(codebook_code(c, 0), v), 0.99f);
    axis(v, 40);
    ck_assert_uint_ne(codebook_learn(c, v), 0);
    codebook_free(c);
}
END_TEST

START_TEST(test_tau_itself_is_latent)
{
    struct router *r;
    float v[LATENT_DIM], p[CODEBOOK_MAX];
    struct route route;
    axis(v, 3);
    struct codebook *c = book(0);
    codebook_learn(c, v);
    codebook_distribution(c, v, p);
    codebook_free(c);
    /* The second moment like the first has exactly this confidence. */
    struct router_options o = {.tau_min = p[0], .tau_max = p[0]};
    ck_assert_int_eq(router_new(&o, &r), 0);
    router_route(r, v, &route);
    ck_assert_int_eq(route.path, PATH_DISCRETE);
    router_route(r, v, &route);
    ck_assert_float_eq(route.confidence, route.tau);
    ck_assert_int_eq(route.path, PATH_LATENT);
    router_free(r);
    o.tau_min = o.tau_max = nextafterf(p[0], 1);
    ck_assert_int_eq(router_new(&o, &r), 0);
    router_route(r, v, &route);
    router_route(r, v, &route);
    ck_assert_int_eq(route.path, PATH_DISCRETE);
    router_free(r);
}
END_TEST

START_TEST(test_blend)
{
    struct codebook *c = book(8);
    float v[LATENT_DIM], blend[LATENT_DIM];
    for (int d = 0; d < 3; d++) {
        axis(v, d);
        codebook_learn(c, v);
    }
    /* One-hot: the blend is the code. */
    static const float onehot[] = {0, 1, 0};
    router_blend(c, onehot, 3, 10, blend);
    for (int d = 0; d < LATENT_DIM; d++)
        ck_assert_float_eq_tol(blend[d], codebook_code(c, 1)[d], 1e-6f);
    /* j > K takes all of them. */
    static const float p[] = {0.5f, 0.3f, 0.1f};
    router_blend(c, p, 3, 100, blend);
    ck_assert_float_eq_tol(blend[0], 0.5f / 0.9f, 1e-6f);
    ck_assert_float_eq_tol(blend[2], 0.1f / 0.9f, 1e-6f);
    /* j = 2 leaves out the least likely and weighs the others to 1. */
    router_blend(c, p, 3, 2, blend);
    ck_assert_float_eq_tol(blend[0] + blend[1], 1, 1e-6f);
    ck_assert_float_eq(blend[2], 0);
    codebook_free(c);
}
END_TEST

START_TEST(test_a_young_book_is_not_sure)
{
    struct router *r;
    struct route route;
    float v[LATENT_DIM];
    ck_assert_int_eq(router_new(&(struct router_options){0}, &r), 0);
    axis(v, 0);
    router_route(r, v, &route);
    axis(v, 1);
    router_route(r, v, &route);
    ck_assert_int_eq(route.path, PATH_DISCRETE);
    ck_assert_uint_eq(route.code, 1);
    memset(v, 0, sizeof(v));
    router_route(r, v, &route);
    ck_assert_int_eq(route.path, PATH_DISCRETE);
    ck_assert_float_eq(route.latent[0], 0);
    router_free(r);
}
END_TEST

START_TEST(test_load_moves_tau_inside_its_bounds)
{
    struct router *r;
    struct router_options o = {.tau_min = 0.5f, .tau_max = 0.8f};
    ck_assert_int_eq(router_new(&o, &r), 0);
    ck_assert_float_eq_tol(router_tau(r), 0.8f, 1e-6f);
    router_load(r, 0.5f);
    ck_assert_float_eq_tol(router_tau(r), 0.65f, 1e-6f);
    router_load(r, 7);
    ck_assert_float_eq_tol(router_tau(r), 0.5f, 1e-6f);
    router_load(r, NAN);
    ck_assert_float_eq_tol(router_tau(r), 0.8f, 1e-6f);
    router_free(r);
    o.tau_min = 0.9f;
    ck_assert_int_eq(router_new(&o, &r), ERR_INVALID);
}
END_TEST

/* The same moments give the same routes, also through a snapshot. */
START_TEST(test_deterministic_and_saved)
{
    struct router *a, *b;
    struct buf saved = {0};
    struct errmsg err;
    float v[LATENT_DIM];
    struct route ra, rb;
    ck_assert_int_eq(router_new(&(struct router_options){0}, &a), 0);
    ck_assert_int_eq(router_new(&(struct router_options){0}, &b), 0);
    for (int i = 0; i < 100; i++) {
        axis(v, i * 7 % 13);
        router_route(a, v, &ra);
        router_route(b, v, &rb);
        ck_assert_mem_eq(&ra, &rb, sizeof(ra));
    }
    ck_assert_int_eq(router_save(a, &saved), 0);
    router_free(b);
    ck_assert_int_eq(router_new(&(struct router_options){0}, &b), 0);
    struct cursor in;
    cursor_init(&in, saved.data, saved.size);
    ck_assert_int_eq(router_restore(b, &in, &err), 0);
    router_route(a, v, &ra);
    router_route(b, v, &rb);
    ck_assert_uint_eq(ra.code, rb.code);
    ck_assert_int_eq(ra.path, rb.path);
    ck_assert_float_eq_tol(ra.confidence, rb.confidence, 0.01f);
    for (size_t cut = 0; cut < saved.size; cut += 7) {
        cursor_init(&in, saved.data, cut);
        ck_assert_int_eq(router_restore(b, &in, &err), ERR_CORRUPT);
    }
    router_route(b, v, &rb);
    ck_assert_int_eq(rb.path, PATH_DISCRETE);
    buf_deinit(&saved);
    router_free(a);
    router_free(b);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("route");
    TCase *t = tcase_create("route");
    tcase_add_test(t, test_codes_follow_their_clusters);
    tcase_add_test(t, test_full_book);
    tcase_add_test(t, test_tau_itself_is_latent);
    tcase_add_test(t, test_blend);
    tcase_add_test(t, test_a_young_book_is_not_sure);
    tcase_add_test(t, test_load_moves_tau_inside_its_bounds);
    tcase_add_test(t, test_deterministic_and_saved);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
