/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The model of sound: its surprise is calibrated on steady noise, knocks and tones in it are alerts
 * and the noise is not, nothing falls between records, its state survives a save, damaged states
 * and odd records break nothing, and it allocates nothing once warm.
 */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "model/audio_encoder.h"
#include "model/audio_frames.h"
#include "tests/unit/random_fixture.h"

#define RECORD 8000
#define RECORD_US (US_PER_SECOND / 2)
#define FIRST_TIME (1700000000LL * US_PER_SECOND)

static int16_t pcm[AUDIO_RECORD_SAMPLES_MAX];
static int64_t unrecorded; /* microseconds between the records so far */

static struct encoder *fresh(void)
{
    struct encoder *e;
    unrecorded = 0;
    ck_assert_int_eq(encoder_new(KIND_AUDIO, &e), 0);
    return e;
}

static void put_sample(int i, double v)
{
    v = round(v * 32767);
    pcm[i] = (int16_t)(v > 32767 ? 32767 : v < -32768 ? -32768 : v);
}

/* White noise of that level, dBFS: cheap, a sum of four uniform values. */
static void make_noise(double level)
{
    double size = pow(10, level / 20) * sqrt(3);
    for (int i = 0; i < RECORD; i++)
        put_sample(i, size * (uniform() + uniform() + uniform() + uniform() - 2));
}

/* What is added: a tone that lasts the whole record, or a knock that dies away within 60 ms. */
static void add_tone(double level, double hz, long at)
{
    double size = pow(10, level / 20) * sqrt(2);
    for (int i = 0; i < RECORD; i++)
        put_sample(i, pcm[i] / 32767.0 + size * sin(2 * M_PI * hz * (double)(at + i) / AUDIO_RATE));
}

static void add_knock(double level, int at)
{
    double size = pow(10, level / 20) * 4;
    for (int i = at; i < RECORD; i++)
        put_sample(i, pcm[i] / 32767.0 + size * (uniform() - 0.5) * exp(-(i - at) / 320.0));
}

static struct observation feed(struct encoder *e, uint64_t seq)
{
    struct record r = {.seq = seq,
                       .time = FIRST_TIME + unrecorded + (int64_t)seq * RECORD_US,
                       .media = {(const char *)pcm, RECORD * sizeof(pcm[0])}};
    struct observation o;
    if (encoder_observe(e, &r, &o) != 0 || !isfinite(o.bits) || o.bits < 0 ||
        !(o.score >= 0 && o.score <= 1) || !o.latent || !o.why)
        ck_abort_msg("record %llu: bits %g, score %g", (unsigned long long)seq, o.bits, o.score);
    return o;
}

START_TEST(surprise_is_calibrated_and_noise_no_alert)
{
    /* 8,000 records leave 31 beyond 8 bits: 2 sigma are 36 % there, 4 % at 2 bits. */
    enum { N = 8000, WARM = 1000 };
    struct encoder *e = fresh();
    int over[9] = {0}, alerts = 0;
    rng = 88172645463325252ULL;
    for (int i = 0; i < N + WARM; i++) {
        make_noise(-45);
        struct observation o = feed(e, (uint64_t)i);
        alerts += o.score >= UNUSUAL_ALERT;
        for (int b = 1; b <= 8 && i >= WARM; b++)
            over[b] += o.bits >= b;
    }
    for (int b = 1; b <= 8; b++)
        printf(" %5.2f", over[b] / (double)N * exp2(b));
    printf("\n");
    for (int b = 1; b <= 8; b++) {
        double share = over[b] / (double)N * exp2(b), slack = b <= 5 ? 0.1 : 0.3;
        ck_assert_msg(fabs(share - 1) < slack, "P(bits >= %d) is %.2f * 2^-%d", b, share, b);
    }
    ck_assert_int_eq(alerts, 0);
    e->ops->free(e);
}
END_TEST

/* Five seconds of one tone, quite as loud as somebody who speaks. */
START_TEST(a_tone_does_not_speak)
{
    struct encoder *e = fresh();
    bool told = false;
    rng = 11;
    for (int i = 0; i < 60; i++) {
        bool tone = i >= 40 && i < 50;
        make_noise(-45);
        if (tone)
            add_tone(-24, 1000, (long)i * RECORD);
        struct observation o = feed(e, (uint64_t)i);
        ck_assert_msg(o.traits[AUDIO_SPEECH] < 0.5f, "record %d: %s", i, o.why);
        told |= tone && strstr(o.why, "a tone near 1000 Hz");
    }
    ck_assert(told);
    e->ops->free(e);
}
END_TEST

