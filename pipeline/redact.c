/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path: a line without secrets is passed over once, three bytes at a time through a bit table
 * of how every rule begins; nothing is copied. Where the table hits, the rules that begin so are
 * tried. In doubt the rules lean towards taking out what stands where a secret would, except for
 * words that are known not to be one (null, masks, paths after PWD=). Failure modes: memory only;
 * text of any shape is allowed. Sizes: 4 KiB of table; the copies grow to the longest record that
 * held a secret.
 */
#include "pipeline/redact.h"

#include <ctype.h>
#include <regex.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"

#define MASK "[redacted]"
#define PATTERNS_MAX 64
#define RULES_MAX 64
#define KEY_LINES_MAX 200 /* lines of a private key after its BEGIN line */

struct redactor {
    bool defaults;
    uint64_t count;
    uint32_t key_lines;         /* > 0: the body of a private key may follow, line by line */
    uint32_t starts[1024];      /* bit of three bytes' low five bits each */
    uint16_t hashes[RULES_MAX]; /* the same of each rule's start */
    regex_t patterns[PATTERNS_MAX];
    uint32_t pattern_count;
    struct buf spare, flat;
};

/* Part of the text that is to go. */
struct cut {
    size_t from, to;
};

struct rule {
    const char *start; /* at least three bytes, letters in any case */
    bool (*match)(const char *s, size_t n, size_t at, size_t len, struct cut *ret);
};

static uint32_t fold(uint32_t h, char c)
{
    return (h << 5 | ((unsigned char)c & 31)) & 0x7fff;
}

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

static bool begins(const char *s, size_t n, size_t at, const char *what)
{
    size_t len = strlen(what);
    return n - at >= len && strncasecmp(s + at, what, len) == 0;
}

static size_t skip_blanks(const char *s, size_t n, size_t at)
{
    while (at < n && (s[at] == ' ' || s[at] == '\t'))
        at++;
    return at;
}

/* ---- values behind a key --------------------------------------------------------------------- */

/* Where a value in quotes ends; `escaped` when the quotes themselves are (JSON inside JSON). */
static size_t quoted_end(const char *s, size_t n, size_t at, char quote, bool escaped)
{
    for (size_t i = at; i < n; i++) {
        if (s[i] == '\\' && i + 1 < n) {
            if (escaped && s[i + 1] == quote)
                return i;
            i++;
        } else if (s[i] == quote && !escaped) {
            return i;
        }
    }
    return n;
}

/* Whether the text at a separator goes on with another key: "a=b,host=c", "a=b&c=d", "a: b, …". */
static bool next_key(const char *s, size_t n, size_t at)
{
    size_t i = at + 1;
    if (i >= n || isspace((unsigned char)s[i]) || s[i] == '"' || s[i] == '\'')
        return true;
    while (i < n && (is_word(s[i]) || s[i] == '-' || s[i] == '.'))
        i++;
    return i > at + 1 && i < n && (s[i] == '=' || s[i] == ':');
}

static size_t bare_end(const char *s, size_t n, size_t at)
{
    for (size_t i = at; i < n; i++) {
        if (isspace((unsigned char)s[i]) || s[i] == '"' || s[i] == '\'' || s[i] == '`' ||
            s[i] == '<')
            return i;
        if ((s[i] == ',' || s[i] == ';' || s[i] == '&') && next_key(s, n, i))
            return i;
        if ((s[i] == ')' || s[i] == '}' || s[i] == ']') && (i + 1 == n || !is_word(s[i + 1])))
            return i;
    }
    return n;
}

/* What stands in a secret's place but is none. */
static bool harmless(const char *s, size_t n)
{
    static const char *const words[] = {"null",      "none", "nil",       "true",       "false",
                                        "undefined", MASK,   "[redacted", "<redacted>", "redacted",
                                        "(null)",    "yes",  "no"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strlen(words[i]) == n && strncasecmp(s, words[i], n) == 0)
            return true;
    size_t alnum = 0, masked = 0;
    for (size_t i = 0; i < n; i++) {
        alnum += isalnum((unsigned char)s[i]) || (unsigned char)s[i] >= 0x80;
        masked += s[i] == 'x' || s[i] == 'X';
    }
    return (alnum == 0 && n < 4) || (masked == n && n > 2) || strspn(s, "*") >= n;
}

