/* SPDX-License-Identifier: Apache-2.0 */
/* tests/integration/test_salvage.py damages whole files; here is what it takes the store to make. */
#include "memory/erase.h"
#include "memory/salvage/salvage.h"
#include "tests/unit/store_fixture.h"

#define PAGE 4096

static char out[180];

static void salvage(bool lost)
{
    struct salvage_report report;
    snprintf(out, sizeof(out), "%s/out.db", folder);
    unlink(out);
    ck_assert_msg(salvage_file(path, out, &report, &err) == 0, "%s", err.text);
    ck_assert_msg(!report.spare, "%s", report.why.text);
    ck_assert_int_eq(salvage_lost(&report), lost);
}

static int64_t number_of(const char *file, const char *sql)
{
    sqlite3 *db;
    int64_t v;
    OK(sqlite_open_readonly(file, 0, &db, &err));
    ck_assert_msg(sql_int64(db, sql, &v, &err) == 0, "%s: %s", sql, err.text);
    sqlite3_close(db);
    return v;
}

static void check_same(const char *sql)
{
    ck_assert_int_eq(number_of(path, sql), number_of(out, sql));
}

/* Hours of moments, of which the older ones were evicted, in every degree. */
static void make_evicted(void)
{
    struct store *s = opened();
    int64_t a = stream_of(s, "a"), ids[60];
    for (int i = 0; i < 60; i++)
        ids[i] = put_moment(s, a, 1 + (uint64_t)i * 50, 40, T0 + i * 10 * US_PER_MINUTE, END_SHIFT);
    consolidate_all(s);
    OK(store_begin(s, &err));
    for (int i = 0; i < 20; i++)
        OK(store_erase_moment(s, ids[i], ERASE_EVICT, &err));
    for (int i = 20; i < 40; i++)
        OK(store_erase_evidence(s, ids[i], &err));
    OK(store_pin(s, ids[25], true, &err));
    OK(store_commit(s, &err));
    consolidate_all(s);
    store_close(s);
    OK(verify_file(path, NULL, &err));
}

START_TEST(test_what_was_evicted_stays_remembered)
{
    make_evicted();
    salvage(false);
    check_same("SELECT count(*) FROM moment");
    check_same("SELECT sum(records) FROM moment WHERE stratum=3");
    check_same("SELECT sum(records) FROM part");
    check_same("SELECT count(*) FROM moment WHERE stratum<0");
    check_same("SELECT sum(id * pinned) FROM moment");
    check_same("SELECT sum(length(title) * id) FROM moment WHERE stratum>=0");
    check_same("SELECT sum(length(text) * moment) FROM gist");
    check_same("SELECT sum(seq_last - seq_first) FROM gone");
    check_same("SELECT count(*) FROM words_docsize");
}
END_TEST

static void overwrite(const char *table, const char *kind, int which)
{
    sqlite3 *db;
    int64_t page;
    char sql[200];
    unsigned char nothing[PAGE] = {0};
    snprintf(sql, sizeof(sql),
             "SELECT pageno FROM dbstat WHERE name='%s' AND pagetype='%s' ORDER BY path "
             "LIMIT 1 OFFSET %d",
             table, kind, which);
    ck_assert_int_eq(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    OK(sql_int64(db, sql, &page, &err));
    sqlite3_close(db);
    FILE *f = fopen(path, "r+b");
    ck_assert(f && fseek(f, (page - 1) * PAGE, SEEK_SET) == 0);
    ck_assert_uint_eq(fwrite(nothing, PAGE, 1, f), 1);
    fclose(f);
}

START_TEST(test_without_evidence_a_moment_keeps_its_title)
{
    make_evicted();
    overwrite("evidence", "leaf", 0);
    salvage(true);
    check_same("SELECT count(*) FROM moment WHERE stratum>=0");
    ck_assert_int_lt(number_of(out, "SELECT count(*) FROM evidence"), 20);
}
END_TEST

/* Evidence that reaches over many pages is whole, or gone with any one of them. */
START_TEST(test_chains)
{
    static char lines[100][4096];
    struct store *s = opened();
    int64_t stream = stream_of(s, "s");
    srandom(1);
    for (int k = 0; k < 8; k++) {
        struct record records[100];
        for (int i = 0; i < 100; i++) {
            for (int c = 0; c < 4000; c++)
                lines[i][c] = (char)(random() % 20 ? 'a' + random() % 26 : ' ');
            records[i] = (struct record){.seq = (uint64_t)(k * 100 + i + 1),
                                         .time = T0 + k * US_PER_MINUTE,
                                         .text = {lines[i], 4000}};
        }
        struct moment m = {.kind = KIND_TEXT, .start = records[0].time, .end = records[0].time,
                           .records = records, .record_count = 100, .path = PATH_LATENT,
                           .title = "long lines"};
        commit_moment(s, stream, "s", &m);
    }
    store_close(s);
    salvage(false);
    overwrite("evidence", "overflow", 70);
    salvage(true);
    ck_assert_int_eq(number_of(out, "SELECT count(*) FROM evidence"), 7);
    ck_assert_int_eq(number_of(out, "SELECT count(*) FROM moment WHERE stratum=0"), 8);
}
END_TEST

START_TEST(test_not_beside_a_writer)
{
    struct salvage_report report;
    struct store *s = opened();
    snprintf(out, sizeof(out), "%s/out.db", folder);
    ck_assert_int_eq(salvage_file(path, out, &report, &err), ERR_BUSY);
    store_close(s);
    OK(salvage_file(path, out, &report, &err));
    ck_assert_int_eq(salvage_file(path, out, &report, &err), ERR_EXISTS);
    ck_assert_int_eq(access(out, F_OK), 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("salvage");
    TCase *t = tcase_create("salvage");
    sqlite_setup();
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_what_was_evicted_stays_remembered);
    tcase_add_test(t, test_without_evidence_a_moment_keeps_its_title);
    tcase_add_test(t, test_chains);
    tcase_add_test(t, test_not_beside_a_writer);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
