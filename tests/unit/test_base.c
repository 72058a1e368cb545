/* SPDX-License-Identifier: Apache-2.0 */
/* The leaf that all else stands on: errors, arena, buffers, JSON writing, UTF-8, times, records. */
#include <check.h>
#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/fault.h"
#include "base/jsonw.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/record.h"
#include "base/timestamp.h"
#include "base/utf8.h"

START_TEST(errors)
{
    struct errmsg e;
    ck_assert_str_eq(err_name(ERR_NOMEM), "NOMEM");
    ck_assert_str_eq(err_name(0), "OK");
    ck_assert_str_eq(err_name(-4711), "UNKNOWN");
    ck_assert_int_eq(err_from_errno(ENOSPC), ERR_FULL);
    ck_assert_int_eq(err_from_errno(ELOOP), ERR_IO);
    ck_assert_int_eq(err_set(&e, ERR_IO, "read %d", 7), ERR_IO);
    ck_assert_int_eq(err_wrap(&e, ERR_FULL, "file %s", "x"), ERR_FULL);
    ck_assert_str_eq(e.text, "file x: read 7");
    ck_assert_int_eq(err_set(NULL, ERR_IO, "nobody listens"), ERR_IO);
    for (int i = 0; i < 200; i++)
        err_wrap(&e, ERR_IO, "a prefix that does not end");
    ck_assert_uint_lt(strlen(e.text), sizeof(e.text));
}
END_TEST

START_TEST(arena)
{
    struct arena a;
    arena_init(&a, 1000);
    char *first = arena_alloc(&a, 10);
    for (int i = 0; i < 100; i++) {
        char *p = arena_alloc(&a, 100);
        ck_assert_uint_eq((uintptr_t)p % 16, 0);
        memset(p, i, 100);
    }
    ck_assert_ptr_nonnull(arena_alloc(&a, 5000)); /* larger than a chunk */
    ck_assert_ptr_null(arena_alloc(&a, SIZE_MAX));
    ck_assert_ptr_null(arena_alloc(&a, SIZE_MAX - 8));
    ck_assert_str_eq(arena_copy(&a, "abcdef", 3), "abc");
    size_t size = arena_size(&a);
    uint64_t before = mem_thread_allocations();
    arena_reset(&a);
    ck_assert_ptr_eq(arena_alloc(&a, 10), first);
    for (int i = 0; i < 100; i++)
        ck_assert_ptr_nonnull(arena_alloc(&a, 100));
    ck_assert_uint_eq(arena_size(&a), size);
    ck_assert_uint_eq(mem_thread_allocations(), before); /* a warm arena allocates nothing */
    arena_trim(&a, size);
    ck_assert_ptr_eq(arena_alloc(&a, 10), first);
    ck_assert_uint_eq(arena_size(&a), size);
    arena_trim(&a, size - 1);
    ck_assert_uint_eq(arena_size(&a), 0);
    ck_assert_ptr_nonnull(arena_alloc(&a, 10));
    arena_deinit(&a);
    arena_deinit(NULL);
}
END_TEST

START_TEST(buffer)
{
    struct buf b = {0};
    buf_puts(&b, "one ");
    buf_printf(&b, "%d %s", 2, "three");
    ck_assert_str_eq(b.data, "one 2 three");
    for (int i = 0; i < 1000; i++)
        buf_printf(&b, "%0300d", i); /* longer than the printf's own room */
    ck_assert_uint_eq(b.size, 11 + 300000);
    buf_consume(&b, 4);
    ck_assert_int_eq(strncmp(b.data, "2 three", 7), 0);
    buf_consume(&b, SIZE_MAX);
    ck_assert_uint_eq(b.size, 0);
    ck_assert_int_eq(buf_reserve(&b, SIZE_MAX - 100), ERR_NOMEM);
    ck_assert(buf_failed(&b));
    buf_puts(&b, "lost"); /* the error sticks */
    ck_assert_uint_eq(b.size, 0);
    buf_clear(&b);
    ck_assert(!buf_failed(&b));
    buf_deinit(&b);
    buf_deinit(NULL);
}
END_TEST

