/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path: look, see that the file has grown, hand what was read to the feed, commit the place
 * behind the last complete line together with its records. So nothing is read twice or lost over a
 * restart. What can happen to the file meanwhile:
 * - renamed, and another one has its name (rotation): the old one is read on until it has been quiet
 *   for a while, because its writer may not have noticed; while the new one is empty it surely has not;
 * - renamed while the daemon was down: the folder is searched for the inode;
 * - deleted: read to its end, then let go of, so that its room is given back;
 * - truncated, or copied and truncated, even if it has grown past the old place since: the marks of
 *   the place do not fit any more, and it is read from its beginning.
 * What had no newline when the file was left is a record all the same.
 *
 * Looks stat, and read a few hundred bytes for the marks; everything else is read on libuv's pool.
 */
#include "daemon/sources/follower.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/mem.h"

#define LEAVE_AFTER 4       /* quiet looks */
#define LEAVE_ANYHOW 120    /* looks: somebody else writes to the old file for good */

static void set_trouble(struct follower *f, const char *what)
{
    snprintf(f->trouble, sizeof(f->trouble), "%.150s: %.40s", f->path, what);
}

static void make_key(const struct source *s, const char *path, char out[FOLLOWER_KEY])
{
    XXH64_hash_t name = XXH3_64bits(s->name, strlen(s->name));
    snprintf(out, FOLLOWER_KEY, "file/%016" PRIx64, XXH3_64bits_withSeed(path, strlen(path), name));
}

static void make_head_key(const char *key, char out[FOLLOWER_KEY])
{
    snprintf(out, FOLLOWER_KEY, "%.24s/head", key);
}

struct follower *follower_new(struct source *s, const char *path, bool globbed)
{
    struct follower *f = mem_calloc(1, sizeof(*f));
    if (!f)
        return NULL;
    f->source = s;
    f->fd = -1;
    f->globbed = globbed;
    f->path = mem_strdup(path);
    if (!f->path) {
        mem_free(f);
        return NULL;
    }
    make_key(s, path, f->key);
    return f;
}

/* The next file is another input, so the feed goes too. */
static void close_file(struct follower *f)
{
    if (f->fd >= 0)
        close(f->fd);
    f->fd = -1;
    f->hungry = f->leaving = false;
    f->quiet = f->since_moved = 0;
    feed_free(f->feed);
    f->feed = NULL;
}

void follower_free(struct follower *f)
{
    close_file(f);
    mem_free(f->path);
    mem_free(f);
}

/* ---- opening -------------------------------------------------------------------------------------- */

static bool open_path(struct follower *f, const char *path, struct stat *st)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    f->trouble[0] = '\0';
    if (fd < 0) {
        if (errno != ENOENT || !f->source->many)
            set_trouble(f, strerror(errno));
        return false;
    }
    if (fstat(fd, st) != 0 || !S_ISREG(st->st_mode)) {
        if (!f->globbed) /* a pattern may well match folders */
            set_trouble(f, "no regular file");
        close(fd);
        return false;
    }
    f->fd = fd;
    f->dev = st->st_dev;
    f->mtime = (struct timespec){0};
    return true;
}

static bool stored_place(const struct follower *f, struct file_place *ret)
{
    struct buf text = {0};
    bool known = source_place_get(f->source, f->key, &text) == 0 &&
                 file_place_parse((struct slice){text.data, text.size}, ret);
    buf_deinit(&text);
    return known;
}

/* Opens `path` if the place is in that file. */
static bool open_at(struct follower *f, const char *path, const struct file_place *p,
                    bool (*held)(const struct follower *f, const struct stat *st))
{
    struct stat st;
    if (!open_path(f, path, &st))
        return false;
    if (held(f, &st) || !file_place_matches(p, f->fd, &st)) {
        close_file(f);
        return false;
    }
    f->place = *p;
    f->offset = p->offset;
    return true;
}

/* The file that was read before the restart, under the name a rotation gave it. */
static bool open_renamed(struct follower *f, const struct file_place *p,
                         bool (*held)(const struct follower *f, const struct stat *st))
{
    const char *slash = strrchr(f->path, '/');
    char folder[CONFIG_PATH_SIZE], path[2 * CONFIG_PATH_SIZE];
    snprintf(folder, sizeof(folder), "%.*s", (int)(slash - f->path), f->path);
    DIR *dir = opendir(folder[0] ? folder : "/");
    if (!dir)
        return false;
    bool found = false;
    struct dirent *entry;
    while (!found && (entry = readdir(dir))) {
        struct stat st;
        if (fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
            (uint64_t)st.st_ino != p->ino)
            continue;
        snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        found = open_at(f, path, p, held);
    }
    closedir(dir);
    return found;
}

bool follower_take_up(struct follower *f, bool (*held)(const struct follower *f, const struct stat *st))
{
    struct file_place p;
    if (f->taken_up)
        return false;
    f->taken_up = true;
    if (!stored_place(f, &p) || p.offset == 0)
        return false;
    bool found = open_at(f, f->path, &p, held) || open_renamed(f, &p, held);
    f->trouble[0] = '\0';
    return found;
}

static bool open_anew(struct follower *f, bool (*held)(const struct follower *f, const struct stat *st))
{
    struct stat st;
    struct file_place p;
    if (!open_path(f, f->path, &st))
        return false;
    if (held(f, &st)) {
        close_file(f);
        return false;
    }
    if (!stored_place(f, &p) || !file_place_matches(&p, f->fd, &st))
        file_place_begin(&p, &st);
    f->place = p;
    f->offset = p.offset;
    return true;
}

