/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One followed name: the file that has it now, or still the one that had it before a rotation, and
 * where in it the source stands. What is read when is file.c's. The loop's.
 */
#ifndef VARVE_DAEMON_FOLLOWER_H
#define VARVE_DAEMON_FOLLOWER_H

#include "daemon/sources/feed.h"
#include "daemon/sources/file_place.h"

#define FOLLOWER_KEY 40

struct follower {
    struct follower *next;
    struct source *source;
    struct source_stream *stream; /* NULL until there is something to read */
    char *path;
    bool globbed;            /* found by a pattern, not named */
    bool taken_up;           /* what was read before the restart was looked for */
    char key[FOLLOWER_KEY];  /* its place in the database */
    uint64_t head_stored;    /* hash of the head that the database has */
    int fd;                  /* -1: no file now */
    dev_t dev;
    struct timespec mtime;   /* at the last look */
    struct file_place place; /* behind the last complete line that was submitted */
    uint64_t offset;         /* read so far */
    bool hungry;             /* there is something to read */
    bool leaving;            /* at its end, the file is to be left */
    unsigned quiet, since_moved; /* looks */
    struct feed *feed;       /* NULL until its stream is open */
    char trouble[200];
};

/* NULL when memory is out. */
struct follower *follower_new(struct source *s, const char *path, bool globbed);
/* Its descriptor must not be in use by a read, here and below. */
void follower_free(struct follower *f);

/*
 * Opens the file that was read before the restart, under its name or the one that a rotation gave it;
 * false when there is none. `held`, here and below: whether another follower has the file that `st`
 * is of.
 */
bool follower_take_up(struct follower *f,
                      bool (*held)(const struct follower *f, const struct stat *st));
/* A look at the file, twice a second: opens, notes what happened to it. */
void follower_look(struct follower *f, bool (*held)(const struct follower *f, const struct stat *st));
/* Makes the feed, now that the stream is open. 0 or ERR_NOMEM. */
int follower_begin(struct follower *f);
/*
 * Takes `size` bytes that were read at f->offset, and submits the lines in them. ERR_NOMEM: they will
 * be read again.
 */
int follower_take(struct follower *f, const void *data, size_t size);
/* Leaves the file. Its name by now goes to `ret_path`, "" when it has none any more. */
void follower_leave(struct follower *f, char *ret_path, size_t size);
/* Keeps the follower's place and head for another name of the file that it has or has left. */
void follower_hand_on(struct follower *f, const char *path);

#endif
