/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/notify.h"

void notify_state(const char *state)
{
}

uint64_t notify_watchdog_interval(void)
{
    return 0;
}

int notify_listen_fd(void)
{
    return -1;
}
