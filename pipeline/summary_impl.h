/* SPDX-License-Identifier: Apache-2.0 */
/* What the summary's files share: summary.c finds what was unusual, and summary_text.c,
 * summary_sensor.c, summary_audio.c and summary_video.c word it. */
#ifndef VARVE_PIPELINE_SUMMARY_IMPL_H
#define VARVE_PIPELINE_SUMMARY_IMPL_H

#include "pipeline/summary.h"
#include "pipeline/timeshape.h"

#define UNUSUAL_MAX 8
#define ENTITIES_MAX 48
#define SAME_MAX 8
#define GROUPS_MAX 64
#define FACTS_MAX 12 /* of a moment */
#define WORDS 4096 /* hashed words whose use is counted, a power of two */

/* Text cut to its room at a whole character. */
struct wording {
    char *at;
    size_t size, room; /* room includes the NUL */
};

/* Lines of one template inside the moment. */
struct group {
    uint32_t template_id, count, first, last; /* first, last: indices of records */
    float bits;                         /* mean surprise */
};

struct channel_range {
    char name[CHANNEL_NAME_MAX];
    uint32_t moments;
    double low, high; /* usual: running means of the moments' 5 and 95 % */
};

/* A channel inside the moment. */
struct channel_seen {
    uint16_t channel;
    uint32_t count;
    double least, most, sum;
    double usual_low, usual_high; /* before this moment */
    double away;                  /* how far beyond the usual range, in widths of it */
};

struct summariser {
    enum stream_kind kind;
    const struct encoder *encoder;
    struct timeshape shape;
    struct unusual unusual[UNUSUAL_MAX];
    uint32_t unusual_count;
    struct entity_seen entities[ENTITIES_MAX];
    uint32_t entity_count;
    struct same_seen same[SAME_MAX];
    uint32_t same_count;
    struct tally *tallies; /* text: GROUPS_MAX; sensors: `channel_room`, by order of appearance */
    uint32_t tally_count;
    char gist[GIST_MAX + 1];
    /* text */
    struct group groups[GROUPS_MAX];
    uint32_t group_count;
    struct fact_seen facts[FACTS_MAX];
    uint32_t fact_count;
    bool prose;      /* talk rather than a log: hardly a line is like another */
    uint32_t *words; /* WORDS: lines that held a word of that hash */
    uint64_t lines;
    /* sensors; all of `channel_room`. Of sound the first channel's range is that of loudness. */
    struct channel_range *channels;
    struct channel_seen *seen;
    uint16_t *slots; /* channel to index in `seen` + 1 */
    uint32_t channel_room, seen_count;
    double values[MOMENT_RECORDS];
};

void wording_init(struct wording *w, char *room, size_t size);
void wording_put(struct wording *w, const char *s, size_t n);
void wording_printf(struct wording *w, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Takes back what was written since `size`. */
void wording_cut(struct wording *w, size_t size);
/* HH:MM:SS in local time. */
void wording_time(struct wording *w, int64_t us);
/* "4 min 12 s" */
void wording_span(struct wording *w, int64_t us);

/* Counts one more of it; false when there is no room for another. */
bool entity_add(struct summariser *s, const char *kind, const char *name, size_t n, uint32_t count);

/* Whether enough moments were seen to say what is usual. */
bool range_known(const struct channel_range *usual);
/* One more moment's values, n > 0; their order is changed. */
void range_learn(struct channel_range *usual, double *values, uint32_t n);

void sum_text(struct summariser *s, const struct noted *notes, struct moment *m);
void sum_sensor(struct summariser *s, const struct noted *notes, struct moment *m);
void sum_audio(struct summariser *s, const struct noted *notes, struct moment *m);
void sum_video(struct summariser *s, const struct noted *notes, struct moment *m);
/* The record's first line without its timestamp. */
struct slice line_body(struct summariser *s, const struct record *r);
/* The same with nothing of its header but the process: "sshd: Failed password for root". */
void put_line(struct summariser *s, const struct record *r, struct wording *w);

#endif