static const struct {
    const char *name, *word;
    double noise, level, hz; /* hz 0: a knock */
} planted[] = {
    {"knock", "a knock", -50, -25, 0},
    {"loud knock", "a knock", -40, -6, 0},
    {"tone", "a tone near 1000 Hz", -50, -45, 1000},
    {"high tone", "Hz", -45, -35, 5000},
    {"knock in silence", "a knock", -120, -30, 0},
};

START_TEST(what_is_planted_is_an_alert)
{
    /* Three of them, 100 s apart, in steady noise. */
    struct encoder *e = fresh();
    int hits = 0, others = 0;
    char why[160] = "";
    rng = 7 + (uint64_t)_i;
    for (int i = 0; i < 700; i++) {
        bool event = i >= 200 && i % 200 == 57;
        make_noise(planted[_i].noise);
        if (event && planted[_i].hz > 0)
            add_tone(planted[_i].level, planted[_i].hz, (long)i * RECORD);
        else if (event)
            add_knock(planted[_i].level, 3000);
        struct observation o = feed(e, (uint64_t)i);
        if (event && o.score >= UNUSUAL_ALERT && o.bits >= 7) {
            hits++;
            memcpy(why, o.why, sizeof(why));
            ck_assert_msg(strstr(o.why, planted[_i].word), "said \"%s\"", o.why);
        } else if (o.score >= UNUSUAL_ALERT) {
            others++;
        }
    }
    printf("%-18s %d of 3, others %d: %s\n", planted[_i].name, hits, others, why);
    ck_assert_int_eq(hits, 3);
    ck_assert_int_eq(others, 0);
    e->ops->free(e);
}
END_TEST

/* Knocks as strong as the one before it, each in a clip of its own. */
START_TEST(the_hours_between_clips_are_a_rest)
{
    struct encoder *e = fresh();
    int hits = 0;
    rng = 31;
    for (int i = 0; i < 600; i++) {
        make_noise(-50);
        bool event = i >= 200 && i % 10 == 9;
        if (event)
            add_knock(-31, 3000);
        if (i % 10 == 0)
            unrecorded += _i ? US_PER_HOUR : 0;
        hits += feed(e, (uint64_t)i).score >= UNUSUAL_ALERT && event;
    }
    ck_assert_msg(_i ? hits == 40 : hits < 30, "%d", hits);
    e->ops->free(e);
}
END_TEST

START_TEST(usual_knocks_are_events_and_no_alerts)
{
    /* One every ten seconds is usual soon; each is still heard, once. */
    struct encoder *e = fresh();
    int events = 0, others = 0, alerts = 0;
    rng = 23;
    for (int i = 0; i < 600; i++) {
        bool knock = i % 20 == 10;
        make_noise(-50);
        if (knock)
            add_knock(-25, 3000);
        struct observation o = feed(e, (uint64_t)i);
        if (knock && o.traits[AUDIO_EVENT] > 12 && strstr(o.why, "a knock, "))
            events++;
        else
            others += o.traits[AUDIO_EVENT] > 0;
        alerts += i >= 300 && o.score >= UNUSUAL_ALERT;
    }
    ck_assert_int_ge(events, 29);
    ck_assert_int_eq(others, 0);
    ck_assert_int_le(alerts, 3);
    e->ops->free(e);
}
END_TEST

START_TEST(silence_after_noise_is_told)
{
    struct encoder *e = fresh();
    struct observation o = {0};
    rng = 5;
    for (int i = 0; i < 200; i++) {
        make_noise(-40);
        o = feed(e, (uint64_t)i);
    }
    ck_assert(fabsf(o.traits[AUDIO_LEVEL] + 40) < 1);
    memset(pcm, 0, sizeof(pcm));
    feed(e, 200);
    o = feed(e, 201);
    ck_assert(o.score >= UNUSUAL_ALERT);
    ck_assert_msg(strstr(o.why, "quiet: -96 dBFS, usually -4"), "said \"%s\"", o.why);
    e->ops->free(e);
}
END_TEST

