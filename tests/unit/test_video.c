/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The video model: cuts are told and nothing else is taken for one; what happens in a steady scene
 * is an alert and the steady scene is none; surprise is calibrated on noise; the state survives a
 * save; damaged states and frames break nothing.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "model/video_encoder.h"
#include "tests/unit/random_fixture.h"
#include "tests/unit/video_fixture.h"

static struct canvas canvas;
static struct encoder *encoder;
static uint64_t seq;
static int64_t paused; /* microseconds in which nothing was recorded */
static char why[160];

static void begin(void)
{
    rng = 1234567;
    seq = 0;
    paused = 0;
    ck_assert_int_eq(encoder_new(KIND_VIDEO, &encoder), 0);
}

static void end(void)
{
    encoder_free(encoder);
}

static struct observation show_bytes(struct encoder *e, struct slice jpeg, int64_t step)
{
    int64_t time = 1700000000LL * US_PER_SECOND + paused + (int64_t)(seq + 1) * step;
    struct record r = {.seq = ++seq, .time = time, .media = jpeg};
    struct observation o;
    if (encoder_observe(e, &r, &o) != 0 || !isfinite(o.bits) || o.bits < 0 ||
        !(o.score >= 0 && o.score <= 1) || !o.latent || !o.why)
        ck_abort_msg("frame %llu: bits %g, score %g", (unsigned long long)seq, o.bits, o.score);
    for (int i = 0; i < OBSERVATION_TRAITS; i++)
        if (!isfinite(o.traits[i]))
            ck_abort_msg("frame %llu: trait %d", (unsigned long long)seq, i);
    snprintf(why, sizeof(why), "%s", o.why);
    o.why = why;
    return o;
}

/* The canvas as it is, half a second behind the last one. */
static struct observation show(void)
{
    struct slice jpeg = pack(&canvas, NULL);
    struct observation o = show_bytes(encoder, jpeg, US_PER_SECOND / 2);
    free((void *)jpeg.data);
    return o;
}

/* So many frames of a noisy steady scene; how many of them were alerts. */
static int watch(uint32_t scene, int frames)
{
    int alerts = 0;
    for (int i = 0; i < frames; i++) {
        draw_scene(&canvas, scene, 1, 0);
        add_noise(&canvas, 4);
        alerts += show().score >= 0.5;
    }
    return alerts;
}

/* ---- scenes ---- */

START_TEST(a_cut_is_told_once)
{
    for (uint32_t scene = 1; scene <= 12; scene++) {
        uint32_t told = 0;
        for (int i = 0; i < 8; i++) {
            draw_scene(&canvas, scene, 1, 0);
            struct observation o = show();
            if (!o.shift)
                continue;
            told++;
            ck_assert_uint_eq(o.shift, (uint32_t)i);
            ck_assert_float_eq(o.traits[VIDEO_CUT], (float)i);
            ck_assert_str_eq(why, "scene cut");
        }
        ck_assert_msg(told == (scene > 1), "scene %u: %u cuts", scene, told);
    }
}
END_TEST

START_TEST(no_cut_at_a_flash)
{
    watch(1, 10);
    for (int i = 0; i < 10; i++) {
        draw_scene(&canvas, 1, 1, 0);
        if (i == 4)
            fill(&canvas, 255, 255, 255);
        struct observation o = show();
        ck_assert_uint_eq(o.shift, 0);
        ck_assert_int_eq(o.traits[VIDEO_FLASH] > 0, i == 5);
    }
}
END_TEST

START_TEST(no_cut_when_the_light_is_switched)
{
    watch(2, 10);
    for (int i = 0; i < 40; i++) {
        draw_scene(&canvas, 2, i / 5 % 2 ? 0.4 : 1, 0);
        ck_assert_uint_eq(show().shift, 0);
    }
}
END_TEST

START_TEST(no_cut_when_the_camera_turns)
{
    for (int i = 0; i < 40; i++) {
        draw_scene(&canvas, 3, 1, 125 - 6 * i);
        struct observation o = show();
        ck_assert_uint_eq(o.shift, 0);
        if (i > 1)
            ck_assert_float_gt(o.traits[VIDEO_MOTION], 0.05);
    }
}
END_TEST