START_TEST(numbers_in_bytes)
{
    static const uint64_t unsigned_values[] = {0, 1, 127, 128, 300, UINT32_MAX, UINT64_MAX};
    static const int64_t signed_values[] = {0, -1, 1, -64, 64, INT64_MIN, INT64_MAX};
    struct buf b = {0};
    buf_put_u8(&b, 0xfe);
    buf_put_u16(&b, 0x1234);
    buf_put_u32(&b, 0xdeadbeef);
    buf_put_u64(&b, UINT64_MAX - 1);
    buf_put_f32(&b, -1.5f);
    buf_put_f64(&b, DBL_MIN);
    for (size_t i = 0; i < 7; i++) {
        buf_put_varint(&b, unsigned_values[i]);
        buf_put_svarint(&b, signed_values[i]);
    }
    buf_puts(&b, "tail");
    ck_assert_int_eq((unsigned char)b.data[1], 0x34); /* little endian */
    struct cursor c;
    cursor_init(&c, b.data, b.size);
    ck_assert_uint_eq(cursor_u8(&c), 0xfe);
    ck_assert_uint_eq(cursor_u16(&c), 0x1234);
    ck_assert_uint_eq(cursor_u32(&c), 0xdeadbeef);
    ck_assert_uint_eq(cursor_u64(&c), UINT64_MAX - 1);
    ck_assert_float_eq(cursor_f32(&c), -1.5f);
    ck_assert_double_eq(cursor_f64(&c), DBL_MIN);
    for (size_t i = 0; i < 7; i++) {
        ck_assert_uint_eq(cursor_varint(&c), unsigned_values[i]);
        ck_assert_int_eq(cursor_svarint(&c), signed_values[i]);
    }
    struct slice s = cursor_bytes(&c, 4);
    ck_assert_int_eq(memcmp(s.data, "tail", 4), 0);
    ck_assert(!c.failed && cursor_left(&c) == 0);
    ck_assert_uint_eq(cursor_u8(&c), 0);
    ck_assert(c.failed);
    buf_deinit(&b);
}
END_TEST

START_TEST(bytes_that_end_early)
{
    static const char endless[] = "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff";
    struct cursor c;
    cursor_init(&c, endless, 12);
    ck_assert_uint_eq(cursor_varint(&c), 0);
    ck_assert(c.failed);
    cursor_init(&c, endless, 3);
    cursor_varint(&c);
    ck_assert(c.failed);
    cursor_init(&c, endless, 3);
    cursor_u32(&c);
    ck_assert(c.failed && cursor_left(&c) == 0);
    cursor_init(&c, endless, 3);
    ck_assert_uint_eq(cursor_bytes(&c, SIZE_MAX).size, 0);
    ck_assert(c.failed);
}
END_TEST

START_TEST(json_writing)
{
    struct buf b = {0};
    struct jsonw w;
    jsonw_init(&w, &b);
    jsonw_object(&w);
    jsonw_kv_string(&w, "s", "a\"b\\c\n\t\x01/é");
    jsonw_kv_int(&w, "i", INT64_MIN);
    jsonw_kv_bool(&w, "t", true);
    jsonw_key(&w, "list");
    jsonw_array(&w);
    jsonw_double(&w, 0.1);
    jsonw_double(&w, NAN);
    jsonw_double(&w, -INFINITY);
    jsonw_fixed(&w, 2.5, 3);
    jsonw_fixed(&w, -0.001, 2);
    jsonw_u64_string(&w, UINT64_MAX);
    jsonw_null(&w);
    jsonw_object(&w);
    jsonw_object_end(&w);
    jsonw_array_end(&w);
    jsonw_key(&w, "bad");
    jsonw_string_n(&w, "x\xff\xc3y", 4);
    jsonw_kv_string(&w, "none", NULL);
    jsonw_kv_time(&w, "time", 1500000);
    jsonw_kv_time(&w, "never", TIME_UNKNOWN);
    jsonw_key(&w, "raw");
    jsonw_raw(&w, "[1]", 3);
    jsonw_object_end(&w);
    ck_assert_str_eq(b.data,
                     "{\"s\":\"a\\\"b\\\\c\\n\\t\\u0001/é\",\"i\":-9223372036854775808,"
                     "\"t\":true,\"list\":[0.1,null,null,2.5,0,\"18446744073709551615\",null,"
                     "{}],\"bad\":\"x\xef\xbf\xbd\xef\xbf\xbdy\",\"none\":null,"
                     "\"time\":\"1970-01-01T00:00:01.500000Z\",\"never\":null,\"raw\":[1]}");
    buf_deinit(&b);
}
END_TEST

START_TEST(doubles_read_back)
{
    static const double values[] = {
        0.1, 1.0 / 3, 1e300, -1e-300, 123456789.125, 5e-324, DBL_MAX, 4503599627370497.5, 1e22};
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        struct buf b = {0};
        struct jsonw w;
        jsonw_init(&w, &b);
        jsonw_double(&w, values[i]);
        ck_assert_double_eq(strtod(b.data, NULL), values[i]);
        buf_deinit(&b);
    }
}
END_TEST

