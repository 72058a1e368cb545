/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "memory/backup.h"
#include "tests/unit/store_fixture.h"

static void run_sql(const char *sql)
{
    sqlite3 *db;
    char *text = NULL;
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, &text) == SQLITE_OK, "%s: %s", sql, text);
    sqlite3_close(db);
}

static int64_t put_batch(struct store *s, int64_t stream, uint64_t seq, uint32_t n)
{
    struct record records[100] = {{0}};
    struct buf block = {0};
    int64_t id;
    for (uint32_t i = 0; i < n; i++)
        records[i] = (struct record){.seq = seq + i, .time = T0, .text = {"journaled", 9}};
    OK(evidence_encode(records, n, 1, &block));
    OK(store_pending_put(s, stream, seq, seq + n - 1, n, (struct slice){block.data, block.size},
                         &id, &err));
    buf_deinit(&block);
    return id;
}

/* Two streams, both paths, journal, all strata. */
static void make_file(void)
{
    struct store *s = opened();
    int64_t a = stream_of(s, "a"), b = stream_of(s, "b");
    for (int64_t i = 0; i < 20; i++)
        put_moment(s, i % 3 ? a : b, 1 + (uint64_t)i * 50, 40, T0 + i * 3 * US_PER_MINUTE, END_SHIFT);
    consolidate_all(s);
    OK(store_begin(s, &err));
    put_batch(s, a, 5001, 50);
    put_batch(s, b, 5001, 50);
    OK(store_commit(s, &err));
    store_close(s);
}

START_TEST(test_sound)
{
    struct verify_counts counts;
    make_file();
    ck_assert_msg(verify_file(path, &counts, &err) == 0, "%s", err.text);
    ck_assert_uint_eq(counts.moments, 20);
    ck_assert_uint_eq(counts.records, 800);
    ck_assert_uint_eq(counts.journaled, 100);
    ck_assert_uint_gt(counts.above, 3);
}
END_TEST

struct damage {
    const char *sql, *found;
};

static const struct damage damages[] = {
    {"UPDATE moment SET t_end=t_start-1 WHERE id=2", "moment 2: ends before"},
    {"UPDATE moment SET stratum=6 WHERE id=2", "moment 2: stratum"},
    {"UPDATE moment SET stream=NULL WHERE id=2", "moment 2: a stream above"},
    {"UPDATE moment SET stream=77 WHERE id=2", "foreign_key_check: moment"},
    {"UPDATE moment SET parent=3 WHERE id=2", "moment 2: its parent is of"},
    {"UPDATE moment SET parent=(SELECT max(id) FROM moment WHERE stratum=1) WHERE id=1",
     "moment 1: starts outside"},
    {"DELETE FROM evidence WHERE moment=2", "moment 2: no evidence"},
    {"UPDATE latent SET vec=zeroblob(255) WHERE moment=2", "moment 2: latent"},
    {"UPDATE unusual SET last=40 WHERE moment=2", "moment 2: unusual outside"},
    {"DELETE FROM unusual WHERE moment=2", "moment 2: its count of what"},
    {"UPDATE entity SET count=count+1 WHERE id=1", "entity 1: its count"},
    {"UPDATE stratum SET moments=19 WHERE stratum=0", "stratum 0: its count"},
    {"UPDATE stratum SET span_max=5 WHERE stratum=1", "stratum 1: a span"},
    {"UPDATE stream SET span_max=5 WHERE id=1", "stream 1: a moment is longer"},
    {"UPDATE stream SET next_seq=900 WHERE id=1", "stream 1: a seq at or above"},
    {"DELETE FROM words_docsize WHERE id=2*512", "moment 2: its words"},
    {"INSERT INTO words_docsize VALUES(999*512, x'00')", "moment 999: words"},
    {"UPDATE moment SET parent=NULL WHERE id=2", "moment 2: belongs to no span"},
    {"UPDATE moment SET records=records+1 WHERE stratum=2", ": its sums are not"},
    {"DELETE FROM part WHERE stream=1", ": its parts"},
    {"UPDATE stat SET data=x'01' WHERE moment=(SELECT min(id) FROM moment WHERE stratum=3)",
     ": its sums"},
    {"UPDATE part SET records=records-1 WHERE moment=(SELECT min(id) FROM moment WHERE stratum=1) "
     "AND stream=1; INSERT INTO dirty VALUES(1, 1, 1, NULL)", ": its sums"},
    {"UPDATE moment SET hash=zeroblob(16) WHERE id=2", "moment 2: its hash"},
    {"UPDATE evidence SET block=(SELECT block FROM evidence WHERE moment=4) WHERE moment=2",
     "moment 2: its hash"},
    {"UPDATE evidence SET block=zeroblob(100) WHERE moment=2", "moment 2: evidence: not a block"},
    {"UPDATE moment SET raw_bytes=1 WHERE id=2; INSERT INTO dirty VALUES(1, 1, 1, NULL)",
     "moment 2: its evidence has"},
    {"UPDATE moment SET seq_last=seq_last+1 WHERE id=2", "moment 2: its evidence has seq"},
    {"UPDATE moment SET t_end=t_end-1 WHERE id=2; UPDATE unusual SET t_end=t_start WHERE moment=2",
     "moment 2: its span"},
    {"UPDATE moment SET stream=1; UPDATE unusual SET stream=1; UPDATE evidence SET block="
     "(SELECT block FROM evidence WHERE moment=2), moment=5 WHERE moment=5; UPDATE moment SET "
     "(seq_first, seq_last, hash, t_start, t_end, raw_bytes)=(SELECT seq_first, seq_last, hash, "
     "t_start, t_end, raw_bytes FROM moment WHERE id=2) WHERE id=5; UPDATE unusual SET "
     "(t_start, t_end)=(SELECT t_start, t_end FROM unusual WHERE moment=2) WHERE moment=5; "
     "UPDATE moment SET stream=NULL WHERE stratum>0; INSERT INTO dirty VALUES(1, 1, 1, NULL)",
     "stream 1: seq 51 is stored twice"},
    {"UPDATE pending SET seq_first=4000 WHERE id=1", "journal batch 1: 50 records"},
    {"UPDATE pending SET block=(SELECT block FROM evidence WHERE moment=2), records=40, "
     "seq_first=51, seq_last=90; INSERT INTO pending SELECT 9, stream, seq_first, seq_last, "
     "records, block FROM pending WHERE id=1", "seq 51 is stored twice"},
    {"UPDATE pending SET block=x'00' WHERE id=2", "journal batch 2: evidence"},
    {"DROP INDEX moment_time", "moment_time"},
};

