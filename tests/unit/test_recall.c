/* SPDX-License-Identifier: Apache-2.0 */
#include <time.h>

#include "tests/unit/recall_fixture.h"

#define HOUR US_PER_HOUR

START_TEST(test_best_first)
{
    int64_t log = stream_of(store, "log");
    remember(log, "log", T0, "the backup started\nthe backup ended well");
    int64_t id =
        remember(log, "log", T0 + 2 * HOUR, "disk sda reports errors\nbackup of disk sda failed");
    remember(log, "log", T0 + 4 * HOUR, "fan speed is normal\nnothing of note");
    struct recall_found found = searched("Which backup failed on disk?", ALL, 0);
    ck_assert_uint_eq(found.items.count, 2);
    ck_assert_int_eq(found.items.items[0].id, id);
    ck_assert_str_eq(found.items.items[0].stream, "log");
    ck_assert_str_eq(found.items.items[0].title, "disk sda reports errors");
    ck_assert_uint_ge(found.items.items[0].ref_count, 1);
    ck_assert_str_eq(found.items.items[0].refs[0], "log:4");
    ck_assert_str_eq(found.records[0].ref, "log:4");
    ck_assert_uint_eq(found.records[0].seq, 4);
    ck_assert_int_eq(found.records[0].time, T0 + 2 * HOUR + 10 * US_PER_SECOND);
    ck_assert_int_eq(found.records[0].id, id);
    for (uint32_t i = 0; i < found.record_count; i++) {
        ck_assert(found.records[i].score > 0 && found.records[i].score <= 1);
        ck_assert(i == 0 || found.records[i].score <= found.records[i - 1].score);
    }
    /* The refs that support a hit are not all of its records. */
    remember(log, "log", T0 + 6 * HOUR, "pump stopped\nall well\nall well\nthe disk is slow");
    found = searched("why has the pump stopped? disk?", ALL, 1);
    ck_assert_uint_eq(found.items.items[0].ref_count, 1);
    ck_assert_str_eq(found.items.items[0].refs[0], "log:7");
    ck_assert_uint_eq(searched("backup disk", ALL, 1).items.count, 1);
    ck_assert(searched("backup disk", ALL, 1).items.more);
}
END_TEST

START_TEST(test_filters)
{
    int64_t a = stream_of(store, "a"), b = stream_of(store, "b");
    int64_t old = remember(a, "a", T0, "door opened\ndoor closed");
    int64_t other = remember(b, "b", T0 + HOUR, "door opened again");
    int64_t newer = remember(a, "a", T0 + 2 * HOUR, "door opened once more");
    const char *only_b[] = {"b"}, *missing[] = {"c"};
    ck_assert_uint_eq(searched("door", ALL, 0).items.count, 3);
    struct recall_filter f = ALL;
    f.streams = only_b;
    f.stream_count = 1;
    struct recall_found found = searched("door", f, 0);
    ck_assert_uint_eq(found.items.count, 1);
    ck_assert_int_eq(found.items.items[0].id, other);
    f = ALL;
    f.since = T0 + 2 * HOUR;
    found = searched("door", f, 0);
    ck_assert_uint_eq(found.items.count, 1);
    ck_assert_int_eq(found.items.items[0].id, newer);
    /* A moment that began before the span and reaches into it counts. */
    f.since = T0 + 5 * US_PER_SECOND;
    f.until = T0 + HOUR;
    found = searched("door", f, 0);
    ck_assert_uint_eq(found.items.count, 1);
    ck_assert_int_eq(found.items.items[0].id, old);
    struct recall_query q = {.text = {"door", 4}, .filter = ALL};
    struct recall_found ret;
    q.filter.streams = missing;
    q.filter.stream_count = 1;
    ck_assert_int_eq(recall_search(reader, &q, &arena, &ret, &err), ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(err.text, "\"c\""));
    q.filter = ALL;
    q.filter.since = q.filter.until = T0;
    ck_assert_int_eq(recall_search(reader, &q, &arena, &ret, &err), ERR_INVALID);
    q.filter = ALL;
    q.limit = RECALL_LIMIT_MAX + 1;
    ck_assert_int_eq(recall_search(reader, &q, &arena, &ret, &err), ERR_INVALID);
}
END_TEST

