/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a frame, and as a saved state of the model that looks at frames. Whatever it is
 * told, what it says stays in range, and a sound frame behind it is still read.
 */
#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "model/video_encoder.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void show(struct encoder *e, uint64_t seq, const unsigned char *data, size_t size)
{
    struct record r = {
        .seq = seq, .time = (int64_t)seq * 500000, .media = {(const char *)data, size}};
    struct observation o;
    assert(encoder_observe(e, &r, &o) == 0);
    assert(isfinite(o.bits) && o.bits >= 0 && o.score >= 0 && o.score <= 1);
    for (int i = 0; i < OBSERVATION_TRAITS; i++)
        assert(isfinite(o.traits[i]));
    for (int i = 0; i < LATENT_DIM; i++)
        assert(isfinite(o.latent[i]));
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct encoder *e;
    struct errmsg err;
    if (video_encoder_new(&e))
        abort();
    show(e, 1, data, size);
    show(e, 2, data, size / 2);
    show(e, 3, data, size);
    if (e->ops->load(e, data, size, &err) == 0)
        show(e, 4, data, size);
    encoder_free(e);
    return 0;
}
