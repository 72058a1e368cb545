/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/jsonw.h"
#include "base/record.h"
#include "base/timestamp.h"
#include "base/utf8.h"

START_TEST(test_integers_survive)
{
    struct buf b = {0};
    static const int64_t values[] = {0, 1, -1, 63, 64, -64, -65, INT64_MAX, INT64_MIN, 1LL << 40};
    for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
        buf_put_svarint(&b, values[i]);
        buf_put_varint(&b, (uint64_t)values[i]);
        buf_put_u64(&b, (uint64_t)values[i]);
    }
    buf_put_f64(&b, -0.1);
    struct cursor c;
    cursor_init(&c, b.data, b.size);
    for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
        ck_assert_int_eq(cursor_svarint(&c), values[i]);
        ck_assert_uint_eq(cursor_varint(&c), (uint64_t)values[i]);
        ck_assert_uint_eq(cursor_u64(&c), (uint64_t)values[i]);
    }
    ck_assert(cursor_f64(&c) == -0.1);
    ck_assert_uint_eq(cursor_left(&c), 0);
    ck_assert(!c.failed);
    cursor_u8(&c);
    ck_assert(c.failed);
    buf_deinit(&b);
}
END_TEST

START_TEST(test_cursor_refuses_what_is_too_long)
{
    struct cursor c;
    cursor_init(&c, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 11);
    cursor_varint(&c);
    ck_assert(c.failed);
    cursor_init(&c, "abc", 3);
    ck_assert_uint_eq(cursor_bytes(&c, 4).size, 0);
    ck_assert(c.failed);
    ck_assert_uint_eq(cursor_u8(&c), 0);
}
END_TEST

START_TEST(test_utf8)
{
    static const char *const bad[] = {"\x80",         "\xc0\x80",     "\xe0\x80\x80", "\xed\xa0\x80",
                                      "\xf4\x90\x80\x80", "\xf8\x88\x80\x80", "a\xc3",  "12345678\xff"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        ck_assert_msg(!utf8_valid(bad[i], strlen(bad[i]), NULL), "case %zu", i);
    size_t at = 0;
    ck_assert(!utf8_valid("ab\xff", 3, &at));
    ck_assert_uint_eq(at, 2);
    ck_assert(utf8_valid("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\x9f", 15, NULL));
    ck_assert_uint_eq(utf8_cut("\xe2\x82\xac\xe2\x82\xac", 6, 5), 3);
    char out[16];
    size_t n = utf8_repair("a\xffz", 3, out);
    ck_assert_uint_eq(n, 5);
    ck_assert(utf8_valid(out, n, NULL));
}
END_TEST

START_TEST(test_json_writer)
{
    struct buf b = {0};
    struct jsonw w;
    jsonw_init(&w, &b);
    jsonw_object(&w);
    jsonw_kv_string(&w, "s", "a\"b\\c\n\x01\xff");
    jsonw_kv_double(&w, "pi", 0.1);
    jsonw_kv_double(&w, "inf", INFINITY);
    jsonw_kv_fixed(&w, "f", -0.001, 2);
    jsonw_key(&w, "a");
    jsonw_array(&w);
    jsonw_int(&w, -5);
    jsonw_u64_string(&w, UINT64_MAX);
    jsonw_array_end(&w);
    jsonw_kv_time(&w, "t", 1000001);
    jsonw_kv_time(&w, "none", TIME_UNKNOWN);
    jsonw_object_end(&w);
    ck_assert_str_eq(b.data, "{\"s\":\"a\\\"b\\\\c\\n\\u0001\xef\xbf\xbd\",\"pi\":0.1,\"inf\":null,"
                             "\"f\":0,\"a\":[-5,\"18446744073709551615\"],"
                             "\"t\":\"1970-01-01T00:00:01.000001Z\",\"none\":null}");
    buf_deinit(&b);
}
END_TEST

START_TEST(test_timestamps)
{
    static const struct {
        const char *text;
        int64_t us;
    } good[] = {{"1970-01-01T00:00:00Z", 0},
                {"2000-02-29 12:00:00.5Z", 951825600500000},
                {"2026-11-23T13:00:00+01:00", 1795435200000000},
                {"2016-12-31T23:59:60Z", 1483228800000000},
                {"2199-12-31T23:59:59.999999Z", 7258118399999999}};
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
        int64_t us = 0;
        ck_assert_int_eq(timestamp_parse(good[i].text, strlen(good[i].text), &us, NULL), 0);
        ck_assert_int_eq(us, good[i].us);
        char text[TIMESTAMP_SIZE];
        int64_t again;
        timestamp_format(us, text);
        ck_assert_int_eq(timestamp_parse(text, strlen(text), &again, NULL), 0);
        ck_assert_int_eq(again, us);
    }
    static const char *const bad[] = {"", "2026", "2026-13-01", "2026-02-29", "2026-11-23T24:00:00Z",
                                      "2026-11-23T12:00:00Zx", "2026-11-23T12:00:00.Z"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        int64_t us;
        ck_assert_msg(timestamp_parse(bad[i], strlen(bad[i]), &us, NULL) == ERR_PARSE, "%s", bad[i]);
    }
    int64_t us;
    ck_assert_int_eq(timestamp_parse("1969-12-31T23:59:59Z", 20, &us, NULL), ERR_RANGE);
}
END_TEST

