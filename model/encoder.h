/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The door between the pipeline and any model: records in, surprise and latents out. One encoder
 * belongs to one stream and is used by one thread at a time. What is behind the door today is online
 * and needs no training (text_encoder.c, sensor_encoder.c); a trained one fills the same table.
 */
#ifndef VARVE_MODEL_ENCODER_H
#define VARVE_MODEL_ENCODER_H

#include "base/error.h"
#include "base/record.h"

#define OBSERVATION_TRAITS 12

/*
 * What one record told the model. Depends on this and earlier records only, and no later record
 * changes it.
 */
struct observation {
    double bits;           /* surprise, -log2 of a calibrated probability; finite, >= 0 */
    double score;          /* unusualness 0..1; 0.5 and above is an alert, for every stream alike */
    uint32_t template_id;  /* text: from 1, never changes once given; else 0 */
    const float *latent;   /* LATENT_DIM, unit length or zero: this record's token; lives until the
                              next observe */
    uint32_t shift;        /* sensor: a change of regime, video: of the scene; it is known now, and
                              began so many records before this one; 0: none */
    const char *why;       /* what was unusual, for people, "" when nothing; lives until the next observe */
    /* audio, video: what the record showed, in the order of the kind's own list (video_encoder.h,
     * audio_encoder.h), finite; a moment is worded from them. Others: zero. */
    float traits[OBSERVATION_TRAITS];
};

struct encoder;

struct encoder_ops {
    uint32_t version; /* of the model, stored with every latent it makes */
    /* Never fails for want of memory once warm: its tables are bounded. Returns 0 or ERR_NOMEM. */
    int (*observe)(struct encoder *e, const struct record *r, struct observation *ret);
    /* Names a sensor channel before its first sample (index as in struct sample); copies the name. */
    int (*channel)(struct encoder *e, uint16_t index, const char *name);
    /* The words for a template, variable places as <*>; NULL when unknown. Text only, as the next: NULL
     * stands for none. */
    const char *(*template_text)(const struct encoder *e, uint32_t template_id);
    /* How often a template was seen, this observation included. 0 when unknown. */
    uint64_t (*template_count)(const struct encoder *e, uint32_t template_id);
    /* The state as bytes, and back: the whole of it, or without what is large and learnt again
     * within some thousand records. load checks every byte it reads (ERR_CORRUPT). */
    int (*save)(const struct encoder *e, bool brief, struct buf *out);
    int (*load)(struct encoder *e, const void *data, size_t size, struct errmsg *err);
    void (*free)(struct encoder *e);
    /*
     * The latent of a whole span from its records alone, whatever was learnt before: each is added
     * in time order, then the latent (LATENT_DIM, unit length or zero) is asked for, which begins
     * the next span. Touches nothing that observe reads. Both NULL: the mean of the records' tokens
     * stands for a span.
     */
    void (*span_add)(struct encoder *e, const struct record *r);
    void (*span_latent)(struct encoder *e, float *ret);
    /* Drops every text it keeps of which `knows` says so, and channels so named with all it knows of
     * them; NULL: it keeps none. */
    void (*forget)(struct encoder *e, bool (*knows)(const void *arg, const char *text, size_t size),
                   const void *arg);
};

/* Embedded first in every implementation. */
struct encoder {
    const struct encoder_ops *ops;
};

/* ERR_UNSUPPORTED for a kind that has no encoder. */
int encoder_new(enum stream_kind kind, struct encoder **ret);
/* NULL is allowed. */
void encoder_free(struct encoder *e);

static inline int encoder_observe(struct encoder *e, const struct record *r, struct observation *ret)
{
    return e->ops->observe(e, r, ret);
}

/*
 * The latent of a span of records by themselves, by an encoder of its own: what a moment of just
 * these would have, as near as the kind allows. ret[LATENT_DIM], unit length or zero. ERR_NOMEM;
 * ERR_UNSUPPORTED for kinds without an encoder. Any thread.
 */
int encoder_span(enum stream_kind kind, const struct record *records, uint32_t count, float *ret);

/*
 * A query as a latent of the space that records of `kind` lie in: for text the hashed words and
 * character n-grams of the query, all weighted alike but for function words, which weigh little.
 * ret[LATENT_DIM].
 * Stateless; any thread.
 */
void encoder_text_query(const char *text, size_t size, float *ret);

#endif
