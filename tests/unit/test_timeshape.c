/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/error.h"
#include "pipeline/timeshape.h"
#include "tests/unit/time_fixture.h"

struct row {
    const char *line, *expected, *rest;
};

static void check_line(struct timeshape *t, const struct row *r, const char *now)
{
    int64_t us = -1;
    size_t end = 0;
    char got[TIMESTAMP_SIZE];
    int rc = timeshape_line(t, r->line, strlen(r->line), at(now), &us, &end);
    if (!r->expected) {
        ck_assert_msg(rc == ERR_NOTFOUND, "%s: %d", r->line, rc);
        return;
    }
    ck_assert_msg(rc == 0, "%s: %d", r->line, rc);
    ck_assert_msg(us == at(r->expected), "%s: %s, not %s", r->line, timestamp_format(us, got),
                  r->expected);
    if (r->rest)
        ck_assert_str_eq(r->line + end, r->rest);
}

static const struct row lines[] = {
    {"2015-10-18 18:01:47,978 INFO [main] x", "2015-10-18T18:01:47.978Z", "INFO [main] x"},
    {"2016-09-28 04:30:30, Info CBS", "2016-09-28T04:30:30Z", "Info CBS"},
    {"2023-01-02T03:04:05Z hello", "2023-01-02T03:04:05Z", "hello"},
    {"2023-01-02T03:04:05.123456789+02:00 hello", "2023-01-02T01:04:05.123456Z", "hello"},
    {"2023-01-02T03:04:05-0330: hello", "2023-01-02T06:34:05Z", "hello"},
    {"2023-01-02 03:04:05.5 UTC [12] LOG", "2023-01-02T03:04:05.5Z", "[12] LOG"},
    {"2023-01-02 03:04:05 - 12 things", "2023-01-02T03:04:05Z", NULL},
    {"2023/01/02 03:04:05 [error] 7#7: x", "2023-01-02T03:04:05Z", "[error] 7#7: x"},
    {"[2023-01-02T03:04:05Z] x", "2023-01-02T03:04:05Z", "x"},
    {"time=2023-01-02T03:04:05Z level=info", "2023-01-02T03:04:05Z", "level=info"},
    {"ts=\"2023-01-02T03:04:05Z\" level=info", "2023-01-02T03:04:05Z", "level=info"},
    {"2005-06-03-15.42.50.675872 x", "2005-06-03T15:42:50.675872Z", "x"},
    {"Jun 14 15:16:01 combo sshd", "2026-06-14T15:16:01Z", "combo sshd"},
    {"Jul  1 09:00:55 host kernel", "2026-07-01T09:00:55Z", "host kernel"},
    {"Dec 10 06:55:46 LabSZ sshd", "2025-12-10T06:55:46Z", "LabSZ sshd"},
    {"Nov 24 06:00:00 a day ahead is a clock off", "2026-11-24T06:00:00Z", NULL},
    {"Nov 25 06:00:00 two are last year", "2025-11-25T06:00:00Z", NULL},
    {"Feb 29 06:00:00 the last leap year", "2024-02-29T06:00:00Z", NULL},
    {"Dec 10 2005 06:55:46 cisco", "2005-12-10T06:55:46Z", "cisco"},
    {"<34>Oct 11 22:14:15 mymachine su", "2026-10-11T22:14:15Z", "mymachine su"},
    {"<165>1 2003-10-11T22:14:15.003Z host", "2003-10-11T22:14:15.003Z", "host"},
    {"[Sun Dec 04 04:47:44 2005] [notice] x", "2005-12-04T04:47:44Z", "[notice] x"},
    {"[Sun Dec 04 04:47:44.123456 2005] [x:y]", "2005-12-04T04:47:44.123456Z", "[x:y]"},
    {"Mon Jan  2 15:04:05 2006 go", "2006-01-02T15:04:05Z", "go"},
    {"127.0.0.1 - - [10/Oct/2000:13:55:36 -0700] \"GET /\"", "2000-10-10T20:55:36Z", "\"GET /\""},
    {"081109 203615 148 INFO dfs", "2008-11-09T20:36:15Z", "148 INFO dfs"},
    {"17/06/09 20:10:40 INFO executor", "2017-06-09T20:10:40Z", "INFO executor"},
    {"- 1117838570 2005.06.03 R02-M1", "2005-06-03T22:42:50Z", "R02-M1"},
    {"APPREAD 1117869872 2005.06.04 R04", "2005-06-04T07:24:32Z", "R04"},
    {"03-17 16:13:38.811  1702  2395 D W", "2026-03-17T16:13:38.811Z", "1702  2395 D W"},
    {"20171223-22:15:29:606|Step_LSC|3", "2017-12-23T22:15:29.606Z", "Step_LSC|3"},
    {"20171223-22:5:9:6|Step", "2017-12-23T22:05:09.006Z", "Step"},
    {"[10.30 16:49:06] chrome.exe", "2026-10-30T16:49:06Z", "chrome.exe"},
    {"I1018 12:33:11.123456  1 main.go", "2026-10-18T12:33:11.123456Z", "1 main.go"},
    {"1700000000 x", "2023-11-14T22:13:20Z", "x"},
    {"1700000000.25 x", "2023-11-14T22:13:20.25Z", "x"},
    {"1700000000123 x", "2023-11-14T22:13:20.123Z", "x"},
    {"1700000000123456 x", "2023-11-14T22:13:20.123456Z", "x"},
    {"1700000000123456789 x", "2023-11-14T22:13:20.123456Z", "x"},
    {"20240102T030405Z x", "2024-01-02T03:04:05Z", "x"},
    /* None of these begins with a time. */
    {"", NULL, NULL},
    {"[12345.678] usb 1-1: new device", NULL, NULL},
    {"Mar 10 people came", NULL, NULL},
    {"May I come in at 10:20?", NULL, NULL},
    {"123456 999999 not a clock", NULL, NULL},
    {"2023-13-02 03:04:05 no such month", NULL, NULL},
    {"2023-02-30 03:04:05 no such day", NULL, NULL},
    {"2023-02-03 24:04:05 no such hour", NULL, NULL},
    {"0123456789 a telephone", NULL, NULL},
    {"12 monkeys", NULL, NULL},
    {"<b>bold</b>", NULL, NULL},
    {"- item", NULL, NULL},
    {"[", NULL, NULL},
    {"<", NULL, NULL},
};