START_TEST(test_arena_keeps_its_chunks)
{
    struct arena a;
    arena_init(&a, 256);
    for (int round = 0; round < 3; round++) {
        size_t before = arena_size(&a);
        for (size_t i = 1; i < 100; i++) {
            char *p = arena_alloc(&a, i);
            ck_assert_ptr_nonnull(p);
            ck_assert_uint_eq((uintptr_t)p % 16, 0);
            memset(p, (int)i, i);
        }
        ck_assert_ptr_nonnull(arena_alloc(&a, 5000));
        if (round > 0)
            ck_assert_uint_eq(arena_size(&a), before);
        arena_reset(&a);
    }
    ck_assert_ptr_null(arena_alloc(&a, SIZE_MAX));
    arena_deinit(&a);
}
END_TEST

START_TEST(test_errors)
{
    struct errmsg e;
    ck_assert_int_eq(err_set(&e, ERR_PARSE, "line %d", 3), ERR_PARSE);
    err_wrap(&e, ERR_PARSE, "file %s", "x");
    ck_assert_str_eq(e.text, "file x: line 3");
    char longer[1000];
    memset(longer, 'a', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = 0;
    err_set(&e, ERR_IO, "%s", longer);
    err_wrap(&e, ERR_IO, "%s", longer);
    ck_assert_uint_lt(strlen(e.text), sizeof(e.text));
    ck_assert_str_eq(err_name(ERR_CORRUPT), "CORRUPT");
    ck_assert_str_eq(err_name(77), "UNKNOWN");
    err_set(NULL, ERR_IO, "nobody listens");
}
END_TEST

START_TEST(test_record_hash)
{
    struct sample s = {.channel = 1, .value = 2.5};
    struct record a = {.seq = 1, .time = 5, .arrival = 9, .text = {"hello", 5}};
    struct record b = a;
    b.seq = 2;
    b.arrival = 10;
    b.flags = RECORD_LATE;
    ck_assert_uint_eq(record_hash(&a), record_hash(&b));
    b.ref = (struct slice){"r", 1};
    ck_assert_uint_ne(record_hash(&a), record_hash(&b));
    b = a;
    b.time = 6;
    ck_assert_uint_ne(record_hash(&a), record_hash(&b));
    a.flags = b.flags = RECORD_NO_TIME;
    ck_assert_uint_eq(record_hash(&a), record_hash(&b));
    b.text = (struct slice){NULL, 0};
    b.samples = &s;
    b.sample_count = 1;
    ck_assert_uint_ne(record_hash(&a), record_hash(&b));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("base");
    TCase *t = tcase_create("all");
    tcase_add_test(t, test_integers_survive);
    tcase_add_test(t, test_cursor_refuses_what_is_too_long);
    tcase_add_test(t, test_utf8);
    tcase_add_test(t, test_json_writer);
    tcase_add_test(t, test_timestamps);
    tcase_add_test(t, test_arena_keeps_its_chunks);
    tcase_add_test(t, test_errors);
    tcase_add_test(t, test_record_hash);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
