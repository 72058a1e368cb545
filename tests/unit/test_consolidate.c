/* SPDX-License-Identifier: Apache-2.0 */
#include <time.h>
#include <unistd.h>

#include "tests/unit/store_fixture.h"

#define MINUTE US_PER_MINUTE
/* 2023-11-14 22:00 UTC */
#define HOUR0 1699999200000000LL

/* Since HOUR0, without a last microsecond. */
static double minutes(int64_t t)
{
    return (double)((t - HOUR0 + 500) / 1000) / 6e4;
}

/* The episodes as "start-end:records start-end:records", in minutes from HOUR0. */
static void check_spans(int stratum, const char *expected)
{
    sqlite3 *db;
    sqlite3_stmt *q;
    struct buf b = {0};
    OK(sqlite_open_readonly(path, 0, &db, &err));
    OK(sql_prepare(db, "SELECT t_start, t_end, records FROM moment WHERE stratum=?1 ORDER BY t_start",
                   &q, &err));
    sqlite3_bind_int(q, 1, stratum);
    while (sql_step(q, &err) == 0)
        buf_printf(&b, "%s%g-%g:%d", b.size ? " " : "", minutes(sqlite3_column_int64(q, 0)),
                   minutes(sqlite3_column_int64(q, 1)), sqlite3_column_int(q, 2));
    ck_assert_msg(strcmp(b.data ? b.data : "", expected) == 0, "\"%s\", not \"%s\"", b.data,
                  expected);
    buf_deinit(&b);
    sqlite3_finalize(q);
    sqlite3_close(db);
}

START_TEST(test_silence_ends_an_episode)
{
    struct store *s = opened();
    int64_t a = stream_of(s, "a"), b = stream_of(s, "b");
    put_moment(s, a, 1, 31, HOUR0 + 10 * MINUTE, END_GAP);
    put_moment(s, b, 1, 61, HOUR0 + 11 * MINUTE, END_GAP);
    put_moment(s, a, 101, 31, HOUR0 + 16 * MINUTE, END_GAP);
    put_moment(s, a, 201, 31, HOUR0 + 25 * MINUTE, END_GAP);
    consolidate_all(s);
    check_spans(1, "10-16.5:123 25-25.5:31");
    check_spans(2, "0-60:154");
    ck_assert_int_eq(number("SELECT count(*) FROM dirty"), 0);
    ck_assert_int_eq(number("SELECT count(*) FROM moment WHERE stratum=3"), 1);
    ck_assert_int_eq(number("SELECT unusual FROM moment WHERE stratum=2"), 4);
    ck_assert_int_eq(number("SELECT sum(p.records) FROM part p JOIN moment m ON m.id=p.moment "
                            "WHERE m.stratum=2 AND p.stream=1"), 93);
    check_sound();
    /* Nothing is done twice. */
    ck_assert_int_eq(store_consolidate(s, &err), 0);
    store_close(s);
}
END_TEST

/* Two streams with a strong boundary within two seconds: something happened. */
START_TEST(test_shared_boundary)
{
    struct store *s = opened();
    int64_t a = stream_of(s, "a"), b = stream_of(s, "b");
    put_moment(s, a, 1, 120, HOUR0 + 10 * MINUTE, END_SURPRISE);
    put_moment(s, b, 1, 121, HOUR0 + 10 * MINUTE, END_SHIFT);
    put_moment(s, a, 201, 60, HOUR0 + 12 * MINUTE, END_SURPRISE);
    put_moment(s, b, 201, 30, HOUR0 + 12 * MINUTE + US_PER_SECOND, END_LENGTH);
    /* Only one stream ends strongly here. */
    put_moment(s, a, 301, 60, HOUR0 + 13 * MINUTE, END_LENGTH);
    put_moment(s, b, 301, 30, HOUR0 + 13 * MINUTE, END_LENGTH);
    consolidate_all(s);
    check_spans(1, "10-12:241 12-13.9833:180");
    check_sound();
    store_close(s);
}
END_TEST

