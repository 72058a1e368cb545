/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path: a grid enters a ring of four, its third difference gives the noise (the median over
 * the cells, followed where it is lowest) and the spreads inside patches of three sizes, the
 * largest size that stays under tau is taken. Failure modes: none after _new. Sizes: seven grids of
 * floats; a push reads each cell some ten times.
 */
#include "model/patch.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"

#define GRIDS 4
#define QUANTILE 0.97f
#define SLACK 1.6f
#define REFRESH 60
#define MEDIAN_OF_GAUSS 0.6745f /* of |x|, in standard deviations */
#define NOISE_UP 1.02f          /* steps of the noise: it rests at a fifth of what it sees, */
#define NOISE_DOWN 0.92f        /* which is the quiet part of a stream */
#define QUIET_UP 1.002f  /* The spreads of the quietest grids, one in thirty or so: noise is */
#define QUIET_DOWN 0.95f /* more where a picture has texture, which the median does not see. */
#define QUIET_MOST 8.0f  /* times the median's noise: beyond that it is no noise */
#define STEADY_PUSHES 2  /* grids in a row that must allow a coarser size */
#define SIDE_MAX 8
#define CELL_MOST 1e12f /* of a state that can be true */

/* Of white noise of deviation 1 the differences of order 1, 2 and 3 deviate by so much. */
static const float gains[] = {1, 1.41421356f, 2.44948974f, 4.47213595f};

struct patch {
    struct patch_options options;
    uint32_t cells, count, next; /* of the ring: how many are valid, where the newest goes */
    int64_t time, step;
    float noise;                   /* 0: not known */
    float quiet[PATCH_LEVELS - 1]; /* spreads of the larger sizes; 0: not known */
    uint32_t level, since_fine, steady;
    float *grids[GRIDS], *difference, *work;
    float room[];
};

int patch_new(const struct patch_options *options, struct patch **ret)
{
    const struct patch_options *o = options;
    if (o->width < 1 || o->height < 1 || o->width > PATCH_CELLS_MAX ||
        o->height > PATCH_CELLS_MAX / o->width || o->size < 1 || o->size > PATCH_CELLS_MAX ||
        !(o->noise_least > 0) || o->order > 3 || !(o->quantile >= 0 && o->quantile <= 1))
        return ERR_INVALID;
    uint32_t cells = o->width * o->height;
    struct patch *p = mem_calloc(1, sizeof(*p) + (GRIDS + 2) * (size_t)cells * sizeof(float));
    if (!p)
        return ERR_NOMEM;
    p->options = *o;
    p->options.quantile = o->quantile > 0 ? o->quantile : QUANTILE;
    p->options.slack = o->slack > 0 ? o->slack : SLACK;
    p->options.refresh = o->refresh > 0 ? o->refresh : REFRESH;
    p->options.order = o->order > 0 ? o->order : 3;
    p->cells = cells;
    for (uint32_t i = 0; i < GRIDS; i++)
        p->grids[i] = p->room + (size_t)i * cells;
    p->difference = p->room + (size_t)GRIDS * cells;
    p->work = p->difference + cells;
    *ret = p;
    return 0;
}

void patch_free(struct patch *p)
{
    mem_free(p);
}

void patch_restart(struct patch *p)
{
    p->count = p->next = p->level = p->since_fine = p->steady = 0;
    p->time = p->step = 0;
    p->noise = 0;
    memset(p->quiet, 0, sizeof(p->quiet));
}

float patch_noise(const struct patch *p)
{
    return fmaxf(p->noise, p->options.noise_least);
}

/* ---- the parts ------------------------------------------------------------------------------- */

void patch_third_difference(const float *const grids[4], uint32_t n, float *restrict ret)
{
    for (uint32_t i = 0; i < n; i++)
        ret[i] = grids[0][i] - 3 * grids[1][i] + 3 * grids[2][i] - grids[3][i];
}

uint32_t patch_tokens(uint32_t width, uint32_t height, uint32_t size)
{
    return ((width + size - 1) / size) * ((height + size - 1) / size);
}

/* The value of that rank; the array is put into an order around it (Hoare's selection). */
static float select_rank(float *v, uint32_t n, uint32_t rank)
{
    uint32_t low = 0, high = n - 1;
    while (low < high) {
        float pivot = v[low + (high - low) / 2];
        uint32_t i = low, j = high;
        while (i <= j) {
            while (v[i] < pivot)
                i++;
            while (v[j] > pivot)
                j--;
            if (i > j)
                break;
            float swap = v[i];
            v[i++] = v[j];
            v[j] = swap;
            if (j == 0)
                break;
            j--;
        }
        if (rank <= j)
            high = j;
        else if (rank >= i)
            low = i;
        else
            break;
    }
    return v[rank];
}

