/* SPDX-License-Identifier: Apache-2.0 */
/* varve-dump on a small file; tests/integration/test_dump.py asks the program itself. */
#include <check.h>
#include <fcntl.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "memory/dump/html.h"
#include "memory/sqlite.h"
#include "tests/sample/sample_db.h"

#define MOMENTS 60

static char folder[64], path[96];
static struct errmsg err;
static struct store *store;

/* What the program printed: standard output, standard error, exit status. */
static char *output, *errors;
static size_t output_size;
static int status;

static void setup(void)
{
    setenv("TZ", "UTC", 1);
    snprintf(folder, sizeof(folder), "/tmp/varve-dump-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/memory.db", folder);
    ck_assert_msg(sample_db_make(path, MOMENTS, &store, &err) == 0, "%s", err.text);
}

static void teardown(void)
{
    char command[128];
    store_close(store);
    store = NULL;
    free(errors);
    mem_free(output);
    output = errors = NULL;
    snprintf(command, sizeof(command), "rm -r %s", folder);
    ck_assert_int_eq(system(command), 0);
}

static void run(int argc, const char **argv)
{
    char name[96], *words[16] = {"varve-dump"};
    size_t errors_size;
    snprintf(name, sizeof(name), "%s/out", folder);
    for (int i = 0; i < argc; i++)
        words[i + 1] = (char *)argv[i];
    int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);
    ck_assert_int_ge(fd, 0);
    free(errors);
    mem_free(output);
    FILE *f = open_memstream(&errors, &errors_size);
    status = dump_run(argc + 1, words, fd, f);
    fclose(f);
    output_size = (size_t)lseek(fd, 0, SEEK_END);
    output = mem_alloc(output_size + 1);
    ck_assert_int_eq(pread(fd, output, output_size, 0), (ssize_t)output_size);
    output[output_size] = 0;
    close(fd);
}

#define RUN(...)                                                                                   \
    do {                                                                                           \
        const char *argv_[] = {__VA_ARGS__};                                                       \
        run((int)(sizeof(argv_) / sizeof(argv_[0])), argv_);                                       \
    } while (0)

#define RUN_OK(...)                                                                                \
    do {                                                                                           \
        RUN(__VA_ARGS__);                                                                          \
        ck_assert_msg(status == 0, "%s", errors);                                                  \
    } while (0)

static void change(const char *sql)
{
    sqlite3 *db;
    store_close(store);
    store = NULL;
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK, "%s", sqlite3_errmsg(db));
    sqlite3_close(db);
}

static int count(const char *what)
{
    int n = 0;
    for (const char *at = output; (at = strstr(at, what)); at += strlen(what))
        n++;
    return n;
}

START_TEST(test_text_shows_every_moment)
{
    RUN_OK(path);
    ck_assert_int_eq(count("▁  cpu, memory and load1 as usual"), MOMENTS - 1);
    ck_assert_int_eq(count("▁  cron: jobs done, 8 lines"), MOMENTS - 1);
    ck_assert_int_eq(count(SAMPLE_ODD_TITLE "  [first line of its kind]"), 1);
    ck_assert_int_ge(count("  day  "), 1);
    ck_assert_int_ge(count("  hour  "), 5);
    ck_assert_int_ge(count("  episode  "), 1);
    ck_assert_ptr_nonnull(strstr(output, "3 streams, "));
    /* Nothing that a terminal would take for a command. */
    ck_assert_ptr_null(strchr(output, '\033'));
    ck_assert_ptr_null(strstr(output, "\xe2\x80\xae"));
}
END_TEST

START_TEST(test_text_marks_what_is_unusual)
{
    RUN_OK(path, "--stratum", "moment", "--stream", "journal");
    ck_assert_int_eq(count("\n! "), 1);
    ck_assert_int_eq(count("journal  "), MOMENTS);
    ck_assert_int_eq(count("host  "), 0);
}
END_TEST

START_TEST(test_filter_by_time)
{
    RUN_OK(path, "--stratum", "0", "--since", "2026-11-20T01:00:00Z", "--until",
           "2026-11-20T01:10:00Z", "--stream", "host");
    ck_assert_int_eq(count("host  "), 2);
    RUN_OK(path, "--since", "2027-01-01");
    ck_assert_ptr_nonnull(strstr(output, "nothing is remembered here"));
}
END_TEST

START_TEST(test_ndjson_has_a_line_a_span)
{
    RUN_OK(path, "--format", "ndjson", "--stratum", "moments");
    ck_assert_int_eq(count("\n"), 2 * MOMENTS + SAMPLE_NOTES);
    ck_assert_int_eq(count("{\"id\":"), 2 * MOMENTS + SAMPLE_NOTES);
    ck_assert_int_eq(count("\"why\":\"first line of its kind\""), 1);
}
END_TEST

