/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "ipc/json.h"

static struct json_scanner *scanner;

static void setup(void)
{
    ck_assert_int_eq(json_scanner_new(&scanner), 0);
}

static void teardown(void)
{
    json_scanner_free(scanner);
}

/* The bytes stand in a block of their own size, so that a sanitizer sees a read behind them. */
static int check_bytes(const char *text, size_t size, struct errmsg *err)
{
    char *copy = malloc(size ? size : 1);
    memcpy(copy, text, size);
    int r = json_check(scanner, copy, size, err);
    free(copy);
    return r;
}

START_TEST(test_good)
{
    static const char *const good[] = {
        "0",
        "-0",
        "1.5e-3",
        " [ ] ",
        "{}",
        "\"\"",
        "null",
        "true",
        "false",
        "{\"a\":{\"a\":1},\"b\":[{\"a\":1},{\"a\":2}]}",
        "\"\\ud83d\\ude00\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
        "\"\xf0\x9f\x98\x80 \xc3\xa4 12345678\"",
        "[1,2,[3,[4]]]",
        "1e308",
        "5e-324",
        "1e-999",
        "123456789012345678901234567890",
        "\"\x7f\"",
    };
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
        struct errmsg err = {{0}};
        int r = check_bytes(good[i], strlen(good[i]), &err);
        ck_assert_msg(r == 0, "%s: %s", good[i], err.text);
    }
}
END_TEST

START_TEST(test_bad)
{
    static const struct {
        const char *text;
        int code;
        const char *start; /* of the message */
    } bad[] = {
        {"", ERR_PARSE, "byte 0: the text ends"},
        {"{} x", ERR_PARSE, "byte 3: text behind"},
        {"{\"a\":1,\"b\":2,\"a\":3}", ERR_PARSE, "byte 13: the key \"a\" stands twice"},
        {"{\"a\":1,\"\\u0061\":3}", ERR_PARSE, "byte 7: the key \"a\" stands twice"},
        {"[1,{\"x\":{\"y\":1,\"y\":2}}]", ERR_PARSE, "byte 15: "},
        {"\"a\\u0000b\"", ERR_PARSE, "byte 2: \\u0000"},
        {"\"\\ud800\"", ERR_PARSE, "byte 1: lone surrogate"},
        {"\"\\ud800\\u0041\"", ERR_PARSE, "byte 1: lone surrogate"},
        {"\"\\udc00\"", ERR_PARSE, "byte 1: lone surrogate"},
        {"\"\xff\xfe\"", ERR_PARSE, "byte 1: not UTF-8"},
        {"\"12345678\xc3\"", ERR_PARSE, "byte 9: not UTF-8"},
        {"\"\xed\xa0\x80\"", ERR_PARSE, "byte 1: not UTF-8"},
        {"\"a\nb\"", ERR_PARSE, "byte 2: control"},
        {"\"1234567890\tb\"", ERR_PARSE, "byte 11: control"},
        {"\"abc", ERR_PARSE, "byte 0: the string has no end"},
        {"\"abc\\", ERR_PARSE, "byte 5: "},
        {"\"\\x41\"", ERR_PARSE, "byte 1: unknown escape"},
        {"\"\\u12g4\"", ERR_PARSE, "byte 1: \\u without"},
        {"1e400", ERR_RANGE, "byte 0: a number too large"},
        {"[-1e309]", ERR_RANGE, "byte 1: "},
        {"01", ERR_PARSE, "byte 0: a number with a leading zero"},
        {"1.", ERR_PARSE, "byte 2: "},
        {".5", ERR_PARSE, "byte 0: "},
        {"+1", ERR_PARSE, "byte 0: "},
        {"1e", ERR_PARSE, "byte 2: "},
        {"-", ERR_PARSE, "byte 1: "},
        {"NaN", ERR_PARSE, "byte 0: "},
        {"nul", ERR_PARSE, "byte 0: "},
        {"[1,]", ERR_PARSE, "byte 3: "},
        {"[1 2]", ERR_PARSE, "byte 3: "},
        {"{\"a\" 1}", ERR_PARSE, "byte 5: "},
        {"{\"a\":1,}", ERR_PARSE, "byte 7: "},
        {"{a:1}", ERR_PARSE, "byte 1: "},
        {"[", ERR_PARSE, "byte 1: "},
        {"\xef\xbb\xbf{}", ERR_PARSE, "byte 0: "},
        {"0.0000000000000000000000000000000000000000000000000000000000000000001", ERR_LIMIT,
         "byte 0: a number longer"},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct errmsg err = {{0}};
        int r = check_bytes(bad[i].text, strlen(bad[i].text), &err);
        ck_assert_msg(r == bad[i].code, "%s: %s %s", bad[i].text, err_name(r), err.text);
        ck_assert_msg(strncmp(err.text, bad[i].start, strlen(bad[i].start)) == 0, "%s: %s",
                      bad[i].text, err.text);
        struct json *tree = NULL;
        ck_assert_int_lt(json_parse(bad[i].text, strlen(bad[i].text), &tree, NULL), 0);
        ck_assert_ptr_null(tree);
    }
}
END_TEST

