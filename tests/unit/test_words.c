/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "memory/sqlite.h"
#include "memory/words.h"
#include "memory/words_internal.h"

#define S(text) ((struct slice){text, sizeof(text) - 1})

static void join(void *arg, const struct word *word)
{
    struct buf *b = arg;
    if (b->size)
        buf_putc(b, ' ');
    buf_append(b, word->text, word->size);
}

static void check_words(const char *text, const char *expected)
{
    struct buf b = {0};
    ck_assert_int_eq(words_each((struct slice){text, strlen(text)}, join, &b), 0);
    ck_assert_msg(strcmp(b.data ? b.data : "", expected) == 0, "\"%s\" gave \"%s\", not \"%s\"", text,
                  b.data ? b.data : "", expected);
    buf_deinit(&b);
}

START_TEST(test_splitting)
{
    static const char *const rows[][2] = {
        {"", ""},
        {"Failed passwords, failing!", "fail password fail"},
        {"the cat and THE hat", "cat hat"},
        {"a b c 1 2", "1 2"},
        {"connect to 10.0.0.1:22", "connect 10.0.0.1 22"},
        {"web-01.example.com", "web-01.example.com web 01 exampl com"},
        {"/var/log/syslog.1", "var log syslog.1 syslog 1"},
        {"user_name=bob", "user_name user name bob"},
        {"...dots... -- __x1__", "dot x1"},
        {"15:16:01 up", "up"},
        {"[15:16:01.123456] up", "up"},
        {"2026-11-23T12:16:34.000000Z up", "2026-11-23 up"},
        {"2026-11-23 12:16 up", "2026-11-23 up"},
        {"blk_-1608999687919862906", "blk 1608999687919862906"},
        {"\xff\xfe bad \xc3 bytes", "bad byte"},
        {"don't", "don"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        check_words(rows[i][0], rows[i][1]);
}
END_TEST

START_TEST(test_unicode)
{
    check_words("Ärger ÄRGER a\xcc\x88rger", "ärger ärger ärger");
    /* Full case folding makes ss of ß; what is ASCII then is stemmed. */
    check_words("Straße STRASSE", "strass strass");
    check_words("ﬁles １２３", "file 123");
    check_words("Привет, МИР", "привет мир");
    check_words("東京都で", "東京 京都 都で");
    check_words("犬 is dog", "犬 dog");
    check_words("größe-test.log", "grösse test log");
}
END_TEST

static void count_word(void *arg, const struct word *word)
{
    ck_assert_uint_ge(word->size, 1);
    ck_assert_uint_le(word->size, WORD_MAX);
    ++*(unsigned *)arg;
}

/* Lengths and counts are bounded whatever comes in. */
START_TEST(test_bounds)
{
    size_t size = 1 << 20;
    char *text = malloc(size);
    unsigned words = 0;
    ck_assert_ptr_nonnull(text);
    memset(text, 'x', size);
    ck_assert_int_eq(words_each((struct slice){text, size}, count_word, &words), 0);
    ck_assert_uint_eq(words, 1);
    for (size_t i = 0; i < size; i++)
        text[i] = i % 3 ? (char)('0' + (i / 3) % 10) : ' ';
    words = 0;
    ck_assert_int_eq(words_each((struct slice){text, size}, count_word, &words), 0);
    ck_assert_uint_eq(words, WORDS_TEXT_MAX);
    srand(1);
    for (int round = 0; round < 200; round++) {
        for (size_t i = 0; i < 2000; i++)
            text[i] = (char)(rand() % 256);
        ck_assert_int_eq(words_each((struct slice){text, 2000}, count_word, &words), 0);
    }
    free(text);
}
END_TEST

START_TEST(test_query)
{
    struct words_query q;
    ck_assert_int_eq(words_query(S("What failed? The failing disk failed"), &q), 0);
    ck_assert_uint_eq(q.count, 2);
    ck_assert_str_eq(q.words[0].text, "fail");
    ck_assert_str_eq(q.words[1].text, "disk");
    ck_assert_int_eq(words_query(S("what is the"), &q), 0);
    ck_assert_uint_eq(q.count, 0);
}
END_TEST

static struct record lines[] = {
    {.seq = 1, .text = {"disk sda failed", 15}},
    {.seq = 2, .text = {"disk sdb failed failed", 22}},
    {.seq = 3, .text = {"fan stopped", 11}},
};

static const char *row_text(const struct store_words *w, uint32_t k)
{
    static char text[500];
    for (uint32_t i = 0; i < w->row_count; i++) {
        if (w->rows[i].k != k)
            continue;
        memcpy(text, w->text.data + w->rows[i].at, w->rows[i].size);
        text[w->rows[i].size] = '\0';
        return text;
    }
    return "no row";
}

static const struct word_entry *entry(const struct store_words *w, const char *text)
{
    for (uint32_t i = 0; i < w->count; i++)
        if (w->entries[i].size == strlen(text) &&
            memcmp(w->pool.data + w->entries[i].at, text, strlen(text)) == 0)
            return &w->entries[i];
    ck_abort_msg("no word %s", text);
}

static struct moment moment_of(enum moment_path path)
{
    struct moment m = {.kind = KIND_TEXT, .records = lines, .record_count = 3, .path = path,
                       .gist = S("three lines")};
    snprintf(m.title, sizeof(m.title), "disk failed");
    return m;
}

START_TEST(test_latent_path)
{
    struct store_words *w = store_words_new();
    struct moment m = moment_of(PATH_LATENT);
    ck_assert_int_eq(words_index(&m, "sys.log", NULL, 0, w), 0);
    ck_assert_uint_eq(w->row_count, 1);
    ck_assert_str_eq(row_text(w, 0),
                     "sys.log sy log disk fail three line sda sdb fan stop ");
    ck_assert_uint_eq(entry(w, "fail")->records, 2);
    ck_assert_uint_eq(entry(w, "fail")->rows, 1);
    ck_assert_uint_eq(entry(w, "three")->records, 0);
    store_words_free(w);
}
END_TEST

START_TEST(test_discrete_path)
{
    struct store_words *w = store_words_new();
    struct moment m = moment_of(PATH_DISCRETE);
    ck_assert_int_eq(words_index(&m, "sys.log", NULL, 0, w), 0);
    ck_assert_uint_eq(w->row_count, 4);
    ck_assert_str_eq(row_text(w, 1), "disk sda fail ");
    ck_assert_str_eq(row_text(w, 2), "disk sdb fail ");
    ck_assert_str_eq(row_text(w, 3), "fan stop ");
    ck_assert_str_eq(row_text(w, 0), "sys.log sy log disk fail three line ");
    ck_assert_uint_eq(w->rows[w->row_count - 1].k, 0);
    ck_assert_uint_eq(entry(w, "fail")->rows, 3);
    ck_assert_uint_eq(entry(w, "fail")->records, 2);
    store_words_free(w);
}
END_TEST

START_TEST(test_sensor)
{
    static const char *const channels[] = {"cpu.user", "disk", "temperature_c"};
    const struct sample samples[] = {{0, 1}, {2, 20}};
    const struct record r = {.seq = 1, .samples = samples, .sample_count = 2};
    const struct unusual u = {.why = "cpu 97, usually 3"};
    struct moment m = {.kind = KIND_SENSOR, .records = &r, .record_count = 1,
                       .path = PATH_DISCRETE, .unusual = &u, .unusual_count = 1};
    struct store_words *w = store_words_new();
    ck_assert_int_eq(words_index(&m, "host", channels, 3, w), 0);
    ck_assert_uint_eq(w->row_count, 1);
    ck_assert_str_eq(row_text(w, 0), "host cpu 97 usual 3 cpu.user user temperature_c temperatur ");
    store_words_free(w);
}
END_TEST

/* A second moment through the same struct and thread allocates nothing. */
START_TEST(test_warm_allocates_nothing)
{
    struct store_words *w = store_words_new();
    struct moment m = moment_of(PATH_DISCRETE);
    ck_assert_int_eq(words_index(&m, "sys.log", NULL, 0, w), 0);
    uint64_t before = mem_thread_allocations();
    ck_assert_int_eq(words_index(&m, "sys.log", NULL, 0, w), 0);
    ck_assert_uint_eq(mem_thread_allocations(), before);
    store_words_free(w);
    words_thread_deinit();
}
END_TEST

START_TEST(test_counters)
{
    struct words_df *df;
    ck_assert_int_eq(words_df_new(&df), 0);
    words_df_add(df, 77, 2, 5);
    words_df_add(df, 77 + WORDS_BUCKETS, 1, 0);
    words_df_add(df, 78, -1, -1);
    ck_assert_uint_eq(words_df_rows(df, 77), 3);
    ck_assert_uint_eq(words_df_records(df, 77), 5);
    ck_assert_uint_eq(words_df_rows(df, 78), 0);
    words_df_free(df);
}
END_TEST

static int64_t number_of(sqlite3 *db, const char *sql)
{
    struct errmsg err;
    int64_t v = -1;
    ck_assert_msg(sql_int64(db, sql, &v, &err) == 0, "%s", err.text);
    return v;
}

/* Each merge of all segments leaves an empty level; 2,000 of them are the end of an index. */
START_TEST(test_levels)
{
    sqlite3 *db;
    struct errmsg err = {""};
    int rows = 7000;
    ck_assert_int_eq(sqlite_setup(), 0);
    ck_assert_int_eq(sqlite3_open(":memory:", &db), SQLITE_OK);
    ck_assert_int_eq(
        sql_exec(db, "CREATE VIRTUAL TABLE words USING fts5(text, content='', detail=none)", &err),
        0);
    for (int i = 1; i <= rows; i++) {
        char sql[160];
        snprintf(sql, sizeof(sql), "INSERT INTO words(rowid, text) VALUES(%d, 'common w%d')", i,
                 i % 50);
        ck_assert_int_eq(sql_exec(db, sql, &err), 0);
        ck_assert_int_eq(sql_exec(db, "BEGIN", &err), 0);
        ck_assert_msg(words_trim_levels(db, &err) == 0, "%d: %s", i, err.text);
        int r = sql_exec(db, "INSERT INTO words(words, rank) VALUES('merge', -16)", &err);
        ck_assert_msg(r == 0, "%d: %s", i, err.text);
        r = sql_exec(db, i % 10 ? "COMMIT" : "ROLLBACK", &err);
        ck_assert_msg(r == 0, "%d: %s", i, err.text);
    }
    ck_assert_int_eq(sql_exec(db, "INSERT INTO words(words) VALUES('integrity-check')", &err), 0);
    ck_assert_int_eq(number_of(db, "SELECT count(*) FROM words WHERE words MATCH 'common'"), rows);
    ck_assert_int_eq(number_of(db, "SELECT count(*) FROM words WHERE words MATCH 'w7'"), rows / 50);
    ck_assert_int_lt(number_of(db, "SELECT length(block) FROM words_data WHERE id=10"), 700);
    /* What it does not understand it leaves alone. */
    ck_assert_int_eq(sql_exec(db, "UPDATE words_data SET block=x'00000001ff' WHERE id=10", &err),
                     0);
    ck_assert_int_eq(words_trim_levels(db, &err), 0);
    ck_assert_int_eq(number_of(db, "SELECT length(block) FROM words_data WHERE id=10"), 5);
    sqlite3_close(db);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("words");
    TCase *t = tcase_create("words");
    tcase_add_test(t, test_splitting);
    tcase_add_test(t, test_unicode);
    tcase_add_test(t, test_bounds);
    tcase_add_test(t, test_query);
    tcase_add_test(t, test_latent_path);
    tcase_add_test(t, test_discrete_path);
    tcase_add_test(t, test_sensor);
    tcase_add_test(t, test_warm_allocates_nothing);
    tcase_add_test(t, test_counters);
    tcase_add_test(t, test_levels);
    tcase_set_timeout(t, 60); /* thousands of merges, also under a sanitizer */
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
