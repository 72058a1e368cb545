/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "pipeline/stream.h"

/*
 * A model that can be told what to say: a text "3:20 …" has its token on axis 3 and 20 bits of
 * surprise, without numbers axis 0 and 1 bit. It may run out of memory on demand.
 */
struct planted {
    struct encoder base;
    float latent[LATENT_DIM];
    uint64_t observed;
    int64_t last_time;
    int fail_at;
};

static int planted_observe(struct encoder *e, const struct record *r, struct observation *ret)
{
    struct planted *p = (struct planted *)e;
    int axis = 0, bits = 1;
    if (r->text.size && sscanf(r->text.data, "%d:%d", &axis, &bits) < 1)
        axis = 0;
    p->observed++;
    if (p->fail_at && p->observed >= (uint64_t)p->fail_at)
        return ERR_NOMEM;
    memset(p->latent, 0, sizeof(p->latent));
    p->latent[(unsigned)axis % LATENT_DIM] = 1;
    *ret = (struct observation){.bits = bits,
                                .score = bits >= 15 ? 0.8 : 0.1,
                                .template_id = (uint32_t)axis + 1,
                                .latent = p->latent,
                                .why = bits >= 15 ? "planted" : ""};
    return 0;
}

static int planted_save(const struct encoder *e, bool brief, struct buf *out)
{
    buf_puts(out, "planted");
    return 0;
}

static int planted_load(struct encoder *e, const void *data, size_t size, struct errmsg *err)
{
    bool same = size == 7 && memcmp(data, "planted", 7) == 0;
    return same ? 0 : err_set(err, ERR_CORRUPT, "not planted");
}

static void planted_free(struct encoder *e)
{
    mem_free(e);
}

static const struct encoder_ops planted_ops = {.version = 9,
                                               .observe = planted_observe,
                                               .save = planted_save,
                                               .load = planted_load,
                                               .free = planted_free};

static struct planted *planted_new(void)
{
    struct planted *p = mem_calloc(1, sizeof(*p));
    p->base.ops = &planted_ops;
    return p;
}

/* What came out. */
struct out {
    uint8_t *seen; /* by seq: how often */
    uint64_t highest;
    uint32_t moments, late, future, tallied, facts;
    uint32_t largest, smallest;
    enum moment_end ends[4096];
    uint32_t counts[4096];
    struct moment last;
    char title[160];
    int fail; /* the callback's return */
    uint32_t observed;
};

static int on_moment(void *arg, const struct moment *m)
{
    struct out *o = arg;
    ck_assert_uint_gt(m->record_count, 0);
    ck_assert_uint_le(m->record_count, MOMENT_RECORDS);
    ck_assert_int_eq(m->start, m->records[0].time);
    ck_assert_int_eq(m->end, m->records[m->record_count - 1].time);
    uint32_t flags = 0;
    for (uint32_t i = 0; i < m->record_count; i++) {
        const struct record *r = &m->records[i];
        if (i)
            ck_assert_int_ge(r->time, m->records[i - 1].time);
        ck_assert_uint_le(r->seq, o->highest);
        o->seen[r->seq]++;
        o->late += (r->flags & RECORD_LATE) != 0;
        o->future += (r->flags & RECORD_FUTURE) != 0;
        flags |= r->flags;
        ck_assert_int_eq(r->tag, r->seq * 3);
    }
    ck_assert_uint_eq(flags, m->flags);
    ck_assert(isfinite(m->bits) && isfinite(m->bits_max) && isfinite(m->z));
    float norm = 0;
    for (int d = 0; d < LATENT_DIM; d++)
        norm += m->latent[d] * m->latent[d];
    ck_assert(norm < 1e-6f || fabsf(norm - 1) < 1e-3f);
    ck_assert(m->path == PATH_LATENT || m->path == PATH_DISCRETE);
    ck_assert(utf8_valid(m->title, strlen(m->title), NULL));
    ck_assert(utf8_valid(m->gist.data, m->gist.size, NULL) && m->gist.size <= 1500);
    for (uint32_t i = 0; i < m->unusual_count; i++)
        ck_assert(m->unusual[i].last < m->record_count &&
                  m->unusual[i].first <= m->unusual[i].last);
    uint32_t tallied = 0;
    for (uint32_t i = 0; i < m->tally_count; i++) {
        const struct tally *t = &m->tallies[i];
        tallied += t->count;
        ck_assert(t->count > 0 && t->first_at >= m->start && t->first_at <= t->last_at &&
                  t->last_at <= m->end);
        if (m->kind == KIND_TEXT)
            ck_assert(t->kind.size > 0 && t->kind_model > 0);
        else
            ck_assert(t->least <= t->mean && t->mean <= t->most && t->m2 >= 0);
    }
    ck_assert(m->kind != KIND_TEXT || tallied <= m->record_count);
    ck_assert(m->kind != KIND_SENSOR || m->tally_count > 0);
    for (uint32_t i = 0; i < m->fact_count; i++)
        ck_assert(m->facts[i].record < m->record_count && m->facts[i].subject[0] &&
                  m->facts[i].at == m->records[m->facts[i].record].time);
    o->tallied += tallied;
    o->facts += m->fact_count;
    if (o->moments < 4096) {
        o->ends[o->moments] = m->ended;
        o->counts[o->moments] = m->record_count;
    }
    o->moments++;
    o->largest = m->record_count > o->largest ? m->record_count : o->largest;
    o->last = *m;
    strcpy(o->title, m->title);
    return o->fail;
}

