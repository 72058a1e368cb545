/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plain structs that cross between the folders: a record (one arrival on a stream), and a
 * moment (one event-bounded span of one stream, as the pipeline hands it to memory).
 *
 * Ownership: all pointers are borrowed and live as long as the call they are passed to, unless the
 * receiver's header says otherwise.
 */
#ifndef VARVE_BASE_RECORD_H
#define VARVE_BASE_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

enum stream_kind { KIND_TEXT = 1, KIND_SENSOR = 2, KIND_AUDIO = 3, KIND_VIDEO = 4 };

#define LATENT_DIM 256     /* floats in a latent, unit length or all zero */
#define MOMENT_RECORDS 256 /* most records in one moment; the boundary cuts there */
#define TIME_UNKNOWN INT64_MIN
#define TIME_MIN 0LL                /* 1970-01-01, microseconds UTC */
#define TIME_MAX 7258118400000000LL /* 2200-01-01 */
#define STREAM_NAME_MAX 128
#define SEQ_MAX ((uint64_t)INT64_MAX - 1) /* so that the next one still fits the file's columns */
#define RECORD_REF_MAX 256                /* bytes of a client's own id */
#define RECORD_SIZE_MAX (1u << 20)        /* bytes of one record's payload */
#define CHANNELS_MAX 1024                 /* channels of one sensor stream */
#define CHANNEL_NAME_MAX 96
#define AUDIO_RATE 16000              /* samples a second of every audio record */
#define AUDIO_RECORD_SAMPLES_MAX 16000
#define VIDEO_SIDE_MIN 16 /* pixels of a frame's width and height */
#define VIDEO_SIDE_MAX 1920
#define UNUSUAL_ALERT 0.5f /* score from which something is an alert, for every stream */

enum record_flag {
    RECORD_LATE = 1,     /* came after its stream's lateness bound */
    RECORD_FUTURE = 2,   /* its time lies ahead of the clock */
    RECORD_NO_TIME = 4,  /* had no time of its own: stamped on arrival */
    RECORD_REDACTED = 8, /* something was taken out before it was written */
};

/* One sensor value. `channel` indexes the stream's channel names, in order of first appearance. */
struct sample {
    uint16_t channel;
    double value; /* finite */
};

/*
 * One arrival. The payload of an audio record is 16-bit little-endian PCM, mono, at AUDIO_RATE, of 1
 * to AUDIO_RECORD_SAMPLES_MAX samples, its time that of the first one. That of a video record is one
 * JPEG, baseline or progressive, of at most RECORD_SIZE_MAX bytes, with 1 or 3 components and sides
 * of VIDEO_SIDE_MIN to VIDEO_SIDE_MAX pixels, its time the frame's.
 */
struct record {
    uint64_t seq;                 /* from 1, unique within its stream */
    int64_t time;                 /* event time, microseconds UTC, TIME_MIN..TIME_MAX */
    int64_t arrival;              /* microseconds UTC */
    uint32_t flags;               /* enum record_flag */
    struct slice ref;             /* client's own id; size 0: none */
    struct slice text;            /* text streams: valid UTF-8, no NUL; else size 0 */
    const struct sample *samples; /* sensor streams; else NULL */
    uint32_t sample_count;
    struct slice media; /* audio and video streams: the payload, as below; else size 0 */
    uint64_t tag; /* the submitter's own mark, carried along untouched and never stored */
};

/* What of a moment was unusual: a run of records, worded for people. */
struct unusual {
    int64_t start, end;
    uint32_t first, last; /* indices into the moment's records */
    float bits;           /* surprise of the most surprising record of the run */
    float z;       /* robust: (bits - median) / (1.4826 MAD) over the stream's recent records */
    float score;   /* calibrated 0..1; 0.5 and above is an alert */
    char why[160]; /* e.g. "first line of its kind", "cpu 97.2, usually 3 to 21" */
};

struct entity_seen {
    char kind[16]; /* host, process, channel, name, address, number, path, user */
    char name[96];
    uint32_t count;
};

/*
 * What a moment counted: of text the lines of one kind (talk has none), of sensors the values of
 * one channel.
 */
struct tally {
    struct slice kind;   /* text: the kind's words, its variable places as <*>; sensors: size 0 */
    uint32_t kind_model; /* text: the encoder's number for it; the words of a kind may widen */
    uint16_t channel;    /* sensors */
    uint32_t count;
    int64_t first_at, last_at; /* event times */
    /* sensors */
    double first, last, least, most, mean;
    double m2; /* sum of the squared distances from the mean */
    int64_t least_at, most_at;
};

/* A lasting value that one of the moment's records states, worded (pipeline/facts.h). */
struct fact_seen {
    char subject[96]; /* lower case: "thermostat in room a setpoint" */
    char value[96];
    char old[96]; /* what it was before, "" when the record does not say */
    int64_t at;
    uint32_t record; /* index into the moment's records */
};

/*
 * Two names that a line gives one thing: "host web1 renamed to web-01" (old, new), "db-02
 * (10.0.0.5)" (name, address).
 */
struct same_seen {
    char kind[2][16];
    char name[2][96];
    bool renamed;
};

enum moment_path { PATH_LATENT = 1, PATH_DISCRETE = 2 };

enum moment_end { END_SURPRISE = 1, END_SHIFT = 2, END_GAP = 3, END_LENGTH = 4, END_FLUSH = 5 };

struct moment {
    enum stream_kind kind;
    int64_t start, end;           /* event times of the first and the last record */
    const struct record *records; /* in time order */
    uint32_t record_count;
    uint32_t flags;        /* OR of the records' */
    enum moment_end ended; /* why it was closed */
    float latent[LATENT_DIM];
    uint32_t model; /* version of the encoder that made the latent */
    float bits;     /* mean surprise of a record, bits */
    float bits_max; /* of the most surprising record */
    float z;        /* of the most surprising record */
    enum moment_path path;
    uint32_t code;    /* codebook entry, the most likely one */
    float confidence; /* its probability */
    float tau;        /* the router's threshold then */
    const struct unusual *unusual;
    uint32_t unusual_count;
    const struct entity_seen *entities;
    uint32_t entity_count;
    const struct tally *tallies;
    uint32_t tally_count;
    const struct fact_seen *facts;
    uint32_t fact_count;
    const struct same_seen *same;
    uint32_t same_count;
    char title[160];   /* one line, UTF-8 */
    struct slice gist; /* a few lines, UTF-8, at most 1500 bytes */
};

/* "text", "sensor", "audio", "video"; NULL for a foreign number. */
const char *stream_kind_name(enum stream_kind kind);
/* 0 and *ret_kind, or ERR_NOTFOUND. */
int stream_kind_parse(const char *name, enum stream_kind *ret_kind);

/*
 * The hash by which a resend is recognised: over ref, time (0 if RECORD_NO_TIME) and payload; not
 * over seq, arrival or flags. XXH3, 64 bits.
 */
uint64_t record_hash(const struct record *r);

/* Bytes of payload: the text, the media, or 10 a sample. What budgets and throughput figures count. */
size_t record_payload_size(const struct record *r);

#endif
