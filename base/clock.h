/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one clock. Everything that needs "now" takes a `const struct clock *`; tests and replays pass
 * a simulated one. Event times are microseconds UTC in int64.
 */
#ifndef VARVE_BASE_CLOCK_H
#define VARVE_BASE_CLOCK_H

#include <stdint.h>

#define US_PER_SECOND 1000000LL
#define US_PER_MINUTE (60 * US_PER_SECOND)
#define US_PER_HOUR (60 * US_PER_MINUTE)
#define US_PER_DAY (24 * US_PER_HOUR)

struct clock {
    int64_t (*now)(const struct clock *);  /* microseconds UTC */
    int64_t (*mono)(const struct clock *); /* microseconds, never steps back */
    int64_t simulated;
};

/* The system's. Static storage. */
const struct clock *clock_system(void);
/* A clock that stands at `now` until clock_advance. */
void clock_simulated_init(struct clock *c, int64_t now);
void clock_advance(struct clock *c, int64_t us);

static inline int64_t clock_now(const struct clock *c)
{
    return c->now(c);
}
static inline int64_t clock_mono(const struct clock *c)
{
    return c->mono(c);
}

#endif
