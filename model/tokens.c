/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path: the message's words are cut at blanks; inside a word, runs of letters, digits and the
 * signs that names are made of are either kept or masked as <*> by their shape; a word that is all
 * mask is a value, and neighbouring values are one.
 * Failure modes: none; a shape that is not known stays a literal, and the miner learns that it
 * varies. Sizes: the masks here are what all systems have in common; nothing is fitted to one of
 * them.
 */
#include "model/tokens.h"

#include <string.h>
#include <xxhash.h>

#include "model/log_header.h"
#include "model/wordlist.h"

enum {
    CLASS_SPACE = 1,
    CLASS_DIGIT = 2,
    CLASS_LOWER = 4,
    CLASS_UPPER = 8,
    CLASS_JOIN = 16, /* signs inside names and paths */
    CLASS_HEX = 32,
    CLASS_ALPHA = CLASS_LOWER | CLASS_UPPER,
    CLASS_RUN = CLASS_DIGIT | CLASS_ALPHA | CLASS_JOIN,
};

#define L CLASS_LOWER
#define LH (CLASS_LOWER | CLASS_HEX)
#define U CLASS_UPPER
#define UH (CLASS_UPPER | CLASS_HEX)
#define D (CLASS_DIGIT | CLASS_HEX)
#define J CLASS_JOIN
/* clang-format off */
static const uint8_t class_of[128] = {
    [' '] = CLASS_SPACE, ['\t'] = CLASS_SPACE, ['\r'] = CLASS_SPACE, ['\n'] = CLASS_SPACE,
    ['0'] = D, ['1'] = D, ['2'] = D, ['3'] = D, ['4'] = D, ['5'] = D, ['6'] = D, ['7'] = D, ['8'] = D, ['9'] = D,
    ['a'] = LH, ['b'] = LH, ['c'] = LH, ['d'] = LH, ['e'] = LH, ['f'] = LH,
    ['g'] = L, ['h'] = L, ['i'] = L, ['j'] = L, ['k'] = L, ['l'] = L, ['m'] = L, ['n'] = L, ['o'] = L, ['p'] = L,
    ['q'] = L, ['r'] = L, ['s'] = L, ['t'] = L, ['u'] = L, ['v'] = L, ['w'] = L, ['x'] = L, ['y'] = L, ['z'] = L,
    ['A'] = UH, ['B'] = UH, ['C'] = UH, ['D'] = UH, ['E'] = UH, ['F'] = UH,
    ['G'] = U, ['H'] = U, ['I'] = U, ['J'] = U, ['K'] = U, ['L'] = U, ['M'] = U, ['N'] = U, ['O'] = U, ['P'] = U,
    ['Q'] = U, ['R'] = U, ['S'] = U, ['T'] = U, ['U'] = U, ['V'] = U, ['W'] = U, ['X'] = U, ['Y'] = U, ['Z'] = U,
    ['_'] = J, ['-'] = J, ['.'] = J, ['/'] = J, ['\\'] = J, ['~'] = J, ['@'] = J,
    ['%'] = J, ['$'] = J, ['#'] = J, ['*'] = J, ['+'] = J, ['&'] = J,
};
/* clang-format on */
#undef L
#undef LH
#undef U
#undef UH
#undef D
#undef J

static uint8_t class_at(const char *s)
{
    unsigned char c = (unsigned char)*s;
    return c < sizeof class_of ? class_of[c] : CLASS_LOWER;
}

struct run {
    uint8_t classes;     /* OR over its bytes */
    uint8_t classes_and; /* AND over its letters and digits: CLASS_HEX when all are hex digits */
    uint16_t dots, slashes, letters, digits;
    bool at_sign, backslash;
};