START_TEST(test_lines)
{
    zone("UTC");
    struct timeshape t = {0};
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        check_line(&t, &lines[i], "2026-11-23T12:00:00Z");
}
END_TEST

/* Every prefix of every line: nothing past the end is read, whatever it makes of it. */
START_TEST(test_prefixes)
{
    struct timeshape t = {0};
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        for (size_t n = 0; n <= strlen(lines[i].line); n++) {
            char *exact = malloc(n ? n : 1);
            int64_t us;
            size_t end = 0;
            memcpy(exact, lines[i].line, n);
            if (timeshape_line(&t, exact, n, 0, &us, &end) == 0)
                ck_assert_uint_le(end, n);
            timeshape_field(&t, exact, n, &us);
            free(exact);
        }
    }
}
END_TEST

/* Without a zone a time is local, through DST and with one cache for lines on both sides. */
START_TEST(test_local)
{
    zone("Europe/Berlin");
    struct timeshape t = {0};
    static const struct row rows[] = {
        {"2026-03-29 01:59:59 x", "2026-03-29T00:59:59Z", "x"},
        {"2026-03-29 03:00:00 x", "2026-03-29T01:00:00Z", "x"},
        {"2026-10-25 03:00:00 x", "2026-10-25T02:00:00Z", "x"},
        {"2026-07-01 00:00:00 x", "2026-06-30T22:00:00Z", "x"},
        {"2026-07-01 00:00:00Z x", "2026-07-01T00:00:00Z", "x"},
        {"1700000000 x", "2023-11-14T22:13:20Z", "x"},
    };
    for (int again = 0; again < 2; again++)
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
            check_line(&t, &rows[i], "2026-11-23T12:00:00Z");
    zone("Australia/Lord_Howe");
    struct timeshape half = {0};
    static const struct row howe = {"2026-07-01 12:00:00 x", "2026-07-01T01:30:00Z", "x"};
    check_line(&half, &howe, "2026-11-23T12:00:00Z");
    zone("UTC");
}
END_TEST

/* New Year in a log without years: December stays in the old one. */
START_TEST(test_year_rollover)
{
    zone("UTC");
    struct timeshape t = {0};
    static const struct row december = {"Dec 31 23:59:59 x", "2026-12-31T23:59:59Z", "x"};
    static const struct row january = {"Jan  1 00:00:01 x", "2027-01-01T00:00:01Z", "x"};
    check_line(&t, &december, "2026-12-31T23:59:59Z");
    check_line(&t, &december, "2027-01-02T12:00:00Z");
    check_line(&t, &january, "2027-01-01T00:00:02Z");
    check_line(&t, &january, "2026-12-31T23:59:59Z");
}
END_TEST

