/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/commands.h"
#include "cli/mcp.h"
#include "cli/show.h"
#include "cli/table.h"
#include "cli/words.h"

static struct args a;
static struct errmsg err;

/* Splits at blanks, the first word being the command. */
static int parse(const char *line)
{
    static struct words w; /* a's values point into it: kept until the next */
    words_free(&w);
    args_deinit(&a);
    ck_assert_int_eq(words_split(line, &w), 0);
    int argc = 0;
    while (w.argv[argc])
        argc++;
    return args_parse(&a, command_find(w.argv[0]), argc, w.argv, &err);
}

static const char *params(void)
{
    static struct buf out;
    struct jsonw w;
    buf_clear(&out);
    jsonw_init(&w, &out);
    jsonw_object(&w);
    args_params(&a, &w);
    jsonw_object_end(&w);
    return out.data;
}

START_TEST(test_good)
{
    ck_assert_int_eq(parse("search --limit 5 door open --stream a --stream=b --json"), 0);
    ck_assert(a.json);
    ck_assert_str_eq(params(), "{\"query\":\"door open\",\"limit\":5,\"streams\":[\"a\",\"b\"]}");
    ck_assert_int_eq(parse("search x --limit 5 --limit 7"), 0);
    ck_assert_str_eq(params(), "{\"query\":\"x\",\"limit\":7}");
    ck_assert_int_eq(parse("search --socket /s -- --limit"), 0);
    ck_assert_str_eq(a.socket, "/s");
    ck_assert_str_eq(params(), "{\"query\":\"--limit\"}");
    ck_assert_int_eq(parse("ask 'a \"quoted\" word' --since 2026-11-20T00:00:00Z"), 0);
    ck_assert_str_eq(params(), "{\"query\":\"a \\\"quoted\\\" word\","
                               "\"since\":\"2026-11-20T00:00:00.000000Z\"}");
    ck_assert_int_eq(parse("search x --recency 0.5"), 0);
    ck_assert_str_eq(params(), "{\"query\":\"x\",\"recency\":0.5}");
    ck_assert_int_eq(parse("remember note --pin"), 0);
    ck_assert_str_eq(params(), "{\"pin\":true}");
    ck_assert_int_eq(parse("timeline -2h"), 0);
    ck_assert_str_eq(a.operands[0], "-2h");
    ck_assert_int_eq(parse("surprise --since -2h"), 0);
    ck_assert_int_eq(parse("open"), ERR_INVALID);
    ck_assert_int_eq(parse("open --help"), 0);
    ck_assert(a.help);
    ck_assert_int_eq(parse("open -h"), 0);
    ck_assert(a.help);
    ck_assert_int_eq(parse("ingest --stream s --kind sensor --rate=10 one two --strict -"), 0);
    ck_assert_int_eq(a.input.kind, KIND_SENSOR);
    ck_assert(a.input.strict && a.input.reader.rate_hz == 10);
    ck_assert(a.operand_count == 3 && strcmp(a.operands[2], "-") == 0);
    ck_assert_str_eq(args_value(&a, "--stream"), "s");
    ck_assert_ptr_null(args_value(&a, "--once"));
}
END_TEST

START_TEST(test_as_many_files_as_there_are)
{
    static char *many[5000] = {"embed", "--kind", "audio"};
    for (int i = 3; i < 5000; i++)
        many[i] = i % 2 ? "a.wav" : "b.wav";
    args_deinit(&a);
    ck_assert_int_eq(args_parse(&a, command_find("embed"), 5000, many, &err), 0);
    ck_assert_int_eq(a.operand_count, 4997);
    ck_assert_str_eq(a.operands[4996], "a.wav");
}
END_TEST

