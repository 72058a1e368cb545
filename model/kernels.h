/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The few vector operations that everything learned here is made of, over BLAS; kernels_ref.h has
 * the same in plain C. Results of the two differ by rounding only. Thread: any, once
 * model_blas_check() has run.
 */
#ifndef VARVE_MODEL_KERNELS_H
#define VARVE_MODEL_KERNELS_H

#include <stddef.h>

#include "base/error.h"

/*
 * Call once at start, before any thread and any fork. Refuses a serial OpenBLAS, which computes
 * wrong products when it is called from several threads, and sets it to one thread of its own: the
 * pool owns the cores. Returns 0 or ERR_UNSUPPORTED.
 */
int model_blas_check(struct errmsg *err);

/* Sum of x[i] y[i]. */
float kernel_dot(const float *x, const float *y, size_t n);
/* y += a x. */
void kernel_axpy(float a, const float *x, float *y, size_t n);
/* ret[i] = sum of rows[i][k] x[k]; rows[count][n], ret[count]. */
void kernel_matrix_vector(const float *rows, size_t count, size_t n, const float *x, float *ret);
/* Scales x to unit length and returns the length it had; zero, infinite or NaN: x becomes zero,
 * returns 0. */
float kernel_normalise(float *x, size_t n);

#endif