START_TEST(frames_do_not_depend_on_the_cut)
{
    /* The same sound in records of any size gives the same frames, in the same number. */
    struct audio_frames *whole, *parts;
    struct audio_frame kept[AUDIO_FRAMES_MAX];
    const struct audio_frame *frames;
    ck_assert_int_eq(audio_frames_new(&whole), 0);
    ck_assert_int_eq(audio_frames_new(&parts), 0);
    rng = 3;
    for (int i = 0; i < AUDIO_RECORD_SAMPLES_MAX; i++)
        put_sample(i, 0.2 * (uniform() - 0.5));
    uint32_t n = audio_frames_push(whole, pcm, AUDIO_RECORD_SAMPLES_MAX, &frames), seen = 0;
    ck_assert_uint_eq(n, (AUDIO_RECORD_SAMPLES_MAX - AUDIO_WINDOW) / AUDIO_HOP + 1);
    memcpy(kept, frames, n * sizeof(kept[0]));
    for (uint32_t at = 0, step = 1; at < AUDIO_RECORD_SAMPLES_MAX; at += step) {
        step = 1 + (uint32_t)(uniform() * 900);
        if (step > AUDIO_RECORD_SAMPLES_MAX - at)
            step = AUDIO_RECORD_SAMPLES_MAX - at;
        uint32_t got = audio_frames_push(parts, pcm + at, step, &frames);
        for (uint32_t i = 0; i < got; i++, seen++)
            ck_assert_mem_eq(&frames[i], &kept[seen], sizeof(kept[0]));
    }
    ck_assert_uint_eq(seen, n);
    audio_frames_free(whole);
    audio_frames_free(parts);
}
END_TEST

START_TEST(bands_find_their_frequency)
{
    struct audio_frames *a;
    const struct audio_frame *frames;
    ck_assert_int_eq(audio_frames_new(&a), 0);
    for (int band = 0; band < AUDIO_BANDS; band++) {
        memset(pcm, 0, sizeof(pcm));
        add_tone(-20, audio_band_hz(band), 0);
        audio_frames_reset(a);
        ck_assert_uint_gt(audio_frames_push(a, pcm, RECORD, &frames), 40);
        int best = 0;
        for (int b = 0; b < AUDIO_BANDS; b++)
            best = frames[20].bands[b] > frames[20].bands[best] ? b : best;
        ck_assert_msg(best - band <= 1 && band - best <= 1, "%.0f Hz is in band %d, not %d",
                      audio_band_hz(band), best, band);
        ck_assert(fabsf(frames[20].level + 20) < 0.2f);
    }
    audio_frames_free(a);
}
END_TEST

static void mixed(int i)
{
    make_noise(i % 50 < 20 ? -50 : -47);
    if (i % 37 == 5)
        add_knock(-20, 2000);
}

static void span_of(struct encoder *e, int from, int to, uint32_t step, float *ret)
{
    /* A sweep whose pitch tells the time, in records of `step` samples. */
    static int16_t one[RECORD];
    uint64_t at = 0;
    for (int i = from * RECORD; i < to * RECORD; i += (int)step) {
        uint32_t n = (uint32_t)(to * RECORD - i) < step ? (uint32_t)(to * RECORD - i) : step;
        for (uint32_t k = 0; k < n; k++) {
            double t = (double)(i + (int)k) / AUDIO_RATE;
            one[k] = (int16_t)(8000 * sin(2 * M_PI * (300 * t + 60 * t * t)));
        }
        struct record r = {.time = FIRST_TIME + (int64_t)at * US_PER_SECOND / AUDIO_RATE,
                           .media = {(const char *)one, n * sizeof(one[0])}};
        e->ops->span_add(e, &r);
        at += n;
    }
    e->ops->span_latent(e, ret);
}