static bool value_at(const char *s, size_t n, size_t at, struct cut *ret)
{
    bool escaped = at + 1 < n && s[at] == '\\' && (s[at + 1] == '"' || s[at + 1] == '\'');
    at += escaped;
    if (at >= n)
        return false;
    if (s[at] == '"' || s[at] == '\'') {
        ret->from = at + 1;
        ret->to = quoted_end(s, n, at + 1, s[at], escaped);
    } else {
        ret->from = at;
        ret->to = bare_end(s, n, at);
    }
    return ret->to > ret->from && !harmless(s + ret->from, ret->to - ret->from);
}

/* Steps over what may stand between a key and its value; SIZE_MAX when no value follows. */
static size_t to_value(const char *s, size_t n, size_t key, size_t at)
{
    if (at < n && s[at] == '\\' && at + 1 < n && (s[at + 1] == '"' || s[at + 1] == '\''))
        at++;
    if (at < n && (s[at] == '"' || s[at] == '\'' || s[at] == ']'))
        at++;
    size_t sep = skip_blanks(s, n, at);
    if (sep < n && (s[sep] == '=' || s[sep] == ':')) {
        sep++;
        while (sep < n && (s[sep] == '=' || s[sep] == '>'))
            sep++;
        return skip_blanks(s, n, sep);
    }
    if (at < n && s[at] == '>' && key > 0) { /* <password>…</password> */
        size_t open = key;
        while (open > 0 && (is_word(s[open - 1]) || s[open - 1] == '-' || s[open - 1] == ':'))
            open--;
        return open > 0 && s[open - 1] == '<' ? at + 1 : SIZE_MAX;
    }
    /* --password hunter2 */
    size_t dash = key;
    while (dash > 0 && (is_word(s[dash - 1]) || s[dash - 1] == '-'))
        dash--;
    bool option = key - dash >= 2 && s[dash] == '-' && s[dash + 1] == '-';
    return option && sep > at && sep < n && s[sep] != '-' ? sep : SIZE_MAX;
}

/* The key's own ends: "secret_key", "tokenValue" are keys still, "tokens" and "password_file" not.
 */
static size_t key_end(const char *s, size_t n, size_t at)
{
    static const char *const tails[] = {"_key", "-key", "key", "_value", "value", "_hash"};
    for (size_t i = 0; i < sizeof(tails) / sizeof(tails[0]); i++)
        if (begins(s, n, at, tails[i]))
            return at + strlen(tails[i]);
    return at;
}

static bool match_key(const char *s, size_t n, size_t at, size_t len, struct cut *ret)
{
    size_t end = key_end(s, n, at + len);
    if (end < n && is_word(s[end]))
        return false;
    /* A path, or PAM's "(passwd:chauthtok)". */
    if (at > 0 && (s[at - 1] == '/' || (s[at - 1] == '(' && end < n && s[end] == ':')))
        return false;
    size_t value = to_value(s, n, at, end);
    return value != SIZE_MAX && value_at(s, n, value, ret);
}

/* PWD is a working directory more often than a password. */
static bool match_pwd(const char *s, size_t n, size_t at, size_t len, struct cut *ret)
{
    if (at > 0 && isalpha((unsigned char)s[at - 1]))
        return false;
    if (!match_key(s, n, at, len, ret))
        return false;
    return s[ret->from] != '/' && s[ret->from] != '~' && s[ret->from] != '.';
}

/* ---- credentials of HTTP --------------------------------------------------------------------- */

static bool is_token_char(char c)
{
    return isalnum((unsigned char)c) || (c && strchr("._~+/=-", c));
}

static size_t token_end(const char *s, size_t n, size_t at)
{
    while (at < n && is_token_char(s[at]))
        at++;
    return at;
}

static bool match_authorization(const char *s, size_t n, size_t at, size_t len, struct cut *ret)
{
    size_t value = to_value(s, n, at, at + len);
    if (value == SIZE_MAX || value >= n)
        return false;
    if (s[value] == '"' || s[value] == '\'' || s[value] == '\\')
        return value_at(s, n, value, ret);
    size_t word = token_end(s, n, value);
    if (word == value)
        return false;
    if (word == n || s[word] != ' ') {
        *ret = (struct cut){value, word};
        return word - value >= 4;
    }
    static const char *const schemes[] = {"bearer ", "basic ", "token ", "apikey ", "negotiate "};
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        if (!begins(s, n, value, schemes[i]))
            continue;
        size_t from = skip_blanks(s, n, word);
        *ret = (struct cut){from, bare_end(s, n, from)};
        return ret->to > ret->from && !harmless(s + ret->from, ret->to - ret->from);
    }
    /* Digest, AWS4-HMAC-SHA256 and unknown ones: all parameters. */
    size_t to = word;
    while (to < n && s[to] != '\n' && s[to] != '\r')
        to++;
    *ret = (struct cut){word + 1, to};
    return (begins(s, n, value, "digest ") || begins(s, n, value, "aws4")) && to > word + 1;
}

