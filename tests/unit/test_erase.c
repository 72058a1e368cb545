/* SPDX-License-Identifier: Apache-2.0 */
#include "memory/erase.h"
#include "memory/resend.h"
#include "tests/unit/store_fixture.h"

#define MINUTE US_PER_MINUTE
/* 2023-11-14 22:00 UTC */
#define HOUR0 1699999200000000LL

/* Rows of the index that hold the word. */
static int64_t rows_with(const char *word)
{
    char sql[160];
    snprintf(sql, sizeof(sql), "SELECT count(*) FROM words WHERE words MATCH '\"%s\"'", word);
    return number(sql);
}

static int64_t text_is(const char *sql, const char *expected)
{
    char all[1024];
    snprintf(all, sizeof(all), "SELECT (%s) IS '%s'", sql, expected);
    return number(all);
}

#define IN_TRANSACTION(call)                                                                       \
    do {                                                                                           \
        OK(store_begin(s, &err));                                                                  \
        OK(call);                                                                                  \
        OK(store_commit(s, &err));                                                                 \
    } while (0)

static uint64_t df_rows(const struct store *s, const char *word)
{
    struct words_query q;
    OK(words_query((struct slice){word, strlen(word)}, &q));
    return words_df_rows(store_df(s), q.words[0].hash);
}

/* Six moments of one stream in one episode and one in the next hour; consolidated. */
static struct store *filled(int64_t *ret_stream, int64_t id[7])
{
    struct store *s = opened();
    *ret_stream = stream_of(s, "sys.log");
    for (int i = 0; i < 6; i++)
        id[i] = put_moment(s, *ret_stream, 1 + 100 * (uint64_t)i, 30, HOUR0 + (10 + i) * MINUTE,
                           END_GAP);
    id[6] = put_moment(s, *ret_stream, 1000, 30, HOUR0 + 70 * MINUTE, END_GAP);
    consolidate_all(s);
    check_sound();
    return s;
}

START_TEST(test_evidence_goes_the_gist_stays)
{
    int64_t stream, id[7];
    struct store *s = filled(&stream, id);
    uint64_t failed = df_rows(s, "failed"), gist = df_rows(s, "gist");
    /* Moment 3 has an odd first number: the latent path; the last one a row for each record. */
    ck_assert_int_eq(rows_with("request"), 6 + 30);
    IN_TRANSACTION(store_erase_evidence(s, id[2], &err));
    IN_TRANSACTION(store_erase_evidence(s, id[6], &err));
    ck_assert_int_eq(rows_with("request"), 5);
    ck_assert_int_eq(rows_with("titl"), 7 + 7);
    ck_assert_uint_eq(df_rows(s, "failed"), failed - 31);
    ck_assert_uint_eq(df_rows(s, "gist"), gist);
    ck_assert_int_eq(number("SELECT count(*) FROM evidence"), 5);
    ck_assert_int_eq(number("SELECT count(*) FROM gone"), 2);
    check_sound();
    /* A second time nothing happens. */
    IN_TRANSACTION(store_erase_evidence(s, id[2], &err));
    check_sound();
    OK(store_begin(s, &err));
    ck_assert_int_eq(store_erase_evidence(s, 999, &err), ERR_NOTFOUND);
    store_rollback(s);
    /* Taken back as a whole. */
    OK(store_begin(s, &err));
    OK(store_erase_evidence(s, id[0], &err));
    store_rollback(s);
    ck_assert_int_eq(number("SELECT count(*) FROM evidence"), 5);
    check_sound();
    store_close(s);
}
END_TEST

START_TEST(test_evicted_moments_stay_in_the_sums)
{
    int64_t stream, id[7];
    struct store *s = filled(&stream, id);
    for (int i = 1; i < 6; i++)
        IN_TRANSACTION(store_erase_moment(s, id[i], ERASE_EVICT, &err));
    check_sound();
    ck_assert_int_eq(number("SELECT count(*) FROM moment WHERE stratum=0"), 2);
    ck_assert_int_eq(number("SELECT records FROM moment WHERE stratum=-1"), 150);
    ck_assert_int_eq(number("SELECT records FROM moment WHERE stratum=1 ORDER BY t_start"), 180);
    ck_assert_int_eq(number("SELECT sum(count) FROM entity_moment"), 7 * 4);
    ck_assert_int_eq(number("SELECT count(*) FROM past"), 1);
    /* What comes late joins what is left, and takes nothing away. */
    put_moment(s, stream, 500000, 10, HOUR0 + 12 * MINUTE + 1, END_GAP);
    consolidate_all(s);
    check_sound();
    ck_assert_int_eq(number("SELECT count(*) FROM moment WHERE stratum=1"), 2);
    ck_assert_int_eq(number("SELECT records FROM moment WHERE stratum=1 ORDER BY t_start"), 190);
    ck_assert_int_eq(number("SELECT records FROM moment WHERE stratum=3"), 220);
    store_close(s);
}
END_TEST