/* Older data reopens what it touches, and only that; rows keep their ids. */
START_TEST(test_late_data)
{
    struct store *s = opened();
    int64_t a = stream_of(s, "a"), b = stream_of(s, "b");
    put_moment(s, a, 1, 31, HOUR0 + 10 * MINUTE, END_GAP);
    put_moment(s, a, 101, 31, HOUR0 + 18 * MINUTE, END_GAP);
    put_moment(s, a, 201, 31, HOUR0 + 40 * MINUTE, END_GAP);
    put_moment(s, a, 301, 31, HOUR0 + 25 * US_PER_HOUR, END_GAP);
    consolidate_all(s);
    check_spans(1, "10-10.5:31 18-18.5:31 40-40.5:31 1500-1500.5:31");
    check_sound();
    int64_t first = number("SELECT id FROM moment WHERE stratum=1 ORDER BY t_start LIMIT 1");
    int64_t third = number("SELECT id FROM moment WHERE stratum=1 ORDER BY t_start LIMIT 1 OFFSET 2");
    int64_t hour = number("SELECT id FROM moment WHERE stratum=2 ORDER BY t_start LIMIT 1");
    OK(store_begin(s, &err));
    OK(store_pin(s, first, true, &err));
    OK(store_commit(s, &err));
    put_moment(s, b, 1, 121, HOUR0 + 13 * MINUTE, END_GAP);
    consolidate_all(s);
    check_spans(1, "10-18.5:183 40-40.5:31 1500-1500.5:31");
    check_spans(2, "0-60:214 1500-1560:31");
    ck_assert_int_eq(number("SELECT id FROM moment WHERE stratum=1 ORDER BY t_start LIMIT 1"), first);
    ck_assert_int_eq(number("SELECT id FROM moment WHERE stratum=1 ORDER BY t_start LIMIT 1 OFFSET 1"),
                     third);
    ck_assert_int_eq(number("SELECT id FROM moment WHERE stratum=2 ORDER BY t_start LIMIT 1"), hour);
    ck_assert_int_eq(number("SELECT pinned FROM moment WHERE stratum=1 ORDER BY t_start LIMIT 1"), 1);
    check_sound();
    store_close(s);
}
END_TEST

/* What happens at the full hour stays together: the cut is at the longest pause near it. */
START_TEST(test_border_of_hours)
{
    struct store *s = opened();
    int64_t a = stream_of(s, "a");
    for (uint64_t i = 0; i < 120; i++)
        if (i != 62)
            put_moment(s, a, 1 + i * 100, 60, HOUR0 + (int64_t)i * MINUTE, END_LENGTH);
    consolidate_all(s);
    check_spans(1, "0-61.9833:3720 63-119.983:3420");
    check_spans(2, "0-60:3720 60-120:3420");
    check_sound();
    put_moment(s, a, 100000, 60, HOUR0 + 62 * MINUTE, END_LENGTH);
    consolidate_all(s);
    check_sound();
    store_close(s);
}
END_TEST

/* The order in which moments come in changes nothing. */
START_TEST(test_order_does_not_matter)
{
    int64_t sums[2];
    for (int round = 0; round < 2; round++) {
        struct store *s = opened();
        store_set_refine(s, _i == 1);
        int64_t streams[3] = {stream_of(s, "a"), stream_of(s, "b"), stream_of(s, "c")};
        for (int i = 0; i < 200; i++) {
            int k = round ? (i * 77) % 200 : i;
            put_moment(s, streams[k % 3], 1 + (uint64_t)k * 50, 1 + (uint32_t)k % 40,
                       HOUR0 + k * MINUTE + (k * 37 % 60) * US_PER_SECOND,
                       k % 5 == 0 ? END_GAP : END_SURPRISE);
            if (i % 7 == 0)
                ck_assert_int_ge(store_consolidate(s, &err), 0);
        }
        consolidate_all(s);
        check_sound();
        sums[round] = number("SELECT sum(t_start % 1000003 * 7 + t_end % 1000003 + records * 31) "
                             "FROM moment WHERE stratum=1");
        store_close(s);
        ck_assert_int_eq(unlink(path), 0);
    }
    ck_assert_int_eq(sums[0], sums[1]);
}
END_TEST

/* More moments than one call takes, all within one episode and then some at one instant. */
START_TEST(test_large_hour)
{
    struct store *s = opened();
    int64_t a = stream_of(s, "a"), id;
    OK(store_begin(s, &err));
    for (uint64_t i = 0; i < 10000; i++)
        OK(put_lines(s, a, i + 1, 1, HOUR0 + (int64_t)(i < 5000 ? i : 5000) * 1000, PATH_LATENT,
                     END_LENGTH, &id));
    OK(store_commit(s, &err));
    consolidate_all(s);
    ck_assert_int_eq(number("SELECT sum(records) FROM moment WHERE stratum=1"), 10000);
    check_sound();
    store_close(s);
}
END_TEST

static int64_t slow_time;

static int64_t slow_mono(const struct clock *c)
{
    (void)c;
    return slow_time += 10000;
}

