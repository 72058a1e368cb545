/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lasting values that a line of text states: "thermostat setpoint changed from 19 to 20.5",
 * "service orders upgraded from 3.1 to 3.2", "host nas has address 10.0.0.7", "the door code is
 * 4711". By wording alone; what changes too often to be a fact is for memory to tell.
 *
 * Thread: any; no state.
 */
#ifndef VARVE_PIPELINE_FACTS_H
#define VARVE_PIPELINE_FACTS_H

#include <stdbool.h>

#include "base/record.h"

/*
 * The first one that the line states, if any. Talk states many things that last no longer than the
 * sentence: of it only plain wordings count. `at` and `record` are the caller's to fill.
 */
bool facts_find(struct slice line, bool talk, struct fact_seen *ret);

#endif