START_TEST(test_words_of_an_evicted_moment_stay_shown)
{
    int64_t stream, id[7];
    struct store *s = filled(&stream, id);
    for (int i = 0; i < 6; i++)
        IN_TRANSACTION(store_erase_moment(s, id[i], ERASE_EVICT, &err));
    check_sound();
    /* The first of equals is what the episode tells of: made again it says the same. */
    ck_assert_int_eq(text_is("SELECT title FROM past", "title 1"), 1);
    int64_t before = number("SELECT count(*) FROM moment WHERE stratum=1 AND title LIKE "
                            "'sys.log: first of its kind (6 times)'");
    ck_assert_int_eq(before, 1);
    put_moment(s, stream, 500000, 10, HOUR0 + 12 * MINUTE + 1, END_GAP);
    consolidate_all(s);
    ck_assert_int_eq(number("SELECT count(*) FROM moment WHERE stratum=1 AND title LIKE "
                            "'sys.log: first of its kind (7 times)'"),
                     1);
    ck_assert_int_eq(number("SELECT count(*) FROM gist g JOIN moment m ON m.id=g.moment WHERE "
                            "m.stratum=1 AND g.text LIKE '%usual sys.log ×190: title 1%'"),
                     1);
    check_sound();
    store_close(s);
}
END_TEST

/*
 * Letting go of moments near a full hour moves the cut between its episodes and the next hour's,
 * in either direction, and one of the two is made again later or not at all for its own sake.
 */
START_TEST(test_borders_move_when_moments_go)
{
    struct store *s = opened();
    int64_t stream = stream_of(s, "sys.log"), id[240];
    uint64_t random = 88172645463325252u + (uint64_t)_i, seq = 100000;
    for (int i = 0; i < 240; i++)
        id[i] = put_moment(s, stream, 1 + 100 * (uint64_t)i, 1 + (uint32_t)i % 30,
                           HOUR0 + i * MINUTE + i * 37 % 30 * US_PER_SECOND,
                           i % 9 == 0 ? END_GAP : END_LENGTH);
    consolidate_all(s);
    check_sound();
    for (int round = 0; round < 60; round++) {
        OK(store_begin(s, &err));
        for (int i = 0; i < 4; i++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            /* Half of them within ten minutes of a full hour. */
            int at = (int)(random >> 33) % 240;
            int near = (at / 60 * 60 + 240 + at % 20 - 10) % 240;
            int r = store_erase_moment(s, id[i % 2 ? at : near], ERASE_EVICT, &err);
            ck_assert_msg(r == 0 || r == ERR_NOTFOUND || r == ERR_BUSY, "%s", err.text);
        }
        OK(store_commit(s, &err));
        put_moment(s, stream, seq += 100, 1, HOUR0 + (int64_t)(random >> 40) % 240 * MINUTE,
                   END_LENGTH);
        if (round % 4 < 3) { /* the border moves again while hours wait to be made again */
            for (int steps = (int)(random >> 62); steps > 0; steps--)
                ck_assert_msg(store_consolidate(s, &err) >= 0, "%s", err.text);
            continue;
        }
        consolidate_all(s);
        check_sound();
    }
    /* Episodes came together on the way, each with what was left of it. */
    int64_t last = number("SELECT max(id) FROM moment");
    for (int round = 0; round < 2; round++)
        for (int64_t any = 1; any <= last; any++) {
            OK(store_begin(s, &err));
            int r = round ? store_erase_span(s, any, &err)
                          : store_erase_moment(s, any, ERASE_EVICT, &err);
            ck_assert_msg(r == 0 || r == ERR_NOTFOUND || r == ERR_BUSY || r == ERASE_HAS_CHILDREN,
                          "%s", err.text);
            OK(store_commit(s, &err));
        }
    check_sound();
    store_close(s);
}
END_TEST

