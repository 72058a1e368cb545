/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file's tables as SQL, for whoever creates, migrates or checks it. docs/format.md explains
 * them; the two change in one commit.
 */
#ifndef VARVE_MEMORY_SCHEMA_H
#define VARVE_MEMORY_SCHEMA_H

#define SCHEMA_APPLICATION_ID 0x76617276 /* "varv", PRAGMA application_id */
#define SCHEMA_VERSION 2                 /* PRAGMA user_version */
#define SCHEMA_PAGE_SIZE 4096

/*
 * Rows of the full-text table `words` belong to moments by their rowid: moment * WORDS_ROWS + k.
 * k = 0 is the row of the whole moment, k = 1..256 that of its record k - 1 (discrete path only).
 */
#define WORDS_ROWS 512

enum stratum {
    STRATUM_MOMENT = 0,
    STRATUM_EPISODE = 1,
    STRATUM_HOUR = 2,
    STRATUM_DAY = 3,
    STRATUM_WEEK = 4,
    STRATUM_MONTH = 5
};
#define STRATA 6

/* "moment" … "month"; NULL for a foreign number. */
const char *stratum_name(int stratum);

/* The statements that make an empty file into version 1, one string. */
extern const char schema_v1[];
/* And from each version to the next. */
extern const char schema_v2[];

/* Names of every table, index and view that version SCHEMA_VERSION has; ends with NULL. */
extern const char *const schema_objects[];

#endif
