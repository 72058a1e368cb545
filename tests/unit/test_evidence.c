/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
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
