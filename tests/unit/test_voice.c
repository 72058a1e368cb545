/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The speech network against what ONNX Runtime 1.17 makes of the published model and the same
 * sound; and weights files that are none. Without weights (`make weights`) the first is skipped.
 */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/paths.h"
#include "model/voice.h"

#define GOLDEN 40

static const float golden[GOLDEN] = {
    0.12664f, 0.27744f, 0.10469f, 0.04782f, 0.18388f, 0.10147f, 0.09235f, 0.05823f,
    0.04066f, 0.02721f, 0.05577f, 0.10909f, 0.07249f, 0.02964f, 0.02174f, 0.06739f,
    0.08089f, 0.04702f, 0.02716f, 0.01835f, 0.05766f, 0.03263f, 0.01666f, 0.00760f,
    0.00575f, 0.03706f, 0.01077f, 0.00850f, 0.00844f, 0.00847f, 0.00822f, 0.06771f,
    0.04999f, 0.02487f, 0.01634f, 0.01736f, 0.02728f, 0.01940f, 0.01018f, 0.00723f,
};

/* Harmonics of 120 Hz under three formants, three syllables a second. */
static float voiced(int sample)
{
    static const double formants[3][3] = {{1, 600, 150}, {0.6, 1200, 200}, {0.25, 2500, 300}};
    double t = sample / 16000.0, sum = 0;
    for (int k = 1; k < 30; k++) {
        double hz = 120 * k, size = 0;
        for (int f = 0; f < 3; f++)
            size += formants[f][0] * exp(-pow((hz - formants[f][1]) / formants[f][2], 2));
        sum += size * sin(2 * M_PI * hz * t + k * k);
    }
    return (float)(0.1 * sum * fmax(0, sin(2 * M_PI * 3 * t)));
}

START_TEST(probabilities_are_those_of_the_published_model)
{
    static struct voice v;
    float samples[VOICE_STEP];
    struct errmsg err = {""};
    int rc = voice_load(&err);
    if (rc == ERR_NOTFOUND) {
        printf("skipped: %s (make weights)\n", err.text);
        return;
    }
    ck_assert_msg(rc == 0, "%s", err.text);
    ck_assert_str_eq(voice_detector(), "silero-vad-6");
    for (int i = 0; i < GOLDEN; i++) {
        for (int k = 0; k < VOICE_STEP; k++)
            samples[k] = voiced(i * VOICE_STEP + k);
        float p = voice_hear(&v, samples);
        ck_assert_msg(fabsf(p - golden[i]) < 2e-4f, "step %d: %.5f, not %.5f", i, (double)p,
                      (double)golden[i]);
    }
    voice_unload();
}
END_TEST

static void write_file(const char *path, const void *data, size_t size)
{
    FILE *f = fopen(path, "wb");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(data, 1, size, f), size);
    ck_assert_int_eq(fclose(f), 0);
}

START_TEST(other_files_are_refused)
{
    char folder[] = "/tmp/test_voice_XXXXXX", path[64];
    static uint8_t bytes[40] = "VARVEWTS\1\0\0\0VAD6\201\267\4\0";
    struct errmsg err;
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/%s", folder, VOICE_WEIGHTS);
    ck_assert_int_eq(voice_load_file(path, &err), ERR_NOTFOUND);
    for (size_t size = 0; size <= sizeof(bytes); size += 8) {
        write_file(path, bytes, size);
        ck_assert_int_eq(voice_load_file(path, &err), ERR_CORRUPT);
        ck_assert_ptr_nonnull(strstr(err.text, path));
    }
    ck_assert_ptr_nonnull(strstr(err.text, "not as long as it says"));
    bytes[0] = 'w';
    write_file(path, bytes, sizeof(bytes));
    ck_assert_int_eq(voice_load_file(path, &err), ERR_CORRUPT);
    ck_assert_ptr_nonnull(strstr(err.text, "no weights"));
    /* What VARVE_DATA names is looked at, and nothing else. */
    setenv("VARVE_DATA", folder, 1);
    ck_assert_int_eq(voice_load(&err), ERR_CORRUPT);
    unlink(path);
    ck_assert_int_eq(voice_load(&err), ERR_NOTFOUND);
    ck_assert(!voice_loaded());
    ck_assert_str_eq(voice_detector(), "energy and flatness");
    rmdir(folder);
}
END_TEST

START_TEST(a_flipped_bit_is_noticed)
{
    struct errmsg err = {""};
    char path[] = "/tmp/test_voice_XXXXXX", from[512];
    static uint8_t data[2 << 20];
    if (config_data_file(VOICE_WEIGHTS, from) != 0) {
        printf("skipped: no weights (make weights)\n");
        return;
    }
    FILE *f = fopen(from, "rb");
    ck_assert_ptr_nonnull(f);
    size_t size = fread(data, 1, sizeof(data), f);
    fclose(f);
    close(mkstemp(path));
    write_file(path, data, size);
    ck_assert_int_eq(voice_load_file(path, &err), 0);
    data[size / 2] ^= 1;
    write_file(path, data, size);
    ck_assert_int_eq(voice_load_file(path, &err), ERR_CORRUPT);
    ck_assert_ptr_nonnull(strstr(err.text, "damaged"));
    ck_assert(voice_loaded());
    data[size / 2] ^= 1;
    write_file(path, data, size + 1);
    ck_assert_int_eq(voice_load_file(path, &err), ERR_CORRUPT);
    write_file(path, data, size - 1);
    ck_assert_int_eq(voice_load_file(path, &err), ERR_CORRUPT);
    unlink(path);
    voice_unload();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("voice");
    TCase *tests = tcase_create("voice");
    tcase_add_test(tests, probabilities_are_those_of_the_published_model);
    tcase_add_test(tests, other_files_are_refused);
    tcase_add_test(tests, a_flipped_bit_is_noticed);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
