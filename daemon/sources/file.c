/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file source: follows files by path or glob.
 *
 * Each matching file has a follower with its own descriptor and reader. Twice a second every follower
 * looks at its file: grown, it reads on; another file under the name (rotation), it reads the old one
 * to its end and begins the new one; shorter than what was read, or with another beginning (truncated,
 * copied and truncated), it begins again. Every five seconds the patterns are matched anew, so files
 * may come late. The place behind the last complete line is committed together with its records, so
 * nothing is read twice or lost over a restart, also when the file was renamed meanwhile: the folder
 * is searched for the inode.
 *
 * Durable: while the stream's queue is full nothing is read. Sizes: at most FOLLOWERS files a source.
 * Reads run on libuv's pool; the loop itself only stats.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/log.h"
#include "base/mem.h"
#include "daemon/sources/feed.h"

#define FOLLOWERS 256
#define READ_BYTES (256u << 10)
#define LOOK_MS 500
#define MATCH_EVERY 10 /* looks */
#define HEAD_BYTES 256 /* of the file's beginning, to tell it from another of the same inode */

struct file_source;

struct follower {
    struct follower *next;
    struct file_source *owner;
    char *path;
    char key[64]; /* its state in the database */
    int fd;       /* -1: no file now */
    dev_t dev;
    ino_t ino;
    uint64_t offset; /* read so far */
    uint64_t head_hash;
    uint32_t head_size;
    bool reading, moved; /* moved: the name belongs to another file now */
    struct feed *feed;
    uv_fs_t request;
    char *buffer;
};

struct file_source {
    struct source *source;
    uv_timer_t timer;
    struct follower *followers;
    unsigned count, looks, reading;
    bool first_match_done, closing;
};

static void read_more(struct follower *f);

/* ---- the place ------------------------------------------------------------------------------------ */

/* Hash of the file's first bytes, at most `size`; *ret_size tells how many there were. */
static uint64_t hash_head(int fd, uint32_t size, uint32_t *ret_size)
{
    char head[HEAD_BYTES];
    ssize_t n = pread(fd, head, size < HEAD_BYTES ? size : HEAD_BYTES, 0);
    *ret_size = n > 0 ? (uint32_t)n : 0;
    return XXH3_64bits(head, *ret_size);
}

/* "dev inode offset head_size head_hash" behind the last complete line. */
static void commit_place(struct follower *f)
{
    if (f->head_size < HEAD_BYTES && f->offset > f->head_size)
        f->head_hash = hash_head(f->fd, (uint32_t)(f->offset < HEAD_BYTES ? f->offset : HEAD_BYTES),
                                 &f->head_size);
    char text[128];
    int n = snprintf(text, sizeof(text), "%" PRIu64 " %" PRIu64 " %" PRIu64 " %u %" PRIu64,
                     (uint64_t)f->dev, (uint64_t)f->ino, f->offset - feed_partial(f->feed),
                     f->head_size, f->head_hash);
    feed_submit(f->feed, f->key, (struct slice){text, (size_t)n});
}

struct place {
    uint64_t dev, ino, offset, head_hash;
    uint32_t head_size;
};

static bool parse_place(const struct buf *text, struct place *ret)
{
    return text->size > 0 && sscanf(text->data,
                                    "%" SCNu64 " %" SCNu64 " %" SCNu64 " %u %" SCNu64, &ret->dev,
                                    &ret->ino, &ret->offset, &ret->head_size, &ret->head_hash) == 5;
}

static bool is_place_of(int fd, const struct stat *st, const struct place *p)
{
    uint32_t got;
    return (uint64_t)st->st_dev == p->dev && (uint64_t)st->st_ino == p->ino &&
           (uint64_t)st->st_size >= p->offset && p->head_size <= HEAD_BYTES &&
           hash_head(fd, p->head_size, &got) == p->head_hash && got == p->head_size;
}

/* ---- opening -------------------------------------------------------------------------------------- */

static bool open_path(struct follower *f, const char *path, struct stat *st)
{
    f->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (f->fd < 0) {
        if (errno != ENOENT)
            source_set_trouble(f->owner->source, "%s: %s", path, strerror(errno));
        return false;
    }
    if (fstat(f->fd, st) != 0 || !S_ISREG(st->st_mode)) {
        source_set_trouble(f->owner->source, "%s is no regular file", path);
        close(f->fd);
        f->fd = -1;
        return false;
    }
    f->dev = st->st_dev;
    f->ino = st->st_ino;
    f->offset = 0;
    f->head_size = 0;
    f->moved = false;
    return true;
}

