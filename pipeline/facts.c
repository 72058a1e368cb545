/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path: the line is cut at blanks; a cue ("changed from … to", "is now", "has address")
 * divides it into a subject before and a value behind. Failure modes: none; a line without a cue,
 * with an empty side or with a pronoun for a subject states nothing. Sizes: 48 tokens on the stack.
 */
#include "pipeline/facts.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/utf8.h"

#define TOKENS 48
#define VALUE_TOKENS 6
#define SUBJECT_TOKENS 12

struct line {
    struct slice token[TOKENS]; /* without the signs around it */
    bool ends[TOKENS];          /* a sign behind it ends a clause */
    int count;
    bool talk;
};

static bool is(const struct line *l, int i, const char *word)
{
    return i >= 0 && i < l->count && l->token[i].size == strlen(word) &&
           strncasecmp(l->token[i].data, word, l->token[i].size) == 0;
}

static bool is_any(const struct line *l, int i, const char *const *words)
{
    for (; *words; words++)
        if (is(l, i, *words))
            return true;
    return false;
}

static bool has_digit(struct slice s)
{
    for (size_t i = 0; i < s.size; i++)
        if (isdigit((unsigned char)s.data[i]))
            return true;
    return false;
}

static void cut(struct slice text, bool talk, struct line *ret)
{
    static const char quotes[] = "\"'`()[]<>{}";
    ret->count = 0;
    ret->talk = talk;
    for (size_t i = 0; i < text.size && ret->count < TOKENS;) {
        while (i < text.size && isspace((unsigned char)text.data[i]))
            i++;
        size_t from = i;
        while (i < text.size && !isspace((unsigned char)text.data[i]))
            i++;
        size_t end = i;
        bool ends = false;
        while (end > from && strchr(",;:.!?\"'`)]}>", text.data[end - 1]))
            ends |= strchr(",;:.!?", text.data[--end]) != NULL;
        while (from < end && strchr(quotes, text.data[from]))
            from++;
        if (end == from)
            continue;
        ret->token[ret->count] = (struct slice){text.data + from, end - from};
        ret->ends[ret->count++] = ends;
    }
}

/* Appends a word and a blank before it, lower case; false when it does not fit. */
static bool add_word(char *to, size_t room, struct slice word, bool lower)
{
    size_t size = strlen(to);
    if (size + word.size + 2 > room)
        return false;
    if (size)
        to[size++] = ' ';
    for (size_t i = 0; i < word.size; i++)
        to[size + i] = lower ? (char)tolower((unsigned char)word.data[i]) : word.data[i];
    to[size + word.size] = '\0';
    return true;
}

/* The tokens from `first` up to `end` or to where the clause ends. */
static bool take_value(const struct line *l, int first, int end, char *to, size_t room)
{
    static const char *const behind[] = {"because", "since", "by",  "on",    "after",
                                         "due",     "and",   "but", "which", "until",
                                         "for",     "when",  "via", "with",  NULL};
    static const char *const no_value[] = {"not", "no",   "a",  "an",    "the", "being",
                                           "too", "very", "so", "going", "now", NULL};
    int last = first;
    to[0] = '\0';
    if (first >= end || is_any(l, first, no_value))
        return false;
    while (last < end && last < first + VALUE_TOKENS && (last == first || !is_any(l, last, behind)))
        if (l->ends[last++])
            break;
    bool whole = last == end || l->ends[last - 1] || is_any(l, last, behind);
    /* "20.5 degrees": the number is what changes. */
    if (has_digit(l->token[first]) && (last - first <= 2 || !whole))
        last = first + 1;
    else if (!whole)
        return false;
    for (int i = first; i < last; i++)
        if (!add_word(to, room, l->token[i], false))
            return i > first;
    return to[0] != '\0';
}

