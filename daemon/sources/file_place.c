/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/sources/file_place.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#define MARK_BYTES 256

/* Hash of the bytes from..to, or of those of them that are there. */
static uint64_t hash_range(int fd, uint64_t from, uint64_t to, uint32_t *ret_size)
{
    char bytes[MARK_BYTES];
    ssize_t n = pread(fd, bytes, (size_t)(to - from), (off_t)from);
    *ret_size = n > 0 ? (uint32_t)n : 0;
    return XXH3_64bits(bytes, *ret_size);
}

static uint64_t hash_tail(int fd, uint64_t offset)
{
    uint32_t got;
    return hash_range(fd, offset > MARK_BYTES ? offset - MARK_BYTES : 0, offset, &got);
}

void file_place_begin(struct file_place *p, int fd, const struct stat *st)
{
    *p = (struct file_place){.ino = (uint64_t)st->st_ino};
    p->head_hash = hash_range(fd, 0, MARK_BYTES, &p->head_size);
    p->tail_hash = hash_tail(fd, 0);
}

void file_place_move(struct file_place *p, int fd, uint64_t offset)
{
    if (p->head_size < MARK_BYTES)
        p->head_hash = hash_range(fd, 0, MARK_BYTES, &p->head_size);
    p->tail_hash = hash_tail(fd, offset);
    p->offset = offset;
}

bool file_place_matches(const struct file_place *p, int fd, const struct stat *st)
{
    uint32_t got;
    return (uint64_t)st->st_ino == p->ino && (uint64_t)st->st_size >= p->offset &&
           p->head_size <= MARK_BYTES && hash_range(fd, 0, p->head_size, &got) == p->head_hash &&
           got == p->head_size && hash_tail(fd, p->offset) == p->tail_hash;
}

void file_place_format(const struct file_place *p, struct buf *out)
{
    buf_printf(out, "%" PRIu64 " %" PRIu64 " %" PRIu32 " %" PRIu64 " %" PRIu64 "\n", p->ino,
               p->offset, p->head_size, p->head_hash, p->tail_hash);
}

bool file_place_parse(const char *line, struct file_place *ret)
{
    return sscanf(line, "%" SCNu64 " %" SCNu64 " %" SCNu32 " %" SCNu64 " %" SCNu64, &ret->ino,
                  &ret->offset, &ret->head_size, &ret->head_hash, &ret->tail_hash) == 5;
}
