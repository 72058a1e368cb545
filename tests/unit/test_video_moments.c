/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames to moments: a scene's cut ends one, exactly where it is, even soon after the last; what a
 * moment showed is told in its words.
 */
#include "base/clock.h"
#include "pipeline/stream.h"
#include "tests/unit/random_fixture.h"
#include "tests/unit/video_fixture.h"

#define START 1700000000LL

static struct canvas canvas;
static struct pipeline_stream *stream;
static uint64_t seq;

static struct {
    uint32_t count;
    struct {
        uint64_t first;
        uint32_t records;
        enum moment_end ended;
        float score;
        char title[160], gist[1600];
    } moments[64];
} out;

static int on_moment(void *arg, const struct moment *m)
{
    ck_assert_uint_lt(out.count, 64);
    out.moments[out.count].first = m->records[0].seq;
    out.moments[out.count].records = m->record_count;
    out.moments[out.count].ended = m->ended;
    out.moments[out.count].score = m->unusual_count ? m->unusual[0].score : 0;
    snprintf(out.moments[out.count].title, 160, "%s", m->title);
    snprintf(out.moments[out.count].gist, 1600, "%.*s", (int)m->gist.size, m->gist.data);
    out.count++;
    return 0;
}

static void begin(void)
{
    struct pipeline_options o = {.kind = KIND_VIDEO, .clock = clock_system()};
    struct pipeline_callbacks c = {.moment = on_moment};
    rng = 31337;
    seq = 0;
    memset(&out, 0, sizeof(out));
    ck_assert_int_eq(pipeline_stream_new(&o, &c, &stream), 0);
}

static void end(void)
{
    pipeline_stream_free(stream);
}

static void push(struct slice jpeg)
{
    int64_t time = START * US_PER_SECOND + (int64_t)++seq * US_PER_SECOND / 2;
    struct record r = {.seq = seq, .time = time, .arrival = time, .media = jpeg};
    ck_assert_int_eq(pipeline_stream_push(stream, &r, 1, NULL), 0);
}

static void show(void)
{
    struct slice jpeg = pack(&canvas, NULL);
    push(jpeg);
    free((void *)jpeg.data);
}

static void watch(uint32_t scene, int frames)
{
    for (int i = 0; i < frames; i++) {
        draw_scene(&canvas, scene, 1, 0);
        add_noise(&canvas, 4);
        show();
    }
}

static const char *gist_with(const char *words)
{
    for (uint32_t i = 0; i < out.count; i++)
        if (strstr(out.moments[i].gist, words))
            return out.moments[i].gist;
    ck_abort_msg("no gist says \"%s\"; the first: %s", words, out.moments[0].gist);
    return NULL;
}

START_TEST(a_cut_ends_a_moment)
{
    static const int lengths[] = {20, 3, 30, 2, 40, 9, 12};
    for (uint32_t i = 0; i < 7; i++)
        watch(i + 1, lengths[i]);
    ck_assert_int_eq(pipeline_stream_flush(stream), 0);
    ck_assert_uint_eq(out.count, 7);
    uint64_t first = 1;
    for (uint32_t i = 0; i < 7; i++) {
        ck_assert_uint_eq(out.moments[i].first, first);
        ck_assert_int_eq(out.moments[i].ended, i < 6 ? END_SHIFT : END_FLUSH);
        ck_assert_int_eq(strstr(out.moments[i].gist, "scene cut at ") != NULL, i > 0);
        ck_assert_int_eq(strncmp(out.moments[i].title, "new scene: ", 11) == 0, i > 0);
        first += (uint64_t)lengths[i];
    }
}
END_TEST

START_TEST(a_long_scene_is_parted_by_length_only)
{
    watch(9, 520);
    ck_assert_int_eq(pipeline_stream_flush(stream), 0);
    for (uint32_t i = 0; i + 1 < out.count; i++)
        ck_assert_int_eq(out.moments[i].ended, END_LENGTH);
    for (uint32_t i = 0; i < out.count; i++)
        ck_assert_msg(strcmp(out.moments[i].title, "calm") == 0, "\"%s\"",
                      out.moments[i].title);
}
END_TEST

START_TEST(what_was_seen_is_told)
{
    watch(10, 200);
    for (int i = 0; i < 8; i++) {
        draw_scene(&canvas, 10, 1, 0);
        draw_box(&canvas, 10 + 6 * i, 130, 35, 45, 245);
        add_noise(&canvas, 4);
        show();
    }
    watch(10, 100);
    for (int i = 0; i < 12; i++) {
        fill(&canvas, 1, 1, 1);
        show();
    }
    watch(10, 60);
    push((struct slice){"nothing", 7});
    struct slice frozen = pack(&canvas, NULL);
    for (int i = 0; i < 20; i++)
        push(frozen);
    free((void *)frozen.data);
    ck_assert_int_eq(pipeline_stream_flush(stream), 0);
    ck_assert_ptr_nonnull(strstr(gist_with("motion in the lower left for "), "% of the picture"));
    gist_with(" dark for 5 s");
    gist_with(" picture frozen for ");
    gist_with("1 frame damaged");
    ck_assert_ptr_null(strstr(gist_with(" dark for 5 s"), "frozen for 5 s"));
    float best = 0;
    for (uint32_t i = 0; i < out.count; i++)
        best = fmaxf(best, out.moments[i].score);
    ck_assert_float_ge(best, 0.5f);
}
END_TEST

START_TEST(frames_that_cannot_be_read)
{
    for (int i = 0; i < 5; i++)
        push((struct slice){"nothing", 7});
    ck_assert_int_eq(pipeline_stream_flush(stream), 0);
    ck_assert_uint_eq(out.count, 1);
    ck_assert_str_eq(out.moments[0].title, "frames that cannot be read");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("video_moments");
    TCase *t = tcase_create("video_moments");
    tcase_add_checked_fixture(t, begin, end);
    tcase_add_test(t, a_cut_ends_a_moment);
    tcase_add_test(t, a_long_scene_is_parted_by_length_only);
    tcase_add_test(t, what_was_seen_is_told);
    tcase_add_test(t, frames_that_cannot_be_read);
    tcase_set_timeout(t, 110);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
