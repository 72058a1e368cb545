/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ipc/frame.h"

static struct arena arena;
static struct buf out;

static void setup(void)
{
    arena_init(&arena, 4096);
    out = (struct buf){0};
}

static void teardown(void)
{
    arena_deinit(&arena);
    buf_deinit(&out);
}

static struct slice slice_of(const char *s)
{
    return (struct slice){s, strlen(s)};
}

static struct frame one_frame(void)
{
    struct frame f;
    ck_assert_int_eq(frame_next(out.data, out.size, 1 << 20, &f, NULL), 0);
    ck_assert_uint_eq(f.size, out.size);
    return f;
}

static char bad_text[160];
static uint32_t bad_index, bad_count;

static void on_bad(void *arg, uint32_t index, const char *text)
{
    strncpy(bad_text, text, sizeof(bad_text) - 1);
    bad_index = index;
    bad_count++;
}

static int decode(struct slice body, enum stream_kind kind, struct record **records,
                  uint32_t *count)
{
    uint32_t total;
    bad_count = 0;
    return frame_get_records(body, kind, &arena, on_bad, NULL, records, count, &total, NULL);
}

START_TEST(test_text)
{
    struct record in[2] = {
        {.seq = 17, .time = 1234567, .text = slice_of("one"), .ref = slice_of("D1:1")},
        {.flags = RECORD_NO_TIME, .text = slice_of("")},
    };
    frame_put_records(&out, KIND_TEXT, in, 2);
    struct frame f = one_frame();
    ck_assert_int_eq(f.type, FRAME_RECORDS);
    struct record *r;
    uint32_t n;
    ck_assert_int_eq(decode(f.body, KIND_TEXT, &r, &n), 0);
    ck_assert_uint_eq(n, 2);
    ck_assert(r[0].seq == 17 && r[0].time == 1234567 && r[0].flags == 0 && r[0].tag == 0);
    ck_assert(r[0].text.size == 3 && memcmp(r[0].text.data, "one", 3) == 0);
    ck_assert(r[0].ref.size == 4 && memcmp(r[0].ref.data, "D1:1", 4) == 0);
    ck_assert(r[1].seq == 0 && r[1].flags == RECORD_NO_TIME && r[1].text.size == 0);
    ck_assert(r[1].tag == 1 && r[1].ref.size == 0);
}
END_TEST

START_TEST(test_sensor)
{
    struct sample samples[] = {{0, 1.5}, {1023, -1e300}};
    struct record in = {.time = TIME_MAX, .samples = samples, .sample_count = 2};
    frame_put_records(&out, KIND_SENSOR, &in, 1);
    struct record *r;
    uint32_t n;
    ck_assert_int_eq(decode(one_frame().body, KIND_SENSOR, &r, &n), 0);
    ck_assert(n == 1 && r->sample_count == 2 && r->time == TIME_MAX);
    ck_assert(r->samples[1].channel == 1023 && r->samples[1].value == -1e300);
}
END_TEST

START_TEST(test_sound)
{
    struct record in[2] = {{.seq = 3, .time = 5, .media = {"\0\1\2\3", 4}},
                           {.seq = 4, .time = 6, .media = {"odd", 3}, .ref = slice_of("r")}};
    frame_put_records(&out, KIND_AUDIO, in, 2);
    struct record *r;
    uint32_t n;
    ck_assert_int_eq(decode(one_frame().body, KIND_AUDIO, &r, &n), 0);
    ck_assert(n == 1 && r->seq == 3 && r->text.size == 0 && r->sample_count == 0);
    ck_assert(r->media.size == 4 && memcmp(r->media.data, "\0\1\2\3", 4) == 0);
    ck_assert(bad_count == 1 && bad_index == 1);
    ck_assert_str_eq(bad_text, "media: 3 bytes, where 1 to 16000 samples of 2 bytes must be");
    ck_assert_int_eq(decode(one_frame().body, KIND_VIDEO, &r, &n), 0);
    ck_assert(n == 0 && bad_count == 2);
    ck_assert_str_eq(bad_text, "media: not a JPEG");
}
END_TEST

