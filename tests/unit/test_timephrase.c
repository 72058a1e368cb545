/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/record.h"
#include "base/timestamp.h"
#include "memory/timephrase.h"

#define OPEN ""      /* no bound */
#define NOTHING NULL /* no time phrase at all */

struct row {
    const char *text;
    const char *since, *until; /* UTC, to the minute or second */
    const char *rest;          /* NULL: not looked at */
};

static int64_t at(const char *text)
{
    if (!*text)
        return TIME_UNKNOWN;
    int64_t us;
    ck_assert_msg(timestamp_parse(text, strlen(text), &us, NULL) == 0, "%s", text);
    return us;
}

static const char *show(int64_t us, char *out)
{
    return us == TIME_UNKNOWN ? "open" : timestamp_format(us, out);
}

static void check_rows(const char *tz, const char *now, const struct row *rows, size_t count)
{
    setenv("TZ", tz, 1);
    tzset();
    for (size_t i = 0; i < count; i++) {
        const struct row *r = &rows[i];
        struct timephrase t;
        char a[TIMESTAMP_SIZE], b[TIMESTAMP_SIZE];
        timephrase_parse((struct slice){r->text, strlen(r->text)}, at(now), &t);
        ck_assert_msg(t.found == (r->since != NOTHING), "\"%s\": found %d, \"%s\"", r->text,
                      t.found, t.said);
        if (r->since)
            ck_assert_msg(t.since == at(r->since) && t.until == at(r->until),
                          "\"%s\": %s to %s, not %s to %s", r->text, show(t.since, a),
                          show(t.until, b), r->since, r->until);
        if (r->rest)
            ck_assert_msg(strcmp(t.rest, r->rest) == 0, "\"%s\" left \"%s\"", r->text, t.rest);
    }
}
#define CHECK_ROWS(tz, now, rows) check_rows(tz, now, rows, sizeof(rows) / sizeof(rows[0]))

/* A Monday, 13:16:34 in Berlin. */
#define NOW "2026-11-23T12:16:34Z"

START_TEST(test_days)
{
    static const struct row rows[] = {
        {"what happened yesterday?", "2026-11-21T23:00Z", "2026-11-22T23:00Z", "what happened ?"},
        {"anything unusual today?", "2026-11-22T23:00Z", "2026-11-23T23:00Z", "anything unusual ?"},
        {"the day before yesterday", "2026-11-20T23:00Z", "2026-11-21T23:00Z", ""},
        {"what happened on Monday?", "2026-11-22T23:00Z", "2026-11-23T23:00Z", "what happened ?"},
        {"last Monday", "2026-11-15T23:00Z", "2026-11-16T23:00Z", ""},
        {"who logged in on Friday", "2026-11-19T23:00Z", "2026-11-20T23:00Z", "who logged in"},
        {"last friday", "2026-11-19T23:00Z", "2026-11-20T23:00Z", ""},
        {"on 20 November", "2026-11-19T23:00Z", "2026-11-20T23:00Z", ""},
        {"on November 20th, please", "2026-11-19T23:00Z", "2026-11-20T23:00Z", ", please"},
        {"on the 20th of november", "2026-11-19T23:00Z", "2026-11-20T23:00Z", ""},
        {"on 25 November", "2025-11-24T23:00Z", "2025-11-25T23:00Z", ""},
        {"2026-11-20", "2026-11-19T23:00Z", "2026-11-20T23:00Z", ""},
        {"on 8 May, 2023", "2023-05-07T22:00Z", "2023-05-08T22:00Z", ""},
        {"disks on 2026-07-01", "2026-06-30T22:00Z", "2026-07-01T22:00Z", "disks"},
        {"this week", "2026-11-22T23:00Z", "2026-11-29T23:00Z", ""},
        {"last week", "2026-11-15T23:00Z", "2026-11-22T23:00Z", ""},
        {"this month", "2026-10-31T23:00Z", "2026-11-30T23:00Z", ""},
        {"last month", "2026-09-30T22:00Z", "2026-10-31T23:00Z", ""},
        {"last year", "2024-12-31T23:00Z", "2025-12-31T23:00Z", ""},
        {"last weekend", "2026-11-20T23:00Z", "2026-11-22T23:00Z", ""},
        {"in May", "2026-04-30T22:00Z", "2026-05-31T22:00Z", ""},
        {"in May 2023", "2023-04-30T22:00Z", "2023-05-31T22:00Z", ""},
        {"in December", "2025-11-30T23:00Z", "2025-12-31T23:00Z", ""},
        {"in 2023", "2022-12-31T23:00Z", "2023-12-31T23:00Z", ""},
        {"three days ago", "2026-11-19T23:00Z", "2026-11-20T23:00Z", ""},
        {"2 months ago", "2026-08-31T22:00Z", "2026-09-30T22:00Z", ""},
        {"tomorrow", "2026-11-23T23:00Z", "2026-11-24T23:00Z", ""},
    };
    CHECK_ROWS("Europe/Berlin", NOW, rows);
}
END_TEST

