/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path: split off the first words, find the last timestamp among them, then walk on over what
 * stands between a timestamp and a message (host, pid, level, [thread], component:) and stop at the
 * first word that is none of these.
 * Failure modes: an unknown header stays in the message, where the template miner learns which of
 * its words vary; a message that looks like a header loses a word or two, the same ones in every
 * line of its kind. Sizes: looks at the first WORDS_MAX words only.
 */
#include "model/log_header.h"

#include <stdint.h>
#include <string.h>

#include "model/wordlist.h"

#define WORDS_MAX 20
#define TIME_WORDS                                                                                 \
    6 /* a timestamp is looked for among so many first words: BGL, HPC and Thunderbird             \
         keep theirs behind a label, a node and a state */
#define BRACKET_MAX 240 /* a thread name or request context in brackets is not longer */

enum word_kind {
    WORD_OTHER,
    WORD_TIME,
    WORD_NUMBER,
    WORD_LEVEL,
    WORD_DASH,      /* "-", "--", ":", "|" alone */
    WORD_BRACKET,   /* [ … ], may hold blanks */
    WORD_COMPONENT, /* ends in a colon */
};

struct word {
    uint32_t at, size, end; /* end: where the next word begins */
    enum word_kind kind;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Among a few signs; a NUL is none of them. */
static bool is_one_of(char c, const char *signs)
{
    while (*signs && *signs != c)
        signs++;
    return *signs != '\0';
}

static size_t digits(const char *s, size_t n)
{
    size_t i = 0;
    while (i < n && is_digit(s[i]))
        i++;
    return i;
}

static const char *const months[] = {
    "Jan",  "Feb",    "Mar",       "Apr",     "May",      "Jun",      "Jul",   "Aug",   "Sep",
    "Sept", "Oct",    "Nov",       "Dec",     "January",  "February", "March", "April", "June",
    "July", "August", "September", "October", "November", "December", NULL,
};
static const char *const weekdays[] = {
    "Mon",     "Tue",       "Wed",      "Thu",    "Fri",      "Sat",    "Sun", "Monday",
    "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday", NULL,
};
static const char *const levels[] = {
    "trace",   "debug", "verbose",   "info",    "information", "notice",   "warn",
    "warning", "error", "err",       "severe",  "fatal",       "critical", "crit",
    "alert",   "emerg", "emergency", "failure", "panic",       "audit",    NULL,
};

bool log_header_is_month(const char *w, size_t n)
{
    return n >= 3 && n <= 9 && w[0] <= 'S' && wordlist_has(months, w, n);
}

bool log_header_is_weekday(const char *w, size_t n)
{
    if (n && w[n - 1] == ',')
        n--;
    return n >= 3 && n <= 9 && w[0] <= 'W' && wordlist_has(weekdays, w, n);
}

/* HH:MM:SS with whatever fraction and zone behind it. */
static bool is_clock(const char *s, size_t n)
{
    size_t h = digits(s, n);
    if (h < 1 || h > 2 || n < h + 6 || s[h] != ':' || !is_digit(s[h + 1]) || !is_digit(s[h + 2]) ||
        s[h + 3] != ':' || !is_digit(s[h + 4]) || !is_digit(s[h + 5]))
        return false;
    for (size_t i = h + 6; i < n; i++)
        if (!is_digit(s[i]) && !is_one_of(s[i], ".,:+-Z"))
            return false;
    return true;
}

/* Bytes of a date at s: 2005-06-03, 2005.6.3, 03/06/2005, 17/06/09, 10/Oct/2000, 20171223; or 0. */
static size_t date_size(const char *s, size_t n)
{
    size_t a = digits(s, n);
    if (a == 8 && (!strncmp(s, "19", 2) || !strncmp(s, "20", 2)) && s[4] <= '1' && s[6] <= '3')
        return 8;
    if ((a != 4 && a != 2 && a != 1) || n < a + 4 || !is_one_of(s[a], "-/."))
        return 0;
    size_t at = a + 1, b = digits(s + at, n - at);
    if (!b && n > at + 3 && log_header_is_month(s + at, 3))
        b = 3;
    if (b < 1 || b > 3 || at + b >= n || s[at + b] != s[a])
        return 0;
    at += b + 1;
    size_t c = digits(s + at, n - at);
    if ((a == 4 && (c == 1 || c == 2)) || (a < 4 && (c == 2 || c == 4)))
        return at + c;
    return 0;
}

bool log_header_is_time(const char *s, size_t n)
{
    if (n && s[0] == '[') {
        s++;
        n--;
    }
    if (n < 5 || !is_digit(s[0]))
        return false;
    while (n && is_one_of(s[n - 1], "],:|"))
        n--;
    if (n < 5 || n > 48)
        return false;
    if (is_clock(s, n))
        return true;
    size_t d = date_size(s, n);
    if (d && d == n)
        return true;
    if (d && n > d + 4 && is_one_of(s[d], "-T_: "))
        return digits(s + d + 1, n - d - 1) == 2 && is_one_of(s[d + 3], ".:");
    return false;
}

/* A file name that carries a full date: nova-api.log.1.2017-05-16_13:53:08. */
static bool holds_date(const char *s, size_t n)
{
    for (size_t i = 0; i + 10 <= n; i++)
        if (is_digit(s[i]) && (!i || !is_digit(s[i - 1])) && digits(s + i, n - i) == 4 &&
            date_size(s + i, n - i) >= 8)
            return true;
    return false;
}

/* Seconds or milliseconds since 1970, between 1995 and 2100; a fraction may follow. */
static bool is_epoch(const char *s, size_t n)
{
    size_t d = digits(s, n);
    if (d != n && s[d] != '.')
        return false;
    if (d == 10 || d == 13)
        return (s[0] == '1' || s[0] == '2' || s[0] == '3') || (s[0] == '9' && d == 9);
    return d == 9 && s[0] >= '8';
}

/* In running text these words are written small; as a level they are not, but in brackets. */
static bool is_level(const char *s, size_t n, bool bracketed)
{
    if (n && s[0] >= 'a' && s[0] <= 'z' && !bracketed)
        return false;
    while (n && is_one_of(s[n - 1], ",:"))
        n--;
    if (n && s[0] == '<' && s[n - 1] == '>') {
        s++;
        n -= 2;
    }
    char low[12];
    if (n < 3 || n >= sizeof low)
        return false;
    if (s[0] >= 'a' && s[0] <= 'z' && !bracketed)
        return false;
    for (size_t i = 0; i < n; i++)
        low[i] = (char)(s[i] | 0x20);
    return wordlist_has(levels, low, n);
}

static bool is_number(const char *s, size_t n)
{
    size_t d = digits(s, n);
    return d && (d == n || (d + 1 == n && (s[d] == ':' || s[d] == ',')));
}

static bool is_bracketed_level(const char *s, size_t n)
{
    return n > 4 && s[0] == '[' && s[n - 1] == ']' && is_level(s + 1, n - 2, true);
}

static enum word_kind kind_of(const char *s, size_t n)
{
    if ((n == 1 && is_one_of(s[0], "-:|")) || (n == 2 && s[0] == '-' && s[1] == '-'))
        return WORD_DASH;
    if (log_header_is_time(s, n) || is_epoch(s, n))
        return WORD_TIME;
    if (is_number(s, n))
        return WORD_NUMBER;
    if (is_bracketed_level(s, n))
        return WORD_LEVEL;
    if (s[0] == '[' && s[n - 1] == ']')
        return WORD_BRACKET;
    if (is_level(s, n, false))
        return WORD_LEVEL;
    if (s[n - 1] == ':' && n > 1 && n <= 128)
        return WORD_COMPONENT;
    return WORD_OTHER;
}

/* Bytes from '[' to its ']', for a bracket with blanks in it; 0 when it does not close. */
static size_t bracket_size(const char *s, size_t n)
{
    int depth = 0;
    if (n > BRACKET_MAX)
        n = BRACKET_MAX;
    for (size_t i = 0; i < n; i++) {
        depth += s[i] == '[';
        if (s[i] == ']' && !--depth)
            return i + 1;
    }
    return 0;
}

static bool bracket_is_time(const char *s, size_t n)
{
    for (size_t i = 1; i < n;) {
        size_t k = i;
        while (k < n && s[k] != ' ' && s[k] != ']')
            k++;
        if (log_header_is_time(s + i, k - i))
            return true;
        i = k + 1;
    }
    /* The kernel's seconds since boot: [   12.345678]. */
    size_t i = 1;
    while (i < n && s[i] == ' ')
        i++;
    size_t d = digits(s + i, n - i);
    return d && i + d + 7 < n && s[i + d] == '.' && digits(s + i + d + 1, n - i - d - 1) == 6;
}

/* The first words of a line; each is looked at when something asks for it. */
struct words {
    const char *line;
    size_t n, next; /* where the word behind the last one begins */
    size_t count;
    struct word list[WORDS_MAX];
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static void split_next(struct words *ws)
{
    const char *line = ws->line;
    size_t i = ws->next, n = ws->n, k = i;
    struct word *w = &ws->list[ws->count++];
    w->at = (uint32_t)i;
    size_t bracket = line[i] == '[' ? bracket_size(line + i, n - i) : 0;
    while (k < n && !is_blank(line[k]))
        k++;
    if (bracket && i + bracket > k) {
        k = i + bracket;
        w->kind = bracket_is_time(line + i, bracket) ? WORD_TIME : WORD_BRACKET;
        while (k < n && !is_blank(line[k]))
            k++;
        if (w->kind == WORD_BRACKET && k != i + bracket)
            w->kind = WORD_OTHER;
    } else {
        w->kind = kind_of(line + i, k - i);
        if (bracket && bracket_is_time(line + i, bracket))
            w->kind = WORD_TIME;
    }
    w->size = (uint32_t)(k - i);
    while (k < n && is_blank(line[k]))
        k++;
    w->end = (uint32_t)k;
    ws->next = k;
}

/* Is there a word `i`? From then on it is in the list. */
static bool has(struct words *ws, size_t i)
{
    while (ws->count <= i && ws->count < WORDS_MAX && ws->next < ws->n)
        split_next(ws);
    return i < ws->count;
}

/* How many words from `i` on are a date with a month's name, as "Jun 14 15:16:01" is; or 0. */
static size_t named_date(struct words *ws, size_t i)
{
    const char *line = ws->line;
    const struct word *w = ws->list;
    size_t at = i;
    if (has(ws, at) && log_header_is_weekday(line + w[at].at, w[at].size))
        at++;
    if (!has(ws, at + 1) || !log_header_is_month(line + w[at].at, w[at].size) ||
        w[at + 1].kind != WORD_NUMBER || w[at + 1].size > 3)
        return 0;
    at += 2;
    size_t from = at;
    for (; at < from + 2 && has(ws, at); at++)
        if (w[at].kind != WORD_TIME && !(w[at].kind == WORD_NUMBER && w[at].size == 4))
            break;
    return at > from ? at - i : 0;
}

static bool is_plain(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (s[i] < 'a' || s[i] > 'z')
            return false;
    return true;
}

/* A number, a dash, an address or a word of three capitals: what stands before a time in a header.
 */
static bool is_label(const char *s, const struct word *w)
{
    bool capitals = w->size >= 3;
    for (size_t i = 0; i < w->size; i++) {
        if (is_digit(s[i]))
            return true;
        capitals &= s[i] >= 'A' && s[i] <= 'Z';
    }
    return capitals || w->kind == WORD_DASH;
}

/* The word behind the last timestamp among the first words; 0 when there is none. */
static size_t behind_time(struct words *ws)
{
    const char *line = ws->line;
    const struct word *w = ws->list;
    size_t last = 0;
    bool labelled = is_label(line + w[0].at, &w[0]);
    for (size_t i = 0; i < last + TIME_WORDS && has(ws, i); i++) {
        if (is_plain(line + w[i].at, w[i].size) && (last || !labelled))
            break; /* this is a sentence */
        size_t named = named_date(ws, i);
        if (named) {
            i += named - 1;
            last = i + 1;
        } else if (w[i].kind == WORD_TIME || (i < 2 && holds_date(line + w[i].at, w[i].size))) {
            last = i + 1;
        } else if (has(ws, i + 1) && w[i + 1].kind == WORD_TIME && w[i].size == 5 &&
                   digits(line + w[i].at, 2) == 2 && is_one_of(line[w[i].at + 2], "-./")) {
            last = i + 2; /* 03-17 16:13:38.811 */
            i++;
        } else if (w[i].kind == WORD_COMPONENT || (last && w[i].kind == WORD_LEVEL)) {
            break; /* a number behind it belongs to the message */
        }
    }
    if (!last && has(ws, 2) && w[0].kind == WORD_NUMBER && w[1].kind == WORD_NUMBER &&
        w[0].size == 6 && w[1].size == 6)
        last = 2; /* 081109 203615 */
    return last;
}

/* sshd[24200]:, su(pam_unix)[21416]:, (com.apple.quicklook[2506]): */
static bool names_process(const char *line, const struct word *w)
{
    const char *s = line + w->at;
    size_t n = w->size;
    if (n < 5 || s[n - 1] != ':')
        return false;
    n--;
    if (s[n - 1] == ')')
        n--;
    if (!n || s[n - 1] != ']')
        return false;
    size_t i = n - 1;
    while (i && is_digit(s[i - 1]))
        i--;
    return i && i < n - 1 && s[i - 1] == '[';
}

/* A letter alone between a pid and a component, as Android writes its levels. */
static bool is_letter_level(struct words *ws, size_t i)
{
    const struct word *w = ws->list;
    return i > 0 && w[i].size == 1 && is_one_of(ws->line[w[i].at], "VDIWEFA") && has(ws, i + 1) &&
           w[i - 1].kind == WORD_NUMBER;
}

static bool is_lettered_dots(const char *s, size_t n)
{
    bool dot = false;
    for (size_t i = 0; i < n; i++) {
        if (!is_alpha(s[i]) && !is_digit(s[i]) && !is_one_of(s[i], "._$-"))
            return false;
        dot |= s[i] == '.';
    }
    return dot;
}

/* Without a time before it "Error" may begin a sentence; ERROR and [error] do not. */
static bool is_certain_level(const char *s, size_t n)
{
    bool capitals = true;
    for (size_t i = 0; i < n; i++)
        capitals &= !(s[i] >= 'a' && s[i] <= 'z');
    return capitals || s[0] == '[' || s[0] == '<';
}

/* What the walk has passed: a timestamp, a level, a number. */
struct seen {
    bool time, level, number;
};

/* An unknown word goes with the header only when something certain follows. *ret_stop: the message
 * is reached. */
static size_t over_unknown(struct words *ws, size_t i, struct seen *seen, bool *ret_stop)
{
    const char *line = ws->line;
    const struct word *w = ws->list;
    enum word_kind next = has(ws, i + 1) ? w[i + 1].kind : WORD_OTHER;
    enum word_kind second = has(ws, i + 2) ? w[i + 2].kind : WORD_OTHER;
    bool columns = w[i].end >= w[i].at + w[i].size + 2; /* blanks pad it to a column */
    *ret_stop = false;
    if (is_letter_level(ws, i)) {
        seen->level = true;
        *ret_stop = second == WORD_DASH && next == WORD_OTHER; /* "chatty  : uid=…" */
        return *ret_stop ? i + 3 : i + 1;
    }
    *ret_stop = true;
    if (seen->level) {
        if (columns && has(ws, i + 1))
            return i + 1; /* Windows: Info   CBS    Loaded … */
        if (next == WORD_BRACKET && is_lettered_dots(line + w[i].at, w[i].size))
            return i + 2; /* OpenStack: INFO nova.virt [req-…] */
        return i;
    }
    for (size_t k = i + 1; k <= i + 2 && has(ws, k); k++)
        if (names_process(line, &w[k]))
            return k + 1;
    for (size_t k = i + 1; k <= i + 3 && has(ws, k); k++) {
        if (w[k].kind == WORD_LEVEL && (k < i + 3 || seen->time)) {
            *ret_stop = false;
            return k;
        }
    }
    if (!seen->time)
        return i;
    if (next == WORD_DASH || second == WORD_DASH) {
        size_t dash = next == WORD_DASH ? i + 1 : i + 2;
        /* program - message; but name - LEVEL - message goes on */
        *ret_stop =
            line[w[dash].at] != '-' || (has(ws, dash + 1) && w[dash + 1].kind != WORD_LEVEL);
        return *ret_stop ? dash + 1 : dash;
    }
    if (next == WORD_COMPONENT && !seen->number && is_alpha(line[w[i + 1].at]))
        return i + 1; /* the host; the component stays, it may already be the message */
    return i;
}

/* A bracket behind a time or a level is a thread or a context, with a component or a dash after it.
 */
static size_t over_bracket(struct words *ws, size_t i, const struct seen *seen)
{
    const struct word *w = ws->list;
    enum word_kind next = has(ws, i + 1) ? w[i + 1].kind : WORD_OTHER;
    if (next == WORD_DASH)
        return i + 2;
    if (!seen->time && (!seen->level || next != WORD_COMPONENT))
        return i;
    return next == WORD_COMPONENT ? i + 2 : i + 1;
}

/* From the word behind the timestamp (or the first one) to the message. */
static size_t walk(struct words *ws, size_t i)
{
    const char *line = ws->line;
    const struct word *w = ws->list;
    struct seen seen = {.time = i > 0};
    while (has(ws, i)) {
        bool columns = w[i].end >= w[i].at + w[i].size + 2;
        bool stop = false;
        if (names_process(line, &w[i]))
            return i + 1;
        switch (w[i].kind) {
        case WORD_NUMBER:
        case WORD_TIME:
            if (seen.level)
                return i;
            seen.number |= w[i].kind == WORD_NUMBER;
            i++;
            break;
        case WORD_DASH:
            i++;
            break;
        case WORD_LEVEL:
            if (!seen.time && !columns && !is_certain_level(line + w[i].at, w[i].size))
                return i;
            seen.level = true;
            i++;
            break;
        case WORD_BRACKET:
            return over_bracket(ws, i, &seen);
        case WORD_COMPONENT:
            /* After a level or a pid it is the component; after a bare time it may be the message.
             */
            return seen.level || seen.number ? i + 1 : i;
        case WORD_OTHER:
            i = over_unknown(ws, i, &seen, &stop);
            if (stop)
                return i;
            break;
        }
    }
    return i;
}

/* 20171223-22:15:29:606|Step_LSC|30002312|message: fields end in bars. Returns 0 when not so. */
static size_t barred(const char *line, size_t n)
{
    const char *bar = memchr(line, '|', n < 40 ? n : 40);
    if (!bar || !log_header_is_time(line, (size_t)(bar - line)))
        return 0;
    size_t at = (size_t)(bar - line) + 1;
    for (size_t i = at; i < n && i < at + 64 && line[i] != ' '; i++)
        if (line[i] == '|')
            at = i + 1;
    return at;
}

size_t log_header_end(const char *line, size_t n)
{
    size_t bars = barred(line, n);
    if (bars)
        return bars;
    struct words ws;
    ws.line = line;
    ws.n = n;
    ws.next = ws.count = 0;
    while (ws.next < n && is_blank(line[ws.next]))
        ws.next++;
    if (!has(&ws, 0))
        return 0;
    size_t from = behind_time(&ws);
    size_t at = walk(&ws, from);
    /* Numbers and dashes alone are no header; something of it must have been certain. */
    if (!from && at) {
        bool certain = false;
        for (size_t i = 0; i < at; i++)
            certain |= ws.list[i].kind == WORD_LEVEL || names_process(line, &ws.list[i]) ||
                       is_letter_level(&ws, i);
        if (!certain)
            return 0;
    }
    return at ? ws.list[at - 1].end : 0;
}
