/* SPDX-License-Identifier: Apache-2.0 */
/* What names look like: between entities.c (which names a line has) and same.c (which are one). */
#ifndef VARVE_MODEL_ENTITY_SHAPE_H
#define VARVE_MODEL_ENTITY_SHAPE_H

#include <stdbool.h>
#include <stddef.h>

/* Where pieces of a line end: blanks, quotes, brackets, separators and a NUL. */
bool entity_is_cut(char c);
/* Bytes of an IPv4 address at s, or 0. */
size_t entity_address_size(const char *s, size_t n);
/*
 * A name of the domain system: small letters, digits and hyphens in two or more labels, the last of
 * letters. Two labels alone are as likely a file's name, so they must end like a domain.
 */
bool entity_is_domain(const char *s, size_t n);
/* One word of letters, digits and _ . - $ that begins with a letter. */
bool entity_is_name(const char *s, size_t n);

#endif
