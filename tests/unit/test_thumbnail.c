/* SPDX-License-Identifier: Apache-2.0 */
/* Frames of all sizes as small pictures; what is damaged or hostile is shown or refused in words.
 */
#include "model/thumbnail.h"

#include "base/media.h"
#include "model/jpeg.h"
#include "tests/unit/random_fixture.h"
#include "tests/unit/video_fixture.h"

static struct canvas canvas;
static struct buf out;

static void begin(void)
{
    rng = 4711;
}

static void end(void)
{
    buf_deinit(&out);
    out = (struct buf){0};
}

/* A frame that is dark on the left and bright on the right. */
static struct slice frame(uint32_t width, uint32_t height, const struct packing *how)
{
    canvas.width = width;
    canvas.height = height;
    fill(&canvas, 40, 40, 40);
    draw_box(&canvas, (int)width / 2, 0, (int)width, (int)height, 200);
    return pack(&canvas, how);
}

static struct slice made(void)
{
    return (struct slice){out.data, out.size};
}

static const struct {
    uint32_t width, height, side, small_width, small_height;
} sizes[] = {{640, 360, 160, 160, 90}, {640, 16, 160, 160, 4}, {100, 50, 160, 100, 50},
             {16, 16, 160, 16, 16},    {17, 600, 160, 5, 150}, {640, 360, 16, 16, 9},
             {320, 240, 320, 320, 240}};

START_TEST(sizes_fit)
{
    const struct packing ways[] = {{0}, {.grey = true}, {.progressive = true}};
    for (int i = 0; i < 3; i++) {
        struct slice jpeg = frame(sizes[_i].width, sizes[_i].height, &ways[i]);
        struct media_jpeg head;
        struct raster raster;
        struct jpeg_reader *reader;
        buf_clear(&out);
        ck_assert_int_eq(thumbnail_make(jpeg, sizes[_i].side, &out, NULL), 0);
        ck_assert_int_eq(media_jpeg_header(made(), &head, NULL), 0);
        ck_assert_uint_eq(head.width, sizes[_i].small_width);
        ck_assert_uint_eq(head.height, sizes[_i].small_height);
        ck_assert_uint_eq(head.components, ways[i].grey ? 1 : 3);
        free((void *)jpeg.data);
        if (head.width < 16 || head.height < 16)
            continue;
        ck_assert_int_eq(jpeg_reader_new(&reader), 0);
        ck_assert_int_eq(jpeg_read(reader, made(), &raster, NULL), 0);
        ck_assert_float_eq_tol(raster.planes[RASTER_Y][RASTER_WIDTH / 5], 40, 12);
        ck_assert_float_eq_tol(raster.planes[RASTER_Y][RASTER_WIDTH * 4 / 5], 200, 12);
        jpeg_reader_free(reader);
    }
}
END_TEST

START_TEST(damage_is_shown_or_refused)
{
    struct slice jpeg = frame(640, 360, &(struct packing){.progressive = _i % 2});
    char *bytes = (char *)jpeg.data;
    uint32_t shown = 0, refused = 0;
    for (int round = 0; round < 200; round++) {
        struct errmsg err = {.text = ""};
        size_t at = (size_t)(uniform() * (double)jpeg.size);
        char was = bytes[at];
        bytes[at] ^= (char)(1 << round % 8);
        buf_clear(&out);
        size_t size = round % 3 ? jpeg.size : (size_t)(uniform() * (double)jpeg.size);
        int r = thumbnail_make((struct slice){bytes, size}, 160, &out, &err);
        ck_assert_msg(r == 0 || (r == ERR_INVALID && strncmp(err.text, "JPEG: ", 6) == 0), "%d %s",
                      r, err.text);
        shown += r == 0;
        refused += r != 0;
        bytes[at] = was;
    }
    ck_assert_uint_gt(shown, 20);
    ck_assert_uint_gt(refused, 0);
    free(bytes);
}
END_TEST

START_TEST(what_is_no_frame)
{
    struct errmsg err;
    struct slice cmyk = frame(64, 64, &(struct packing){.cmyk = true});
    buf_puts(&out, "before");
    ck_assert_int_eq(thumbnail_make(cmyk, 160, &out, &err), ERR_INVALID);
    ck_assert_str_eq(err.text, "JPEG: neither grey nor of three components");
    ck_assert_int_eq(thumbnail_make((struct slice){"no JPEG", 7}, 160, &out, &err), ERR_INVALID);
    ck_assert_uint_eq(out.size, 6);
    free((void *)cmyk.data);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("thumbnail");
    TCase *t = tcase_create("thumbnails");
    tcase_add_checked_fixture(t, begin, end);
    tcase_add_loop_test(t, sizes_fit, 0, sizeof(sizes) / sizeof(sizes[0]));
    tcase_add_loop_test(t, damage_is_shown_or_refused, 0, 2);
    tcase_add_test(t, what_is_no_frame);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
