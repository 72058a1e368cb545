/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "memory/evidence.h"
#include "memory/words.h"

#define S(text) ((struct slice){text, sizeof(text) - 1})

static struct buf block;
static struct arena arena;

static void setup(void)
{
    arena_init(&arena, 4096);
}

static void teardown(void)
{
    buf_deinit(&block);
    arena_deinit(&arena);
    words_thread_deinit();
}

static struct slice encoded(const struct record *records, uint32_t count, int level)
{
    buf_clear(&block);
    ck_assert_int_eq(evidence_encode(records, count, level, &block), 0);
    return (struct slice){block.data, block.size};
}

static void check_same(const struct record *a, const struct record *b)
{
    ck_assert_uint_eq(a->seq, b->seq);
    ck_assert_int_eq(a->time, b->time);
    ck_assert_int_eq(a->arrival, b->arrival);
    ck_assert_uint_eq(a->flags, b->flags);
    ck_assert_uint_eq(a->ref.size, b->ref.size);
    ck_assert_uint_eq(a->text.size, b->text.size);
    if (a->ref.size)
        ck_assert_mem_eq(a->ref.data, b->ref.data, a->ref.size);
    if (a->text.size)
        ck_assert_mem_eq(a->text.data, b->text.data, a->text.size);
    ck_assert_uint_eq(a->media.size, b->media.size);
    if (a->media.size)
        ck_assert_mem_eq(a->media.data, b->media.data, a->media.size);
    ck_assert_uint_eq(a->sample_count, b->sample_count);
    ck_assert_int_eq(a->samples != NULL, b->samples != NULL);
    for (uint32_t i = 0; i < a->sample_count; i++) {
        ck_assert_uint_eq(a->samples[i].channel, b->samples[i].channel);
        ck_assert_mem_eq(&a->samples[i].value, &b->samples[i].value, sizeof(double));
    }
    ck_assert_uint_eq(record_hash(a), record_hash(b));
}

static void check_round_trip(const struct record *records, uint32_t count)
{
    struct record *back;
    uint32_t n;
    struct errmsg err;
    for (int level = 1; level <= 3; level += 2) {
        struct slice b = encoded(records, count, level);
        ck_assert_msg(evidence_decode(b, &arena, &back, &n, &err) == 0, "%s", err.text);
        ck_assert_uint_eq(n, count);
        for (uint32_t i = 0; i < count; i++)
            check_same(&records[i], &back[i]);
    }
}

START_TEST(test_text)
{
    const struct record records[] = {
        {.seq = 1, .time = 1000000, .arrival = 1000005, .text = S("first line")},
        {.seq = 2, .time = 900000, .arrival = 1000006, .flags = RECORD_LATE, .ref = S("D1:3"),
         .text = S("zwölf Boxkämpfer \xe6\x97\xa5\xe6\x9c\xac")},
        {.seq = 17, .time = TIME_MAX, .arrival = INT64_MAX, .text = S("")},
        {.seq = INT64_MAX, .time = 0, .arrival = INT64_MIN, .text = S("last")},
    };
    check_round_trip(records, 4);
    check_round_trip(records + 2, 1);
}
END_TEST

START_TEST(test_samples)
{
    const struct sample a[] = {{0, 1.5}, {1, -0.0}, {7, 1e300}};
    const struct sample b[] = {{0, 1.5}, {1, 4.9e-324}, {7, 2}};
    const struct sample c[] = {{CHANNELS_MAX - 1, 3}, {1, 9}, {1, 10}};
    const struct record records[] = {
        {.seq = 1, .samples = a, .sample_count = 3}, {.seq = 2, .samples = b, .sample_count = 3},
        {.seq = 3, .samples = b, .sample_count = 0}, {.seq = 4, .samples = c, .sample_count = 3},
        {.seq = 5, .samples = c, .sample_count = 1},
    };
    check_round_trip(records, 5);
    const struct sample over = {CHANNELS_MAX, 1};
    const struct record bad = {.seq = 1, .samples = &over, .sample_count = 1};
    ck_assert_int_eq(evidence_encode(&bad, 1, 1, &block), ERR_RANGE);
    ck_assert_int_eq(evidence_encode(&bad, 0, 1, &block), ERR_INVALID);
}
END_TEST

#define CHUNK 16000 /* bytes: half a second */

