/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VARVE_CLI_SHOW_STATUS_H
#define VARVE_CLI_SHOW_STATUS_H

#include "cli/show.h"

/* daemon.status for people. */
void status_show(struct show *s, const struct json *result);

#endif
