/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <time.h>

#include "memory/calendar.h"
#include "memory/erase.h"
#include "memory/stat.h"
#include "memory/sums.h"
#include "tests/unit/store_fixture.h"

/* 2023-11-13 00:00 UTC, a Monday */
#define MONDAY 1699833600000000LL
#define HOUR US_PER_HOUR
#define DAY US_PER_DAY

static struct arena arena;
static struct reader *reader;

static void begin(void)
{
    setup();
    setenv("TZ", "UTC", 1);
    tzset();
    arena_init(&arena, 1 << 14);
}

static void finish(void)
{
    arena_deinit(&arena);
    teardown();
}

static void open_reader(void)
{
    const struct reader_options o = {.path = path, .clock = &now};
    OK(reader_open(&o, &reader, &err));
}

/* A moment of n lines of a kind, a second apart. */
static void put_kind(struct store *s, int64_t stream, uint64_t seq, uint32_t n, int64_t time,
                     const char *kind, uint32_t model)
{
    struct record records[MOMENT_RECORDS];
    for (uint32_t i = 0; i < n; i++)
        records[i] = (struct record){
            .seq = seq + i, .time = time + i * US_PER_SECOND, .text = {"some line", 9}};
    struct tally t = {.kind = {kind, strlen(kind)},
                      .kind_model = model,
                      .count = n,
                      .first_at = time,
                      .last_at = time + (n - 1) * US_PER_SECOND};
    struct moment m = {.kind = KIND_TEXT,
                       .start = time,
                       .end = time + (n - 1) * US_PER_SECOND,
                       .records = records,
                       .record_count = n,
                       .ended = END_GAP,
                       .path = PATH_LATENT,
                       .tallies = &t,
                       .tally_count = 1,
                       .title = "lines"};
    commit_moment(s, stream, "log", &m);
}

/* Values v, v + 1, … of channel 0. */
static void put_values(struct store *s, int64_t stream, uint64_t seq, uint32_t n, int64_t time,
                       double v)
{
    struct record records[MOMENT_RECORDS];
    struct sample samples[MOMENT_RECORDS];
    struct tally t = {.channel = 0,
                      .count = n,
                      .first_at = time,
                      .last_at = time + (n - 1) * US_PER_SECOND,
                      .first = v,
                      .last = v + n - 1,
                      .least = v,
                      .most = v + n - 1,
                      .mean = v + (n - 1) / 2.0,
                      .least_at = time,
                      .most_at = time + (n - 1) * US_PER_SECOND};
    for (uint32_t i = 0; i < n; i++) {
        samples[i] = (struct sample){0, v + i};
        records[i] = (struct record){.seq = seq + i,
                                     .time = time + i * US_PER_SECOND,
                                     .samples = &samples[i],
                                     .sample_count = 1};
        t.m2 += (v + i - t.mean) * (v + i - t.mean);
    }
    struct moment m = {.kind = KIND_SENSOR,
                       .start = time,
                       .end = time + (n - 1) * US_PER_SECOND,
                       .records = records,
                       .record_count = n,
                       .ended = END_GAP,
                       .path = PATH_LATENT,
                       .tallies = &t,
                       .tally_count = 1,
                       .title = "values"};
    OK(store_begin(s, &err));
    OK(store_channel_put(s, stream, 0, "celsius", &err));
    OK(store_commit(s, &err));
    commit_moment(s, stream, "temp", &m);
}

static void set_times(struct store *s, int64_t stream, int64_t first, int64_t last)
{
    struct store_stream row = {.id = stream,
                               .source = "test",
                               .next_seq = 1 << 30,
                               .first_time = first,
                               .last_time = last};
    OK(store_begin(s, &err));
    OK(store_stream_update(s, &row, &err));
    OK(store_commit(s, &err));
}

static const struct stat_item *item_of(const struct stat_item *items, uint32_t n,
                                       enum stat_what what, const char *name)
{
    for (uint32_t i = 0; i < n; i++)
        if (items[i].what == what && strcmp(items[i].name, name) == 0)
            return &items[i];
    ck_abort_msg("no item %s", name);
}