/* Quotes, operators, braces, NULs and broken UTF-8 are words or nothing, never syntax. */
START_TEST(test_any_query)
{
    static const char *const queries[] = {
        "",
        " ",
        "?",
        "\"",
        "\"\"\"",
        "a AND",
        "NEAR(",
        "(",
        "col:x",
        "{a b}:c",
        "*",
        "disk*",
        "^disk",
        "-disk",
        "+",
        "NOT",
        "disk OR",
        "';--",
        "\xff\xfe",
        "\xc3",
        "wärme",
        "WÄRME",
        "\xf0\x9f\x94\xa5 fire",
        "東京の天気",
        "the of and",
        "a.b_c-d",
        "....",
        "1e999",
        "%s%n",
    };
    int64_t log = stream_of(store, "log");
    remember(log, "log", T0, "disk full\nWärme im Keller\n東京の天気は雨\n\xf0\x9f\x94\xa5 fire");
    for (size_t i = 0; i < sizeof(queries) / sizeof(queries[0]); i++)
        searched(queries[i], ALL, 0);
    ck_assert_uint_eq(searched("", ALL, 0).items.count, 0);
    ck_assert_uint_eq(searched("the of and", ALL, 0).items.count, 0);
    ck_assert_str_eq(searched("WÄRME", ALL, 0).records[0].ref, "log:2");
    ck_assert_str_eq(searched("天気", ALL, 0).records[0].ref, "log:3");
    ck_assert_uint_eq(searched("\"disk\" AND NOT full", ALL, 0).items.count, 1);
    struct recall_found found;
    struct recall_query q = {.text = {"disk\0full", 9}, .filter = ALL};
    OK(recall_search(reader, &q, &arena, &found, &err));
    ck_assert_uint_eq(found.items.count, 1);
    char *huge = mem_alloc(1 << 20);
    for (int i = 0; i < 1 << 20; i++)
        huge[i] = "abcdefg hijk"[i / 5 % 12];
    q.text = (struct slice){huge, 1 << 20};
    OK(recall_search(reader, &q, &arena, &found, &err));
    mem_free(huge);
}
END_TEST

/* A word that stands everywhere must not be read everywhere; a rare one beside it is still found.
 */
START_TEST(test_common_words)
{
    int64_t log = stream_of(store, "log");
    OK(store_begin(store, &err));
    for (int i = 0; i < 6000; i++) {
        int64_t id;
        OK(put_lines(store, log, next_seq, 1, T0 + i * US_PER_MINUTE, PATH_LATENT, END_GAP, &id));
        next_seq++;
    }
    OK(store_commit(store, &err));
    int64_t id = remember(log, "log", T0 + 3000 * US_PER_MINUTE, "request of the zeppelin on disk");
    struct recall_found found = searched("zeppelin request disk", ALL, 0);
    ck_assert_int_eq(found.items.items[0].id, id);
    found = searched("request disk failed", ALL, 20);
    ck_assert_uint_eq(found.items.count, 20);
    ck_assert_uint_eq(found.record_count, RECALL_RECORDS);
    /* A span brings up old ones, which no sample would meet. */
    struct recall_filter f = ALL;
    f.until = T0 + 10 * US_PER_MINUTE;
    ck_assert_uint_eq(searched("request", f, 20).items.count, 10);
}
END_TEST

