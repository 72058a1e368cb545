/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/media.h"

/* A JPEG's beginning: an APP0 of no use, then the size. */
struct head {
    unsigned char bytes[64];
    size_t size;
};

static struct head head_of(unsigned marker, unsigned width, unsigned height, unsigned components)
{
    struct head h = {{0xff, 0xd8, 0xff, 0xe0, 0, 4, 'J', 'F', 0xff, 0xff}, 10};
    unsigned char frame[] = {(unsigned char)marker,
                             0,
                             (unsigned char)(8 + 3 * components),
                             8,
                             (unsigned char)(height >> 8),
                             (unsigned char)height,
                             (unsigned char)(width >> 8),
                             (unsigned char)width,
                             (unsigned char)components};
    memcpy(h.bytes + h.size, frame, sizeof(frame));
    h.size += sizeof(frame);
    return h;
}

static int check_head(struct head h, struct errmsg *err)
{
    return media_check(KIND_VIDEO, (struct slice){(char *)h.bytes, h.size}, err);
}

START_TEST(test_frames)
{
    struct errmsg err;
    struct media_jpeg head;
    struct head h = head_of(0xc2, 640, 360, 3);
    ck_assert_int_eq(media_jpeg_header((struct slice){(char *)h.bytes, h.size}, &head, &err), 0);
    ck_assert(head.width == 640 && head.height == 360 && head.components == 3 && head.progressive);
    ck_assert_int_eq(check_head(h, &err), 0);
    ck_assert_int_eq(check_head(head_of(0xc0, 16, 1920, 1), &err), 0);
    const struct head wrong[] = {
        head_of(0xc0, 15, 16, 1),    head_of(0xc0, 16, 1921, 1), head_of(0xc0, 0, 0, 3),
        head_of(0xc0, 65535, 16, 1), head_of(0xc0, 64, 64, 4),   head_of(0xc0, 64, 64, 0),
        head_of(0xc9, 64, 64, 3),    head_of(0xc3, 64, 64, 3),   head_of(0xda, 64, 64, 3),
        head_of(0xd9, 64, 64, 3),
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        ck_assert_msg(check_head(wrong[i], &err) == ERR_INVALID, "%zu", i);
    ck_assert_int_eq(check_head(head_of(0xc0, 3000, 20, 3), &err), ERR_INVALID);
    ck_assert_str_eq(err.text,
                     "media: a picture of 3000x20, each side must have 16 to 1920 pixels");
    h = head_of(0xc0, 64, 64, 3);
    h.bytes[13] = 12; /* bits */
    ck_assert_int_eq(check_head(h, &err), ERR_INVALID);
    h = head_of(0xc0, 64, 64, 3);
    for (h.size = 0; h.size < 19; h.size++)
        ck_assert_int_eq(check_head(h, &err), ERR_INVALID);
    ck_assert_int_eq(check_head(h, &err), 0);
}
END_TEST

START_TEST(test_sound)
{
    char *pcm = calloc(1, 2 * AUDIO_RECORD_SAMPLES_MAX + 2);
    struct errmsg err;
    ck_assert_ptr_nonnull(pcm);
    const size_t good[] = {2, 16000, 2 * AUDIO_RECORD_SAMPLES_MAX};
    const size_t bad[] = {0, 1, 3, 2 * AUDIO_RECORD_SAMPLES_MAX - 1,
                          2 * AUDIO_RECORD_SAMPLES_MAX + 2};
    for (size_t i = 0; i < 3; i++)
        ck_assert_int_eq(media_check(KIND_AUDIO, (struct slice){pcm, good[i]}, &err), 0);
    for (size_t i = 0; i < 5; i++)
        ck_assert_int_eq(media_check(KIND_AUDIO, (struct slice){pcm, bad[i]}, &err), ERR_INVALID);
    free(pcm);
}
END_TEST

START_TEST(test_base64)
{
    static const struct {
        const char *plain, *text;
    } known[] = {{"", ""},        {"f", "Zg=="},        {"fo", "Zm8="},
                 {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"\xff\xfe\xfb\xf0", "//778A=="}};
    static const char *const wrong[] = {"Z",       "Zg",       "Zg=",  "Zh==", "Zm9=",
                                        "Zm 9",    "=Zg=",     "Z===", "====", "Zg=g",
                                        "Zm9\xff", "Zg==Zm9v", "Zm-v"};
    char plain[16];
    size_t size = 99;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        struct buf out = {0};
        base64_put(&out, known[i].plain, strlen(known[i].plain));
        ck_assert_uint_eq(out.size, strlen(known[i].text));
        ck_assert_uint_eq(out.size, BASE64_ENCODED(strlen(known[i].plain)));
        if (out.size)
            ck_assert_mem_eq(out.data, known[i].text, out.size);
        ck_assert_int_eq(base64_decode(known[i].text, strlen(known[i].text), plain, &size), 0);
        ck_assert_uint_eq(size, strlen(known[i].plain));
        ck_assert_mem_eq(plain, known[i].plain, size);
        buf_deinit(&out);
    }
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        ck_assert_msg(base64_decode(wrong[i], strlen(wrong[i]), plain, &size) == ERR_PARSE, "%s",
                      wrong[i]);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("media");
    TCase *t = tcase_create("payloads");
    tcase_add_test(t, test_frames);
    tcase_add_test(t, test_sound);
    tcase_add_test(t, test_base64);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
