/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the message of a log line begins: behind timestamps, host, process, thread, level and
 * component, as far as their shapes tell. One set of rules for every system, no state; a line
 * without a recognised header (a chat sentence, say) is all message. Any thread.
 */
#ifndef VARVE_MODEL_LOG_HEADER_H
#define VARVE_MODEL_LOG_HEADER_H

#include <stdbool.h>
#include <stddef.h>

/* The offset of the message in line[0..n), at most n; 0 when there is no header. */
size_t log_header_end(const char *line, size_t n);

/*
 * True when the word is a piece of a date or a time by its shape: 2005-06-03, 15:42:50.675,
 * 20171223-22:15:29:606, 10/Oct/2000:13:55:36 and the like.
 */
bool log_header_is_time(const char *word, size_t n);

/* "Jan" … "Dec", "January" …; "Mon" … "Sun". Case as written so. */
bool log_header_is_month(const char *word, size_t n);
bool log_header_is_weekday(const char *word, size_t n);

#endif