static bool match_bearer(const char *s, size_t n, size_t at, size_t len, struct cut *ret)
{
    size_t from = skip_blanks(s, n, at + len);
    if (from == at + len || (at > 0 && is_word(s[at - 1])))
        return false;
    size_t to = token_end(s, n, from);
    bool digit = false;
    for (size_t i = from; i < to; i++)
        digit |= isdigit((unsigned char)s[i]) != 0;
    *ret = (struct cut){from, to};
    return to - from >= (digit ? 8u : 24u);
}

/* Base64 of "user:password"; "Basic authentication" decodes to no colon between two texts. */
static bool match_basic(const char *s, size_t n, size_t at, size_t len, struct cut *ret)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t from = skip_blanks(s, n, at + len);
    if (from == at + len || (at > 0 && is_word(s[at - 1])))
        return false;
    size_t to = from;
    uint32_t bits = 0;
    int have = 0;
    bool colon = false, text = true;
    for (; to < n; to++) {
        const char *d = s[to] ? strchr(digits, s[to]) : NULL;
        if (!d)
            break;
        bits = bits << 6 | (uint32_t)(d - digits);
        have += 6;
        if (have >= 8) {
            have -= 8;
            unsigned char c = (unsigned char)(bits >> have);
            colon |= c == ':';
            text &= c >= 32 && c != 127;
        }
    }
    while (to < n && s[to] == '=')
        to++;
    *ret = (struct cut){from, to};
    return colon && text && to - from >= 4;
}

/* ---- shapes ---------------------------------------------------------------------------------- */

static bool match_url(const char *s, size_t n, size_t at, size_t len, struct cut *ret)
{
    size_t colon = 0;
    if (at == 0 || !isalnum((unsigned char)s[at - 1]))
        return false;
    for (size_t i = at + len; i < n; i++) {
        char c = s[i];
        if (c == '@') {
            /* The last @ before the path: passwords hold others. */
            size_t last = i;
            for (size_t j = i + 1; j < n && !strchr("/?# \t\"'<>", s[j]); j++)
                if (s[j] == '@')
                    last = j;
            *ret = (struct cut){colon + 1, last};
            return colon && last > colon + 1 && !harmless(s + colon + 1, last - colon - 1);
        }
        if (strchr("/?# \t\"'<>", c))
            return false;
        if (c == ':' && !colon)
            colon = i;
    }
    return false;
}

/* How long the run of token letters behind a known prefix must be. */
static bool shaped(const char *s, size_t n, size_t at, size_t len, size_t least, struct cut *ret)
{
    if (at > 0 && is_word(s[at - 1]))
        return false;
    size_t to = at + len;
    while (to < n && (is_word(s[to]) || s[to] == '-'))
        to++;
    *ret = (struct cut){at, to};
    return to - at - len >= least;
}

static bool match_aws(const char *s, size_t n, size_t at, size_t len, struct cut *ret)
{
    if (!shaped(s, n, at, len, 16, ret) || ret->to - at != 20)
        return false;
    for (size_t i = at; i < ret->to; i++)
        if (!isupper((unsigned char)s[i]) && !isdigit((unsigned char)s[i]))
            return false;
    return true;
}

static bool match_prefixed(const char *s, size_t n, size_t at, size_t len, struct cut *ret)
{
    return shaped(s, n, at, len, 20, ret);
}

static bool match_slack(const char *s, size_t n, size_t at, size_t len, struct cut *ret)
{
    return at + 4 < n && strchr("abeoprs", s[at + 3]) && s[at + 4] == '-' &&
           shaped(s, n, at, len + 2, 10, ret);
}

/* Three base64url parts; the first begins as {" does. */
static bool match_jwt(const char *s, size_t n, size_t at, size_t len, struct cut *ret)
{
    int dots = 0;
    size_t to = at + len;
    if (at > 0 && is_word(s[at - 1]))
        return false;
    for (; to < n && (is_word(s[to]) || s[to] == '-' || s[to] == '.'); to++)
        dots += s[to] == '.';
    while (to > at && s[to - 1] == '.') {
        to--;
        dots--;
    }
    *ret = (struct cut){at, to};
    return memcmp(s + at, "eyJ", 3) == 0 && dots == 2 && to - at > 30;
}