START_TEST(no_cut_when_something_passes)
{
    for (int i = 0; i < 30; i++) {
        draw_scene(&canvas, 4, 1, 0);
        draw_box(&canvas, 30 * i - 200, 30, 150, 150, 235);
        ck_assert_uint_eq(show().shift, 0);
    }
}
END_TEST

START_TEST(no_cut_in_snow)
{
    for (int i = 0; i < 60; i++) {
        canvas.width = SCENE_WIDTH;
        canvas.height = SCENE_HEIGHT;
        for (size_t k = 0; k < SCENE_WIDTH * SCENE_HEIGHT * 3; k++)
            canvas.pixels[k] = (uint8_t)(uniform() * 255);
        ck_assert_uint_eq(show().shift, 0);
    }
}
END_TEST

/* A spell of black between two pictures is a cut unless they are the same. */
START_TEST(black_between_scenes)
{
    uint32_t after = _i ? 5 : 6, told = 0;
    watch(5, 10);
    for (int i = 0; i < 5; i++) {
        fill(&canvas, 0, 0, 0);
        struct observation o = show();
        ck_assert_uint_eq(o.shift, 0);
        ck_assert_float_eq(o.traits[VIDEO_DARK], 1);
        if (i == 0)
            ck_assert_str_eq(why, "went dark");
    }
    for (int i = 0; i < 10; i++) {
        draw_scene(&canvas, after, 1, 0);
        told += show().shift > 0;
    }
    ck_assert_uint_eq(told, after != 5);
}
END_TEST

/* ---- alerts ---- */

START_TEST(a_steady_scene_is_no_alert)
{
    ck_assert_int_eq(watch(7, 500), 0);
}
END_TEST

/* Each after quiet, its words, and where in the run of six frames it is told. */
static const struct {
    const char *words;
    int first, last;
} planted[] = {{"motion in the lower left", 1, 3}, {"went dark", 0, 0}, {"scene cut", 1, 1}};

START_TEST(what_is_planted_is_an_alert)
{
    ck_assert_int_eq(watch(8, 250), 0);
    for (int i = 0; i < 6; i++) {
        draw_scene(&canvas, _i == 2 ? 9 : 8, 1, 0);
        if (_i == 0 && i < 4) /* 3 % of the picture */
            draw_box(&canvas, 10 + 20 * i, 125, 40, 45, 250);
        if (_i == 1)
            fill(&canvas, 2, 2, 2);
        add_noise(&canvas, 4);
        struct observation o = show();
        if (i < planted[_i].first || i > planted[_i].last)
            continue;
        ck_assert_msg(strstr(why, planted[_i].words), "%d: \"%s\"", i, why);
        ck_assert_msg(o.score >= 0.5, "%s: %g, %g bits", why, o.score, o.bits);
    }
}
END_TEST

/* Clips: somebody is in the last picture of one and the light is another in the next. */
START_TEST(what_changed_in_a_pause_is_no_motion)
{
    for (int clip = 0; clip < 40; clip++) {
        watch(14, 7);
        draw_scene(&canvas, 14, 1, 0);
        draw_box(&canvas, 200, 100, 150, 200, 240);
        add_noise(&canvas, 4);
        ck_assert_float_gt(show().traits[VIDEO_MOTION], 0.05);
        paused += _i ? 3600LL * US_PER_SECOND : 0;
        draw_scene(&canvas, 14, clip % 2 ? 0.9 : 1, 0);
        add_noise(&canvas, 4);
        struct observation o = show();
        bool moved = o.traits[VIDEO_MOTION] > 0 || o.traits[VIDEO_STEP] != 0;
        ck_assert_msg(moved == !_i && !o.shift, "clip %d: %s", clip, why);
    }
    /* Nobody knows how long it was dark when the recording ended in the dark. */
    fill(&canvas, 0, 0, 0);
    for (int i = 0; i < 4; i++)
        show();
    paused += _i ? 3600LL * US_PER_SECOND : 0;
    bool told = false;
    for (int i = 0; i < 4; i++) {
        draw_scene(&canvas, 14, 1, 0);
        show();
        told |= _i ? strcmp(why, "light again") == 0 : strstr(why, "dark before for") != NULL;
    }
    ck_assert(told);
    /* A camera that takes one picture a minute sees motion all the same. */
    for (int i = 0; i < 60; i++) {
        paused += 60LL * US_PER_SECOND;
        watch(14, 1);
    }
    paused += 60LL * US_PER_SECOND;
    draw_box(&canvas, 200, 100, 150, 200, 240);
    ck_assert_float_gt(show().traits[VIDEO_MOTION], 0.05);
}
END_TEST

