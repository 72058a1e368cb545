/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path: each word of the query is looked for in every line of the table; the others of its
 * line are its forms. Nothing fails. Sizes: 91 lines of two or three words.
 */
#include "memory/wordforms.h"

#include <string.h>
#include <xxhash.h>

/*
 * As the stemmer leaves them. Words that are at least as often another one ("bit", "bound",
 * "wound") are not here.
 */
static const char *const lines[] = {
    "becom becam",
    "begin began begun",
    "bend bent",
    "bite bitten",
    "bleed bled",
    "blow blew blown",
    "break broke broken",
    "bring brought",
    "build built",
    "burn burnt",
    "bui bought",
    "catch caught",
    "child children",
    "choos chose chosen",
    "come came",
    "deal dealt",
    "dig dug",
    "draw drew drawn",
    "dream dreamt",
    "drink drank drunk",
    "drive drove driven",
    "eat at eaten",
    "fall fell fallen",
    "feed fed",
    "feel felt",
    "fight fought",
    "find found",
    "fly flew flown",
    "foot feet",
    "forget forgot forgotten",
    "freez froze frozen",
    "get got gotten",
    "give gave given",
    "go went gone",
    "grow grew grown",
    "hang hung",
    "hear heard",
    "hide hid hidden",
    "hold held",
    "keep kept",
    "knife knive",
    "know knew known",
    "lai laid",
    "lead led",
    "leav left",
    "lend lent",
    "lose lost",
    "make made",
    "man men",
    "mean meant",
    "meet met",
    "mous mice",
    "pai paid",
    "ride rode ridden",
    "ring rang rung",
    "rise rose risen",
    "run ran",
    "sai said",
    "see saw seen",
    "seek sought",
    "sell sold",
    "send sent",
    "shake shook shaken",
    "shoot shot",
    "show shown",
    "shrink shrank shrunk",
    "sing sang sung",
    "sink sank sunk",
    "sit sat",
    "sleep slept",
    "slide slid",
    "speak spoke spoken",
    "spend spent",
    "stand stood",
    "steal stole stolen",
    "stick stuck",
    "strike struck",
    "swim swam swum",
    "take took taken",
    "teach taught",
    "tear tore torn",
    "tell told",
    "think thought",
    "throw threw thrown",
    "tooth teeth",
    "wake woke woken",
    "wear wore worn",
    "wife wive",
    "win won",
    "woman women",
    "write wrote written",
};

/* The next word of a line from *at on; its size, 0 at the end. */
static size_t next_form(const char *line, size_t *at)
{
    *at += strspn(line + *at, " ");
    return strcspn(line + *at, " ");
}

static bool holds(const char *line, const char *word, size_t size)
{
    size_t at = 0;
    for (size_t n; (n = next_form(line, &at)) > 0; at += n)
        if (n == size && memcmp(line + at, word, n) == 0)
            return true;
    return false;
}

static bool is_asked(const struct words_query *words, uint64_t hash)
{
    for (uint32_t i = 0; i < words->count; i++)
        if (words->words[i].hash == hash)
            return true;
    return false;
}

static void add_forms(const struct words_query *words, uint32_t word, const char *line,
                      struct wordforms *ret)
{
    size_t at = 0;
    for (size_t n; (n = next_form(line, &at)) > 0; at += n) {
        uint64_t hash = XXH3_64bits(line + at, n);
        if (ret->count == WORDFORMS_MAX || n > WORDFORM_SIZE || is_asked(words, hash))
            continue;
        memcpy(ret->forms[ret->count].text, line + at, n);
        ret->forms[ret->count].text[n] = '\0';
        ret->forms[ret->count].size = (uint8_t)n;
        ret->forms[ret->count].word = (uint8_t)word;
        ret->forms[ret->count++].hash = hash;
    }
}

void wordforms_of(const struct words_query *words, struct wordforms *ret)
{
    ret->count = 0;
    for (uint32_t i = 0; i < words->count; i++)
        for (size_t k = 0; k < sizeof(lines) / sizeof(*lines); k++)
            if (!words->words[i].negated &&
                holds(lines[k], words->words[i].text, words->words[i].size))
                add_forms(words, i, lines[k], ret);
}
