/* SPDX-License-Identifier: Apache-2.0 */
#include "model/kernels_ref.h"

#include <math.h>

float kernel_ref_dot(const float *x, const float *y, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)x[i] * y[i];
    return (float)sum;
}

void kernel_ref_axpy(float a, const float *x, float *y, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] = (float)(y[i] + (double)a * x[i]);
}

void kernel_ref_matrix_vector(const float *rows, size_t count, size_t n, const float *x, float *ret)
{
    for (size_t i = 0; i < count; i++)
        ret[i] = kernel_ref_dot(rows + i * n, x, n);
}

float kernel_ref_normalise(float *x, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)x[i] * x[i];
    double norm = sqrt(sum);
    int bad = !isfinite(norm) || norm < 1e-30;
    for (size_t i = 0; i < n; i++)
        x[i] = bad ? 0 : (float)(x[i] / norm);
    return bad ? 0 : (float)norm;
}
