/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fault.h"
#include "tests/unit/forget_fixture.h"

START_TEST(test_by_match)
{
    int64_t stream[2], id[12];
    struct store *s = filled(stream, id);
    struct forget_selector x = any;
    struct forget_receipt receipt;
    x.match = (struct slice){"zANZIBar", 8};
    int64_t all = number("SELECT sum(records) FROM moment WHERE stratum=0");
    OK(forget(s, &x, _i, &receipt));
    ck_assert_uint_eq(receipt.records, 2);
    ck_assert_uint_eq(receipt.rewritten, 2);
    ck_assert_uint_eq(receipt.moments, 0);
    ck_assert_uint_eq(receipt.id_count, 2);
    ck_assert_uint_gt(receipt.spans, 2);
    ck_assert_int_eq(number("SELECT sum(records) FROM moment WHERE stratum=0"), all - 2);
    ck_assert_int_eq(number("SELECT sum(records) FROM moment WHERE stratum=3"), all - 2);
    ck_assert_int_eq(number("SELECT count(*) FROM entity"), 1);
    ck_assert_int_eq(number("SELECT count(*) FROM gone"), 2);
    check_forgotten(SECRET);
    /* Again: an empty receipt, and nothing changes. */
    OK(forget(s, &x, _i, &receipt));
    ck_assert_uint_eq(receipt.records + receipt.moments + receipt.rewritten + receipt.spans, 0);
    store_close(s);
    check_forgotten(SECRET);
}
END_TEST

START_TEST(test_by_id)
{
    int64_t stream[2], id[12];
    struct store *s = filled(stream, id);
    struct forget_selector x = any;
    struct forget_receipt receipt;
    x.id = id[3];
    OK(store_begin(s, &err));
    OK(store_pin(s, x.id, true, &err));
    OK(store_commit(s, &err));
    OK(forget(s, &x, _i, &receipt));
    ck_assert_uint_eq(receipt.records, 20);
    ck_assert_uint_eq(receipt.moments, 1);
    check_sound();
    ck_assert(is_in_files(SECRET));
    ck_assert(!is_in_files(SECRET "306"));
    ck_assert_int_eq(number("SELECT count FROM entity WHERE name='" SECRET "'"), 1);
    x.id = id[7];
    OK(forget(s, &x, _i, &receipt));
    check_forgotten(SECRET);
    ck_assert_int_eq(forget(s, &x, false, &receipt), ERR_NOTFOUND);
    store_close(s);
}
END_TEST

START_TEST(test_by_id_of_an_hour)
{
    int64_t stream[2], id[12];
    struct store *s = filled(stream, id);
    struct forget_selector x = any;
    struct forget_receipt receipt;
    /* Both hours that hold it; of one, some was evicted before. */
    for (int k = 0; k < 2; k++) {
        char sql[200];
        snprintf(sql, sizeof(sql),
                 "SELECT h.id FROM moment h JOIN moment e ON e.parent=h.id "
                 "JOIN moment m ON m.parent=e.id WHERE m.id=%lld",
                 (long long)id[k ? 7 : 3]);
        x.id = number(sql);
        if (k == 1) {
            OK(store_begin(s, &err));
            OK(store_erase_moment(s, id[7], ERASE_EVICT, &err));
            OK(store_erase_moment(s, id[6], ERASE_EVICT, &err));
            OK(store_commit(s, &err));
            check_sound();
        }
        OK(forget(s, &x, _i, &receipt));
    }
    check_forgotten(SECRET);
    ck_assert_int_eq(number("SELECT count(*) FROM moment WHERE stratum=0"), 4);
    ck_assert_int_eq(number("SELECT count(*) FROM moment WHERE stratum=2"), 1);
    ck_assert_int_eq(number("SELECT count(*) FROM moment WHERE stratum<0"), 0);
    store_close(s);
}
END_TEST

START_TEST(test_by_time)
{
    int64_t stream[2], id[12];
    struct store *s = filled(stream, id);
    struct forget_selector x = any;
    struct forget_receipt receipt;
    /* Cuts through the first and the last of what it touches. */
    x.since = HOUR0 + 3 * 15 * MINUTE + 5 * US_PER_SECOND;
    x.until = HOUR0 + 7 * 15 * MINUTE + 6 * US_PER_SECOND;
    int64_t all = number("SELECT sum(records) FROM moment WHERE stratum=0");
    OK(forget(s, &x, _i, &receipt));
    ck_assert_uint_eq(receipt.records, 15 + 3 * 20 + 6);
    ck_assert_uint_eq(receipt.moments, 3);
    ck_assert_uint_eq(receipt.rewritten, 2);
    check_forgotten(SECRET);
    ck_assert_int_eq(number("SELECT sum(records) FROM moment WHERE stratum=3"), all - 81);
    store_close(s);
}
END_TEST