static void on_observed(void *arg, const struct record *r, const struct observation *o)
{
    struct out *out = arg;
    out->observed++;
}

static struct clock now;

static struct pipeline_stream *open_stream(struct out *o, struct pipeline_options options,
                                           uint64_t highest)
{
    struct pipeline_stream *s;
    struct pipeline_callbacks cb = {o, on_moment, on_observed};
    *o = (struct out){.seen = calloc(highest + 1, 1), .highest = highest};
    clock_simulated_init(&now, 1700000000 * US_PER_SECOND);
    options.kind = options.kind ? options.kind : KIND_TEXT;
    options.clock = &now;
    if (!options.encoder)
        options.encoder = &planted_new()->base;
    ck_assert_int_eq(pipeline_stream_new(&options, &cb, &s), 0);
    return s;
}

static void close_stream(struct pipeline_stream *s, struct out *o)
{
    pipeline_stream_free(s);
    free(o->seen);
}

static int push(struct pipeline_stream *s, uint64_t seq, int64_t time, const char *text)
{
    struct record r = {.seq = seq,
                       .time = time,
                       .arrival = 1700000000 * US_PER_SECOND,
                       .text = {text, strlen(text)},
                       .tag = seq * 3};
    return pipeline_stream_push(s, &r, 1, NULL);
}

static void each_once(const struct out *o, uint64_t from, uint64_t to)
{
    for (uint64_t i = from; i <= to; i++)
        ck_assert_msg(o->seen[i] == 1, "record %llu came out %d times", (unsigned long long)i,
                      o->seen[i]);
}

static const int64_t begin = 1600000000 * US_PER_SECOND;

/* Any order of times, any sizes, any switches: each record once, in time order inside its moment.
 */
