/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path: one pass over the samples in steps of STEP. Encoding writes behind what `out` holds
 * and goes back once to fill in length and checksum of the header. Decoding trusts nothing: another
 * number of channels, bits or samples than expected ends it. Sizes: two minutes of sound are 4 MB
 * and about half of that packed.
 */
#include "memory/flac.h"

#include <FLAC/stream_decoder.h>
#include <FLAC/stream_encoder.h>
#include <stdbool.h>
#include <string.h>

#include "base/record.h"

#define LEVEL 5 /* libFLAC's usual; the ones above take twice the time for a percent */
#define STEP 4096

/* ---- packing ---- */

struct file {
    struct buf *out;
    size_t start, at; /* where the file begins in `out`, and where the next write goes */
};

static FLAC__StreamEncoderWriteStatus write_file(const FLAC__StreamEncoder *encoder,
                                                 const FLAC__byte bytes[], size_t size,
                                                 uint32_t samples, uint32_t frame, void *user)
{
    struct file *f = user;
    size_t end = f->at + size;
    if (end > f->out->size && buf_reserve(f->out, end - f->out->size))
        return FLAC__STREAM_ENCODER_WRITE_STATUS_FATAL_ERROR;
    memcpy(f->out->data + f->at, bytes, size);
    f->at = end;
    f->out->size = end > f->out->size ? end : f->out->size;
    return FLAC__STREAM_ENCODER_WRITE_STATUS_OK;
}

static FLAC__StreamEncoderSeekStatus seek_file(const FLAC__StreamEncoder *encoder,
                                               FLAC__uint64 offset, void *user)
{
    struct file *f = user;
    if (offset > f->out->size - f->start)
        return FLAC__STREAM_ENCODER_SEEK_STATUS_ERROR;
    f->at = f->start + (size_t)offset;
    return FLAC__STREAM_ENCODER_SEEK_STATUS_OK;
}

static FLAC__StreamEncoderTellStatus tell_file(const FLAC__StreamEncoder *encoder,
                                               FLAC__uint64 *offset, void *user)
{
    const struct file *f = user;
    *offset = f->at - f->start;
    return FLAC__STREAM_ENCODER_TELL_STATUS_OK;
}

static bool put_samples(FLAC__StreamEncoder *encoder, const unsigned char *pcm, size_t count)
{
    FLAC__int32 step[STEP];
    for (size_t done = 0; done < count;) {
        size_t n = count - done < STEP ? count - done : STEP;
        for (size_t i = 0; i < n; i++, pcm += 2)
            step[i] = (int16_t)(pcm[0] | pcm[1] << 8);
        if (!FLAC__stream_encoder_process_interleaved(encoder, step, (uint32_t)n))
            return false;
        done += n;
    }
    return true;
}

int flac_encode(const void *pcm, size_t size, struct buf *out)
{
    struct file f = {out, out->size, out->size};
    FLAC__StreamEncoder *encoder = FLAC__stream_encoder_new();
    if (!encoder)
        return ERR_NOMEM;
    bool good = FLAC__stream_encoder_set_channels(encoder, 1) &&
                FLAC__stream_encoder_set_bits_per_sample(encoder, 16) &&
                FLAC__stream_encoder_set_sample_rate(encoder, AUDIO_RATE) &&
                FLAC__stream_encoder_set_compression_level(encoder, LEVEL) &&
                FLAC__stream_encoder_set_total_samples_estimate(encoder, size / 2) &&
                FLAC__stream_encoder_init_stream(encoder, write_file, seek_file, tell_file, NULL,
                                                 &f) == FLAC__STREAM_ENCODER_INIT_STATUS_OK &&
                put_samples(encoder, pcm, size / 2);
    good &= (bool)FLAC__stream_encoder_finish(encoder);
    FLAC__stream_encoder_delete(encoder);
    if (good)
        return 0;
    out->size = f.start;
    return ERR_NOMEM; /* all that is left to go wrong */
}

/* ---- unpacking ---- */

struct unpacking {
    struct slice in;
    size_t at;
    unsigned char *pcm;
    size_t size, done;
    bool wrong;
};

static FLAC__StreamDecoderReadStatus read_flac(const FLAC__StreamDecoder *decoder,
                                               FLAC__byte buffer[], size_t *bytes, void *user)
{
    struct unpacking *u = user;
    size_t left = u->in.size - u->at;
    if (u->wrong)
        return FLAC__STREAM_DECODER_READ_STATUS_ABORT;
    *bytes = *bytes < left ? *bytes : left;
    if (*bytes == 0)
        return FLAC__STREAM_DECODER_READ_STATUS_END_OF_STREAM;
    memcpy(buffer, u->in.data + u->at, *bytes);
    u->at += *bytes;
    return FLAC__STREAM_DECODER_READ_STATUS_CONTINUE;
}

static FLAC__StreamDecoderWriteStatus take_samples(const FLAC__StreamDecoder *decoder,
                                                   const FLAC__Frame *frame,
                                                   const FLAC__int32 *const buffer[], void *user)
{
    struct unpacking *u = user;
    size_t n = frame->header.blocksize;
    if (u->wrong || frame->header.channels != 1 || frame->header.bits_per_sample != 16 ||
        n > (u->size - u->done) / 2) {
        u->wrong = true;
        return FLAC__STREAM_DECODER_WRITE_STATUS_ABORT;
    }
    for (size_t i = 0; i < n; i++) {
        u->pcm[u->done++] = (unsigned char)buffer[0][i];
        u->pcm[u->done++] = (unsigned char)(buffer[0][i] >> 8);
    }
    return FLAC__STREAM_DECODER_WRITE_STATUS_CONTINUE;
}

static void note_error(const FLAC__StreamDecoder *decoder, FLAC__StreamDecoderErrorStatus status,
                       void *user)
{
    struct unpacking *u = user;
    u->wrong = true;
}

int flac_decode(struct slice flac, void *pcm, size_t size, struct errmsg *err)
{
    struct unpacking u = {.in = flac, .pcm = pcm, .size = size};
    FLAC__StreamDecoder *decoder = FLAC__stream_decoder_new();
    if (!decoder)
        return err_set(err, ERR_NOMEM, "%s", err_text(ERR_NOMEM));
    bool good = FLAC__stream_decoder_init_stream(decoder, read_flac, NULL, NULL, NULL, NULL,
                                                 take_samples, NULL, note_error,
                                                 &u) == FLAC__STREAM_DECODER_INIT_STATUS_OK &&
                FLAC__stream_decoder_process_until_end_of_stream(decoder);
    bool nomem =
        FLAC__stream_decoder_get_state(decoder) == FLAC__STREAM_DECODER_MEMORY_ALLOCATION_ERROR;
    FLAC__stream_decoder_delete(decoder);
    if (nomem)
        return err_set(err, ERR_NOMEM, "%s", err_text(ERR_NOMEM));
    if (!good || u.wrong || u.done != size)
        return err_set(err, ERR_CORRUPT, "the sound is damaged");
    return 0;
}
