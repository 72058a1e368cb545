/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fault.h"

#ifdef VARVE_FAULT_HOOKS
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct countdown {
    atomic_long passed; /* calls so far */
    atomic_long first;  /* first failing call, 1-based; 0: off */
    atomic_long last;   /* last failing call */
};

static struct countdown sites[FAULT_SITES];

void fault_config(enum fault_site site, long delay, long repeat)
{
    atomic_store(&sites[site].first, 0);
    atomic_store(&sites[site].passed, 0);
    atomic_store(&sites[site].last, delay + repeat);
    atomic_store(&sites[site].first, delay + 1);
}

void fault_clear(void)
{
    for (int i = 0; i < FAULT_SITES; i++) {
        atomic_store(&sites[i].first, 0);
        atomic_store(&sites[i].passed, 0);
    }
}

long fault_count(enum fault_site site)
{
    return atomic_load(&sites[site].passed);
}

bool fault_tick(enum fault_site site)
{
    long n = atomic_fetch_add(&sites[site].passed, 1) + 1;
    long first = atomic_load(&sites[site].first);
    return first > 0 && n >= first && n <= atomic_load(&sites[site].last);
}

void fault_config_env(void)
{
    static const char *const names[FAULT_SITES] = {"alloc", "vfs", "sockwrite"};
    const char *s = getenv("VARVE_FAULT");
    while (s && *s) {
        for (int i = 0; i < FAULT_SITES; i++) {
            size_t n = strlen(names[i]);
            if (strncmp(s, names[i], n) == 0 && s[n] == ':') {
                char *end;
                long delay = strtol(s + n + 1, &end, 10);
                long repeat = *end == ':' ? strtol(end + 1, &end, 10) : 1;
                fault_config((enum fault_site)i, delay, repeat);
            }
        }
        s = strchr(s, ',');
        if (s)
            s++;
    }
}
#endif
