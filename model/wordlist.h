/* SPDX-License-Identifier: Apache-2.0 */
/* Membership in a short fixed list of words, over borrowed bytes. Any thread. */
#ifndef VARVE_MODEL_WORDLIST_H
#define VARVE_MODEL_WORDLIST_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* `list` ends in NULL. The first byte is compared before anything else: lists are asked for each
 * word. */
static inline bool wordlist_has(const char *const *list, const char *word, size_t n)
{
    for (; n && *list; list++)
        if (**list == *word && !strncmp(*list, word, n) && !(*list)[n])
            return true;
    return false;
}

#endif