/* Bytes that a C string cannot hold. */
START_TEST(test_nul)
{
    ck_assert_int_eq(check_bytes("\"\\\0\"", 4, NULL), ERR_PARSE);
    ck_assert_int_eq(check_bytes("\"\0\"", 3, NULL), ERR_PARSE);
    ck_assert_int_eq(check_bytes("1\0", 2, NULL), ERR_PARSE);
}
END_TEST

START_TEST(test_depth)
{
    char text[2 * JSON_DEPTH_MAX + 2];
    memset(text, '[', JSON_DEPTH_MAX + 1);
    memset(text + JSON_DEPTH_MAX + 1, ']', JSON_DEPTH_MAX + 1);
    ck_assert_int_eq(check_bytes(text, sizeof(text), NULL), ERR_LIMIT);
    ck_assert_int_eq(check_bytes(text + 1, sizeof(text) - 2, NULL), 0);
}
END_TEST

START_TEST(test_values)
{
    size_t n = 2 * (JSON_VALUES_MAX - 1) + 1;
    char *text = malloc(n + 2);
    for (size_t i = 0; i < n; i++)
        text[i] = i % 2 ? '0' : ',';
    text[0] = '[';
    text[n - 1] = ']';
    ck_assert_int_eq(check_bytes(text, n, NULL), 0);
    memcpy(text + n - 1, ",0]", 3);
    ck_assert_int_eq(check_bytes(text, n + 2, NULL), ERR_LIMIT);
    free(text);
}
END_TEST

/* Many keys are found twice too, and the table shrinks back and keeps finding them. */
START_TEST(test_many_keys)
{
    for (int round = 0; round < 3; round++) {
        struct buf text = {0};
        buf_putc(&text, '{');
        for (int i = 0; i < 20000; i++)
            buf_printf(&text, "\"k%d\":{\"k%d\":0},", i, i);
        size_t keep = text.size;
        buf_puts(&text, "\"last\":0}");
        ck_assert_int_eq(check_bytes(text.data, text.size, NULL), 0);
        text.size = keep;
        buf_puts(&text, "\"k7\":0}");
        ck_assert_int_eq(check_bytes(text.data, text.size, NULL), ERR_PARSE);
        buf_deinit(&text);
        for (int i = 0; i < 1000; i++)
            ck_assert_int_eq(check_bytes("{\"a\":1,\"b\":2,\"c\":3}", 19, NULL), 0);
        ck_assert_int_eq(check_bytes("{\"a\":1,\"b\":2,\"a\":3}", 19, NULL), ERR_PARSE);
    }
}
END_TEST

START_TEST(test_numbers)
{
    static const char *const numbers[] = {
        "0.1",
        "-17.25",
        "1e22",
        "1e23",
        "123456789012345",
        "1234567890123456789",
        "0.000001234",
        "2.2250738585072014e-308",
        "1.7976931348623157e308",
        "100000000000000000000000",
        "9007199254740993",
        "0.30000000000000004",
        "1e-5",
        "12.5e3",
        "0e99999999",
        "0.0",
    };
    for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
        char text[128];
        int n = snprintf(text, sizeof(text), "{\"v\":%s}", numbers[i]);
        struct json_field f;
        ck_assert_int_eq(json_scan_object(scanner, text, (size_t)n, NULL), 0);
        ck_assert_int_eq(json_scan_next(scanner, &f, NULL), 0);
        ck_assert_int_eq(f.type, JSON_NUMBER);
        ck_assert_msg(f.number == strtod(numbers[i], NULL), "%s: %.17g", numbers[i], f.number);
    }
}
END_TEST

START_TEST(test_scan)
{
    static const char text[] =
        " {\"text\":\"a\\u00e4\\ud83d\\ude00\\n\",\"n\\u0061me\":\"x\",\"deep\":{\"a\":[1,{}]},"
        "\"ok\":true,\"no\":null,\"id\":\"9223372036854775807\"} ";
    struct arena arena;
    arena_init(&arena, 256);
    struct json_field f;
    struct slice s;
    ck_assert_int_eq(json_scan_object(scanner, text, strlen(text), NULL), 0);
    ck_assert_int_eq(json_scan_next(scanner, &f, NULL), 0);
    ck_assert(json_field_is(&f, "text") && !json_field_is(&f, "tex") && f.escaped);
    ck_assert_int_eq(json_field_text(&f, &arena, &s), 0);
    ck_assert_uint_eq(s.size, 8);
    ck_assert_mem_eq(s.data, "a\xc3\xa4\xf0\x9f\x98\x80\n", 8);
    ck_assert_int_eq(json_scan_next(scanner, &f, NULL), 0);
    ck_assert(json_field_is(&f, "name") && !f.escaped);
    ck_assert_int_eq(json_field_text(&f, &arena, &s), 0);
    ck_assert(s.size == 1 && s.data == f.raw.data);
    ck_assert_int_eq(json_scan_next(scanner, &f, NULL), 0);
    ck_assert_int_eq(f.type, JSON_OBJECT);
    ck_assert_mem_eq(f.raw.data, "{\"a\":[1,{}]}", f.raw.size);
    ck_assert_int_eq(json_scan_next(scanner, &f, NULL), 0);
    ck_assert(f.type == JSON_BOOL && f.boolean);
    ck_assert_int_eq(json_scan_next(scanner, &f, NULL), 0);
    ck_assert_int_eq(f.type, JSON_NULL);
    ck_assert_int_eq(json_scan_next(scanner, &f, NULL), 0);
    int64_t id;
    ck_assert_int_eq(json_field_int64(&f, &id), 0);
    ck_assert_int_eq(id, INT64_MAX);
    ck_assert_int_eq(json_scan_next(scanner, &f, NULL), JSON_END);
    arena_deinit(&arena);
}
END_TEST