START_TEST(test_neighbours_lend)
{
    int64_t chat = stream_of(store, "chat");
    remember(
        chat, "chat", T0,
        "Ann: Where did the zebra go?\nBob: To the river, I think.\nAnn: Good.\nBob: Lunch now.\n"
        "Ann: Let us eat.\nBob: Soup again.");
    struct recall_found found = searched("Where is the zebra?", ALL, 0);
    ck_assert_uint_ge(found.record_count, 2);
    ck_assert_str_eq(found.records[0].ref, "chat:1");
    ck_assert_str_eq(found.records[1].ref, "chat:2");
    for (uint32_t i = 0; i < found.record_count; i++)
        ck_assert_str_ne(found.records[i].ref, "chat:6");
}
END_TEST

/* The author that a question names is preferred to others who only speak of her. */
START_TEST(test_author)
{
    int64_t chat = stream_of(store, "chat");
    remember(chat, "chat", T0,
             "Ann: Bob will go sailing, Bob says.\nBob: I go sailing at times, says Ann.");
    ck_assert_str_eq(searched("Does Bob go sailing?", ALL, 0).records[0].ref, "chat:2");
    ck_assert_str_eq(searched("Does Ann go sailing?", ALL, 0).records[0].ref, "chat:1");
}
END_TEST

/* A time that the question names draws, and does not exclude. T0 is 2023-11-14. */
START_TEST(test_date)
{
    int64_t chat = stream_of(store, "chat");
    remember(chat, "chat", T0, "We went sailing.");
    remember(chat, "chat", T0 + 30 * 24 * HOUR, "We went sailing.");
    remember(chat, "chat", T0 + 60 * 24 * HOUR, "Nothing else of note.");
    ck_assert_str_eq(searched("Who went sailing in November 2023?", ALL, 0).records[0].ref,
                     "chat:1");
    ck_assert_str_eq(searched("Who went sailing in December?", ALL, 0).records[0].ref, "chat:2");
    ck_assert_uint_eq(searched("Who went sailing in December?", ALL, 0).record_count, 2);
}
END_TEST

/* What is told soon after a time comes before what is told long after it; a time alone is no hit.
 */
START_TEST(test_told_after)
{
    int64_t chat = stream_of(store, "chat");
    remember(chat, "chat", T0, "We went sailing.");
    remember(chat, "chat", T0 + 40 * 24 * HOUR, "We went sailing.");
    remember(chat, "chat", T0 - 24 * HOUR, "Nothing of note.");
    struct recall_found found = searched("Who went sailing on 13 November 2023?", ALL, 0);
    ck_assert_uint_eq(found.record_count, 2);
    ck_assert_str_eq(found.records[0].ref, "chat:1");
    found = searched("Who went sailing on 21 December 2023?", ALL, 0);
    ck_assert_str_eq(found.records[0].ref, "chat:2");
}
END_TEST

/* The word changes with its tense, and is found by each form. */
START_TEST(test_word_forms)
{
    int64_t chat = stream_of(store, "chat");
    remember(chat, "chat", T0, "Ann bought a lamp.");
    remember(chat, "chat", T0 + HOUR, "The children have gone home.");
    struct recall_found found = searched("buy", ALL, 0);
    ck_assert_uint_eq(found.record_count, 1);
    ck_assert_str_eq(found.records[0].ref, "chat:1");
    ck_assert_str_eq(searched("did the child go", ALL, 0).records[0].ref, "chat:2");
    ck_assert_uint_eq(searched("buys", ALL, 0).record_count, 1);
    ck_assert_uint_eq(searched("by", ALL, 0).record_count, 0);
    remember(chat, "chat", T0 + 2 * HOUR, "The door won't open.");
    ck_assert_uint_eq(searched("win", ALL, 0).record_count, 0);
    remember(chat, "chat", T0 + 3 * HOUR, "Ann won.");
    found = searched("win", ALL, 0);
    ck_assert_uint_eq(found.record_count, 1);
    ck_assert_str_eq(found.records[0].ref, "chat:4");
    /* One word asked for in two forms stays two words. */
    found = searched("went go", ALL, 0);
    ck_assert_str_eq(found.records[0].ref, "chat:2");
}
END_TEST