static struct run run_look(const char *s, size_t n)
{
    struct run r = {.classes_and = 0xff};
    for (size_t i = 0; i < n; i++) {
        uint8_t c = class_at(s + i);
        r.classes |= c;
        if (c & (CLASS_ALPHA | CLASS_DIGIT)) {
            r.classes_and &= c;
            r.letters += (c & CLASS_ALPHA) != 0;
            r.digits += (c & CLASS_DIGIT) != 0;
        }
        r.dots += s[i] == '.';
        r.slashes += s[i] == '/';
        r.backslash |= s[i] == '\\';
        r.at_sign |= s[i] == '@' && i && i + 1 < n;
    }
    return r;
}

/* Of a.b.C: is the last label in capitals? Such names are constants, not hosts or classes. */
static bool ends_in_capitals(const char *s, size_t n)
{
    size_t i = n;
    while (i && s[i - 1] != '.')
        if (class_at(s + --i) & CLASS_LOWER)
            return false;
    return n - i >= 2;
}

static bool run_is_value(const char *s, size_t n, const struct run *r)
{
    if (r->digits)
        return true;
    if (!r->letters)
        return false;
    if (n > 1 && (s[0] == '/' || s[0] == '\\' || (s[0] == '~' && s[1] == '/')))
        return true;
    if (r->slashes >= 2 || r->at_sign || (r->backslash && n > 3))
        return true;
    if (r->dots >= 2)
        return !ends_in_capitals(s, n);
    /* Eight hex digits are no word, though all of them be letters. */
    return n >= 8 && r->letters == n && (r->classes_and & CLASS_HEX);
}

/* A value's unit, which is folded into it: "5.2 KB", "30 seconds", "<1 sec". */
static bool is_unit(const char *s, size_t n)
{
    static const char *const units[] = {
        "B",       "KB",  "MB",   "GB",     "TB",      "KiB",          "MiB",          "GiB",
        "TiB",     "kB",  "K",    "M",      "G",       "ns",           "us",           "ms",
        "s",       "sec", "secs", "second", "seconds", "min",          "mins",         "minute",
        "minutes", "h",   "hr",   "hrs",    "hour",    "hours",        "day",          "days",
        "MHz",     "GHz", "kHz",  "Hz",     "%",       "milliseconds", "microseconds", NULL,
    };
    while (n && strchr(".,;:)]>", s[n - 1]))
        n--;
    return n <= 12 && wordlist_has(units, s, n);
}

/* Words that stand for "no value" or for one of two, behind a '=' or a '('. */
static bool is_default(const char *s, size_t n)
{
    static const char *const words[] = {
        "null", "NULL", "none", "None", "nil", "true", "false", "True", "False", "yes", "no", NULL,
    };
    return wordlist_has(words, s, n);
}

/* Plain decimal numbers only: ids of more than 12 digits, hex and versions say nothing by their
 * size. */
static bool run_number(const char *s, size_t n, const struct run *r, double *ret)
{
    if (!r->digits || r->digits > 12 || r->dots > 1 || n > 20)
        return false;
    char copy[24];
    memcpy(copy, s, n);
    copy[n] = 0;
    size_t i = copy[0] == '-' || copy[0] == '+';
    if (!(class_at(copy + i) & CLASS_DIGIT))
        return false;
    if (copy[i] == '0' && (class_at(copy + i + 1) & (CLASS_DIGIT | CLASS_ALPHA)))
        return false; /* 0x1f, 00590 */
    double scale = 1, value = 0;
    bool fraction = false;
    for (; i < n && ((class_at(copy + i) & CLASS_DIGIT) || (copy[i] == '.' && !fraction)); i++) {
        if (copy[i] == '.') {
            fraction = true;
            continue;
        }
        value = value * 10 + (copy[i] - '0');
        scale *= fraction ? 10 : 1;
    }
    /* What is left may be a unit of up to three letters, or a per cent sign. */
    if (n - i > 3)
        return false;
    for (; i < n; i++)
        if (!(class_at(copy + i) & CLASS_ALPHA) && copy[i] != '%')
            return false;
    *ret = (copy[0] == '-' ? -value : value) / scale;
    return true;
}

struct scanner {
    const char *line;
    size_t n;
    struct tokens *out;
    bool full; /* no more room for masked text */
};