START_TEST(test_by_stream)
{
    int64_t stream[2], id[12];
    struct store *s = filled(stream, id);
    struct forget_selector x = any;
    struct forget_receipt receipt;
    OK(store_begin(s, &err));
    OK(store_state_put(s, "model/1", (struct slice){"knows " SECRET, 14}, &err));
    OK(store_erase_moment(s, id[1], ERASE_EVICT, &err));
    OK(store_commit(s, &err));
    x.stream = stream[0];
    int64_t all = number("SELECT sum(records) FROM moment WHERE stratum=0 AND stream=2");
    OK(forget(s, &x, _i, &receipt));
    ck_assert_uint_eq(receipt.records, 5 * 20);
    ck_assert_uint_eq(receipt.streams, 1);
    check_forgotten(SECRET);
    ck_assert_int_eq(number("SELECT count(*) FROM stream"), 1);
    ck_assert_int_eq(number("SELECT count(*) FROM part WHERE stream=1"), 0);
    ck_assert_int_eq(number("SELECT count(*) FROM state WHERE key LIKE 'model%'"), 0);
    ck_assert_int_eq(number("SELECT sum(records) FROM moment WHERE stratum=3"), all);
    store_close(s);
}
END_TEST

/* What is told of evicted moments goes as well. */
START_TEST(test_by_match_where_little_is_left)
{
    int64_t stream[2], id[12];
    struct store *s = filled(stream, id);
    struct forget_selector x = any;
    struct forget_receipt receipt;
    x.match = (struct slice){SECRET, 8};
    OK(store_begin(s, &err));
    OK(store_erase_evidence(s, id[3], &err));
    OK(store_erase_moment(s, id[7], ERASE_EVICT, &err));
    OK(store_commit(s, &err));
    ck_assert_int_eq(number("SELECT count(*) FROM past"), 1);
    OK(forget(s, &x, _i, &receipt));
    check_forgotten(SECRET);
    /* The sum of the evicted one stays, its words do not. */
    ck_assert_int_eq(number("SELECT records FROM moment WHERE stratum=-1"), 20);
    store_close(s);
}
END_TEST

/* A kill at every step: the file is opened again and the plan is carried to its end. */
START_TEST(test_a_kill_in_the_middle)
{
    for (int steps = 0;; steps++) {
        int64_t stream[2], id[12];
        struct store *s = filled(stream, id);
        struct forget_selector x = any;
        struct forget *f;
        bool did;
        x.match = (struct slice){SECRET, 8};
        OK(forget_new(&x, &f, &err));
        for (int i = 0; i < steps && forget_phase(f) != FORGET_DONE; i++)
            OK(one_step(s, f, false));
        bool done = forget_phase(f) == FORGET_DONE, planned = forget_phase(f) > FORGET_PLANNING;
        forget_free(f);
        store_close(s);
        s = opened();
        OK(forget_finish(s, &did, &err));
        ck_assert_int_eq(did, planned && !done);
        check_sound();
        ck_assert_int_eq(number("SELECT count(*) FROM forget"), 0);
        ck_assert_int_eq(is_in_files(SECRET), !planned);
        store_close(s);
        unlink(path);
        if (done)
            break;
    }
}
END_TEST

#ifdef VARVE_FAULT_HOOKS
static void copy_file(const char *from, const char *to)
{
    char command[400];
    snprintf(command, sizeof(command), "cp %s %s && rm -f %s-wal %s-shm", from, to, to, to);
    ck_assert_int_eq(system(command), 0);
}

