/* SPDX-License-Identifier: Apache-2.0 */
/* A copy of the file as it is at one instant, with the daemon running or not. */
#ifndef VARVE_MEMORY_BACKUP_H
#define VARVE_MEMORY_BACKUP_H

#include "base/error.h"

/*
 * Writes `out`, a complete memory.db without WAL, 0600 and synced. ERR_EXISTS when there is a file
 * of that name; on any error nothing is left of it.
 */
int backup_file(const char *path, const char *out, struct errmsg *err);

#endif