START_TEST(test_wrong)
{
    static const char *const rows[][2] = {
        {"search", "QUERY is missing"},
        {"open 1 2", "one operand too many: 2"},
        {"open 1 --nope", "unknown option --nope"},
        {"search x --limit", "--limit needs a value"},
        {"search x --limit 0", "--limit 0: not a whole number from 1"},
        {"search x --limit 5x", "--limit 5x: not a whole number from 1"},
        {"search x --limit -5", "--limit -5: not a whole number from 1"},
        {"search x --limit 99999999999999999999", NULL},
        {"search x --recency nan", "--recency nan: not a number"},
        {"search x --json=yes", "--json takes no value"},
        {"search x --since someday", NULL},
        {"ingest --kind smell", "--kind smell: not one of text, sensor, audio, video"},
        {"search x --kind text", "unknown option --kind"},
        {"ingest --kind", "--kind needs a value"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        ck_assert_msg(parse(rows[i][0]) == ERR_INVALID, "%s", rows[i][0]);
        if (rows[i][1])
            ck_assert_str_eq(err.text, rows[i][1]);
    }
    ck_assert_int_eq(parse("search x --since someday"), ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(err.text, "--since someday"));
    ck_assert_ptr_null(command_find("nope"));
}
END_TEST

/* Each option goes into a param that its method has, and each command says what it does. */
START_TEST(test_table_of_commands)
{
    for (const struct command *c = commands; c->name; c++) {
        ck_assert(*c->summary && (c->run != NULL) != (c->main != NULL));
        struct buf text = {0};
        args_usage(c, &text);
        ck_assert_ptr_nonnull(strstr(text.data, c->name));
        buf_deinit(&text);
        for (const struct args_option *o = c->options; o && o->name; o++) {
            bool found = o->param == NULL;
            for (int m = 0; m < API_METHODS && !found; m++) {
                const struct api_info *info = api_info((enum api_method)m);
                bool mine = c->method == (enum api_method)m ||
                            (c->method == API_ENTITY_LIST && m == API_ENTITY_HISTORY);
                for (size_t p = 0; mine && p < info->param_count; p++)
                    found = found || strcmp(info->params[p].name, o->param) == 0;
            }
            ck_assert_msg(found, "%s %s", c->name, o->name);
        }
    }
}
END_TEST

START_TEST(test_words)
{
    struct words w;
    ck_assert_int_eq(words_split(" a  'b c' \"d\\\"e\" f\\ g '' ", &w), 0);
    static const char *const expected[] = {"a", "b c", "d\"e", "f g", ""};
    for (int i = 0; i < 5; i++)
        ck_assert_str_eq(w.argv[i], expected[i]);
    ck_assert_ptr_null(w.argv[5]);
    words_free(&w);
    static const char *const bad[] = {"", "  ", "'a", "a \"b", "a\\"};
    for (size_t i = 0; i < 5; i++)
        ck_assert_int_eq(words_split(bad[i], &w), ERR_PARSE);
    char many[3 * WORDS_MAX + 3];
    memset(many, 'x', sizeof(many));
    for (size_t i = 1; i < sizeof(many); i += 2)
        many[i] = ' ';
    many[sizeof(many) - 1] = '\0';
    ck_assert_int_eq(words_split(many, &w), ERR_PARSE);
}
END_TEST

static const char *line(const char *s, int width)
{
    static struct buf out;
    buf_clear(&out);
    text_line(&out, s, width);
    return out.data ? out.data : "";
}

/* What a record holds may not reach the terminal as it is. */
START_TEST(test_text)
{
    ck_assert_str_eq(line("a\033[31mb\tc\nd\x7f", 0), "a·[31mb c d·");
    ck_assert_str_eq(line("a\xe2\x80\xae"
                          "b\xc2\x9b"
                          "c",
                          0),
                     "a·b·c"); /* override, C1 */
    ck_assert_str_eq(line("\xff", 0), "·");
    ck_assert_str_eq(line("abcdef", 6), "abcdef");
    ck_assert_str_eq(line("abcdefg", 6), "abcde…");
    ck_assert_str_eq(line("日本語", 5), "日本…");
    ck_assert_str_eq(line("日本語", 4), "日…");
    ck_assert_int_eq(text_width("日本a\xcc\x88"), 5);
    struct buf out = {0};
    text_block(&out, "one\n\ntwo\r", 2);
    ck_assert_str_eq(out.data, "  one\n\n  two \n");
    buf_deinit(&out);
}
END_TEST

START_TEST(test_table)
{
    static const struct table_column columns[] = {
        {"id", true, "1"}, {"name", false, NULL}, {"title", false, NULL}};
    static const char *const rows[][3] = {{"7", "日本", "a title that is too long to be shown"},
                                          {"123", "x", NULL}};
    struct table t;
    struct buf out = {0};
    table_init(&t, columns, 3);
    table_row(&t, rows[0]);
    table_row(&t, rows[1]);
    table_print(&t, &out, 32, false);
    ck_assert_str_eq(out.data, " id  name  title\n"
                               "  7  日本  a title that is too …\n"
                               "123  x     \n");
    buf_clear(&out);
    table_init(&t, columns, 3);
    table_row(&t, rows[1]);
    table_print(&t, &out, 0, true);
    ck_assert_str_eq(out.data, " id  name  title\n\033[1m123\033[0m  x     \n");
    buf_deinit(&out);
}
END_TEST

START_TEST(test_numbers)
{
    char text[SHOW_NUMBER_SIZE];
    ck_assert_str_eq(show_count(0, text), "0");
    ck_assert_str_eq(show_count(999, text), "999");
    ck_assert_str_eq(show_count(1000, text), "1,000");
    ck_assert_str_eq(show_count(-1234567, text), "-1,234,567");
    ck_assert_str_eq(show_count(-123, text), "-123");
    ck_assert_str_eq(show_count(1e300, text), "1,000,000,000,000,000");
    ck_assert_str_eq(show_bytes(1023, text), "1023 B");
    ck_assert_str_eq(show_bytes(1536, text), "1.5 KiB");
    ck_assert_str_eq(show_bytes(2147483648.0, text), "2.0 GiB");
}
END_TEST

START_TEST(test_times)
{
    struct json *j;
    char text[SHOW_TIME_SIZE];
    static const char json[] = "[\"2026-07-20T22:30:05.5Z\",\"no time\",null]";
    setenv("TZ", "Europe/Berlin", 1);
    tzset();
    ck_assert_int_eq(json_parse(json, strlen(json), &j, NULL), 0);
    struct show s = {.utc = false};
    const struct json *m = json_first(j);
    ck_assert_str_eq(show_time(&s, m, text), "2026-07-21 00:30:05");
    s.utc = true;
    ck_assert_str_eq(show_time(&s, m, text), "2026-07-20T22:30:05Z");
    ck_assert_str_eq(show_time(&s, json_next(m), text), "no time");
    ck_assert_str_eq(show_time(&s, json_next(json_next(m)), text), "");
    json_free(j);
}
END_TEST

/* Whatever an older or newer daemon says, it is shown as far as it goes. */
START_TEST(test_status)
{
    static const char json[] =
        "{\"version\":\"1.0\",\"pid\":10631,\"state\":\"running\",\"started\":\"2026-11-23T12:00:"
        "00Z\","
        "\"uptime\":97200,\"database\":\"/m/memory.db\",\"socket\":\"/m/s\",\"file_bytes\":1024,"
        "\"wal_bytes\":512,\"budget_bytes\":2147483648,\"resident_bytes\":1048576,\"cpu_seconds\":"
        "1.25,"
        "\"records\":1204,\"payload_bytes\":2048,\"moments\":1,\"open_records\":3,\"dropped\":0,"
        "\"redacted\":1,\"late\":0,\"gaps\":2,"
        "\"kept_evidence\":{\"count\":1,\"bytes\":100,\"let_go\":30},"
        "\"kept_moments\":{\"count\":31,\"bytes\":0,\"let_go\":0},"
        "\"memory\":{\"pinned_bytes\":10},\"queues\":{\"model_bytes\":0,\"waiting_for_room\":0},"
        "\"writer\":{\"failed_commits\":0},"
        "\"forgetting\":{\"phase\":\"erasing\",\"planned\":12,\"done\":3},"
        "\"clients\":{\"connections\":1,\"requests\":9,\"errors\":0},"
        "\"sources\":[{\"name\":\"host\",\"reads\":\"host\",\"state\":\"run\\u001bning\","
        "\"errors\":2,"
        "\"restarts\":0}]}";
    struct buf out = {0};
    struct show s = {.out = &out, .utc = true};
    struct json *j;
    ck_assert_int_eq(json_parse(json, strlen(json), &j, NULL), 0);
    show_result(&s, API_DAEMON_STATUS, j);
    ck_assert_str_eq(
        out.data,
        "varved 1.0 is running as process 10631 since 2026-11-23T12:00:00Z, for 1 day 3 hours.\n"
        "It takes 1.0 MiB of memory and took 1.2 seconds of CPU.\n"
        "1 client is connected to /m/s; it answered 9 requests.\n"
        "It took 1,204 records (2.0 KiB) and remembers 1 moment; 3 records belong to moments that "
        "have not ended.\n"
        "The memory /m/memory.db takes 1.5 KiB of its 2.0 GiB, what is pinned 10 B.\n"
        "Kept: the evidence of 1 moment (100 B), 31 moments.\n"
        "Let go to make room: the evidence of 30 moments.\n"
        "2 gaps in the numbers of records.\n"
        "1 secret taken out before anything was written.\n"
        "Forgetting is under way: erasing, 3 of 12 moments.\n"
        "Source host (host): run·ning, 2 errors.\n");
    json_free(j);
    buf_deinit(&out);
}
END_TEST

START_TEST(test_odd_results)
{
    static const char *const results[] = {
        "{}",
        "[]",
        "null",
        "\"x\"",
        "{\"items\":null}",
        "{\"items\":[1,null,{}]}",
        "{\"items\":[{\"id\":5,\"score\":\"x\",\"start\":17,\"stratum\":99,\"title\":null}]}",
        "{\"records\":[{\"values\":{}},{\"text\":7}],\"unusual\":[[]],\"children\":[1,\"2\"]}",
        "{\"absent\":true,\"text\":\"\"}",
        "{\"kept\":[1]}",
        "{\"pinned\":\"x\",\"helped\":0}",
    };
    for (size_t i = 0; i < sizeof(results) / sizeof(*results); i++) {
        struct json *j;
        ck_assert_int_eq(json_parse(results[i], strlen(results[i]), &j, NULL), 0);
        for (int m = 0; m < API_METHODS; m++) {
            struct buf out = {0};
            struct show s = {.out = &out, .width = m % 2 ? 40 : 0, .color = m % 3 == 0};
            show_result(&s, (enum api_method)m, j);
            buf_deinit(&out);
        }
        json_free(j);
    }
}
END_TEST

START_TEST(test_mcp_cut)
{
    struct buf text = {0};
    for (int i = 0; i < 200; i++)
        buf_printf(&text, "line %d äöü\n", i);
    size_t whole = text.size;
    mcp_cut(&text, whole);
    ck_assert_uint_eq(text.size, whole);
    for (size_t budget = 256; budget < whole; budget += 7) {
        struct buf copy = {0};
        buf_append(&copy, text.data, text.size);
        mcp_cut(&copy, budget);
        ck_assert_uint_le(copy.size, budget);
        const char *note = strstr(copy.data, "\n[cut: ");
        ck_assert_ptr_nonnull(note);
        ck_assert_int_eq(strtol(note + 7, NULL, 10), note - copy.data);
        ck_assert(note[-1] == '\xbc'); /* a whole line */
        buf_deinit(&copy);
    }
    buf_deinit(&text);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("cli");
    TCase *t = tcase_create("cli");
    tcase_add_test(t, test_good);
    tcase_add_test(t, test_as_many_files_as_there_are);
    tcase_add_test(t, test_wrong);
    tcase_add_test(t, test_table_of_commands);
    tcase_add_test(t, test_words);
    tcase_add_test(t, test_text);
    tcase_add_test(t, test_table);
    tcase_add_test(t, test_numbers);
    tcase_add_test(t, test_times);
    tcase_add_test(t, test_status);
    tcase_add_test(t, test_odd_results);
    tcase_add_test(t, test_mcp_cut);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