/* Goes on after an error, as the writer does; the second one in a row ends it. */
static void forget_with_faults(void)
{
    struct store *s;
    struct store_options o = {.path = path, .clock = &now, .no_sync = true, .cache_kib = 100};
    struct forget_selector x = any;
    struct forget *f = NULL;
    x.match = (struct slice){SECRET, 8};
    if (store_open(&o, &s, &err) != 0)
        return;
    int r = forget_new(&x, &f, &err);
    for (int errors = 0; r == 0 && errors < 2 && forget_phase(f) != FORGET_DONE;) {
        bool alone = forget_phase(f) == FORGET_FILE;
        r = alone ? 0 : store_begin(s, &err);
        r = r ? r : forget_step(s, f, &err);
        if (r >= 0 && !alone)
            r = store_commit(s, &err);
        if (r < 0 && !alone)
            store_rollback(s);
        forget_settle(f, r >= 0);
        errors = r < 0 ? errors + 1 : 0;
        r = 0;
    }
    forget_free(f);
    store_close(s);
}

/* Every so often one call fails: all of it goes, or nothing, and the file is sound. */
START_TEST(test_faults)
{
    enum fault_site site = _i ? FAULT_VFS : FAULT_ALLOC;
    int64_t stream[2], id[12];
    char saved[200];
    struct store *s = filled(stream, id);
    store_close(s);
    snprintf(saved, sizeof(saved), "%s.saved", path);
    copy_file(path, saved);
    fault_config(site, 1L << 40, 1);
    forget_with_faults();
    long passed = fault_count(site);
    fault_clear();
    check_forgotten(SECRET);
    for (long n = 0; n < passed; n += 1 + passed / 150) {
        bool did;
        copy_file(saved, path);
        words_thread_deinit();
        fault_config(site, n, 1);
        forget_with_faults();
        fault_clear();
        s = opened();
        int64_t planned = number("SELECT count(*) FROM forget WHERE what=0");
        OK(forget_finish(s, &did, &err));
        ck_assert_int_eq(did, planned > 0);
        check_sound();
        bool told = is_in_files(SECRET);
        int64_t entities = number("SELECT count(*) FROM entity WHERE name='" SECRET "'");
        ck_assert_msg(told == (entities > 0), "fault %ld of %ld: half of it is left", n, passed);
        store_close(s);
    }
}
END_TEST
#endif

START_TEST(test_bad_selectors)
{
    struct store *s = opened();
    struct forget_selector x = any;
    struct forget_receipt receipt;
    ck_assert_int_eq(forget(s, &x, false, &receipt), ERR_INVALID);
    x.since = 5;
    x.until = 5;
    ck_assert_int_eq(forget(s, &x, false, &receipt), ERR_INVALID);
    x = any;
    x.id = 3;
    ck_assert_int_eq(forget(s, &x, false, &receipt), ERR_NOTFOUND);
    x.match = (struct slice){"a", 1};
    ck_assert_int_eq(forget(s, &x, false, &receipt), ERR_INVALID);
    x = any;
    x.stream = 77;
    ck_assert_int_eq(forget(s, &x, false, &receipt), ERR_NOTFOUND);
    store_close(s);
}
END_TEST

START_TEST(test_dry)
{
    int64_t stream[2], id[12];
    struct store *s = filled(stream, id);
    struct forget_selector x = any;
    struct forget_receipt receipt;
    x.match = (struct slice){SECRET, 8};
    x.dry = true;
    int64_t changes = number("PRAGMA data_version");
    OK(forget(s, &x, false, &receipt));
    ck_assert_uint_eq(receipt.records, 2);
    ck_assert_uint_eq(receipt.rewritten, 2);
    ck_assert_int_eq(number("PRAGMA data_version"), changes);
    check_sound();
    ck_assert(is_in_files(SECRET));
    store_close(s);
}
END_TEST

START_TEST(test_words_that_are_left)
{
    int64_t stream[2], id[12];
    struct store *s = filled(stream, id);
    struct forget_selector x = any;
    struct forget *f;
    x.id = id[3];
    OK(forget_new(&x, &f, &err));
    while (forget_phase(f) < FORGET_MODELS)
        OK(one_step(s, f, false));
    uint32_t n;
    ck_assert_int_eq(*forget_streams(f, &n), stream[0]);
    ck_assert_uint_eq(n, 1);
    ck_assert(forget_knows(f, (struct slice){"user zanzibar306 logged", 23}));
    ck_assert(!forget_knows(f, (struct slice){"user <*> logged in from host", 28}));
    while (forget_phase(f) < FORGET_DONE)
        OK(one_step(s, f, false));
    forget_free(f);
    store_close(s);
}
END_TEST

