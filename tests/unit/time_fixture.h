/* SPDX-License-Identifier: Apache-2.0 */
/* Times as text, and the zone they are read in. */
#ifndef VARVE_TESTS_UNIT_TIME_FIXTURE_H
#define VARVE_TESTS_UNIT_TIME_FIXTURE_H

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/timestamp.h"

static inline int64_t at(const char *text)
{
    int64_t us;
    ck_assert_msg(timestamp_parse(text, strlen(text), &us, NULL) == 0, "%s", text);
    return us;
}

static inline void zone(const char *tz)
{
    setenv("TZ", tz, 1);
    tzset();
}

#endif