static bool match_private_key(const char *s, size_t n, size_t at, size_t len, struct cut *ret)
{
    const char *line = memmem(s + at + len, n - at - len, "PRIVATE KEY-----", 16);
    if (!line || (size_t)(line - s) > at + len + 40)
        return false;
    ret->from = (size_t)(line - s) + 16;
    const char *end = memmem(s + ret->from, n - ret->from, "-----END", 8);
    ret->to = end ? (size_t)(end - s) : n;
    return ret->to > ret->from;
}

static const struct rule rules[] = {
    {"password", match_key},
    {"passwd", match_key},
    {"passphrase", match_key},
    {"passwort", match_key},
    {"pwd", match_pwd},
    {"secret", match_key},
    {"token", match_key},
    {"api_key", match_key},
    {"apikey", match_key},
    {"api-key", match_key},
    {"api key", match_key},
    {"access_key", match_key},
    {"accesskey", match_key},
    {"access-key", match_key},
    {"private_key", match_key},
    {"privatekey", match_key},
    {"private-key", match_key},
    {"credential", match_key},
    {"credentials", match_key},
    {"authorization", match_authorization},
    {"bearer", match_bearer},
    {"basic", match_basic},
    {"://", match_url},
    {"AKIA", match_aws},
    {"ASIA", match_aws},
    {"ghp_", match_prefixed},
    {"gho_", match_prefixed},
    {"ghu_", match_prefixed},
    {"ghs_", match_prefixed},
    {"ghr_", match_prefixed},
    {"github_pat_", match_prefixed},
    {"glpat-", match_prefixed},
    {"sk-", match_prefixed},
    {"sk_live_", match_prefixed},
    {"AIza", match_prefixed},
    {"hf_", match_prefixed},
    {"xox", match_slack},
    {"eyJ", match_jwt},
    {"-----BEGIN ", match_private_key},
};
#define RULES (sizeof(rules) / sizeof(rules[0]))
_Static_assert(RULES <= RULES_MAX, "a hash for each rule");

/* A BEGIN line whose key comes in the records behind it. */
static bool opens_private_key(const char *s, size_t n)
{
    return s && n >= 27 && n < 64 && memcmp(s, "-----BEGIN ", 11) == 0 &&
           memmem(s, n, "PRIVATE KEY-----", 16) && !memmem(s, n, "-----END", 8);
}

int redactor_new(bool defaults, struct redactor **ret)
{
    struct redactor *r = mem_calloc(1, sizeof(*r));
    if (!r)
        return ERR_NOMEM;
    r->defaults = defaults;
    for (size_t i = 0; i < RULES; i++) {
        uint32_t h = fold(fold(fold(0, rules[i].start[0]), rules[i].start[1]), rules[i].start[2]);
        r->hashes[i] = (uint16_t)h;
        r->starts[h >> 5] |= 1u << (h & 31);
    }
    *ret = r;
    return 0;
}

void redactor_free(struct redactor *r)
{
    if (!r)
        return;
    for (uint32_t i = 0; i < r->pattern_count; i++)
        regfree(&r->patterns[i]);
    buf_deinit(&r->spare);
    buf_deinit(&r->flat);
    mem_free(r);
}

int redactor_add_pattern(struct redactor *r, const char *pattern, struct errmsg *err)
{
    if (r->pattern_count == PATTERNS_MAX)
        return err_set(err, ERR_LIMIT, "more than %d patterns", PATTERNS_MAX);
    regex_t *re = &r->patterns[r->pattern_count];
    int rc = regcomp(re, pattern, REG_EXTENDED);
    if (rc == REG_ESPACE)
        return err_set(err, ERR_NOMEM, "out of memory");
    if (rc) {
        char text[128];
        regerror(rc, re, text, sizeof(text));
        return err_set(err, ERR_INVALID, "pattern \"%s\": %s", pattern, text);
    }
    if (regexec(re, "", 0, NULL, 0) == 0) {
        regfree(re);
        return err_set(err, ERR_INVALID, "pattern \"%s\" matches the empty text", pattern);
    }
    r->pattern_count++;
    return 0;
}

/* The first rule that finds a secret beginning at s[at]; `h` folds the three bytes there. */
static bool match_at(const struct redactor *r, uint32_t h, const char *s, size_t n, size_t at,
                     struct cut *ret)
{
    for (size_t i = 0; i < RULES; i++) {
        if (r->hashes[i] == h && begins(s, n, at, rules[i].start) &&
            rules[i].match(s, n, at, strlen(rules[i].start), ret))
            return true;
    }
    return false;
}