START_TEST(test_scan_errors)
{
    struct json_field f;
    struct errmsg err;
    ck_assert_int_eq(json_scan_object(scanner, "[1]", 3, &err), ERR_PARSE);
    ck_assert_int_eq(json_scan_object(scanner, "{\"a\":1,\"a\":2}", 13, &err), 0);
    ck_assert_int_eq(json_scan_next(scanner, &f, &err), 0);
    ck_assert_int_eq(json_scan_next(scanner, &f, &err), ERR_PARSE);
    ck_assert_int_eq(json_scan_object(scanner, "{\"a\":1}}", 8, &err), 0);
    ck_assert_int_eq(json_scan_next(scanner, &f, &err), 0);
    ck_assert_int_eq(json_scan_next(scanner, &f, &err), ERR_PARSE);
    ck_assert_str_eq(err.text, "byte 7: text behind the value");
}
END_TEST

START_TEST(test_tree)
{
    static const char text[] = "{\"A\":1,\"a\":\"x\\ty\",\"list\":[1,true,null,{\"k\":-2.5}],"
                               "\"big\":9007199254740993,\"max\":\"18446744073709551615\","
                               "\"neg\":\"-5\",\"frac\":1.5,\"blank\":\" 5\"}";
    struct json *j;
    int64_t v;
    uint64_t u;
    ck_assert_int_eq(json_parse(text, strlen(text), &j, NULL), 0);
    ck_assert_uint_eq(json_size(j), 8);
    ck_assert_str_eq(json_string(json_get(j, "a")), "x\ty");
    ck_assert_int_eq(json_int64(json_get(j, "A"), &v), 0);
    ck_assert_int_eq(v, 1);
    const struct json *list = json_get(j, "list");
    ck_assert_uint_eq(json_size(list), 4);
    const struct json *m = json_next(json_first(list));
    ck_assert(json_bool(m, false) && json_key(m) == NULL);
    m = json_next(json_next(m));
    ck_assert(json_double(json_get(m, "k"), 0) == -2.5);
    ck_assert_ptr_null(json_next(m));
    /* cJSON would round it in silence. */
    ck_assert_int_eq(json_int64(json_get(j, "frac"), &v), ERR_INVALID);
    ck_assert_int_eq(json_int64(json_get(j, "blank"), &v), ERR_INVALID);
    ck_assert_int_eq(json_int64(json_get(j, "neg"), &v), 0);
    ck_assert_int_eq(v, -5);
    ck_assert_int_eq(json_uint64(json_get(j, "neg"), &u), ERR_INVALID);
    ck_assert_int_eq(json_uint64(json_get(j, "max"), &u), 0);
    ck_assert(u == UINT64_MAX);
    ck_assert_int_eq(json_int64(json_get(j, "max"), &v), ERR_INVALID);
    ck_assert_ptr_null(json_get(j, "LIST"));
    ck_assert_ptr_null(json_get(NULL, "x"));
    ck_assert_ptr_null(json_string(json_get(j, "A")));
    ck_assert_int_eq(json_type(NULL), 0);
    json_free(j);
    ck_assert_int_eq(json_parse("{\"v\":9007199254740994}", 22, &j, NULL), 0);
    ck_assert_int_eq(json_int64(json_get(j, "v"), &v), ERR_INVALID);
    json_free(j);
}
END_TEST

START_TEST(test_warm_scan_allocates_nothing)
{
    static const char line[] = "{\"time\":\"2026-11-20T13:00:00Z\",\"text\":\"a line\",\"n\":17}";
    uint64_t before = 0;
    for (int i = 0; i < 2000; i++) {
        struct json_field f;
        int r = json_scan_object(scanner, line, strlen(line), NULL);
        while (r == 0)
            r = json_scan_next(scanner, &f, NULL);
        ck_assert_int_eq(r, JSON_END);
        if (i == 100)
            before = mem_thread_allocations();
    }
    ck_assert_uint_eq(mem_thread_allocations(), before);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("json");
    TCase *t = tcase_create("json");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_good);
    tcase_add_test(t, test_bad);
    tcase_add_test(t, test_nul);
    tcase_add_test(t, test_depth);
    tcase_add_test(t, test_values);
    tcase_add_test(t, test_many_keys);
    tcase_add_test(t, test_numbers);
    tcase_add_test(t, test_scan);
    tcase_add_test(t, test_scan_errors);
    tcase_add_test(t, test_tree);
    tcase_add_test(t, test_warm_scan_allocates_nothing);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
