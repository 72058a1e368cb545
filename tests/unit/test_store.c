/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/store_fixture.h"

START_TEST(test_empty_file)
{
    struct store *s = opened();
    struct stat st;
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_eq(st.st_mode & 0777, 0600);
    store_close(s);
    ck_assert_int_eq(number("PRAGMA auto_vacuum"), 2);
    ck_assert_int_eq(number("PRAGMA page_size"), 4096);
    ck_assert_int_eq(number("PRAGMA application_id"), 0x76617276);
    ck_assert_int_eq(number("SELECT value FROM meta WHERE key='created'"), T0);
    s = opened();
    store_close(s);
}
END_TEST

static void keep_stream(void *arg, const struct store_stream *stream)
{
    *(struct store_stream *)arg = *stream;
}

static void keep_channel(void *arg, uint16_t index, const char *name)
{
    buf_printf(arg, "%d=%s ", index, name);
}

START_TEST(test_streams)
{
    struct store *s = opened();
    struct store_stream a = {.id = stream_of(s, "a")}, back;
    int64_t other;
    struct buf names = {0};
    OK(store_begin(s, &err));
    ck_assert_int_eq(store_stream_create(s, "a", KIND_TEXT, "", &other, &err), ERR_EXISTS);
    ck_assert_int_eq(store_stream_create(s, "", KIND_TEXT, "", &other, &err), ERR_INVALID);
    OK(store_streams(s, keep_stream, &back, &err));
    ck_assert_int_eq(back.first_time, TIME_UNKNOWN);
    a = back;
    a.next_seq = 12;
    a.records = 11;
    a.last_time = T0;
    a.first_time = 5;
    a.redacted = 2;
    snprintf(a.source, sizeof(a.source), "client uid 1");
    OK(store_stream_update(s, &a, &err));
    OK(store_channel_put(s, a.id, 1, "temp", &err));
    OK(store_channel_put(s, a.id, 0, "cpu", &err));
    OK(store_channel_put(s, a.id, 0, "cpu", &err));
    OK(store_commit(s, &err));
    store_close(s);
    s = opened();
    memset(&back, 0, sizeof(back));
    OK(store_streams(s, keep_stream, &back, &err));
    ck_assert_str_eq(back.name, "a");
    ck_assert_str_eq(back.source, "client uid 1");
    ck_assert_uint_eq(back.next_seq, 12);
    ck_assert_uint_eq(back.redacted, 2);
    ck_assert_int_eq(back.first_time, 5);
    ck_assert_int_eq(back.last_time, T0);
    OK(store_channels(s, a.id, keep_channel, &names, &err));
    ck_assert_str_eq(names.data, "0=cpu 1=temp ");
    a.id = 99;
    ck_assert_int_eq(store_stream_update(s, &a, &err), ERR_NOTFOUND);
    buf_deinit(&names);
    store_close(s);
}
END_TEST

START_TEST(test_moment)
{
    struct store *s = opened();
    int64_t stream = stream_of(s, "sys.log"), latent_id, discrete_id;
    OK(store_begin(s, &err));
    OK(put_lines(s, stream, 1, 40, T0, PATH_LATENT, END_SURPRISE, &latent_id));
    OK(put_lines(s, stream, 41, 40, T0 + 40 * US_PER_SECOND, PATH_DISCRETE, END_SURPRISE, &discrete_id));
    OK(store_commit(s, &err));
    ck_assert_int_eq(number("SELECT count(*) FROM words_docsize"), 1 + 41);
    ck_assert_int_eq(number("SELECT sum(records) FROM moment"), 80);
    ck_assert_int_eq(number("SELECT min(seq_first) + max(seq_last) FROM moment"), 81);
    ck_assert_int_eq(number("SELECT span_max FROM stream"), 39 * US_PER_SECOND);
    ck_assert_int_eq(number("SELECT moments FROM stratum WHERE stratum=0"), 2);
    ck_assert_int_eq(number("SELECT count FROM entity WHERE name='web-01'"), 6);
    ck_assert_int_eq(number("SELECT count(*) FROM entity_moment"), 4);
    ck_assert_int_eq(number("SELECT rowid FROM words WHERE words MATCH 'titl 41'"),
                     discrete_id * 512);
    ck_assert_int_eq(number("SELECT rowid FROM words WHERE words MATCH 'request 45'"),
                     discrete_id * 512 + 5);
    ck_assert_int_eq(number("SELECT rowid FROM words WHERE words MATCH 'request 17'"),
                     latent_id * 512);
    ck_assert_int_eq(number("SELECT count(*) FROM words WHERE words MATCH 'fail'"), 41);
    struct words_query q;
    words_query((struct slice){"failed", 6}, &q);
    ck_assert_uint_eq(words_df_rows(store_df(s), q.words[0].hash), 41);
    ck_assert_uint_eq(words_df_records(store_df(s), q.words[0].hash), 80);
    ck_assert_uint_eq(words_df_total_records(store_df(s)), 80);
    store_close(s);
    s = opened();
    ck_assert_uint_eq(words_df_records(store_df(s), q.words[0].hash), 80);
    ck_assert_uint_eq(words_df_total_rows(store_df(s)), 42);
    store_close(s);
}
END_TEST

