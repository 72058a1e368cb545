/* SPDX-License-Identifier: Apache-2.0 */
/* A command line split into words without a shell: blanks, '…', "…" and backslashes. */
#ifndef VARVE_CLI_WORDS_H
#define VARVE_CLI_WORDS_H

#define WORDS_MAX 63

struct words {
    char *argv[WORDS_MAX + 1]; /* ends with NULL */
    char *text;
};

/* ERR_PARSE: a quote without its end, more than WORDS_MAX words, or none. ERR_NOMEM. */
int words_split(const char *s, struct words *ret);
void words_free(struct words *w);

#endif