START_TEST(test_records_come_once_each)
{
    RUN_OK(path, "--records");
    ck_assert_int_eq(count("\n"), (int)sample_db_records(MOMENTS));
    RUN_OK(path, "--records", "--stream", "journal");
    ck_assert_int_eq(count("\n"), 8 * MOMENTS + SAMPLE_WAITING);
    char seq[32];
    for (int i = 1; i <= 8 * MOMENTS + SAMPLE_WAITING; i++) {
        snprintf(seq, sizeof(seq), "\"seq\":\"%d\"", i);
        ck_assert_int_eq(count(seq), 1);
    }
    ck_assert_int_eq(count("\"payload\":\"waits\""), SAMPLE_WAITING);
}
END_TEST

START_TEST(test_html_holds_markup_only_as_data)
{
    RUN_OK(path, "--format", "html");
    ck_assert_int_eq(count("<script>window.harm"), 0);
    ck_assert_int_ge(count("\\u003cscript>window.harm"), 1);
    ck_assert_int_eq(count("</script>"), 2);
    ck_assert_int_eq(count("<img"), 0);
    ck_assert_ptr_nonnull(strstr(output, "script-src 'sha256-"));
    ck_assert_int_eq(count("http://"), 1); /* the name of SVG, which nothing fetches */
    ck_assert_int_eq(count("https://"), 0);
    ck_assert_ptr_nonnull(strstr(output, SAMPLE_ODD_TITLE));
}
END_TEST

START_TEST(test_html_without_excerpts)
{
    RUN_OK(path, "--format", "html");
    ck_assert_int_ge(count("kernel: " SAMPLE_ODD_TITLE), 1);
    RUN_OK(path, "--format", "html", "--excerpts", "0");
    ck_assert_int_eq(count("kernel: " SAMPLE_ODD_TITLE), 0);
    ck_assert_ptr_nonnull(strstr(output, "\"excerpts\":{}"));
}
END_TEST

START_TEST(test_stats)
{
    RUN_OK(path, "--stats");
    ck_assert_ptr_nonnull(strstr(output, "pages of 4096 bytes"));
    ck_assert_ptr_nonnull(strstr(output, "waiting for a moment"));
    ck_assert_ptr_nonnull(strstr(output, "latent"));
    ck_assert_ptr_nonnull(strstr(output, "evidence"));
}
END_TEST

START_TEST(test_verify_and_backup)
{
    char copy[96];
    snprintf(copy, sizeof(copy), "%s/copy.db", folder);
    RUN_OK(path, "--verify");
    ck_assert_ptr_nonnull(strstr(output, ": sound: "));
    RUN_OK(path, "--backup", copy);
    RUN_OK(copy, "--records");
    ck_assert_int_eq(count("\n"), (int)sample_db_records(MOMENTS));
    RUN(path, "--backup", copy);
    ck_assert_int_eq(status, 1);
    ck_assert_ptr_nonnull(strstr(errors, copy));
    change("UPDATE moment SET hash = zeroblob(16) WHERE id = 2");
    RUN(path, "--verify");
    ck_assert_int_eq(status, 1);
    ck_assert_ptr_nonnull(strstr(errors, "moment 2"));
}
END_TEST

START_TEST(test_wrong_usage)
{
    static const char *const wrong[][3] = {
        {"--format", "xml", "xml"},           {"--stratum", "century", "century"},
        {"--since", "whenever", "--since"},   {"--colour", NULL, "--colour"},
        {"--stats", "--records", "only one"}, {"--excerpts", "-1", "--excerpts"},
        {"--stats", "--stream=x", "--stats"}, {"--records", "--stratum=0", "--stratum"},
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        if (wrong[i][1])
            RUN(path, wrong[i][0], wrong[i][1]);
        else
            RUN(path, wrong[i][0]);
        ck_assert_msg(status == 2, "%s: status %d", wrong[i][0], status);
        ck_assert_msg(strstr(errors, wrong[i][2]) != NULL, "%s", errors);
        ck_assert_uint_eq(output_size, 0);
    }
}
END_TEST

START_TEST(test_unknown_stream)
{
    RUN(path, "--stream", "nowhere");
    ck_assert_int_eq(status, 1);
    ck_assert_ptr_nonnull(strstr(errors, "nowhere"));
}
END_TEST

START_TEST(test_refuses_what_is_not_its_file)
{
    char name[96];
    snprintf(name, sizeof(name), "%s/none", folder);
    RUN(name);
    ck_assert_int_eq(status, 1);
    ck_assert_ptr_nonnull(strstr(errors, "none"));
    change("PRAGMA user_version = 99");
    RUN(path);
    ck_assert_int_eq(status, 1);
    ck_assert_ptr_nonnull(strstr(errors, "newer"));
    change("PRAGMA application_id = 7");
    RUN(path);
    ck_assert_int_eq(status, 1);
    ck_assert_ptr_nonnull(strstr(errors, "not a varve memory"));
    FILE *f = fopen(path, "w");
    fprintf(f, "a text file that is long enough to be looked at as if it were a database header, "
               "which has a hundred bytes at the least\n");
    fclose(f);
    RUN(path);
    ck_assert_int_eq(status, 1);
    ck_assert_ptr_nonnull(strstr(errors, path));
}
END_TEST

