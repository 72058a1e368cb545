/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the pipeline costs, and what each ingredient of a boundary is worth.
 *
 *   bench_pipeline text FILE          reads, redacts, sorts, observes, cuts, sums up, routes a log
 *   bench_pipeline sensor FILE        the same of a CSV, without redaction
 *   bench_pipeline boundaries         planted topic changes in synthetic streams: F1 at ±3 records
 * for each ingredient off, and for fixed cuts of the same number
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "bench/bench.h"
#include "pipeline/reader.h"
#include "pipeline/redact.h"
#include "pipeline/stream.h"

struct run {
    struct pipeline_stream *stream;
    struct redactor *redactor;
    struct buf redacted;
    uint64_t records, moments, bytes;
    bool show;
};

static int on_moment(void *arg, const struct moment *m)
{
    struct run *r = arg;
    r->moments++;
    if (r->show)
        printf("%5u %d %d %s\n---\n%.*s\n\n", m->record_count, m->ended, m->path, m->title,
               (int)m->gist.size, m->gist.data);
    return 0;
}

static int on_record(void *arg, const struct record *given, uint64_t line)
{
    struct run *r = arg;
    struct record rec = *given;
    rec.seq = ++r->records;
    r->bytes += record_payload_size(given);
    if (r->redactor &&
        redactor_apply(r->redactor, rec.text.data, rec.text.size, &r->redacted) == REDACTED)
        rec.text = (struct slice){r->redacted.data, r->redacted.size};
    return pipeline_stream_push(r->stream, &rec, 1, NULL);
}

static int on_channel(void *arg, uint16_t index, const char *name)
{
    struct run *r = arg;
    return pipeline_stream_channel(r->stream, index, name);
}

static int bench_file(enum stream_kind kind, const char *path, bool show)
{
    static char chunk[1 << 16];
    struct run run = {.show = show};
    struct errmsg err = {""};
    struct record_reader *reader;
    struct record_reader_options ro = {.kind = kind, .clock = clock_system()};
    struct record_reader_callbacks rc = {&run, on_record, on_channel, NULL};
    struct pipeline_options po = {.kind = kind, .clock = clock_system()};
    struct pipeline_callbacks pc = {&run, on_moment, NULL};
    FILE *f = fopen(path, "r");
    if (!f || pipeline_stream_new(&po, &pc, &run.stream) ||
        record_reader_new(&ro, &rc, &reader, &err) ||
        (kind == KIND_TEXT && redactor_new(true, &run.redactor)))
        return 1;
    double began = cpu_seconds();
    uint64_t allocated = 0;
    size_t n;
    int failed = 0;
    while (!failed && (n = fread(chunk, 1, sizeof(chunk), f)) > 0) {
        failed = record_reader_feed(reader, chunk, n, &err);
        if (!allocated && run.records > 20000)
            allocated = mem_thread_allocations();
    }
    uint64_t allocations = allocated ? mem_thread_allocations() - allocated : 0;
    failed |= record_reader_end(reader, &err) | pipeline_stream_flush(run.stream);
    double us = 1e6 * (cpu_seconds() - began);
    struct pipeline_stats stats;
    pipeline_stream_stats(run.stream, &stats);
    printf("%llu records, %llu moments (%.0f %% latent), %.2f us a record, %.0f records/s, "
           "%.1f MB/s, %llu KiB held, %llu allocations after the first 20000\n",
           (unsigned long long)run.records, (unsigned long long)run.moments,
           100.0 * (double)stats.latent / (double)(stats.moments ? stats.moments : 1),
           us / (double)run.records, (double)run.records / us * 1e6, (double)run.bytes / us,
           (unsigned long long)stats.bytes / 1024, (unsigned long long)allocations);
    fclose(f);
    record_reader_free(reader);
    pipeline_stream_free(run.stream);
    redactor_free(run.redactor);
    buf_deinit(&run.redacted);
    return failed != 0;
}

/* ---- planted boundaries ---- */

#define RECORDS 4000
#define TOPICS 40
#define WORDS_A_TOPIC 12
#define NEAR 3
#define SEEDS 3

struct plant {
    uint32_t true_cuts[RECORDS], true_count;
    uint32_t cuts[RECORDS], cut_count;
    uint64_t delivered;
};

static int on_cut(void *arg, const struct moment *m)
{
    struct plant *p = arg;
    p->delivered += m->record_count;
    if (m->ended != END_LENGTH && m->ended != END_FLUSH)
        p->cuts[p->cut_count++] = (uint32_t)p->delivered;
    return 0;
}