struct field {
    const char *text;
    int rc;
    const char *expected;
};

START_TEST(test_fields)
{
    zone("UTC");
    static const struct field fields[] = {
        {"2026-11-20T13:00:00Z", 0, "2026-11-20T13:00:00Z"},
        {" 2026-11-20 13:00:00.5 ", 0, "2026-11-20T13:00:00.5Z"},
        {"2026-11-20 13:00", 0, "2026-11-20T13:00:00Z"},
        {"2026-11-20", 0, "2026-11-20T00:00:00Z"},
        {"2026-11-20T13:00:00+05:30", 0, "2026-11-20T07:30:00Z"},
        {"2026/11/20 13:00", 0, "2026-11-20T13:00:00Z"},
        {"07/04/2014 00:30", 0, "2014-07-04T00:30:00Z"},
        {"7/4/2014 0:30", ERR_PARSE, NULL},
        {"20.11.2026 13:00:05", 0, "2026-11-20T13:00:05Z"},
        {"1700000000", 0, "2023-11-14T22:13:20Z"},
        {"1700000000.5", 0, "2023-11-14T22:13:20.5Z"},
        {"1.7e9", 0, "2023-11-14T22:13:20Z"},
        {"1700000000123", 0, "2023-11-14T22:13:20.123Z"},
        {"1700000000123456", 0, "2023-11-14T22:13:20.123456Z"},
        {"1700000000123456789", 0, "2023-11-14T22:13:20.123456Z"},
        {"0", 0, "1970-01-01T00:00:00Z"},
        {"10/Oct/2000:13:55:36 -0700", 0, "2000-10-10T20:55:36Z"},
        {"", ERR_PARSE, NULL},
        {"soon", ERR_PARSE, NULL},
        {"2026-11-20T13:00:00Zulu", ERR_PARSE, NULL},
        {"2026-02-30", ERR_PARSE, NULL},
        {"1969-12-31T23:59:59Z", ERR_RANGE, NULL},
        {"2200-01-01T00:00:00Z", ERR_RANGE, NULL},
        {"2199-12-31T23:59:59Z", 0, "2199-12-31T23:59:59Z"},
        {"9999-01-01 00:00:00", ERR_RANGE, NULL},
        {"-1", ERR_RANGE, NULL},
        {"nan", ERR_PARSE, NULL},
        {"1e300", ERR_RANGE, NULL},
        {"99999999999", ERR_RANGE, NULL},
    };
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        struct timeshape t = {0};
        int64_t us = -1;
        char got[TIMESTAMP_SIZE];
        int rc = timeshape_field(&t, fields[i].text, strlen(fields[i].text), &us);
        ck_assert_msg(rc == fields[i].rc, "%s: %d, not %d", fields[i].text, rc, fields[i].rc);
        if (rc == 0)
            ck_assert_msg(us == at(fields[i].expected), "%s: %s", fields[i].text,
                          timestamp_format(us, got));
    }
}
END_TEST

/* A column that once had a day above 12 in front stays day first. */
START_TEST(test_day_first)
{
    zone("UTC");
    struct timeshape t = {0};
    int64_t us;
    ck_assert_int_eq(timeshape_field(&t, "23/04/2024 10:00", 16, &us), 0);
    ck_assert_int_eq(us, at("2024-04-23T10:00:00Z"));
    ck_assert_int_eq(timeshape_field(&t, "05/04/2024 10:00", 16, &us), 0);
    ck_assert_int_eq(us, at("2024-04-05T10:00:00Z"));
}
END_TEST

START_TEST(test_epoch_values)
{
    int64_t us;
    ck_assert_int_eq(timeshape_epoch(NAN, &us), ERR_RANGE);
    ck_assert_int_eq(timeshape_epoch(INFINITY, &us), ERR_RANGE);
    ck_assert_int_eq(timeshape_epoch(-5, &us), ERR_RANGE);
    ck_assert_int_eq(timeshape_epoch(1.5, &us), 0);
    ck_assert_int_eq(us, 1500000);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("timeshape");
    TCase *t = tcase_create("timeshape");
    tcase_add_test(t, test_lines);
    tcase_add_test(t, test_prefixes);
    tcase_add_test(t, test_local);
    tcase_add_test(t, test_year_rollover);
    tcase_add_test(t, test_fields);
    tcase_add_test(t, test_day_first);
    tcase_add_test(t, test_epoch_values);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
