/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VARVE_MEMORY_DUMP_OPEN_H
#define VARVE_MEMORY_DUMP_OPEN_H

#include <sqlite3.h>

#include "base/error.h"

/*
 * A read-only connection to a memory file, whoever owns its folder: as sqlite_open_readonly where
 * that can be, else without shared memory. Errors as there; ERR_BUSY when a log must be read but a
 * daemon that this user may not share memory with is writing it.
 */
int open_readonly(const char *path, sqlite3 **ret, struct errmsg *err);

#endif
