/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/notify.h"

#include <stddef.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>

void notify_state(const char *state)
{
    sd_notify(0, state);
}

uint64_t notify_watchdog_interval(void)
{
    uint64_t us = 0;
    return sd_watchdog_enabled(0, &us) > 0 ? us : 0;
}

int notify_listen_fd(void)
{
    int n = sd_listen_fds(1);
    if (n != 1 || sd_is_socket_unix(SD_LISTEN_FDS_START, SOCK_STREAM, 1, NULL, 0) <= 0)
        return -1;
    return SD_LISTEN_FDS_START;
}
