/* SPDX-License-Identifier: Apache-2.0 */
/* What kernels.h computes, in plain C with sums in double: the oracle of its test. */
#ifndef VARVE_MODEL_KERNELS_REF_H
#define VARVE_MODEL_KERNELS_REF_H

#include <stddef.h>

float kernel_ref_dot(const float *x, const float *y, size_t n);
void kernel_ref_axpy(float a, const float *x, float *y, size_t n);
void kernel_ref_matrix_vector(const float *rows, size_t count, size_t n, const float *x,
                              float *ret);
float kernel_ref_normalise(float *x, size_t n);

#endif
