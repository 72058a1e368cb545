/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The only file that sees cblas.h. A call costs some 20 ns before its first product, so this is for
 * vectors of a latent's size, not for a handful of numbers.
 */
#include "model/kernels.h"

#include <cblas.h>
#include <math.h>
#include <string.h>

int model_blas_check(struct errmsg *err)
{
    if (openblas_get_parallel() == OPENBLAS_SEQUENTIAL)
        return err_set(
            err, ERR_UNSUPPORTED,
            "the OpenBLAS that was loaded is the serial build (%s), which computes wrong "
            "results under threads; install libopenblas0-pthread",
            openblas_get_config());
    openblas_set_num_threads(1);
    return 0;
}

float kernel_dot(const float *x, const float *y, size_t n)
{
    return cblas_sdot((blasint)n, x, 1, y, 1);
}

void kernel_axpy(float a, const float *x, float *y, size_t n)
{
    cblas_saxpy((blasint)n, a, x, 1, y, 1);
}

void kernel_matrix_vector(const float *rows, size_t count, size_t n, const float *x, float *ret)
{
    cblas_sgemv(CblasRowMajor, CblasNoTrans, (blasint)count, (blasint)n, 1, rows, (blasint)n, x, 1,
                0, ret, 1);
}

float kernel_normalise(float *x, size_t n)
{
    float norm = cblas_snrm2((blasint)n, x, 1);
    if (!isfinite(norm) || norm < 1e-30f) {
        memset(x, 0, n * sizeof *x);
        return 0;
    }
    cblas_sscal((blasint)n, 1 / norm, x, 1);
    return norm;
}
