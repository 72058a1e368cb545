/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "memory/schema.h"
#include "tests/unit/store_fixture.h"

#define RECORDS (6 * 68 + 5 + 2 + 800)

/* What the last program of schema version 1 wrote (tests/data/make-memory-v1.sh). */
static void copy_old_file(void)
{
    char command[600];
    const char *build = getenv("VARVE_BUILD_ROOT");
    snprintf(command, sizeof(command),
             "rm -f %s*; install -m 600 %s/tests/data/memory-v1.db %s", path, build ? build : ".",
             path);
    ck_assert_int_eq(system(command), 0);
}

static int64_t number_raw(const char *sql)
{
    sqlite3 *db;
    int64_t v;
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    OK(sql_int64(db, sql, &v, &err));
    sqlite3_close(db);
    return v;
}

static void check_all_there(void)
{
    struct verify_counts counts;
    ck_assert_msg(verify_file(path, &counts, &err) == 0, "%s", err.text);
    ck_assert_uint_eq(counts.records + counts.journaled, RECORDS);
}

START_TEST(test_keeps_everything)
{
    static const char sums[] =
        "SELECT sum(id * 7 + t_start % 1000003 + records + length(title)) FROM moment "
        "WHERE stratum BETWEEN 0 AND 3";
    copy_old_file();
    ck_assert_int_eq(number_raw("PRAGMA user_version"), 1);
    int64_t before = number_raw(sums);
    int64_t words = number_raw("SELECT count(*) FROM words WHERE words MATCH 'anna'");
    ck_assert_int_gt(words, 0);
    store_close(opened());
    check_all_there();
    ck_assert_int_eq(number("PRAGMA user_version"), SCHEMA_VERSION);
    ck_assert_int_eq(number(sums), before);
    ck_assert_int_eq(number("SELECT count(*) FROM words WHERE words MATCH 'anna'"), words);
    /* And it goes on: consolidation finds what the new version makes of old data. */
    struct store *s = opened();
    consolidate_all(s);
    put_moment(s, stream_of(s, "new"), 1, 40, T0, END_SHIFT);
    consolidate_all(s);
    store_close(s);
    OK(verify_file(path, NULL, &err));
    ck_assert_int_gt(number("SELECT count(*) FROM moment WHERE stratum=5"), 0);
}
END_TEST

/* The timer of a child that migrates ends it, a little later each time. */
START_TEST(test_killed_on_the_way)
{
    int killed = 0, status = 0;
    for (int us = 200; us < 200000 && !(WIFEXITED(status) && killed > 5); us += us / 4) {
        copy_old_file();
        pid_t child = fork();
        ck_assert_int_ge(child, 0);
        if (child == 0) {
            const struct itimerval timer = {.it_value = {.tv_usec = us}};
            signal(SIGALRM, SIG_DFL);
            setitimer(ITIMER_REAL, &timer, NULL);
            struct store *s;
            struct store_options o = {.path = path, .clock = &now, .no_sync = true};
            _exit(store_open(&o, &s, &err) == 0 ? 0 : 1);
        }
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert(!WIFEXITED(status) || WEXITSTATUS(status) == 0);
        killed += !WIFEXITED(status);
        store_close(opened());
        check_all_there();
    }
    ck_assert_int_gt(killed, 0);
}
END_TEST

static int told;
static char told_last[128];

static void count_told(void *arg, const char *what)
{
    told++;
    snprintf(told_last, sizeof(told_last), "%s", what);
}

/* Every look at it takes two seconds. */
static int64_t slow_mono(const struct clock *c)
{
    static int64_t at;
    return at += 2 * US_PER_SECOND;
}

START_TEST(test_tells_how_it_goes)
{
    struct store *s;
    now.mono = slow_mono;
    struct store_options o = {
        .path = path, .clock = &now, .no_sync = true, .progress = count_told};
    /* A new file is no migration. */
    OK(store_open(&o, &s, &err));
    store_close(s);
    ck_assert_int_eq(told, 0);
    copy_old_file();
    OK(store_open(&o, &s, &err));
    store_close(s);
    ck_assert_int_gt(told, 0);
    ck_assert_ptr_nonnull(strstr(told_last, "schema version 1 to 2"));
}
END_TEST

START_TEST(test_newer_is_refused)
{
    store_close(opened());
    sqlite3 *db;
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    OK(sql_exec(db, "PRAGMA user_version=99", &err));
    sqlite3_close(db);
    ck_assert_int_eq(open_code(), ERR_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(err.text, "newer varve: schema version 99"));
    ck_assert_int_eq(number_raw("PRAGMA user_version"), 99);
    /* Readers of an older file say what to do. */
    copy_old_file();
    ck_assert_int_eq(verify_file(path, NULL, &err), ERR_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(err.text, "start varved on it once"));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("migrate");
    TCase *t = tcase_create("migrate");
    sqlite_setup();
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_keeps_everything);
    tcase_add_test(t, test_killed_on_the_way);
    tcase_add_test(t, test_tells_how_it_goes);
    tcase_add_test(t, test_newer_is_refused);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
