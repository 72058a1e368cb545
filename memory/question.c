/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A form is a pattern over the question's first words: blanks separate places, | alternatives, a
 * leading ? makes a place optional. The first form that matches counts, so longer ones stand
 * first. Some words that belong to the form stand later ("how many … were there"); they are cut by
 * the tails. Nothing fails: what no form takes is plain.
 */
#include "memory/question.h"

#include <string.h>
#include <strings.h>

#include "base/error.h"
#include "base/utf8.h"

#define TOKENS_MAX 64
#define GAPS " \t\n?!,;\"'"

struct token {
    const char *s;
    size_t size;
    bool cut;
};

struct parser {
    struct token tokens[TOKENS_MAX];
    int count;
};

static const struct form {
    const char *pattern;
    enum question_kind kind;
    bool cause;
} forms[] = {
    {"what|which ?event|events ?else has|had|have ?come|happened ?just|right|immediately before",
     QUESTION_BEFORE, false},
    {"what ?event|else came|comes|happened|happens|occurred|was|is|went ?on "
     "?just|right|immediately|directly|shortly|soon before",
     QUESTION_BEFORE, false},
    {"what ?event preceded|precedes", QUESTION_BEFORE, false},
    {"what led|leads ?up to", QUESTION_BEFORE, true},
    {"what ?has caused|causes|triggered|triggers", QUESTION_BEFORE, true},
    {"why did|do ?we|i|you get|got|see|have|receive", QUESTION_BEFORE, true},
    {"why did|was|were|is|are|has|had|does|do", QUESTION_BEFORE, true},
    {"what ?event|else came|comes|happened|happens|occurred|was|is|went ?on|next "
     "?just|right|immediately|directly|shortly|soon after",
     QUESTION_AFTER, false},
    {"what ?event followed|follows", QUESTION_AFTER, false},
    {"what has|have|had ?been changed", QUESTION_CHANGED, false},
    {"what changed|changes", QUESTION_CHANGED, false},
    {"what was|is different|new", QUESTION_CHANGED, false},
    {"since when has|have|is|are|was|does|do|did", QUESTION_WHEN, false},
    {"how often was|were|is|are|has|have|had|did|does|do|can|could ?there ?we|i|you "
     "?see|seen|get|have",
     QUESTION_COUNT, false},
    {"how often", QUESTION_COUNT, false},
    {"what|which was|is|were the ?most|very last|latest|recent|first|earliest time|occasion|day "
     "?that|of|when|on ?we|i|there ?was|were|saw|had ?a|an|the",
     QUESTION_WHEN, false},
    {"how often|many ?times was|is it that ?there ?was|were ?a|an|the", QUESTION_COUNT, false},
    {"how many times was|were|is|are|has|have|had|did|does|do ?there ?we|i|you ?see|seen|get|have",
     QUESTION_COUNT, false},
    {"how many times", QUESTION_COUNT, false},
    {"how many", QUESTION_AMOUNT, false},
    {"?what|whats|what's ?is|was the ?total number|count of", QUESTION_COUNT, false},
    {"count ?the ?number ?of", QUESTION_COUNT, false},
    {"what is|was|are|were|'s the|our usual|normal|typical|average|ordinary", QUESTION_USUAL,
     false},
    {"what's the|our usual|normal|typical|average|ordinary", QUESTION_USUAL, false},
    {"how high|low|much|warm|cold is|are ?the ?our usually|normally|typically", QUESTION_USUAL,
     false},
    {"when|at|on|what|which ?what|which ?time|day|date was|is|did the ?most|very "
     "last|latest|recent|first|earliest time "
     "?that ?we|i ?saw|had|there ?was|were ?a|an|the",
     QUESTION_WHEN, false},
    {"when does|do", QUESTION_STATE, false},
    {"when ?exactly did|was|were|has|have|had|is ?we|i|you ?see|seen|get|have", QUESTION_WHEN,
     false},
    {"when", QUESTION_WHEN, false},
    {"at what time|times does|do", QUESTION_STATE, false},
    {"?at|on what|which time|day|date did|was|were|has|had ?we|i|you ?see|seen|get|have",
     QUESTION_WHEN, false},
    {"did|have|has|had ?we|i|you|anyone ?see|seen|get|got|have", QUESTION_EXISTS, false},
    {"was|were|is|are there ?ever ?any|a|an", QUESTION_EXISTS, false},
    {"has|have there ?ever been ?any|a|an", QUESTION_EXISTS, false},
    {"was|were|is|are|does|do", QUESTION_EXISTS, false},
    {"?to|in|from|on|at|after|with|for|by what|which|who|whose|where|whom", QUESTION_STATE, false},
};

