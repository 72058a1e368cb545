/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Codes lie in one array codes[K][LATENT_DIM]; K times LATENT_DIM multiply-adds a latent. A moment
 * comes every few dozen records, so this needs no matrix library. Sizes: 64 KiB at K = 64.
 */
#include "model/codebook.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"

#define VISITS_MAX 64
#define STEPS 32767 /* of a component, to 1 */
#define CODEBOOK_MAGIC 0x324b4243u
#define CODEBOOK_MAGIC_1 0x314b4243u

struct code {
    uint32_t visits;
    uint64_t last; /* number of the latent that visited it last */
};

struct codebook {
    struct codebook_options options;
    uint32_t count;
    uint64_t learnt;
    struct code *codes;
    float *vectors; /* [K][LATENT_DIM] */
};

int codebook_new(const struct codebook_options *options, struct codebook **ret)
{
    struct codebook_options o = *options;
    o.codes = o.codes ? o.codes : 64;
    o.temperature = o.temperature == 0 ? 0.1f : o.temperature;
    o.open = o.open == 0 ? 0.6f : o.open;
    if (o.codes > CODEBOOK_MAX || !(o.temperature > 0) || !(o.open > -1 && o.open <= 1))
        return ERR_INVALID;
    struct codebook *c = mem_calloc(1, sizeof(*c));
    if (!c)
        return ERR_NOMEM;
    c->options = o;
    c->codes = mem_calloc(o.codes, sizeof(*c->codes));
    c->vectors = mem_calloc((size_t)o.codes * LATENT_DIM, sizeof(*c->vectors));
    if (!c->codes || !c->vectors) {
        codebook_free(c);
        return ERR_NOMEM;
    }
    *ret = c;
    return 0;
}

void codebook_free(struct codebook *c)
{
    if (!c)
        return;
    mem_free(c->codes);
    mem_free(c->vectors);
    mem_free(c);
}

uint32_t codebook_count(const struct codebook *c)
{
    return c->count;
}

const float *codebook_code(const struct codebook *c, uint32_t code)
{
    return c->vectors + (size_t)code * LATENT_DIM;
}

static float dot(const float *a, const float *b)
{
    float sum[8] = {0};
    for (int d = 0; d < LATENT_DIM; d += 8)
        for (int k = 0; k < 8; k++)
            sum[k] += a[d + k] * b[d + k];
    return ((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7]));
}

void codebook_distribution(const struct codebook *c, const float *latent, float *ret)
{
    float none = c->options.open / c->options.temperature;
    float most = none;
    for (uint32_t i = 0; i < c->count; i++) {
        ret[i] = dot(latent, codebook_code(c, i)) / c->options.temperature;
        most = fmaxf(most, ret[i]);
    }
    float sum = expf(none - most);
    for (uint32_t i = 0; i < c->count; i++) {
        ret[i] = expf(ret[i] - most);
        sum += ret[i];
    }
    for (uint32_t i = 0; i < c->count; i++)
        ret[i] /= sum;
}

/* Codes are kept as exactly as they are saved, so that a restart changes nothing. */
static void round_code(float *v)
{
    for (int d = 0; d < LATENT_DIM; d++)
        v[d] = (float)lrintf(fminf(fmaxf(v[d], -1), 1) * STEPS) / STEPS;
}

static uint32_t put_code(struct codebook *c, uint32_t at, const float *latent)
{
    float *v = c->vectors + (size_t)at * LATENT_DIM;
    memcpy(v, latent, LATENT_DIM * sizeof(*latent));
    round_code(v);
    c->codes[at] = (struct code){1, c->learnt};
    return at;
}

/* Few visits, long ago. */
static uint32_t least_useful(const struct codebook *c)
{
    uint32_t worst = 0;
    double worst_use = INFINITY;
    for (uint32_t i = 0; i < c->count; i++) {
        double use = (double)c->codes[i].visits / (double)(c->learnt - c->codes[i].last + 1);
        if (use < worst_use) {
            worst_use = use;
            worst = i;
        }
    }
    return worst;
}