START_TEST(utf8)
{
    static const char *const good[] = {"", "plain", "é", "€", "😀", "\xf4\x8f\xbf\xbf", "a\xc2\x80"};
    static const struct {
        const char *s;
        size_t at;
    } bad[] = {{"a\xff", 1},
               {"\x80", 0},
               {"\xc3", 0},
               {"ab\xc0\xaf", 2},
               {"\xe0\x80\x80", 0},
               {"\xed\xa0\x80", 0},
               {"\xf4\x90\x80\x80", 0},
               {"\xf0\x9f\x98", 0},
               {"eight by\xe2\x82", 8}};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        ck_assert_msg(utf8_valid(good[i], strlen(good[i]), NULL), "%zu", i);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        size_t at = 99;
        ck_assert_msg(!utf8_valid(bad[i].s, strlen(bad[i].s), &at), "%zu", i);
        ck_assert_uint_eq(at, bad[i].at);
        char out[64];
        size_t n = utf8_repair(bad[i].s, strlen(bad[i].s), out);
        ck_assert(utf8_valid(out, n, NULL));
    }
    ck_assert_uint_eq(utf8_cut("a€b", 5, 3), 1);
    ck_assert_uint_eq(utf8_cut("a€b", 5, 4), 4);
    ck_assert_uint_eq(utf8_cut("abc", 3, 9), 3);
}
END_TEST

START_TEST(times)
{
    static const struct {
        const char *text;
        int64_t us;
        bool zoned;
    } good[] = {{"1970-01-01T00:00:00Z", 0, true},
                {"2026-11-23T12:16:34.000000Z", 1795436194000000, true},
                {"2026-11-23T13:16:34+01:00", 1795436194000000, true},
                {"2026-11-23 12:16:34", 1795436194000000, false},
                {"2000-02-29T23:59:60Z", 951868800000000, true},
                {"2026-11-23T12:16:34.123456789Z", 1795436194123456, true},
                {"2199-12-31T23:59:59.999999Z", TIME_MAX - 1, true}};
    static const char *const bad[] = {"",
                                      "2026",
                                      "2026-13-01T00:00:00Z",
                                      "2026-02-30T00:00:00Z",
                                      "2026-11-23T24:00:00Z",
                                      "2026-11-23T12:16:34Zz",
                                      "2026-11-23T12:16:34.Z",
                                      "2026-11-23T12:16:34+1:00",
                                      "2026-11-23T12:16:34+25:00",
                                      "x026-11-23T12:16:34Z",
                                      "2026-11-23T12:"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        int64_t us;
        bool zoned;
        ck_assert_msg(timestamp_parse(good[i].text, strlen(good[i].text), &us, &zoned) == 0, "%s",
                      good[i].text);
        ck_assert_int_eq(us, good[i].us);
        ck_assert_int_eq(zoned, good[i].zoned);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        int64_t us = 7;
        ck_assert_msg(timestamp_parse(bad[i], strlen(bad[i]), &us, NULL) < 0, "%s", bad[i]);
        ck_assert_int_eq(us, 7);
    }
}
END_TEST

START_TEST(times_there_and_back)
{
    int64_t before;
    ck_assert_int_eq(timestamp_parse("1969-12-31T23:59:59Z", 20, &before, NULL), ERR_RANGE);
    char text[TIMESTAMP_SIZE];
    for (int64_t us = TIME_MIN; us < TIME_MAX; us += 987654321987654LL / 7) {
        int64_t back;
        struct civil c;
        timestamp_format(us, text);
        ck_assert_int_eq(timestamp_parse(text, strlen(text), &back, NULL), 0);
        ck_assert_int_eq(back, us);
        timestamp_to_civil(us, &c);
        ck_assert_int_eq(timestamp_from_civil(&c), us);
        ck_assert_int_eq(timestamp_weekday(&c), (us / US_PER_DAY + 4) % 7);
    }
    struct civil carry = {2026, 14, 0, 25, 61, 61, 0};
    struct civil plain = {2027, 2, 1, 2, 2, 1, 0};
    ck_assert_int_eq(timestamp_from_civil(&carry), timestamp_from_civil(&plain));
}
END_TEST

START_TEST(simulated_clock)
{
    struct clock c;
    clock_simulated_init(&c, 100);
    ck_assert_int_eq(clock_now(&c), 100);
    clock_advance(&c, US_PER_DAY);
    ck_assert_int_eq(clock_now(&c), 100 + US_PER_DAY);
    ck_assert_int_eq(clock_mono(&c), clock_now(&c));
    ck_assert_int_gt(clock_now(clock_system()), 1700000000 * US_PER_SECOND);
}
END_TEST

static struct record text_record(const char *text, int64_t time, uint32_t flags)
{
    return (struct record){.time = time, .flags = flags, .text = {text, strlen(text)}};
}