/* All that eviction would let go now, class by class. */
static void evict_all(struct store *s)
{
    for (enum keep_class c = KEEP_EVIDENCE; c < KEEP_CLASSES; c++) {
        int64_t id;
        int r;
        OK(store_begin(s, &err));
        while ((r = keep_pick(s, c, true, &id, &err)) == 0) {
            r = c == KEEP_EVIDENCE  ? store_erase_evidence(s, id, &err)
                : c == KEEP_MOMENTS ? store_erase_moment(s, id, ERASE_EVICT, &err)
                                    : store_erase_span(s, id, &err);
            OK(r);
        }
        ck_assert_int_eq(r, SQL_DONE);
        OK(store_commit(s, &err));
        consolidate_all(s);
    }
}

/* Room is made between the steps of a forgetting: what is planned must not slip into sums. */
START_TEST(test_eviction_in_the_middle)
{
    int64_t stream[2], id[12];
    struct store *s = filled(stream, id);
    struct forget_selector x = any;
    struct forget *f;
    OK(store_begin(s, &err));
    OK(store_erase_moment(s, id[1], ERASE_EVICT, &err));
    OK(store_erase_moment(s, id[7], ERASE_EVICT, &err));
    OK(store_commit(s, &err));
    consolidate_all(s);
    if (_i == 0)
        x.match = (struct slice){SECRET, 8};
    else
        x.stream = stream[0];
    OK(forget_new(&x, &f, &err));
    while (forget_phase(f) == FORGET_PLANNING)
        OK(one_step(s, f, false));
    evict_all(s);
    while (forget_phase(f) < FORGET_DONE)
        OK(one_step(s, f, false));
    forget_free(f);
    check_forgotten(SECRET);
    if (_i == 1)
        ck_assert_int_eq(number("SELECT count(*) FROM part WHERE stream=1"), 0);
    store_close(s);
}
END_TEST

/* A full log goes into the file while that is being cleared: what it brings is cleared last. */
START_TEST(test_a_full_log_while_the_file_is_cleared)
{
    struct store *s = opened();
    struct store_budget b = {.bytes = 2 << 20, .pinned = 0.1, .evict = KEEP_FIFO, .sign = 1};
    int64_t stream = stream_of(s, "sys.log");
    store_set_budget(s, &b);
    s->scrubbing = true;
    for (uint64_t seq = 1; !store_log_is_full(s); seq += 20)
        put_texts(s, stream, seq, 20, HOUR0 + (int64_t)seq * US_PER_SECOND, 99, PATH_DISCRETE);
    ck_assert_int_ge(store_make_room(s, 0, &err), 0);
    ck_assert(!store_log_is_full(s));
    ck_assert_uint_gt(s->scrub_pages.size, 0);
    store_close(s);
}
END_TEST

/* Lines, a second apart, as a moment. */
static int64_t put_stating(struct store *s, int64_t stream, uint64_t seq, int64_t time,
                           const char *const *lines, uint32_t n, struct fact_seen *facts,
                           uint32_t fact_count)
{
    struct record records[4];
    for (uint32_t i = 0; i < n; i++)
        records[i] = (struct record){
            .seq = seq + i, .time = time + i * US_PER_SECOND, .text = {lines[i], strlen(lines[i])}};
    for (uint32_t i = 0; i < fact_count; i++)
        facts[i].at = time + facts[i].record * US_PER_SECOND;
    struct moment m = {.kind = KIND_TEXT,
                       .start = time,
                       .end = time + (n - 1) * US_PER_SECOND,
                       .records = records,
                       .record_count = n,
                       .ended = END_GAP,
                       .model = 3,
                       .bits = 1,
                       .path = PATH_DISCRETE,
                       .facts = facts,
                       .fact_count = fact_count,
                       .title = "doors"};
    m.latent[3] = 1;
    int64_t id = commit_moment(s, stream, "sys.log", &m);
    consolidate_all(s);
    return id;
}

static int64_t put_stated(struct store *s, int64_t stream, uint64_t seq, int64_t time)
{
    static const char *const lines[] = {"door 5 opened", "code of the vault set to 4711 by carol",
                                        "door 4711 opened", "mode of the pump set to idle"};
    struct fact_seen facts[] = {{.subject = "code of the vault", .value = "4711", .record = 1},
                                {.subject = "mode of the pump", .value = "idle", .record = 3}};
    return put_stating(s, stream, seq, time, lines, 4, facts, 2);
}