/* Of two records that have the word "debate", the one with a word akin to "dance" answers. */
START_TEST(test_kin)
{
    int64_t chat = stream_of(store, "chat");
    remember(chat, "chat", T0, "A long debate.");
    remember(chat, "chat", T0 + 2 * HOUR, "A long debate with the dancers, in the evening, again.");
    remember(chat, "chat", T0 + 4 * HOUR, "A debate.");
    ck_assert_str_eq(searched("debate on dance", ALL, 0).records[0].ref, "chat:2");
    /* Names with figures have none. */
    remember(chat, "chat", T0 + 6 * HOUR, "node12 restarted.");
    remember(chat, "chat", T0 + 8 * HOUR, "host12 restarted.");
    struct recall_found found = searched("node17 restarted", ALL, 0);
    ck_assert_uint_eq(found.record_count, 2);
    ck_assert_double_eq_tol(found.records[0].score, found.records[1].score, 1e-6);
}
END_TEST

START_TEST(test_recency)
{
    int64_t log = stream_of(store, "log");
    remember(log, "log", T0 - 30 * 24 * HOUR, "valve stuck in room one");
    remember(log, "log", T0 - HOUR,
             "the valve was seen stuck in another of the rooms today, they say");
    struct recall_query q = {.text = {"valve stuck", 11}, .filter = ALL};
    struct recall_found found;
    OK(recall_search(reader, &q, &arena, &found, &err));
    ck_assert_str_eq(found.records[0].ref, "log:1");
    q.recency = 1;
    OK(recall_search(reader, &q, &arena, &found, &err));
    ck_assert_str_eq(found.records[0].ref, "log:2");
}
END_TEST

static struct recall_items timeline(struct recall_timeline_query q)
{
    struct recall_items items;
    arena_reset(&arena);
    OK(recall_timeline(reader, &q, &arena, &items, &err));
    for (uint32_t i = 1; i < items.count; i++)
        ck_assert_int_le(items.items[i - 1].start, items.items[i].start);
    return items;
}

START_TEST(test_timeline)
{
    int64_t log = stream_of(store, "log"), ids[30];
    for (int i = 0; i < 30; i++)
        ids[i] = remember(log, "log", T0 + i * HOUR, "a line\nanother line");
    struct recall_timeline_query q = {.time = TIME_UNKNOWN, .stratum = 0, .filter = ALL};
    struct recall_items items = timeline(q);
    ck_assert_uint_eq(items.count, 30);
    ck_assert(!items.more);
    q.limit = 7;
    items = timeline(q);
    ck_assert_uint_eq(items.count, 7);
    ck_assert(items.more);
    ck_assert_int_eq(items.items[0].id, ids[0]);
    q.id = ids[10];
    q.stratum = -1;
    items = timeline(q);
    ck_assert_uint_eq(items.count, 7);
    ck_assert_int_eq(items.items[3].id, ids[10]);
    q.id = ids[0];
    items = timeline(q);
    ck_assert_uint_eq(items.count, 7);
    ck_assert_int_eq(items.items[0].id, ids[0]);
    q.id = 0;
    q.time = T0 + 29 * HOUR + 1;
    items = timeline(q);
    ck_assert_uint_eq(items.count, 7);
    ck_assert_int_eq(items.items[6].id, ids[29]);
    q.time = TIME_UNKNOWN;
    q.stratum = 0;
    q.filter.since = T0 + 5 * HOUR + 5 * US_PER_SECOND; /* in the middle of moment 5 */
    q.filter.until = T0 + 7 * HOUR;
    items = timeline(q);
    ck_assert_uint_eq(items.count, 2);
    ck_assert_int_eq(items.items[0].id, ids[5]);
    struct recall_items ret;
    q = (struct recall_timeline_query){
        .id = 999, .time = TIME_UNKNOWN, .stratum = -1, .filter = ALL};
    ck_assert_int_eq(recall_timeline(reader, &q, &arena, &ret, &err), ERR_NOTFOUND);
    q.stratum = STRATA;
    ck_assert_int_eq(recall_timeline(reader, &q, &arena, &ret, &err), ERR_INVALID);
}
END_TEST

