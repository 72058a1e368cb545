/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/words.h"

#include <stddef.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"

/* Copies one word to out; returns what stands behind it, NULL where a quote has no end. */
static const char *take_word(const char *s, char **out)
{
    char quote = 0;
    for (; *s && (quote || !strchr(" \t\n", *s)); s++) {
        if (quote && *s == quote) {
            quote = 0;
        } else if (!quote && (*s == '\'' || *s == '"')) {
            quote = *s;
        } else if (*s == '\\' && quote != '\'') {
            if (!*++s)
                return NULL;
            *(*out)++ = *s;
        } else {
            *(*out)++ = *s;
        }
    }
    *(*out)++ = '\0';
    return quote ? NULL : s;
}

int words_split(const char *s, struct words *ret)
{
    int count = 0;
    char *out = ret->text = mem_alloc(strlen(s) + 2);
    if (!out)
        return ERR_NOMEM;
    for (s += strspn(s, " \t\n"); s && *s; s += s ? strspn(s, " \t\n") : 0) {
        if (count == WORDS_MAX) {
            s = NULL;
            break;
        }
        ret->argv[count++] = out;
        s = take_word(s, &out);
        if (!s)
            break;
    }
    ret->argv[count] = NULL;
    if (s && count > 0)
        return 0;
    words_free(ret);
    return ERR_PARSE;
}

void words_free(struct words *w)
{
    mem_free(w->text);
    w->text = NULL;
}