START_TEST(test_rollback_leaves_nothing)
{
    struct store *s = opened();
    int64_t stream = stream_of(s, "sys.log"), id;
    OK(store_begin(s, &err));
    OK(put_lines(s, stream, 1, 40, T0, PATH_LATENT, END_SURPRISE, &id));
    store_rollback(s);
    ck_assert_uint_eq(words_df_total_rows(store_df(s)), 0);
    OK(store_begin(s, &err));
    OK(put_lines(s, stream, 1, 40, T0, PATH_DISCRETE, END_SURPRISE, &id));
    OK(store_commit(s, &err));
    ck_assert_uint_eq(words_df_total_rows(store_df(s)), 41);
    ck_assert_int_eq(number("SELECT moments FROM stratum WHERE stratum=0"), 1);
    ck_assert_int_eq(number("SELECT count(*) FROM dirty WHERE stratum=1"), 1);
    store_close(s);
}
END_TEST

START_TEST(test_moment_and_block_must_agree)
{
    struct store *s = opened();
    int64_t stream = stream_of(s, "a"), id;
    struct record r = {.seq = 1, .time = T0};
    struct moment m = {.kind = KIND_TEXT, .start = T0, .end = T0, .records = &r, .record_count = 1};
    struct store_words *w = store_words_new();
    ck_assert_int_eq(words_index(&m, "a", NULL, 0, w), 0);
    OK(store_begin(s, &err));
    ck_assert_int_eq(store_moment_put(s, stream, &m, (struct slice){"nonsense", 8}, w, &id, &err),
                     ERR_CORRUPT);
    store_rollback(s);
    store_words_free(w);
    store_close(s);
}
END_TEST

struct batches {
    int count;
    uint64_t seqs;
    int64_t id;
};

static int keep_batch(void *arg, int64_t id, int64_t stream, struct slice block)
{
    struct batches *b = arg;
    struct arena arena;
    struct record *records;
    uint32_t n;
    arena_init(&arena, 4096);
    OK(evidence_decode(block, &arena, &records, &n, &err));
    for (uint32_t i = 0; i < n; i++)
        b->seqs += records[i].seq;
    b->count++;
    b->id = id;
    arena_deinit(&arena);
    return 0;
}

static int64_t put_batch(struct store *s, int64_t stream, uint64_t seq, uint32_t n)
{
    struct record records[100] = {{0}};
    struct buf block = {0};
    int64_t id;
    for (uint32_t i = 0; i < n; i++)
        records[i] = (struct record){.seq = seq + i, .time = T0, .text = {"x", 1}};
    ck_assert_int_eq(evidence_encode(records, n, 1, &block), 0);
    OK(store_pending_put(s, stream, seq, seq + n - 1, n, (struct slice){block.data, block.size},
                         &id, &err));
    buf_deinit(&block);
    return id;
}

/* What lies in a moment already does not come out of the journal again. */
START_TEST(test_journal)
{
    struct store *s = opened();
    int64_t stream = stream_of(s, "sys.log"), other = stream_of(s, "other"), id, first;
    struct batches b = {0};
    OK(store_begin(s, &err));
    first = put_batch(s, stream, 1, 10);
    put_batch(s, stream, 11, 10);
    put_batch(s, stream, 21, 5);
    put_batch(s, other, 1, 5);
    OK(store_pending_delete(s, first, &err));
    OK(store_commit(s, &err));
    OK(store_pending(s, keep_batch, &b, &err));
    ck_assert_int_eq(b.count, 3);
    ck_assert_uint_eq(b.seqs, 155 + 115 + 15);
    OK(store_begin(s, &err));
    OK(put_lines(s, stream, 1, 22, T0, PATH_LATENT, END_SURPRISE, &id));
    OK(store_commit(s, &err));
    store_close(s);
    s = opened();
    b = (struct batches){0};
    OK(store_pending(s, keep_batch, &b, &err));
    ck_assert_int_eq(b.count, 2);
    ck_assert_uint_eq(b.seqs, 23 + 24 + 25 + 15);
    ck_assert_int_eq(number("SELECT count(*) FROM pending"), 2);
    store_close(s);
}
END_TEST

