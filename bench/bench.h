/* SPDX-License-Identifier: Apache-2.0 */
/* What the benchmarks share: they end on the first error, and time the thread they run on. */
#ifndef VARVE_BENCH_BENCH_H
#define VARVE_BENCH_BENCH_H

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"

static inline void must(int r, const char *what, const struct errmsg *err)
{
    if (r < 0) {
        fprintf(stderr, "%s: %s\n", what, err->text[0] ? err->text : err_text(r));
        exit(1);
    }
}
#define MUST(call) must(call, #call, &err)

/* Of this thread: on a busy machine the wall says little. */
static inline double cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static inline double resident_mib(void)
{
    long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (f && fscanf(f, "%*d %ld", &pages) != 1)
        pages = 0;
    if (f)
        fclose(f);
    return (double)pages * (double)sysconf(_SC_PAGESIZE) / (1 << 20);
}

#endif