START_TEST(test_every_record_once)
{
    char text[3000];
    memset(text, 'x', sizeof(text));
    srand(11);
    for (int round = 0; round < 60; round++) {
        struct out o;
        struct pipeline_options options = {
            .lateness_us = (rand() % 3) * US_PER_SECOND,
            .segment = {.no_surprise = rand() % 4 == 0,
                        .no_shift = rand() % 4 == 0,
                        .no_refine = rand() % 3 == 0,
                        .no_gap = rand() % 4 == 0,
                        .min_records = (uint32_t)(rand() % 12),
                        .max_records = (uint32_t)(rand() % 3 ? 0 : 1 + rand() % 40)}};
        uint64_t n = 1 + (uint64_t)rand() % 3000;
        struct pipeline_stream *s = open_stream(&o, options, n);
        int64_t at = begin;
        int spread = 1 + rand() % 5;
        for (uint64_t seq = 1; seq <= n; seq++) {
            char *t = text + rand() % (int)sizeof(text);
            snprintf(t, (size_t)(text + sizeof(text) - t), "%d:%d ", rand() % 3,
                     rand() % 40 ? 1 : rand() % 30);
            at += rand() % 3 * US_PER_SECOND;
            int64_t time = at - (int64_t)(rand() % (1 << spread * 4)) * 1000;
            if (rand() % 300 == 0)
                time = begin + (int64_t)(rand() % 1000000) * US_PER_SECOND * 1000;
            text[sizeof(text) - 1] = '\0';
            ck_assert_int_eq(push(s, seq, time < 0 ? 0 : time, t), 0);
            if (rand() % 100 == 0) {
                clock_advance(&now, (rand() % 60) * US_PER_SECOND);
                ck_assert_int_eq(pipeline_stream_tick(s), 0);
            }
            if (rand() % 800 == 0)
                ck_assert_int_eq(pipeline_stream_flush(s), 0);
        }
        ck_assert_int_eq(pipeline_stream_flush(s), 0);
        each_once(&o, 1, n);
        ck_assert_uint_eq(o.observed, n);
        struct pipeline_stats stats;
        pipeline_stream_stats(s, &stats);
        ck_assert_uint_eq(stats.records, n);
        ck_assert_uint_eq(stats.moments, o.moments);
        ck_assert_uint_eq(stats.latent + stats.discrete, o.moments);
        ck_assert_uint_eq(stats.waiting + stats.open, 0);
        close_stream(s, &o);
    }
}
END_TEST

START_TEST(test_sorted_inside_the_bound)
{
    struct out o;
    struct pipeline_stream *s = open_stream(&o, (struct pipeline_options){0}, 100);
    for (uint64_t i = 1; i <= 100; i++) {
        /* Pairs change places, by a second. */
        int64_t place = (int64_t)(i % 2 ? i + 1 : i - 1);
        ck_assert_int_eq(push(s, i, begin + place * US_PER_SECOND, "0"), 0);
    }
    ck_assert_int_eq(pipeline_stream_flush(s), 0);
    ck_assert_uint_eq(o.moments, 1);
    ck_assert_uint_eq(o.late, 0);
    each_once(&o, 1, 100);
    close_stream(s, &o);
}
END_TEST

/* A straggler is marked and cuts nothing; a second log behind the first one keeps its moments. */
START_TEST(test_late_records_have_their_lane)
{
    struct out o;
    struct pipeline_stream *s = open_stream(&o, (struct pipeline_options){0}, 400);
    uint64_t seq = 1;
    for (int i = 0; i < 100; i++) {
        ck_assert_int_eq(push(s, seq++, begin + i * US_PER_SECOND, "0"), 0);
        if (i % 2)
            push(s, seq++, begin + (i - 60) * US_PER_SECOND, "0");
    }
    pipeline_stream_flush(s);
    ck_assert_uint_eq(o.moments, 2);
    ck_assert_uint_eq(o.late, 50);
    for (int i = 0; i < 100; i++)
        push(s, seq++, begin - US_PER_DAY + i * US_PER_SECOND, "0");
    pipeline_stream_flush(s);
    ck_assert_uint_eq(o.moments, 3);
    ck_assert_uint_eq(o.counts[2], 100);
    each_once(&o, 1, seq - 1);
    struct pipeline_stats stats;
    pipeline_stream_stats(s, &stats);
    ck_assert_uint_eq(stats.late, 150);
    close_stream(s, &o);
}
END_TEST

/* One record from the year 2199 does not make all others late. */
START_TEST(test_future_records_do_not_lead)
{
    struct out o;
    struct pipeline_stream *s = open_stream(&o, (struct pipeline_options){0}, 100);
    push(s, 1, TIME_MAX - 1, "0");
    for (uint64_t i = 2; i <= 100; i++)
        push(s, i, begin + (int64_t)i * US_PER_SECOND, "0");
    pipeline_stream_flush(s);
    ck_assert_uint_eq(o.late, 0);
    ck_assert_uint_eq(o.future, 1);
    ck_assert_uint_eq(o.moments, 2);
    each_once(&o, 1, 100);
    close_stream(s, &o);
}
END_TEST

