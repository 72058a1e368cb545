/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

#define LINES_PER_SECOND 50

static atomic_int threshold = LOG_LEVEL_INFO;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int64_t window_start;
static int window_lines;
static int window_dropped;

void log_set_level(enum log_level level)
{
    atomic_store(&threshold, (int)level);
}

/* Takes a place in this second's allowance; *ret_missed: lines left out in the second before. */
static int take_place(int *ret_missed)
{
    int64_t now = clock_mono(clock_system());
    *ret_missed = 0;
    if (now - window_start >= US_PER_SECOND) {
        *ret_missed = window_dropped;
        window_start = now;
        window_lines = window_dropped = 0;
    }
    if (window_lines >= LINES_PER_SECOND) {
        window_dropped++;
        return 0;
    }
    window_lines++;
    return 1;
}

void log_write(enum log_level level, const char *format, ...)
{
    static const char *const names[] = {"error", "warning", "info", "debug"};
    static const char *const journal_prefix[] = {"<3>", "<4>", "<6>", "<7>"};
    if ((int)level > atomic_load(&threshold))
        return;
    char line[1024];
    va_list ap;
    va_start(ap, format);
    vsnprintf(line, sizeof(line), format, ap);
    va_end(ap);
    pthread_mutex_lock(&lock);
    int missed;
    if (take_place(&missed)) {
        if (missed)
            fprintf(stderr, "varve: %d log lines left out\n", missed);
        if (getenv("JOURNAL_STREAM") && !isatty(2))
            fprintf(stderr, "%s%s\n", journal_prefix[level], line);
        else
            fprintf(stderr, "%s: %s\n", names[level], line);
    }
    pthread_mutex_unlock(&lock);
}
