/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A TopK autoencoder with tied weights: g = the largest of W x, x^ = sum of g_i w_i, one step of
 * gradient descent on |x - x^|^2 a latent, rows kept at unit length. The features are taken one
 * after the other, each from what the ones before it left over: taken all at once, features that are
 * alike count the same thing several times (on planted mixtures of 40 directions the error is then
 * 0.13 with 256 features in use, this way 0.02 with 48). The rate of a row falls with its uses, so
 * that old features keep their meaning: their ids lie beside memories in the file.
 * Sizes: W is [COVERAGE_FEATURES][LATENT_DIM]; a latent costs a matrix-vector product a feature.
 */
#include "model/coverage.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "model/kernels.h"

#define MAGIC 0x31564f43u
#define FAR 0.4f     /* an error from which a latent is worth a feature of its own */
#define DEAD 4096    /* latents without it: a feature may be given away */
#define ENOUGH 0.02f /* an error below which no more features are taken */
#define RATE 0.6f    /* of a new feature; falls with the root of its uses */
#define RATE_LEAST 0.02f

struct feature {
    uint32_t uses; /* saturates; 0: free */
    uint32_t last; /* number of the latent that had it last */
};

struct coverage {
    uint32_t learnt; /* latents; wraps after all that is saved was renumbered */
    struct feature features[COVERAGE_FEATURES];
    float rows[COVERAGE_FEATURES][LATENT_DIM];
};

int coverage_new(struct coverage **ret)
{
    *ret = mem_calloc(1, sizeof(**ret));
    return *ret ? 0 : ERR_NOMEM;
}

void coverage_free(struct coverage *c)
{
    mem_free(c);
}

static bool usable(const float *latent)
{
    float norm = kernel_dot(latent, latent, LATENT_DIM);
    return isfinite(norm) && norm > 0.25f;
}

/* The best feature for what is left that is not taken yet; -1: none is good enough. */
static int best_feature(const float *products, const struct coverage_code *taken)
{
    int best = -1;
    for (int i = 0; i < COVERAGE_FEATURES; i++)
        if (products[i] >= COVERAGE_LEAST && (best < 0 || products[i] > products[best]) &&
            (taken->count == 0 || !memchr(taken->ids, i, taken->count)))
            best = i;
    return best;
}

/* The code, what it leaves over (rest = latent - x^), and the square of that over the latent's. */
static float encode(const struct coverage *c, const float *latent, struct coverage_code *ret,
                    float *rest)
{
    float products[COVERAGE_FEATURES], whole = kernel_dot(latent, latent, LATENT_DIM);
    float error = 1;
    ret->count = 0;
    memcpy(rest, latent, LATENT_DIM * sizeof(*rest));
    while (ret->count < COVERAGE_ACTIVE && error > ENOUGH) {
        kernel_matrix_vector(c->rows[0], COVERAGE_FEATURES, LATENT_DIM, rest, products);
        int best = best_feature(products, ret);
        if (best < 0)
            break;
        ret->ids[ret->count] = (uint8_t)best;
        ret->values[ret->count++] = products[best];
        kernel_axpy(-products[best], c->rows[best], rest, LATENT_DIM);
        error = kernel_dot(rest, rest, LATENT_DIM) / whole;
    }
    return error;
}

void coverage_encode(const struct coverage *c, const float *latent, struct coverage_code *ret)
{
    float rest[LATENT_DIM];
    ret->count = 0;
    if (usable(latent))
        encode(c, latent, ret, rest);
}

float coverage_error(const struct coverage *c, const float *latent)
{
    struct coverage_code code;
    float rest[LATENT_DIM];
    return usable(latent) ? encode(c, latent, &code, rest) : 0;
}

/* The feature that is given to something new: a free one, else the one unused for longest. */
static int free_feature(const struct coverage *c, const uint32_t *kept)
{
    int oldest = -1;
    for (int i = 0; i < COVERAGE_FEATURES; i++) {
        const struct feature *f = &c->features[i];
        if (f->uses == 0)
            return i;
        if (kept[i] > 0 || c->learnt - f->last < DEAD)
            continue;
        if (oldest < 0 || c->learnt - f->last > c->learnt - c->features[oldest].last)
            oldest = i;
    }
    return oldest;
}

