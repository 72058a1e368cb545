/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/timespec.h"
#include "tests/unit/time_fixture.h"

struct row {
    const char *spec, *expected;
};

static void check_rows(const char *now, const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int64_t us;
        struct errmsg err = {0};
        char got[TIMESTAMP_SIZE];
        int rc = timespec_parse(rows[i].spec, at(now), &us, &err);
        ck_assert_msg(rc == 0, "%s: %s", rows[i].spec, err.text);
        ck_assert_msg(us == at(rows[i].expected), "%s: %s, not %s", rows[i].spec,
                      timestamp_format(us, got), rows[i].expected);
    }
}

/* 2026-11-23 is a Monday. Berlin stands at +01:00 in winter. */
START_TEST(test_shapes)
{
    zone("Europe/Berlin");
    static const struct row rows[] = {
        {"2026-11-20T13:00:00Z", "2026-11-20T13:00:00Z"},
        {"2026-11-20T13:00:00.25+01:00", "2026-11-20T12:00:00.25Z"},
        {"2026-11-20", "2026-11-19T23:00:00Z"},
        {"2026-07-20", "2026-07-19T22:00:00Z"},
        {"2026-11-20 13:00", "2026-11-20T12:00:00Z"},
        {"2026-11-20T13:00:05", "2026-11-20T12:00:05Z"},
        {"13:00", "2026-11-23T12:00:00Z"},
        {"03:04:05", "2026-11-23T02:04:05Z"},
        {"now", "2026-11-23T12:16:34Z"},
        {"today", "2026-11-22T23:00:00Z"},
        {"Yesterday", "2026-11-21T23:00:00Z"},
        {"yesterday 13:00", "2026-11-22T12:00:00Z"},
        {"tomorrow", "2026-11-23T23:00:00Z"},
        {"monday", "2026-11-22T23:00:00Z"},
        {"Sun", "2026-11-21T23:00:00Z"},
        {"tuesday 08:30", "2026-11-17T07:30:00Z"},
        {"-2h", "2026-11-23T10:16:34Z"},
        {"-30m", "2026-11-23T11:46:34Z"},
        {"-3d", "2026-11-20T12:16:34Z"},
        {"-1w", "2026-11-16T12:16:34Z"},
        {"-1h30m", "2026-11-23T10:46:34Z"},
        {"-90s", "2026-11-23T12:15:04Z"},
    };
    check_rows("2026-11-23T12:16:34Z", rows, sizeof(rows) / sizeof(rows[0]));
}
END_TEST

/* New York: 2026-03-08 has no 02:30, 2026-11-01 has 01:30 twice. */
START_TEST(test_daylight_saving)
{
    zone("America/New_York");
    static const struct row rows[] = {
        {"2026-03-08 01:59", "2026-03-08T06:59:00Z"}, {"2026-03-08 02:30", "2026-03-08T07:30:00Z"},
        {"2026-03-08 03:30", "2026-03-08T07:30:00Z"}, {"2026-11-01 00:30", "2026-11-01T04:30:00Z"},
        {"2026-11-01 01:30", "2026-11-01T05:30:00Z"}, {"2026-11-01 02:30", "2026-11-01T07:30:00Z"},
        {"2026-11-01", "2026-11-01T04:00:00Z"},       {"today", "2026-11-02T05:00:00Z"},
        {"yesterday", "2026-11-01T04:00:00Z"},        {"-24h", "2026-11-01T17:00:00Z"},
        {"2026-11-01 01:30", "2026-11-01T05:30:00Z"},
    };
    check_rows("2026-11-02T17:00:00Z", rows, sizeof(rows) / sizeof(rows[0]));
    /* Noon less noon the day before is 25 h over the change back. */
    int64_t noon = at("2026-11-01T18:00:00Z");
    ck_assert_int_eq(timespec_midnight(noon, 1) - timespec_midnight(noon, 0), 25 * US_PER_HOUR);
}
END_TEST

START_TEST(test_rejects)
{
    zone("UTC");
    static const char *const bad[] = {"",
                                      "soon",
                                      "-",
                                      "-h",
                                      "-2",
                                      "-2x",
                                      "2026-13-01",
                                      "25:00",
                                      "13:00:61",
                                      "mond",
                                      "monday x",
                                      "today-1",
                                      "-2h ",
                                      "13:",
                                      "--2h",
                                      "yesterday ",
                                      "2026-11-20 13:00 +1"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        int64_t us = 7;
        struct errmsg err = {0};
        int rc = timespec_parse(bad[i], at("2026-11-23T12:00:00Z"), &us, &err);
        ck_assert_msg(rc == ERR_PARSE, "\"%s\" gave %d", bad[i], rc);
        ck_assert_int_eq(us, 7);
        ck_assert_ptr_nonnull(strstr(err.text, "is no time"));
    }
    int64_t us;
    ck_assert_int_eq(timespec_parse("2201-01-01", 0, &us, NULL), ERR_RANGE);
    ck_assert_int_eq(timespec_parse("-999999999w-", 0, &us, NULL), ERR_PARSE);
    ck_assert_int_eq(timespec_parse("-999999999w999999999w", 0, &us, NULL), ERR_RANGE);
    ck_assert_int_eq(timespec_parse("-1d", at("1970-01-01T00:00:00Z"), &us, NULL), ERR_RANGE);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("timespec");
    TCase *t = tcase_create("parse");
    tcase_add_test(t, test_shapes);
    tcase_add_test(t, test_daylight_saving);
    tcase_add_test(t, test_rejects);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
