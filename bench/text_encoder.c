/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines a second through the text model on one thread, beside hashing each line once and scanning
 * it into tokens, in the same run: `text_encoder FILE…`. Each file is one stream; every pass over
 * it counts all its numbers up, so that values change as in real logs. Time is this thread's
 * processor time, so that other work on the machine does not count; the best of three rounds does.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/mem.h"
#include "bench/bench.h"
#include "model/encoder.h"
#include "model/kernels.h"
#include "model/tokens.h"

#define PASSES 50
#define ROUNDS 3

struct lines {
    char *data;
    size_t size, count;
};

/* The file's text with each line's last digit pushed on by one, in place. */
static void push_numbers(struct lines *l)
{
    for (size_t i = 0; i + 1 < l->size; i++)
        if (l->data[i] >= '0' && l->data[i] <= '9' &&
            !(l->data[i + 1] >= '0' && l->data[i + 1] <= '9'))
            l->data[i] = l->data[i] == '9' ? '0' : (char)(l->data[i] + 1);
}

static int read_lines(const char *path, struct lines *ret)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        return -1;
    fseek(f, 0, SEEK_END);
    long size = ftell(f);
    rewind(f);
    *ret = (struct lines){.data = mem_alloc((size_t)size + 1), .size = (size_t)size};
    size_t got = ret->data ? fread(ret->data, 1, ret->size, f) : 0;
    fclose(f);
    return got == ret->size && size > 0 ? 0 : -1;
}

typedef uint64_t visit_fn(void *context, const char *line, size_t n);

static uint64_t visit_hash(void *context, const char *line, size_t n)
{
    (void)context;
    return XXH3_64bits(line, n);
}

static uint64_t visit_tokens(void *context, const char *line, size_t n)
{
    tokens_scan(line, n, context);
    return ((struct tokens *)context)->hash;
}

static uint64_t visit_observe(void *context, const char *line, size_t n)
{
    struct record r = {.text = {line, n}};
    struct observation o;
    if (encoder_observe(context, &r, &o))
        abort();
    return o.template_id;
}

static double run(struct lines *l, visit_fn *visit, void *context, uint64_t *sum)
{
    double spent = 0;
    l->count = 0;
    for (int pass = 0; pass < PASSES; pass++) {
        push_numbers(l);
        double from = cpu_seconds();
        for (size_t at = 0; at < l->size;) {
            const char *end = memchr(l->data + at, '\n', l->size - at);
            size_t n = end ? (size_t)(end - l->data) - at : l->size - at;
            *sum += visit(context, l->data + at, n);
            at += n + 1;
            l->count++;
        }
        spent += cpu_seconds() - from;
    }
    return spent > 0 ? (double)l->count / spent : 0;
}

static double best(struct lines *l, visit_fn *visit, void *context, uint64_t *sum)
{
    double most = 0;
    for (int i = 0; i < ROUNDS; i++) {
        double rate = run(l, visit, context, sum);
        most = rate > most ? rate : most;
    }
    return most;
}

int main(int argc, char **argv)
{
    static struct tokens tokens;
    struct errmsg err;
    uint64_t sum = 0;
    if (argc < 2 || model_blas_check(&err)) {
        fprintf(stderr, argc < 2 ? "usage: text_encoder FILE...\n" : "%s\n", err.text);
        return 2;
    }
    printf("%-12s %12s %12s %12s   lines/s\n", "", "hash", "tokens", "observe");
    for (int i = 1; i < argc; i++) {
        struct lines l;
        struct encoder *e;
        if (read_lines(argv[i], &l) || encoder_new(KIND_TEXT, &e)) {
            fprintf(stderr, "%s: cannot be read\n", argv[i]);
            return 1;
        }
        const char *name = strrchr(argv[i], '/');
        double hash = best(&l, visit_hash, NULL, &sum);
        double scan = best(&l, visit_tokens, &tokens, &sum);
        double observe = best(&l, visit_observe, e, &sum);
        printf("%-12.12s %12.0f %12.0f %12.0f\n", name ? name + 1 : argv[i], hash, scan, observe);
        encoder_free(e);
        mem_free(l.data);
    }
    return sum == 0;
}