/* A bad record is left out and told; its neighbours stay. */
START_TEST(test_bad_records)
{
    struct sample nan_sample = {3, NAN}, far_sample = {CHANNELS_MAX, 1};
    struct sample fine = {1, 1};
    struct record sensors[] = {
        {.time = 1, .samples = &fine, .sample_count = 1},
        {.time = 1, .samples = &nan_sample, .sample_count = 1},
        {.time = 1, .samples = &fine, .sample_count = 1},
    };
    struct record *r;
    uint32_t n;
    frame_put_records(&out, KIND_SENSOR, sensors, 3);
    ck_assert_int_eq(decode(one_frame().body, KIND_SENSOR, &r, &n), 0);
    ck_assert(n == 2 && bad_count == 1 && bad_index == 1 && r[1].tag == 2);
    ck_assert_str_eq(bad_text, "values: channel 3 is not finite");

    char long_ref[RECORD_REF_MAX + 1];
    memset(long_ref, 'r', sizeof(long_ref));
    struct {
        enum stream_kind kind;
        struct record r;
        const char *text;
    } bad[] = {
        {KIND_TEXT, {.time = TIME_MAX + 1}, "time: not between 1970 and 2200"},
        {KIND_TEXT, {.time = -1}, "time: not between 1970 and 2200"},
        {KIND_TEXT, {.time = INT64_MIN}, "time: not between 1970 and 2200"},
        {KIND_TEXT, {.text = {"\xff", 1}}, "text: not UTF-8, or a NUL in it"},
        {KIND_TEXT, {.text = {"a\0b", 3}}, "text: not UTF-8, or a NUL in it"},
        {KIND_TEXT, {.ref = {long_ref, sizeof(long_ref)}}, "ref: longer than 256 bytes"},
        {KIND_TEXT, {.ref = {"\xc3", 1}}, "ref: not UTF-8, or a NUL in it"},
        {KIND_SENSOR, {.samples = &far_sample, .sample_count = 1}, "values: no channel 1024"},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        buf_clear(&out);
        frame_put_records(&out, bad[i].kind, &bad[i].r, 1);
        ck_assert_int_eq(decode(one_frame().body, bad[i].kind, &r, &n), 0);
        ck_assert(n == 0 && bad_count == 1);
        ck_assert_str_eq(bad_text, bad[i].text);
    }
}
END_TEST

/* Every prefix and every changed byte of a good frame ends in an error or a good frame. */
START_TEST(test_damage)
{
    struct sample samples[] = {{0, 1.5}, {7, 2}};
    struct record in[2] = {
        {.seq = 300, .time = 99, .samples = samples, .sample_count = 2, .ref = slice_of("x")},
        {.time = 100, .samples = samples, .sample_count = 1},
    };
    frame_put_records(&out, KIND_SENSOR, in, 2);
    struct record *r;
    uint32_t n;
    for (size_t cut = 0; cut < out.size; cut++) {
        struct frame f;
        ck_assert_int_eq(frame_next(out.data, cut, 1 << 20, &f, NULL), FRAME_MORE);
        ck_assert_uint_eq(f.size, cut < 4 ? 0 : out.size);
        if (cut < FRAME_HEADER)
            continue;
        char *copy = malloc(cut);
        memcpy(copy, out.data, cut);
        ck_assert_int_eq(decode((struct slice){copy + 5, cut - 5}, KIND_SENSOR, &r, &n), ERR_PARSE);
        free(copy);
    }
    for (size_t i = FRAME_HEADER; i < out.size; i++) {
        for (int flip = 1; flip < 256; flip++) {
            char *copy = malloc(out.size - 5);
            memcpy(copy, out.data + 5, out.size - 5);
            copy[i - 5] = (char)(copy[i - 5] ^ flip);
            struct slice body = {copy, out.size - 5};
            decode(body, KIND_SENSOR, &r, &n);
            decode(body, KIND_TEXT, &r, &n);
            arena_reset(&arena);
            free(copy);
        }
    }
}
END_TEST