/* Without a stratum the whole span is shown in the finest one that fits. */
START_TEST(test_timeline_strata)
{
    int64_t log = stream_of(store, "log");
    for (int i = 0; i < 48; i++)
        for (int k = 0; k < 3; k++)
            remember(log, "log", T0 + i * HOUR + k * 20 * US_PER_MINUTE, "a line");
    consolidate_all(store);
    struct recall_timeline_query q = {
        .time = TIME_UNKNOWN, .stratum = -1, .filter = ALL, .limit = 60};
    struct recall_items items = timeline(q);
    ck_assert_uint_gt(items.count, 0);
    ck_assert(!items.more);
    ck_assert_int_gt(items.items[0].stratum, 0);
    ck_assert_ptr_null(items.items[0].stream);
    ck_assert_uint_gt(items.items[0].cost.body, 0);
    struct recall_opened opened;
    OK(recall_open(reader, items.items[0].id, &arena, &opened, &err));
    ck_assert_uint_gt(opened.child_count, 0);
    ck_assert_uint_eq(strlen(opened.body), items.items[0].cost.body);
    struct recall_opened child;
    OK(recall_open(reader, opened.children[0], &arena, &child, &err));
    ck_assert_int_eq(child.parent, items.items[0].id);
}
END_TEST

START_TEST(test_open_and_raw)
{
    int64_t log = stream_of(store, "log");
    struct unusual u = {.start = T0 + HOUR,
                        .end = T0 + HOUR + 10,
                        .bits = 12,
                        .z = 4,
                        .score = 0.9f,
                        .why = "first line of its kind"};
    int64_t first = remember(log, "log", T0, "one\ntwo");
    int64_t id = remember_as(log, "log", T0 + HOUR, "three\nfour five", PATH_DISCRETE, &u);
    int64_t last = remember(log, "log", T0 + 2 * HOUR, "six");
    struct recall_opened o;
    OK(recall_open(reader, id, &arena, &o, &err));
    ck_assert_str_eq(o.gist, "three");
    ck_assert_str_eq(o.body,
                     "2023-11-14T23:13:20.000000Z three\n2023-11-14T23:13:30.000000Z four five\n");
    ck_assert_uint_eq(strlen(o.body), o.item.cost.body);
    ck_assert_uint_eq(o.item.cost.raw, 14);
    ck_assert_str_eq(o.kind, "text");
    ck_assert_str_eq(o.path, "discrete");
    ck_assert(o.evidence);
    ck_assert_uint_eq(strlen(o.hash), 32);
    ck_assert_uint_eq(o.unusual_count, 1);
    ck_assert_str_eq(o.unusual[0].why, "first line of its kind");
    ck_assert_int_eq(o.before, first);
    ck_assert_int_eq(o.after, last);
    ck_assert_int_eq(recall_open(reader, 999, &arena, &o, &err), ERR_NOTFOUND);
    struct recall_raw raw;
    OK(recall_raw(reader, id, 0, &arena, &raw, &err));
    ck_assert_uint_eq(raw.count, 2);
    ck_assert_uint_eq(raw.records[1].text.size, 9);
    OK(recall_raw(reader, id, 1, &arena, &raw, &err));
    ck_assert_uint_eq(raw.count, 1);
    ck_assert_uint_eq(raw.records[0].seq, 4);
    OK(recall_raw(reader, id, 77, &arena, &raw, &err));
    ck_assert_uint_eq(raw.count, 0);
    ck_assert_int_eq(recall_raw(reader, 999, 0, &arena, &raw, &err), ERR_NOTFOUND);
}
END_TEST

