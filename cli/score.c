/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One CSV row a record, in input order: nothing is sorted, the encoder sees what the file says.
 * Rows wait beside the segmenter's window until no boundary can come before them any more, at most
 * SEGMENT_LAG_MAX records. Output is buffered and goes out whenever the input may have to be waited
 * for. Failure modes: bad records are told on standard error, the rest goes on, status 1 at the
 * end.
 */
#include "cli/score.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/timestamp.h"
#include "cli/input.h"
#include "model/encoder.h"
#include "model/kernels.h"
#include "model/voice.h"
#include "pipeline/segment.h"

#define OUT_SIZE (64 * 1024)
#define NO_TIME_BASE                                                                               \
    946684800000000LL /* 2000-01-01: scores must not depend on when they are made */

struct row {
    int64_t time; /* TIME_UNKNOWN: none */
    uint64_t seq;
    double bits, score;
    uint32_t template_id;
    char boundary;
};

struct score {
    struct input_errors errors; /* first: the reader passes one argument to all callbacks */
    enum stream_kind kind;
    struct encoder *encoder;
    struct segmenter *segmenter;
    struct row rows[SEGMENT_WINDOW]; /* beside the segmenter's window */
    uint32_t count, printed;
    char next_boundary; /* of the row that will be the window's first */
    uint64_t seq;
    int64_t last_time, first_time;
    int64_t day; /* whose date is in date_text */
    char date_text[16];
    char out[OUT_SIZE + 256];
    size_t used;
};