/* Records of a tone with noise, the last one short. */
static void make_sound(unsigned char *pcm, size_t size, struct record *records, uint32_t *ret_count)
{
    uint32_t noise = 1, n = 0;
    for (size_t i = 0; i < size; i += 2) {
        noise = noise * 1664525 + 1013904223;
        int v = (int)(9000 * sin((double)i * 0.07)) + (int)(noise >> 24);
        pcm[i] = (unsigned char)v;
        pcm[i + 1] = (unsigned char)(v >> 8);
    }
    for (size_t at = 0; at < size; at += CHUNK, n++)
        records[n] =
            (struct record){.seq = n + 1,
                            .time = n * 500000,
                            .arrival = n * 500000,
                            .media = {(char *)pcm + at, size - at < CHUNK ? size - at : CHUNK}};
    *ret_count = n;
}

START_TEST(test_sound)
{
    static unsigned char pcm[5 * CHUNK + 2], still[CHUNK], loud[CHUNK];
    struct record records[8];
    uint32_t n;
    make_sound(pcm, sizeof(pcm), records, &n);
    ck_assert_uint_eq(n, 6);
    records[2].ref = S("third");
    check_round_trip(records, n);
    check_round_trip(records + 5, 1);
    /* Kept at half its size, and the same hash as in the journal, where it is not. */
    struct evidence_info one, three;
    struct slice b = encoded(records, n, 3);
    ck_assert_int_eq(block.data[3], 2);
    ck_assert_uint_lt(b.size, sizeof(pcm) * 6 / 10);
    ck_assert_int_eq(evidence_info(b, &three, NULL), 0);
    ck_assert_int_eq(evidence_info(encoded(records, n, 1), &one, NULL), 0);
    ck_assert_mem_eq(one.hash, three.hash, 16);
    struct slice refs, texts;
    b = encoded(records, n, 3);
    ck_assert_int_eq(evidence_texts(b, &arena, &refs, &texts, NULL), 0);
    ck_assert(refs.size == 5 && memcmp(refs.data, "third", 5) == 0 && texts.size == 0);
    /* Extremes: nothing, and the loudest square wave. */
    for (size_t i = 0; i < sizeof(loud); i += 2) {
        loud[i] = i % 64 < 32 ? 0xff : 0;
        loud[i + 1] = i % 64 < 32 ? 0x7f : 0x80;
    }
    struct record edges[] = {{.seq = 1, .media = {(char *)still, CHUNK}},
                             {.seq = 2, .media = {(char *)loud, CHUNK}}};
    check_round_trip(edges, 2);
    ck_assert_uint_lt(encoded(edges, 1, 3).size, 400);
}
END_TEST

/* Pictures come back as they came, and what only looks like one kind is kept all the same. */
START_TEST(test_pictures)
{
    static char frame[3000];
    memset(frame, 'x', sizeof(frame));
    memcpy(frame, "\xff\xd8\xff", 3);
    struct record records[] = {{.seq = 1, .time = 5, .media = {frame, 3000}},
                               {.seq = 2, .time = 6, .media = {frame, 2999}}};
    check_round_trip(records, 2);
    ck_assert_uint_lt(encoded(records, 2, 3).size, 300); /* a still scene costs little */
    struct record odd = {.seq = 1, .media = S("odd")},
                  text_too = {.seq = 1, .text = S("words"), .media = S("\1\2")};
    check_round_trip(&odd, 1);
    check_round_trip(&text_too, 1);
}
END_TEST

/* Sound that is damaged is never taken for what it was. */
START_TEST(test_damaged_sound)
{
    static unsigned char pcm[2 * CHUNK];
    struct record records[2], *back;
    uint32_t n;
    struct errmsg err;
    make_sound(pcm, sizeof(pcm), records, &n);
    struct slice b = encoded(records, n, 3);
    for (size_t i = 0; i < b.size; i += i < 200 ? 1 : 37) {
        block.data[i] ^= 0x41;
        arena_reset(&arena);
        int r = evidence_decode(b, &arena, &back, &n, &err);
        /* FLAC has bytes that nothing depends on: its own checksum of the samples. */
        for (uint32_t k = 0; r == 0 && k < 2; k++)
            check_same(&records[k], &back[k]);
        ck_assert_msg(r == 0 || r == ERR_CORRUPT, "byte %zu", i);
        ck_assert_msg(r == ERR_CORRUPT || i < 160, "byte %zu", i);
        block.data[i] ^= 0x41;
    }
    for (size_t size = 0; size < b.size; size += size < 200 ? 1 : 37)
        ck_assert_int_eq(evidence_decode((struct slice){b.data, size}, &arena, &back, &n, NULL),
                         ERR_CORRUPT);
    ck_assert_int_eq(evidence_decode(b, &arena, &back, &n, NULL), 0);
}
END_TEST