static void descend(struct coverage *c, const struct coverage_code *code, const float *rest)
{
    for (uint32_t i = 0; i < code->count; i++) {
        float *row = c->rows[code->ids[i]];
        float rate = fmaxf(RATE / sqrtf((float)c->features[code->ids[i]].uses + 1), RATE_LEAST);
        kernel_axpy(rate * code->values[i], rest, row, LATENT_DIM);
        kernel_normalise(row, LATENT_DIM);
    }
}

void coverage_learn(struct coverage *c, const float *latent, const uint32_t *kept,
                    struct coverage_code *ret)
{
    float rest[LATENT_DIM];
    ret->count = 0;
    if (!usable(latent))
        return;
    c->learnt++;
    int fresh = encode(c, latent, ret, rest) > FAR ? free_feature(c, kept) : -1;
    if (fresh >= 0) {
        memcpy(c->rows[fresh], rest, sizeof(rest));
        kernel_normalise(c->rows[fresh], LATENT_DIM);
        c->features[fresh] = (struct feature){0, c->learnt};
    } else {
        descend(c, ret, rest);
    }
    encode(c, latent, ret, rest);
    for (uint32_t i = 0; i < ret->count; i++) {
        struct feature *f = &c->features[ret->ids[i]];
        f->uses += f->uses < UINT32_MAX;
        f->last = c->learnt;
    }
}

uint32_t coverage_used(const struct coverage *c)
{
    uint32_t count = 0;
    for (int i = 0; i < COVERAGE_FEATURES; i++)
        count += c->features[i].uses > 0;
    return count;
}

/* Numbers -127..127 of the largest; the row becomes what these give. */
static void put_row(float *row, struct buf *out)
{
    float most = 0;
    for (int d = 0; d < LATENT_DIM; d++)
        most = fmaxf(most, fabsf(row[d]));
    for (int d = 0; d < LATENT_DIM; d++) {
        row[d] = most > 0 ? roundf(row[d] / most * 127) : 0;
        buf_put_u8(out, (uint8_t)(int8_t)row[d]);
    }
    kernel_normalise(row, LATENT_DIM);
}

int coverage_save(struct coverage *c, struct buf *out)
{
    buf_put_u32(out, MAGIC);
    buf_put_u32(out, c->learnt);
    for (int i = 0; i < COVERAGE_FEATURES; i++) {
        struct feature *f = &c->features[i];
        buf_put_varint(out, f->uses);
        if (f->uses == 0)
            continue;
        buf_put_varint(out, c->learnt - f->last);
        put_row(c->rows[i], out);
    }
    return buf_failed(out) ? ERR_NOMEM : 0;
}

static bool load_feature(struct coverage *c, int i, struct cursor *in)
{
    uint64_t uses = cursor_varint(in);
    if (uses == 0)
        return !in->failed;
    uint64_t age = cursor_varint(in);
    float *row = c->rows[i];
    for (int d = 0; d < LATENT_DIM; d++)
        row[d] = (float)(int8_t)cursor_u8(in);
    if (in->failed || uses > UINT32_MAX || age > UINT32_MAX ||
        kernel_normalise(row, LATENT_DIM) == 0)
        return false;
    c->features[i] = (struct feature){(uint32_t)uses, c->learnt - (uint32_t)age};
    return true;
}

int coverage_load(struct coverage *c, struct cursor *in, struct errmsg *err)
{
    memset(c, 0, sizeof(*c));
    bool good = cursor_u32(in) == MAGIC;
    c->learnt = cursor_u32(in);
    for (int i = 0; good && i < COVERAGE_FEATURES; i++)
        good = load_feature(c, i, in);
    if (good && !in->failed)
        return 0;
    memset(c, 0, sizeof(*c));
    return err_set(err, ERR_CORRUPT, "the dictionary's snapshot is damaged");
}
