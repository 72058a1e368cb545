/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every row that can still be read of a damaged file, copied as it is into the tables of a fresh
 * one. What the rows say is not looked at here, only whether they are rows of their table.
 */
#ifndef VARVE_MEMORY_SALVAGE_TREES_H
#define VARVE_MEMORY_SALVAGE_TREES_H

#include <sqlite3.h>

#include "memory/salvage/pages.h"
#include "memory/salvage/salvage.h"

/*
 * `out` is a new, empty memory, and says which tables there are and what their columns take. The
 * indexes over moments are read too: the temporary table place(moment, stream) says for each moment
 * which stream it was of, also where its row is lost. Fills the report's tables.
 */
int trees_copy(const struct pages *pages, sqlite3 *out, struct salvage_report *report,
               struct errmsg *err);

#endif