START_TEST(a_frozen_picture_is_told)
{
    double best = 0;
    watch(10, 200);
    struct slice jpeg = pack(&canvas, NULL);
    for (int i = 0; i < 20; i++) {
        struct observation o = show_bytes(encoder, jpeg, US_PER_SECOND / 2);
        if (strstr(why, "frozen"))
            best = fmax(best, o.score);
        ck_assert_msg(i < 9 || o.traits[VIDEO_STILL] > 3, "%d: %g", i,
                      (double)o.traits[VIDEO_STILL]);
    }
    ck_assert_double_ge(best, 0.5);
    free((void *)jpeg.data);
    /* Nor is it live where an encoder still settles: a few pixels, by a level or two. */
    watch(10, 200);
    for (int i = 0; i < 20; i++) {
        for (int k = 0; k < 10; k++)
            canvas.pixels[3 * (2000 + 5501 * k + 17 * i)] ^= 2;
        struct observation o = show();
        ck_assert_msg(i < 12 || o.traits[VIDEO_STILL] > 3, "%d: %g", i,
                      (double)o.traits[VIDEO_STILL]);
    }
    /* Where pictures mostly stand still, standing still is nothing. */
    struct encoder *slides;
    ck_assert_int_eq(encoder_new(KIND_VIDEO, &slides), 0);
    draw_scene(&canvas, 11, 1, 0);
    jpeg = pack(&canvas, NULL);
    for (int i = 0; i < 1200; i++) {
        struct observation o = show_bytes(slides, jpeg, US_PER_SECOND / 2);
        ck_assert_msg(i < 800 || (o.traits[VIDEO_STILL] == 0 || o.score < 0.5), "%d", i);
    }
    free((void *)jpeg.data);
    encoder_free(slides);
}
END_TEST

START_TEST(a_flickering_light_is_told)
{
    int told = 0;
    watch(12, 200);
    for (int i = 0; i < 16; i++) {
        draw_scene(&canvas, 12, i % 2 ? 0.8 : 1, 0);
        add_noise(&canvas, 4);
        told += show().traits[VIDEO_FLICKER] > 0;
    }
    ck_assert_int_ge(told, 6);
}
END_TEST

/* ---- calibration ---- */

START_TEST(surprise_is_calibrated)
{
    /* 200 noisy frames, drawn from at random: as stationary as video can be. */
    enum { KINDS = 200, WARM = 2000, N = 6000 };
    struct slice frames[KINDS];
    int over[8] = {0};
    for (int i = 0; i < KINDS; i++) {
        draw_scene(&canvas, 13, 1, 0);
        add_noise(&canvas, 6);
        canvas.height = 45; /* of its rows: small frames, so that many can be shown */
        frames[i] = pack(&canvas, NULL);
    }
    for (int i = 0; i < WARM + N; i++) {
        struct observation o =
            show_bytes(encoder, frames[(int)(uniform() * KINDS)], US_PER_SECOND / 2);
        for (int b = 1; b <= 6 && i >= WARM; b++)
            over[b] += o.bits >= b;
    }
    for (int b = 1; b <= 6; b++) {
        double share = over[b] / (double)N * exp2(b);
        printf(" %5.2f", share);
        ck_assert_msg(share < 1.25 && share > 0.75, "P(bits >= %d) is %.2f * 2^-%d", b, share, b);
    }
    printf("\n");
    for (int i = 0; i < KINDS; i++)
        free((void *)frames[i].data);
}
END_TEST