static void put_restated(struct store *s, int64_t stream, uint64_t seq, int64_t time)
{
    static const char *const lines[] = {"code of the vault set to 8125"};
    struct fact_seen fact = {.subject = "code of the vault", .value = "8125"};
    put_stating(s, stream, seq, time, lines, 1, &fact, 1);
}

/* A fact goes with the record that stated it, though another record holds the value as well; the
 * other facts of the moment stay. Also where the moment was evicted before. */
START_TEST(test_facts)
{
    struct store *s = opened();
    struct forget_selector x = any;
    struct forget_receipt receipt;
    int64_t stream = stream_of(s, "sys.log"), id = put_stated(s, stream, 1, HOUR0);
    /* Days later somebody else says what it is now, and so what it was. */
    put_restated(s, stream, 100, HOUR0 + 3 * US_PER_DAY);
    ck_assert_int_eq(number("SELECT count(*) FROM fact"), 3);
    ck_assert_int_gt(number("SELECT count(*) FROM gist g JOIN moment m ON m.id=g.moment WHERE "
                            "g.text LIKE '%8125%4711%'"),
                     0);
    if (_i > 1) {
        OK(store_begin(s, &err));
        OK(store_erase_moment(s, id, ERASE_EVICT, &err));
        OK(store_commit(s, &err));
        consolidate_all(s);
    }
    x.since = HOUR0 + US_PER_SECOND;
    x.until = x.since + 1;
    if (_i % 2) {
        x = any;
        x.stream = stream;
        x.match = (struct slice){"VAULT", 5};
    }
    OK(forget(s, &x, false, &receipt));
    ck_assert_int_eq(number("SELECT count(*) FROM fact WHERE value='4711'"), 0);
    ck_assert_int_eq(number("SELECT count(*) FROM fact WHERE value='8125'"), _i % 2 == 0);
    ck_assert_int_eq(number("SELECT count(*) FROM fact WHERE subject LIKE '%pump%'"), 1);
    ck_assert_int_eq(number("SELECT count(*) FROM gist WHERE text LIKE '%vault%4711%'"), 0);
    ck_assert_int_eq(number("SELECT count(*) FROM gist WHERE text LIKE '%vault%8125%'") > 0,
                     _i % 2 == 0);
    check_forgotten(_i % 2 ? "vault" : "set to 4711 by carol");
    store_close(s);
}
END_TEST

/* Another moment's reason quotes a word that only the forgotten one's record held. */
START_TEST(test_what_others_tell)
{
    int64_t stream[2], id[12], moment[2];
    struct store *s = filled(stream, id);
    struct forget_selector x = any;
    struct forget_receipt receipt;
    for (int k = 0; k < 2; k++) {
        bool tells = k > 0;
        struct record r = {.seq = 9000 + (uint64_t)k, .time = HOUR0 + (200 + k) * MINUTE};
        r.text = tells ? (struct slice){"the mast is firm", 16}
                       : (struct slice){"the mast is Quetzalcoatl", 24};
        struct unusual u = {.start = r.time, .end = r.time, .bits = 9, .z = 5, .score = 0.7f};
        snprintf(u.why, sizeof(u.why), "firm, was %s until now", tells ? "Quetzalcoatl" : "calm");
        struct moment m = {.kind = KIND_TEXT,
                           .start = r.time,
                           .end = r.time,
                           .records = &r,
                           .record_count = 1,
                           .ended = END_GAP,
                           .bits = 1,
                           .bits_max = 9,
                           .z = 5,
                           .path = k ? PATH_LATENT : PATH_DISCRETE,
                           .unusual = &u,
                           .unusual_count = 1};
        snprintf(m.title, sizeof(m.title), "%s", u.why);
        moment[k] = commit_moment(s, stream[0], "sys.log", &m);
    }
    consolidate_all(s);
    check_sound();
    x.id = moment[0];
    OK(forget(s, &x, _i, &receipt));
    ck_assert_uint_eq(receipt.records, 1);
    ck_assert_uint_eq(receipt.rewritten, 1);
    check_forgotten("quetzalcoatl");
    ck_assert(is_in_files(SECRET));
    store_close(s);
}
END_TEST

/* An episode began just after the full hour; since that moment went the border lies behind it, and
 * the hour before makes it. What it tells of a moment in the midst of the hour goes all the same.
 */