/* Merged in parts, in any order and through blobs, sums say what they would have said at once. */
START_TEST(test_sums_merge)
{
    struct sums parts[8], all, back;
    struct buf b = {0};
    struct spread at_once = {0};
    double values[80];
    sums_init(&all, &arena, &arena);
    for (int p = 0; p < 8; p++) {
        sums_init(&parts[p], &arena, &arena);
        struct sum one = {.what = STAT_CHANNEL, .id = 3, .count = 10};
        for (int i = 0; i < 10; i++) {
            values[p * 10 + i] = 1e4 + sin(p * 10 + i);
            spread_value(&one.values, values[p * 10 + i]);
            spread_value(&at_once, values[p * 10 + i]);
        }
        one.first = values[p * 10];
        one.last = values[p * 10 + 9];
        one.first_at = MONDAY + p * HOUR;
        one.last_at = one.first_at + 9 * US_PER_SECOND;
        one.least_at = one.most_at = one.first_at;
        ck_assert_int_eq(sums_add(&parts[p], &one), 0);
        ck_assert_int_eq(
            sums_count(&parts[p], STAT_KIND, 100 + p % 2, 5, one.first_at, one.last_at), 0);
    }
    for (int p = 0; p < 8; p++) {
        buf_clear(&b);
        sums_put(&parts[(p * 3) % 8], 0, &b);
        ck_assert_int_eq(sums_merge(&all, b.data, b.size, p), 0);
    }
    buf_clear(&b);
    sums_put(&all, PROFILE_CHANNELS, &b);
    sums_init(&back, &arena, &arena);
    ck_assert_int_eq(sums_merge(&back, b.data, b.size, -1), 0);
    const struct sum *s = sums_find(&back, STAT_CHANNEL, 3);
    ck_assert_uint_eq(s->count, 80);
    ck_assert_double_eq_tol(s->values.mean, at_once.mean, 1e-3);
    ck_assert_double_eq_tol(spread_sd(&s->values), spread_sd(&at_once), 1e-3);
    ck_assert_double_eq_tol(s->values.least, at_once.least, 0.1);
    ck_assert_double_eq_tol(s->first, values[0], 0.1);
    ck_assert_double_eq_tol(s->last, values[79], 0.1);
    ck_assert_int_eq(s->first_at, MONDAY);
    ck_assert_int_eq(s->last_at, MONDAY + 7 * HOUR + 9 * US_PER_SECOND);
    ck_assert_ptr_nonnull(s->hours);
    ck_assert_uint_eq(s->hours[4].n, 10);
    ck_assert_double_eq_tol(s->hours[0].mean, 1e4 + 0.2, 1);
    ck_assert_uint_eq(sums_find(&back, STAT_KIND, 100)->count, 20);
    ck_assert_ptr_null(sums_find(&back, STAT_KIND, 102));
    /* Written again it is the same. */
    struct buf again = {0};
    sums_put(&back, PROFILE_CHANNELS, &again);
    ck_assert_uint_eq(again.size, b.size);
    buf_deinit(&again);
    buf_deinit(&b);
}
END_TEST

/* One value of a channel, which is its number. */
static void add_value(struct sums *s, int channel)
{
    const struct sum one = {.what = STAT_CHANNEL,
                            .id = channel,
                            .count = 1,
                            .first_at = MONDAY,
                            .last_at = MONDAY,
                            .values = {1, channel, 0, channel, channel},
                            .least_at = MONDAY,
                            .most_at = MONDAY};
    ck_assert_int_eq(sums_add(s, &one), 0);
}

/* More kinds than there is room for: the commonest stay. */
START_TEST(test_sums_bounded)
{
    struct sums s, back;
    struct buf b = {0};
    sums_init(&s, &arena, &arena);
    for (int i = 0; i < 3000; i++)
        ck_assert_int_eq(
            sums_count(&s, STAT_KIND, 1 + i, 1 + (uint64_t)(i % 50 == 0), MONDAY, MONDAY), 0);
    for (int i = 0; i < 500; i++)
        add_value(&s, i);
    sums_put(&s, PROFILE_CHANNELS, &b);
    sums_init(&back, &arena, &arena);
    ck_assert_int_eq(sums_merge(&back, b.data, b.size, -1), 0);
    ck_assert_uint_eq(back.count, SUMS_KINDS + SUMS_CHANNELS);
    for (int i = 0; i < 3000; i += 50)
        ck_assert_ptr_nonnull(sums_find(&back, STAT_KIND, 1 + i));
    buf_deinit(&b);
}
END_TEST

