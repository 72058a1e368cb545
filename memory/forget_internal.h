/* SPDX-License-Identifier: Apache-2.0 */
/* Between forget.c (phases), forget_plan.c (what goes), forget_moment.c (parts of moments) and
 * forget_words.c (which words are left). */
#ifndef VARVE_MEMORY_FORGET_INTERNAL_H
#define VARVE_MEMORY_FORGET_INTERNAL_H

#include <xxhash.h>

#include "memory/erase_internal.h"
#include "memory/forget.h"
#include "memory/scrub.h"

/* Rows of the table forget, carried out in this order. */
enum forget_what {
    FORGET_PLANNED = 0, /* the plan is complete */
    FORGET_SPAN = 1,
    FORGET_MOMENT = 2,    /* arg: a struct forget_some; none: the whole */
    FORGET_REMAINDER = 3, /* arg: id of the only stream, 8 bytes little-endian */
    FORGET_PAST = 4,
    FORGET_ENTITY = 5,
    FORGET_MARKS = 6, /* of a remainder's sums */
    FORGET_KIND = 7,
    FORGET_STREAM = 8,
    FORGET_RECOUNT = 9, /* an entity */
    FORGET_FACT = 10,
    FORGET_UNIT = 10,  /* + stratum: a span of the calendar to be made again */
    FORGET_MODEL = 20, /* a stream; the SQL of forget.c knows the number */
};

/* Which records of a moment go, by their place; and whether its reasons must be worded anew. */
struct forget_some {
    unsigned char reword;
    unsigned char records[MOMENT_RECORDS / 8];
};

/* What a step changes; a rollback takes it back. */
struct forget_progress {
    enum forget_phase phase;
    int part;   /* of the phase */
    int64_t at; /* where a part goes on */
    bool found; /* the memory or stream that was named */
    struct forget_receipt receipt;
    XXH128_hash_t hash;
    size_t moments, streams, words; /* bytes in the buffers of the same names */
};

struct forget {
    struct forget_selector selector;
    struct buf pattern; /* case folded */
    struct forget_progress now, next;
    int64_t last_moment; /* the highest id when it began; 0: not looked up */
    struct buf moments;  /* int64_t */
    struct buf streams;  /* int64_t */
    struct buf words;    /* struct forget_word */
    uint32_t looked;     /* moments that were looked into for a word */
    bool too_many_words; /* models begin anew */
    struct buf segments; /* int64_t: of the index, when merging began */
    struct buf folded;   /* scratch */
    struct scrub scrub;
};

/* A word of a record that goes. */
struct forget_word {
    uint64_t hash;
    unsigned char size;
    char text[WORD_MAX];
};

/* Carries out rows of the plan for a while; 0 when none is left. */
int forget_carry_out(struct store *s, struct forget *f, struct errmsg *err);
/* Notes that records of a stream went. */
int forget_touch_stream(struct store *s, struct forget *f, int64_t stream, struct errmsg *err);

/* Adds a row to the plan, unless it is there. */
int forget_note(struct store *s, int what, int64_t id, struct slice arg, struct errmsg *err);
/* Notes that spans above what starts at `t` in `stratum` are to be made again. */
int forget_note_above(struct store *s, int stratum, int64_t t, struct errmsg *err);

/* A slice of planning; 0 when it is complete. */
int forget_plan(struct store *s, struct forget *f, struct errmsg *err);
/* Case folding; the pattern's own. 0 or ERR_NOMEM. */
int forget_fold(struct slice text, struct buf *out);
bool forget_matches(struct forget *f, struct slice text);

/* Takes some records out of a moment, or rewords it. `*ret_all`: all of them go, nothing was done.
 */
int forget_rewrite(struct store *s, struct erased *e, const struct forget_some *some, bool *ret_all,
                   struct errmsg *err);
/* The sums of a moment as it is now. */
int forget_recount(struct store *s, const struct erased *e, struct errmsg *err);
/* Do the unusual runs that sums keep hold the pattern? */
bool forget_marks_match(struct forget *f, struct slice blob, struct arena *a);
/* Takes these runs out of a stream's sums in a remainder. */
int forget_drop_marks(struct store *s, int64_t id, int64_t stream, struct errmsg *err);
/* Notes words of a record that goes. */
void forget_note_words(struct forget *f, const struct record *r);
/* Drops those that are still in the index; a slice. 0 when it is done. */
int forget_check_words(struct store *s, struct forget *f, struct errmsg *err);

#endif