START_TEST(test_names_the_damage)
{
    change("UPDATE evidence SET block = zeroblob(40) WHERE moment = 3");
    RUN(path, "--records");
    ck_assert_int_eq(status, 1);
    ck_assert_ptr_nonnull(strstr(errors, "evidence of moment 3"));
    RUN_OK(path);
    change("UPDATE moment SET t_start = -5 WHERE id = 4");
    RUN(path);
    ck_assert_int_eq(status, 1);
    ck_assert_ptr_nonnull(strstr(errors, "moment 4"));
}
END_TEST

/* A parent that is not there, or is its own grandchild, leaves nothing out and ends. */
START_TEST(test_walks_broken_trees)
{
    change("UPDATE moment SET parent = 999999 WHERE id = 1;"
           "UPDATE moment SET parent = 3 WHERE id = 2;"
           "UPDATE moment SET parent = 3 WHERE id = 3");
    RUN_OK(path, "--format", "ndjson");
    for (int id = 1; id <= 3; id++) {
        char text[32];
        snprintf(text, sizeof(text), "{\"id\":%d,", id);
        ck_assert_int_eq(count(text), 1);
    }
    RUN_OK(path, "--format", "html");
}
END_TEST

START_TEST(test_text_is_cut_to_columns)
{
    struct dump_out out = {.buf = {0}};
    ck_assert_int_eq(dump_out_text(&out, "abcdef", 6), 6);
    ck_assert_str_eq(out.buf.data, "abcdef");
    buf_clear(&out.buf);
    ck_assert_int_eq(dump_out_text(&out, "abcdefg", 6), 6);
    buf_putc(&out.buf, 0);
    ck_assert_str_eq(out.buf.data, "abcde…");
    buf_clear(&out.buf);
    /* Two columns each: three and the ellipsis fill seven. */
    ck_assert_int_eq(dump_out_text(&out, "日本語文字", 8), 7);
    buf_putc(&out.buf, 0);
    ck_assert_str_eq(out.buf.data, "日本語…");
    buf_clear(&out.buf);
    dump_out_text(&out, "a\x1b[1m\n\xff\tb", 0);
    buf_putc(&out.buf, 0);
    ck_assert_str_eq(out.buf.data, "a\xef\xbf\xbd[1m \xef\xbf\xbd b");
    buf_deinit(&out.buf);
}
END_TEST

START_TEST(test_intern)
{
    struct intern t = {.count = 0};
    char text[32];
    uint32_t n;
    for (uint32_t round = 0; round < 2; round++)
        for (uint32_t i = 0; i < 5000; i++) {
            snprintf(text, sizeof(text), "text %u", i);
            ck_assert_int_eq(intern_put(&t, text, strlen(text), &n), 0);
            ck_assert_uint_eq(n, i);
        }
    ck_assert_uint_eq(t.count, 5000);
    struct slice s = intern_get(&t, 4321);
    ck_assert_uint_eq(s.size, strlen("text 4321"));
    ck_assert_int_eq(memcmp(s.data, "text 4321", s.size), 0);
    intern_deinit(&t);
}
END_TEST

START_TEST(test_channel_of_a_reason)
{
    const char *names[] = {"cpu", "cpu.user", NULL, "load 1"};
    struct file_stream stream = {.channels = names, .channel_count = 4};
    ck_assert_int_eq(page_channel_of(&stream, "cpu 97, usually 3 to 21"), 0);
    ck_assert_int_eq(page_channel_of(&stream, "cpu.user 97, usually 3 to 21"), 1);
    ck_assert_int_eq(page_channel_of(&stream, "load 1: a step"), 3);
    ck_assert_int_eq(page_channel_of(&stream, "cpux 1"), -1);
    ck_assert_int_eq(page_channel_of(&stream, ""), -1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("dump");
    TCase *file = tcase_create("file");
    TCase *parts = tcase_create("parts");
    tcase_set_timeout(file, 60);
    tcase_add_checked_fixture(file, setup, teardown);
    tcase_add_test(file, test_text_shows_every_moment);
    tcase_add_test(file, test_text_marks_what_is_unusual);
    tcase_add_test(file, test_filter_by_time);
    tcase_add_test(file, test_ndjson_has_a_line_a_span);
    tcase_add_test(file, test_records_come_once_each);
    tcase_add_test(file, test_html_holds_markup_only_as_data);
    tcase_add_test(file, test_html_without_excerpts);
    tcase_add_test(file, test_stats);
    tcase_add_test(file, test_verify_and_backup);
    tcase_add_test(file, test_wrong_usage);
    tcase_add_test(file, test_unknown_stream);
    tcase_add_test(file, test_refuses_what_is_not_its_file);
    tcase_add_test(file, test_names_the_damage);
    tcase_add_test(file, test_walks_broken_trees);
    tcase_add_test(parts, test_text_is_cut_to_columns);
    tcase_add_test(parts, test_intern);
    tcase_add_test(parts, test_channel_of_a_reason);
    suite_add_tcase(suite, file);
    suite_add_tcase(suite, parts);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
