/* SPDX-License-Identifier: Apache-2.0 */
/* What the benchmarks share: they end on the first error, and time the thread they run on. */
#ifndef VARVE_BENCH_BENCH_H
#define VARVE_BENCH_BENCH_H

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
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

/* All of standard input; 0 or ERR_NOMEM. */
static inline int read_input(struct buf *in)
{
    char part[65536];
    size_t n;
    while ((n = fread(part, 1, sizeof(part), stdin)) > 0)
        buf_append(in, part, n);
    return buf_failed(in) ? ERR_NOMEM : 0;
}

/* The next of JPEGs that lie one behind the other, up to its end marker; size 0 at the end. */
static inline struct slice next_jpeg(const struct buf *in, size_t *at)
{
    size_t from = *at, end = from;
    while (end + 1 < in->size &&
           !((uint8_t)in->data[end] == 0xff && (uint8_t)in->data[end + 1] == 0xd9))
        end++;
    *at = end + 2;
    return (struct slice){in->data + from, end + 1 < in->size ? end + 2 - from : 0};
}

#endif