START_TEST(test_parts_and_clocks)
{
    static const struct row rows[] = {
        {"what happened last night?", "2026-11-22T19:00Z", "2026-11-23T05:00Z", "what happened ?"},
        {"overnight", "2026-11-22T19:00Z", "2026-11-23T05:00Z", ""},
        {"this morning", "2026-11-23T04:00Z", "2026-11-23T11:00Z", ""},
        {"this evening", "2026-11-23T17:00Z", "2026-11-23T23:00Z", ""},
        {"tonight", "2026-11-23T17:00Z", "2026-11-24T05:00Z", ""},
        {"yesterday morning", "2026-11-22T04:00Z", "2026-11-22T11:00Z", ""},
        {"on friday evening", "2026-11-20T17:00Z", "2026-11-20T23:00Z", ""},
        {"friday in the afternoon", "2026-11-20T11:00Z", "2026-11-20T17:00Z", ""},
        {"saturday night", "2026-11-21T19:00Z", "2026-11-22T05:00Z", ""},
        {"at 3 am", "2026-11-23T01:45Z", "2026-11-23T03:00Z", ""},
        {"at 3am", "2026-11-23T01:45Z", "2026-11-23T03:00Z", ""},
        {"at 3 a.m. why", "2026-11-23T01:45Z", "2026-11-23T03:00Z", ". why"},
        {"at 3 pm", "2026-11-22T13:45Z", "2026-11-22T15:00Z", ""},
        {"at 15:20", "2026-11-22T14:05Z", "2026-11-22T14:35Z", ""},
        {"around 3 am", "2026-11-23T01:30Z", "2026-11-23T02:30Z", ""},
        {"at about 12:05 today", "2026-11-23T10:35Z", "2026-11-23T11:35Z", ""},
        {"at 3", "2026-11-23T01:45Z", "2026-11-23T03:00Z", ""},
        {"at 3 in the afternoon yesterday", "2026-11-22T13:45Z", "2026-11-22T15:00Z", ""},
        {"yesterday at 3 am", "2026-11-22T01:45Z", "2026-11-22T03:00Z", ""},
        {"at 3 am yesterday", "2026-11-22T01:45Z", "2026-11-22T03:00Z", ""},
        {"last night at 3 am", "2026-11-23T01:45Z", "2026-11-23T03:00Z", ""},
        {"last night at 11 pm", "2026-11-22T21:45Z", "2026-11-22T23:00Z", ""},
        {"at noon on friday", "2026-11-20T10:45Z", "2026-11-20T12:00Z", ""},
        {"at midnight", "2026-11-22T22:45Z", "2026-11-23T00:00Z", ""},
        {"2026-11-20 13:00", "2026-11-20T11:45Z", "2026-11-20T12:15Z", ""},
        {"2026-11-20T13:00:00Z", "2026-11-20T12:45Z", "2026-11-20T13:15Z", ""},
        {"2026-11-20T13:00:00+01:00", "2026-11-20T11:45Z", "2026-11-20T12:15Z", ""},
    };
    CHECK_ROWS("Europe/Berlin", NOW, rows);
    static const struct row small_hours[] = {
        {"last night", "2026-11-22T19:00Z", "2026-11-23T05:00Z", ""},
        {"tonight", "2026-11-22T17:00Z", "2026-11-23T05:00Z", ""},
        {"this morning", "2026-11-23T04:00Z", "2026-11-23T11:00Z", ""},
        {"today", "2026-11-22T23:00Z", "2026-11-23T23:00Z", ""},
    };
    CHECK_ROWS("Europe/Berlin", "2026-11-23T01:00:00Z", small_hours);
}
END_TEST

START_TEST(test_relative)
{
    static const struct row rows[] = {
        {"two hours ago", "2026-11-23T09:46:34Z", "2026-11-23T10:46:34Z", ""},
        {"an hour ago", "2026-11-23T10:46:34Z", "2026-11-23T11:46:34Z", ""},
        {"10 minutes ago", "2026-11-23T12:05:04Z", "2026-11-23T12:08:04Z", ""},
        {"a few minutes ago", "2026-11-23T12:13:04Z", "2026-11-23T12:14:04Z", ""},
        {"errors in the last 10 minutes", "2026-11-23T12:06:34Z", OPEN, "errors"},
        {"the past 24h", "2026-11-22T12:16:34Z", OPEN, ""},
        {"over the last hour", "2026-11-23T11:16:34Z", OPEN, ""},
        {"the last few days", "2026-11-20T12:16:34Z", OPEN, ""},
        {"past week", "2026-11-16T12:16:34Z", OPEN, ""},
        {"just now", "2026-11-23T12:11:34Z", OPEN, ""},
    };
    CHECK_ROWS("Europe/Berlin", NOW, rows);
}
END_TEST