START_TEST(test_surprise_ends_a_moment)
{
    struct out o;
    struct pipeline_stream *s = open_stream(&o, (struct pipeline_options){0}, 200);
    for (uint64_t i = 1; i <= 120; i++)
        push(s, i, begin + (int64_t)i * US_PER_SECOND,
             i == 61 ? "2:20 out of memory" : (i > 61 ? "2:1" : "1:1"));
    pipeline_stream_flush(s);
    ck_assert_uint_eq(o.moments, 2);
    ck_assert_int_eq(o.ends[0], END_SURPRISE);
    ck_assert_uint_eq(o.counts[0], 60);
    ck_assert_int_eq(o.ends[1], END_FLUSH);
    close_stream(s, &o);
}
END_TEST

/* The surprise comes four records after the topic changed: the cut moves to where that was. */
START_TEST(test_refinement_moves_the_cut_back)
{
    for (int off = 0; off < 2; off++) {
        struct out o;
        struct pipeline_options options = {.segment = {.no_refine = off, .no_shift = true}};
        struct pipeline_stream *s = open_stream(&o, options, 200);
        for (uint64_t i = 1; i <= 120; i++)
            push(s, i, begin + (int64_t)i * US_PER_SECOND,
                 i == 65 ? "2:20" : (i > 60 ? "2:1" : "1:1"));
        pipeline_stream_flush(s);
        ck_assert_uint_eq(o.moments, 2);
        ck_assert_uint_eq(o.counts[0], off ? 64 : 60);
        close_stream(s, &o);
    }
}
END_TEST

START_TEST(test_shift_ends_a_moment)
{
    for (int off = 0; off < 2; off++) {
        struct out o;
        struct pipeline_options options = {.segment = {.no_shift = off}};
        struct pipeline_stream *s = open_stream(&o, options, 300);
        for (uint64_t i = 1; i <= 240; i++) {
            char text[16];
            snprintf(text, sizeof(text), "%d:1", (int)(i % 3 + (i > 150 ? 10 : 0)));
            push(s, i, begin + (int64_t)i * US_PER_SECOND, text);
        }
        pipeline_stream_flush(s);
        ck_assert_uint_eq(o.moments, off ? 1 : 2);
        if (!off) {
            ck_assert_int_eq(o.ends[0], END_SHIFT);
            ck_assert_uint_eq(o.counts[0], 150);
        }
        close_stream(s, &o);
    }
}
END_TEST

/* Sessions of a chat, hours apart. */
START_TEST(test_gap_ends_a_moment)
{
    for (int off = 0; off < 2; off++) {
        struct out o;
        struct pipeline_options options = {.segment = {.no_gap = off}};
        struct pipeline_stream *s = open_stream(&o, options, 100);
        for (uint64_t i = 0; i < 100; i++)
            push(s, i + 1, begin + (int64_t)(i / 20) * US_PER_DAY + (int64_t)(i % 20) * 20000000,
                 "0");
        pipeline_stream_flush(s);
        ck_assert_uint_eq(o.moments, off ? 1 : 5);
        for (int i = 0; !off && i < 4; i++)
            ck_assert(o.ends[i] == END_GAP && o.counts[i] == 20);
        close_stream(s, &o);
    }
}
END_TEST

START_TEST(test_length_ends_a_moment)
{
    struct out o;
    struct pipeline_stream *s = open_stream(&o, (struct pipeline_options){0}, 1000);
    for (uint64_t i = 1; i <= 1000; i++)
        push(s, i, begin + (int64_t)i * US_PER_SECOND, "0");
    ck_assert_uint_ge(o.moments, 2);
    pipeline_stream_flush(s);
    ck_assert_uint_eq(o.moments, 4);
    ck_assert_int_eq(o.ends[0], END_LENGTH);
    ck_assert_uint_eq(o.counts[0], MOMENT_RECORDS);
    /* Bytes end one too: a moment must fit into its evidence. */
    char *large = malloc(RECORD_SIZE_MAX + 1);
    memset(large, 'x', RECORD_SIZE_MAX);
    large[RECORD_SIZE_MAX] = '\0';
    close_stream(s, &o);
    s = open_stream(&o, (struct pipeline_options){0}, 20);
    for (uint64_t i = 1; i <= 20; i++)
        ck_assert_int_eq(push(s, i, begin + (int64_t)i * US_PER_SECOND, large), 0);
    ck_assert_uint_ge(o.moments, 1);
    pipeline_stream_flush(s);
    ck_assert_uint_le(o.largest, 5);
    each_once(&o, 1, 20);
    struct pipeline_stats stats;
    pipeline_stream_stats(s, &stats);
    ck_assert_uint_lt(stats.bytes, 8u << 20);
    free(large);
    close_stream(s, &o);
}
END_TEST