/* The same records give the same hash whatever the level, others another one. */
START_TEST(test_hash)
{
    struct record r = {.seq = 1, .text = S("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")};
    struct evidence_info one, three, other;
    ck_assert_int_eq(evidence_info(encoded(&r, 1, 1), &one, NULL), 0);
    ck_assert_int_eq(evidence_info(encoded(&r, 1, 3), &three, NULL), 0);
    r.seq = 2;
    ck_assert_int_eq(evidence_info(encoded(&r, 1, 3), &other, NULL), 0);
    ck_assert_mem_eq(one.hash, three.hash, 16);
    ck_assert_mem_ne(one.hash, other.hash, 16);
    ck_assert_uint_eq(one.count, 1);
}
END_TEST

/* A block is appended behind what the buffer holds. */
START_TEST(test_appends)
{
    struct record r = {.seq = 5, .text = S("x")}, *back;
    uint32_t n;
    buf_puts(&block, "before");
    ck_assert_int_eq(evidence_encode(&r, 1, 3, &block), 0);
    struct slice b = {block.data + 6, block.size - 6};
    ck_assert_int_eq(evidence_decode(b, &arena, &back, &n, NULL), 0);
    check_same(&r, back);
}
END_TEST

/* Any single damaged byte is found: by the header's checks, zstd's, or the hash. */
START_TEST(test_damage)
{
    const struct sample a[] = {{0, 1.5}, {1, 2.5}};
    struct record records[40] = {{0}};
    char lines[40][40];
    for (int i = 0; i < 40; i++) {
        snprintf(lines[i], sizeof(lines[i]), "request %d took %d ms", i * 7, i * i);
        records[i] = (struct record){.seq = (uint64_t)i + 1, .time = i,
                                     .text = {lines[i], strlen(lines[i])}, .samples = a,
                                     .sample_count = 2};
    }
    struct slice b = encoded(records, 40, 3);
    struct record *back;
    uint32_t n;
    struct errmsg err;
    for (size_t i = 0; i < b.size; i++) {
        block.data[i] ^= 0x41;
        arena_reset(&arena);
        ck_assert_msg(evidence_decode(b, &arena, &back, &n, &err) == ERR_CORRUPT, "byte %zu", i);
        block.data[i] ^= 0x41;
    }
    for (size_t size = 0; size < b.size; size++)
        ck_assert_int_eq(evidence_decode((struct slice){b.data, size}, &arena, &back, &n, NULL),
                         ERR_CORRUPT);
    ck_assert_int_eq(evidence_decode(b, &arena, &back, &n, NULL), 0);
}
END_TEST

START_TEST(test_warm_allocates_nothing)
{
    const struct sample a[] = {{0, 1.5}, {1, 2.5}};
    const struct record records[] = {{.seq = 1, .samples = a, .sample_count = 2},
                                     {.seq = 2, .samples = a, .sample_count = 2}};
    struct record *back;
    uint32_t n;
    uint64_t before = 0;
    for (int round = 0; round < 2; round++) {
        before = mem_thread_allocations();
        struct slice b = encoded(records, 2, 3);
        arena_reset(&arena);
        ck_assert_int_eq(evidence_decode(b, &arena, &back, &n, NULL), 0);
    }
    ck_assert_uint_eq(mem_thread_allocations(), before);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("evidence");
    TCase *t = tcase_create("blocks");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_text);
    tcase_add_test(t, test_samples);
    tcase_add_test(t, test_sound);
    tcase_add_test(t, test_pictures);
    tcase_add_test(t, test_damaged_sound);
    tcase_add_test(t, test_hash);
    tcase_add_test(t, test_appends);
    tcase_add_test(t, test_damage);
    tcase_add_test(t, test_warm_allocates_nothing);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
