/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a follower stands in a file, with marks that tell the file from another under the same
 * name, and from itself after it was written anew: the inode, and hashes of its first bytes and of
 * those before the place. The device is none of them: its number may be another one after a reboot.
 */
#ifndef VARVE_DAEMON_FILE_PLACE_H
#define VARVE_DAEMON_FILE_PLACE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/buf.h"

struct file_place {
    uint64_t ino, offset, head_hash, tail_hash;
    uint32_t head_size;
};

/* The beginning of the file that `st` is of; it is marked by what the file begins with by now. */
void file_place_begin(struct file_place *p, int fd, const struct stat *st);
/* Moves the place to `offset` and takes its marks. */
void file_place_move(struct file_place *p, int fd, uint64_t offset);
/* Is this the file, with all that lay before the place unchanged as far as the marks tell? */
bool file_place_matches(const struct file_place *p, int fd, const struct stat *st);
/* A line of text for the database, and back; false when it is none. */
void file_place_format(const struct file_place *p, struct buf *out);
bool file_place_parse(const char *line, struct file_place *ret);

#endif
