/* SPDX-License-Identifier: Apache-2.0 */
/* One text as a whole configuration, without files and folders: for tests and fuzzing. */
#ifndef VARVE_CONFIG_LOAD_H
#define VARVE_CONFIG_LOAD_H

#include <stddef.h>

#include "config/config.h"

/* As config_load over a single file of that content; `file` is the name that errors carry. */
int config_load_text(const char *file, const char *data, size_t size, struct config **ret,
                     struct errmsg *err);

#endif