static int write_out(struct score *s)
{
    size_t at = 0;
    while (at < s->used) {
        ssize_t n = write(STDOUT_FILENO, s->out + at, s->used - at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_from_errno(errno);
        at += (size_t)n;
    }
    s->used = 0;
    return 0;
}

/* ---- a row ---- */

static void put_char(struct score *s, char c)
{
    s->out[s->used++] = c;
}

static void put_digits(struct score *s, uint64_t v, int least)
{
    char text[20];
    int n = 0;
    do {
        text[n++] = (char)('0' + v % 10);
        v /= 10;
    } while (v || n < least);
    while (n)
        put_char(s, text[--n]);
}

/* Not negative, five digits behind the point without trailing zeros. */
static void put_fixed(struct score *s, double v)
{
    uint64_t scaled = (uint64_t)llround(fmin(fmax(v, 0), 1e12) * 1e5);
    put_digits(s, scaled / 100000, 1);
    uint64_t rest = scaled % 100000;
    if (!rest)
        return;
    put_char(s, '.');
    put_digits(s, rest, 5);
    while (s->out[s->used - 1] == '0')
        s->used--;
}

static void put_time(struct score *s, int64_t us)
{
    int64_t day = us / US_PER_DAY;
    if (day != s->day) {
        struct civil c;
        timestamp_to_civil(us, &c);
        s->day = day;
        snprintf(s->date_text, sizeof(s->date_text), "%04d-%02d-%02dT", c.year % 10000,
                 c.month % 100, c.day % 100);
    }
    uint64_t rest = (uint64_t)(us - day * US_PER_DAY);
    memcpy(s->out + s->used, s->date_text, 11);
    s->used += 11;
    put_digits(s, rest / US_PER_HOUR, 2);
    put_char(s, ':');
    put_digits(s, rest / US_PER_MINUTE % 60, 2);
    put_char(s, ':');
    put_digits(s, rest / US_PER_SECOND % 60, 2);
    put_char(s, '.');
    put_digits(s, rest % US_PER_SECOND, 6);
    put_char(s, 'Z');
}

static int print_row(struct score *s, const struct row *r)
{
    if (r->time != TIME_UNKNOWN)
        put_time(s, r->time);
    put_char(s, ',');
    put_digits(s, r->seq, 1);
    put_char(s, ',');
    put_fixed(s, r->bits);
    put_char(s, ',');
    put_fixed(s, r->score);
    put_char(s, ',');
    put_char(s, r->boundary);
    if (s->kind == KIND_TEXT) {
        put_char(s, ',');
        put_digits(s, r->template_id, 1);
    }
    put_char(s, '\n');
    return s->used >= OUT_SIZE ? write_out(s) : 0;
}

static int print_until(struct score *s, uint32_t end)
{
    int rc = 0;
    for (; !rc && s->printed < end; s->printed++)
        rc = print_row(s, &s->rows[s->printed]);
    return rc;
}

/* The window's first `count` records have left it. */
static int leave(struct score *s, const struct segment_cut *cut)
{
    int rc = print_until(s, cut->count);
    s->count -= cut->count;
    memmove(s->rows, s->rows + cut->count, s->count * sizeof(s->rows[0]));
    s->printed = 0;
    s->next_boundary = cut->ended == END_LENGTH ? '2' : '1';
    if (s->count) {
        s->rows[0].boundary = s->next_boundary;
        s->next_boundary = '0';
    }
    return rc;
}

/* ---- callbacks of the reader ---- */

/* A record without a time stands where the one before it did; numbered rows keep their distances.
 */
static int64_t steady_time(struct score *s, const struct record *r)
{
    if (!(r->flags & RECORD_NO_TIME))
        return r->time;
    if (s->kind == KIND_TEXT)
        return s->last_time == TIME_UNKNOWN ? NO_TIME_BASE : s->last_time;
    if (s->first_time == TIME_UNKNOWN)
        s->first_time = r->time;
    return NO_TIME_BASE + (r->time - s->first_time);
}

static int on_record(void *arg, const struct record *given, uint64_t line)
{
    struct score *s = arg;
    struct record r = *given;
    struct observation o;
    struct segment_cut cut;
    r.time = steady_time(s, given);
    r.seq = given->seq ? given->seq : ++s->seq;
    int rc = encoder_observe(s->encoder, &r, &o);
    if (rc)
        return rc;
    struct row *row = &s->rows[s->count++];
    *row = (struct row){.time = given->flags & RECORD_NO_TIME ? TIME_UNKNOWN : given->time,
                        .seq = r.seq,
                        .bits = o.bits,
                        .score = o.score,
                        .template_id = o.template_id,
                        .boundary = '0'};
    if (s->count == 1) {
        row->boundary = s->next_boundary;
        s->next_boundary = '0';
    }
    /* Lines of a log may be out of order by seconds; only a step back beyond that is an event. */
    bool backward = s->last_time != TIME_UNKNOWN && r.time < s->last_time - 5 * US_PER_SECOND;
    s->last_time = r.time;
    segmenter_push(s->segmenter, r.time, &o, backward);
    while (!rc && segmenter_cut(s->segmenter, &cut) == SEGMENT_CUT)
        rc = leave(s, &cut);
    return rc ? rc : print_until(s, segmenter_settled(s->segmenter));
}

static int on_channel(void *arg, uint16_t index, const char *name)
{
    struct score *s = arg;
    const struct encoder_ops *ops = s->encoder->ops;
    return ops->channel ? ops->channel(s->encoder, index, name) : 0;
}

static int on_chunk(void *arg)
{
    return write_out(arg);
}

/* ---- the command ---- */

static int run(struct score *s, const struct input_options *o, const char *path, struct errmsg *err)
{
    static const char header[] = "time,seq,bits,score,boundary";
    const struct record_reader_callbacks callbacks = {s, on_record, on_channel, input_error};
    struct segment_cut cut;
    int rc = encoder_new(o->kind, &s->encoder);
    if (rc == ERR_UNSUPPORTED)
        return err_set(err, rc, "no model for %s yet", stream_kind_name(o->kind));
    rc = rc ? rc : segmenter_new(o->kind, &(struct segment_options){0}, &s->segmenter);
    if (!rc) {
        s->used = (size_t)snprintf(s->out, sizeof(s->out), "%s%s\n", header,
                                   o->kind == KIND_TEXT ? ",template" : "");
        rc = input_read(o, path, &callbacks, on_chunk, err);
        /* After an error too: what was scored is printed. */
        while (segmenter_flush(s->segmenter, END_FLUSH, &cut) == SEGMENT_CUT)
            leave(s, &cut);
        int written = write_out(s);
        rc = rc ? rc : written;
    }
    segmenter_free(s->segmenter);
    encoder_free(s->encoder);
    return rc;
}

static int usage(const struct errmsg *err)
{
    if (err->text[0])
        fprintf(stderr, "varve score: %s\n", err->text);
    fputs("usage: varve score --kind text|sensor|audio|video [--text-field F] [--time-field F]\n"
          "                   [--ref-field F] [--seq-field F] [--rate HZ] [--start T] [--fps N]\n"
          "                   [--tz ZONE] [--strict] [FILE|-]\n",
          stderr);
    return 2;
}

int score_main(int argc, char **argv)
{
    static struct score s;
    struct input_options o = {0};
    struct errmsg err = {""};
    const char *path = NULL;
    for (int i = 1; i < argc;) {
        int rc = input_option(&o, argc, argv, &i, &err);
        if (rc == INPUT_OPTION)
            continue;
        if (rc < 0 || path || (argv[i][0] == '-' && argv[i][1]))
            return usage(rc < 0 || path ? &err
                                        : (err_set(&err, 0, "unknown option %s", argv[i]), &err));
        path = argv[i++];
    }
    if (!o.kind)
        return usage((err_set(&err, 0, "--kind is needed"), &err));
    path = path ? path : "-";
    s = (struct score){.errors = {"varve score", path, 0, o.strict},
                       .kind = o.kind,
                       .next_boundary = '0',
                       .last_time = TIME_UNKNOWN,
                       .first_time = TIME_UNKNOWN,
                       .day = -1};
    int rc = model_blas_check(&err);
    int voice = rc || o.kind != KIND_AUDIO ? ERR_NOTFOUND : voice_load(&err);
    if (voice != 0 && voice != ERR_NOTFOUND)
        fprintf(stderr, "varve score: speech is told by %s: %s\n", voice_detector(), err.text);
    rc = rc ? rc : run(&s, &o, path, &err);
    voice_unload();
    if (rc && !(rc == ERR_PARSE && s.errors.count))
        fprintf(stderr, "varve score: %s\n", err.text[0] ? err.text : err_text(rc));
    return rc || s.errors.count ? 1 : 0;
}