/* The file that was read before the restart, under the name a rotation gave it. */
static bool open_renamed(struct follower *f, const struct place *p)
{
    const char *slash = strrchr(f->path, '/');
    char folder[CONFIG_PATH_SIZE], path[2 * CONFIG_PATH_SIZE];
    snprintf(folder, sizeof(folder), "%.*s", (int)(slash ? slash - f->path : 1), slash ? f->path : ".");
    DIR *dir = opendir(folder[0] ? folder : "/");
    if (!dir)
        return false;
    bool found = false;
    struct dirent *entry;
    while (!found && (entry = readdir(dir))) {
        if ((uint64_t)entry->d_ino != p->ino)
            continue;
        struct stat st;
        snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        found = open_path(f, path, &st) && is_place_of(f->fd, &st, p);
        if (!found && f->fd >= 0) {
            close(f->fd);
            f->fd = -1;
        }
    }
    closedir(dir);
    if (found) {
        f->offset = p->offset;
        f->moved = true; /* to its end, then the file that has the name */
    }
    return found;
}

/* The state that the daemon's start read: taken once, for the follower's first file. */
static bool take_up(struct follower *f)
{
    struct buf text = {0};
    struct place p;
    bool known = source_state_get(f->owner->source, f->key, &text) == 0 && parse_place(&text, &p);
    buf_deinit(&text);
    struct stat st;
    bool there = open_path(f, f->path, &st);
    if (known && there && is_place_of(f->fd, &st, &p)) {
        f->offset = p.offset;
        return true;
    }
    if (known && p.offset > 0) {
        if (there)
            close(f->fd);
        f->fd = -1;
        if (open_renamed(f, &p))
            return true;
        there = open_path(f, f->path, &st);
    }
    return there;
}

/* ---- reading --------------------------------------------------------------------------------------- */

static void begin_again(struct follower *f)
{
    f->offset = 0;
    f->head_size = 0;
    feed_restart(f->feed);
}

static void leave_file(struct follower *f)
{
    feed_end(f->feed);
    feed_submit(f->feed, NULL, (struct slice){NULL, 0});
    close(f->fd);
    f->fd = -1;
    feed_restart(f->feed);
    struct stat st;
    if (open_path(f, f->path, &st))
        read_more(f);
}

static void maybe_close(struct file_source *fs);

static void on_read(uv_fs_t *request)
{
    struct follower *f = request->data;
    ssize_t n = request->result;
    uv_fs_req_cleanup(request);
    f->reading = false;
    f->owner->reading--;
    if (f->owner->closing) {
        maybe_close(f->owner);
        return;
    }
    if (n < 0) {
        source_set_trouble(f->owner->source, "%s: %s", f->path, uv_strerror((int)n));
        return;
    }
    if (n == 0) {
        if (f->moved)
            leave_file(f);
        return;
    }
    if (feed_bytes(f->feed, f->buffer, (size_t)n) != 0) {
        source_set_trouble(f->owner->source, "out of memory");
        return; /* the place was not moved: the next look reads the same bytes again */
    }
    f->offset += (uint64_t)n;
    commit_place(f);
    read_more(f);
}

static void read_more(struct follower *f)
{
    struct source *s = f->owner->source;
    if (f->fd < 0 || f->reading || s->paused || f->owner->closing)
        return;
    if (!f->buffer)
        f->buffer = mem_alloc(READ_BYTES);
    if (!f->buffer)
        return;
    f->request.data = f;
    uv_buf_t buf = uv_buf_init(f->buffer, READ_BYTES);
    if (uv_fs_read(&s->daemon->loop, &f->request, f->fd, &buf, 1, (int64_t)f->offset, on_read) == 0) {
        f->reading = true;
        f->owner->reading++;
    }
}

static bool was_rewritten(const struct follower *f, const struct stat *st)
{
    uint32_t got;
    if ((uint64_t)st->st_size < f->offset)
        return true;
    return f->head_size > 0 &&
           (hash_head(f->fd, f->head_size, &got) != f->head_hash || got != f->head_size);
}