START_TEST(test_similar)
{
    int64_t log = stream_of(store, "log");
    int64_t a = remember(log, "log", T0, "aaaa bbbb aaaa");
    remember(log, "log", T0 + HOUR, "zzzz yyyy xxxx");
    int64_t b = remember(log, "log", T0 + 2 * HOUR, "aaaa bbbb aaab");
    struct recall_example q = {.id = a, .filter = ALL};
    struct recall_items items;
    OK(recall_similar(reader, &q, &arena, &items, &err));
    ck_assert_uint_eq(items.count, 2);
    ck_assert_int_eq(items.items[0].id, b);
    ck_assert(items.items[0].score > items.items[1].score);
    q = (struct recall_example){.filter = ALL};
    ck_assert_int_eq(recall_similar(reader, &q, &arena, &items, &err), ERR_INVALID);
    q.id = 999;
    ck_assert_int_eq(recall_similar(reader, &q, &arena, &items, &err), ERR_NOTFOUND);
    q = (struct recall_example){.text = {"yyyy", 4}, .filter = ALL};
    OK(recall_similar(reader, &q, &arena, &items, &err));
    ck_assert_uint_eq(items.count, 1);
}
END_TEST

START_TEST(test_surprise)
{
    int64_t a = stream_of(store, "a"), b = stream_of(store, "b");
    for (int i = 0; i < 10; i++) {
        struct unusual u = {.start = T0 + i * HOUR,
                            .end = T0 + i * HOUR + HOUR / 2,
                            .bits = 5 + i % 3,
                            .z = 3,
                            .score = 0.5f + 0.04f * (float)i,
                            .why = "odd"};
        remember_as(i % 2 ? b : a, i % 2 ? "b" : "a", T0 + i * HOUR, "x\ny", PATH_LATENT, &u);
    }
    /* Overlaps the one at T0 + 9 h. */
    struct unusual more = {.start = T0 + 9 * HOUR + HOUR / 4,
                           .end = T0 + 9 * HOUR + HOUR,
                           .bits = 4,
                           .z = 2,
                           .score = 0.55f,
                           .why = "still odd"};
    remember_as(b, "b", more.start, "x\ny", PATH_LATENT, &more);
    struct recall_unusual *u;
    uint32_t count;
    struct recall_filter f = ALL;
    OK(recall_surprise(reader, &f, 0, &arena, &u, &count, &err));
    ck_assert_uint_eq(count, 10);
    ck_assert_int_eq(u[0].start, T0 + 9 * HOUR);
    ck_assert_int_eq(u[0].end, T0 + 10 * HOUR);
    ck_assert_uint_eq(u[0].count, 2);
    ck_assert_str_eq(u[0].stream, "b");
    for (uint32_t i = 1; i < count; i++)
        ck_assert(u[i].score <= u[i - 1].score);
    const char *only_a[] = {"a"};
    f.streams = only_a;
    f.stream_count = 1;
    f.since = T0 + 3 * HOUR;
    OK(recall_surprise(reader, &f, 0, &arena, &u, &count, &err));
    ck_assert_uint_eq(count, 3);
    OK(recall_surprise(reader, &f, 1, &arena, &u, &count, &err));
    ck_assert_uint_eq(count, 1);
    ck_assert_int_eq(u[0].start, T0 + 8 * HOUR);
}
END_TEST