/* ---- latents ---- */

static void latent_of(uint32_t scene, double light, int dx, float *ret)
{
    struct encoder *e;
    ck_assert_int_eq(encoder_new(KIND_VIDEO, &e), 0);
    draw_scene(&canvas, scene, light, dx);
    add_noise(&canvas, 4);
    struct slice jpeg = pack(&canvas, NULL);
    struct observation o = show_bytes(e, jpeg, US_PER_SECOND);
    memcpy(ret, o.latent, LATENT_DIM * sizeof(*ret));
    free((void *)jpeg.data);
    encoder_free(e);
}

static double cosine(const float *a, const float *b)
{
    double sum = 0;
    for (int i = 0; i < LATENT_DIM; i++)
        sum += (double)a[i] * b[i];
    return sum;
}

START_TEST(like_scenes_have_like_latents)
{
    float scenes[8][LATENT_DIM], other[LATENT_DIM];
    for (uint32_t i = 0; i < 8; i++)
        latent_of(20 + i, 1, 0, scenes[i]);
    for (uint32_t i = 0; i < 8; i++) {
        latent_of(20 + i, 0.85, 6, other);
        ck_assert_double_eq_tol(cosine(other, other), 1, 1e-4);
        double same = cosine(scenes[i], other);
        ck_assert_double_gt(same, 0.8);
        for (uint32_t k = 0; k < 8; k++)
            ck_assert_msg(k == i || cosine(scenes[k], other) < same - 0.1, "%u is like %u", i, k);
    }
}
END_TEST

/* ---- state ---- */

static void draw_varied(int i)
{
    draw_scene(&canvas, 30 + (uint32_t)i / 17, i % 23 == 22 ? 0.5 : 1, 3 * (i % 7));
    if (i % 31 > 28)
        fill(&canvas, 0, 0, 0);
}

START_TEST(save_and_load_go_on_alike)
{
    struct encoder *twin;
    struct buf saved = {0}, again = {0};
    struct errmsg err;
    for (int i = 0; i < 90 + _i; i++) {
        draw_varied(i);
        show();
    }
    ck_assert_int_eq(encoder_new(KIND_VIDEO, &twin), 0);
    ck_assert_int_eq(encoder->ops->save(encoder, false, &saved), 0);
    ck_assert_msg(twin->ops->load(twin, saved.data, saved.size, &err) == 0, "%s", err.text);
    ck_assert_int_eq(twin->ops->save(twin, false, &again), 0);
    ck_assert_uint_eq(saved.size, again.size);
    ck_assert_mem_eq(saved.data, again.data, saved.size);
    for (int i = 90 + _i; i < 140; i++) {
        draw_varied(i);
        struct slice jpeg = pack(&canvas, NULL);
        struct observation a = show_bytes(encoder, jpeg, US_PER_SECOND / 2);
        seq--;
        struct observation b = show_bytes(twin, jpeg, US_PER_SECOND / 2);
        ck_assert_msg(a.bits == b.bits && a.score == b.score && a.shift == b.shift, "frame %d", i);
        ck_assert_mem_eq(a.traits, b.traits, sizeof(a.traits));
        ck_assert_mem_eq(a.latent, b.latent, LATENT_DIM * sizeof(float));
        free((void *)jpeg.data);
    }
    encoder_free(twin);
    buf_deinit(&saved);
    buf_deinit(&again);
}
END_TEST

START_TEST(a_brief_state_goes_on)
{
    struct buf whole = {0}, brief = {0};
    struct errmsg err;
    watch(40, 150);
    ck_assert_int_eq(encoder->ops->save(encoder, false, &whole), 0);
    ck_assert_int_eq(encoder->ops->save(encoder, true, &brief), 0);
    ck_assert_uint_lt(brief.size, whole.size / 2);
    ck_assert_msg(encoder->ops->load(encoder, brief.data, brief.size, &err) == 0, "%s", err.text);
    ck_assert_int_eq(watch(40, 50), 0);
    buf_deinit(&whole);
    buf_deinit(&brief);
}
END_TEST

