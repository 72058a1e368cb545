/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The patch scheduler, after the notes on DDiT: the third difference is one of four grids and not
 * of three; spreads against a slow reference; a larger tau never costs more; enlarged embeddings
 * give the same token; on the exact denoiser of a Gaussian field it goes from coarse to fine. Then
 * our own rules: noise is followed, an event is looked at, cuts, starts and refreshes are fine.
 */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "model/patch.h"
#include "tests/unit/random_fixture.h"

#define W 40
#define H 24
#define CELLS (W * H)

static float grid[CELLS];

static struct patch *fresh(const struct patch_options *o)
{
    struct patch *p;
    ck_assert_int_eq(patch_new(o, &p), 0);
    return p;
}

static const struct patch_options video = {.width = W, .height = H, .size = 2, .noise_least = 0.1f};

/* ---- T1: the difference ---- */

START_TEST(polynomials_in_time)
{
    /* Each cell a polynomial of its own; the fourth power shows that nothing more is taken out. */
    enum { N = 50 };
    static float z[5][N], d3[N];
    double h = 0.25;
    for (int degree = 0; degree <= 4; degree++) {
        rng = 99;
        for (int i = 0; i < N; i++) {
            double c[5];
            for (int k = 0; k < 5; k++)
                c[k] = k <= degree ? 2 * uniform() - 1 : 0;
            for (int t = 0; t < 4; t++) {
                double at = (1 + t) * h, v = 0;
                for (int k = 4; k >= 0; k--)
                    v = v * at + c[k];
                z[3 - t][i] = (float)v;
            }
            z[4][i] = (float)(6 * c[3] * h * h * h);
        }
        patch_third_difference((const float *const[]){z[0], z[1], z[2], z[3]}, N, d3);
        double off = 0, size = 0;
        for (int i = 0; i < N; i++) {
            off = fmax(off, fabs((double)(d3[i] - z[4][i])));
            size = fmax(size, fabs((double)d3[i]));
        }
        if (degree <= 3)
            ck_assert_msg(off < 2e-5, "degree %d: off by %g", degree, off);
        else
            ck_assert_double_gt(off, 1e-3);
        if (degree == 3)
            ck_assert_double_gt(size, 0.05);
    }
}
END_TEST

START_TEST(white_noise_grows_by_the_root_of_twenty)
{
    enum { N = 100000 };
    static float z[4][N], d3[N];
    double sum = 0;
    rng = 5;
    for (int i = 0; i < 4 * N; i++)
        z[i / N][i % N] = (float)gauss();
    patch_third_difference((const float *const[]){z[0], z[1], z[2], z[3]}, N, d3);
    for (int i = 0; i < N; i++)
        sum += (double)d3[i] * d3[i];
    ck_assert_double_eq_tol(sqrt(sum / N), sqrt(20), 0.05);
}
END_TEST

/* ---- T2: spreads ---- */

static int by_size(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return x < y ? -1 : x > y;
}

static double slow_spread(const float *g, uint32_t w, uint32_t h, uint32_t size, double quantile)
{
    float all[CELLS];
    uint32_t n = 0;
    for (uint32_t top = 0; top < h; top += size)
        for (uint32_t left = 0; left < w; left += size) {
            double sum = 0, squares = 0, count = 0;
            for (uint32_t i = 0; i < w * h; i++) {
                uint32_t x = i % w, y = i / w;
                if (x < left || x >= left + size || y < top || y >= top + size)
                    continue;
                sum += (double)g[i];
                squares += (double)g[i] * (double)g[i];
                count++;
            }
            all[n++] = (float)sqrt(fmax(squares / count - sum / count * (sum / count), 0));
        }
    ck_assert_uint_eq(n, patch_tokens(w, h, size));
    qsort(all, n, sizeof(*all), by_size);
    return (double)all[(uint32_t)(quantile * (n - 1) + 0.5)];
}

