/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Questions to memory. Every call reads one snapshot of the file and puts all its results, strings
 * included, into the caller's arena: they live until that is reset. memory/recall_json.h writes each
 * of them in the wire's shape.
 *
 * Thread: the reader's. Errors: ERR_INVALID (an unknown stream, an empty example, a bad limit) and
 * ERR_NOTFOUND (no such id) are the caller's mistakes and name it; ERR_CORRUPT names the place.
 */
#ifndef VARVE_MEMORY_RECALL_H
#define VARVE_MEMORY_RECALL_H

#include "base/arena.h"
#include "base/error.h"
#include "base/record.h"
#include "memory/reader.h"

#define RECALL_LIMIT_DEFAULT 10
#define RECALL_LIMIT_MAX 1000
#define RECALL_RECORDS 50
#define RECALL_REFS 20
#define RECALL_QUERY_MAX 8192 /* bytes of a query that are read; the rest is ignored */
#define RECALL_BUDGET_DEFAULT 4000
#define RECALL_BUDGET_MAX (1u << 20)

/* What may answer. `since` is inclusive, `until` exclusive; TIME_UNKNOWN leaves a side open. */
struct recall_filter {
    int64_t since, until;
    const char *const *streams; /* by name; none: all */
    uint32_t stream_count;
};

/* Bytes of each rung of the ladder; body is exact for text and an estimate for other kinds. */
struct recall_cost {
    uint64_t title, gist, body, raw;
};

struct recall_item {
    int64_t id;
    int stratum;
    const char *stream; /* NULL above stratum 0, where an item spans streams */
    int64_t start, end;
    const char *title;
    double score; /* 0..1 of the best hit of this answer; 0 in a timeline */
    struct recall_cost cost;
    const char *const *refs; /* of the records that support the hit, best first */
    uint32_t ref_count;
    /* Answers of recall_ask only. */
    const char *gist; /* NULL elsewhere, or when the budget did not reach it */
    double share;     /* of the answer's attention; the items' sum is 1 */
    const char *through; /* how it came in: "words", "gist", "neighbour", "unusual", "usual"; NULL */
};

struct recall_record {
    int64_t id; /* the moment it lies in */
    const char *stream;
    uint64_t seq;
    int64_t time;
    const char *ref; /* NULL: none */
    double score;
    const char *text; /* recall_ask only, as far as the budget reaches; else NULL */
};

struct recall_items {
    struct recall_item *items;
    uint32_t count;
    bool more; /* the limit cut it */
};

/* Methods that may be left out, each at its full weight by default. */
struct recall_without {
    bool neighbours; /* contiguity: what stands next to the hits in time, in an answer */
    bool lending;    /* what neighbours and sessions lend to a record's score */
    bool coarse;     /* strata above the moments */
};

/* memory.search */
struct recall_query {
    struct slice text; /* any bytes; no syntax, so nothing in it needs quoting */
    struct recall_filter filter;
    uint32_t limit;    /* 0: RECALL_LIMIT_DEFAULT */
    double recency;    /* 0: none … 1: a hit of now counts twice one of long ago */
    const float *latent; /* encoder_text_query of the text; NULL: words only */
    struct recall_without without;
};

struct recall_found {
    struct recall_items items;
    struct recall_record *records; /* best first over all items, at most RECALL_RECORDS */
    uint32_t record_count;
};

int recall_search(struct reader *r, const struct recall_query *q, struct arena *arena,
                  struct recall_found *ret, struct errmsg *err);

/* memory.similar: by id, or by a latent, or (without sketches) by the words of a text. */
struct recall_example {
    int64_t id;          /* 0: none. Items like it, itself left out */
    struct slice text;
    const float *latent; /* LATENT_DIM, of an encoder of `kind` */
    enum stream_kind kind;
    struct recall_filter filter;
    uint32_t limit;
};

int recall_similar(struct reader *r, const struct recall_example *q, struct arena *arena,
                   struct recall_items *ret, struct errmsg *err);

