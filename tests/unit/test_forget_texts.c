/* SPDX-License-Identifier: Apache-2.0 */
/* What forgetting finds beside records: remains, names, kinds, channels, models, an older plan. */
#include <utf8proc.h>

#include "memory/forget_internal.h"
#include "tests/unit/forget_fixture.h"

#define CHANNEL "luxquartz"

/* A moment of one line in which the secret has all the places it can have. */
static int64_t put_telling(struct store *s, int64_t stream, uint64_t seq, int64_t time)
{
    struct record r = {.seq = seq, .time = time, .text = {"door of " SECRET " opened", 23}};
    struct unusual u = {
        .start = time, .end = time, .bits = 12, .z = 8, .score = 0.9f, .why = "door of " SECRET};
    struct entity_seen seen = {"user", SECRET, 1};
    struct tally tally = {.kind = {"door of " SECRET " <*>", 20},
                          .kind_model = (uint32_t)seq,
                          .count = 1,
                          .first_at = time,
                          .last_at = time};
    struct moment m = {.kind = KIND_TEXT,
                       .start = time,
                       .end = time,
                       .records = &r,
                       .record_count = 1,
                       .ended = END_GAP,
                       .bits = 1,
                       .bits_max = 12,
                       .z = 8,
                       .path = PATH_DISCRETE,
                       .unusual = &u,
                       .unusual_count = 1,
                       .entities = &seen,
                       .entity_count = 1,
                       .tallies = &tally,
                       .tally_count = 1,
                       .title = "door of " SECRET};
    m.latent[3] = 1;
    return commit_moment(s, stream, "sys.log", &m);
}

static void evict(struct store *s, int64_t id, bool whole)
{
    OK(store_begin(s, &err));
    if (whole)
        OK(store_erase_moment(s, id, ERASE_EVICT, &err));
    else
        OK(store_erase_evidence(s, id, &err));
    OK(store_commit(s, &err));
    consolidate_all(s);
}

/* A pattern together with a stream, a time or both, where moments that held it were evicted. */
START_TEST(test_remains)
{
    struct store *s = opened();
    struct forget_selector x = any;
    struct forget_receipt receipt;
    int64_t stream[2] = {stream_of(s, "sys.log"), stream_of(s, "other")}, id[3];
    for (int i = 0; i < 3; i++)
        id[i] = put_telling(s, stream[0], 1 + (uint64_t)i, HOUR0 + i * 20 * MINUTE);
    put_texts(s, stream[0], 100, 20, HOUR0 + 5 * MINUTE, 99, PATH_DISCRETE);
    put_texts(s, stream[1], 100, 20, HOUR0 + 25 * MINUTE, 99, PATH_DISCRETE);
    consolidate_all(s);
    evict(s, id[0], true);
    evict(s, id[1], true);
    evict(s, id[2], false);
    ck_assert_int_gt(number("SELECT count(*) FROM past"), 0);
    ck_assert(is_in_files(SECRET));
    x.match = (struct slice){SECRET, 8};
    if (_i != 1)
        x.stream = stream[0];
    if (_i != 0) {
        x.since = HOUR0 - MINUTE;
        x.until = HOUR0 + 2 * US_PER_HOUR;
    }
    OK(forget(s, &x, false, &receipt));
    ck_assert_int_eq(number("SELECT count(*) FROM entity WHERE name='" SECRET "'"), 0);
    check_forgotten(SECRET);
    store_close(s);
}
END_TEST

/* What another stream's, or another time's, evicted moments held stays. */
START_TEST(test_remains_of_others)
{
    struct store *s = opened();
    struct forget_selector x = any;
    struct forget_receipt receipt;
    int64_t stream[2] = {stream_of(s, "sys.log"), stream_of(s, "other")}, id[2];
    id[0] = put_telling(s, stream[0], 1, HOUR0);
    id[1] = put_telling(s, stream[1], 1, HOUR0 + 3 * US_PER_HOUR);
    consolidate_all(s);
    evict(s, id[0], true);
    evict(s, id[1], true);
    x.match = (struct slice){SECRET, 8};
    if (_i == 0)
        x.stream = stream[0];
    else
        x.until = HOUR0 + US_PER_HOUR;
    OK(forget(s, &x, false, &receipt));
    check_sound();
    ck_assert_int_eq(number("SELECT count(*) FROM past"), 1);
    ck_assert_int_eq(number("SELECT count(*) FROM kind WHERE text LIKE '%" SECRET "%'"), 1);
    ck_assert_int_eq(number("SELECT count FROM entity WHERE name='" SECRET "'"), 1);
    ck_assert_int_eq(number("SELECT count(*) FROM gist WHERE text LIKE '%" SECRET "%'") > 0, true);
    x = any;
    x.match = (struct slice){SECRET, 8};
    OK(forget(s, &x, false, &receipt));
    check_forgotten(SECRET);
    store_close(s);
}
END_TEST

