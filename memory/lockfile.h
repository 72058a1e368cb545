/* SPDX-License-Identifier: Apache-2.0 */
/* One writer a file: an advisory lock on a file beside it, with the holder's pid in it. */
#ifndef VARVE_MEMORY_LOCKFILE_H
#define VARVE_MEMORY_LOCKFILE_H

#include <stdbool.h>

#include "base/error.h"

/*
 * Takes the lock, creating the file (0600). ERR_BUSY names the process that has it. It is given up
 * with the descriptor, so also when the process dies.
 */
int lockfile_open(const char *path, int *ret_fd, struct errmsg *err);
/* -1 is allowed. The file stays: removing it would race with the next holder. */
void lockfile_close(int fd);
/* Whether some process has it; asks without taking it. No file: false. */
int lockfile_held(const char *path, bool *ret, struct errmsg *err);

#endif