/*
 * memory.timeline, in time order. With an id or a time the neighbours of it, as many before as after;
 * else the whole span. Without a stratum: for neighbours that of the id (moments for a time), for a
 * span the finest that fits the limit.
 */
struct recall_timeline_query {
    int64_t id;     /* 0: none */
    int64_t time;   /* TIME_UNKNOWN: none */
    int stratum;    /* 0..STRATA-1, or -1 */
    struct recall_filter filter;
    uint32_t limit; /* 0: 20 with an id or time, else 100 */
};

int recall_timeline(struct reader *r, const struct recall_timeline_query *q, struct arena *arena,
                    struct recall_items *ret, struct errmsg *err);

struct recall_unusual {
    int64_t id; /* the moment it lies in */
    const char *stream;
    int64_t start, end;
    double bits, z, score;
    const char *why;
    uint32_t count; /* how many overlapping spans of its stream were merged into it */
};

struct recall_entity {
    int64_t id;
    const char *kind, *name;
    uint64_t count;      /* mentions */
    uint64_t moments;    /* it appears in; 0 in a list, where it is not counted */
    int64_t first, last; /* event times */
};

/* How much sound or how many pictures a moment holds. */
struct recall_media {
    double seconds;                 /* of sound; between the first frame and the last */
    uint32_t frames, width, height; /* pictures; the size is that of the first */
};

/* memory.open */
struct recall_opened {
    struct recall_item item;
    const char *gist, *body;
    bool body_cut; /* the body was longer than RECALL_BODY_MAX; raw has it all */
    const char *kind;      /* of the stream; NULL above stratum 0 */
    uint64_t seq_first, seq_last, records;
    double bits, bits_max, z;
    const char *path;      /* "latent" or "discrete"; NULL above stratum 0 */
    uint32_t code, model;
    double confidence, tau; /* the router's */
    const char *hash;      /* hex, of the evidence */
    bool pinned, evidence; /* is the evidence still there */
    struct recall_media media; /* of sound or pictures, while the evidence is there */
    struct recall_unusual *unusual;
    uint32_t unusual_count;
    struct recall_entity *entities;
    uint32_t entity_count;
    int64_t before, after; /* neighbours in the stream (or stratum); 0: none */
    int64_t parent;        /* 0: none */
    int64_t *children;     /* at most RECALL_CHILDREN, in time order */
    uint32_t child_count;
};
#define RECALL_BODY_MAX (64u << 10)
#define RECALL_CHILDREN 512

int recall_open(struct reader *r, int64_t id, struct arena *arena, struct recall_opened *ret,
                struct errmsg *err);

/*
 * memory.raw: the records as they came, from the first-th on, as many as fit 4 MiB of payload.
 * A higher stratum has no evidence of its own (ERR_INVALID); one whose evidence was let go: ERR_NOTFOUND.
 */
struct recall_raw {
    int64_t id;
    const char *stream, *kind;
    const struct record *records;
    uint32_t count;
    uint32_t first, total;        /* of the moment's records */
    const char *const *channels;  /* names by index, of a sensor stream */
    uint32_t channel_count;
};

int recall_raw(struct reader *r, int64_t id, uint32_t first, struct arena *arena,
               struct recall_raw *ret, struct errmsg *err);

/* memory.raw as one file: a moment's sound as FLAC, its pictures as AVI of JPEGs or as one JPEG. */
struct recall_file {
    int64_t id;
    const char *stream, *kind;
    const char *type; /* "audio/flac", "video/x-msvideo", "image/jpeg" */
    struct buf data;  /* the caller's, on success: buf_deinit */
};

/* As recall_raw; ERR_UNSUPPORTED for text and sensors. */
int recall_file(struct reader *r, int64_t id, struct arena *arena, struct recall_file *ret,
                struct errmsg *err);

/* predict.surprise: most unusual first, overlapping spans of a stream merged. limit 0: 20. */
int recall_surprise(struct reader *r, const struct recall_filter *filter, uint32_t limit,
                    struct arena *arena, struct recall_unusual **ret, uint32_t *ret_count,
                    struct errmsg *err);

