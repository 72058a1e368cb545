/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path: 576 samples and their mirrored end go through a short-time transform written as a
 * convolution (4 frames of 129 magnitudes), four convolutions of three taps that halve the time
 * twice, one LSTM of 128 and a weighted sum: about 0.7 million products a step. Activations lie
 * frame after frame with an empty frame at both ends, so that each tap triple is one piece of
 * memory and each convolution one matrix-vector product a frame.
 *
 * Failure modes: a weights file that is missing, short, long, of another version, or whose hash
 * does not fit. Sizes: 1.2 MB of weights a process, 1.3 KB a stream.
 */
#include "model/voice.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "config/paths.h"
#include "model/kernels.h"

#define FRAMES 4
#define FRAME 256
#define FRAME_STEP 128
#define BINS 129
#define TAPS 3
#define GATES (4 * VOICE_STATE) /* input, forget, cell, output */
#define MAGIC "VARVEWTS"
#define VERSION 1
#define NETWORK 0x36444156u /* "VAD6" */
#define HEADER 32           /* magic, version, network, count, 0, hash */
#define STATE_MAX 1e6f      /* of the LSTM's cell, which counts up by at most 1 a step */

/* As they lie in the file. */
struct weights {
    float transform[2 * BINS][FRAME]; /* real, then imaginary parts */
    float conv0[128][TAPS][BINS], bias0[128];
    float conv1[64][TAPS][128], bias1[64];
    float conv2[64][TAPS][64], bias2[64];
    float conv3[128][TAPS][64], bias3[128];
    float gates[GATES][2 * VOICE_STATE], gate_bias[GATES]; /* of input and state side by side */
    float out[VOICE_STATE], out_bias;
};

#define FLOATS (sizeof(struct weights) / sizeof(float))

static struct weights *weights; /* set before the first encoder, read only from then on */

/* ---- the file ---- */

static uint64_t fnv1a(const void *data, size_t size)
{
    const uint8_t *p = data;
    uint64_t h = 0xcbf29ce484222325ULL;
    for (size_t i = 0; i < size; i++)
        h = (h ^ p[i]) * 0x100000001b3ULL;
    return h;
}

static int check_header(const uint8_t *header, const char *path, uint64_t *ret_hash,
                        struct errmsg *err)
{
    struct cursor c;
    cursor_init(&c, header, HEADER);
    struct slice magic = cursor_bytes(&c, 8);
    uint32_t version = cursor_u32(&c), network = cursor_u32(&c), count = cursor_u32(&c);
    cursor_u32(&c);
    *ret_hash = cursor_u64(&c);
    if (memcmp(magic.data, MAGIC, 8) != 0 || network != NETWORK)
        return err_set(err, ERR_CORRUPT, "%s: no weights of the speech detector", path);
    if (version != VERSION || count != FLOATS)
        return err_set(err, ERR_CORRUPT,
                       "%s: version %" PRIu32 " with %" PRIu32 " floats, this reads %d with %zu",
                       path, version, count, VERSION, FLOATS);
    return 0;
}

static int check_floats(const struct weights *w, uint64_t hash, const char *path,
                        struct errmsg *err)
{
    const float *v = (const float *)w;
    if (fnv1a(w, sizeof(*w)) != hash)
        return err_set(err, ERR_CORRUPT, "%s: the weights are damaged", path);
    for (size_t i = 0; i < FLOATS; i++)
        if (!isfinite(v[i]))
            return err_set(err, ERR_CORRUPT, "%s: float %zu is not finite", path, i);
    return 0;
}

static int read_file(FILE *f, const char *path, struct weights *w, struct errmsg *err)
{
    uint8_t header[HEADER];
    uint64_t hash;
    if (fread(header, 1, HEADER, f) != HEADER)
        return err_set(err, ERR_CORRUPT, "%s: too short", path);
    int rc = check_header(header, path, &hash, err);
    if (rc)
        return rc;
    if (fread(w, 1, sizeof(*w), f) != sizeof(*w) || fgetc(f) != EOF)
        return err_set(err, ERR_CORRUPT, "%s: not as long as it says", path);
    return check_floats(w, hash, path, err);
}

int voice_load_file(const char *path, struct errmsg *err)
{
    _Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the floats are read as they lie");
    FILE *f = fopen(path, "rbe");
    if (!f)
        return err_set(err, errno == ENOENT ? ERR_NOTFOUND : ERR_IO, "%s: %s", path,
                       strerror(errno));
    struct weights *w = mem_alloc(sizeof(*w));
    int rc = w ? read_file(f, path, w, err) : err_set(err, ERR_NOMEM, "%s: out of memory", path);
    fclose(f);
    if (rc) {
        mem_free(w);
        return rc;
    }
    voice_unload();
    weights = w;
    return 0;
}