uint32_t codebook_learn(struct codebook *c, const float *latent)
{
    uint32_t best = 0;
    float nearest = -INFINITY;
    if (!(dot(latent, latent) > 0.5f))
        return 0;
    c->learnt++;
    for (uint32_t i = 0; i < c->count; i++) {
        float near = dot(latent, codebook_code(c, i));
        if (near > nearest) {
            nearest = near;
            best = i;
        }
    }
    if (c->count == 0 || nearest < c->options.open) {
        uint32_t at = c->count < c->options.codes ? c->count++ : least_useful(c);
        return put_code(c, at, latent);
    }
    struct code *code = &c->codes[best];
    float *v = c->vectors + (size_t)best * LATENT_DIM;
    code->visits += code->visits < VISITS_MAX;
    code->last = c->learnt;
    float rate = 1.0f / (float)code->visits;
    for (int d = 0; d < LATENT_DIM; d++)
        v[d] += rate * (latent[d] - v[d]);
    float norm = sqrtf(dot(v, v));
    for (int d = 0; norm > 1e-6f && d < LATENT_DIM; d++)
        v[d] /= norm;
    round_code(v);
    return best;
}

/* Low bytes, then high ones: these are all but constant, and compress. */
static void save_code(const float *v, struct buf *out)
{
    for (int shift = 0; shift <= 8; shift += 8)
        for (int d = 0; d < LATENT_DIM; d++)
            buf_put_u8(out, (uint8_t)((uint16_t)(int16_t)lrintf(v[d] * STEPS) >> shift));
}

int codebook_save(const struct codebook *c, struct buf *out)
{
    buf_put_u32(out, CODEBOOK_MAGIC);
    buf_put_varint(out, c->count);
    for (uint32_t i = 0; i < c->count; i++) {
        buf_put_varint(out, c->codes[i].visits);
        buf_put_varint(out, c->learnt - c->codes[i].last);
        save_code(codebook_code(c, i), out);
    }
    return buf_failed(out) ? ERR_NOMEM : 0;
}

static void load_exact(float *v, struct cursor *in)
{
    uint16_t q[LATENT_DIM];
    for (int d = 0; d < LATENT_DIM; d++)
        q[d] = cursor_u8(in);
    for (int d = 0; d < LATENT_DIM; d++) {
        q[d] = (uint16_t)(q[d] | cursor_u8(in) << 8);
        v[d] = (float)(int16_t)q[d] / STEPS;
    }
}

/* As programs of schema version 1 wrote them: 8 bits, any length. */
static void load_rough(float *v, struct cursor *in)
{
    for (int d = 0; d < LATENT_DIM; d++)
        v[d] = (float)(int8_t)cursor_u8(in);
    float norm = sqrtf(dot(v, v));
    for (int d = 0; norm > 0 && d < LATENT_DIM; d++)
        v[d] /= norm;
    round_code(v);
}

static bool load_code(struct codebook *c, uint32_t i, bool exact, struct cursor *in)
{
    float *v = c->vectors + (size_t)i * LATENT_DIM;
    uint64_t visits = cursor_varint(in), age = cursor_varint(in);
    (exact ? load_exact : load_rough)(v, in);
    float size = dot(v, v);
    if (in->failed || visits == 0 || visits > VISITS_MAX || age > UINT32_MAX || size < 0.9f ||
        size > 1.1f)
        return false;
    c->codes[i] = (struct code){(uint32_t)visits, UINT32_MAX - (uint32_t)age};
    return true;
}

int codebook_load(struct codebook *c, struct cursor *in, struct errmsg *err)
{
    uint32_t magic = cursor_u32(in);
    bool good = magic == CODEBOOK_MAGIC || magic == CODEBOOK_MAGIC_1;
    uint64_t count = good ? cursor_varint(in) : 0;
    good = good && count <= c->options.codes;
    for (uint32_t i = 0; good && i < count; i++)
        good = load_code(c, i, magic == CODEBOOK_MAGIC, in);
    c->count = good ? (uint32_t)count : 0;
    c->learnt = UINT32_MAX;
    return good ? 0 : err_set(err, ERR_CORRUPT, "the codebook's snapshot is damaged");
}
