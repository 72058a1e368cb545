/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The model of sensor streams behind encoder.h: online, no training. Each channel has a predictor,
 * a watch for novelty and a place in the latent; a record's surprise is that of its most surprising
 * channel, corrected for how many there are. About 15 KiB a channel, and 105 KiB more for each of the
 * first four, which are watched for a change of regime.
 */
#ifndef VARVE_MODEL_SENSOR_ENCODER_H
#define VARVE_MODEL_SENSOR_ENCODER_H

#include "model/encoder.h"

/* 0 or ERR_NOMEM. Free with encoder_free. */
int sensor_encoder_new(struct encoder **ret);

/*
 * What a channel will be `horizon_us` after its last sample, with a 90 % interval. `e` must come
 * from sensor_encoder_new. Returns 0, ERR_NOTFOUND (channel unknown or fewer than two samples),
 * ERR_INVALID (horizon below 0).
 */
int sensor_encoder_forecast(const struct encoder *e, uint16_t channel, int64_t horizon_us,
                            double *ret_mid, double *ret_low, double *ret_high);

/*
 * When a channel's last sample was, and the usual distance of its samples, microseconds.
 * ERR_NOTFOUND as above.
 */
int sensor_encoder_rhythm(const struct encoder *e, uint16_t channel, int64_t *ret_last,
                          int64_t *ret_step);

#endif
