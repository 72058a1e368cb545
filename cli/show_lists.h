/* SPDX-License-Identifier: Apache-2.0 */
/* The results that are tables; see cli/show.h. */
#ifndef VARVE_CLI_SHOW_LISTS_H
#define VARVE_CLI_SHOW_LISTS_H

#include "cli/show.h"

void lists_items(struct show *s, const struct json *result, bool scores);
void lists_answer(struct show *s, const struct json *result);
void lists_surprise(struct show *s, const struct json *result);
void lists_forecast(struct show *s, const struct json *result);
void lists_entities(struct show *s, const struct json *result);
void lists_history(struct show *s, const struct json *result);
void lists_streams(struct show *s, const struct json *result);

/* An item's stream, or above stratum 0 what it is: "episode", "hour", "day". */
const char *lists_where(const struct json *item);

#endif
