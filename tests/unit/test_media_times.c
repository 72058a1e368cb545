/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdlib.h>

#include "base/clock.h"
#include "media/media.h"

#define NOW (1700000000LL * US_PER_SECOND)
#define S US_PER_SECOND

static struct media_times times(int64_t start, bool live)
{
    AVFormatContext *format = avformat_alloc_context();
    struct media_options o = {.start = start, .live = live};
    struct media_input in = {.origin = MEDIA_FILE, .mtime = NOW - 100 * S, .format = format};
    struct media_times t;
    format->start_time = 7 * S;
    format->duration = 40 * S;
    media_times_init(&t, &o, &in, NOW);
    avformat_free_context(format);
    return t;
}

START_TEST(test_given_start)
{
    struct media_times t = times(5 * S, false);
    ck_assert_int_eq(media_times_map(&t, 9 * S, 0, NOW), 5 * S);
    ck_assert_int_eq(media_times_map(&t, 10 * S, S, NOW), 6 * S);
    ck_assert_int_eq(media_times_map(&t, AV_NOPTS_VALUE, S, NOW), 7 * S);
}
END_TEST

START_TEST(test_file_ends_when_it_was_changed)
{
    struct media_times t = times(TIME_UNKNOWN, false);
    ck_assert_int_eq(media_times_map(&t, 7 * S, 0, NOW), NOW - 140 * S);
    ck_assert_int_eq(media_times_map(&t, 17 * S, S, NOW), NOW - 130 * S);
}
END_TEST

START_TEST(test_creation_time)
{
    const struct {
        const char *text;
        int64_t wanted;
    } cases[] = {{"2023-01-02T03:04:05.000000Z", 1672628645LL * S},
                 {"1970-01-01T00:00:00Z", NOW - 140 * S}, /* a clock that was never set */
                 {"2199-01-01T00:00:00Z", NOW - 140 * S},
                 {"yesterday or so", NOW - 140 * S}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        AVFormatContext *format = avformat_alloc_context();
        struct media_options o = {.start = TIME_UNKNOWN};
        struct media_input in = {.origin = MEDIA_FILE, .mtime = NOW - 100 * S, .format = format};
        struct media_times t;
        av_dict_set(&format->metadata, "creation_time", cases[i].text, 0);
        format->start_time = AV_NOPTS_VALUE;
        format->duration = 40 * S;
        media_times_init(&t, &o, &in, NOW);
        avformat_free_context(format);
        ck_assert_int_eq(media_times_map(&t, 3 * S, 0, NOW), cases[i].wanted);
    }
}
END_TEST

START_TEST(test_jumps_are_closed_up)
{
    struct media_times t = times(0, false);
    media_times_map(&t, 0, 0, NOW);
    ck_assert_int_eq(media_times_map(&t, 2 * S, S, NOW), 2 * S);
    ck_assert_int_eq(media_times_map(&t, 1 * S, S, NOW), 3 * S); /* backwards */
    ck_assert_int_eq(media_times_map(&t, 2 * S, S, NOW), 4 * S); /* and on from there */
    ck_assert_int_eq(media_times_map(&t, INT64_MAX, S, NOW), 5 * S);
    ck_assert_int_eq(media_times_map(&t, INT64_MIN + 1, S, NOW), 6 * S);
    ck_assert_int_eq(media_times_map(&t, 100000 * S, S, NOW), 7 * S);
    ck_assert_int_eq(media_times_map(&t, 100050 * S, S, NOW), 57 * S); /* a gap stays */
}
END_TEST

START_TEST(test_first_far_off)
{
    struct media_times t = times(TIME_UNKNOWN, false);
    ck_assert_int_eq(media_times_map(&t, INT64_MAX - 1, 0, NOW), NOW - 140 * S);
    ck_assert_int_eq(media_times_map(&t, INT64_MAX, S, NOW), NOW - 140 * S + 1);
}
END_TEST

START_TEST(test_live_follows_the_clock)
{
    struct media_times t = times(TIME_UNKNOWN, true);
    ck_assert_int_eq(media_times_map(&t, 50 * S, 0, NOW), NOW);
    ck_assert_int_eq(media_times_map(&t, 51 * S, S, NOW + S + 1000), NOW + S); /* jitter does not */
    ck_assert_int_eq(media_times_map(&t, 52 * S, S, NOW + 60 * S), NOW + 60 * S);
    ck_assert_int_eq(media_times_map(&t, 53 * S, S, NOW + 61 * S), NOW + 61 * S);
    ck_assert_int_eq(media_times_map(&t, 54 * S, S, NOW),
                     NOW + 61 * S); /* the clock was set back */
}
END_TEST

int main(void)
{
    Suite *s = suite_create("media_times");
    TCase *c = tcase_create("times");
    tcase_add_test(c, test_given_start);
    tcase_add_test(c, test_file_ends_when_it_was_changed);
    tcase_add_test(c, test_creation_time);
    tcase_add_test(c, test_jumps_are_closed_up);
    tcase_add_test(c, test_first_far_off);
    tcase_add_test(c, test_live_follows_the_clock);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? 1 : 0;
}