static void look(struct follower *f)
{
    struct stat st, now;
    if (f->reading)
        return;
    if (f->fd < 0) {
        if (open_path(f, f->path, &st))
            read_more(f);
        return;
    }
    if (fstat(f->fd, &st) != 0)
        return;
    if (!f->moved && stat(f->path, &now) == 0 && (now.st_ino != f->ino || now.st_dev != f->dev))
        f->moved = true;
    if ((uint64_t)st.st_size != f->offset && was_rewritten(f, &st))
        begin_again(f);
    if ((uint64_t)st.st_size > f->offset || f->moved)
        read_more(f);
    else if (f->buffer) { /* quiet files hold no memory */
        mem_free(f->buffer);
        f->buffer = NULL;
    }
}

/* ---- matching -------------------------------------------------------------------------------------- */

static bool is_followed(const struct file_source *fs, const char *path)
{
    for (const struct follower *f = fs->followers; f; f = f->next)
        if (strcmp(f->path, path) == 0)
            return true;
    return false;
}

static void follow(struct file_source *fs, const char *path)
{
    struct source *s = fs->source;
    if (is_followed(fs, path))
        return;
    if (fs->count >= FOLLOWERS) {
        source_set_trouble(s, "more than %d files match; the others are not read", FOLLOWERS);
        return;
    }
    struct follower *f = mem_calloc(1, sizeof(*f));
    if (!f)
        return;
    f->owner = fs;
    f->fd = -1;
    f->path = mem_strdup(path);
    if (!f->path || feed_new(s, path, &f->feed) != 0) {
        mem_free(f->path);
        mem_free(f);
        return;
    }
    uint64_t hash = XXH3_64bits(path, strlen(path));
    snprintf(f->key, sizeof(f->key), "file/%lld/%016" PRIx64, (long long)s->stream->row.id, hash);
    f->next = fs->followers;
    fs->followers = f;
    fs->count++;
    if (take_up(f))
        read_more(f);
}

static void match_all(struct file_source *fs)
{
    const struct config_list *paths = &fs->source->config->path;
    for (size_t i = 0; i < paths->count; i++) {
        glob_t g;
        if (glob(paths->items[i], GLOB_NOSORT, NULL, &g) == 0) {
            for (size_t k = 0; k < g.gl_pathc; k++)
                follow(fs, g.gl_pathv[k]);
            globfree(&g);
        } else if (!strpbrk(paths->items[i], "*?[")) {
            follow(fs, paths->items[i]); /* it may come later */
        }
    }
}

static void on_look(uv_timer_t *timer)
{
    struct file_source *fs = container_of(timer, struct file_source, timer);
    if (fs->looks++ % MATCH_EVERY == 0)
        match_all(fs);
    if (fs->source->paused)
        return;
    for (struct follower *f = fs->followers; f; f = f->next)
        look(f);
}

/* ---- life ------------------------------------------------------------------------------------------ */

static int start(struct source *s)
{
    struct file_source *fs = mem_calloc(1, sizeof(*fs));
    if (!fs) {
        source_set_trouble(s, "out of memory");
        return ERR_NOMEM;
    }
    fs->source = s;
    s->impl = fs;
    uv_timer_init(&s->daemon->loop, &fs->timer);
    uv_timer_start(&fs->timer, on_look, 0, LOOK_MS);
    return 0;
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct file_source *fs = container_of(handle, struct file_source, timer);
    struct source *s = fs->source;
    while (fs->followers) {
        struct follower *f = fs->followers;
        fs->followers = f->next;
        if (f->fd >= 0)
            close(f->fd);
        feed_free(f->feed);
        mem_free(f->buffer);
        mem_free(f->path);
        mem_free(f);
    }
    mem_free(fs);
    source_closed(s);
}

static void maybe_close(struct file_source *fs)
{
    if (fs->reading == 0 && !uv_is_closing((uv_handle_t *)&fs->timer))
        uv_close((uv_handle_t *)&fs->timer, on_timer_closed);
}

static void stop(struct source *s)
{
    struct file_source *fs = s->impl;
    fs->closing = true;
    maybe_close(fs);
}

static void pause_reading(struct source *s)
{
    /* read_more and on_look ask s->paused themselves. */
}

static void resume_reading(struct source *s)
{
    struct file_source *fs = s->impl;
    for (struct follower *f = fs->followers; f; f = f->next)
        read_more(f);
}

const struct source_ops source_file = {.policy = STREAM_DURABLE,
                                       .start = start,
                                       .stop = stop,
                                       .pause = pause_reading,
                                       .resume = resume_reading};
