/* SPDX-License-Identifier: Apache-2.0 */
/* The readers take any bytes, and say the same of them however they are split. */
#ifndef VARVE_TESTS_FUZZ_READER_H
#define VARVE_TESTS_FUZZ_READER_H

#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/utf8.h"
#include "pipeline/reader.h"
#include "pipeline/redact.h"

struct fuzz_seen {
    uint64_t hash, records, errors;
    enum stream_kind kind;
};

static void fuzz_mix(struct fuzz_seen *s, const void *data, size_t n)
{
    const unsigned char *p = data;
    for (size_t i = 0; i < n; i++)
        s->hash = (s->hash ^ p[i]) * 1099511628211ULL;
}

static int fuzz_record(void *arg, const struct record *r, uint64_t line)
{
    struct fuzz_seen *s = arg;
    s->records++;
    assert(r->time >= TIME_MIN && r->time < TIME_MAX);
    assert(r->ref.size <= RECORD_REF_MAX);
    assert((r->samples == NULL) == (s->kind == KIND_TEXT));
    if (s->kind == KIND_TEXT) {
        assert(r->text.size <= RECORD_SIZE_MAX && utf8_valid(r->text.data, r->text.size, NULL));
        assert(!memchr(r->text.data, 0, r->text.size));
        fuzz_mix(s, r->text.data, r->text.size);
    }
    for (uint32_t i = 0; s->kind == KIND_SENSOR && i < r->sample_count; i++) {
        assert(isfinite(r->samples[i].value) && r->samples[i].channel < CHANNELS_MAX);
        fuzz_mix(s, &r->samples[i].value, sizeof(double));
    }
    fuzz_mix(s, &r->time, sizeof(r->time));
    fuzz_mix(s, &line, sizeof(line));
    return 0;
}

static int fuzz_error(void *arg, uint64_t line, const char *text)
{
    struct fuzz_seen *s = arg;
    s->errors++;
    assert(line > 0 && text[0]);
    fuzz_mix(s, text, strlen(text));
    return 0;
}

/* The first byte of the input says into how large pieces the rest is cut. */
static struct fuzz_seen fuzz_read(enum stream_kind kind, const unsigned char *data, size_t size,
                                  size_t piece)
{
    struct fuzz_seen s = {.kind = kind};
    struct clock clock;
    struct errmsg err;
    struct record_reader *r;
    clock_simulated_init(&clock, 1700000000 * US_PER_SECOND);
    struct record_reader_options o = {.kind = kind, .clock = &clock};
    struct record_reader_callbacks cb = {&s, fuzz_record, NULL, fuzz_error};
    assert(record_reader_new(&o, &cb, &r, &err) == 0);
    int rc = 0;
    for (size_t at = 0; at < size && !rc; at += piece)
        rc = record_reader_feed(r, data + at, size - at < piece ? size - at : piece, &err);
    rc = rc ? rc : record_reader_end(r, &err);
    assert(rc == 0);
    record_reader_free(r);
    return s;
}

static void fuzz_reader(enum stream_kind kind, const unsigned char *data, size_t size)
{
    if (size == 0)
        return;
    size_t piece = 1 + data[0] % 37;
    struct fuzz_seen whole = fuzz_read(kind, data + 1, size - 1, size);
    struct fuzz_seen cut = fuzz_read(kind, data + 1, size - 1, piece);
    assert(whole.hash == cut.hash && whole.records == cut.records && whole.errors == cut.errors);
}

#endif