/* ---- reading -------------------------------------------------------------------------------------- */

int follower_begin(struct follower *f)
{
    struct buf head = {0};
    char key[FOLLOWER_KEY];
    make_head_key(f->key, key);
    source_place_get(f->source, key, &head);
    struct slice s = {head.data, head.size};
    f->head_stored = XXH3_64bits(s.data, s.size);
    int rc = feed_new(f->stream, f->path, &f->feed);
    if (rc == 0)
        rc = feed_resume(f->feed, s);
    if (rc == 0 && f->offset == 0)
        feed_restart(f->feed);
    buf_deinit(&head);
    if (rc != 0) {
        feed_free(f->feed);
        f->feed = NULL;
    }
    return rc;
}

/* Submits what the feed collected; `p` is behind it. */
static int commit(struct follower *f, const struct file_place *p)
{
    struct slice head = feed_head(f->feed);
    uint64_t hash = XXH3_64bits(head.data, head.size);
    int rc = 0;
    if (head.size > 0 && hash != f->head_stored) {
        char key[FOLLOWER_KEY];
        make_head_key(f->key, key);
        rc = source_note(f->stream, key, head);
    }
    if (rc != 0)
        return rc;
    f->head_stored = head.size > 0 ? hash : f->head_stored;
    char text[FILE_PLACE_TEXT];
    rc = feed_submit(f->feed, f->key, file_place_format(p, text));
    if (rc == 0)
        f->place = *p;
    return rc;
}

/* What has no newline will get none any more. */
static void end_input(struct follower *f, const struct file_place *p)
{
    if (!f->feed || feed_partial(f->feed) == 0)
        return;
    if (feed_end(f->feed) != 0 || commit(f, p) != 0)
        set_trouble(f, "out of memory: its last line is lost");
}

static void begin_again(struct follower *f, const struct stat *st)
{
    struct file_place start;
    file_place_begin(&start, st);
    end_input(f, &start);
    f->place = start;
    f->offset = 0;
    if (f->feed)
        feed_restart(f->feed);
}

int follower_take(struct follower *f, const void *data, size_t size)
{
    struct stat st;
    if (fstat(f->fd, &st) == 0 && (uint64_t)st.st_size >= f->offset + size &&
        !file_place_matches(&f->place, f->fd, &st)) {
        /* Truncated and grown past the offset since the last look: these bytes have lost their place. */
        begin_again(f, &st);
        return 0;
    }
    int rc = feed_bytes(f->feed, data, size);
    uint64_t behind = f->offset + size - feed_partial(f->feed);
    if (rc == 0 && behind > f->place.offset) {
        struct file_place p = f->place;
        file_place_move(&p, f->fd, behind);
        rc = commit(f, &p);
    }
    if (rc != 0) {
        set_trouble(f, err_text(rc));
        feed_free(f->feed);
        f->feed = NULL;
        f->offset = f->place.offset;
        return rc;
    }
    f->offset += size;
    f->trouble[0] = '\0';
    return 0;
}

/* ---- looking -------------------------------------------------------------------------------------- */

void follower_look(struct follower *f, bool (*held)(const struct follower *f, const struct stat *st))
{
    struct stat st, now;
    if ((f->fd < 0 && !open_anew(f, held)) || fstat(f->fd, &st) != 0)
        return;
    uint64_t size = (uint64_t)st.st_size;
    bool touched = st.st_mtim.tv_sec != f->mtime.tv_sec || st.st_mtim.tv_nsec != f->mtime.tv_nsec;
    f->mtime = st.st_mtim;
    if ((touched || size != f->offset) && (size < f->offset || !file_place_matches(&f->place, f->fd, &st)))
        begin_again(f, &st);
    bool moved = stat(f->path, &now) == 0 && (now.st_ino != st.st_ino || now.st_dev != st.st_dev);
    f->since_moved = moved ? f->since_moved + 1 : 0;
    f->hungry = size > f->offset;
    f->quiet = f->hungry ? 0 : f->quiet + 1;
    f->leaving = f->since_moved >= LEAVE_ANYHOW ||
                 (f->quiet >= LEAVE_AFTER && (st.st_nlink == 0 || (moved && now.st_size > 0)));
}

void follower_leave(struct follower *f, char *ret_path, size_t size)
{
    char link[32];
    struct stat st;
    struct file_place p = f->place;
    file_place_move(&p, f->fd, f->offset);
    end_input(f, &p);
    snprintf(link, sizeof(link), "/proc/self/fd/%d", f->fd);
    ssize_t n = readlink(link, ret_path, size - 1);
    ret_path[n > 0 ? n : 0] = '\0';
    if (fstat(f->fd, &st) != 0 || st.st_nlink == 0)
        ret_path[0] = '\0';
    close_file(f);
}

void follower_hand_on(struct follower *f, const char *path)
{
    char key[FOLLOWER_KEY], other[FOLLOWER_KEY], text[FILE_PLACE_TEXT];
    struct buf head = {0};
    make_head_key(f->key, key);
    source_place_get(f->source, key, &head);
    make_key(f->source, path, key);
    make_head_key(key, other);
    int rc = 0;
    if (head.size > 0)
        rc = source_note(f->stream, other, (struct slice){head.data, head.size});
    if (rc == 0)
        rc = source_note(f->stream, key, file_place_format(&f->place, text));
    if (rc != 0)
        set_trouble(f, err_text(rc));
    buf_deinit(&head);
}