/* Words that end a question of a form and say nothing of what it is about. */
static const struct tail {
    enum question_kind kind;
    const char *pattern;
} tails[] = {
    {QUESTION_AMOUNT, "were|are|was|have|had|has there|happened|been ?been"},
    {QUESTION_AMOUNT, "did|do|have|had we|i|you see|seen|get|got|have|had|receive|count"},
    {QUESTION_AMOUNT, "happened|occurred"},
    {QUESTION_AMOUNT, "in all|total"},
    {QUESTION_AMOUNT, "altogether|overall"},
    {QUESTION_COUNT, "were|are|was there"},
    {QUESTION_COUNT, "in all|total"},
    {QUESTION_COUNT, "altogether|overall|happen|happened|occur|occurred"},
    {QUESTION_WHEN, "happen|happened|occur|occurred"},
    {QUESTION_STATE, "now|currently|presently"},
    {QUESTION_STATE, "at present"},
    {QUESTION_STATE, "at the moment"},
    {QUESTION_STATE, "right now"},
};

const char *question_form_name(enum question_kind kind)
{
    static const char *const names[] = {"plain",   "when",   "count", "count", "before", "after",
                                        "changed", "normal", "usual", "state", "exists"};
    return names[kind];
}

static void tokenize(struct slice text, struct parser *p)
{
    const char *s = text.data, *end = text.data + text.size;
    p->count = 0;
    while (s < end && p->count < TOKENS_MAX) {
        while (s < end && strchr(GAPS, *s) && *s)
            s++;
        const char *from = s;
        while (s < end && !(strchr(GAPS, *s) && *s))
            s++;
        size_t size = (size_t)(s - from);
        while (size > 1 && from[size - 1] == '.')
            size--;
        if (size)
            p->tokens[p->count++] = (struct token){from, size, false};
    }
}

/* Is the token one of the place's alternatives? */
static bool is_one_of(const struct token *t, const char *place, size_t size)
{
    for (const char *end = place + size; place < end;) {
        size_t n = 0;
        while (place + n < end && place[n] != '|')
            n++;
        if (n == t->size && strncasecmp(place, t->s, n) == 0)
            return true;
        place += n + 1;
    }
    return false;
}

/* How many tokens from `at` on the pattern takes; 0: it does not match. */
static int match(const struct parser *p, int at, const char *pattern)
{
    int i = at;
    while (*pattern) {
        size_t n = strcspn(pattern, " ");
        bool optional = *pattern == '?';
        if (i < p->count && !p->tokens[i].cut &&
            is_one_of(&p->tokens[i], pattern + optional, n - optional))
            i++;
        else if (!optional)
            return 0;
        pattern += n + (pattern[n] == ' ');
    }
    return i - at;
}

static void cut(struct parser *p, int from, int count)
{
    for (int i = from; i < from + count; i++)
        p->tokens[i].cut = true;
}

static bool says(const struct parser *p, const char *pattern)
{
    for (int i = 0; i < p->count; i++)
        if (match(p, i, pattern))
            return true;
    return false;
}

/* Cuts the pattern wherever it stands. */
static bool cut_all(struct parser *p, const char *pattern)
{
    bool found = false;
    for (int i = 0; i < p->count; i++) {
        int n = match(p, i, pattern);
        cut(p, i, n);
        found |= n > 0;
    }
    return found;
}

/* "last" and "first" alone; "last week" and "first of May" are times. */
static enum question_which cut_which(struct parser *p)
{
    static const char times[] =
        "night|week|weekend|month|year|hour|day|minute|second|weeks|months|years|hours|days|"
        "minutes|seconds|few|couple|several|half|of|one|two|three|four|five|six|seven|eight|nine|"
        "ten|eleven|twelve|fifteen|twenty|thirty|"
        "monday|tuesday|wednesday|thursday|friday|saturday|sunday|january|february|march|april|"
        "may|june|july|august|september|october|november|december|morning|afternoon|evening";
    for (int i = 0; i < p->count; i++) {
        bool last = match(p, i, "last|latest|recently"), first = match(p, i, "first|earliest");
        if ((!last && !first) || (i + 1 < p->count && match(p, i + 1, times)) ||
            (i + 1 < p->count && p->tokens[i + 1].s[0] >= '0' && p->tokens[i + 1].s[0] <= '9'))
            continue;
        cut(p, i, 1);
        return last ? QUESTION_LAST : QUESTION_FIRST;
    }
    return QUESTION_ANY;
}