START_TEST(test_ranges)
{
    static const struct row rows[] = {
        {"since yesterday", "2026-11-21T23:00Z", OPEN, ""},
        {"sshd since monday", "2026-11-22T23:00Z", OPEN, "sshd"},
        {"since 3 pm", "2026-11-22T14:00Z", OPEN, ""},
        {"since yesterday 14:00", "2026-11-22T13:00Z", OPEN, ""},
        {"since 2026-11-20", "2026-11-19T23:00Z", OPEN, ""},
        {"since november", "2026-10-31T23:00Z", OPEN, ""},
        {"after friday", "2026-11-20T23:00Z", OPEN, ""},
        {"after 10 am", "2026-11-23T09:00Z", OPEN, ""},
        {"before friday", OPEN, "2026-11-19T23:00Z", ""},
        {"until friday", OPEN, "2026-11-20T23:00Z", ""},
        {"before 10:30 today", OPEN, "2026-11-23T09:30Z", ""},
        {"between 2 and 4 pm", "2026-11-22T13:00Z", "2026-11-22T15:00Z", ""},
        {"between 2 and 4 pm yesterday", "2026-11-22T13:00Z", "2026-11-22T15:00Z", ""},
        {"yesterday between 2 and 4 am", "2026-11-22T01:00Z", "2026-11-22T03:00Z", ""},
        {"between 2 and 8 october", "2026-10-01T22:00Z", "2026-10-08T22:00Z", ""},
        {"between may 11 and may 15 2023", "2023-05-10T22:00Z", "2023-05-15T22:00Z", ""},
        {"between 10 pm and 2 am", "2026-11-22T21:00Z", "2026-11-23T01:00Z", ""},
        {"between 11:00 and 12:30", "2026-11-23T10:00Z", "2026-11-23T11:30Z", ""},
        {"between friday and sunday", "2026-11-19T23:00Z", "2026-11-22T23:00Z", ""},
        {"from 9 am to 11 am today", "2026-11-23T08:00Z", "2026-11-23T10:00Z", ""},
        {"from 2026-11-01 to 2026-11-03", "2026-10-31T23:00Z", "2026-11-03T23:00Z", ""},
    };
    CHECK_ROWS("Europe/Berlin", NOW, rows);
}
END_TEST

START_TEST(test_beside)
{
    static const struct row rows[] = {
        {"in the week before 3 august 2026", "2026-07-26T22:00Z", "2026-08-02T22:00Z", ""},
        {"the day after 3 august 2026", "2026-08-03T22:00Z", "2026-08-04T22:00Z", ""},
        {"what broke two weeks before 11 august 2026?", "2026-07-27T22:00Z", "2026-08-03T22:00Z",
         "what broke ?"},
        {"the two weeks after 3 august 2026", "2026-08-03T22:00Z", "2026-08-17T22:00Z", ""},
        {"on the sunday before 3 august 2026", "2026-08-01T22:00Z", "2026-08-02T22:00Z", ""},
        {"the monday after 3 august 2026", "2026-08-09T22:00Z", "2026-08-10T22:00Z", ""},
        {"last weekend before 10 april 2026", "2026-04-03T22:00Z", "2026-04-05T22:00Z", ""},
        {"10 minutes before 3 am", "2026-11-23T01:50Z", "2026-11-23T02:00Z", ""},
        {"an hour after 10:30 today", "2026-11-23T09:30Z", "2026-11-23T10:30Z", ""},
        {"the day before", NOTHING, NULL, "the day before"},
        {"the week before the crash", NOTHING, NULL, "the week before the crash"},
        {"the sun before the storm", NOTHING, NULL, "the sun before the storm"},
    };
    CHECK_ROWS("Europe/Berlin", NOW, rows);
}
END_TEST