START_TEST(test_state_pin_feedback)
{
    struct store *s = opened();
    int64_t stream = stream_of(s, "sys.log"), id;
    struct buf b = {0};
    ck_assert_int_eq(store_state_get(s, "cursor", &b, &err), ERR_NOTFOUND);
    OK(store_begin(s, &err));
    OK(put_lines(s, stream, 1, 3, T0, PATH_LATENT, END_SURPRISE, &id));
    OK(store_state_put(s, "cursor", (struct slice){"a\0b", 3}, &err));
    OK(store_state_put(s, "cursor", (struct slice){"c\0d", 3}, &err));
    OK(store_pin(s, id, true, &err));
    OK(store_feedback(s, id, true, &err));
    OK(store_feedback(s, id, false, &err));
    ck_assert_int_eq(store_pin(s, id + 1, true, &err), ERR_NOTFOUND);
    OK(store_commit(s, &err));
    OK(store_state_get(s, "cursor", &b, &err));
    ck_assert_uint_eq(b.size, 3);
    ck_assert_mem_eq(b.data, "c\0d", 3);
    OK(store_begin(s, &err));
    static char large[100000];
    memset(large, 'x', sizeof(large));
    memcpy(large, "\x28\xb5\x2f\xfd", 4); /* begins like a frame */
    OK(store_state_put(s, "large", (struct slice){large, sizeof(large)}, &err));
    OK(store_state_put(s, "frame", (struct slice){large, 5}, &err));
    OK(store_commit(s, &err));
    ck_assert_int_lt(number("SELECT length(value) FROM state WHERE key='large'"), 200);
    buf_clear(&b);
    OK(store_state_get(s, "large", &b, &err));
    OK(store_state_get(s, "frame", &b, &err));
    ck_assert_uint_eq(b.size, sizeof(large) + 5);
    ck_assert_mem_eq(b.data, large, sizeof(large));
    ck_assert_mem_eq(b.data + sizeof(large), large, 5);
    ck_assert_int_eq(number("SELECT pinned*100 + uses*10 + helped FROM moment"), 121);
    buf_deinit(&b);
    store_close(s);
}
END_TEST

START_TEST(test_second_writer)
{
    struct store *s = opened();
    char pid[32];
    snprintf(pid, sizeof(pid), "process %ld", (long)getpid());
    ck_assert_int_eq(open_code(), ERR_BUSY);
    ck_assert_ptr_nonnull(strstr(err.text, pid));
    store_close(s);
    ck_assert_int_eq(open_code(), 0);
}
END_TEST

static void run_sql(const char *sql)
{
    sqlite3 *db;
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK, "%s", sqlite3_errmsg(db));
    sqlite3_close(db);
}

static void overwrite(long at, const char *bytes, size_t size)
{
    FILE *f = fopen(path, "r+b");
    ck_assert_ptr_nonnull(f);
    fseek(f, at, SEEK_SET);
    fwrite(bytes, 1, size, f);
    fclose(f);
}

START_TEST(test_foreign_and_damaged_files)
{
    store_close(opened());
    run_sql("PRAGMA user_version=99");
    ck_assert_int_eq(open_code(), ERR_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(err.text, "newer varve"));
    run_sql("PRAGMA user_version=2; DROP TABLE latent");
    ck_assert_int_eq(open_code(), ERR_CORRUPT);
    ck_assert_ptr_nonnull(strstr(err.text, "latent is missing"));
    run_sql("PRAGMA application_id=1");
    ck_assert_int_eq(open_code(), ERR_CORRUPT);
    ck_assert_ptr_nonnull(strstr(err.text, "not a varve memory"));
    ck_assert_int_eq(truncate(path, 8192), 0);
    ck_assert_int_eq(open_code(), ERR_CORRUPT);
    ck_assert_ptr_nonnull(strstr(err.text, "cut short"));
    overwrite(0, "no database", 11);
    ck_assert_int_eq(open_code(), ERR_CORRUPT);
    ck_assert_ptr_nonnull(strstr(err.text, path));
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    ck_assert_int_ne(open_code(), 0);
    ck_assert_int_eq(rmdir(path), 0);
}
END_TEST

/* A page of a table overwritten: found on opening when it is a root, else when it is read. */
START_TEST(test_damaged_page)
{
    store_close(opened());
    int64_t page = number("SELECT rootpage FROM sqlite_schema WHERE name='moment'");
    char junk[512];
    memset(junk, 0xee, sizeof(junk));
    overwrite((page - 1) * 4096, junk, sizeof(junk));
    ck_assert_int_eq(open_code(), ERR_CORRUPT);
}
END_TEST

/* SQLite's memory is ours, and all of it comes back. */
START_TEST(test_memory)
{
    size_t before = sqlite_memory();
    struct store *s = opened();
    ck_assert_uint_gt(sqlite_memory(), before);
    store_close(s);
    ck_assert_uint_eq(sqlite_memory(), before);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("store");
    TCase *t = tcase_create("store");
    sqlite_setup();
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_empty_file);
    tcase_add_test(t, test_streams);
    tcase_add_test(t, test_moment);
    tcase_add_test(t, test_rollback_leaves_nothing);
    tcase_add_test(t, test_moment_and_block_must_agree);
    tcase_add_test(t, test_journal);
    tcase_add_test(t, test_state_pin_feedback);
    tcase_add_test(t, test_second_writer);
    tcase_add_test(t, test_foreign_and_damaged_files);
    tcase_add_test(t, test_damaged_page);
    tcase_add_test(t, test_memory);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