/* The cut moves to 1 minute before the full hour, and on to 5 minutes after it before the next hour
 * was made again: what lay between is the hour's before again. */
START_TEST(test_a_border_moves_twice)
{
    enum { BEFORE, EARLY, LAST, FIRST, SECOND, COUNT };
    static const int minutes[COUNT] = {-30, -4, -1, 1, 7};
    struct store *s = opened();
    int64_t stream = stream_of(s, "sys.log"), mark = HOUR0 + US_PER_HOUR, id[COUNT];
    for (int i = 0; i < COUNT; i++)
        id[i] = put_moment(s, stream, 1 + 100 * (uint64_t)i, 1, mark + minutes[i] * MINUTE,
                           END_LENGTH);
    consolidate_all(s);
    IN_TRANSACTION(store_erase_moment(s, id[EARLY], ERASE_EVICT, &err));
    put_moment(s, stream, 1000, 1, mark - 31 * MINUTE, END_LENGTH); /* the first hour is due */
    ck_assert_int_eq(store_consolidate(s, &err), STORE_MORE);
    ck_assert_int_eq(number("SELECT count(*) FROM moment WHERE stratum=0 AND parent IS NULL"), 1);
    IN_TRANSACTION(store_erase_moment(s, id[FIRST], ERASE_EVICT, &err));
    consolidate_all(s);
    check_sound();
    store_close(s);
}
END_TEST

START_TEST(test_spans_go_after_their_children)
{
    int64_t stream, id[7];
    struct store *s = filled(&stream, id);
    int64_t episode = number("SELECT parent FROM moment WHERE id=1");
    int64_t hour = number("SELECT m.parent FROM moment m WHERE m.stratum=1 ORDER BY t_start");
    OK(store_begin(s, &err));
    ck_assert_int_eq(store_erase_span(s, episode, &err), ERASE_HAS_CHILDREN);
    ck_assert_int_eq(store_erase_span(s, id[0], &err), ERR_NOTFOUND);
    store_rollback(s);
    for (int i = 0; i < 6; i++)
        IN_TRANSACTION(store_erase_moment(s, id[i], ERASE_EVICT, &err));
    OK(store_begin(s, &err));
    ck_assert_int_eq(store_erase_span(s, hour, &err), ERASE_HAS_CHILDREN);
    store_rollback(s);
    IN_TRANSACTION(store_erase_span(s, episode, &err));
    check_sound();
    ck_assert_int_eq(number("SELECT count(*) FROM moment WHERE stratum=-1"), 0);
    ck_assert_int_eq(number("SELECT records FROM moment WHERE stratum=-2"), 180);
    ck_assert_int_eq(number("SELECT records FROM moment WHERE stratum=2 ORDER BY t_start"), 180);
    put_moment(s, stream, 500000, 10, HOUR0 + 40 * MINUTE, END_GAP);
    consolidate_all(s);
    check_sound();
    ck_assert_int_eq(number("SELECT records FROM moment WHERE stratum=2 ORDER BY t_start"), 190);
    ck_assert_int_eq(number("SELECT sum(count) FROM entity_moment"), 8 * 4);
    store_close(s);
}
END_TEST

START_TEST(test_a_forgotten_moment_leaves_all_sums)
{
    int64_t stream, id[7];
    struct store *s = filled(&stream, id);
    IN_TRANSACTION(store_erase_moment(s, id[1], ERASE_EVICT, &err));
    IN_TRANSACTION(store_erase_moment(s, id[0], ERASE_FORGET, &err));
    IN_TRANSACTION(store_erase_moment(s, id[6], ERASE_FORGET, &err));
    consolidate_all(s);
    check_sound();
    ck_assert_int_eq(number("SELECT count(*) FROM moment WHERE stratum=2"), 1);
    ck_assert_int_eq(number("SELECT records FROM moment WHERE stratum=1"), 150);
    ck_assert_int_eq(number("SELECT records FROM moment WHERE stratum=3"), 150);
    ck_assert_int_eq(number("SELECT count FROM entity WHERE name='web-01'"), 5 * 3);
    ck_assert_int_eq(number("SELECT (first-1699999200000000)/60000000 FROM entity LIMIT 1"), 11);
    /* The last one takes the entities along. */
    for (int i = 2; i < 6; i++)
        IN_TRANSACTION(store_erase_moment(s, id[i], ERASE_FORGET, &err));
    consolidate_all(s);
    check_sound();
    ck_assert_int_eq(number("SELECT records FROM moment WHERE stratum=3"), 30);
    ck_assert_int_eq(number("SELECT count(*) FROM entity"), 2);
    store_close(s);
}
END_TEST

