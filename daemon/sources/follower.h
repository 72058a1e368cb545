/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One followed name: the file that has it now, or still the one that had it before a rotation, with
 * those that had it since waiting behind, and where in it the source stands. What is read when is
 * file.c's. The loop's.
 */
#ifndef VARVE_DAEMON_FOLLOWER_H
#define VARVE_DAEMON_FOLLOWER_H

#include "daemon/sources/feed.h"
#include "daemon/sources/file_place.h"

#define FOLLOWER_KEY 40
#define FOLLOWER_FILES 8 /* rotations that may wait to be read */

struct followed_file {
    int fd;
    dev_t dev;
    struct file_place place; /* behind the last complete line that was submitted */
};

struct follower {
    struct follower *next;
    struct source *source;
    struct source_stream *stream; /* NULL until there is something to read */
    char *path;
    bool globbed;           /* found by a pattern, not named */
    bool taken_up;          /* what was read before the restart was looked for */
    char key[FOLLOWER_KEY]; /* its place in the database */
    uint64_t head_stored;   /* hash of the head that the database has */
    struct followed_file
        files[FOLLOWER_FILES];   /* the first is read; the others had the name later */
    unsigned file_count;         /* 0: no file now */
    struct timespec mtime;       /* of the first at the last look */
    uint64_t offset;             /* read so far of it */
    bool hungry;                 /* there is something to read */
    bool leaving;                /* at its end, the first file is to be left */
    unsigned quiet, since_moved; /* looks */
    struct feed *feed;           /* NULL until its stream is open */
    char trouble[200];
};

/* NULL when memory is out. */
struct follower *follower_new(struct source *s, const char *path, bool globbed);
/* Its descriptor must not be in use by a read, here and below. */
void follower_free(struct follower *f);

/*
 * Opens what was read before the restart, under its name or the one that a rotation gave it; does
 * nothing when there is no such file, or the second time. `held`, here and below: whether another
 * follower has the file that `st` is of.
 */
void follower_take_up(struct follower *f,
                      bool (*held)(const struct follower *f, const struct stat *st));
/* A look at the file, twice a second: opens, notes what happened to it. */
void follower_look(struct follower *f,
                   bool (*held)(const struct follower *f, const struct stat *st));
/* Does it have the file that `st` is of, to read now or later? */
bool follower_has(const struct follower *f, const struct stat *st);
/* Makes the feed, now that the stream is open. 0 or ERR_NOMEM. */
int follower_begin(struct follower *f);
/*
 * Takes `size` bytes that were read at f->offset, and submits the lines in them. ERR_NOMEM: they
 * will be read again.
 */
int follower_take(struct follower *f, const void *data, size_t size);
/* Leaves the first file, which is the caller's then, and goes on with the next, if there is one. */
struct followed_file follower_leave(struct follower *f);
/*
 * Takes over a file that another follower has left; false when it has no room for it. `ss` is the
 * stream that it was read into, NULL when nothing of it was read.
 */
bool follower_accept(struct follower *f, const struct followed_file *file,
                     struct source_stream *ss);
/* Keeps a place and the follower's head for a name that nobody follows yet. */
void follower_keep_for(struct follower *f, const char *path, const struct file_place *place);

#endif