/* A slow disk: each call does one episode, and data comes in between. */
START_TEST(test_small_steps)
{
    struct store *s = opened();
    int64_t a = stream_of(s, "a");
    int calls = 0, r;
    for (uint64_t i = 0; i < 10; i++)
        put_moment(s, a, 1 + i * 100, 31, HOUR0 + (int64_t)i * 6 * MINUTE, END_GAP);
    store_close(s);
    struct clock slow = now;
    slow.mono = slow_mono;
    struct store_options o = {.path = path, .clock = &slow, .no_sync = true};
    OK(store_open(&o, &s, &err));
    while ((r = store_consolidate(s, &err)) == STORE_MORE) {
        slow_time += US_PER_HOUR;
        if (++calls == 4) {
            put_moment(s, a, 5001, 31, HOUR0 + 13 * MINUTE, END_GAP);
            put_moment(s, a, 5101, 31, HOUR0 + 45 * MINUTE, END_GAP);
        }
        ck_assert_int_lt(calls, 100);
    }
    ck_assert_msg(r == 0, "%s", err.text);
    ck_assert_int_ge(calls, 12);
    check_sound();
    check_spans(1, "0-0.5:31 6-6.5:31 12-18.5:93 24-24.5:31 30-30.5:31 36-36.5:31 42-48.5:93 "
                   "54-54.5:31");
    store_close(s);
}
END_TEST

START_TEST(test_words_and_texts)
{
    struct store *s = opened();
    int64_t a = stream_of(s, "web"), b = stream_of(s, "db");
    put_moment(s, a, 1, 31, HOUR0 + 10 * MINUTE, END_GAP);
    put_moment(s, b, 101, 31, HOUR0 + 10 * MINUTE, END_GAP);
    consolidate_all(s);
    ck_assert_int_eq(number("SELECT count(*) FROM words WHERE words MATCH 'web kind' AND "
                            "rowid/512 IN (SELECT id FROM moment WHERE stratum>0)"), 5);
    ck_assert_int_eq(number("SELECT count(*) FROM moment WHERE stratum=1 AND "
                            "title='web: first of its kind, and 1 more unusual'"), 1);
    ck_assert_int_eq(number("SELECT count(*) FROM gist WHERE text LIKE '62 records in 2 streams, 2 "
                            "unusual%unusual %22:10% db: first of its kind%usual db ×31: title 101%'"), 5);
    ck_assert_int_eq(number("SELECT count(*) FROM latent l JOIN moment m ON m.id=l.moment "
                            "WHERE m.stratum=1 AND l.model=3"), 1);
    store_close(s);
}
END_TEST

/* Days are local: 22:30 UTC is the next day in Helsinki. */
START_TEST(test_local_days)
{
    setenv("TZ", "Europe/Helsinki", 1);
    tzset();
    struct store *s = opened();
    int64_t a = stream_of(s, "a");
    put_moment(s, a, 1, 10, HOUR0 - 30 * MINUTE, END_GAP);
    put_moment(s, a, 101, 10, HOUR0 + 30 * MINUTE, END_GAP);
    consolidate_all(s);
    check_spans(3, "-1440-0:10 0-1440:10");
    check_sound();
    store_close(s);
    unsetenv("TZ");
    tzset();
}
END_TEST

/* Weeks begin on Monday and belong to the month of that Monday; late data makes both again. */
START_TEST(test_weeks_and_months)
{
    const int64_t day = 24 * 60 * MINUTE, monday = HOUR0 - 22 * 60 * MINUTE - day; /* 13 Nov 2023 */
    struct store *s = opened();
    int64_t a = stream_of(s, "a");
    put_moment(s, a, 1, 10, monday, END_GAP);
    put_moment(s, a, 101, 11, monday + 7 * day - 20 * MINUTE, END_GAP);
    put_moment(s, a, 201, 12, monday + 7 * day, END_GAP);
    put_moment(s, a, 301, 13, monday + 20 * day, END_GAP); /* Sunday 3 Dec: a week of November */
    consolidate_all(s);
    ck_assert_int_eq(number("SELECT count(*) FROM moment WHERE stratum=4"), 3);
    ck_assert_int_eq(number("SELECT records FROM moment WHERE stratum=4 ORDER BY t_start"), 21);
    ck_assert_int_eq(number("SELECT count(*) FROM moment WHERE stratum=5"), 1);
    ck_assert_int_eq(number("SELECT records FROM moment WHERE stratum=5"), 46);
    ck_assert_int_eq(number("SELECT t_start FROM moment WHERE stratum=5"), monday - 12 * day);
    check_sound();
    int64_t week = number("SELECT id FROM moment WHERE stratum=4 ORDER BY t_start LIMIT 1");
    put_moment(s, a, 401, 14, monday + 2 * day, END_GAP);
    put_moment(s, a, 501, 15, monday - 20 * MINUTE, END_GAP);
    consolidate_all(s);
    ck_assert_int_eq(number("SELECT count(*) FROM moment WHERE stratum=4"), 4);
    ck_assert_int_eq(number("SELECT max(records) FROM moment WHERE stratum=4"), 35);
    ck_assert_int_eq(number("SELECT id FROM moment WHERE stratum=4 ORDER BY records DESC"), week);
    ck_assert_int_eq(number("SELECT records FROM moment WHERE stratum=5"), 75);
    check_sound();
    store_close(s);
}
END_TEST

