/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "ipc/frame.h"
#include "ipc/media_frames.h"

static struct media_frames m;
static struct buf out;
static struct errmsg err;

struct seen {
    int64_t times[8];
    size_t sizes[8];
    unsigned count, stop_at;
};

static int on_record(void *arg, const struct record *r)
{
    struct seen *seen = arg;
    ck_assert_uint_lt(seen->count, 8);
    seen->times[seen->count] = r->time;
    seen->sizes[seen->count++] = r->media.size;
    return seen->count == seen->stop_at ? 1 : 0;
}

static void setup(void)
{
    media_frames_init(&m, KIND_AUDIO);
    for (int i = 1; i <= 3; i++) {
        struct record r = {.time = i, .media = {"\1\2\3\4\5\6", 2 * (size_t)i}};
        frame_put_records(&out, KIND_AUDIO, &r, 1);
    }
}

static void teardown(void)
{
    media_frames_deinit(&m);
    buf_deinit(&out);
}

static int take(struct seen *seen, const void *data, size_t size)
{
    return media_frames_take(&m, data, size, on_record, seen, &err);
}

START_TEST(test_pieces)
{
    frame_put_empty(&out, FRAME_CLOSE);
    struct seen seen = {0};
    for (size_t i = 0; i < out.size; i++)
        ck_assert_int_eq(take(&seen, out.data + i, 1), 0);
    ck_assert_uint_eq(seen.count, 3);
    ck_assert(seen.times[2] == 3 && seen.sizes[0] == 2 && seen.sizes[2] == 6);
    ck_assert_int_eq(media_frames_verdict(&m, 0, 0, &err), 0);
    ck_assert_int_eq(take(&seen, out.data, out.size), ERR_PARSE);
}
END_TEST

/* Any code of the callback ends it there, the one that frame_next has for "more" too. */
START_TEST(test_stop)
{
    struct seen seen = {.stop_at = 2};
    ck_assert_int_eq(take(&seen, out.data, out.size), 1);
    ck_assert_uint_eq(seen.count, 2);
}
END_TEST

START_TEST(test_error)
{
    struct frame_error e = {.code = ERR_LIMIT, .text = {"too\x1b[2J large", 13}};
    struct seen seen = {0};
    frame_put_error(&out, &e);
    ck_assert_int_eq(take(&seen, out.data, out.size), 0);
    ck_assert_int_eq(media_frames_verdict(&m, 1, 0, &err), ERR_LIMIT);
    ck_assert_str_eq(err.text, "too?[2J large");
    ck_assert_int_eq(take(&seen, out.data, out.size), ERR_PARSE);
}
END_TEST

START_TEST(test_end_without_a_word)
{
    struct seen seen = {0};
    ck_assert_int_eq(take(&seen, out.data, out.size - 1), 0);
    ck_assert_uint_eq(seen.count, 2);
    ck_assert_int_eq(media_frames_verdict(&m, 0, SIGSYS, &err), ERR_IO);
    ck_assert_ptr_nonnull(strstr(err.text, "broke down"));
    ck_assert_int_eq(media_frames_verdict(&m, 0, 0, &err), ERR_IO);
}
END_TEST

START_TEST(test_bad_records)
{
    struct seen seen = {0};
    struct record odd = {.time = 1, .media = {"\1\2\3", 3}};
    struct record late = {.time = TIME_MAX + 1, .media = {"\1\2", 2}};
    const struct record *bad[] = {&odd, &late};
    for (size_t i = 0; i < 2; i++) {
        struct buf one = {0};
        frame_put_records(&one, KIND_AUDIO, bad[i], 1);
        ck_assert_int_eq(take(&seen, one.data, one.size), ERR_PARSE);
        media_frames_deinit(&m);
        media_frames_init(&m, KIND_AUDIO);
        buf_deinit(&one);
    }
    ck_assert_uint_eq(seen.count, 0);
    ck_assert_int_eq(take(&seen, "\xff\xff\xff\x7f\1", 5), ERR_LIMIT);
    ck_assert_uint_lt(m.in.capacity, 1 << 16); /* nothing is kept for what cannot be */
}
END_TEST

int main(void)
{
    Suite *s = suite_create("media_frames");
    TCase *c = tcase_create("frames");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, test_pieces);
    tcase_add_test(c, test_stop);
    tcase_add_test(c, test_error);
    tcase_add_test(c, test_end_without_a_word);
    tcase_add_test(c, test_bad_records);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? 1 : 0;
}