START_TEST(spreads_against_a_slow_reference)
{
    static const uint32_t shapes[][2] = {{40, 24}, {37, 23}, {100, 1}, {1, 17}, {5, 5}, {1, 1}};
    float work[CELLS];
    rng = 77;
    for (size_t s = 0; s < sizeof(shapes) / sizeof(*shapes); s++)
        for (uint32_t size = 1; size <= 16; size++)
            for (double q = 0; q <= 1; q += 0.2) {
                uint32_t w = shapes[s][0], h = shapes[s][1];
                for (uint32_t i = 0; i < w * h; i++)
                    grid[i] = (float)(gauss() * (i % 7));
                double slow = slow_spread(grid, w, h, size, (float)q);
                double fast = (double)patch_spread(grid, w, h, size, (float)q, work);
                ck_assert_msg(fabs(slow - fast) < 1e-4, "%ux%u in %u at %g: %g, %g", w, h, size, q,
                              slow, fast);
            }
}
END_TEST

/* ---- T3: tau ---- */

/* Something bright that goes through a noisy picture now and then. */
static void draw(int t, double noise)
{
    for (int i = 0; i < CELLS; i++)
        grid[i] = (float)(100 + 40 * sin(i * 0.37) + noise * gauss());
    for (int i = 0; t % 50 < 12 && i < 25; i++)
        grid[(4 + i / 5) * W + (3 * (t % 50) % (W - 5)) + i % 5] = 220;
}

START_TEST(a_larger_tau_never_costs_more)
{
    double before = INFINITY;
    for (float slack = 0.2f; slack < 40; slack *= 1.5f) {
        struct patch_options o = video;
        o.slack = slack;
        o.refresh = 1000000;
        struct patch *p = fresh(&o);
        double tokens = 0;
        rng = 3;
        for (int t = 0; t < 400; t++) {
            struct patch_choice c;
            draw(t, 2);
            patch_push(p, grid, t, false, &c);
            ck_assert_uint_eq(c.size, 2u << c.level);
            ck_assert_uint_eq(c.tokens, patch_tokens(W, H, c.size));
            tokens += c.tokens;
        }
        ck_assert_msg(tokens <= before, "slack %g: %g tokens after %g", (double)slack, tokens,
                      before);
        before = tokens;
        patch_free(p);
    }
    ck_assert_double_lt(before, 400 * 100);
}
END_TEST

/* ---- T4: embeddings ---- */

START_TEST(an_enlarged_patch_gives_the_same_token)
{
    rng = 11;
    for (uint32_t size = 1; size <= 8; size++)
        for (int trial = 0; trial < 20; trial++) {
            float w[64], patch[64], large[256], w_large[256];
            double token = 0, same = 0, scale = 0;
            for (uint32_t i = 0; i < size * size; i++) {
                w[i] = (float)gauss();
                patch[i] = (float)gauss();
                token += (double)w[i] * (double)patch[i];
                scale += fabs((double)w[i] * (double)patch[i]);
            }
            patch_enlarge(w, size, w_large);
            patch_upsample(patch, size, large);
            for (uint32_t i = 0; i < 4 * size * size; i++)
                same += (double)w_large[i] * (double)large[i];
            ck_assert_msg(fabs(same - token) < 1e-5 * scale, "size %u: %g, %g", size, token, same);
        }
}
END_TEST

/* ---- T5: the paper's own setting ---- */

#define SIDE 32
#define STEPS 50

static void from_modes(const double *modes, float *ret)
{
    static double rows[SIDE * SIDE], basis[SIDE][SIDE];
    for (int k = 0; k < SIDE; k++)
        for (int x = 0; x < SIDE; x++)
            basis[k][x] = sqrt((k ? 2.0 : 1.0) / SIDE) * cos(M_PI * (x + 0.5) * k / SIDE);
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++) {
            rows[y * SIDE + x] = 0;
            for (int k = 0; k < SIDE; k++)
                rows[y * SIDE + x] += basis[k][x] * modes[y * SIDE + k];
        }
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++) {
            double sum = 0;
            for (int k = 0; k < SIDE; k++)
                sum += basis[k][y] * rows[k * SIDE + x];
            ret[y * SIDE + x] = (float)sum;
        }
}

/*
 * Fifty Euler steps of flow matching with the exact denoiser of a Gaussian field of power f^-slope,
 * a Wiener filter per mode; ret[t]: the 0.4-quantile of the spreads in patches of 2x2 of the third
 * difference that ends at step t.
 */
