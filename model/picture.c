/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path: two half rasters are compared as they lie; only where that leaves doubt every block
 * of 8x8 is laid over every place within reach, which costs some 0.3 ms. Failure modes: none.
 * Sizes: the work arrays of a search, 8 KiB of stack.
 */
#include "model/picture.h"

#include <math.h>
#include <string.h>

#define BLOCK 8
#define BLOCK_COLUMNS (HALF_WIDTH / BLOCK)
#define BLOCK_ROWS (HALF_HEIGHT / BLOCK)
#define BLOCKS (BLOCK_COLUMNS * BLOCK_ROWS)
#define REACH_X 14 /* half pixels that a block may have moved: a third of the picture */
#define REACH_Y 6
#define FLAT 3.0f  /* grey levels of deviation under which a block has no texture */
#define FOUND 0.8f /* correlation from which a block is taken for the same */
#define ALIKE 0.9f /* correlation of the whole from which nothing is searched for */

static float clampf(float v, float low, float high)
{
    return v < low ? low : (v > high ? high : v);
}

static void count_colours(const struct raster *r, float *ret)
{
    uint32_t counts[COLOUR_BINS] = {0};
    for (uint32_t i = 0; i < RASTER_SIZE; i++) {
        int y = (int)clampf(r->planes[RASTER_Y][i] / 64, 0, 3);
        int cb = (int)clampf((r->planes[RASTER_CB][i] - 80) / 24, 0, 3);
        int cr = (int)clampf((r->planes[RASTER_CR][i] - 80) / 24, 0, 3);
        counts[y * 16 + cb * 4 + cr]++;
    }
    for (uint32_t i = 0; i < COLOUR_BINS; i++)
        ret[i] = (float)counts[i] / RASTER_SIZE;
}

void picture_of(const struct raster *r, struct picture *ret)
{
    memset(ret->tiles, 0, sizeof(ret->tiles));
    for (uint32_t p = 0; p < RASTER_PLANES; p++)
        for (uint32_t i = 0; i < RASTER_SIZE; i++) {
            uint32_t x = i % RASTER_WIDTH, y = i / RASTER_WIDTH;
            ret->tiles[p][y / TILE * TILE_COLUMNS + x / TILE] += r->planes[p][i] / (TILE * TILE);
        }
    double sum = 0, squares = 0;
    for (uint32_t i = 0; i < HALF_SIZE; i++) {
        const float *at =
            r->planes[RASTER_Y] + i / HALF_WIDTH * 2 * RASTER_WIDTH + i % HALF_WIDTH * 2;
        float v = (at[0] + at[1] + at[RASTER_WIDTH] + at[RASTER_WIDTH + 1]) / 4;
        ret->half[i] = v;
        sum += v;
        squares += (double)v * v;
    }
    ret->mean = (float)(sum / HALF_SIZE);
    ret->deviation = sqrtf((float)fmax(squares / HALF_SIZE - sum / HALF_SIZE * sum / HALF_SIZE, 0));
    count_colours(r, ret->colours);
}

static float correlate_whole(const struct picture *a, const struct picture *b)
{
    if (a->deviation < FLAT || b->deviation < FLAT)
        return 0;
    double sum = 0;
    for (uint32_t i = 0; i < HALF_SIZE; i++)
        sum += (double)(a->half[i] - a->mean) * (b->half[i] - b->mean);
    return clampf((float)(sum / HALF_SIZE) / (a->deviation * b->deviation), -1, 1);
}

/* A block of `from` without its mean, of unit length; false: it has no texture. */
static bool take_block(const struct picture *from, uint32_t x, uint32_t y, float *restrict ret)
{
    float mean = 0, squares = 0;
    for (uint32_t i = 0; i < BLOCK * BLOCK; i++) {
        ret[i] = from->half[(y + i / BLOCK) * HALF_WIDTH + x + i % BLOCK];
        mean += ret[i];
    }
    mean /= BLOCK * BLOCK;
    for (uint32_t i = 0; i < BLOCK * BLOCK; i++) {
        ret[i] -= mean;
        squares += ret[i] * ret[i];
    }
    float length = sqrtf(squares);
    for (uint32_t i = 0; i < BLOCK * BLOCK; i++)
        ret[i] /= length > 1e-6f ? length : 1;
    return length >= FLAT * BLOCK;
}