/* Every kind of damage is found and named. */
START_TEST(test_damage)
{
    make_file();
    const struct damage *d = &damages[_i];
    run_sql(d->sql);
    int r = verify_file(path, NULL, &err);
    ck_assert_msg(r == ERR_CORRUPT && strstr(err.text, d->found), "%s\nfound: %s", d->sql,
                  r ? err.text : "nothing");
}
END_TEST

/* A journaled record that a moment holds too must be the same one. */
START_TEST(test_journal_against_moments)
{
    struct store *s = opened();
    int64_t a = stream_of(s, "a");
    OK(store_begin(s, &err));
    put_batch(s, a, 1, 50);
    OK(store_commit(s, &err));
    put_moment(s, a, 11, 5, T0, END_GAP);
    store_close(s);
    ck_assert_int_eq(verify_file(path, NULL, &err), ERR_CORRUPT);
    ck_assert_ptr_nonnull(strstr(err.text, "is another record"));
}
END_TEST

START_TEST(test_backup)
{
    char out[160], saved[160];
    snprintf(out, sizeof(out), "%s/backup.db", folder);
    make_file();
    struct store *s = opened();
    int64_t id;
    OK(store_begin(s, &err));
    OK(put_lines(s, 1, 9001, 40, T0, PATH_DISCRETE, END_GAP, &id));
    OK(backup_file(path, out, &err));
    OK(store_commit(s, &err));
    ck_assert_int_eq(backup_file(path, out, &err), ERR_EXISTS);
    ck_assert_int_eq(backup_file("/nowhere/memory.db", out, &err), ERR_NOTFOUND);
    store_close(s);
    memcpy(saved, path, sizeof(saved));
    snprintf(path, sizeof(path), "%s", out);
    check_sound();
    ck_assert_int_eq(number("SELECT count(*) FROM moment WHERE stratum=0"), 20);
    store_close(opened());
    memcpy(path, saved, sizeof(saved));
}
END_TEST

/* Writes moments until it is killed; a byte goes to `fd` after each commit. */
static void write_for_ever(int fd)
{
    struct store *s;
    struct store_options o = {.path = path, .clock = clock_system()};
    int64_t id, batch;
    if (store_open(&o, &s, &err))
        _exit(1);
    int64_t stream = number("SELECT id FROM stream");
    uint64_t first = (uint64_t)number(
        "SELECT 1 + max(coalesce((SELECT max(seq_last) FROM moment), 0), "
        "coalesce((SELECT max(seq_last) FROM pending), 0))");
    for (uint64_t i = 0;; i++) {
        uint64_t seq = first + i * 30;
        int64_t t = T0 + (int64_t)seq * US_PER_SECOND;
        OK(store_begin(s, &err));
        batch = put_batch(s, stream, seq, 30);
        OK(store_commit(s, &err));
        OK(store_begin(s, &err));
        OK(put_lines(s, stream, seq, 30, t, i % 2 ? PATH_LATENT : PATH_DISCRETE, END_SHIFT, &id));
        OK(store_pending_delete(s, batch, &err));
        OK(store_commit(s, &err));
        if (write(fd, "x", 1) != 1)
            _exit(1);
        store_consolidate(s, &err);
        if (i % 5 == 4)
            store_checkpoint(s, i % 2, &err);
    }
}

/* kill -9 after any number of commits: the file is sound and holds all that was acknowledged. */
START_TEST(test_kill)
{
    struct store *s = opened();
    stream_of(s, "sys.log");
    store_close(s);
    int64_t acknowledged = 0;
    for (int round = 0; round < 12; round++) {
        int fds[2];
        char byte;
        ck_assert_int_eq(pipe(fds), 0);
        pid_t child = fork();
        if (child == 0) {
            close(fds[0]);
            write_for_ever(fds[1]);
        }
        close(fds[1]);
        for (int i = 0; i < round * 2 + 1; i++)
            ck_assert_int_eq(read(fds[0], &byte, 1), 1);
        kill(child, SIGKILL);
        ck_assert_int_eq(waitpid(child, NULL, 0), child);
        acknowledged += round * 2 + 1;
        while (read(fds[0], &byte, 1) == 1)
            acknowledged++;
        close(fds[0]);
        check_sound();
        ck_assert_int_ge(number("SELECT count(*) FROM moment WHERE stratum=0"), acknowledged);
    }
    s = opened();
    consolidate_all(s);
    check_sound();
    store_close(s);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("verify");
    TCase *t = tcase_create("verify");
    sqlite_setup();
    tcase_set_timeout(t, 100);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_sound);
    tcase_add_loop_test(t, test_damage, 0, (int)(sizeof(damages) / sizeof(*damages)));
    tcase_add_test(t, test_journal_against_moments);
    tcase_add_test(t, test_backup);
    tcase_add_test(t, test_kill);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
