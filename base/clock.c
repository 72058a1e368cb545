/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <time.h>

static int64_t read_clock(clockid_t id)
{
    struct timespec ts;
    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * US_PER_SECOND + ts.tv_nsec / 1000;
}

static int64_t system_now(const struct clock *c)
{
    return read_clock(CLOCK_REALTIME);
}

static int64_t system_mono(const struct clock *c)
{
    return read_clock(CLOCK_MONOTONIC);
}

static int64_t simulated_now(const struct clock *c)
{
    return c->simulated;
}

const struct clock *clock_system(void)
{
    static const struct clock c = {system_now, system_mono, 0};
    return &c;
}

void clock_simulated_init(struct clock *c, int64_t now)
{
    *c = (struct clock){simulated_now, simulated_now, now};
}

void clock_advance(struct clock *c, int64_t us)
{
    c->simulated += us;
}