/* The text without the cut tokens, what stood between the others kept. */
static void leave(const struct parser *p, struct slice text, char *out)
{
    const char *from = text.data, *end = text.data + text.size;
    size_t n = 0;
    for (int i = 0; i <= p->count; i++) {
        if (i < p->count && !p->tokens[i].cut)
            continue;
        const char *to = i < p->count ? p->tokens[i].s : end;
        for (; from < to; from++)
            if (*from == ' ' ? n && out[n - 1] != ' ' : n || !strchr(GAPS, *from))
                out[n++] = *from;
        if (i < p->count)
            from = p->tokens[i].s + p->tokens[i].size;
    }
    while (n && strchr(GAPS, out[n - 1]))
        n--;
    out[n] = '\0';
}

/* "please tell me" and the like before the question. */
static int skip_manners(struct parser *p)
{
    static const char *const manners[] = {
        "please",       "can|could|would you ?please tell|show|say ?me|us",
        "tell|show me", "do you know|remember|recall",
        "and|so|then",  "i want|need|would to know",
    };
    int at = 0;
    for (size_t k = 0; k < sizeof(manners) / sizeof(*manners); k++) {
        int n = match(p, at, manners[k]);
        cut(p, at, n);
        at += n;
    }
    return at;
}

/* "what was the setpoint", "which version did it run"; not "which file was deleted". */
static bool says_lasting(const struct parser *p)
{
    if (says(p, "own|owns|owned|run|runs|ran|belong|belongs|belonged|use|uses|used|start|starts|"
                "live|lives|lived|work|works|worked|hold|holds|held|set|have|has|had|called|named"))
        return true;
    if (!says(p, "is|are|was|were|am|does|do"))
        return false;
    for (int i = 0; i < p->count; i++) {
        const struct token *t = &p->tokens[i];
        if (t->size > 4 && strncasecmp(t->s + t->size - 2, "ed", 2) == 0)
            return false;
    }
    return true;
}

static void apply(struct parser *p, int at, const struct form *f, struct question *q)
{
    int n = match(p, at, f->pattern);
    enum question_which which = QUESTION_ANY;
    for (int i = at; i < at + n; i++)
        which = match(p, i, "last|latest|recent") ? QUESTION_LAST
                : match(p, i, "first|earliest")   ? QUESTION_FIRST
                                                  : which;
    q->kind = f->kind;
    q->cause = f->cause;
    /* The noun after "which" and "what" is a part of what is asked for, the rest only asks. */
    cut(p, at, n);
    if (q->kind == QUESTION_STATE)
        q->lasts = says_lasting(p);
    for (size_t i = 0; i < sizeof(tails) / sizeof(*tails); i++)
        if (tails[i].kind == f->kind && cut_all(p, tails[i].pattern) && f->kind == QUESTION_AMOUNT)
            q->kind = QUESTION_COUNT;
    /* "at what time did the job start" on a day asks for its schedule. */
    if (q->kind == QUESTION_WHEN && n >= 3 && strncasecmp(p->tokens[at].s, "at", 2) == 0 &&
        says(p, "start|begin|run|open|close|end"))
        q->kind = QUESTION_STATE, q->lasts = true;
    if (q->kind == QUESTION_WHEN) {
        q->which = which ? which : cut_which(p);
        bool since = match(p, at, "since|x") || p->tokens[at].size == 5;
        if ((since && strncasecmp(p->tokens[at].s, "since", 5) == 0) ||
            cut_all(p, "change|changed|switch|switched to|into"))
            q->which = q->which == QUESTION_ANY ? QUESTION_FIRST : q->which;
    }
    if (q->kind == QUESTION_STATE)
        q->which = says(p, "last|latest") ? cut_which(p) : QUESTION_ANY;
}

/* "was … normal", "is … unusual", "anything unusual with …". */
static bool asks_normal(struct parser *p, int at)
{
    if (match(p, at, "what|which|why|when|how"))
        return false;
    if (!match(p, at, "was|were|is|are|did|does|anything|has|have|do"))
        return false;
    return says(p, "normal|normally|abnormal|unusual|unusually|usual|ordinary|strange|odd|ok|okay|"
                   "fine|alright");
}

