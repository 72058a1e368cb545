/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every user of SQLite in this folder shares: set-up, opening, statements, error translation.
 * Only files of memory/ include this (and with it sqlite3.h).
 */
#ifndef VARVE_MEMORY_SQLITE_H
#define VARVE_MEMORY_SQLITE_H

#include <sqlite3.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/*
 * Gives SQLite base/mem.h for its memory (and the fault VFS in a -Dfault build). Once a process,
 * before any other use; later calls do nothing. Thread: any. store_open and sqlite_open_readonly
 * call it.
 */
int sqlite_setup(void);

/* Bytes SQLite holds now, all connections. */
size_t sqlite_memory(void);

/*
 * Translates an SQLite result into our code and writes "what: SQLite's text" (what may be NULL).
 * db may be NULL. SQLITE_OK, _ROW and _DONE give 0.
 */
int sql_error(sqlite3 *db, int rc, struct errmsg *err, const char *what);

/*
 * A connection that can neither write nor checkpoint, for one thread at a time: query_only, no
 * mmap, busy timeout. Where it may not share memory with the daemon, as in a folder that cannot be
 * written to, it reads the file and what a killed daemon left in the log alone; ERR_BUSY when a
 * daemon is writing there. Checks that the file is ours and of a version we read: ERR_NOTFOUND,
 * ERR_CORRUPT, ERR_UNSUPPORTED (a newer file, or one that the daemon must migrate first). cache_kib
 * 0: 4096.
 */
int sqlite_open_readonly(const char *path, int cache_kib, sqlite3 **ret, struct errmsg *err);
/* application_id and user_version of an open database, as above. */
int sqlite_check_ours(sqlite3 *db, const char *path, int *ret_version, struct errmsg *err);

int sql_exec(sqlite3 *db, const char *sql, struct errmsg *err);
/* Prepares a statement that is kept (SQLITE_PREPARE_PERSISTENT). */
int sql_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **ret, struct errmsg *err);
/*
 * Steps: 0 when there is a row, SQL_DONE when there is none (the statement is then reset), or an
 * error (reset as well).
 */
#define SQL_DONE 1
int sql_step(sqlite3_stmt *stmt, struct errmsg *err);
/* Runs a statement that gives no rows, resets it and clears its bindings. */
int sql_run(sqlite3_stmt *stmt, struct errmsg *err);
/* First column of the first row; ERR_NOTFOUND when there is none. */
int sql_int64(sqlite3 *db, const char *sql, int64_t *ret, struct errmsg *err);

#endif
