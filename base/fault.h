/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A countdown fault: the Nth call of a site fails, then `repeat` more. Compiled in with
 * `-Dfault=true`; otherwise fault_tick() is a constant and costs nothing. Set by tests, or for a
 * whole program by the environment: VARVE_FAULT="alloc:100:1,vfs:3:1,sockwrite:2:1"
 * (site:delay:repeat). Thread: any (the counters are atomic).
 */
#ifndef VARVE_BASE_FAULT_H
#define VARVE_BASE_FAULT_H

#include <stdbool.h>

enum fault_site { FAULT_ALLOC, FAULT_VFS, FAULT_SOCKWRITE, FAULT_SITES };

#ifdef VARVE_FAULT_HOOKS
void fault_config(enum fault_site site, long delay, long repeat);
void fault_config_env(void);
void fault_clear(void);
/* How often the site was passed since the last fault_config or fault_clear. */
long fault_count(enum fault_site site);
bool fault_tick(enum fault_site site);
#else
static inline void fault_config_env(void)
{
}
static inline bool fault_tick(enum fault_site site)
{
    (void)site;
    return false;
}
#endif

#endif