/* The words before the cue, without what says nothing: levels, articles, helping verbs. */
static bool take_subject(const struct line *l, int end, const char *attribute, char *to,
                         size_t room)
{
    static const char *const nothing[] = {
        "the",   "a",       "an",    "info",   "warn", "warning", "error", "debug", "notice",
        "trace", "is",      "are",   "was",    "were", "has",     "have",  "had",   "been",
        "being", "will",    "now",   "just",   "its",  "by",      "of",    "my",    "our",
        "got",   "finally", "level", "please", "so",   "then",    "note",  "and",   NULL};
    static const char *const pronouns[] = {"it",   "i",     "this",  "that",  "there",      "he",
                                           "she",  "they",  "you",   "we",    "what",       "who",
                                           "here", "which", "these", "those", "everything", NULL};
    int first = 0, words = 0;
    for (int i = 0; i < end; i++) /* a clause of its own: "done; setpoint is 20" */
        if (l->ends[i] && i > 2 && l->talk)
            first = i + 1;
    first = end - first > SUBJECT_TOKENS ? end - SUBJECT_TOKENS : first;
    to[0] = '\0';
    for (int i = first; i < end; i++) {
        struct slice t = l->token[i];
        const char *bracket = memchr(t.data, '[', t.size); /* "sshd[902" */
        if (is_any(l, i, nothing))
            continue;
        if (is_any(l, i, pronouns))
            return false;
        if (bracket)
            t.size = (size_t)(bracket - t.data);
        if (t.size == 0)
            continue;
        if (!add_word(to, room, t, true))
            return false;
        for (size_t k = 0; k < t.size; k++)
            words += isalpha((unsigned char)t.data[k]) || (unsigned char)t.data[k] >= 0x80;
    }
    if (words < 3)
        return false;
    struct slice attr = {attribute, attribute ? strlen(attribute) : 0};
    return attr.size == 0 || strstr(to, attribute) || add_word(to, room, attr, true);
}

/* What a verb says has changed, where the line does not name it. */
static const char *attribute_of(const struct line *l, int verb)
{
    if (is(l, verb, "upgraded") || is(l, verb, "downgraded"))
        return "version";
    if (is(l, verb, "handed") || is(l, verb, "reassigned") || is(l, verb, "transferred"))
        return "owner";
    return is(l, verb, "renamed") ? "name" : NULL;
}

static const char *const change_verbs[] = {
    "changed", "moved",    "upgraded",   "downgraded",  "handed",      "renamed", "switched",
    "updated", "migrated", "reassigned", "transferred", "promoted",    "demoted", "raised",
    "lowered", "set",      "replaced",   "relocated",   "rescheduled", "reset",   NULL};

/* "… changed from A to B", "… moved from address A to B". */
static bool from_to(const struct line *l, int from, struct fact_seen *f)
{
    char attribute[32] = "";
    int verb = from - 1, to = from + 2, old = from + 1;
    while (verb >= 0 && verb >= from - 3 && !is_any(l, verb, change_verbs))
        verb--;
    while (to < l->count && to <= from + 5 && !is(l, to, "to"))
        to++;
    if (verb < 1 || verb < from - 3 || !is(l, to, "to") || to + 1 >= l->count)
        return false;
    if (to - old == 2 && !has_digit(l->token[old]))
        add_word(attribute, sizeof(attribute), l->token[old++], true);
    const char *named = attribute[0] ? attribute : attribute_of(l, verb);
    return take_subject(l, verb, named, f->subject, sizeof(f->subject)) &&
           take_value(l, old, to, f->old, sizeof(f->old)) &&
           take_value(l, to + 1, l->count, f->value, sizeof(f->value)) &&
           strcasecmp(f->old, f->value) != 0;
}

static bool subject_and_value(const struct line *l, int subject_end, const char *attribute,
                              int value, struct fact_seen *f)
{
    return take_subject(l, subject_end, attribute, f->subject, sizeof(f->subject)) &&
           take_value(l, value, l->count, f->value, sizeof(f->value));
}

