/* SPDX-License-Identifier: Apache-2.0 */
/* The BLAS kernels agree with plain C, and the library that is loaded is fit for threads. */
#include <check.h>
#include <math.h>
#include <stdlib.h>

#include "model/kernels.h"
#include "model/kernels_ref.h"

#define SIZE 300

static void fill(float *x, unsigned seed)
{
    for (int i = 0; i < SIZE; i++) {
        seed = seed * 1103515245u + 12345u;
        x[i] = (float)(seed >> 8) / 8388608.0f - 1;
    }
}

START_TEST(test_blas_is_threaded)
{
    struct errmsg err;
    ck_assert_msg(!model_blas_check(&err), "%s", err.text);
    ck_assert_int_eq(model_blas_check(NULL), 0);
}
END_TEST

START_TEST(test_agrees_with_reference)
{
    float x[SIZE], y[SIZE], z[SIZE];
    for (unsigned n = 0; n <= SIZE; n++) {
        fill(x, n + 1);
        fill(y, n + 1000);
        ck_assert_float_eq_tol(kernel_dot(x, y, n), kernel_ref_dot(x, y, n), 1e-4f);
        for (int i = 0; i < SIZE; i++)
            z[i] = y[i];
        kernel_axpy(0.75f, x, y, n);
        kernel_ref_axpy(0.75f, x, z, n);
        for (int i = 0; i < SIZE; i++)
            ck_assert_float_eq_tol(y[i], z[i], 1e-6f);
        ck_assert_float_eq_tol(kernel_normalise(y, n), kernel_ref_normalise(z, n), 1e-4f);
        for (int i = 0; i < SIZE; i++)
            ck_assert_float_eq_tol(y[i], z[i], 1e-6f);
    }
}
END_TEST

START_TEST(test_matrix_vector)
{
    static float rows[20 * SIZE];
    float x[SIZE], y[20], z[20];
    for (unsigned i = 0; i < 20; i++)
        fill(rows + i * SIZE, i + 5);
    fill(x, 77);
    kernel_matrix_vector(rows, 20, SIZE, x, y);
    kernel_ref_matrix_vector(rows, 20, SIZE, x, z);
    for (int i = 0; i < 20; i++)
        ck_assert_float_eq_tol(y[i], z[i], 1e-4f);
}
END_TEST

START_TEST(test_nothing_to_normalise)
{
    const float odd[] = {0, 1e-38f, INFINITY, NAN};
    for (int k = 0; k < 4; k++) {
        float x[4] = {odd[k], 0, 0, 0};
        ck_assert_float_eq(kernel_normalise(x, 4), 0);
        for (int i = 0; i < 4; i++)
            ck_assert_float_eq(x[i], 0);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("kernels");
    TCase *c = tcase_create("kernels");
    tcase_add_test(c, test_blas_is_threaded);
    tcase_add_test(c, test_agrees_with_reference);
    tcase_add_test(c, test_matrix_vector);
    tcase_add_test(c, test_nothing_to_normalise);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