static void note_found(void *arg, uint64_t seq, uint64_t hash)
{
    ++*(int *)arg;
}

START_TEST(test_numbers_let_go_are_known)
{
    int64_t stream, id[7];
    struct store *s = filled(&stream, id);
    IN_TRANSACTION(store_erase_evidence(s, id[1], &err));
    IN_TRANSACTION(store_erase_moment(s, id[1], ERASE_EVICT, &err));
    IN_TRANSACTION(store_erase_moment(s, id[2], ERASE_FORGET, &err));
    sqlite3 *db;
    struct buf ranges = {0};
    int found = 0;
    OK(sqlite_open_readonly(path, 0, &db, &err));
    OK(resend_find(db, stream, 101, 230, true, note_found, &found, &err));
    ck_assert_int_eq(found, 0);
    OK(resend_find_gone(db, stream, 110, 201, &ranges, &err));
    ck_assert_uint_eq(ranges.size, 2 * 16);
    OK(resend_find_gone(db, stream, 131, 200, &ranges, &err));
    ck_assert_uint_eq(ranges.size, 2 * 16);
    sqlite3_close(db);
    buf_deinit(&ranges);
    store_close(s);
}
END_TEST

static int count_batch(void *arg, int64_t id, int64_t stream, struct slice block)
{
    struct evidence_info info;
    OK(evidence_info(block, &info, &err));
    *(uint32_t *)arg += info.count;
    return 0;
}

/* The journal of a crash holds records whose moment was let go meanwhile: they are not new. */
START_TEST(test_the_journal_does_not_bring_back)
{
    int64_t stream, id[7], pending;
    struct store *s = filled(&stream, id);
    struct record records[40];
    struct buf block = {0};
    for (uint32_t i = 0; i < 40; i++)
        records[i] = (struct record){.seq = 101 + i, .time = HOUR0, .text = {"again", 5}};
    OK(evidence_encode(records, 40, 1, &block));
    IN_TRANSACTION(store_erase_evidence(s, id[1], &err));
    IN_TRANSACTION(store_pending_put(s, stream, 101, 140, 40,
                                     (struct slice){block.data, block.size}, &pending, &err));
    uint32_t left = 0;
    OK(store_pending(s, count_batch, &left, &err));
    ck_assert_uint_eq(left, 10);
    buf_deinit(&block);
    store_close(s);
}
END_TEST

/* Numbers with gaps make many ranges, which are joined from below. */
START_TEST(test_ranges_are_bounded)
{
    struct store *s = opened();
    int64_t stream = stream_of(s, "sys.log");
    int64_t id[2400];
    OK(store_begin(s, &err));
    for (int i = 0; i < 2400; i++)
        OK(put_lines(s, stream, 1 + 2 * (uint64_t)i, 1, HOUR0 + i * US_PER_SECOND, PATH_LATENT,
                     END_GAP, &id[i]));
    OK(store_commit(s, &err));
    OK(store_begin(s, &err));
    for (int i = 0; i < 2400; i++)
        OK(store_erase_evidence(s, id[i], &err));
    OK(store_commit(s, &err));
    ck_assert_int_le(number("SELECT count(*) FROM gone"), 2048 + 64);
    ck_assert_int_eq(number("SELECT min(seq_first) FROM gone"), 1);
    consolidate_all(s);
    check_sound();
    store_close(s);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("erase");
    TCase *tc = tcase_create("erase");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_evidence_goes_the_gist_stays);
    tcase_add_test(tc, test_evicted_moments_stay_in_the_sums);
    tcase_add_test(tc, test_words_of_an_evicted_moment_stay_shown);
    tcase_add_loop_test(tc, test_borders_move_when_moments_go, 0, 6);
    tcase_add_test(tc, test_a_border_moves_twice);
    tcase_add_test(tc, test_spans_go_after_their_children);
    tcase_add_test(tc, test_a_forgotten_moment_leaves_all_sums);
    tcase_add_test(tc, test_numbers_let_go_are_known);
    tcase_add_test(tc, test_the_journal_does_not_bring_back);
    tcase_add_test(tc, test_ranges_are_bounded);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    words_thread_deinit();
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