static void denoise(double slope, double *ret)
{
    static double power[SIDE * SIDE], modes[SIDE * SIDE];
    static float z[STEPS + 1][SIDE * SIDE], d3[SIDE * SIDE], work[SIDE * SIDE];
    double sum = 0;
    for (int i = 0; i < SIDE * SIDE; i++) {
        double f = sqrt((double)(i % SIDE) * (i % SIDE) + (double)(i / SIDE) * (i / SIDE));
        power[i] = i ? pow(f, -slope) : 0;
        sum += power[i];
    }
    rng = 2024;
    for (int i = 0; i < SIDE * SIDE; i++) {
        power[i] *= SIDE * SIDE / sum;
        modes[i] = gauss();
    }
    from_modes(modes, z[0]);
    for (int step = 0; step < STEPS; step++) {
        double t = 1 - (double)step / STEPS;
        for (int i = 0; i < SIDE * SIDE; i++) {
            double s = power[i], v = (1 - t) * (1 - t) * s + t * t;
            modes[i] -= modes[i] * (t - (1 - t) * s) / v / STEPS;
        }
        from_modes(modes, z[step + 1]);
    }
    for (int t = 3; t <= STEPS; t++) {
        patch_third_difference((const float *const[]){z[t], z[t - 1], z[t - 2], z[t - 3]},
                               SIDE * SIDE, d3);
        ret[t] = (double)patch_spread(d3, SIDE, SIDE, 2, 0.4f, work);
    }
}

static double most(const double *v, int from, int to)
{
    double m = 0;
    for (int i = from; i <= to; i++)
        m = fmax(m, v[i]);
    return m;
}

START_TEST(denoising_goes_from_coarse_to_fine)
{
    static double steep[STEPS + 1], smooth[STEPS + 1], textured[STEPS + 1];
    denoise(4, steep);
    denoise(6, smooth);
    denoise(2.4, textured);
    for (int t = 5; t <= STEPS; t += 5)
        printf("step %2d: f^-6 %.1e  f^-4 %.1e  f^-2.4 %.1e\n", t, smooth[t], steep[t],
               textured[t]);
    ck_assert_double_lt(most(steep, 10, 35), 1e-5);
    ck_assert_double_gt(steep[40], 1e-5);
    ck_assert_double_gt(steep[45], 3 * steep[40]);
    ck_assert_double_gt(steep[49], 3 * steep[45]);
    ck_assert_double_lt(most(smooth, 10, 40), 5e-6);
    ck_assert_double_gt(most(textured, 10, 25), 1e-5);
    ck_assert_double_lt(textured[50], textured[45]);
}
END_TEST

/* ---- our rules ---- */

START_TEST(noise_is_followed)
{
    struct patch *p = fresh(&video);
    rng = 8;
    for (int part = 0; part < 3; part++) {
        double sigma = part == 1 ? 6 : 1.5;
        uint32_t coarse = 0;
        struct patch_choice c;
        for (int t = 0; t < 400; t++) {
            for (int i = 0; i < CELLS; i++)
                grid[i] = (float)(80 + sigma * gauss());
            patch_push(p, grid, 400 * part + t, false, &c);
            coarse += t >= 200 && c.level == PATCH_LEVELS - 1;
        }
        ck_assert_msg(coarse > 180, "noise %g: %u of 200 coarse", sigma, coarse);
        ck_assert_double_eq_tol((double)patch_noise(p) / sigma, 1, 0.15);
    }
    patch_free(p);
}
END_TEST

START_TEST(an_event_is_looked_at)
{
    struct patch *p = fresh(&video);
    uint32_t seen = 0, moved = 0, quiet = 0, fine = 0;
    rng = 9;
    for (int t = 0; t < 1000; t++) {
        struct patch_choice c;
        draw(t, 2);
        patch_push(p, grid, t, false, &c);
        if (t < 100)
            continue;
        moved += t % 50 < 12;
        seen += t % 50 < 12 && c.level == 0;
        quiet += t % 50 > 20;
        fine += t % 50 > 20 && c.level == 0;
    }
    ck_assert_msg(seen * 10 > moved * 9, "%u of %u", seen, moved);
    ck_assert_msg(fine * 10 < quiet, "%u of %u quiet ones", fine, quiet);
    patch_free(p);
}
END_TEST

