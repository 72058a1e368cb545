/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What recall_ask builds its answer with: the words for people, the budget, the overview of a span.
 * Everything said is taken from the evidence; nothing is made up.
 */
#ifndef VARVE_MEMORY_ANSWER_H
#define VARVE_MEMORY_ANSWER_H

#include "memory/claims.h"
#include "memory/matches.h"
#include "memory/question.h"
#include "memory/search.h"

#define STEPS_MAX 16

struct answering {
    struct reader *r;
    const struct recall_question *q;
    struct reader_filter filter; /* the caller's joined with the question's time phrases */
    bool timed;                  /* a span was asked for */
    const char *said;            /* the time phrase, "" when none */
    struct question question;
    struct question_sense sense;
    bool remarkable;          /* it asks for what was out of the usual */
    struct timephrase phrase; /* of what the question is about; its rest is what to look for */
    int64_t newest;           /* time of the newest record, TIME_UNKNOWN: none */
    struct arena *arena;
    struct recall_answer *out;
    uint64_t left;    /* of the byte budget */
    int64_t deadline; /* on the monotonic clock */
    uint32_t limit;
    struct store_stream *streams;
    uint32_t stream_count;
    const char *steps[STEPS_MAX];
    struct buf text;          /* out->text in the making */
    struct claim unsupported; /* what the question names and the evidence does not; "" none */
};

/* Notes what was done, in plain words. */
void answer_step(struct answering *a, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* "yesterday (2026-11-22 00:00 to 2026-11-23 00:00)", local times; "all of memory" without bounds.
 */
void answer_span(const struct answering *a, struct buf *out);
/* "2026-11-22 03:12", local. */
void answer_time(struct buf *out, int64_t us);
/* "1,204 records" with the plural where it is due. */
void answer_count(struct buf *out, uint64_t n, const char *noun);

/* Words in quotes, cut where they are long. */
void answer_quote(struct buf *out, const char *s, size_t n);
/* A record's text in quotes, without a timestamp of its own: the time stands before it. */
void answer_quote_record(struct buf *out, const struct record *record);
/* "2026-11-22 03:12 syslog: "…"", of the best record, or of the first item when there is none. */
void answer_evidence(struct answering *a, const struct search_result *found);
/* ", 3 days ago" of a time that lies behind now. */
void answer_age(struct answering *a, int64_t time);

/* Takes `size` bytes from the budget; false when they are not there or the time is up. */
bool answer_spend(struct answering *a, size_t size);
/* Fills items' gists, in order, as far as the budget reaches. */
int answer_gists(struct answering *a, struct errmsg *err);
/* Makes the items' shares sum to 1. */
void answer_shares(struct recall_items *items);

/* The texts of the best records, as far as their part of the budget reaches. */
int answer_texts(struct answering *a, const struct search_result *found, struct errmsg *err);

/*
 * How far the evidence covers what the question weighs: the best piece, the second best for
 * agreement, less what the question names and memory never saw. 0..1.
 */
double answer_confidence(struct answering *a, const struct search_result *found);
#define ANSWER_ABSENT_BELOW 0.26

/* The answer to a question that is searched for: what it finds, or that it is absent. */
int answer_content(struct answering *a, struct errmsg *err);

/* Share 0..1 of the question's weight in names that memory never saw. */
double answer_unknown_names(struct answering *a, const struct rank_query *q);
/* Notes a claim of the question that the texts do not support; true: there is one. */
bool answer_unsupported(struct answering *a, const struct slice *texts, uint32_t count);

/* Does somebody speak of what they did, will do or have? Logs hardly ever say "I". */
bool answer_is_told(struct slice text);

/* Room for the caller's limit of items and for `records` records. */
int answer_room(struct answering *a, uint32_t records, struct errmsg *err);
/* Adds an item, or its share to that of the same; none when the limit or the budget is reached. */
int answer_add_item(struct answering *a, int64_t id, double share, const char *through,
                    struct errmsg *err);
/* Adds a record; its text as far as the budget reaches. */
int answer_add_record(struct answering *a, int64_t moment, int64_t stream_id,
                      const struct record *from, double score, struct errmsg *err);
#define ANSWER_MATCHES 12 /* matches that are shown: the first and the last ones */
/* Shows the matches from the newest, or the oldest, on. */
int answer_matches(struct answering *a, const struct matches *found, bool newest,
                   struct errmsg *err);
/* "2026-11-22 03:12 syslog: "…"". */
void answer_match(struct answering *a, const struct match *m);
/* Confidence of all matches together: their coverage, less where one stands alone. */
double answer_agreement(const struct matches *found);
/* Is there something that matches, and is it what the question names? */
bool answer_supported(struct answering *a, const struct matches *found);

/* Each: 0 answered; 1 when nothing is found its way: then it is searched for. */
int answer_how_often(struct answering *a, struct errmsg *err);
int answer_first_or_last(struct answering *a, struct errmsg *err);
int answer_state(struct answering *a, struct errmsg *err);
int answer_changed(struct answering *a, struct errmsg *err);
int answer_usual(struct answering *a, struct errmsg *err);
int answer_normal(struct answering *a, struct errmsg *err);
/* What was remarkable about something in a span. */
int answer_topic(struct answering *a, struct errmsg *err);
/* What came before or after it, on all streams. */
int answer_around(struct answering *a, struct errmsg *err);
/* What microphones heard and cameras saw; what else there was then. */
int answer_sensed(struct answering *a, struct errmsg *err);
int answer_meanwhile(struct answering *a, struct errmsg *err);
/* Narrows `f` to the streams of that kind, of both for 0; false: there is none in it. */
bool answer_media_streams(struct answering *a, enum stream_kind kind, struct reader_filter *f);

/* What each of a->streams has in the span. */
struct stream_sum {
    uint64_t moments, records;
    int64_t usual; /* id of its least surprising moment, 0: none */
    double usual_bits;
};
/* One for each of a->streams, in the scratch arena; counts up to a bound. */
int answer_sums(struct answering *a, struct stream_sum **ret, struct errmsg *err);
/* Is the stream of that name one that was asked for? */
bool answer_asked_for(const struct answering *a, const char *stream);
/* Which of the streams asked for recorded nothing in the span; and says so in the text. */
int answer_silent(struct answering *a, const struct stream_sum *sums, struct errmsg *err);
void answer_name_silent(struct answering *a);

/* The whole answer to a question without content of its own. */
int answer_overview(struct answering *a, struct errmsg *err);

#endif
