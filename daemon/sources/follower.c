/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path: look, see that the file has grown, hand what was read to the feed, commit the place
 * behind the last complete line together with its records. So nothing is read twice or lost over a
 * restart. What can happen to the file meanwhile:
 * - renamed, and another one has its name (rotation): the new one waits behind the old one, which
 * is read on until it has been quiet for a while, because its writer may not have noticed; while
 * the new one is empty it surely has not;
 * - renamed while the daemon was down: the folder is searched for the inode. Of several rotations
 *   meanwhile, files that the follower never saw under its name are not found;
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

#define LEAVE_AFTER 4    /* quiet looks */
#define LEAVE_ANYHOW 120 /* looks: somebody else writes to the old file for good */

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
    f->globbed = globbed;
    f->path = mem_strdup(path);
    if (!f->path) {
        mem_free(f);
        return NULL;
    }
    make_key(s, path, f->key);
    return f;
}

/* The first file goes; the next is another input, so the feed goes too. */
static struct followed_file pop_file(struct follower *f)
{
    struct followed_file first = f->files[0];
    memmove(f->files, f->files + 1, --f->file_count * sizeof(*f->files));
    f->offset = f->file_count ? f->files[0].place.offset : 0;
    f->mtime = (struct timespec){0};
    f->hungry = f->leaving = false;
    f->quiet = f->since_moved = 0;
    feed_free(f->feed);
    f->feed = NULL;
    return first;
}

static void push_file(struct follower *f, const struct followed_file *file)
{
    f->files[f->file_count++] = *file;
    if (f->file_count == 1)
        f->offset = file->place.offset;
}

void follower_free(struct follower *f)
{
    while (f->file_count > 0)
        close(pop_file(f).fd);
    feed_free(f->feed);
    mem_free(f->path);
    mem_free(f);
}

/* ---- opening ---- */

static bool open_path(struct follower *f, const char *path, struct followed_file *ret,
                      struct stat *st)
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
    ret->fd = fd;
    ret->dev = st->st_dev;
    return true;
}

bool follower_has(const struct follower *f, const struct stat *st)
{
    for (unsigned i = 0; i < f->file_count; i++)
        if (f->files[i].dev == st->st_dev && (ino_t)f->files[i].place.ino == st->st_ino)
            return true;
    return false;
}

/* Takes `path` on if the place is in that file. */
static bool open_at(struct follower *f, const char *path, const struct file_place *p,
                    bool (*held)(const struct follower *f, const struct stat *st))
{
    struct followed_file file = {.place = *p};
    struct stat st;
    if (!open_path(f, path, &file, &st))
        return false;
    if (held(f, &st) || follower_has(f, &st) || !file_place_matches(p, file.fd, &st)) {
        close(file.fd);
        return false;
    }
    push_file(f, &file);
    return true;
}

/* The file that was read before the restart, under the name a rotation gave it. */
static void open_renamed(struct follower *f, const struct file_place *p,
                         bool (*held)(const struct follower *f, const struct stat *st))
{
    const char *slash = strrchr(f->path, '/');
    char folder[CONFIG_PATH_SIZE], path[2 * CONFIG_PATH_SIZE];
    snprintf(folder, sizeof(folder), "%.*s", (int)(slash - f->path), f->path);
    DIR *dir = opendir(folder[0] ? folder : "/");
    if (!dir)
        return;
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
}

/* What the database has of this name: a line for each file, NUL-terminated. "" when there is
 * nothing. */
static int stored_places(const struct follower *f, struct buf *out)
{
    int rc = source_place_get(f->source, f->key, out);
    buf_putc(out, '\0');
    return buf_failed(out) ? ERR_NOMEM : rc;
}

void follower_take_up(struct follower *f,
                      bool (*held)(const struct follower *f, const struct stat *st))
{
    struct buf text = {0};
    struct file_place p;
    if (f->taken_up)
        return;
    f->taken_up = true;
    const char *line = stored_places(f, &text) == 0 ? text.data : "";
    for (; *line && f->file_count < FOLLOWER_FILES;
         line += strcspn(line, "\n"), line += *line == '\n')
        if (file_place_parse(line, &p) && !open_at(f, f->path, &p, held))
            open_renamed(f, &p, held);
    f->trouble[0] = '\0';
    buf_deinit(&text);
}

static bool open_anew(struct follower *f,
                      bool (*held)(const struct follower *f, const struct stat *st))
{
    struct followed_file file;
    struct stat st;
    struct buf text = {0};
    if (!open_path(f, f->path, &file, &st))
        return false;
    if (held(f, &st) || follower_has(f, &st)) {
        close(file.fd);
        return false;
    }
    if (stored_places(f, &text) != 0 || !file_place_parse(text.data, &file.place) ||
        !file_place_matches(&file.place, file.fd, &st))
        file_place_begin(&file.place, file.fd, &st);
    push_file(f, &file);
    buf_deinit(&text);
    return true;
}

/* ---- reading ---- */

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

/* The place `first` and those in the files that wait. */
static void format_places(const struct follower *f, const struct file_place *first, struct buf *out)
{
    file_place_format(first, out);
    for (unsigned i = 1; i < f->file_count; i++)
        file_place_format(&f->files[i].place, out);
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
    struct buf text = {0};
    format_places(f, p, &text);
    rc = buf_failed(&text) ? ERR_NOMEM
                           : feed_submit(f->feed, f->key, (struct slice){text.data, text.size});
    if (rc == 0)
        f->files[0].place = *p;
    buf_deinit(&text);
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
    file_place_begin(&start, f->files[0].fd, st);
    end_input(f, &start);
    f->files[0].place = start;
    f->offset = 0;
    if (f->feed)
        feed_restart(f->feed);
}