START_TEST(test_entities)
{
    int64_t log = stream_of(store, "log"), id;
    id = put_moment(store, log, 1, 3, T0, END_GAP);
    put_moment(store, log, 4, 3, T0 + HOUR, END_GAP);
    struct recall_entity *e;
    uint32_t count;
    OK(recall_entities(reader, NULL, NULL, 0, &arena, &e, &count, &err));
    ck_assert_uint_eq(count, 2);
    ck_assert_str_eq(e[0].name, "web-01");
    OK(recall_entities(reader, "process", "SSH", 0, &arena, &e, &count, &err));
    ck_assert_uint_eq(count, 1);
    ck_assert_str_eq(e[0].kind, "process");
    struct recall_life life;
    struct recall_filter f = ALL;
    OK(recall_entity_history(reader, "host:web-01", &f, 0, &arena, &life, &err));
    ck_assert_uint_eq(life.entity.moments, 2);
    ck_assert_uint_eq(life.items.count, 2);
    ck_assert_int_eq(life.items.items[0].id, id);
    OK(recall_entity_history(reader, "web-01", &f, 1, &arena, &life, &err));
    ck_assert_uint_eq(life.items.count, 1);
    ck_assert(life.items.more);
    ck_assert_int_eq(recall_entity_history(reader, "nobody", &f, 0, &arena, &life, &err),
                     ERR_NOTFOUND);
}
END_TEST

START_TEST(test_no_file)
{
    struct reader_options o = {.path = "/nowhere/memory.db", .clock = &now};
    struct reader *none = NULL;
    ck_assert_int_lt(reader_open(&o, &none, &err), 0);
    ck_assert_ptr_null(none);
}
END_TEST

/* A reader without the live counters loads those that were saved. */
START_TEST(test_own_counters)
{
    int64_t log = stream_of(store, "log");
    int64_t id = remember(log, "log", T0, "one zebra\ntwo");
    reader_close(reader);
    store_close(store);
    store = opened();
    struct reader_options o = {.path = path, .clock = &now};
    OK(reader_open(&o, &reader, &err));
    ck_assert_int_eq(searched("zebra", ALL, 0).items.items[0].id, id);
}
END_TEST

START_TEST(test_json)
{
    int64_t log = stream_of(store, "log");
    remember(log, "log", T0, "say \"disk\" \x01 \\ wärme");
    struct buf out = {0};
    struct jsonw w;
    struct recall_found found = searched("disk", ALL, 0);
    jsonw_init(&w, &out);
    recall_found_json(&w, &found);
    ck_assert_ptr_nonnull(strstr(out.data,
                                 "{\"items\":[{\"id\":\"1\",\"stratum\":0,\"stream\":\"log\","
                                 "\"start\":\"2023-11-14T22:13:20.000000Z\""));
    ck_assert_ptr_nonnull(strstr(out.data, "\"refs\":[\"log:1\"]"));
    ck_assert_ptr_nonnull(
        strstr(out.data, "\"records\":[{\"id\":\"1\",\"stream\":\"log\",\"seq\":\"1\","));
    struct recall_raw raw;
    OK(recall_raw(reader, 1, 0, &arena, &raw, &err));
    buf_clear(&out);
    jsonw_init(&w, &out);
    recall_raw_json(&w, &raw);
    ck_assert_ptr_nonnull(
        strstr(out.data, "\"text\":\"say \\\"disk\\\" \\u0001 \\\\ w\xc3\xa4rme\""));
    buf_deinit(&out);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("recall");
    TCase *t = tcase_create("recall");
    tcase_add_checked_fixture(t, memory_setup, memory_teardown);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, test_best_first);
    tcase_add_test(t, test_filters);
    tcase_add_test(t, test_any_query);
    tcase_add_test(t, test_common_words);
    tcase_add_test(t, test_neighbours_lend);
    tcase_add_test(t, test_author);
    tcase_add_test(t, test_date);
    tcase_add_test(t, test_told_after);
    tcase_add_test(t, test_word_forms);
    tcase_add_test(t, test_kin);
    tcase_add_test(t, test_recency);
    tcase_add_test(t, test_timeline);
    tcase_add_test(t, test_timeline_strata);
    tcase_add_test(t, test_open_and_raw);
    tcase_add_test(t, test_similar);
    tcase_add_test(t, test_surprise);
    tcase_add_test(t, test_entities);
    tcase_add_test(t, test_no_file);
    tcase_add_test(t, test_own_counters);
    tcase_add_test(t, test_json);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