/* Letters beyond ASCII are folded in models as they are in records. */
START_TEST(test_models_of_other_letters)
{
    static const char state[] = "\x01\xc3\xffLogin of REN\xc3\x89 Z\xc3\x9cRN <*>\x00\x7f\xe2";
    struct store *s = opened();
    struct forget_selector x = any;
    struct forget *f;
    int64_t stream = stream_of(s, "sys.log");
    uint32_t n;
    OK(store_begin(s, &err));
    OK(store_state_put(s, "model/1", (struct slice){state, sizeof(state)}, &err));
    OK(store_commit(s, &err));
    x.match = (struct slice){"ren\xc3\xa9 z\xc3\xbcrn", 11};
    OK(forget_new(&x, &f, &err));
    while (forget_phase(f) < FORGET_MODELS)
        OK(one_step(s, f, false));
    ck_assert_int_eq(*forget_streams(f, &n), stream);
    ck_assert_uint_eq(n, 1);
    ck_assert(forget_knows(f, (struct slice){"of REN\xc3\x89 Z\xc3\x9cRN, cut \xc3", 22}));
    forget_free(f);
    store_close(s);
}
END_TEST

/* Folding in pieces gives what folding the whole does, and leaves what is no UTF-8. */
START_TEST(test_fold)
{
    static const char *const pieces[] = {
        "A",           "z",           "Zanzibar is LONG ", "\xcc\x88",     "\xcc\xa7",
        "\xc3\x89",    "\xe2\x84\xaa", "\xef\xac\x81",        "\xc3\x9f",     "\xe1\x84\x80",
        "\xe1\x85\xa1", "\xc4\xb0",    "\xcd\xbe",            "\xf0\x9f\x90\x8b", " "};
    uint64_t random = 42 + (uint64_t)_i;
    for (int round = 0; round < 300; round++) {
        struct buf text = {0}, folded = {0};
        utf8proc_uint8_t *whole = NULL;
        for (int n = 0; n < 12; n++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            buf_puts(&text, pieces[(random >> 33) % (sizeof(pieces) / sizeof(*pieces))]);
        }
        utf8proc_ssize_t size =
            utf8proc_map((const utf8proc_uint8_t *)text.data, (utf8proc_ssize_t)text.size, &whole,
                         UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_CASEFOLD);
        OK(forget_fold((struct slice){text.data, text.size}, &folded));
        ck_assert_int_eq(size, (int64_t)folded.size);
        ck_assert_mem_eq(whole, folded.data, folded.size);
        free(whole);
        buf_deinit(&text);
        buf_deinit(&folded);
    }
    struct buf folded = {0};
    OK(forget_fold((struct slice){"\xff" "A\xc3", 3}, &folded));
    ck_assert_mem_eq(folded.data, "\xff" "a\xc3", 3);
    buf_deinit(&folded);
}
END_TEST

/* Letters that are one only in folding, refs, and what two records hold only together. */
START_TEST(test_match_in_records)
{
    struct store *s = opened();
    struct forget_selector x = any;
    struct forget_receipt receipt;
    int64_t stream = stream_of(s, "sys.log");
    struct record r[4] = {{.seq = 1, .time = HOUR0, .text = {"the \xe2\x84\xaa" "elvin", 12}},
                          {.seq = 2, .time = HOUR0 + 1, .text = {"ends with kel", 13}},
                          {.seq = 3, .time = HOUR0 + 2, .text = {"vin begins", 10}},
                          {.seq = 4, .time = HOUR0 + 3, .text = {"x", 1}, .ref = {"KELVIN", 6}}};
    struct moment m = {.kind = KIND_TEXT,
                       .start = HOUR0,
                       .end = HOUR0 + 3,
                       .records = r,
                       .record_count = 4,
                       .ended = END_GAP,
                       .bits = 1,
                       .path = PATH_DISCRETE,
                       .title = "temperatures"};
    m.latent[3] = 1;
    commit_moment(s, stream, "sys.log", &m);
    x.match = (struct slice){"Kelvin", 6};
    OK(forget(s, &x, false, &receipt));
    ck_assert_uint_eq(receipt.records, 2);
    ck_assert_uint_eq(receipt.rewritten, 1);
    check_sound();
    ck_assert(!is_in_files("the \xe2\x84\xaa") && is_in_files("kelvin begins"));
    OK(forget(s, &x, false, &receipt));
    ck_assert_uint_eq(receipt.records, 0);
    store_close(s);
}
END_TEST

