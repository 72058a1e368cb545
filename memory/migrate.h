/* SPDX-License-Identifier: Apache-2.0 */
/* Brings a file's schema to the version of this program, a step a version. */
#ifndef VARVE_MEMORY_MIGRATE_H
#define VARVE_MEMORY_MIGRATE_H

#include <sqlite3.h>

#include "base/clock.h"
#include "base/error.h"

struct migrate_watch {
    const struct clock *clock;
    void (*progress)(void *arg, const char *what); /* NULL: nobody asks */
    void *arg;
};

/*
 * Runs the steps from `version` (0: an empty file) up to SCHEMA_VERSION, each in a transaction of
 * its own together with its new user_version, so a kill leaves a whole version behind and the next
 * start goes on from there. progress is called at most once a second, of an older file only.
 */
int migrate(sqlite3 *db, int version, const struct migrate_watch *watch, struct errmsg *err);

#endif