/* Of a memory with little room: the first channels have profiles, all have sums. */
START_TEST(test_profiles_bounded)
{
    struct sums hour, day, back;
    struct buf b = {0};
    sums_init(&hour, &arena, &arena);
    sums_init(&day, &arena, &arena);
    ck_assert_int_eq(sums_count(&hour, STAT_RECORDS, 0, 9, MONDAY, MONDAY), 0);
    for (int i = 0; i < 9; i++)
        add_value(&hour, i);
    sums_put(&hour, 0, &b);
    ck_assert_int_eq(sums_merge(&day, b.data, b.size, 4), 0);
    buf_clear(&b);
    sums_put(&day, 2, &b);
    sums_init(&back, &arena, &arena);
    ck_assert_int_eq(sums_merge(&back, b.data, b.size, -1), 0);
    ck_assert_ptr_nonnull(sums_find(&back, STAT_RECORDS, 0)->hours);
    for (int i = 0; i < 9; i++) {
        ck_assert_uint_eq(sums_find(&back, STAT_CHANNEL, i)->count, 1);
        ck_assert_int_eq(sums_find(&back, STAT_CHANNEL, i)->hours != NULL, i < 2);
    }
    buf_deinit(&b);
}
END_TEST

/* Damaged blobs end in an error or in other numbers, never in a crash. */
START_TEST(test_sums_damaged)
{
    struct sums s;
    struct buf b = {0};
    uint64_t random = 12345;
    sums_init(&s, &arena, &arena);
    const struct sum_mark mark = {
        .moment = 7, .at = MONDAY, .score = 0.8, .bits = 12, .times = 1, .why = {"a why", 5}};
    struct sum one = {.what = STAT_CHANNEL,
                      .id = 2,
                      .count = 4,
                      .first_at = MONDAY,
                      .last_at = MONDAY,
                      .values = {4, 1, 2, 0, 3},
                      .least_at = MONDAY,
                      .most_at = MONDAY};
    ck_assert_int_eq(sums_add(&s, &one), 0);
    ck_assert_int_eq(sums_count(&s, STAT_KIND, 9, 40, MONDAY, MONDAY + HOUR), 0);
    ck_assert_int_eq(sums_mark(&s, &mark), 0);
    sums_name(&s, 5, 6);
    sums_put(&s, 0, &b);
    struct sums week;
    sums_init(&week, &arena, &arena);
    ck_assert_int_eq(sums_merge(&week, b.data, b.size, 5), 0);
    buf_clear(&b);
    sums_put(&week, PROFILE_CHANNELS, &b);
    ck_assert_int_eq(week.mark_count, 1);
    for (size_t n = 0; n < b.size; n++) {
        sums_init(&s, &arena, &arena);
        ck_assert_int_eq(sums_merge(&s, b.data, n, -1), ERR_CORRUPT);
    }
    for (int round = 0; round < 20000; round++) {
        struct arena own;
        arena_init(&own, 4096);
        MEM_AUTO char *copy = mem_strndup(b.data, b.size);
        memcpy(copy, b.data, b.size);
        for (int k = 0; k < 1 + round % 4; k++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            copy[(random >> 33) % b.size] = (char)(random >> 20);
        }
        sums_init(&s, &own, &own);
        int r = sums_merge(&s, copy, b.size, round % 2 ? -1 : 3);
        ck_assert(r == 0 || r == ERR_CORRUPT);
        arena_deinit(&own);
    }
    buf_deinit(&b);
}
END_TEST

/* A damaged row of stat is named, and does not keep spans from being made. */
START_TEST(test_damaged_row)
{
    struct store *s = opened();
    int64_t a = stream_of(s, "log");
    put_kind(s, a, 1, 10, MONDAY, "request <*>", 1);
    store_close(s);
    sqlite3 *db;
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    OK(sql_exec(db, "UPDATE stat SET data=x'01FFFFFF'", &err));
    sqlite3_close(db);
    s = opened();
    consolidate_all(s);
    ck_assert_int_eq(number("SELECT records FROM moment WHERE stratum=5"), 10);
    ck_assert_int_eq(verify_file(path, NULL, &err), ERR_CORRUPT);
    ck_assert_ptr_nonnull(strstr(err.text, "its sums"));
    store_close(s);
}
END_TEST

