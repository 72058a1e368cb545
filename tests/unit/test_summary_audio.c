/* SPDX-License-Identifier: Apache-2.0 */
/* What a moment of sound is called: events with their times, speech, loudness beside the usual. */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "model/audio_encoder.h"
#include "pipeline/summary.h"

#define COUNT 40
#define START (1700000000LL * US_PER_SECOND) /* 22:13:20 UTC */

static struct record records[COUNT];
static struct noted notes[COUNT];
static char silence[16000];

static struct summariser *fresh(void)
{
    struct summariser *s;
    ck_assert_int_eq(summariser_new(KIND_AUDIO, NULL, &s), 0);
    return s;
}

/* Twenty seconds of that loudness, give or take 2 dB. */
static void usual(int64_t start, float level)
{
    memset(notes, 0, sizeof(notes));
    for (int i = 0; i < COUNT; i++) {
        records[i] = (struct record){.seq = 1 + (uint64_t)i,
                                     .time = start + i * US_PER_SECOND / 2,
                                     .media = {silence, sizeof(silence)}};
        notes[i].bits = 1;
        notes[i].traits[AUDIO_LEVEL] = level + (float)(i % 5) - 2;
    }
}

static void sum(struct summariser *s, struct moment *m)
{
    *m = (struct moment){.kind = KIND_AUDIO, .records = records, .record_count = COUNT};
    summariser_sum(s, notes, m);
}

static void learn_usual(struct summariser *s)
{
    struct moment m;
    for (int i = 0; i < 5; i++) {
        usual(START + i * 20 * US_PER_SECOND, -42);
        sum(s, &m);
    }
}

START_TEST(events_speech_and_loudness_are_told)
{
    struct summariser *s = fresh();
    struct moment m;
    learn_usual(s);
    usual(START, -42);
    notes[8] = (struct noted){.bits = 20, .z = 20, .score = 0.7f, .why = "a knock, 34 dB above"};
    notes[8].traits[AUDIO_LEVEL] = -25;
    for (int i = 20; i < 28; i++)
        notes[i].traits[AUDIO_SPEECH] = 1;
    sum(s, &m);
    ck_assert_str_eq(m.title, "speech for 4 s, a knock, 34 dB above at 22:13:24, quiet otherwise; "
                              "-38 dBFS, usually -44 to -40");
    ck_assert_ptr_nonnull(strstr(m.gist.data, "sound of 20 s, loudest -25 dBFS"));
    ck_assert_ptr_nonnull(strstr(m.gist.data, "unusual 22:13:24 a knock"));
    ck_assert_ptr_nonnull(strstr(m.gist.data, "speech 22:13:30 for 4 s (speaking, talking)\n"));
    ck_assert_uint_eq(m.unusual_count, 1);
    summariser_free(s);
}
END_TEST

START_TEST(many_events_leave_room_for_the_loudness)
{
    struct summariser *s = fresh();
    struct moment m;
    learn_usual(s);
    usual(START, -42);
    for (int i = 5; i < COUNT; i += 10) {
        notes[i] = (struct noted){.bits = 30 - (float)i / 10, .z = 20, .score = 0.7f};
        notes[i].traits[AUDIO_LEVEL] = -42;
        memset(notes[i].why, i < 10 ? 's' : 'x', 90);
        memcpy(notes[i].why, "speech", i < 10 ? 6 : 0);
        notes[i].traits[AUDIO_SPEECH] = i < 10;
    }
    sum(s, &m);
    ck_assert_ptr_nonnull(strstr(m.title, "speech for 1 s, xxx"));
    ck_assert_ptr_null(strstr(m.title, "speechss"));
    ck_assert_ptr_nonnull(strstr(m.title, "; -42 dBFS, usually -44 to -40"));
    ck_assert_uint_lt(strlen(m.title), sizeof(m.title));
    summariser_free(s);
}
END_TEST

START_TEST(what_is_no_alert_is_told_too)
{
    struct summariser *s = fresh();
    struct moment m;
    learn_usual(s);
    usual(START, -42);
    for (int i = 4; i < COUNT; i += 16) {
        notes[i].traits[AUDIO_EVENT] = 20;
        memcpy(notes[i].why, "a knock, 20 dB above the background", 36);
    }
    notes[21].traits[AUDIO_SPEECH] = 1; /* the second one turns out to be somebody */
    sum(s, &m);
    ck_assert_str_eq(m.title, "speech for 1 s, a knock at 22:13:22, a knock at 22:13:38, "
                              "quiet otherwise; -42 dBFS, usually -44 to -40");
    ck_assert_ptr_nonnull(strstr(m.gist.data, "heard 22:13:22 a knock, 20 dB above the back"));
    ck_assert_ptr_null(strstr(m.gist.data, "heard 22:13:30"));
    ck_assert_uint_eq(m.unusual_count, 0);
    summariser_free(s);
}
END_TEST

START_TEST(an_eventless_moment_says_so)
{
    struct summariser *s = fresh();
    struct moment m;
    usual(START, -42);
    sum(s, &m);
    ck_assert_str_eq(m.title, "nothing but the usual sound; -42 dBFS");
    learn_usual(s);
    usual(START, -20);
    sum(s, &m);
    ck_assert_str_eq(m.title, "louder than usual; -20 dBFS, usually -44 to -40");
    summariser_free(s);
}
END_TEST

START_TEST(the_usual_survives_a_save)
{
    struct summariser *a = fresh(), *b = fresh();
    struct moment m;
    struct buf saved = {0};
    struct cursor in;
    learn_usual(a);
    ck_assert_int_eq(summariser_save(a, &saved), 0);
    cursor_init(&in, saved.data, saved.size);
    ck_assert_int_eq(summariser_load(b, &in, NULL), 0);
    usual(START, -42);
    sum(b, &m);
    ck_assert_str_eq(m.title, "nothing but the usual sound; -42 dBFS, usually -44 to -40");
    buf_deinit(&saved);
    summariser_free(a);
    summariser_free(b);
}
END_TEST

int main(void)
{
    setenv("TZ", "UTC", 1);
    tzset();
    Suite *suite = suite_create("summary_audio");
    TCase *tests = tcase_create("summary_audio");
    tcase_add_test(tests, events_speech_and_loudness_are_told);
    tcase_add_test(tests, many_events_leave_room_for_the_loudness);
    tcase_add_test(tests, what_is_no_alert_is_told_too);
    tcase_add_test(tests, an_eventless_moment_says_so);
    tcase_add_test(tests, the_usual_survives_a_save);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