static void put(struct scanner *sc, const char *s, size_t n)
{
    struct tokens *out = sc->out;
    if (out->masked_size + n > sizeof out->masked) {
        sc->full = true;
        return;
    }
    memcpy(out->masked + out->masked_size, s, n);
    out->masked_size += (uint32_t)n;
}

/* The size of the quoted value behind a '=' at s, blanks included; 0 when it is not closed soon. */
static size_t quoted_size(const char *s, size_t n)
{
    size_t most = n < 96 ? n : 96;
    for (size_t i = 1; i < most; i++)
        if (s[i] == s[0])
            return i + 1;
    return 0;
}

struct word_state {
    bool value, letters, lower, name;
    uint16_t capitals;
    size_t text;    /* start in masked */
    bool joins;     /* the masked text ends in <*> or <*>sign: the next value joins it */
    size_t join_at; /* masked_size right behind that <*> */
};

static void word_value(struct scanner *sc, struct word_state *w)
{
    if (w->joins) {
        sc->out->masked_size = (uint32_t)w->join_at;
    } else {
        put(sc, "<*>", 3);
        w->join_at = sc->out->masked_size;
    }
    w->value = true;
    w->joins = true;
}

static void word_literal(struct scanner *sc, struct word_state *w, const char *s, size_t n,
                         const struct run *r)
{
    put(sc, s, n);
    w->joins = false;
    if (!r->letters)
        return;
    w->lower |= (r->classes & CLASS_LOWER) != 0;
    w->capitals += (uint16_t)(r->letters);
    if (r->letters != n)
        w->name = true;
    for (size_t i = 1; i < n && !w->name; i++)
        w->name = (class_at(s + i) & CLASS_UPPER) && (r->classes & CLASS_LOWER);
    w->letters = true;
}

/* One run of name signs at s; returns its size with what belongs to it cut off. */
static size_t run_size(const char *s, size_t n)
{
    size_t k = 0;
    while (k < n && (class_at(s + k) & CLASS_RUN)) {
        if (k && s[k] == '.' && k + 1 < n && s[k + 1] == '.')
            break;
        k++;
    }
    while (k > 1 && (s[k - 1] == '.' || s[k - 1] == '-') &&
           !(k < n && (class_at(s + k) & CLASS_RUN)))
        k--;
    return k;
}

static bool is_named_date(const char *s, size_t n, const char *behind, size_t left)
{
    size_t i = 0;
    while (i < left && behind[i] == ' ')
        i++;
    if (!i || i == left)
        return false;
    if (log_header_is_month(s, n))
        return class_at(behind + i) & CLASS_DIGIT;
    return log_header_is_weekday(s, n) && left - i > 3 && log_header_is_month(behind + i, 3);
}

/* Is the last token a '=' alone, as in "visible = false"? */
static bool is_set_apart(const struct tokens *t)
{
    const struct token *last = t->count ? &t->token[t->count - 1] : NULL;
    return last && last->text_size == 1 && t->masked[last->text] == '=';
}

/* One run of name signs: a value or letters. */
static void scan_run(struct scanner *sc, struct word_state *w, size_t i, size_t k, size_t at,
                     size_t end, struct token *t)
{
    const char *line = sc->line;
    struct run r = run_look(line + i, k);
    bool dated = !w->value && r.letters == k && is_named_date(line + i, k, line + end, sc->n - end);
    bool port = r.dots && i + k + 1 < end && line[i + k] == ':' &&
                (class_at(line + i + k + 1) & CLASS_DIGIT); /* google.com:80 */
    bool set = i == at ? is_set_apart(sc->out) : line[i - 1] == '=' || line[i - 1] == '(';
    if (!dated && !port && !(set && is_default(line + i, k)) && !run_is_value(line + i, k, &r)) {
        word_literal(sc, w, line + i, k, &r);
        return;
    }
    if (!t->number)
        t->number = run_number(line + i, k, &r, &t->value);
    word_value(sc, w);
}