static double f1(const uint32_t *truth, uint32_t t, const uint32_t *cuts, uint32_t n)
{
    uint32_t hit = 0;
    for (uint32_t i = 0, k = 0; i < t; i++) {
        while (k < n && cuts[k] + NEAR < truth[i])
            k++;
        if (k < n && cuts[k] <= truth[i] + NEAR) {
            hit++;
            k++;
        }
    }
    return t + n ? 2.0 * hit / (t + n) : 0;
}

/* Lines of a topic's words, with now and then an odd one that belongs to no change. */
static void plant(struct plant *p, struct pipeline_stream *s, unsigned seed)
{
    int64_t time = 1600000000 * US_PER_SECOND;
    uint32_t left = 0;
    int topic = 0;
    srand(seed);
    for (uint32_t i = 0; i < RECORDS; i++) {
        char text[160];
        if (left-- == 0) {
            left = 20 + (uint32_t)rand() % 120;
            topic = (topic + 1 + rand() % (TOPICS - 1)) % TOPICS;
            if (i)
                p->true_cuts[p->true_count++] = i;
        }
        int w = topic * WORDS_A_TOPIC;
        int n = snprintf(text, sizeof(text), "unit%d", rand() % 3);
        for (int k = 0; k < 6; k++)
            n += snprintf(text + n, sizeof(text) - (size_t)n, " word%c%c",
                          'a' + (w + rand() % WORDS_A_TOPIC) / 26 % 26,
                          'a' + (w + rand() % WORDS_A_TOPIC) % 26);
        if (rand() % 100 == 0)
            snprintf(text + n, sizeof(text) - (size_t)n, " odd%d", rand());
        time += US_PER_SECOND;
        struct record r = {
            .seq = i + 1, .time = time, .arrival = time, .text = {text, strlen(text)}};
        pipeline_stream_push(s, &r, 1, NULL);
    }
    pipeline_stream_flush(s);
}

static void bench_boundaries(void)
{
    static const struct {
        const char *name;
        struct segment_options options;
    } arms[] = {{"all", {0}},
                {"without surprise", {.no_surprise = true}},
                {"without shift", {.no_shift = true}},
                {"without refinement", {.no_refine = true}},
                {"gaps alone", {.no_surprise = true, .no_shift = true}}};
    for (size_t a = 0; a < sizeof(arms) / sizeof(arms[0]); a++) {
        double sum = 0, fixed_sum = 0;
        uint32_t cuts = 0, truth = 0;
        for (unsigned seed = 1; seed <= SEEDS; seed++) {
            static struct plant p, fixed;
            p = fixed = (struct plant){0};
            struct pipeline_options o = {
                .kind = KIND_TEXT, .clock = clock_system(), .segment = arms[a].options};
            struct pipeline_callbacks cb = {&p, on_cut, NULL};
            struct pipeline_stream *s;
            if (pipeline_stream_new(&o, &cb, &s))
                return;
            plant(&p, s, seed);
            pipeline_stream_free(s);
            for (uint32_t i = 1; i <= p.cut_count; i++)
                fixed.cuts[fixed.cut_count++] =
                    (uint32_t)((uint64_t)i * RECORDS / (p.cut_count + 1));
            sum += f1(p.true_cuts, p.true_count, p.cuts, p.cut_count);
            fixed_sum += f1(p.true_cuts, p.true_count, fixed.cuts, fixed.cut_count);
            cuts += p.cut_count;
            truth += p.true_count;
        }
        printf("%-20s F1 %.3f   as many fixed cuts %.3f   %u cuts for %u changes\n", arms[a].name,
               sum / SEEDS, fixed_sum / SEEDS, cuts, truth);
    }
}

int main(int argc, char **argv)
{
    bool show = argc > 3 && strcmp(argv[3], "--show") == 0;
    if (argc > 2 && strcmp(argv[1], "text") == 0)
        return bench_file(KIND_TEXT, argv[2], show);
    if (argc > 2 && strcmp(argv[1], "sensor") == 0)
        return bench_file(KIND_SENSOR, argv[2], show);
    if (argc == 2 && strcmp(argv[1], "boundaries") == 0) {
        bench_boundaries();
        return 0;
    }
    fprintf(stderr, "usage: bench_pipeline text|sensor FILE [--show] | boundaries\n");
    return 2;
}