static double cosine(const float *a, const float *b)
{
    double sum = 0;
    for (int i = 0; i < LATENT_DIM; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

START_TEST(a_span_has_one_latent)
{
    /* However it is cut into records and whatever was heard before; another span has another. */
    struct encoder *e = fresh();
    float a[LATENT_DIM], b[LATENT_DIM], other[LATENT_DIM], nothing[LATENT_DIM];
    span_of(e, 0, 30, RECORD, a);
    for (int i = 0; i < 20; i++) {
        mixed(i);
        feed(e, (uint64_t)i);
    }
    span_of(e, 0, 30, 777, b);
    span_of(e, 20, 24, RECORD, other);
    e->ops->span_latent(e, nothing);
    ck_assert_mem_eq(a, b, sizeof(a));
    ck_assert(fabs(cosine(a, a) - 1) < 1e-5);
    ck_assert_msg(cosine(a, other) < 0.8, "cosine of different spans %.2f", cosine(a, other));
    ck_assert(cosine(nothing, nothing) == 0);
    uint64_t before = mem_thread_allocations();
    span_of(e, 0, 10, RECORD, a);
    ck_assert_uint_eq(mem_thread_allocations(), before);
    e->ops->free(e);
}
END_TEST

START_TEST(spans_hardly_know_how_loud_they_were)
{
    struct encoder *e = fresh();
    float latents[3][LATENT_DIM];
    for (int turn = 0; turn < 3; turn++) {
        rng = 99;
        for (int i = 0; i < 10; i++) {
            memset(pcm, 0, sizeof(pcm));
            if (turn < 2)
                make_noise(turn ? -40 : -20);
            if (turn < 2 || i % 3 == 0)
                add_knock(turn ? -20 : 0, 500 * i);
            struct record r = {.time = FIRST_TIME + i * RECORD_US,
                               .media = {(const char *)pcm, RECORD * sizeof(pcm[0])}};
            e->ops->span_add(e, &r);
        }
        e->ops->span_latent(e, latents[turn]);
    }
    double same = cosine(latents[0], latents[1]), other = cosine(latents[0], latents[2]);
    ck_assert_msg(same > 0.85 && other < 0.5, "same %.2f, other %.2f", same, other);
    e->ops->free(e);
}
END_TEST

START_TEST(a_gap_drops_what_waited)
{
    /* Two half windows that do not belong together make no frame, two that do make one. */
    for (int gap = 0; gap < 2; gap++) {
        struct encoder *e = fresh();
        struct observation o;
        rng = 19;
        make_noise(-20);
        for (int i = 0; i < 2; i++) {
            struct record r = {.seq = 1 + (uint64_t)i,
                               .time = FIRST_TIME + (gap ? i * US_PER_SECOND : i * 12500),
                               .media = {(const char *)pcm, AUDIO_WINDOW}};
            ck_assert_int_eq(encoder_observe(e, &r, &o), 0);
        }
        if (gap)
            ck_assert(o.traits[AUDIO_LEVEL] == AUDIO_QUIETEST);
        else
            ck_assert(fabsf(o.traits[AUDIO_LEVEL] + 20) < 1);
        e->ops->free(e);
    }
}
END_TEST

/* Hums in syllables, three a second: what passes for a voice without a network. */
static void make_voice(long at)
{
    for (int i = 0; i < RECORD; i++) {
        double time = (double)(at + i) / AUDIO_RATE, sum = 0;
        for (int k = 1; k < 8; k++)
            sum += sin(2 * M_PI * 140 * k * time) / k;
        put_sample(i, 0.05 * sum * fmax(0, sin(2 * M_PI * 3 * time)) + 0.0005 * (uniform() - 0.5));
    }
}

START_TEST(speech_is_heard_in_records_of_any_size)
{
    for (int step = 100; step <= RECORD; step *= 80) {
        struct encoder *e = fresh();
        struct observation o;
        double spoken = 0, count = 0;
        rng = 41;
        for (int i = 0; i < 20; i++) {
            if (i < 10)
                make_noise(-70);
            else
                make_voice((long)i * RECORD);
            for (int at = 0; at < RECORD; at += step) {
                struct record r = {
                    .seq = 1,
                    .time = FIRST_TIME + i * RECORD_US + at * US_PER_SECOND / AUDIO_RATE,
                    .media = {(const char *)(pcm + at), (size_t)step * sizeof(pcm[0])}};
                ck_assert_int_eq(encoder_observe(e, &r, &o), 0);
                ck_assert(i >= 10 || o.traits[AUDIO_SPEECH] == 0);
                spoken += i >= 12 ? (double)o.traits[AUDIO_SPEECH] : 0;
                count += i >= 12;
            }
        }
        printf("records of %d samples: %.0f %% speech\n", step, 100 * spoken / count);
        ck_assert(spoken / count > 0.7);
        e->ops->free(e);
    }
}
END_TEST

START_TEST(save_and_load_go_on_alike)
{
    struct encoder *a = fresh(), *b = fresh();
    struct buf saved = {0}, again = {0};
    struct errmsg err;
    rng = 11;
    for (int i = 0; i < 300; i++) {
        mixed(i);
        feed(a, (uint64_t)i);
    }
    ck_assert_int_eq(a->ops->save(a, false, &saved), 0);
    ck_assert_msg(b->ops->load(b, saved.data, saved.size, &err) == 0, "%s", err.text);
    ck_assert_int_eq(b->ops->save(b, false, &again), 0);
    ck_assert_uint_eq(saved.size, again.size);
    ck_assert_mem_eq(saved.data, again.data, saved.size);
    for (int i = 300; i < 400; i++) {
        mixed(i);
        struct observation x = feed(a, (uint64_t)i), y = feed(b, (uint64_t)i);
        ck_assert(x.bits == y.bits && x.score == y.score &&
                  x.traits[AUDIO_SPEECH] == y.traits[AUDIO_SPEECH]);
        ck_assert_mem_eq(x.latent, y.latent, sizeof(float) * LATENT_DIM);
        ck_assert_str_eq(x.why, y.why);
    }
    buf_deinit(&saved);
    buf_deinit(&again);
    a->ops->free(a);
    b->ops->free(b);
}
END_TEST

START_TEST(damaged_state_is_refused_or_harmless)
{
    struct encoder *a = fresh(), *b = fresh();
    struct buf saved = {0};
    rng = 13;
    for (int i = 0; i < 60; i++) {
        mixed(i);
        feed(a, (uint64_t)i);
    }
    ck_assert_int_eq(a->ops->save(a, false, &saved), 0);
    for (size_t cut = 0; cut < saved.size; cut += 97)
        ck_assert_int_lt(b->ops->load(b, saved.data, cut, NULL), 0);
    for (int turn = 0; turn < 2000; turn++) {
        size_t at = (size_t)(uniform() * (double)saved.size);
        char keep = saved.data[at];
        saved.data[at] = (char)(uniform() * 256);
        if (b->ops->load(b, saved.data, saved.size, NULL) == 0)
            feed(b, 61);
        saved.data[at] = keep;
    }
    buf_deinit(&saved);
    a->ops->free(a);
    b->ops->free(b);
}
END_TEST

START_TEST(odd_records_break_nothing)
{
    static const size_t sizes[] = {0, 1, 2, 3, 319, 800, 801, 31999, 32000, 32001, 64000};
    static char loud[64001];
    struct encoder *e = fresh();
    struct observation o;
    rng = 17;
    for (size_t i = 0; i < sizeof(loud); i++)
        loud[i] = (char)(uniform() * 256);
    for (int turn = 0; turn < 400; turn++) {
        struct record r = {.seq = (uint64_t)turn + 1,
                           .time = turn % 9   ? FIRST_TIME + turn
                                   : turn % 2 ? INT64_MIN
                                              : INT64_MAX,
                           .media = {loud, sizes[turn % 11]}};
        ck_assert_int_eq(encoder_observe(e, &r, &o), 0);
        ck_assert(isfinite(o.bits) && o.bits >= 0 && o.score >= 0 && o.score <= 1);
        for (int d = 0; d < LATENT_DIM; d++)
            ck_assert(isfinite(o.latent[d]));
    }
    e->ops->free(e);
}
END_TEST

START_TEST(nothing_is_allocated_once_warm)
{
    struct encoder *e = fresh();
    uint64_t before = mem_thread_allocations();
    for (int i = 0; i < 200; i++) {
        mixed(i);
        feed(e, (uint64_t)i);
    }
    ck_assert_uint_eq(mem_thread_allocations(), before);
    e->ops->free(e);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("audio_encoder");
    TCase *tests = tcase_create("audio_encoder");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, surprise_is_calibrated_and_noise_no_alert);
    tcase_add_test(tests, a_tone_does_not_speak);
    tcase_add_loop_test(tests, what_is_planted_is_an_alert, 0,
                        (int)(sizeof(planted) / sizeof(*planted)));
    tcase_add_loop_test(tests, the_hours_between_clips_are_a_rest, 0, 2);
    tcase_add_test(tests, usual_knocks_are_events_and_no_alerts);
    tcase_add_test(tests, silence_after_noise_is_told);
    tcase_add_test(tests, frames_do_not_depend_on_the_cut);
    tcase_add_test(tests, bands_find_their_frequency);
    tcase_add_test(tests, a_span_has_one_latent);
    tcase_add_test(tests, spans_hardly_know_how_loud_they_were);
    tcase_add_test(tests, a_gap_drops_what_waited);
    tcase_add_test(tests, speech_is_heard_in_records_of_any_size);
    tcase_add_test(tests, save_and_load_go_on_alike);
    tcase_add_test(tests, damaged_state_is_refused_or_harmless);
    tcase_add_test(tests, odd_records_break_nothing);
    tcase_add_test(tests, nothing_is_allocated_once_warm);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