START_TEST(damaged_states_break_nothing)
{
    struct buf saved = {0};
    struct errmsg err;
    uint32_t refused = 0;
    for (int i = 0; i < 60; i++) {
        draw_varied(i);
        show();
    }
    struct slice jpeg = pack(&canvas, NULL);
    ck_assert_int_eq(encoder->ops->save(encoder, false, &saved), 0);
    for (size_t size = 0; size < saved.size; size += 1 + saved.size / 200)
        ck_assert_int_lt(encoder->ops->load(encoder, saved.data, size, &err), 0);
    for (int i = 0; i < 600; i++) {
        size_t where = (size_t)(uniform() * (double)saved.size) % saved.size;
        char was = saved.data[where];
        saved.data[where] = (char)(uniform() * 256);
        refused += encoder->ops->load(encoder, saved.data, saved.size, &err) < 0;
        show_bytes(encoder, jpeg, US_PER_SECOND);
        show_bytes(encoder, jpeg, US_PER_SECOND);
        saved.data[where] = was;
    }
    ck_assert_uint_gt(refused, 5);
    ck_assert_int_eq(encoder->ops->load(encoder, saved.data, saved.size, &err), 0);
    free((void *)jpeg.data);
    buf_deinit(&saved);
}
END_TEST

START_TEST(broken_frames_are_passed_over)
{
    watch(50, 120);
    struct observation o =
        show_bytes(encoder, (struct slice){"\xff\xd8\xff\xe0nothing", 11}, US_PER_SECOND);
    ck_assert_double_eq(o.bits, 0);
    ck_assert_double_eq(o.score, 0);
    ck_assert_float_eq(o.traits[VIDEO_BROKEN], 1);
    ck_assert_ptr_nonnull(strstr(why, "frame not readable: JPEG: "));
    ck_assert_double_eq(cosine(o.latent, o.latent), 0);
    ck_assert_int_eq(watch(50, 30), 0);
}
END_TEST

START_TEST(our_own_memory_is_taken_once)
{
    struct slice frames[20];
    watch(51, 2);
    for (int i = 0; i < 20; i++) {
        draw_varied(i);
        frames[i] = pack(&canvas, NULL);
    }
    uint64_t before = mem_thread_allocations();
    for (int i = 0; i < 200; i++)
        show_bytes(encoder, frames[i % 20], US_PER_SECOND);
    ck_assert_uint_eq(mem_thread_allocations(), before);
    for (int i = 0; i < 20; i++)
        free((void *)frames[i].data);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("video");
    TCase *t = tcase_create("video");
    tcase_add_checked_fixture(t, begin, end);
    tcase_add_test(t, a_cut_is_told_once);
    tcase_add_test(t, no_cut_at_a_flash);
    tcase_add_test(t, no_cut_when_the_light_is_switched);
    tcase_add_test(t, no_cut_when_the_camera_turns);
    tcase_add_test(t, no_cut_when_something_passes);
    tcase_add_test(t, no_cut_in_snow);
    tcase_add_loop_test(t, black_between_scenes, 0, 2);
    tcase_add_test(t, a_steady_scene_is_no_alert);
    tcase_add_loop_test(t, what_is_planted_is_an_alert, 0, 3);
    tcase_add_loop_test(t, what_changed_in_a_pause_is_no_motion, 0, 2);
    tcase_add_test(t, a_frozen_picture_is_told);
    tcase_add_test(t, a_flickering_light_is_told);
    tcase_add_test(t, surprise_is_calibrated);
    tcase_add_test(t, like_scenes_have_like_latents);
    tcase_add_loop_test(t, save_and_load_go_on_alike, 0, 5);
    tcase_add_test(t, a_brief_state_goes_on);
    tcase_add_test(t, damaged_states_break_nothing);
    tcase_add_test(t, broken_frames_are_passed_over);
    tcase_add_test(t, our_own_memory_is_taken_once);
    tcase_set_timeout(t, 110);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
