/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <string.h>

#include "ipc/api.h"

static struct errmsg err;
static const char *param;

static int check(enum api_method method, const char *params)
{
    struct json *j = NULL;
    if (params)
        ck_assert_msg(json_parse(params, strlen(params), &j, &err) == 0, "%s", err.text);
    int r = api_check(method, j, &param, &err);
    /* The name lives with the params: compare it before they go. */
    if (r < 0)
        ck_assert_msg(strncmp(err.text, param, strlen(param)) == 0, "%s: %s", param, err.text);
    json_free(j);
    return r;
}

START_TEST(test_find)
{
    enum api_method m;
    ck_assert_int_eq(api_find("memory.search", 13, &m), 0);
    ck_assert_int_eq(m, API_MEMORY_SEARCH);
    ck_assert_str_eq(api_info(m)->name, "memory.search");
    ck_assert_int_eq(api_find("memory.searc", 12, &m), ERR_NOTFOUND);
    ck_assert_int_eq(api_find("memory.search2", 14, &m), ERR_NOTFOUND);
    ck_assert_int_eq(api_find("", 0, &m), ERR_NOTFOUND);
    ck_assert_int_eq(api_find_tool("ask", &m), 0);
    ck_assert_int_eq(m, API_MEMORY_ASK);
    ck_assert_int_eq(api_find_tool("reload", &m), ERR_NOTFOUND);
}
END_TEST

START_TEST(test_check)
{
    enum api_method m = API_MEMORY_SEARCH;
    ck_assert_int_eq(check(m, "{\"query\":\"x\",\"limit\":5,\"streams\":[\"a\",\"b\"]}"), 0);
    ck_assert_int_eq(check(m, "{\"query\":\"x\",\"limit\":\"5\",\"streams\":\"a\"}"), 0);
    static const char *const bad[][2] = {
        {NULL, "query: is missing"},
        {"[]", "params: must be an object"},
        {"{\"limit\":5}", "query: is missing"},
        {"{\"query\":1}", "query: must be a string, not number"},
        {"{\"query\":\"x\",\"limit\":0}", "limit: at least 1"},
        {"{\"query\":\"x\",\"limit\":1001}", "limit: at most 1000"},
        {"{\"query\":\"x\",\"limit\":1.5}", "limit: must be a whole number, not number"},
        {"{\"query\":\"x\",\"streams\":[1]}",
         "streams: must be an array of strings only, not number"},
        {"{\"query\":\"x\",\"streams\":{}}", "streams: must be an array of strings, not object"},
        {"{\"query\":\"x\",\"recency\":2}", "recency: at most 1"},
        {"{\"query\":\"x\",\"nope\":2}", "nope: memory.search has no such param"},
        {"{\"query\":\"x\",\"since\":null}", "since: must be a string, not null"},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        ck_assert_int_eq(check(m, bad[i][0]), ERR_INVALID);
        ck_assert_str_eq(err.text, bad[i][1]);
    }
    ck_assert_int_eq(check(API_STREAM_OPEN, "{\"name\":\"s\",\"kind\":\"smell\"}"), ERR_INVALID);
    ck_assert_str_eq(err.text, "kind: must be \"text\" or \"sensor\" or \"audio\" or \"video\"");
    ck_assert_int_eq(check(API_STREAM_OPEN, "{\"name\":\"\",\"kind\":\"text\"}"), ERR_INVALID);
    ck_assert_str_eq(err.text, "name: at least 1 bytes");
    ck_assert_int_eq(check(API_MEMORY_FEEDBACK, "{\"id\":\"1\",\"helped\":1}"), ERR_INVALID);
    ck_assert_int_eq(check(API_DAEMON_STATUS, NULL), 0);
}
END_TEST

START_TEST(test_values)
{
    struct json *j;
    const char *text = "{\"query\":\"x\",\"recency\":0.5}";
    ck_assert_int_eq(json_parse(text, strlen(text), &j, NULL), 0);
    ck_assert_str_eq(api_string(API_MEMORY_SEARCH, j, "query"), "x");
    ck_assert_ptr_null(api_string(API_MEMORY_SEARCH, j, "since"));
    ck_assert_int_eq(api_int(API_MEMORY_SEARCH, j, "limit"), 10);
    ck_assert(api_number(API_MEMORY_SEARCH, j, "recency") == 0.5);
    ck_assert_int_eq(api_int(API_MEMORY_ASK, NULL, "budget"), 4096);
    ck_assert(!api_bool(API_MEMORY_REMEMBER, NULL, "pin"));
    ck_assert(api_has(j, "query") && !api_has(j, "limit") && !api_has(NULL, "limit"));
    json_free(j);
}
END_TEST

START_TEST(test_codes)
{
    for (int e = ERR_INTERNAL; e < 0; e++)
        ck_assert_int_eq(api_error_back(api_error_code(e)), e);
    ck_assert_int_eq(api_error_code(ERR_NOTFOUND), -32007);
    ck_assert_int_eq(api_error_back(-32601), ERR_UNSUPPORTED);
    ck_assert_int_eq(api_error_back(-32099), ERR_IO);
}
END_TEST

START_TEST(test_table)
{
    for (int i = 0; i < API_METHODS; i++) {
        const struct api_info *info = api_info((enum api_method)i);
        ck_assert_ptr_nonnull(info->name);
        ck_assert((info->tool == NULL) == (info->tool_schema == NULL));
        if (!info->tool)
            continue;
        struct json *j;
        ck_assert_int_eq(json_parse(info->tool_schema, strlen(info->tool_schema), &j, &err), 0);
        ck_assert_str_eq(json_string(json_get(j, "name")), info->tool);
        json_free(j);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("api");
    TCase *t = tcase_create("api");
    tcase_add_test(t, test_find);
    tcase_add_test(t, test_check);
    tcase_add_test(t, test_values);
    tcase_add_test(t, test_codes);
    tcase_add_test(t, test_table);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
