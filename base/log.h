/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Log lines to standard error, with the systemd level prefix when it is the journal that reads
 * them. The daemon and the programs log; library folders return errors instead. Lines are
 * rate-limited: at most 50 a second, then one line says how many were left out. Thread: any.
 */
#ifndef VARVE_BASE_LOG_H
#define VARVE_BASE_LOG_H

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

void log_set_level(enum log_level level);
void log_write(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...) log_write(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...) log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