/* Appends everything up to the secret and the mask in its place. */
static void take_out(struct redactor *r, const char *s, struct cut c, size_t *copied,
                     struct buf *out)
{
    buf_append(out, s + *copied, c.from - *copied);
    buf_puts(out, MASK);
    *copied = c.to;
    r->count++;
}

static bool apply_rules(struct redactor *r, const char *s, size_t n, struct buf *out)
{
    size_t copied = 0;
    bool found = false;
    uint32_t h = n >= 2 ? fold(fold(0, s[0]), s[1]) : 0;
    for (size_t i = 2; i < n; i++) {
        h = fold(h, s[i]);
        if (__builtin_expect(!(r->starts[h >> 5] >> (h & 31) & 1), 1))
            continue;
        if (s[i] == '-' && opens_private_key(s + i - 2, n - (i - 2)))
            r->key_lines = KEY_LINES_MAX;
        struct cut c;
        if (!match_at(r, h, s, n, i - 2, &c) || c.from < copied)
            continue;
        if (!found)
            buf_clear(out);
        found = true;
        take_out(r, s, c, &copied, out);
        i = c.to + 1 > i ? c.to + 1 : i; /* two bytes behind the cut start the next three */
        if (c.to + 1 < n)
            h = fold(fold(0, s[c.to]), s[c.to + 1]);
    }
    if (found)
        buf_append(out, s + copied, n - copied);
    return found;
}

static bool apply_pattern(struct redactor *r, const regex_t *re, const char *s, size_t n,
                          struct buf *out)
{
    size_t copied = 0;
    bool found = false;
    regmatch_t m[2];
    size_t at = 0;
    while (at <= n) {
        m[0] = (regmatch_t){.rm_so = (regoff_t)at, .rm_eo = (regoff_t)n};
        if (regexec(re, s, 2, m, REG_STARTEND | (at ? REG_NOTBOL : 0)) != 0)
            break;
        const regmatch_t *part = re->re_nsub > 0 && m[1].rm_so >= 0 ? &m[1] : &m[0];
        size_t end = (size_t)m[0].rm_eo;
        if (part->rm_eo > part->rm_so) {
            if (!found)
                buf_clear(out);
            found = true;
            take_out(r, s, (struct cut){(size_t)part->rm_so, (size_t)part->rm_eo}, &copied, out);
        }
        at = end > at ? end : at + 1;
    }
    if (found)
        buf_append(out, s + copied, n - copied);
    return found;
}

static bool is_base64_line(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isalnum((unsigned char)s[i]) && s[i] != '+' && s[i] != '/' && s[i] != '=')
            return false;
    return n > 0;
}

/* A key's body comes as lines of its own when its BEGIN was one. */
static bool key_body(struct redactor *r, const char *s, size_t n, struct buf *out)
{
    r->key_lines--;
    if (memmem(s, n, "-----END", 8)) {
        r->key_lines = 0;
        return false;
    }
    if (!is_base64_line(s, n))
        return false;
    buf_clear(out);
    buf_puts(out, MASK);
    r->count++;
    return true;
}

int redactor_apply(struct redactor *r, const char *text, size_t size, struct buf *out)
{
    bool found = false;
    if (r->defaults) {
        if (r->key_lines)
            found = key_body(r, text, size, out);
        if (!found)
            found = apply_rules(r, text, size, out);
    }
    if (r->pattern_count && !found) { /* the library wants a NUL behind it */
        buf_clear(&r->flat);
        buf_append(&r->flat, text, size);
        buf_putc(&r->flat, '\0');
        if (buf_failed(&r->flat))
            return ERR_NOMEM;
        text = r->flat.data;
    }
    for (uint32_t i = 0; i < r->pattern_count && !buf_failed(out); i++) {
        struct slice in = found ? (struct slice){out->data, out->size} : (struct slice){text, size};
        if (!apply_pattern(r, &r->patterns[i], in.data, in.size, &r->spare))
            continue;
        if (buf_failed(&r->spare))
            return ERR_NOMEM;
        struct buf swap = *out;
        *out = r->spare;
        r->spare = swap;
        found = true;
    }
    if (buf_failed(out))
        return ERR_NOMEM;
    return found ? REDACTED : 0;
}

uint64_t redactor_count(const struct redactor *r)
{
    return r->count;
}