int follower_take(struct follower *f, const void *data, size_t size)
{
    struct followed_file *file = &f->files[0];
    struct stat st;
    if (fstat(file->fd, &st) == 0 && (uint64_t)st.st_size >= f->offset + size &&
        !file_place_matches(&file->place, file->fd, &st)) {
        /* Truncated and grown past the offset since the last look: these bytes have lost their
         * place. */
        begin_again(f, &st);
        return 0;
    }
    int rc = feed_bytes(f->feed, data, size);
    uint64_t behind = f->offset + size - feed_partial(f->feed);
    if (rc == 0 && behind > file->place.offset) {
        struct file_place p = file->place;
        file_place_move(&p, file->fd, behind);
        rc = commit(f, &p);
    }
    if (rc != 0) {
        set_trouble(f, err_text(rc));
        feed_free(f->feed);
        f->feed = NULL;
        f->offset = file->place.offset;
        return rc;
    }
    f->offset += size;
    f->trouble[0] = '\0';
    return 0;
}

/* ---- looking ---- */

/* By way of any stream of the source: what was submitted to it before is durable before this. */
static void keep_places(struct follower *f, struct source_stream *ss)
{
    struct buf text = {0};
    format_places(f, &f->files[0].place, &text);
    if (buf_failed(&text) || source_note(ss, f->key, (struct slice){text.data, text.size}) != 0)
        set_trouble(f, err_text(ERR_NOMEM));
    buf_deinit(&text);
}

/* The file that has the name now waits behind the others, from when it is first seen there. */
static void see_next(struct follower *f,
                     bool (*held)(const struct follower *f, const struct stat *st))
{
    struct stat now;
    struct followed_file file;
    if (f->file_count == FOLLOWER_FILES || stat(f->path, &now) != 0 || follower_has(f, &now) ||
        !open_path(f, f->path, &file, &now))
        return;
    if (held(f, &now) || follower_has(f, &now)) {
        close(file.fd);
        return;
    }
    file_place_begin(&file.place, file.fd, &now);
    push_file(f, &file);
    if (!f->stream || !f->stream->stream)
        return; /* nothing was read yet, so there is nothing to keep */
    keep_places(f, f->stream);
}

/* Is the writer done with the first file, as far as can be told? */
static bool is_over(const struct follower *f, const struct stat *st)
{
    struct stat next;
    if (f->hungry)
        return f->since_moved >= LEAVE_ANYHOW;
    if (f->file_count > 2)
        return true;
    if (f->quiet < LEAVE_AFTER)
        return f->since_moved >= LEAVE_ANYHOW;
    return st->st_nlink == 0 ||
           (f->file_count == 2 && fstat(f->files[1].fd, &next) == 0 && next.st_size > 0);
}

void follower_look(struct follower *f,
                   bool (*held)(const struct follower *f, const struct stat *st))
{
    struct stat st;
    if ((f->file_count == 0 && !open_anew(f, held)) || fstat(f->files[0].fd, &st) != 0)
        return;
    const struct followed_file *file = &f->files[0];
    uint64_t size = (uint64_t)st.st_size;
    bool touched = st.st_mtim.tv_sec != f->mtime.tv_sec || st.st_mtim.tv_nsec != f->mtime.tv_nsec;
    f->mtime = st.st_mtim;
    if ((touched || size != f->offset) &&
        (size < f->offset || !file_place_matches(&file->place, file->fd, &st)))
        begin_again(f, &st);
    see_next(f, held);
    f->since_moved = f->file_count > 1 ? f->since_moved + 1 : 0;
    f->hungry = size > f->offset;
    f->quiet = f->hungry ? 0 : f->quiet + 1;
    f->leaving = is_over(f, &st);
}

struct followed_file follower_leave(struct follower *f)
{
    struct followed_file file = f->files[0];
    file_place_move(&file.place, file.fd, f->offset);
    end_input(f, &file.place);
    pop_file(f);
    return file;
}

bool follower_accept(struct follower *f, const struct followed_file *file, struct source_stream *ss)
{
    if (f->file_count == FOLLOWER_FILES)
        return false;
    push_file(f, file);
    if (ss)
        keep_places(f, ss);
    return true;
}

void follower_keep_for(struct follower *f, const char *path, const struct file_place *place)
{
    char key[FOLLOWER_KEY], other[FOLLOWER_KEY];
    struct buf head = {0}, text = {0};
    make_head_key(f->key, key);
    source_place_get(f->source, key, &head);
    make_key(f->source, path, key);
    make_head_key(key, other);
    file_place_format(place, &text);
    int rc = buf_failed(&text) ? ERR_NOMEM : 0;
    if (rc == 0 && head.size > 0)
        rc = source_note(f->stream, other, (struct slice){head.data, head.size});
    if (rc == 0)
        rc = source_note(f->stream, key, (struct slice){text.data, text.size});
    if (rc != 0)
        set_trouble(f, err_text(rc));
    buf_deinit(&head);
    buf_deinit(&text);
}