/* The same time is never counted twice, however it is covered. */
START_TEST(test_range)
{
    struct store *s = opened();
    struct stat_item *items;
    uint32_t n;
    int64_t a = stream_of(s, "log"), t = stream_of(s, "temp");
    for (int d = 0; d < 10; d++) {
        for (int h = 0; h < 24; h += 2) {
            put_kind(s, a, 1 + (uint64_t)(d * 24 + h) * 100, 10, MONDAY + d * DAY + h * HOUR,
                     h == 4 ? "backup <*> done" : "request <*>", 1 + (h == 4));
            put_values(s, t, 1 + (uint64_t)(d * 24 + h) * 100, 10,
                       MONDAY + d * DAY + h * HOUR + HOUR / 2, 20 + d);
        }
        if (d % 3 == 0)
            consolidate_all(s);
    }
    open_reader();
    /* Some of it lies in no span yet. */
    OK(stat_range(reader, a, 0, INT64_MAX / 4, &arena, &items, &n, &err));
    ck_assert_uint_eq(item_of(items, n, STAT_RECORDS, "")->count, 1200);
    consolidate_all(s);
    check_sound();
    OK(stat_range(reader, 0, 0, INT64_MAX / 4, &arena, &items, &n, &err));
    ck_assert_uint_eq(item_of(items, n, STAT_KIND, "request <*>")->count, 1100);
    ck_assert_uint_eq(item_of(items, n, STAT_KIND, "backup <*> done")->count, 100);
    ck_assert_double_eq_tol(item_of(items, n, STAT_CHANNEL, "celsius")->most, 38, 1e-5);
    ck_assert_int_eq(item_of(items, n, STAT_CHANNEL, "celsius")->most_at,
                     MONDAY + 9 * DAY + HOUR / 2 + 9 * US_PER_SECOND);
    OK(stat_range(reader, a, MONDAY + DAY + 3 * HOUR, MONDAY + 9 * DAY + HOUR, &arena, &items, &n,
                  &err));
    ck_assert_uint_eq(item_of(items, n, STAT_RECORDS, "")->count, 7 * 120 + 100 + 10);
    ck_assert_uint_eq(item_of(items, n, STAT_KIND, "backup <*> done")->count, 80);
    OK(stat_range(reader, t, MONDAY + DAY, MONDAY + 2 * DAY, &arena, &items, &n, &err));
    ck_assert_double_eq_tol(item_of(items, n, STAT_CHANNEL, "celsius")->least, 21, 1e-5);
    OK(stat_find(reader, 0, "Backup done", 5, &arena, &items, &n, &err));
    ck_assert_uint_eq(n, 1);
    ck_assert_uint_eq(items[0].count, 100);
    ck_assert_int_eq(items[0].first_at, MONDAY + 4 * HOUR);
    OK(stat_find(reader, 0, "celsius", 5, &arena, &items, &n, &err));
    ck_assert_uint_eq(n, 1);
    reader_close(reader);
    store_close(s);
}
END_TEST

