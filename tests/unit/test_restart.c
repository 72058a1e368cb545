/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stream that was flushed, saved and restored goes on exactly as one that was flushed and went
 * on: every observation, boundary, title, gist, latent and route, bit for bit, over days.
 */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "pipeline/stream.h"

#define START 1795132800000000LL /* 2026-11-20T00:00:00Z */
#define DAYS 3
#define TEXTS_A_DAY 3000
#define SAMPLES_A_DAY 2880

static struct clock now;

/* What came out, as bytes. */
struct heard {
    struct buf bytes;
    uint32_t moments, observations;
};

static uint64_t state;

static uint32_t dice(uint32_t n)
{
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    return (uint32_t)(state >> 33) % n;
}

static double noise(void)
{
    return ((double)dice(2000) + (double)dice(2000) + (double)dice(2000)) / 1000 - 3;
}

/* Every bit of it, readable. */
static void hear_latent(struct buf *b, const float *latent)
{
    uint64_t h = 0xcbf29ce484222325ULL;
    for (int d = 0; d < LATENT_DIM; d++) {
        uint32_t bits;
        memcpy(&bits, &latent[d], sizeof(bits));
        h = (h ^ bits) * 0x100000001b3ULL;
    }
    buf_printf(b, "latent %016llx\n", (unsigned long long)h);
}

static void hear_moment_words(struct buf *b, const struct moment *m)
{
    buf_append(b, m->title, strlen(m->title));
    buf_append(b, m->gist.data, m->gist.size);
    for (uint32_t i = 0; i < m->unusual_count; i++) {
        const struct unusual *u = &m->unusual[i];
        buf_printf(b, "%lld %lld %u %u %a %a %a %s\n", (long long)u->start, (long long)u->end,
                   u->first, u->last, (double)u->bits, (double)u->z, (double)u->score, u->why);
    }
    for (uint32_t i = 0; i < m->entity_count; i++)
        buf_printf(b, "%s %s %u\n", m->entities[i].kind, m->entities[i].name,
                   m->entities[i].count);
}

static int on_moment(void *arg, const struct moment *m)
{
    struct heard *h = arg;
    h->moments++;
    buf_printf(&h->bytes, "%lld %lld %u %u %d %u %a %a %a %d %u %a %a\n", (long long)m->start,
               (long long)m->end, m->record_count, m->flags, (int)m->ended, m->model,
               (double)m->bits, (double)m->bits_max, (double)m->z, (int)m->path, m->code,
               (double)m->confidence, (double)m->tau);
    hear_latent(&h->bytes, m->latent);
    hear_moment_words(&h->bytes, m);
    return 0;
}

static void on_observed(void *arg, const struct record *r, const struct observation *o)
{
    struct heard *h = arg;
    h->observations++;
    buf_printf(&h->bytes, "%llu %a %a %u %u %s\n", (unsigned long long)r->seq, o->bits, o->score,
               o->template_id, o->shift, o->why ? o->why : "");
    if (o->latent)
        hear_latent(&h->bytes, o->latent);
}

static struct pipeline_stream *stream_new(enum stream_kind kind, struct heard *h)
{
    struct pipeline_stream *s;
    struct pipeline_options o = {.kind = kind, .clock = &now};
    struct pipeline_callbacks callbacks = {
        .arg = h, .moment = on_moment, .observed = on_observed};
    ck_assert_int_eq(pipeline_stream_new(&o, &callbacks, &s), 0);
    if (kind == KIND_SENSOR) {
        ck_assert_int_eq(pipeline_stream_channel(s, 0, "boiler"), 0);
        ck_assert_int_eq(pipeline_stream_channel(s, 1, "hall"), 0);
    }
    return s;
}

static void push_text(struct pipeline_stream *s, uint32_t i)
{
    static const char *const users[] = {"anna", "ben", "carla", "root"};
    char line[160];
    int64_t time = START + (int64_t)i * (US_PER_DAY / TEXTS_A_DAY);
    bool night = i % TEXTS_A_DAY < TEXTS_A_DAY / 4;
    switch (dice(night ? 3 : 6)) {
    case 0:
        snprintf(line, sizeof(line), "web-01 sshd[%u]: Accepted key for %s from 10.0.0.%u port %u",
                 1000 + dice(9000), users[dice(4)], dice(20), 1024 + dice(60000));
        break;
    case 1:
        snprintf(line, sizeof(line), "web-01 cron[%u]: job cleanup took %u ms", 100 + dice(900),
                 dice(dice(40) ? 300 : 30000));
        break;
    default:
        snprintf(line, sizeof(line), "db-02 postgres[7]: checkpoint complete: wrote %u buffers",
                 dice(500));
        break;
    }
    if (dice(700) == 0)
        snprintf(line, sizeof(line), "db-02 kernel: disk sda: %u unreadable sectors", dice(9));
    struct record r = {.seq = i + 1, .time = time, .arrival = time, .text = {line, strlen(line)}};
    if (dice(300) == 0) /* a straggler, for the lane of late ones */
        r.time -= 40 * US_PER_SECOND;
    ck_assert_int_eq(pipeline_stream_push(s, &r, 1, NULL), 0);
}

