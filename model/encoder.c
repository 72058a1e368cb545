/* SPDX-License-Identifier: Apache-2.0 */
/* Which encoder stands behind the door for which kind. */
#include "model/encoder.h"

#include <string.h>

#include "model/audio_encoder.h"
#include "model/kernels.h"
#include "model/sensor_encoder.h"
#include "model/text_encoder.h"
#include "model/video_encoder.h"

int encoder_new(enum stream_kind kind, struct encoder **ret)
{
    switch (kind) {
    case KIND_TEXT:
        return text_encoder_new(ret);
    case KIND_SENSOR:
        return sensor_encoder_new(ret);
    case KIND_AUDIO:
        return audio_encoder_new(ret);
    case KIND_VIDEO:
        return video_encoder_new(ret);
    default:
        return ERR_UNSUPPORTED;
    }
}

/* The mean of the records' tokens. */
static int mean_tokens(struct encoder *e, const struct record *records, uint32_t count, float *ret)
{
    for (uint32_t i = 0; i < count; i++) {
        struct observation o;
        int rc = encoder_observe(e, &records[i], &o);
        if (rc)
            return rc;
        for (int d = 0; d < LATENT_DIM; d++)
            ret[d] += o.latent[d];
    }
    kernel_normalise(ret, LATENT_DIM);
    return 0;
}

int encoder_span(enum stream_kind kind, const struct record *records, uint32_t count, float *ret)
{
    struct encoder *e;
    int rc = encoder_new(kind, &e);
    if (rc)
        return rc;
    memset(ret, 0, LATENT_DIM * sizeof(*ret));
    if (e->ops->span_add) {
        for (uint32_t i = 0; i < count; i++)
            e->ops->span_add(e, &records[i]);
        e->ops->span_latent(e, ret);
    } else {
        rc = mean_tokens(e, records, count, ret);
    }
    encoder_free(e);
    return rc;
}

void encoder_free(struct encoder *e)
{
    if (e)
        e->ops->free(e);
}