START_TEST(test_an_episode_behind_its_border)
{
    struct store *s = opened();
    int64_t stream = stream_of(s, "sys.log"), mark = HOUR0 + 60 * MINUTE, id[3];
    struct forget_selector x = any;
    struct forget_receipt receipt;
    id[0] = put_texts(s, stream, 1, 4, mark - 40 * MINUTE, 99, PATH_LATENT);
    id[1] = put_texts(s, stream, 101, 30, mark + 4 * MINUTE, 99, PATH_LATENT);
    id[2] = put_texts(s, stream, 501, 20, mark + 9 * MINUTE, 5, PATH_LATENT);
    consolidate_all(s);
    ck_assert_int_eq(number("SELECT count(*) FROM moment WHERE stratum=1"), 2);
    OK(store_begin(s, &err));
    OK(store_erase_moment(s, id[1], ERASE_EVICT, &err));
    OK(store_commit(s, &err));
    x.id = id[2];
    OK(forget(s, &x, _i, &receipt));
    ck_assert_uint_eq(receipt.moments, 1);
    check_forgotten(SECRET);
    consolidate_all(s);
    check_sound();
    store_close(s);
}
END_TEST

/* Nothing holds it any more, but its bytes lie about where it was let go. */
START_TEST(test_what_was_let_go_before)
{
    int64_t stream[2], id[12];
    struct store *s = filled(stream, id);
    struct forget_selector x = any;
    struct forget_receipt receipt;
    x.match = (struct slice){"plain205", 8};
    OK(store_begin(s, &err));
    OK(store_erase_evidence(s, id[2], &err));
    OK(store_commit(s, &err));
    OK(store_checkpoint(s, false, &err));
    ck_assert(is_in_files("plain205"));
    OK(forget(s, &x, _i, &receipt));
    ck_assert_uint_eq(receipt.records, 0);
    check_forgotten("plain205");
    store_close(s);
}
END_TEST

/* A span's sums name the commonest kinds of lines only: of one that was met once and let go, its
 * own row is all there is. */
START_TEST(test_kinds_of_a_time)
{
    int64_t stream[2], id[12];
    struct store *s = filled(stream, id);
    struct forget_selector x = any;
    struct forget_receipt receipt;
    char sql[200];
    snprintf(sql, sizeof(sql),
             "INSERT INTO kind(stream, text, first, last, count) VALUES(%lld, 'the mast is "
             "Quetzalcoatl', %lld, %lld, 1)",
             (long long)stream[0], (long long)HOUR0 + 2 * MINUTE, (long long)HOUR0 + 3 * MINUTE);
    OK(sql_exec(s->db, sql, &err));
    x.stream = stream[0];
    x.since = HOUR0 + 4 * MINUTE;
    x.until = HOUR0 + 5 * MINUTE;
    OK(forget(s, &x, 0, &receipt));
    ck_assert(is_in_files("Quetzalcoatl"));
    x.since = HOUR0 + 2 * MINUTE;
    OK(forget(s, &x, _i, &receipt));
    check_forgotten("quetzalcoatl");
    store_close(s);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("forget");
    TCase *tc = tcase_create("forget");
    tcase_set_timeout(tc, 100);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, test_by_match, 0, 2);
    tcase_add_loop_test(tc, test_by_id, 0, 2);
    tcase_add_loop_test(tc, test_by_id_of_an_hour, 0, 2);
    tcase_add_loop_test(tc, test_by_time, 0, 2);
    tcase_add_loop_test(tc, test_by_stream, 0, 2);
    tcase_add_loop_test(tc, test_by_match_where_little_is_left, 0, 2);
    tcase_add_test(tc, test_a_kill_in_the_middle);
#ifdef VARVE_FAULT_HOOKS
    sqlite_setup();
    tcase_add_loop_test(tc, test_faults, 0, 2);
#endif
    tcase_add_test(tc, test_bad_selectors);
    tcase_add_test(tc, test_dry);
    tcase_add_test(tc, test_words_that_are_left);
    tcase_add_loop_test(tc, test_what_others_tell, 0, 2);
    tcase_add_loop_test(tc, test_eviction_in_the_middle, 0, 2);
    tcase_add_test(tc, test_a_full_log_while_the_file_is_cleared);
    tcase_add_loop_test(tc, test_facts, 0, 4);
    tcase_add_loop_test(tc, test_kinds_of_a_time, 0, 2);
    tcase_add_loop_test(tc, test_what_was_let_go_before, 0, 2);
    tcase_add_loop_test(tc, test_an_episode_behind_its_border, 0, 2);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    words_thread_deinit();
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