START_TEST(fine_by_rule)
{
    struct patch_options o = video;
    o.refresh = 20;
    struct patch *p = fresh(&o);
    struct patch_choice c;
    uint32_t since = 0;
    memset(grid, 0, sizeof(grid));
    for (int t = 0; t < 100; t++) {
        patch_push(p, grid, t, t == 50, &c);
        ck_assert_msg((t >= 3 && t != 50 && t != 51 && t != 52) || (c.forced && c.level == 0),
                      "start or cut: %d", t);
        since = c.level == 0 ? 0 : since + 1;
        ck_assert_uint_lt(since, 20);
        if (t == 12)
            ck_assert_uint_eq(c.level, PATCH_LEVELS - 1);
        else if (t == 3 || t == 4)
            ck_assert_uint_le(c.level, 1);
    }
    /* After a pause nothing is compared over it. */
    patch_push(p, grid, 1000, false, &c);
    ck_assert(c.forced && c.level == 0);
    patch_free(p);
}
END_TEST

START_TEST(save_and_load_go_on_alike)
{
    struct patch *a = fresh(&video), *b = fresh(&video);
    struct buf saved = {0};
    struct state out = {.out = &saved}, in = {0};
    struct patch_choice c, d;
    rng = 12;
    for (int t = 0; t < 130; t++) {
        draw(t, 2);
        patch_push(a, grid, t, false, &c);
    }
    patch_walk(a, &out);
    cursor_init(&in.in, saved.data, saved.size);
    patch_walk(b, &in);
    ck_assert(!in.failed && in.in.at == in.in.size);
    uint64_t before = mem_thread_allocations();
    for (int t = 130; t < 300; t++) {
        draw(t, 2);
        patch_push(a, grid, t, false, &c);
        patch_push(b, grid, t, false, &d);
        ck_assert_mem_eq(&c.level, &d.level, sizeof(c.level));
        ck_assert(c.forced == d.forced);
    }
    ck_assert_uint_eq(mem_thread_allocations(), before);
    for (size_t size = 0; size < saved.size; size += 97) {
        in = (struct state){0};
        cursor_init(&in.in, saved.data, size);
        patch_walk(b, &in);
        ck_assert(in.failed);
    }
    patch_free(a);
    patch_free(b);
    buf_deinit(&saved);
}
END_TEST

START_TEST(foolish_options_are_refused)
{
    static const struct patch_options foolish[] = {
        {.width = 0, .height = 1, .size = 1, .noise_least = 1},
        {.width = 4097, .height = 1, .size = 1, .noise_least = 1},
        {.width = 65536, .height = 65537, .size = 1, .noise_least = 1},
        {.width = 4, .height = 4, .size = 0, .noise_least = 1},
        {.width = 4, .height = 4, .size = 1, .noise_least = 0},
        {.width = 4, .height = 4, .size = 1, .noise_least = 1, .order = 4},
        {.width = 4, .height = 4, .size = 1, .noise_least = 1, .quantile = 2},
    };
    struct patch *p;
    for (size_t i = 0; i < sizeof(foolish) / sizeof(*foolish); i++)
        ck_assert_int_eq(patch_new(&foolish[i], &p), ERR_INVALID);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("patch");
    TCase *t = tcase_create("patch");
    tcase_add_test(t, polynomials_in_time);
    tcase_add_test(t, white_noise_grows_by_the_root_of_twenty);
    tcase_add_test(t, spreads_against_a_slow_reference);
    tcase_add_test(t, a_larger_tau_never_costs_more);
    tcase_add_test(t, an_enlarged_patch_gives_the_same_token);
    tcase_add_test(t, denoising_goes_from_coarse_to_fine);
    tcase_add_test(t, noise_is_followed);
    tcase_add_test(t, an_event_is_looked_at);
    tcase_add_test(t, fine_by_rule);
    tcase_add_test(t, save_and_load_go_on_alike);
    tcase_add_test(t, foolish_options_are_refused);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
