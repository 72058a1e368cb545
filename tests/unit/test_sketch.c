/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "memory/sketch.h"

static struct sketch_index *ix;

static void setup(void)
{
    ck_assert_int_eq(sketch_index_new(&ix), 0);
}

static void teardown(void)
{
    sketch_index_free(ix);
}

static void random_latent(unsigned *seed, float *out)
{
    for (int i = 0; i < LATENT_DIM; i++)
        out[i] = (float)rand_r(seed) / RAND_MAX - 0.5f;
}

static const struct sketch_filter any_text = {KIND_TEXT, TIME_UNKNOWN, TIME_UNKNOWN, NULL, 0};

/* Against a plain comparison of signs, over more than one chunk. */
START_TEST(test_nearest)
{
    enum { N = 9000, K = 16 };
    static float all[N][LATENT_DIM];
    unsigned seed = 3;
    float query[LATENT_DIM];
    struct sketch_hit hits[K];
    for (int i = 0; i < N; i++) {
        random_latent(&seed, all[i]);
        ck_assert_int_eq(sketch_index_append(ix, i + 1, 1, KIND_TEXT, i, all[i]), 0);
    }
    random_latent(&seed, query);
    ck_assert_uint_eq(sketch_index_search(ix, query, &any_text, hits, K), K);
    uint32_t worst = 0, nearer = 0;
    for (int k = 0; k < K; k++) {
        uint32_t d = 0;
        for (int i = 0; i < LATENT_DIM; i++)
            d += (all[hits[k].id - 1][i] > 0) != (query[i] > 0);
        ck_assert_uint_eq(hits[k].distance, d);
        ck_assert_uint_ge(d, worst);
        worst = d;
    }
    for (int n = 0; n < N; n++) {
        uint32_t d = 0;
        for (int i = 0; i < LATENT_DIM; i++)
            d += (all[n][i] > 0) != (query[i] > 0);
        nearer += d < worst;
    }
    ck_assert_uint_lt(nearer, K);
}
END_TEST

START_TEST(test_filter_and_remove)
{
    float latent[LATENT_DIM] = {1, -1, 1}, zero[LATENT_DIM] = {0};
    struct sketch_hit hits[8];
    for (int i = 0; i < 6; i++)
        sketch_index_append(ix, i + 1, i % 2 + 1, i < 3 ? KIND_TEXT : KIND_SENSOR, i * 100, latent);
    ck_assert_int_eq(sketch_index_append(ix, 99, 1, KIND_TEXT, 0, zero), 0);
    ck_assert_uint_eq(sketch_index_count(ix), 6);
    ck_assert_uint_eq(sketch_index_search(ix, latent, &any_text, hits, 8), 3);
    ck_assert_uint_eq(sketch_index_search(ix, zero, &any_text, hits, 8), 0);
    ck_assert_uint_eq(sketch_index_search(ix, latent, &any_text, hits, 2), 2);
    int64_t stream = 2;
    struct sketch_filter f = {KIND_SENSOR, TIME_UNKNOWN, TIME_UNKNOWN, &stream, 1};
    ck_assert_uint_eq(sketch_index_search(ix, latent, &f, hits, 8), 2);
    f.since = 400;
    ck_assert_uint_eq(sketch_index_search(ix, latent, &f, hits, 8), 1);
    ck_assert_int_eq(hits[0].id, 6);
    f.until = 500;
    ck_assert_uint_eq(sketch_index_search(ix, latent, &f, hits, 8), 0);
    int64_t gone[] = {77, 2};
    sketch_index_remove(ix, gone, 2);
    ck_assert_uint_eq(sketch_index_count(ix), 5);
    ck_assert_uint_eq(sketch_index_search(ix, latent, &any_text, hits, 8), 2);
}
END_TEST

static atomic_bool done;

static void *search_on(void *arg)
{
    float latent[LATENT_DIM];
    struct sketch_hit hits[32];
    unsigned seed = 11;
    uint32_t seen = 0;
    while (!atomic_load(&done)) {
        random_latent(&seed, latent);
        uint32_t count = sketch_index_count(ix);
        uint32_t n = sketch_index_search(ix, latent, &any_text, hits, 32);
        ck_assert_uint_ge(n, count < 32 ? count : 32);
        for (uint32_t i = 0; i < n; i++)
            ck_assert(hits[i].id >= 1 && hits[i].id <= 10000);
        ck_assert_uint_ge(count, seen);
        seen = count;
    }
    return NULL;
}

START_TEST(test_append_while_searching)
{
    pthread_t threads[2];
    float latent[LATENT_DIM];
    unsigned seed = 5;
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, search_on, NULL), 0);
    for (int i = 0; i < 10000; i++) {
        random_latent(&seed, latent);
        ck_assert_int_eq(sketch_index_append(ix, i + 1, 1, KIND_TEXT, i, latent), 0);
    }
    atomic_store(&done, true);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    ck_assert_uint_eq(sketch_index_count(ix), 10000);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("sketch");
    TCase *t = tcase_create("sketch");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_nearest);
    tcase_add_test(t, test_filter_and_remove);
    tcase_add_test(t, test_append_while_searching);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
