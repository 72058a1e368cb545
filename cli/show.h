/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Results of the wire as text: for people on a terminal, and, without colour and with UTC times,
 * for agents behind `varve mcp`. A member that is missing is left out, so an older or newer
 * daemon's answer can still be shown.
 */
#ifndef VARVE_CLI_SHOW_H
#define VARVE_CLI_SHOW_H

#include <stdbool.h>

#include "base/buf.h"
#include "ipc/api.h"
#include "ipc/json.h"

struct show {
    struct buf *out;
    bool color;
    bool utc;  /* RFC 3339 instead of local times */
    int width; /* of a line; 0: not cut */
};

/* Colour and width of standard output. */
struct show show_for_stdout(struct buf *out);

void show_result(struct show *s, enum api_method method, const struct json *result);
/* One item of search as a line, for watch. */
void show_item_line(struct show *s, const struct json *item);

/* "2026-11-23 14:31:52" of an RFC 3339 text, local, or as it is where it is none. */
#define SHOW_TIME_SIZE 40
const char *show_time(const struct show *s, const struct json *time, char out[SHOW_TIME_SIZE]);
/* "1,234,567" */
#define SHOW_NUMBER_SIZE 32
const char *show_count(double v, char out[SHOW_NUMBER_SIZE]);
/* "1.2 MiB" */
const char *show_bytes(double v, char out[SHOW_NUMBER_SIZE]);

#endif