START_TEST(test_tick_lets_go_and_closes)
{
    struct out o;
    struct pipeline_stats stats;
    struct pipeline_stream *s = open_stream(&o, (struct pipeline_options){0}, 100);
    for (uint64_t i = 1; i <= 10; i++)
        push(s, i, begin + (int64_t)i * 1000, "0");
    ck_assert_uint_eq(o.observed, 0);
    clock_advance(&now, 4 * US_PER_SECOND);
    pipeline_stream_tick(s);
    pipeline_stream_stats(s, &stats);
    ck_assert_uint_eq(stats.waiting, 10);
    clock_advance(&now, 1 * US_PER_SECOND);
    pipeline_stream_tick(s);
    pipeline_stream_stats(s, &stats);
    ck_assert_uint_eq(stats.waiting, 0);
    ck_assert_uint_eq(stats.open, 10);
    ck_assert_uint_eq(o.moments, 0);
    clock_advance(&now, 31 * US_PER_SECOND);
    pipeline_stream_tick(s);
    ck_assert_uint_eq(o.moments, 1);
    ck_assert_int_eq(o.ends[0], END_GAP);
    /* A moment that never falls silent is closed all the same. */
    for (uint64_t i = 11; i <= 90; i++) {
        clock_advance(&now, 10 * US_PER_SECOND);
        push(s, i, begin + (int64_t)i * 10 * US_PER_SECOND, "0");
        pipeline_stream_tick(s);
    }
    ck_assert_uint_ge(o.moments, 3);
    ck_assert_int_eq(o.ends[1], END_LENGTH);
    pipeline_stream_flush(s);
    each_once(&o, 1, 90);
    close_stream(s, &o);
}
END_TEST

START_TEST(test_unusual_spans)
{
    struct out o;
    struct pipeline_options options = {.segment = {.no_surprise = true, .no_shift = true}};
    struct pipeline_stream *s = open_stream(&o, options, 100);
    for (uint64_t i = 1; i <= 100; i++) {
        bool odd = (i >= 40 && i <= 44) || i == 80;
        push(s, i, begin + (int64_t)i * US_PER_SECOND,
             odd ? (i == 42 ? "5:25 the peak" : "5:20 odd") : "1:1 usual");
    }
    pipeline_stream_flush(s);
    ck_assert_uint_eq(o.moments, 1);
    ck_assert_uint_eq(o.last.unusual_count, 2);
    const struct unusual *u = o.last.unusual;
    ck_assert(u[0].first == 39 && u[0].last == 43 && u[1].first == 79 && u[1].last == 79);
    ck_assert_int_eq(u[0].start, begin + 40 * US_PER_SECOND);
    ck_assert_int_eq(u[0].end, begin + 44 * US_PER_SECOND);
    ck_assert_float_eq(u[0].bits, 25);
    ck_assert_str_eq(u[0].why, "planted: 5:25 the peak");
    ck_assert_ptr_nonnull(strstr(o.title, "the peak"));
    ck_assert_ptr_nonnull(strstr(o.title, "\xc3\x97"
                                          "94"));
    close_stream(s, &o);
}
END_TEST

START_TEST(test_failures_lose_nothing)
{
    struct out o;
    struct planted *p = planted_new();
    struct pipeline_options options = {.encoder = &p->base, .segment = {.max_records = 10}};
    struct pipeline_stream *s = open_stream(&o, options, 200);
    p->fail_at = 50;
    o.fail = ERR_BUSY;
    int failures = 0;
    for (uint64_t i = 1; i <= 200; i++) {
        int rc = push(s, i, begin + (int64_t)i * US_PER_SECOND, "0");
        ck_assert(rc == 0 || rc == ERR_BUSY);
        failures += rc != 0;
    }
    ck_assert_int_eq(pipeline_stream_flush(s), ERR_BUSY);
    ck_assert_int_gt(failures, 3);
    each_once(&o, 1, 200);
    o.fail = 0;
    ck_assert_int_eq(pipeline_stream_flush(s), 0);
    close_stream(s, &o);
}
END_TEST

