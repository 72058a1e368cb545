/* SPDX-License-Identifier: Apache-2.0 */
/* Brings a file's schema to the version of this program, a step a version. */
#ifndef VARVE_MEMORY_MIGRATE_H
#define VARVE_MEMORY_MIGRATE_H

#include <sqlite3.h>

#include "base/error.h"

/*
 * Runs the steps from `version` (0: an empty file) up to SCHEMA_VERSION, each in a transaction of
 * its own together with its new user_version, so a kill leaves a whole version behind.
 */
int migrate(sqlite3 *db, int version, struct errmsg *err);

#endif