/* Mondays at noon are warm, and the week that is asked about does not count itself as usual. */
START_TEST(test_usual)
{
    struct store *s = opened();
    struct stat_usual u;
    int64_t a = stream_of(s, "log"), t = stream_of(s, "temp");
    for (int d = 0; d < 28; d++) {
        for (int h = 0; h < 24; h += 3) {
            uint64_t seq = 1 + (uint64_t)(d * 24 + h) * 100;
            double v = d == 21 ? 90 : d % 7 == 0 && h == 12 ? 30 + d / 7 : 10;
            put_values(s, t, seq, 5, MONDAY + d * DAY + h * HOUR, v);
        }
        if (d % 7 == 1)
            put_kind(s, a, 1 + (uint64_t)d * 100, 50, MONDAY + d * DAY + 2 * HOUR, "backup", 1);
        put_kind(s, a, 50001 + (uint64_t)d * 100, 1, MONDAY + d * DAY + 10 * HOUR, "tick", 2);
    }
    set_times(s, a, MONDAY, MONDAY + 28 * DAY - 1);
    set_times(s, t, MONDAY, MONDAY + 28 * DAY - 1);
    consolidate_all(s);
    open_reader();
    int noon = calendar_hour_of_week(MONDAY + 12 * HOUR);
    ck_assert_int_eq(noon, 12);
    OK(stat_usual(reader, t, STAT_CHANNEL, 0, noon, MONDAY + 21 * DAY, MONDAY + 22 * DAY, &u,
                  &err));
    ck_assert_uint_eq(u.n, 15);
    ck_assert_uint_eq(u.weeks, 3);
    ck_assert_double_eq_tol(u.mean, 33, 0.1); /* 30..34, 31..35, 32..36 */
    ck_assert_double_eq_tol(u.least, 30, 0.5);
    ck_assert_double_eq_tol(u.most, 36, 0.5);
    ck_assert_double_eq_tol(u.sd, sqrt(2 + 2. / 3), 0.1);
    OK(stat_usual(reader, t, STAT_CHANNEL, 0, noon, 0, 0, &u, &err));
    ck_assert_uint_eq(u.n, 20);
    ck_assert_double_eq_tol(u.most, 94, 0.5);
    /* 50 lines each Tuesday at two, never at three. */
    int64_t kind = number("SELECT id FROM kind WHERE text='backup'");
    OK(stat_usual(reader, a, STAT_KIND, kind, 26, 0, 0, &u, &err));
    ck_assert_uint_eq(u.n, 4);
    ck_assert_double_eq_tol(u.mean, 50, 0.1);
    ck_assert_double_eq_tol(u.sd, 0, 0.1);
    OK(stat_usual(reader, a, STAT_RECORDS, 0, 24 + 10, 0, 0, &u, &err));
    ck_assert_double_eq_tol(u.mean, 1, 0.1);
    OK(stat_usual(reader, a, STAT_KIND, kind, -1, 0, 0, &u, &err));
    ck_assert_uint_eq(u.n, 28 * 24);
    ck_assert_double_eq_tol(u.mean, 200. / 28 / 24, 0.01);
    ck_assert_double_eq(u.least, 0);
    reader_close(reader);
    store_close(s);
}
END_TEST

static void evict_all(struct store *s, int stratum, int64_t until)
{
    sqlite3 *db;
    sqlite3_stmt *q;
    int64_t ids[1024];
    int n = 0;
    OK(sqlite_open_readonly(path, 0, &db, &err));
    OK(sql_prepare(db, "SELECT id FROM moment WHERE stratum=?1 AND t_start<?2", &q, &err));
    sqlite3_bind_int(q, 1, stratum);
    sqlite3_bind_int64(q, 2, until);
    while (n < 1024 && sql_step(q, &err) == 0)
        ids[n++] = sqlite3_column_int64(q, 0);
    sqlite3_finalize(q);
    sqlite3_close(db);
    ck_assert_int_gt(n, 0);
    OK(store_begin(s, &err));
    for (int i = 0; i < n; i++)
        OK(stratum ? store_erase_span(s, ids[i], &err)
                   : store_erase_moment(s, ids[i], ERASE_EVICT, &err));
    OK(store_commit(s, &err));
}