/* A resend must be recognised; another record must not be taken for one. */
START_TEST(record_hashes)
{
    struct record a = text_record("hello", 5, 0), b = text_record("hello", 5, 0);
    b.seq = 9;
    b.arrival = 77;
    b.flags = RECORD_LATE | RECORD_REDACTED;
    ck_assert_uint_eq(record_hash(&a), record_hash(&b));
    b.time = 6;
    ck_assert_uint_ne(record_hash(&a), record_hash(&b));
    b = text_record("hellp", 5, 0);
    ck_assert_uint_ne(record_hash(&a), record_hash(&b));
    a = text_record("hello", 5, RECORD_NO_TIME);
    b = text_record("hello", 6, RECORD_NO_TIME);
    ck_assert_uint_eq(record_hash(&a), record_hash(&b));
    b.ref = (struct slice){"r", 1};
    ck_assert_uint_ne(record_hash(&a), record_hash(&b));
    struct sample x[] = {{0, 1.5}, {1, 2}}, y[] = {{0, 1.5}, {2, 2}};
    a = (struct record){.samples = x, .sample_count = 2};
    b = (struct record){.samples = y, .sample_count = 2};
    ck_assert_uint_ne(record_hash(&a), record_hash(&b));
    ck_assert_uint_eq(record_payload_size(&a), 20);
    a = (struct record){.time = 5, .media = {"\1\0\2\0", 4}};
    b = (struct record){.time = 5, .media = {"\1\0\3\0", 4}};
    ck_assert_uint_ne(record_hash(&a), record_hash(&b));
    ck_assert_uint_eq(record_payload_size(&a), 4);
    enum stream_kind kind;
    ck_assert_int_eq(stream_kind_parse("sensor", &kind), 0);
    ck_assert_int_eq(kind, KIND_SENSOR);
    ck_assert_int_eq(stream_kind_parse("smell", &kind), ERR_NOTFOUND);
    ck_assert_ptr_null(stream_kind_name((enum stream_kind)9));
}
END_TEST

START_TEST(memory)
{
    uint64_t before = mem_thread_allocations();
    MEM_AUTO char *s = mem_strndup("abcdef", 3);
    ck_assert_str_eq(s, "abc");
    ck_assert_uint_ge(mem_size(s), 4);
    char *p = mem_calloc(3, 5);
    for (int i = 0; i < 15; i++)
        ck_assert_int_eq(p[i], 0);
    mem_free(p);
    mem_free(NULL);
    ck_assert_uint_ge(mem_thread_allocations(), before + 2);
}
END_TEST

START_TEST(log_lines_are_bounded)
{
    int fds[2];
    char text[65536];
    ck_assert_int_eq(pipe(fds), 0);
    int old = dup(2);
    dup2(fds[1], 2);
    unsetenv("JOURNAL_STREAM");
    log_set_level(LOG_LEVEL_INFO);
    log_debug("not this");
    for (int i = 0; i < 200; i++)
        log_info("line %d", i);
    dup2(old, 2);
    close(old);
    close(fds[1]);
    ssize_t n = read(fds[0], text, sizeof(text) - 1);
    close(fds[0]);
    ck_assert_int_gt(n, 0);
    text[n] = '\0';
    int lines = 0;
    for (char *p = text; (p = strchr(p, '\n')); p++)
        lines++;
    ck_assert_int_eq(strncmp(text, "info: line 0\n", 13), 0);
    ck_assert_int_ge(lines, 50);
    ck_assert_int_le(lines, 102); /* two seconds' worth, should the clock tick in between */
}
END_TEST

#ifdef VARVE_FAULT_HOOKS
/* The Nth allocation fails, then the next `repeat` ones; then all is well again. */
START_TEST(countdown)
{
    fault_config(FAULT_ALLOC, 2, 2);
    bool failed[6];
    for (int i = 0; i < 6; i++) {
        void *p = mem_alloc(1);
        failed[i] = !p;
        mem_free(p);
    }
    fault_clear();
    int count = 0;
    for (int i = 0; i < 6; i++)
        count += failed[i];
    ck_assert_int_eq(count, 2);
    ck_assert(!failed[0] && !failed[5]);
    struct buf b = {0};
    fault_config(FAULT_ALLOC, 0, 1000);
    buf_puts(&b, "x");
    fault_clear();
    ck_assert(buf_failed(&b));
}
END_TEST
#endif

int main(void)
{
    Suite *s = suite_create("base");
    TCase *t = tcase_create("base");
    tcase_add_test(t, errors);
    tcase_add_test(t, arena);
    tcase_add_test(t, buffer);
    tcase_add_test(t, numbers_in_bytes);
    tcase_add_test(t, bytes_that_end_early);
    tcase_add_test(t, json_writing);
    tcase_add_test(t, doubles_read_back);
    tcase_add_test(t, utf8);
    tcase_add_test(t, times);
    tcase_add_test(t, times_there_and_back);
    tcase_add_test(t, simulated_clock);
    tcase_add_test(t, record_hashes);
    tcase_add_test(t, memory);
    tcase_add_test(t, log_lines_are_bounded);
#ifdef VARVE_FAULT_HOOKS
    tcase_add_test(t, countdown);
#endif
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