static enum token_kind kind_of(const struct word_state *w, const struct token *t, const char *s)
{
    bool empty = t->size == 2 && strchr("([{", s[0]) && strchr(")]}", s[1]);
    if (w->value || empty)
        return w->letters ? TOKEN_MIXED : TOKEN_VALUE;
    if (!w->letters)
        return TOKEN_SIGN;
    if (t->key)
        return TOKEN_KEYED;
    if (!w->lower && w->capitals >= 3)
        return TOKEN_CAPS;
    return w->name ? TOKEN_NAME : TOKEN_WORD;
}

/* Masks the word at line[at..end) into token `t`; returns the end, moved when a quoted value
 * reaches on. */
static size_t scan_word(struct scanner *sc, size_t at, size_t end, struct token *t)
{
    const char *line = sc->line;
    struct word_state w = {.text = sc->out->masked_size};
    *t = (struct token){.at = (uint16_t)at, .text = (uint16_t)w.text};
    for (size_t i = at; i < end;) {
        if (line[i] == '=' && !t->key && w.letters) {
            t->key =
                (uint32_t)XXH3_64bits(sc->out->masked + w.text, sc->out->masked_size - w.text) | 1;
            put(sc, "=", 1);
            w.joins = false;
            i++;
            size_t quoted = i < end && line[i] == '"' ? quoted_size(line + i, sc->n - i) : 0;
            if (quoted || i >= end)
                word_value(sc, &w); /* tag="View Lock", rhost= */
            i += quoted;
            for (end = i > end ? i : end; quoted && end < sc->n; end++)
                if (class_at(line + end) & CLASS_SPACE)
                    break;
        } else if (!(class_at(line + i) & CLASS_RUN) ||
                   (line[i] == '.' && i + 1 < end && line[i + 1] == '.')) {
            /* Signs, and dots that lead to a value: "instruction......0". */
            put(sc, line + i, 1);
            w.joins = w.joins && strchr(":,;=", line[i]);
            i++;
        } else {
            size_t k = run_size(line + i, end - i);
            scan_run(sc, &w, i, k, at, end, t);
            i += k;
        }
    }
    t->size = (uint16_t)(end - at);
    t->text_size = (uint16_t)(sc->out->masked_size - w.text);
    t->kind = (uint8_t)kind_of(&w, t, line + at);
    return end;
}

void tokens_scan(const char *line, size_t n, struct tokens *ret)
{
    ret->count = 0;
    ret->masked_size = 0;
    if (n > TOKENS_LINE_MAX)
        n = TOKENS_LINE_MAX;
    ret->message = (uint32_t)log_header_end(line, n);
    struct scanner sc = {.line = line, .n = n, .out = ret};
    uint64_t hash = 0;
    struct token *last = NULL;
    for (size_t i = ret->message; i < n && ret->count < TOKENS_MAX && !sc.full;) {
        if (class_at(line + i) & CLASS_SPACE) {
            i++;
            continue;
        }
        size_t end = i;
        while (end < n && !(class_at(line + end) & CLASS_SPACE))
            end++;
        if (last && last->kind == TOKEN_VALUE && last->number && is_unit(line + i, end - i)) {
            last->size = (uint16_t)(end - last->at);
            i = end;
            continue;
        }
        struct token *t = &ret->token[ret->count];
        size_t text = ret->masked_size;
        i = scan_word(&sc, i, end, t);
        if (sc.full) {
            ret->masked_size = (uint32_t)text;
            break;
        }
        if (last && last->kind == TOKEN_VALUE && t->kind == TOKEN_VALUE) {
            if (!last->number) {
                last->number = t->number;
                last->value = t->value;
            }
            last->size = (uint16_t)(t->at + t->size - last->at);
            ret->masked_size = (uint32_t)text;
            continue;
        }
        t->hash = t->kind == TOKEN_VALUE
                      ? 1
                      : (uint32_t)XXH3_64bits(ret->masked + t->text, t->text_size) | 2;
        hash = (hash ^ t->hash) * 0x9e3779b97f4a7c15u;
        hash ^= hash >> 29;
        last = t;
        ret->count++;
    }
    ret->hash = hash;
}
