/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames to rasters: sizes, shapes and colours come out right; what is cut short gives what there
 * is; what is hostile is refused in words and costs the next frame nothing.
 */
#include "model/jpeg.h"

#include "base/mem.h"
#include "tests/unit/random_fixture.h"
#include "tests/unit/video_fixture.h"

static struct canvas canvas;
static struct raster raster, again;
static struct jpeg_reader *reader;

static void begin(void)
{
    rng = 4711;
    ck_assert_int_eq(jpeg_reader_new(&reader), 0);
}

static void end(void)
{
    jpeg_reader_free(reader);
}

static int read_it(struct slice jpeg)
{
    struct errmsg err = {.text = ""};
    int rc = jpeg_read(reader, jpeg, &raster, &err);
    ck_assert_msg(rc == 0 || (rc == ERR_INVALID && strncmp(err.text, "JPEG: ", 6) == 0),
                  "%d \"%s\"", rc, err.text);
    return rc;
}

static float at(enum raster_plane plane, double x, double y)
{
    return raster
        .planes[plane][(size_t)(y * RASTER_HEIGHT) * RASTER_WIDTH + (size_t)(x * RASTER_WIDTH)];
}

static const struct {
    uint32_t width, height;
} sizes[] = {{640, 360}, {16, 16}, {17, 600}, {80, 48}, {640, 16}, {100, 37}, {320, 240}};

START_TEST(all_sizes_give_the_same_picture)
{
    canvas.width = sizes[_i].width;
    canvas.height = sizes[_i].height;
    fill(&canvas, 40, 40, 40);
    draw_box(&canvas, (int)canvas.width / 2, 0, (int)canvas.width, (int)canvas.height, 200);
    struct slice jpeg = pack(&canvas, NULL);
    ck_assert_int_eq(read_it(jpeg), 0);
    ck_assert_uint_eq(raster.width, canvas.width);
    ck_assert_uint_eq(raster.height, canvas.height);
    ck_assert_uint_eq(raster.warnings, 0);
    for (int i = 0; i < 4; i++) {
        ck_assert_float_eq_tol(at(RASTER_Y, 0.2, 0.05 + i * 0.3), 40, 4);
        ck_assert_float_eq_tol(at(RASTER_Y, 0.8, 0.05 + i * 0.3), 200, 4);
        ck_assert_float_eq_tol(at(RASTER_CB, 0.8, 0.05 + i * 0.3), 128, 3);
    }
    free((void *)jpeg.data);
}
END_TEST

START_TEST(colours_are_told)
{
    canvas.width = 640;
    canvas.height = 360;
    fill(&canvas, 220, 30, 40);
    struct slice jpeg = pack(&canvas, NULL), grey = pack(&canvas, &(struct packing){.grey = true});
    ck_assert_int_eq(read_it(jpeg), 0);
    ck_assert_float_eq_tol(at(RASTER_Y, 0.5, 0.5), 0.299 * 220 + 0.587 * 30 + 0.114 * 40, 3);
    ck_assert_float_gt(at(RASTER_CR, 0.5, 0.5), 200);
    ck_assert_float_lt(at(RASTER_CB, 0.5, 0.5), 115);
    ck_assert_int_eq(read_it(grey), 0);
    ck_assert_float_eq_tol(at(RASTER_Y, 0.5, 0.5), 30, 3);
    ck_assert_float_eq(at(RASTER_CR, 0.5, 0.5), 128);
    free((void *)jpeg.data);
    free((void *)grey.data);
}
END_TEST

START_TEST(progressive_is_the_same)
{
    draw_scene(&canvas, 3, 1, 0);
    struct slice a = pack(&canvas, NULL), b = pack(&canvas, &(struct packing){.progressive = true});
    ck_assert_int_eq(read_it(a), 0);
    again = raster;
    ck_assert_int_eq(read_it(b), 0);
    for (size_t i = 0; i < RASTER_SIZE; i++)
        ck_assert_msg(fabsf(raster.planes[0][i] - again.planes[0][i]) < 2, "pixel %zu", i);
    free((void *)a.data);
    free((void *)b.data);
}
END_TEST

START_TEST(cut_short_gives_what_there_is)
{
    draw_scene(&canvas, 5, 1, 0);
    struct slice jpeg = pack(&canvas, &(struct packing){.progressive = _i});
    ck_assert_int_eq(read_it(jpeg), 0);
    again = raster;
    uint32_t read = 0, warned = 0;
    for (size_t size = 0; size < jpeg.size; size += 1 + jpeg.size / 97) {
        if (read_it((struct slice){jpeg.data, size}) != 0)
            continue;
        read++;
        warned += raster.warnings > 0;
    }
    ck_assert_uint_gt(read, 50);
    ck_assert_uint_eq(warned, read);
    ck_assert_int_eq(read_it(jpeg), 0);
    ck_assert_mem_eq(&raster, &again, sizeof(raster));
    free((void *)jpeg.data);
}
END_TEST