static float spread_inside(const float *grid, uint32_t stride, uint32_t wide, uint32_t tall)
{
    float n = (float)wide * (float)tall, sum = 0, squares = 0;
    for (uint32_t y = 0; y < tall; y++)
        for (uint32_t x = 0; x < wide; x++)
            sum += grid[y * stride + x];
    float mean = sum / n;
    for (uint32_t y = 0; y < tall; y++)
        for (uint32_t x = 0; x < wide; x++) {
            float d = grid[y * stride + x] - mean;
            squares += d * d;
        }
    return sqrtf(squares / n);
}

float patch_spread(const float *grid, uint32_t width, uint32_t height, uint32_t size,
                   float quantile, float *work)
{
    uint32_t n = 0;
    for (uint32_t y = 0; y < height; y += size)
        for (uint32_t x = 0; x < width; x += size)
            work[n++] = spread_inside(grid + (size_t)y * width + x, width,
                                      width - x < size ? width - x : size,
                                      height - y < size ? height - y : size);
    return select_rank(work, n, (uint32_t)(quantile * (float)(n - 1) + 0.5f));
}

/* ---- embeddings of larger patches ------------------------------------------------------------ */

/* R of one side: where in `size` cells the cell `at` of twice as many lies, and its two weights. */
static void neighbours_of(uint32_t at, uint32_t size, uint32_t index[2], float weight[2])
{
    float place = ((float)at - 0.5f) / 2;
    place = fminf(fmaxf(place, 0), (float)(size - 1));
    index[0] = (uint32_t)place;
    index[1] = index[0] + 1 < size ? index[0] + 1 : index[0];
    weight[1] = place - (float)index[0];
    weight[0] = 1 - weight[1];
}

void patch_upsample(const float *patch, uint32_t size, float *ret)
{
    for (uint32_t y = 0; y < 2 * size; y++)
        for (uint32_t x = 0; x < 2 * size; x++) {
            uint32_t iy[2], ix[2];
            float wy[2], wx[2], sum = 0;
            neighbours_of(y, size, iy, wy);
            neighbours_of(x, size, ix, wx);
            for (int k = 0; k < 4; k++)
                sum += wy[k / 2] * wx[k % 2] * patch[iy[k / 2] * size + ix[k % 2]];
            ret[y * 2 * size + x] = sum;
        }
}

/* P = R1 (R1'R1)^-1 of one side, [2 size][size], by Gauss and Jordan: R1'R1 is positive. */
static void invert_side(uint32_t size, double ret[2 * SIDE_MAX][SIDE_MAX])
{
    double r[2 * SIDE_MAX][SIDE_MAX] = {{0}}, a[SIDE_MAX][2 * SIDE_MAX] = {{0}};
    for (uint32_t i = 0; i < 2 * size; i++) {
        uint32_t index[2];
        float weight[2];
        neighbours_of(i, size, index, weight);
        r[i][index[0]] += (double)weight[0];
        r[i][index[1]] += (double)weight[1];
    }
    for (uint32_t i = 0; i < size; i++) {
        for (uint32_t j = 0; j < size; j++)
            for (uint32_t k = 0; k < 2 * size; k++)
                a[i][j] += r[k][i] * r[k][j];
        a[i][size + i] = 1;
    }
    for (uint32_t i = 0; i < size; i++) {
        double pivot = a[i][i];
        for (uint32_t j = 0; j < 2 * size; j++)
            a[i][j] /= pivot;
        for (uint32_t k = 0; k < size; k++) {
            double factor = a[k][i];
            for (uint32_t j = 0; k != i && j < 2 * size; j++)
                a[k][j] -= factor * a[i][j];
        }
    }
    for (uint32_t i = 0; i < 2 * size; i++)
        for (uint32_t j = 0; j < size; j++) {
            ret[i][j] = 0;
            for (uint32_t k = 0; k < size; k++)
                ret[i][j] += r[i][k] * a[k][size + j];
        }
}

void patch_enlarge(const float *weights, uint32_t size, float *ret)
{
    /* R is a product over the two sides, and so is its pseudo-inverse. */
    double side[2 * SIDE_MAX][SIDE_MAX];
    invert_side(size, side);
    for (uint32_t y = 0; y < 2 * size; y++)
        for (uint32_t x = 0; x < 2 * size; x++) {
            double sum = 0;
            for (uint32_t i = 0; i < size; i++)
                for (uint32_t j = 0; j < size; j++)
                    sum += side[y][i] * side[x][j] * (double)weights[i * size + j];
            ret[y * 2 * size + x] = (float)sum;
        }
}

/* ---- the scheduler --------------------------------------------------------------------------- */