/* Correlation of a block (zero mean, unit length) with the place at x, y. */
static float correlate_block(const float *restrict block, const struct picture *in, uint32_t x,
                             uint32_t y)
{
    float cross[BLOCK] = {0}, sums[BLOCK] = {0}, squares[BLOCK] = {0};
    for (uint32_t r = 0; r < BLOCK; r++) {
        const float *restrict at = in->half + (y + r) * HALF_WIDTH + x;
        for (uint32_t c = 0; c < BLOCK; c++) {
            cross[c] += block[r * BLOCK + c] * at[c];
            sums[c] += at[c];
            squares[c] += at[c] * at[c];
        }
    }
    float xx = 0, s = 0, q = 0;
    for (uint32_t c = 0; c < BLOCK; c++) {
        xx += cross[c];
        s += sums[c];
        q += squares[c];
    }
    float spread = q - s * s / (BLOCK * BLOCK);
    return spread > 1 ? xx / sqrtf(spread) : 0;
}

static bool is_found(const float *block, const struct picture *in, uint32_t x, uint32_t y)
{
    uint32_t left = x > REACH_X ? x - REACH_X : 0, top = y > REACH_Y ? y - REACH_Y : 0;
    uint32_t right = x + REACH_X + BLOCK <= HALF_WIDTH ? x + REACH_X : HALF_WIDTH - BLOCK;
    uint32_t bottom = y + REACH_Y + BLOCK <= HALF_HEIGHT ? y + REACH_Y : HALF_HEIGHT - BLOCK;
    if (correlate_block(block, in, x, y) >= FOUND)
        return true;
    for (uint32_t v = top; v <= bottom; v++)
        for (uint32_t u = left; u <= right; u++)
            if (correlate_block(block, in, u, v) >= FOUND)
                return true;
    return false;
}

/* How many of a's textured blocks b has. */
static uint32_t count_found(const struct picture *a, const struct picture *b,
                            uint32_t *ret_textured)
{
    float block[BLOCK * BLOCK];
    uint32_t found = 0, textured = 0;
    for (uint32_t i = 0; i < BLOCKS; i++) {
        uint32_t x = i % BLOCK_COLUMNS * BLOCK, y = i / BLOCK_COLUMNS * BLOCK;
        if (!take_block(a, x, y, block))
            continue;
        textured++;
        found += is_found(block, b, x, y);
    }
    *ret_textured = textured;
    return found;
}

void picture_compare(const struct picture *a, const struct picture *b, struct picture_likeness *ret)
{
    float shared = 0, layout = 0, light = b->mean - a->mean;
    for (uint32_t i = 0; i < COLOUR_BINS; i++)
        shared += fminf(a->colours[i], b->colours[i]);
    for (uint32_t p = 0; p < RASTER_PLANES; p++)
        for (uint32_t i = 0; i < TILES; i++)
            layout += fabsf(b->tiles[p][i] - a->tiles[p][i] - (p == RASTER_Y ? light : 0)) / TILES;
    *ret = (struct picture_likeness){.correlation = correlate_whole(a, b),
                                     .found = 1,
                                     .textured = 1,
                                     .colour = shared,
                                     .layout = layout,
                                     .light = light};
    if (ret->correlation >= ALIKE)
        return;
    uint32_t ta, tb;
    uint32_t found = count_found(a, b, &ta) + count_found(b, a, &tb);
    ret->found = ta + tb ? (float)found / (float)(ta + tb) : 0;
    ret->textured = (float)(ta < tb ? ta : tb) / BLOCKS;
}

void raster_walk(float *plane, struct state *s)
{
    for (uint32_t i = 0; i < RASTER_SIZE; i++) {
        uint32_t steps = (uint32_t)(plane[i] * RASTER_STEPS);
        state_u32(s, &steps, 256 * RASTER_STEPS);
        plane[i] = (float)steps / RASTER_STEPS;
    }
}