/* "the door code is 4711", "my landlord is Mr Hansen": a definite thing and a definite value. */
static bool plain_sentence(const struct line *l, int verb)
{
    struct slice value = verb + 1 < l->count ? l->token[verb + 1] : (struct slice){NULL, 0};
    bool definite = is(l, 0, "the") || is(l, 0, "my") || is(l, 0, "our") ||
                    (l->token[0].size > 2 && l->token[0].data[l->token[0].size - 2] == '\'');
    return definite && verb > 1 && verb < 8 && l->count < 16 && value.size &&
           (has_digit(value) || isupper((unsigned char)value.data[0]));
}

/* The value of something that is named: "has address A", "with role R". */
static bool is_attribute(const struct line *l, int i)
{
    static const char *const names[] = {
        "address", "ip",       "role",     "version",  "owner", "name",     "limit",  "setpoint",
        "port",    "mac",      "serial",   "release",  "mode",  "schedule", "group",  "hostname",
        "alias",   "email",    "phone",    "firmware", "size",  "capacity", "target", "threshold",
        "id",      "location", "priority", "timezone", "label", "password", NULL};
    return is_any(l, i, names);
}

static bool word_of(const struct line *l, int i, char *to, size_t room)
{
    to[0] = '\0';
    return add_word(to, room, l->token[i], true);
}

/* States of logs: what is said of a thing once, and again when it is asked. */
static bool log_state(const struct line *l, int i, struct fact_seen *f)
{
    char name[32];
    if ((is(l, i, "has") || is(l, i, "with")) && is_attribute(l, i + 1))
        return word_of(l, i + 1, name, sizeof(name)) && subject_and_value(l, i, name, i + 2, f);
    if (is(l, i, "belongs") && is(l, i + 1, "to"))
        return subject_and_value(l, i, "owner", i + 2, f);
    if ((is(l, i, "owned") && is(l, i + 1, "by")) || (is(l, i, "assigned") && is(l, i + 1, "to")))
        return subject_and_value(l, i, "owner", i + 2, f);
    if (is(l, i, "runs") || is(l, i, "running")) {
        int value = is(l, i + 1, "version") ? i + 2 : i + 1;
        return value < l->count && has_digit(l->token[value]) &&
               memchr(l->token[value].data, '.', l->token[value].size) &&
               subject_and_value(l, i, "version", value, f);
    }
    if ((is(l, i, "starts") && is(l, i + 1, "at")) ||
        ((is(l, i, "scheduled") || is(l, i, "confirmed")) &&
         (is(l, i + 1, "for") || is(l, i + 1, "at"))))
        return subject_and_value(l, i, "time", i + 2, f);
    if (is(l, i, "=") && i > 0 && i <= 3)
        return subject_and_value(l, i, NULL, i + 1, f);
    if (is(l, i, "owner") && i > 2 && i + 2 == l->count)
        return subject_and_value(l, i, "owner", i + 1, f);
    /* "setpoint is 20.5 degrees"; sentences that go on are about something else. */
    return (is(l, i, "is") || is(l, i, "still")) && i + 3 >= l->count &&
           subject_and_value(l, i, NULL, i + 1, f);
}

bool facts_find(struct slice text, bool talk, struct fact_seen *ret)
{
    struct line l;
    *ret = (struct fact_seen){0};
    if (text.size == 0 || text.size > 400 || text.data[text.size - 1] == '?')
        return false;
    cut(text, talk, &l);
    for (int i = 1; i + 1 < l.count; i++) {
        bool found = false;
        ret->old[0] = '\0';
        if (is(&l, i, "from"))
            found = from_to(&l, i, ret);
        else if (is(&l, i, "to") && is_any(&l, i - 1, change_verbs))
            found = subject_and_value(&l, i - 1, attribute_of(&l, i - 1), i + 1, ret);
        else if ((is(&l, i, "is") || is(&l, i, "are")) &&
                 (is(&l, i + 1, "now") || is(&l, i + 1, "currently")))
            found = subject_and_value(&l, i, NULL, is(&l, i + 2, "set") ? i + 4 : i + 2, ret);
        else if (!talk)
            found = log_state(&l, i, ret);
        else if (is(&l, i, "is") && plain_sentence(&l, i))
            found = subject_and_value(&l, i, NULL, i + 1, ret);
        if (found)
            return true;
    }
    return false;
}
