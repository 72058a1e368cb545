/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A line of text as the template miner sees it: tokens with what varies masked by its shape
 * (numbers, addresses, paths, ids, dates), and the entities the pipeline wants from it. No state,
 * no allocation; any thread. Input is UTF-8; other bytes are harmless.
 */
#ifndef VARVE_MODEL_TOKENS_H
#define VARVE_MODEL_TOKENS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/record.h"

#define TOKENS_MAX 64        /* tokens of a line; what follows is not looked at */
#define TOKENS_LINE_MAX 4096 /* bytes of a line that are looked at */
#define TOKENS_MASKED_MAX 1024

enum token_kind {
    TOKEN_VALUE = 1, /* nothing but masked values and signs */
    TOKEN_WORD,      /* letters only */
    TOKEN_CAPS,      /* three or more letters, all capitals: a state, a command */
    TOKEN_NAME,      /* letters, written like an identifier: camelCase, under_scores, dots.in.it */
    TOKEN_KEYED,     /* key=word */
    TOKEN_MIXED,     /* letters and masked values: rhost=<*>, (uid=<*>) */
    TOKEN_SIGN,      /* neither letters nor values */
};

struct token {
    uint16_t at, size;        /* in the line; of a run of values, the whole run */
    uint16_t text, text_size; /* masked text, in tokens.masked */
    uint32_t hash;            /* of the masked text; one and the same for every TOKEN_VALUE */
    uint32_t key;             /* hash of what stands before the first '=', 0 when there is none */
    uint8_t kind;             /* enum token_kind */
    bool number;              /* a plain decimal number stands in it: `value` */
    double value;             /* finite; of the first such number */
};

struct tokens {
    uint32_t count;
    uint32_t message;     /* offset of the message in the line */
    uint32_t masked_size; /* bytes of `masked` in use */
    uint64_t hash;        /* of all masked tokens */
    struct token token[TOKENS_MAX];
    char masked[TOKENS_MASKED_MAX];
};

void tokens_scan(const char *line, size_t n, struct tokens *ret);

/*
 * The entities named in a line (header included), each once, with its count: kinds address, path,
 * host, process, user, email, uuid. Returns how many of at most `max` were written.
 */
int tokens_entities(const char *line, size_t n, struct entity_seen *ret, int max);
/* Which names are said to be one thing. Returns how many of at most `max` were written. */
int tokens_same(const char *line, size_t n, struct same_seen *ret, int max);

#endif