int voice_load(struct errmsg *err)
{
    char path[CONFIG_PATH_SIZE];
    if (config_data_file(VOICE_WEIGHTS, path) != 0)
        return err_set(err, ERR_NOTFOUND, "no %s", VOICE_WEIGHTS);
    return voice_load_file(path, err);
}

void voice_unload(void)
{
    mem_free(weights);
    weights = NULL;
}

bool voice_loaded(void)
{
    return weights != NULL;
}

const char *voice_detector(void)
{
    return weights ? "silero-vad-6" : "energy and flatness";
}

/* ---- the network ---- */

/* ret = max(0, weight in + bias); weight[outputs][inputs]. */
static void convolve(const float *weight, const float *bias, size_t outputs, size_t inputs,
                     const float *in, float *ret)
{
    kernel_matrix_vector(weight, outputs, inputs, in, ret);
    for (size_t i = 0; i < outputs; i++)
        ret[i] = fmaxf(0, ret[i] + bias[i]);
}

static void transform(const struct weights *w, const float *heard, float magnitudes[][BINS])
{
    float parts[2 * BINS];
    for (int t = 0; t < FRAMES; t++) {
        kernel_matrix_vector(w->transform[0], 2 * BINS, FRAME, heard + FRAME_STEP * t, parts);
        for (int k = 0; k < BINS; k++)
            magnitudes[t + 1][k] = sqrtf(parts[k] * parts[k] + parts[BINS + k] * parts[BINS + k]);
    }
}

static float sigmoid(float v)
{
    return 1 / (1 + expf(-v));
}

/* in: of this step, then room for the state before it. */
static void remember(const struct weights *w, struct voice *v, float *in)
{
    float g[GATES];
    memcpy(in + VOICE_STATE, v->hidden, sizeof(v->hidden));
    kernel_matrix_vector(w->gates[0], GATES, 2 * VOICE_STATE, in, g);
    for (int i = 0; i < GATES; i++)
        g[i] += w->gate_bias[i];
    for (int i = 0; i < VOICE_STATE; i++) {
        v->cell[i] = sigmoid(g[VOICE_STATE + i]) * v->cell[i] +
                     sigmoid(g[i]) * tanhf(g[2 * VOICE_STATE + i]);
        v->hidden[i] = sigmoid(g[3 * VOICE_STATE + i]) * tanhf(v->cell[i]);
    }
}

float voice_hear(struct voice *v, const float *samples)
{
    const struct weights *w = weights;
    float heard[VOICE_CONTEXT + VOICE_STEP + VOICE_CONTEXT], last[2 * VOICE_STATE];
    float a[FRAMES + 2][BINS] = {{0}}, b[FRAMES + 2][128] = {{0}}, c[FRAMES / 2 + 2][64] = {{0}};
    float d[TAPS][64] = {{0}}, sum;
    memcpy(heard, v->context, sizeof(v->context));
    memcpy(heard + VOICE_CONTEXT, samples, VOICE_STEP * sizeof(*samples));
    float *end = heard + VOICE_CONTEXT + VOICE_STEP;
    for (int i = 0; i < VOICE_CONTEXT; i++)
        end[i] = end[-2 - i];
    memcpy(v->context, end - VOICE_CONTEXT, sizeof(v->context));
    transform(w, heard, a);
    for (int t = 0; t < FRAMES; t++)
        convolve(w->conv0[0][0], w->bias0, 128, TAPS * BINS, a[t], b[t + 1]);
    for (int t = 0; t < FRAMES / 2; t++)
        convolve(w->conv1[0][0], w->bias1, 64, TAPS * 128, b[2 * t], c[t + 1]);
    convolve(w->conv2[0][0], w->bias2, 64, TAPS * 64, c[0], d[1]);
    convolve(w->conv3[0][0], w->bias3, 128, TAPS * 64, d[0], last);
    remember(w, v, last);
    sum = w->out_bias;
    for (int i = 0; i < VOICE_STATE; i++)
        sum += w->out[i] * fmaxf(0, v->hidden[i]);
    return sigmoid(sum);
}

void voice_walk(struct voice *v, struct state *s)
{
    state_f32s(s, v->context, VOICE_CONTEXT);
    state_f32s(s, v->hidden, VOICE_STATE);
    state_f32s(s, v->cell, VOICE_STATE);
    for (int i = 0; i < VOICE_CONTEXT; i++)
        s->failed |= !(fabsf(v->context[i]) <= 1);
    for (int i = 0; i < VOICE_STATE; i++)
        s->failed |= !(fabsf(v->hidden[i]) <= 1) || !(fabsf(v->cell[i]) <= STATE_MAX);
}
