/* SPDX-License-Identifier: Apache-2.0 */
/* Which encoder stands behind the door for which kind. */
#include "model/encoder.h"

#include "model/audio_encoder.h"
#include "model/sensor_encoder.h"
#include "model/text_encoder.h"

int encoder_new(enum stream_kind kind, struct encoder **ret)
{
    switch (kind) {
    case KIND_TEXT:
        return text_encoder_new(ret);
    case KIND_SENSOR:
        return sensor_encoder_new(ret);
    case KIND_AUDIO:
        return audio_encoder_new(ret);
    default:
        return ERR_UNSUPPORTED;
    }
}

void encoder_free(struct encoder *e)
{
    if (e)
        e->ops->free(e);
}
