/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path: the question's words in order, stop words left out; each pair of a head and a rare
 * word behind it ▸ what stands behind that head in the texts. Sizes: 64 words of the question, the
 * first 512 of a text.
 */
#include "memory/claims.h"

#include <string.h>

#define QUESTION_WORDS 64
#define TEXT_WORDS 512
#define PLAIN_WORDS 256
#define RARE_LEAST 2
#define RARE_SHARE 2000 /* one record of so many: a name, an id, not a word of the language */

/* Words of the language that names are not: a question may use them where no record does. */
static const char plain_words[] =
    "said say tell told because sent send receive received got given gave made make took taken "
    "come "
    "came gone want need use used work kind type sort time recent latest last first next again "
    "still "
    "yet already ever never while during until within without between against upon over under "
    "above "
    "below same other another such many much more less least several few lot own old big small "
    "high "
    "low good bad long short big full empty slow fast wrong right true false new happen happened "
    "occur occurred appear show seen notice noticed report start started begin began stop stopped "
    "end "
    "ended finish finished fail failed break broke run ran turn turned switch switched open opened "
    "close closed go going went put set keep kept hold held bring brought move moved change "
    "changed "
    "add added remove removed lose lost find found cause caused lead led result reach reached "
    "increase "
    "decrease rise rose risen fall fell fallen drop dropped jump jumped grow grew expire expired "
    "renew "
    "restart restarted trip tripped kill killed reset refuse refused accept accepted reject "
    "rejected "
    "record line log message event problem error failure issue warning alarm alert day night week "
    "month year hour minute second morning evening people person thing place number amount value "
    "name "
    "down up on off out in back away";

struct sequence {
    uint64_t *hashes;
    char (*words)[CLAIM_WORD_MAX]; /* NULL: not needed */
    uint32_t count, max;
};

static void take_word(void *arg, const struct word *word)
{
    struct sequence *s = arg;
    if (s->count == s->max)
        return;
    if (s->words) {
        size_t n = word->size < CLAIM_WORD_MAX - 1 ? word->size : CLAIM_WORD_MAX - 1;
        memcpy(s->words[s->count], word->text, n);
        s->words[s->count][n] = '\0';
    }
    s->hashes[s->count++] = word->hash;
}

static bool holds(const struct sequence *s, uint64_t hash)
{
    for (uint32_t i = 0; i < s->count; i++)
        if (s->hashes[i] == hash)
            return true;
    return false;
}

struct place {
    bool bound;             /* a text holds both */
    uint32_t slots, others; /* rare and common words that stand there instead */
};

static void look(const struct words_df *df, uint32_t rare, const struct sequence *text,
                 uint64_t head, uint64_t word, struct place *ret)
{
    bool has_word = holds(text, word);
    for (uint32_t k = 0; k < text->count; k++) {
        if (text->hashes[k] != head)
            continue;
        ret->bound |= has_word;
        if (k + 1 < text->count && words_df_records(df, text->hashes[k + 1]) <= rare)
            ret->slots++;
        else
            ret->others++;
    }
}

bool claims_unsupported(const struct words_df *df, struct slice question, const struct slice *texts,
                        uint32_t count, struct claim *ret)
{
    uint64_t asked_hashes[QUESTION_WORDS], text_hashes[TEXT_WORDS], plain_hashes[PLAIN_WORDS];
    char names[QUESTION_WORDS][CLAIM_WORD_MAX];
    struct sequence asked = {asked_hashes, names, 0, QUESTION_WORDS};
    uint64_t rare = words_df_total_records(df) / RARE_SHARE;
    if (rare < RARE_LEAST)
        rare = RARE_LEAST;
    struct sequence plain = {plain_hashes, NULL, 0, PLAIN_WORDS};
    if (words_each(question, take_word, &asked) ||
        words_each((struct slice){plain_words, sizeof(plain_words) - 1}, take_word, &plain))
        return false;
    for (uint32_t i = 1; i < asked.count; i++) {
        uint64_t head = asked.hashes[i - 1], word = asked.hashes[i];
        struct place place = {0};
        if (words_df_records(df, word) > rare || words_df_rows(df, head) == 0 ||
            holds(&plain, word))
            continue;
        for (uint32_t t = 0; t < count && !place.bound; t++) {
            struct sequence text = {text_hashes, NULL, 0, TEXT_WORDS};
            if (words_each(texts[t], take_word, &text) == 0)
                look(df, (uint32_t)rare, &text, head, word, &place);
        }
        if (place.bound || place.slots == 0 || place.slots <= place.others)
            continue;
        memcpy(ret->head, names[i - 1], CLAIM_WORD_MAX);
        memcpy(ret->word, names[i], CLAIM_WORD_MAX);
        return true;
    }
    return false;
}