START_TEST(test_snapshot)
{
    struct out o, o2;
    struct buf saved = {0};
    struct errmsg err;
    struct pipeline_stream *s = open_stream(&o, (struct pipeline_options){0}, 2000);
    for (uint64_t i = 1; i <= 1000; i++)
        push(s, i, begin + (int64_t)i * US_PER_SECOND, i % 200 ? "1:1" : "2:20");
    pipeline_stream_flush(s);
    ck_assert_int_eq(pipeline_stream_save(s, false, &saved), 0);
    struct pipeline_stream *t = open_stream(&o2, (struct pipeline_options){0}, 2000);
    for (size_t cut = 0; cut < saved.size; cut++)
        ck_assert_int_ne(pipeline_stream_restore(t, saved.data, cut, &err), 0);
    ck_assert_int_eq(pipeline_stream_restore(t, saved.data, saved.size, &err), 0);
    for (uint64_t i = 1001; i <= 1200; i++) {
        const char *text = i == 1100 ? "2:20" : "1:1";
        push(s, i, begin + (int64_t)i * US_PER_SECOND, text);
        push(t, i, begin + (int64_t)i * US_PER_SECOND, text);
    }
    uint32_t before = o.moments;
    pipeline_stream_flush(s);
    pipeline_stream_flush(t);
    (void)before;
    ck_assert_int_eq(o.last.path, o2.last.path);
    ck_assert_uint_eq(o.last.code, o2.last.code);
    ck_assert_uint_eq(o.last.record_count, o2.last.record_count);
    /* Damaged anywhere: refused or taken, never a crash. */
    for (size_t i = 0; i < saved.size; i++) {
        struct out o3;
        struct pipeline_stream *u = open_stream(&o3, (struct pipeline_options){0}, 10);
        saved.data[i] = (char)(saved.data[i] ^ 0x55);
        pipeline_stream_restore(u, saved.data, saved.size, &err);
        saved.data[i] = (char)(saved.data[i] ^ 0x55);
        push(u, 1, begin, "1:1");
        ck_assert_int_eq(pipeline_stream_flush(u), 0);
        close_stream(u, &o3);
        i += saved.size / 200;
    }
    buf_deinit(&saved);
    close_stream(s, &o);
    close_stream(t, &o2);
}
END_TEST

static void warm(struct pipeline_stream *s, uint64_t from, uint64_t count)
{
    char text[64];
    for (uint64_t i = from; i < from + count; i++) {
        snprintf(text, sizeof(text), "%d:%d a line of text number %d", (int)(i % 5),
                 i % 97 ? 1 : 20, (int)(i % 50));
        ck_assert_int_eq(push(s, i, begin + (int64_t)i * US_PER_SECOND / 4, text), 0);
    }
}

START_TEST(test_warm_path_allocates_nothing)
{
    struct out o;
    struct pipeline_stream *s = open_stream(&o, (struct pipeline_options){0}, 30000);
    warm(s, 1, 5000);
    uint64_t before = mem_thread_allocations();
    warm(s, 5001, 20000);
    ck_assert_uint_eq(mem_thread_allocations(), before);
    ck_assert_uint_gt(o.moments, 50);
    close_stream(s, &o);
}
END_TEST

/* The real encoders behind the same pipeline. */
START_TEST(test_sensor_words)
{
    struct out o;
    struct pipeline_stream *s;
    struct encoder *encoder;
    ck_assert_int_eq(encoder_new(KIND_SENSOR, &encoder), 0);
    s = open_stream(&o, (struct pipeline_options){.kind = KIND_SENSOR, .encoder = encoder}, 3000);
    ck_assert_int_eq(pipeline_stream_channel(s, 0, "cpu"), 0);
    ck_assert_int_eq(pipeline_stream_channel(s, 1, "mem"), 0);
    srand(3);
    for (uint64_t i = 1; i <= 2000; i++) {
        struct sample samples[] = {{0, 10 + rand() % 10 + (i == 1900 ? 80 : 0)}, {1, 40}};
        struct record r = {.seq = i,
                           .time = begin + (int64_t)i * US_PER_SECOND,
                           .arrival = 1700000000 * US_PER_SECOND,
                           .samples = samples,
                           .sample_count = i % 2 ? 2 : 1,
                           .tag = i * 3};
        ck_assert_int_eq(pipeline_stream_push(s, &r, 1, NULL), 0);
        if (i == 1895)
            pipeline_stream_flush(s);
    }
    pipeline_stream_flush(s);
    each_once(&o, 1, 2000);
    ck_assert_uint_ge(o.last.entity_count, 1);
    ck_assert_str_eq(o.last.entities[0].kind, "channel");
    ck_assert_uint_eq(o.tallied, 3000); /* every value of both channels */
    ck_assert_ptr_nonnull(strstr(o.title, "cpu"));
    close_stream(s, &o);
}
END_TEST