void question_parse(struct slice text, struct question *ret)
{
    struct parser p;
    text.size = utf8_cut(text.data, text.size, TIMEPHRASE_TEXT_MAX);
    *ret = (struct question){.kind = QUESTION_PLAIN};
    tokenize(text, &p);
    int at = skip_manners(&p);
    if (asks_normal(&p, at)) {
        ret->kind = QUESTION_NORMAL;
    } else {
        for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
            if (!match(&p, at, forms[i].pattern))
                continue;
            apply(&p, at, &forms[i], ret);
            break;
        }
    }
    leave(&p, text, ret->about);
}

#define BESIDE "around|about|during|when|while|at|near ?the ?same ?time|moment ?of|that"

/* Of what a microphone or a camera recorded; all but the first ones may stand anywhere. */
static const struct {
    const char *pattern;
    enum stream_kind kind;
    bool meanwhile;
} sense_forms[] = {
    {"?was|were|did|could ?the ?we|i|you|anybody|microphone ?else heard|hear|record " BESIDE,
     KIND_AUDIO, true},
    {"?was|were|did|could ?the ?we|i|you|anybody|camera ?else seen|see|show|record " BESIDE,
     KIND_VIDEO, true},
    {"?else happened|occurred|was|were ?going ?on when|while|as ?there ?was|were", 0, true},
    {"?the camera ?see|saw|seen|notice|record|show|go|goes|went|get|got", KIND_VIDEO, false},
    {"?in|on|of ?the picture", KIND_VIDEO, false},
    {"?the microphone ?hear|heard|record", KIND_AUDIO, false},
    {"?we|i|you hear|heard", KIND_AUDIO, false},
};

void question_cut_sense(struct question *q, struct question_sense *ret)
{
    struct parser p;
    char out[TIMEPHRASE_TEXT_MAX + 1];
    struct slice text = {q->about, strlen(q->about)};
    *ret = (struct question_sense){0};
    tokenize(text, &p);
    for (size_t i = 0; i < sizeof(sense_forms) / sizeof(*sense_forms); i++) {
        int n = sense_forms[i].meanwhile ? match(&p, 0, sense_forms[i].pattern) : 0;
        cut(&p, 0, n);
        if (n == 0 && (sense_forms[i].meanwhile || !cut_all(&p, sense_forms[i].pattern)))
            continue;
        ret->kind = sense_forms[i].kind;
        ret->meanwhile = sense_forms[i].meanwhile;
        break;
    }
    cut_all(&p, "something|anything|somebody|anybody|someone|anyone");
    leave(&p, text, out);
    memcpy(q->about, out, strlen(out) + 1);
}

/* Words that ask without saying what about. */
static const char generic_words[] =
    "what happened happening going on anything something everything unusual strange odd "
    "interesting "
    "notable remarkable important new news wrong show tell give me us summary summarize overview "
    "event occur report status machine computer system box server here there thing activity miss "
    "please look like up out go went list time today recent most get during see has noticed "
    "anomaly abnormal surprise surprising normal ok okay fine";

/* Words that ask for what was out of the usual, whatever else the question names. */
static const char unusual_words[] =
    "unusual unusually strange strangely odd abnormal anomaly anomalies surprising anything wrong "
    "happened happen went go normal";

static bool holds(const struct words_query *list, uint64_t hash)
{
    for (uint32_t i = 0; i < list->count; i++)
        if (list->words[i].hash == hash)
            return true;
    return false;
}

int question_is_generic(struct slice text, bool *ret)
{
    struct words_query generic, words;
    struct slice all = {generic_words, sizeof(generic_words) - 1};
    *ret = true;
    if (words_query(all, &generic) || words_query(text, &words))
        return ERR_NOMEM;
    for (uint32_t i = 0; i < words.count; i++)
        *ret &= holds(&generic, words.words[i].hash);
    return 0;
}

static bool drop(char *text, const struct words_query *list)
{
    char *out = text;
    bool any = false;
    for (const char *s = text; *s;) {
        size_t gap = strspn(s, GAPS), n = strcspn(s + gap, GAPS);
        struct words_query one;
        bool gone = n > 0 && words_query((struct slice){s + gap, n}, &one) == 0 && one.count == 1 &&
                    holds(list, one.words[0].hash);
        size_t kept = gone ? gap : gap + n;
        memmove(out, s, kept);
        out += kept;
        s += gap + n;
        any |= gone;
    }
    *out = '\0';
    return any;
}

bool question_drop_unusual(char *text)
{
    struct words_query list;
    return words_query((struct slice){unusual_words, sizeof(unusual_words) - 1}, &list) == 0 &&
           drop(text, &list);
}