START_TEST(test_header)
{
    struct frame f;
    ck_assert_int_eq(frame_next("\0\0\0\0\1", 5, 100, &f, NULL), ERR_PARSE);
    ck_assert_int_eq(frame_next("\x65\0\0\0\1", 5, 100, &f, NULL), ERR_LIMIT);
    ck_assert_int_eq(frame_next("\xff\xff\xff\xff\1", 5, 100, &f, NULL), ERR_LIMIT);
    ck_assert_int_eq(frame_next("\1\0\0\0\3", 5, 100, &f, NULL), 0);
    ck_assert(f.type == FRAME_FLUSH && f.body.size == 0 && f.size == 5);
}
END_TEST

START_TEST(test_counts)
{
    struct record *r;
    uint32_t n;
    buf_put_varint(&out, FRAME_RECORDS_MAX + 1);
    ck_assert_int_eq(decode((struct slice){out.data, out.size}, KIND_TEXT, &r, &n), ERR_LIMIT);
    buf_clear(&out);
    buf_put_varint(&out, 4000); /* and nothing behind */
    ck_assert_int_eq(decode((struct slice){out.data, out.size}, KIND_TEXT, &r, &n), ERR_PARSE);
    ck_assert_uint_eq(arena_size(&arena), 0);
    buf_clear(&out);
    buf_put_varint(&out, 1);
    buf_put_u8(&out, 0);
    buf_put_varint(&out, UINT64_MAX); /* length of the text, count of the samples */
    ck_assert_int_eq(decode((struct slice){out.data, out.size}, KIND_TEXT, &r, &n), ERR_PARSE);
    ck_assert_int_eq(decode((struct slice){out.data, out.size}, KIND_SENSOR, &r, &n), ERR_PARSE);
}
END_TEST

START_TEST(test_channels)
{
    struct frame_channel in[] = {{0, slice_of("cpu")}, {1, slice_of("temp \xc2\xb0")}}, *got;
    uint32_t n;
    frame_put_channels(&out, in, 2);
    ck_assert_int_eq(frame_get_channels(one_frame().body, &arena, &got, &n, NULL), 0);
    ck_assert(n == 2 && got[1].index == 1 && got[1].name.size == 7);
    static const struct frame_channel bad[] = {
        {CHANNELS_MAX, {"x", 1}}, {0, {"", 0}}, {0, {"\xff", 1}}, {0, {"a\0", 2}}};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        buf_clear(&out);
        frame_put_channels(&out, &bad[i], 1);
        ck_assert_int_lt(frame_get_channels(one_frame().body, &arena, &got, &n, NULL), 0);
    }
}
END_TEST

START_TEST(test_server_frames)
{
    uint64_t a, b;
    frame_put_hello(&out, 1 << 20, 18);
    ck_assert_int_eq(frame_get_hello(one_frame().body, &a, &b), 0);
    ck_assert(a == 1 << 20 && b == 18);
    buf_clear(&out);
    frame_put_ack(&out, UINT64_MAX, 5);
    struct frame f = one_frame();
    ck_assert_int_eq(f.type, FRAME_ACK);
    ck_assert_int_eq(frame_get_ack(f.body, &a, &b), 0);
    ck_assert(a == UINT64_MAX && b == 5);
    f.body.size--;
    ck_assert_int_eq(frame_get_ack(f.body, &a, &b), ERR_PARSE);
    buf_clear(&out);
    struct frame_error e = {3, ERR_CONFLICT, slice_of("seq_conflict"), slice_of("seq 3: …")};
    frame_put_error(&out, &e);
    struct frame_error got;
    ck_assert_int_eq(frame_get_error(one_frame().body, &got), 0);
    ck_assert(got.number == 3 && got.code == ERR_CONFLICT && got.name.size == 12);
    ck_assert_int_eq(frame_get_error((struct slice){"\x01", 1}, &got), ERR_PARSE);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("frame");
    TCase *t = tcase_create("frame");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_text);
    tcase_add_test(t, test_sensor);
    tcase_add_test(t, test_sound);
    tcase_add_test(t, test_bad_records);
    tcase_add_test(t, test_damage);
    tcase_add_test(t, test_header);
    tcase_add_test(t, test_counts);
    tcase_add_test(t, test_channels);
    tcase_add_test(t, test_server_frames);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