START_TEST(test_left_alone)
{
    static const struct row rows[] = {
        {"", NOTHING, NULL, ""},
        {"what may have failed", NOTHING, NULL, "what may have failed"},
        {"who will march on Rome", NOTHING, NULL, "who will march on Rome"},
        {"the second disk", NOTHING, NULL, "the second disk"},
        {"since the restart", NOTHING, NULL, "since the restart"},
        {"before the crash", NOTHING, NULL, "before the crash"},
        {"between 2 and 4 volts", NOTHING, NULL, "between 2 and 4 volts"},
        {"at 3 volts", NOTHING, NULL, "at 3 volts"},
        {"5 errors from 10.0.0.1", NOTHING, NULL, "5 errors from 10.0.0.1"},
        {"port 8080", NOTHING, NULL, "port 8080"},
        {"the night shift", NOTHING, NULL, "the night shift"},
        {"the sun sat down", NOTHING, NULL, "the sun sat down"},
        {"the last error", NOTHING, NULL, "the last error"},
        {"last second thoughts", NOTHING, NULL, "last second thoughts"},
        {"12:34:56:78:9a:bc", NOTHING, NULL, NULL},
        {"\xff\xfe at 3\x80", NOTHING, NULL, NULL},
    };
    CHECK_ROWS("Europe/Berlin", NOW, rows);
}
END_TEST

/* Berlin goes back on 2026-10-25 (02:00-03:00 twice) and forward on 2026-03-29; New York on
 * 2026-11-01 and 2026-03-08. */
START_TEST(test_daylight_saving)
{
    static const struct row berlin[] = {
        {"yesterday", "2026-10-24T22:00Z", "2026-10-25T23:00Z", ""},         /* 25 hours */
        {"yesterday at 2:30", "2026-10-25T00:15Z", "2026-10-25T00:45Z", ""}, /* the first 02:30 */
        {"yesterday at 4 am", "2026-10-25T02:45Z", "2026-10-25T04:00Z", ""},
        {"on saturday at 4 am", "2026-10-24T01:45Z", "2026-10-24T03:00Z", ""},
        {"on saturday night", "2026-10-24T18:00Z", "2026-10-25T05:00Z", ""}, /* 11 hours */
    };
    CHECK_ROWS("Europe/Berlin", "2026-10-26T10:00:00Z", berlin);
    static const struct row berlin_spring[] = {
        {"last night", "2026-03-28T19:00Z", "2026-03-29T04:00Z", ""},    /* 9 hours */
        {"today at 2:30", "2026-03-29T01:15Z", "2026-03-29T01:45Z", ""}, /* read as 03:30 */
        {"today", "2026-03-28T23:00Z", "2026-03-29T22:00Z", ""},
    };
    CHECK_ROWS("Europe/Berlin", "2026-03-29T10:00:00Z", berlin_spring);
    static const struct row new_york[] = {
        {"yesterday", "2026-11-01T04:00Z", "2026-11-02T05:00Z", ""},
        {"yesterday at 1:30", "2026-11-01T05:15Z", "2026-11-01T05:45Z", ""},
        {"last night", "2026-11-02T01:00Z", "2026-11-02T11:00Z", ""},
        {"last week", "2026-10-26T04:00Z", "2026-11-02T05:00Z", ""},
    };
    CHECK_ROWS("America/New_York", "2026-11-02T17:00:00Z", new_york);
}
END_TEST

/* Whatever comes in, the rest is no longer than the question and the span is never inside out. */
START_TEST(test_any_input)
{
    static const char *const words[] = {"at",    "3",     "am",          "between", "and",   "last",
                                        "night", "since", "2026-02-30",  "24",      "0",     "ago",
                                        "9999",  "hours", "may",         "monday",  "\xc3",  "-:-",
                                        "from",  "to",    "99999999999", "1970",    "years", "the"};
    unsigned seed = 7;
    for (int round = 0; round < 20000; round++) {
        char text[400] = "";
        for (int k = 0; k < 12; k++) {
            seed = seed * 1103515245u + 12345u;
            strcat(text, words[(seed >> 16) % (sizeof(words) / sizeof(words[0]))]);
            strcat(text, k % 5 == 4 ? "" : " ");
        }
        struct timephrase t;
        timephrase_parse((struct slice){text, strlen(text)}, at(NOW), &t);
        ck_assert_uint_le(strlen(t.rest), strlen(text));
        if (t.since != TIME_UNKNOWN && t.until != TIME_UNKNOWN)
            ck_assert_msg(t.since < t.until, "%s", text);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("timephrase");
    TCase *t = tcase_create("parse");
    tcase_add_test(t, test_days);
    tcase_add_test(t, test_parts_and_clocks);
    tcase_add_test(t, test_relative);
    tcase_add_test(t, test_ranges);
    tcase_add_test(t, test_beside);
    tcase_add_test(t, test_left_alone);
    tcase_add_test(t, test_daylight_saving);
    tcase_add_test(t, test_any_input);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