static void push_sample(struct pipeline_stream *s, uint32_t i)
{
    double hour = (double)(i % SAMPLES_A_DAY) * 24 / SAMPLES_A_DAY;
    bool fault = i > SAMPLES_A_DAY && i % SAMPLES_A_DAY > 2000 && i % SAMPLES_A_DAY < 2060;
    struct sample samples[] = {
        {0, 60 + 5 * sin(hour * 0.2618) + 0.3 * noise() + (fault ? 15 : 0)},
        {1, 20 + 2 * sin(hour * 0.2618 + 1) + 0.1 * noise()},
    };
    int64_t time = START + (int64_t)i * (US_PER_DAY / SAMPLES_A_DAY);
    struct record r = {.seq = i + 1,
                       .time = time,
                       .arrival = time,
                       .samples = samples,
                       .sample_count = dice(50) ? 2 : 1};
    ck_assert_int_eq(pipeline_stream_push(s, &r, 1, NULL), 0);
}

static struct pipeline_stream *restarted(struct pipeline_stream *s, enum stream_kind kind,
                                         struct heard *h)
{
    struct errmsg err;
    struct buf saved = {0}, again = {0};
    ck_assert_int_eq(pipeline_stream_save(s, false, &saved), 0);
    pipeline_stream_free(s);
    s = stream_new(kind, h);
    ck_assert_msg(pipeline_stream_restore(s, saved.data, saved.size, &err) == 0, "%s", err.text);
    ck_assert_int_eq(pipeline_stream_save(s, false, &again), 0);
    ck_assert_uint_eq(saved.size, again.size);
    ck_assert_int_eq(memcmp(saved.data, again.data, saved.size), 0);
    buf_deinit(&saved);
    buf_deinit(&again);
    return s;
}

/* The whole replay, flushed at each of `stops`; with `restart` it also begins anew there. */
static void replay(enum stream_kind kind, const uint32_t *stops, uint32_t stop_count, bool restart,
                   struct heard *h)
{
    struct pipeline_stream *s = stream_new(kind, h);
    uint32_t a_day = kind == KIND_TEXT ? TEXTS_A_DAY : SAMPLES_A_DAY, stop = 0;
    state = 7;
    clock_simulated_init(&now, START);
    for (uint32_t i = 0; i < DAYS * a_day; i++) {
        clock_advance(&now, US_PER_DAY / a_day);
        if (kind == KIND_TEXT)
            push_text(s, i);
        else
            push_sample(s, i);
        if (i % 10 == 0)
            ck_assert_int_eq(pipeline_stream_tick(s), 0);
        if (stop < stop_count && i == stops[stop]) {
            stop++;
            ck_assert_int_eq(pipeline_stream_flush(s), 0);
            s = restart ? restarted(s, kind, h) : s;
        }
    }
    ck_assert_int_eq(pipeline_stream_flush(s), 0);
    pipeline_stream_free(s);
}

static const enum stream_kind kinds[] = {KIND_TEXT, KIND_SENSOR};

START_TEST(test_goes_on_alike)
{
    static const uint32_t stops[] = {0, 5, 100, 1111, 2600, 3999, 4000, 6543, 8000};
    struct heard went_on = {{0}, 0, 0}, began_anew = {{0}, 0, 0};
    replay(kinds[_i], stops, 9, false, &went_on);
    replay(kinds[_i], stops, 9, true, &began_anew);
    ck_assert_uint_gt(went_on.moments, 30);
    ck_assert_uint_eq(went_on.observations, began_anew.observations);
    size_t n = went_on.bytes.size < began_anew.bytes.size ? went_on.bytes.size
                                                          : began_anew.bytes.size;
    size_t at = 0;
    while (at < n && went_on.bytes.data[at] == began_anew.bytes.data[at])
        at++;
    size_t from = at > 200 ? at - 200 : 0;
    ck_assert_msg(at == n && went_on.bytes.size == began_anew.bytes.size,
                  "they part at byte %zu of %zu:\n%.300s\n--- or\n%.300s", at, n,
                  went_on.bytes.data + from, began_anew.bytes.data + from);
    buf_deinit(&went_on.bytes);
    buf_deinit(&began_anew.bytes);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("restart");
    TCase *t = tcase_create("restart");
    tcase_set_timeout(t, 100);
    tcase_add_loop_test(t, test_goes_on_alike, 0, 2);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