/* entity.list: most often seen first; `kind` and `match` (a part of the name) may be NULL. limit 0: 50. */
int recall_entities(struct reader *r, const char *kind, const char *match, uint32_t limit,
                    struct arena *arena, struct recall_entity **ret, uint32_t *ret_count,
                    struct errmsg *err);

/* A name that lines say is another one's: votes for it less what speaks against it. */
struct recall_same {
    struct recall_entity entity;
    int64_t renamed, beside, against; /* moments; against: days or moments */
    int64_t votes;
    bool merged; /* enough votes: its life is part of this one */
};
#define RECALL_MERGE_VOTES 3

/* A day of an entity's life, or a week of them; days are UTC. */
struct recall_day {
    int64_t start; /* of the day, or of the week's Monday */
    uint64_t moments, count, unusual;
    int64_t first, last;
    int64_t peak;     /* its most unusual moment; 0: none */
    double z;         /* of that one */
    const char *what; /* that one's title; "" when it is no longer known */
};
#define RECALL_LIFE_DAYS 62
#define RECALL_LIFE_WEEKS 260
#define RECALL_LIFE_WITH 12

/*
 * entity.history: what it is by its present name, the other names it is said to have, its days and
 * weeks (newest first), what was met in the same moments, the moments it appears in, in time order,
 * the newest `limit`, and what was stated of it. Days and weeks outlive the moments. Something that
 * is named in facts only has the kind "subject".
 */
struct fact;
struct recall_life {
    struct recall_entity entity; /* counts are those of all that is merged */
    struct recall_same *same;
    uint32_t same_count;
    struct recall_day *days, *weeks;
    uint32_t day_count, week_count;
    struct recall_entity *with;
    uint32_t with_count;
    struct recall_items items;
    struct fact *facts; /* memory/fact.h */
    uint32_t fact_count;
};

/* `name` with or without "kind:" before it; ERR_NOTFOUND. */
int recall_entity_history(struct reader *r, const char *name, const struct recall_filter *filter,
                          uint32_t limit, struct arena *arena, struct recall_life *ret,
                          struct errmsg *err);

/* memory.ask */
struct recall_question {
    struct slice text;
    struct recall_filter filter; /* joined with what the question's time phrases say */
    uint32_t budget;             /* bytes of titles, texts and gists; 0: RECALL_BUDGET_DEFAULT */
    uint32_t limit;              /* items; 0: RECALL_LIMIT_DEFAULT */
    int64_t time_budget;         /* microseconds; 0: 500 ms. Descending stops there */
    const float *latent;         /* encoder_text_query of the text; NULL: words only */
    struct recall_without without;
};

struct recall_answer {
    bool absent;
    double confidence; /* 0..1: how far one piece of evidence covers the question's weight; of an overview
                          the share of streams that recorded anything */
    const char *text;  /* a short plain answer for people, made of the evidence */
    int64_t since, until; /* the span that was searched; TIME_UNKNOWN: open */
    const char *form;  /* how the question was understood: "when", "count", … (question_form_name) */
    int64_t count;     /* how many; -1: not asked for, or not known */
    bool at_least;     /* `count` is a lower bound */
    const char *value; /* what holds or held, as it was recorded; NULL */
    int64_t time;      /* of the event, the last count or the fact; TIME_UNKNOWN */
    struct recall_items items;
    struct recall_record *records; /* what supports it, at most RECALL_RECORDS */
    uint32_t record_count;
    struct recall_unusual *unusual; /* of an overview: the most unusual */
    uint32_t unusual_count;
    const char *const *silent; /* streams that recorded nothing in the span */
    uint32_t silent_count;
    uint64_t spent; /* bytes */
    const char *const *steps;
    uint32_t step_count;
};

int recall_ask(struct reader *r, const struct recall_question *q, struct arena *arena,
               struct recall_answer *ret, struct errmsg *err);

#endif