/* A file from before there were weeks gets them when it is consolidated next. */
START_TEST(test_weeks_of_an_older_file)
{
    struct store *s = opened();
    int64_t a = stream_of(s, "a");
    put_moment(s, a, 1, 10, HOUR0, END_GAP);
    consolidate_all(s);
    store_close(s);
    sqlite3 *db;
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    OK(sql_exec(db, "DELETE FROM words WHERE 0; UPDATE moment SET parent=NULL WHERE stratum=3;"
                    "INSERT INTO words(words, rowid, text) SELECT 'delete', id, '' FROM "
                    "words_docsize WHERE id/512 IN (SELECT id FROM moment WHERE stratum>3);"
                    "DELETE FROM gist WHERE moment IN (SELECT id FROM moment WHERE stratum>3);"
                    "DELETE FROM latent WHERE moment IN (SELECT id FROM moment WHERE stratum>3);"
                    "DELETE FROM part WHERE moment IN (SELECT id FROM moment WHERE stratum>3);"
                    "DELETE FROM moment WHERE stratum>3;"
                    "DELETE FROM stratum WHERE stratum>3; ALTER TABLE moment DROP COLUMN touched;"
                    "DROP INDEX moment_pinned; ALTER TABLE moment DROP COLUMN hits;"
                    "ALTER TABLE latent DROP COLUMN features;"
                    "DROP TABLE entity_day; DROP TABLE entity_same; DROP TABLE fact; DROP TABLE kind; DROP TABLE stat; DROP TABLE gone; DROP TABLE past; DROP TABLE forget; PRAGMA user_version=1", &err));
    sqlite3_close(db);
    s = opened();
    consolidate_all(s);
    ck_assert_int_eq(number("SELECT count(*) FROM moment WHERE stratum=5 AND records=10"), 1);
    check_sound();
    store_close(s);
}
END_TEST

/* Two marks with long names: what does not fit is not cut in the middle of a time. */
START_TEST(test_titles_keep_their_times)
{
    static const char *const names[] = {"a-stream-with-a-rather-long-name",
                                        "another-stream-with-a-long-name"};
    struct store *s = opened();
    for (int i = 0; i < 2; i++) {
        int64_t stream = stream_of(s, names[i]), at = HOUR0 + (i + 1) * 20 * MINUTE;
        struct record r = {.seq = 1, .time = at, .text = {"a line", 6}};
        struct unusual u = {.start = at,
                            .end = at,
                            .bits = 20,
                            .z = 9,
                            .score = 0.9f,
                            .why = "first line of its kind: compressor number 2 tripped: overcurrent"};
        struct moment m = {.kind = KIND_TEXT,
                           .start = at,
                           .end = at,
                           .records = &r,
                           .record_count = 1,
                           .ended = END_GAP,
                           .bits = 1,
                           .bits_max = 20,
                           .z = 9,
                           .path = PATH_LATENT,
                           .unusual = &u,
                           .unusual_count = 1,
                           .title = "a line"};
        for (int k = 0; k < 12; k++, r.seq++)
            commit_moment(s, stream, names[i], &m);
    }
    consolidate_all(s);
    ck_assert_int_eq(number("SELECT count(*) FROM moment WHERE stratum>2"), 3);
    ck_assert_int_eq(number("SELECT count(*) FROM moment WHERE stratum>2 AND title GLOB "
                            "'*22:20 (12 times), and 12 more unusual'"),
                     3);
    store_close(s);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("consolidate");
    TCase *t = tcase_create("strata");
    sqlite_setup();
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_silence_ends_an_episode);
    tcase_add_test(t, test_shared_boundary);
    tcase_add_test(t, test_late_data);
    tcase_add_test(t, test_border_of_hours);
    tcase_add_loop_test(t, test_order_does_not_matter, 0, 2);
    tcase_add_test(t, test_large_hour);
    tcase_add_test(t, test_small_steps);
    tcase_add_test(t, test_words_and_texts);
    tcase_add_test(t, test_local_days);
    tcase_add_test(t, test_weeks_and_months);
    tcase_add_test(t, test_titles_keep_their_times);
    tcase_add_test(t, test_weeks_of_an_older_file);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