/* Every line is counted with its kind, and what one states is found among many. */
START_TEST(test_text_counts)
{
    struct out o;
    struct pipeline_stream *s;
    struct encoder *encoder;
    char line[120];
    ck_assert_int_eq(encoder_new(KIND_TEXT, &encoder), 0);
    s = open_stream(&o, (struct pipeline_options){.kind = KIND_TEXT, .encoder = encoder}, 700);
    for (uint64_t i = 1; i <= 600; i++) {
        if (i == 400)
            snprintf(line, sizeof(line), "thermostat hall: setpoint changed from 19.0 to 20.5 degrees");
        else if (i % 3)
            snprintf(line, sizeof(line), "request %d took %d ms", (int)i, (int)(i * 7 % 90));
        else
            snprintf(line, sizeof(line), "sshd[%d]: session opened for user root", (int)i);
        struct record r = {.seq = i,
                           .time = begin + (int64_t)i * US_PER_SECOND,
                           .arrival = 1700000000 * US_PER_SECOND,
                           .text = {line, strlen(line)},
                           .tag = i * 3};
        ck_assert_int_eq(pipeline_stream_push(s, &r, 1, NULL), 0);
    }
    pipeline_stream_flush(s);
    each_once(&o, 1, 600);
    ck_assert_uint_eq(o.tallied, 600);
    ck_assert_uint_eq(o.facts, 1);
    close_stream(s, &o);
}
END_TEST

/* A blank line is a kind of line too, and a title has words for it. */
START_TEST(test_blank_lines)
{
    struct out o;
    struct encoder *encoder;
    char line[40];
    ck_assert_int_eq(encoder_new(KIND_TEXT, &encoder), 0);
    struct pipeline_stream *s =
        open_stream(&o, (struct pipeline_options){.kind = KIND_TEXT, .encoder = encoder}, 50);
    for (uint64_t i = 1; i <= 40; i++) {
        snprintf(line, sizeof(line), "End-Date: 2020-09-13 12:00:%02d", (int)i);
        push(s, i, begin + (int64_t)i * US_PER_SECOND, i % 2 ? "" : line);
    }
    pipeline_stream_flush(s);
    ck_assert_msg(strstr(o.title, "blank line \xc3\x97"
                                  "20") != NULL,
                  "%s", o.title);
    close_stream(s, &o);
}
END_TEST

int main(void)
{
    setenv("TZ", "UTC", 1);
    tzset();
    Suite *s = suite_create("stream");
    TCase *t = tcase_create("stream");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, test_every_record_once);
    tcase_add_test(t, test_sorted_inside_the_bound);
    tcase_add_test(t, test_late_records_have_their_lane);
    tcase_add_test(t, test_future_records_do_not_lead);
    tcase_add_test(t, test_surprise_ends_a_moment);
    tcase_add_test(t, test_refinement_moves_the_cut_back);
    tcase_add_test(t, test_shift_ends_a_moment);
    tcase_add_test(t, test_gap_ends_a_moment);
    tcase_add_test(t, test_length_ends_a_moment);
    tcase_add_test(t, test_tick_lets_go_and_closes);
    tcase_add_test(t, test_unusual_spans);
    tcase_add_test(t, test_failures_lose_nothing);
    tcase_add_test(t, test_snapshot);
    tcase_add_test(t, test_warm_path_allocates_nothing);
    tcase_add_test(t, test_sensor_words);
    tcase_add_test(t, test_text_counts);
    tcase_add_test(t, test_blank_lines);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