/* Records of a sensor: all have `temp`, the last of a moment the other channel as well if so. */
static int64_t put_samples(struct store *s, int64_t stream, uint64_t seq, int64_t time, bool both)
{
    static const char *const names[] = {"temp", CHANNEL};
    struct record records[4];
    struct sample samples[4][2];
    struct tally tallies[2];
    struct entity_seen seen[] = {{"channel", "temp", 4}, {"channel", CHANNEL, 1}};
    for (int i = 0; i < 4; i++) {
        samples[i][0] = (struct sample){0, 20 + i};
        samples[i][1] = (struct sample){1, 7};
        records[i] = (struct record){.seq = seq + (uint64_t)i,
                                     .time = time + i * US_PER_SECOND,
                                     .samples = samples[i],
                                     .sample_count = both && i == 3 ? 2 : 1};
    }
    for (int c = 0; c < 2; c++)
        tallies[c] = (struct tally){.channel = (uint16_t)c,
                                    .count = c ? 1 : 4,
                                    .first_at = time,
                                    .last_at = time + 3 * US_PER_SECOND,
                                    .mean = 7,
                                    .least = 7,
                                    .most = 7,
                                    .first = 7,
                                    .last = 7,
                                    .least_at = time,
                                    .most_at = time};
    struct moment m = {.kind = KIND_SENSOR,
                       .start = time,
                       .end = time + 3 * US_PER_SECOND,
                       .records = records,
                       .record_count = 4,
                       .ended = END_GAP,
                       .bits = 1,
                       .path = PATH_DISCRETE,
                       .entities = seen,
                       .entity_count = both ? 2 : 1,
                       .tallies = tallies,
                       .tally_count = both ? 2 : 1,
                       .title = "temp 20 to 23"};
    m.latent[3] = 1;
    return commit_samples(s, stream, "room", names, 2, &m);
}

/* The name of a channel, wherever it stands; its number stays taken, its sums go. */
START_TEST(test_channel)
{
    struct store *s = opened();
    struct forget_selector x = any;
    struct forget_receipt receipt;
    struct forget *f;
    int64_t stream, id[5];
    OK(store_begin(s, &err));
    OK(store_stream_create(s, "room", KIND_SENSOR, "test", &stream, &err));
    struct store_stream row = {.id = stream,
                               .source = "test",
                               .next_seq = 1 << 30,
                               .first_time = TIME_UNKNOWN,
                               .last_time = TIME_UNKNOWN};
    OK(store_stream_update(s, &row, &err));
    OK(store_channel_put(s, stream, 0, "temp", &err));
    OK(store_channel_put(s, stream, 1, CHANNEL, &err));
    OK(store_commit(s, &err));
    for (int i = 0; i < 5; i++)
        id[i] = put_samples(s, stream, 1 + 4 * (uint64_t)i, HOUR0 + i * 10 * MINUTE, i != 2);
    consolidate_all(s);
    evict(s, id[0], true);
    evict(s, id[1], false);
    check_sound();
    ck_assert(is_in_files(CHANNEL));
    x.match = (struct slice){CHANNEL, 4};
    if (_i)
        x.stream = stream;
    OK(forget_new(&x, &f, &err));
    OK(forget_channel(f, stream, 1));
    while (forget_phase(f) < FORGET_DONE)
        OK(one_step(s, f, false));
    forget_receipt(f, &receipt);
    ck_assert_uint_eq(receipt.records, 2);
    forget_free(f);
    ck_assert_int_eq(number("SELECT count(*) FROM channel WHERE name='(forgotten 1)'"), 1);
    ck_assert_int_eq(number("SELECT count(*) FROM entity"), 1);
    ck_assert_int_eq(number("SELECT count(*) FROM gist WHERE text LIKE '%forgotten%'"), 0);
    ck_assert_int_gt(number("SELECT count(*) FROM gist WHERE text LIKE '%temp%'"), 0);
    check_forgotten(CHANNEL);
    store_close(s);
    check_forgotten(CHANNEL);
}
END_TEST

