/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "pipeline/segment.h"

static float token[LATENT_DIM];

static struct observation saw(int axis, double bits, double score, uint32_t shift)
{
    memset(token, 0, sizeof(token));
    token[axis] = 1;
    return (struct observation){
        .bits = bits, .score = score, .latent = token, .shift = shift, .why = ""};
}

static struct segmenter *open_segmenter(enum stream_kind kind)
{
    struct segmenter *s;
    ck_assert_int_eq(segmenter_new(kind, &(struct segment_options){0}, &s), 0);
    return s;
}

static void quiet(struct segmenter *s, int64_t *time, int count)
{
    struct segment_cut cut;
    for (int i = 0; i < count; i++) {
        struct observation o = saw(0, 1, 0, 0);
        segmenter_push(s, *time += US_PER_SECOND, &o, false);
        ck_assert_int_eq(segmenter_cut(s, &cut), 0);
    }
}

START_TEST(test_step_back_cuts_at_once)
{
    struct segmenter *s = open_segmenter(KIND_TEXT);
    struct segment_cut cut;
    int64_t time = 0;
    quiet(s, &time, 5);
    struct observation o = saw(0, 1, 0, 0);
    segmenter_push(s, 1, &o, true);
    ck_assert_int_eq(segmenter_cut(s, &cut), SEGMENT_CUT);
    ck_assert_uint_eq(cut.count, 5);
    ck_assert_int_eq(cut.ended, END_GAP);
    ck_assert_int_eq(segmenter_cut(s, &cut), 0);
    ck_assert_int_eq(segmenter_flush(s, END_FLUSH, &cut), SEGMENT_CUT);
    ck_assert_uint_eq(cut.count, 1);
    segmenter_free(s);
}
END_TEST

/* The model tells of a regime forty records after it began. */
START_TEST(test_regime_cuts_where_it_began)
{
    struct segmenter *s = open_segmenter(KIND_SENSOR);
    struct segment_cut cut;
    int64_t time = 0;
    quiet(s, &time, 100);
    struct observation o = saw(0, 1, 0, 40);
    segmenter_push(s, time += US_PER_SECOND, &o, false);
    ck_assert_int_eq(segmenter_cut(s, &cut), SEGMENT_CUT);
    ck_assert_uint_eq(cut.count, 60);
    ck_assert_int_eq(cut.ended, END_SHIFT);
    /* The same change once more is none. */
    o.shift = 38;
    segmenter_push(s, time += US_PER_SECOND, &o, false);
    ck_assert_int_eq(segmenter_cut(s, &cut), 0);
    segmenter_free(s);
}
END_TEST

/* One far beyond all before begins a moment, one that is merely out does not. */
START_TEST(test_sensor_alert_cuts_at_once)
{
    struct segmenter *s = open_segmenter(KIND_SENSOR);
    struct segment_cut cut;
    int64_t time = 0;
    quiet(s, &time, 50);
    struct observation o = saw(0, 12, 0.6, 0);
    segmenter_push(s, time += US_PER_SECOND, &o, false);
    ck_assert_int_eq(segmenter_cut(s, &cut), 0);
    o = saw(0, 20, 0.9, 0);
    segmenter_push(s, time += US_PER_SECOND, &o, false);
    ck_assert_int_eq(segmenter_cut(s, &cut), SEGMENT_CUT);
    ck_assert_uint_eq(cut.count, 51);
    ck_assert_int_eq(cut.ended, END_SURPRISE);
    segmenter_free(s);
}
END_TEST

/* An odd record in a stream that goes on as before is unusual, and no boundary. */
START_TEST(test_an_odd_record_is_no_boundary)
{
    struct segmenter *s = open_segmenter(KIND_TEXT);
    int64_t time = 0;
    quiet(s, &time, 60);
    struct observation o = saw(7, 25, 0.9, 0);
    segmenter_push(s, time += US_PER_SECOND, &o, false);
    quiet(s, &time, 60);
    segmenter_free(s);
}
END_TEST

/* What was called settled stays so, and nothing lags by more than the bound. */
START_TEST(test_settled_is_kept)
{
    for (int kind = KIND_TEXT; kind <= KIND_SENSOR; kind++) {
        struct segmenter *s = open_segmenter((enum stream_kind)kind);
        struct segment_cut cut;
        uint64_t pushed = 0, left = 0, settled = 0;
        int64_t time = 0;
        srand(5);
        for (int i = 0; i < 20000; i++) {
            int r = rand() % 100;
            struct observation o = saw(i / 70 % 5 * 3, r == 0 ? 25 : r % 3, r == 1 ? 0.9 : 0.1,
                                       r == 2 ? (uint32_t)rand() % 600 : 0);
            time += r == 3 ? US_PER_HOUR * 9 : US_PER_SECOND;
            segmenter_push(s, time, &o, r == 4);
            pushed++;
            while (segmenter_cut(s, &cut) == SEGMENT_CUT) {
                ck_assert(cut.count >= 1 && cut.count <= MOMENT_RECORDS);
                left += cut.count;
                ck_assert_uint_ge(left, settled);
                ck_assert_uint_lt(left, pushed);
            }
            uint64_t now = left + segmenter_settled(s);
            settled = now > settled ? now : settled;
            ck_assert_uint_le(pushed - settled, SEGMENT_LAG_MAX);
        }
        segmenter_free(s);
    }
}
END_TEST

START_TEST(test_usual_gap)
{
    struct segmenter *s = open_segmenter(KIND_TEXT);
    int64_t time = 0;
    ck_assert_int_eq(segmenter_usual_gap(s), 0);
    quiet(s, &time, 100);
    int64_t usual = segmenter_usual_gap(s);
    ck_assert(usual >= US_PER_SECOND && usual <= 2 * US_PER_SECOND);
    segmenter_free(s);
}
END_TEST

/* Ten minutes part a burst of lines from the next, but do not make moments of single lines. */
START_TEST(test_few_records_need_a_long_gap)
{
    static const struct {
        int records;
        int64_t gap;
        int cut;
    } cases[] = {{40, 10 * US_PER_MINUTE, SEGMENT_CUT},
                 {3, 10 * US_PER_MINUTE, 0},
                 {3, 40 * US_PER_MINUTE, SEGMENT_CUT}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct segmenter *s = open_segmenter(KIND_TEXT);
        struct segment_cut cut;
        struct observation o = saw(0, 1, 0, 0);
        int64_t time = 0;
        quiet(s, &time, 40); /* the usual gap is known */
        segmenter_push(s, time += US_PER_DAY, &o, false);
        ck_assert_int_eq(segmenter_cut(s, &cut), SEGMENT_CUT);
        quiet(s, &time, cases[i].records - 1);
        segmenter_push(s, time + cases[i].gap, &o, false);
        ck_assert_int_eq(segmenter_cut(s, &cut), cases[i].cut);
        if (cases[i].cut)
            ck_assert_uint_eq(cut.count, (uint32_t)cases[i].records);
        segmenter_free(s);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("segment");
    TCase *t = tcase_create("segment");
    tcase_add_test(t, test_step_back_cuts_at_once);
    tcase_add_test(t, test_regime_cuts_where_it_began);
    tcase_add_test(t, test_sensor_alert_cuts_at_once);
    tcase_add_test(t, test_an_odd_record_is_no_boundary);
    tcase_add_test(t, test_settled_is_kept);
    tcase_add_test(t, test_usual_gap);
    tcase_add_test(t, test_few_records_need_a_long_gap);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
