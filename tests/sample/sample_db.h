/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A memory file made through the store, the same every time, for tests of what reads one: a sensor
 * stream, a text stream, notes with awkward text, something unusual in each, and a journal of which
 * a part lies in a moment already.
 */
#ifndef VARVE_TESTS_SAMPLE_DB_H
#define VARVE_TESTS_SAMPLE_DB_H

#include "base/error.h"
#include "memory/store.h"

#define SAMPLE_START 1795132800000000LL /* 2026-11-20T00:00:00Z */
#define SAMPLE_ODD_TITLE "disk sda: 8 unreadable sectors"
#define SAMPLE_MARKUP "<script>window.harm = 1</script><img src=x onerror='window.harm = 2'>"
#define SAMPLE_NOTES 5   /* moments of the stream "notes" */
#define SAMPLE_WAITING 2 /* journaled records of "journal" that lie in no moment */

/*
 * Makes `path` (it must not exist) with so many moments each of "host" and "journal", five minutes
 * apart, and consolidates them. With ret_store the store stays open and is the caller's.
 */
int sample_db_make(const char *path, uint32_t moments, struct store **ret_store,
                   struct errmsg *err);

/* How many records lie in it, the journal's included. */
uint64_t sample_db_records(uint32_t moments);

#endif