/* The difference of the chosen order of the newest grids; false: too few are known. */
static bool take_difference(struct patch *p)
{
    uint32_t order = p->options.order;
    const float *z[GRIDS];
    if (p->count < order + 1)
        return false;
    for (uint32_t i = 0; i < GRIDS; i++)
        z[i] = p->grids[(p->next + 2 * GRIDS - 1 - i) % GRIDS];
    if (order == 3) {
        patch_third_difference(z, p->cells, p->difference);
        return true;
    }
    for (uint32_t i = 0; i < p->cells; i++)
        p->difference[i] = order == 1 ? z[0][i] - z[1][i] : z[0][i] - 2 * z[1][i] + z[2][i];
    return true;
}

/* The median of |difference| is the noise's where less than half of the grid does anything. */
static void learn_noise(struct patch *p)
{
    for (uint32_t i = 0; i < p->cells; i++)
        p->work[i] = fabsf(p->difference[i]);
    float median = select_rank(p->work, p->cells, p->cells / 2);
    float noise = median / MEDIAN_OF_GAUSS / gains[p->options.order];
    if (p->noise <= 0)
        p->noise = noise;
    else
        p->noise *= noise > p->noise ? NOISE_UP : NOISE_DOWN;
    p->noise = fminf(fmaxf(p->noise, p->options.noise_least), 1e12f);
}

/* Whether patches of that size are all but still: their spread against that of noise. */
static bool is_still(struct patch *p, uint32_t level)
{
    const struct patch_options *o = &p->options;
    float *quiet = &p->quiet[level - 1];
    float spread =
        patch_spread(p->difference, o->width, o->height, o->size << level, o->quantile, p->work);
    float noise = gains[o->order] * patch_noise(p);
    float tau = o->slack * fmaxf(noise, fminf(*quiet, QUIET_MOST * noise));
    if (*quiet <= 0)
        *quiet = spread;
    else
        *quiet *= spread > *quiet ? QUIET_UP : QUIET_DOWN;
    *quiet = fminf(fmaxf(*quiet, o->noise_least), 1e12f);
    return spread < tau;
}

static uint32_t measure(struct patch *p)
{
    uint32_t wanted = 0;
    for (uint32_t level = 1; level < PATCH_LEVELS; level++)
        wanted = is_still(p, level) ? level : wanted;
    return wanted;
}

static void enter(struct patch *p, const float *grid, int64_t time, bool fine)
{
    int64_t step = time - p->time;
    bool irregular = p->count > 1 && (step > p->step + p->step / 2 || step < p->step / 2);
    p->count = fine || irregular ? 0 : p->count;
    p->step = step;
    p->time = time;
    memcpy(p->grids[p->next], grid, p->cells * sizeof(*grid));
    p->next = (p->next + 1) % GRIDS;
    p->count += p->count < GRIDS;
}

void patch_push(struct patch *p, const float *grid, int64_t time, bool fine,
                struct patch_choice *ret)
{
    enter(p, grid, time, fine);
    bool known = take_difference(p);
    uint32_t wanted = 0;
    if (known) {
        learn_noise(p);
        wanted = measure(p);
    }
    bool refresh = p->since_fine + 1 >= p->options.refresh;
    p->steady = wanted > p->level ? p->steady + 1 : 0;
    if (wanted < p->level)
        p->level = wanted;
    else if (p->steady >= STEADY_PUSHES) {
        p->level++;
        p->steady = 0;
    }
    uint32_t level = refresh ? 0 : p->level;
    p->since_fine = level == 0 ? 0 : p->since_fine + 1;
    *ret = (struct patch_choice){
        .level = level,
        .size = p->options.size << level,
        .tokens = patch_tokens(p->options.width, p->options.height, p->options.size << level),
        .forced = !known || refresh};
}

void patch_walk(struct patch *p, struct state *s)
{
    uint32_t count = s->brief ? 0 : p->count;
    state_u32(s, &count, GRIDS);
    state_f32(s, &p->noise);
    s->failed |= !(p->noise >= 0 && p->noise <= 1e12f);
    state_f32s(s, p->quiet, PATCH_LEVELS - 1);
    for (int l = 0; l < PATCH_LEVELS - 1; l++)
        s->failed |= !(p->quiet[l] >= 0 && p->quiet[l] <= 1e12f);
    if (!count || s->failed)
        return;
    p->count = count;
    state_u32(s, &p->next, GRIDS - 1);
    state_time(s, &p->time);
    state_time(s, &p->step);
    state_u32(s, &p->level, PATCH_LEVELS - 1);
    state_u32(s, &p->since_fine, UINT32_MAX - 1);
    state_u32(s, &p->steady, STEADY_PUSHES);
    for (uint32_t i = 0; i < GRIDS * p->cells; i++) {
        state_f32(s, &p->room[i]);
        s->failed |= !(fabsf(p->room[i]) <= CELL_MOST);
    }
}