START_TEST(flipped_bits_harm_nobody)
{
    draw_scene(&canvas, 6, 1, 0);
    struct slice jpeg = pack(&canvas, &(struct packing){.progressive = _i});
    char *copy = malloc(jpeg.size);
    ck_assert_int_eq(read_it(jpeg), 0);
    again = raster;
    for (int i = 0; i < 400; i++) {
        memcpy(copy, jpeg.data, jpeg.size);
        for (int k = 0; k < 1 + i % 8; k++) {
            size_t where = (size_t)(uniform() * (double)(i % 2 ? jpeg.size : 700));
            copy[where % jpeg.size] ^= (char)(1 << (int)(uniform() * 8));
        }
        if (read_it((struct slice){copy, jpeg.size}) == 0)
            for (size_t p = 0; p < RASTER_SIZE; p++)
                if (!(raster.planes[0][p] >= 0 && raster.planes[0][p] <= 256))
                    ck_abort_msg("pixel %zu is %g", p, (double)raster.planes[0][p]);
    }
    ck_assert_int_eq(read_it(jpeg), 0);
    ck_assert_mem_eq(&raster, &again, sizeof(raster));
    free(copy);
    free((void *)jpeg.data);
}
END_TEST

/* Where a marker's segment begins, behind its length. */
static size_t find_marker(struct slice jpeg, uint8_t marker)
{
    for (size_t i = 0; i + 1 < jpeg.size; i++)
        if ((uint8_t)jpeg.data[i] == 0xff && (uint8_t)jpeg.data[i + 1] == marker)
            return i;
    ck_abort_msg("no marker %02x", marker);
    return 0;
}

static void write_side(char *at, uint32_t side)
{
    at[0] = (char)(side >> 8);
    at[1] = (char)side;
}

START_TEST(sizes_out_of_bounds_are_refused)
{
    static const uint32_t wrong[][2] = {{65535, 65535}, {1, 1},    {1921, 100}, {100, 1921},
                                        {15, 100},      {100, 15}, {0, 0},      {65535, 1}};
    draw_scene(&canvas, 7, 1, 0);
    struct slice jpeg = pack(&canvas, &(struct packing){.progressive = _i});
    char *copy = malloc(jpeg.size);
    memcpy(copy, jpeg.data, jpeg.size);
    size_t frame = find_marker(jpeg, _i ? 0xc2 : 0xc0);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        write_side(copy + frame + 5, wrong[i][1]);
        write_side(copy + frame + 7, wrong[i][0]);
        ck_assert_int_eq(read_it((struct slice){copy, jpeg.size}), ERR_INVALID);
    }
    /* The largest there is: almost all of it is missing, which is no error. */
    write_side(copy + frame + 5, 1920);
    write_side(copy + frame + 7, 1920);
    ck_assert_int_eq(read_it((struct slice){copy, jpeg.size}), 0);
    ck_assert_uint_gt(raster.warnings, 0);
    free(copy);
    free((void *)jpeg.data);
}
END_TEST

START_TEST(endless_scans_are_stopped)
{
    draw_scene(&canvas, 8, 1, 0);
    struct slice jpeg = pack(&canvas, &(struct packing){.progressive = true});
    struct buf bomb = {0};
    size_t first = find_marker(jpeg, 0xda), second = first + 2;
    while ((uint8_t)jpeg.data[second] != 0xff || (uint8_t)jpeg.data[second + 1] == 0)
        second++;
    buf_append(&bomb, jpeg.data, first);
    for (int i = 0; i < 100; i++)
        buf_append(&bomb, jpeg.data + first, second - first);
    buf_append(&bomb, "\xff\xd9", 2);
    ck_assert_int_eq(read_it((struct slice){bomb.data, bomb.size}), ERR_INVALID);
    buf_deinit(&bomb);
    free((void *)jpeg.data);
}
END_TEST

START_TEST(foreign_sorts_are_refused)
{
    static const char *const strange[] = {"",
                                          "\xff",
                                          "\xff\xd8",
                                          "\xff\xd8\xff\xd9",
                                          "GIF89a",
                                          "\x89PNG\r\n\x1a\n",
                                          "\xff\xd8\xff\xe0"};
    for (size_t i = 0; i < sizeof(strange) / sizeof(*strange); i++)
        ck_assert_int_eq(read_it((struct slice){strange[i], strlen(strange[i])}), ERR_INVALID);
    draw_scene(&canvas, 9, 1, 0);
    struct slice jpeg = pack(&canvas, &(struct packing){.cmyk = true});
    ck_assert_int_eq(read_it(jpeg), ERR_INVALID);
    free((void *)jpeg.data);
}
END_TEST

START_TEST(our_own_memory_is_taken_once)
{
    draw_scene(&canvas, 10, 1, 0);
    struct slice jpeg = pack(&canvas, NULL);
    uint64_t before = mem_thread_allocations();
    for (int i = 0; i < 20; i++)
        ck_assert_int_eq(read_it(jpeg), 0);
    ck_assert_uint_eq(mem_thread_allocations(), before);
    free((void *)jpeg.data);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("jpeg");
    TCase *t = tcase_create("jpeg");
    tcase_add_checked_fixture(t, begin, end);
    tcase_add_loop_test(t, all_sizes_give_the_same_picture, 0, sizeof(sizes) / sizeof(*sizes));
    tcase_add_test(t, colours_are_told);
    tcase_add_test(t, progressive_is_the_same);
    tcase_add_loop_test(t, cut_short_gives_what_there_is, 0, 2);
    tcase_add_loop_test(t, flipped_bits_harm_nobody, 0, 2);
    tcase_add_loop_test(t, sizes_out_of_bounds_are_refused, 0, 2);
    tcase_add_test(t, endless_scans_are_stopped);
    tcase_add_test(t, foreign_sorts_are_refused);
    tcase_add_test(t, our_own_memory_is_taken_once);
    tcase_set_timeout(t, 60);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