/* What was evicted stays in the sums, also when more comes in beside it; what is forgotten goes. */
START_TEST(test_evicted_stays_forgotten_goes)
{
    struct store *s = opened();
    struct stat_item *items;
    struct stat_usual before, after;
    uint32_t n;
    int64_t a = stream_of(s, "log"), t = stream_of(s, "temp");
    for (int d = 0; d < 9; d++) {
        for (int h = 0; h < 24; h += 4) {
            uint64_t seq = 1 + (uint64_t)(d * 24 + h) * 100;
            put_kind(s, a, seq, 10, MONDAY + d * DAY + h * HOUR, "request <*>", 1);
            put_values(s, t, seq, 10, MONDAY + d * DAY + h * HOUR + HOUR / 4, 20 + d + h);
        }
    }
    set_times(s, a, MONDAY, MONDAY + 9 * DAY - 1);
    set_times(s, t, MONDAY, MONDAY + 9 * DAY - 1);
    consolidate_all(s);
    open_reader();
    OK(stat_usual(reader, t, STAT_CHANNEL, 0, 8, 0, 0, &before, &err));
    ck_assert_uint_eq(before.n, 20);
    for (int stratum = 0; stratum <= 2; stratum++) {
        evict_all(s, stratum, MONDAY + (9 - stratum) * DAY);
        check_sound();
        OK(stat_range(reader, a, 0, INT64_MAX / 4, &arena, &items, &n, &err));
        ck_assert_uint_eq(item_of(items, n, STAT_KIND, "request <*>")->count, 540);
        OK(stat_range(reader, t, MONDAY + DAY, MONDAY + 3 * DAY, &arena, &items, &n, &err));
        ck_assert_uint_eq(item_of(items, n, STAT_CHANNEL, "celsius")->count, 120);
        OK(stat_usual(reader, t, STAT_CHANNEL, 0, 8, 0, 0, &after, &err));
        ck_assert_uint_eq(after.n, before.n);
        ck_assert_double_eq_tol(after.mean, before.mean, 0.01);
        ck_assert_double_eq_tol(after.sd, before.sd, 0.01);
    }
    /* Late data in an hour that is gone, and in one that lost its moments. */
    put_values(s, t, 90001, 10, MONDAY + DAY + HOUR, 1000);
    put_values(s, t, 90101, 10, MONDAY + 8 * DAY + 12 * HOUR + HOUR / 2, 1000);
    put_kind(s, a, 90001, 7, MONDAY + 2 * DAY, "secret <*>", 2);
    consolidate_all(s);
    check_sound();
    OK(stat_range(reader, t, 0, INT64_MAX / 4, &arena, &items, &n, &err));
    ck_assert_uint_eq(item_of(items, n, STAT_CHANNEL, "celsius")->count, 560);
    ck_assert_double_eq_tol(item_of(items, n, STAT_CHANNEL, "celsius")->most, 1009, 0.01);
    OK(stat_range(reader, a, 0, INT64_MAX / 4, &arena, &items, &n, &err));
    ck_assert_uint_eq(item_of(items, n, STAT_RECORDS, "")->count, 547);
    OK(store_begin(s, &err));
    OK(store_erase_moment(s, number("SELECT id FROM moment WHERE seq_first=90001 AND stream=1"),
                          ERASE_FORGET, &err));
    OK(store_commit(s, &err));
    consolidate_all(s);
    check_sound();
    ck_assert_int_eq(number("SELECT count(*) FROM kind"), 1);
    OK(stat_range(reader, a, 0, INT64_MAX / 4, &arena, &items, &n, &err));
    ck_assert_uint_eq(item_of(items, n, STAT_RECORDS, "")->count, 540);
    ck_assert_uint_eq(n, 2);
    reader_close(reader);
    store_close(s);
}
END_TEST

/* A kind whose words widen stays one kind; a stream has only so many. */
START_TEST(test_kinds)
{
    struct store *s = opened();
    int64_t a = stream_of(s, "log"), b = stream_of(s, "other");
    char text[32];
    put_kind(s, a, 1, 3, MONDAY, "user alice came", 7);
    put_kind(s, b, 1, 3, MONDAY, "user alice came", 7);
    put_kind(s, a, 101, 3, MONDAY + HOUR, "user <*> came", 7);
    ck_assert_int_eq(number("SELECT count(*) FROM kind WHERE stream=1"), 1);
    ck_assert_int_eq(number("SELECT count FROM kind WHERE stream=1"), 6);
    ck_assert_int_eq(number("SELECT text='user <*> came' FROM kind WHERE stream=1"), 1);
    ck_assert_int_eq(number("SELECT text='user alice came' FROM kind WHERE stream=2"), 1);
    /* Another run of the program: numbers may mean something else. */
    store_close(s);
    s = opened();
    put_kind(s, a, 201, 3, MONDAY + 2 * HOUR, "disk <*> full", 7);
    ck_assert_int_eq(number("SELECT count(*) FROM kind WHERE stream=1"), 2);
    for (uint32_t i = 0; i < 600; i++) {
        snprintf(text, sizeof(text), "kind %u", i);
        put_kind(s, a, 1000 + i, 1, MONDAY + 3 * HOUR, text, 100 + i);
    }
    ck_assert_int_eq(number("SELECT count(*) FROM kind WHERE stream=1"), 512);
    consolidate_all(s);
    check_sound();
    store_close(s);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("stat");
    TCase *t = tcase_create("sums");
    sqlite_setup();
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, begin, finish);
    tcase_add_test(t, test_sums_merge);
    tcase_add_test(t, test_sums_bounded);
    tcase_add_test(t, test_profiles_bounded);
    tcase_add_test(t, test_sums_damaged);
    tcase_add_test(t, test_damaged_row);
    tcase_add_test(t, test_range);
    tcase_add_test(t, test_usual);
    tcase_add_test(t, test_evicted_stays_forgotten_goes);
    tcase_add_test(t, test_kinds);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
