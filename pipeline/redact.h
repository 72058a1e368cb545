/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Takes secrets out of text before anything is written: values of keys like password, token and
 * api_key (plain, URL and JSON quoting), `Authorization:` and Bearer or Basic credentials,
 * user:pass@ in URLs, well-known token shapes (AKIA…, ghp_…, JWT and the like), bodies of private
 * keys; plus the patterns of the configuration. What is taken out reads `[redacted]`, its key
 * stays.
 *
 * Thread: a redactor is read-only while in use and its counters are its user's: one at a time.
 */
#ifndef VARVE_PIPELINE_REDACT_H
#define VARVE_PIPELINE_REDACT_H

#include "base/buf.h"
#include "base/error.h"

struct redactor;

/* `defaults` false: only what redactor_add_pattern adds. */
int redactor_new(bool defaults, struct redactor **ret);
void redactor_free(struct redactor *r);
/*
 * A POSIX extended regular expression; with a first subexpression only that part is taken out.
 * ERR_INVALID with the library's text, also for a pattern that matches the empty string.
 */
int redactor_add_pattern(struct redactor *r, const char *pattern, struct errmsg *err);

/*
 * 0: nothing found, `out` is untouched. REDACTED: `out` (cleared first) holds the new text.
 * ERR_NOMEM. The text is one record's, valid UTF-8 without NUL.
 */
#define REDACTED 1
int redactor_apply(struct redactor *r, const char *text, size_t size, struct buf *out);

/* How many secrets were taken out since redactor_new. */
uint64_t redactor_count(const struct redactor *r);

#endif
