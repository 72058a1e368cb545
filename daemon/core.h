/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon's life: start, reload, stop. Loop thread. */
#ifndef VARVE_DAEMON_CORE_H
#define VARVE_DAEMON_CORE_H

#include "daemon/daemon.h"

/*
 * Runs until a signal ends it; takes `config` over. Returns 0 after a clean stop; otherwise the
 * code and what was wrong. Once a process.
 */
int daemon_run(const struct config_args *args, struct config *config, struct errmsg *err);

/*
 * Reads the configuration again. Nothing changes when it is wrong; kept->text names what only a
 * restart can change.
 */
int daemon_reload(struct daemon *d, struct errmsg *kept, struct errmsg *err);

#endif