/* An error ended a forgetting while it was planned: the next one does nothing of it. */
START_TEST(test_a_plan_that_broke_off)
{
    int64_t stream[2], id[12];
    struct store *s = filled(stream, id);
    struct forget_selector x = any;
    struct forget *f;
    struct forget_receipt receipt;
    x.since = HOUR0;
    OK(forget_new(&x, &f, &err));
    OK(one_step(s, f, false));
    OK(one_step(s, f, false));
    ck_assert_int_gt(number("SELECT count(*) FROM forget"), 5);
    forget_free(f);
    x = any;
    x.match = (struct slice){SECRET, 8};
    OK(forget(s, &x, false, &receipt));
    ck_assert_uint_eq(receipt.records, 2);
    ck_assert_int_eq(number("SELECT count(*) FROM moment WHERE stratum=0"), 12);
    check_forgotten(SECRET);
    store_close(s);
}
END_TEST

/* It ended when the records were gone: the next one does the rest, and what only the first knew of
 * the models' words makes them begin anew. */
START_TEST(test_a_plan_that_was_left)
{
    int64_t stream[2], id[12];
    struct store *s = filled(stream, id);
    struct forget_selector x = any;
    struct forget *f;
    uint32_t n;
    x.id = id[3];
    OK(forget_new(&x, &f, &err));
    while (forget_phase(f) < (_i ? FORGET_MODELS : FORGET_ERASING))
        OK(one_step(s, f, false));
    forget_free(f);
    x.id = id[0];
    OK(forget_new(&x, &f, &err));
    while (forget_phase(f) < FORGET_MODELS)
        OK(one_step(s, f, false));
    forget_streams(f, &n);
    ck_assert_uint_eq(n, 2);
    ck_assert(forget_knows(f, (struct slice){"user zanzibar306 logged", 23}));
    while (forget_phase(f) < FORGET_DONE)
        OK(one_step(s, f, false));
    forget_free(f);
    check_forgotten(SECRET "306");
    ck_assert_int_eq(number("SELECT count(*) FROM moment WHERE stratum=0"), 10);
    store_close(s);
}
END_TEST

/* The wall clock jumps by years between the steps, and what comes meanwhile is of these times. */
START_TEST(test_clock_jumps)
{
    int64_t stream[2], id[12];
    struct store *s = filled(stream, id);
    struct forget_selector x = any;
    struct forget_receipt receipt;
    struct forget *f;
    int64_t start = now.simulated, jump = 0;
    uint64_t seq = 5000;
    x.match = (struct slice){SECRET, 8};
    OK(forget_new(&x, &f, &err));
    while (forget_phase(f) != FORGET_DONE) {
        OK(one_step(s, f, false));
        jump = jump > 0 ? -20 * 365 * US_PER_DAY : 20 * 365 * US_PER_DAY;
        clock_simulated_init(&now, start + jump);
        put_texts(s, stream[0], seq, 3, start + jump, 99, PATH_DISCRETE);
        seq += 10;
    }
    forget_receipt(f, &receipt);
    ck_assert_uint_eq(receipt.records, 2);
    forget_free(f);
    consolidate_all(s);
    check_forgotten(SECRET);
    store_close(s);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("forget_texts");
    TCase *tc = tcase_create("forget_texts");
    tcase_set_timeout(tc, 100);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, test_remains, 0, 3);
    tcase_add_loop_test(tc, test_remains_of_others, 0, 2);
    tcase_add_test(tc, test_models_of_other_letters);
    tcase_add_loop_test(tc, test_fold, 0, 4);
    tcase_add_test(tc, test_match_in_records);
    tcase_add_loop_test(tc, test_channel, 0, 2);
    tcase_add_test(tc, test_a_plan_that_broke_off);
    tcase_add_loop_test(tc, test_a_plan_that_was_left, 0, 2);
    tcase_add_test(tc, test_clock_jumps);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    words_thread_deinit();
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
