/* SPDX-License-Identifier: Apache-2.0 */
/* Between forget.c (phases), forget_plan.c (what goes), forget_texts.c (also where no records are),
 * forget_rows.c (carrying it out), forget_moment.c (parts of moments) and forget_words.c (which
 * words are left). */
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
    FORGET_ENTITY = 5,  /* arg: a struct forget_scope; none: all of it */
    FORGET_CHANNEL = 6, /* FORGET_CHANNEL_ID: its name */
    FORGET_SUMS = 7,    /* marks and nameless channels in a moment's or remainder's sums; arg: id of
                           the only stream */
    FORGET_KIND = 8,
    FORGET_STREAM = 9,
    FORGET_RECOUNT = 10, /* an entity */
    FORGET_FACT = 11,
    FORGET_UNIT = 11,  /* + stratum: a span of the calendar to be made again */
    FORGET_MODEL = 20, /* a stream; the SQL of forget.c knows the number */
};

#define FORGET_CHANNEL_ID(stream, index) ((stream) * CHANNELS_MAX + (index))

/* Where an entity's links go. */
struct forget_scope {
    int64_t stream; /* 0: any */
    int64_t since, until;
};

/* Links of entity ?4 to remainders, and to moments without evidence, of stream ?1 (0: any) in
 * [?2, ?3). Of the others the records are asked. */
#define FORGET_LINKS                                                                               \
    "SELECT l.moment, l.count, m.t_start, m.t_end FROM entity_moment l JOIN moment m ON "          \
    "m.id=l.moment WHERE l.entity=?4 AND m.t_end>=?2 AND m.t_start<?3 AND CASE WHEN m.stratum<0 "  \
    "THEN ?1=0 OR EXISTS (SELECT 1 FROM part p WHERE p.moment=m.id AND p.stream=?1) "              \
    "ELSE m.stratum=0 AND (?1=0 OR m.stream=?1) AND NOT EXISTS "                                   \
    "(SELECT 1 FROM evidence v WHERE v.moment=m.id) END"

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
    unsigned failures;   /* of steps, perhaps for want of room: then a row a step */
    bool merges;         /* the next step puts the index together: deleted words take room in it */
    struct buf channels; /* int64_t, FORGET_CHANNEL_ID: names that go */
    int64_t channels_of; /* the stream whose channels were asked last: */
    bool channels_match; /* one of them holds the pattern */
    struct buf segments; /* int64_t: of the index, when merging began */
    struct buf folded;   /* scratch */
    struct scrub scrub;
    uint64_t residue; /* the keeper's, when nothing was planned */
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
int forget_plan_row(struct store *s, struct forget *f, int what, int64_t id, struct slice arg,
                    struct errmsg *err);
/* What stands beside the records; *at goes from 0 on. STORE_MORE, or 0 when all is planned. */
int forget_plan_texts(struct store *s, struct forget *f, int64_t *at, struct errmsg *err);
/* Streams whose models are to be cleaned of a pattern. */
int forget_plan_models(struct store *s, struct forget *f, struct errmsg *err);
/* Case folding (NFC) of all that is valid UTF-8 in it; other bytes stay. 0 or ERR_NOMEM. */
int forget_fold(struct slice text, struct buf *out);
bool forget_matches(struct forget *f, struct slice text);
/* A text of the row; "" for NULL. */
struct slice forget_column(sqlite3_stmt *q, int at);

/* Takes some records out of a moment, or rewords it. `*ret_all`: all of them go, nothing was done.
 */
int forget_rewrite(struct store *s, struct erased *e, const struct forget_some *some, bool *ret_all,
                   struct errmsg *err);
/* The sums of a moment as it is now. */
int forget_recount(struct store *s, const struct erased *e, struct errmsg *err);
/* Do the unusual runs that sums keep hold the pattern, or do they measure a channel that goes? */
bool forget_sums_match(struct forget *f, struct slice blob, int64_t stream, struct arena *a);
/* Takes these runs, and channels that have no name any more, out of a stream's sums. */
int forget_drop_sums(struct store *s, int64_t id, int64_t stream, struct errmsg *err);
/* Notes words of a record that goes. */
void forget_note_words(struct forget *f, const struct record *r);
/* Drops those that are still in the index; a slice. 0 when it is done. */
int forget_check_words(struct store *s, struct forget *f, struct errmsg *err);

#endif
