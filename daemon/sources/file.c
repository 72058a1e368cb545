/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file source: follows files by path or pattern. Here is what is followed, into which stream,
 * and what is read when; follower.c is about the single file.
 *
 * Twice a second every follower looks at its file; those with something to read take turns, one
 * read at a time, so that a source holds one buffer however many files it has, and a large one does
 * not keep the others waiting. Every five seconds the patterns are matched anew: files may come
 * late.
 *
 * One plain path feeds the source's one stream. Where there are several, or a pattern, each file
 * has a stream of its own, because lines of different files are no order of events: STREAM/NAME,
 * NAME being the path below the folder that all patterns have in common. Compressed files are
 * passed over, and a file that two names lead to is read once: also where a pattern matches what a
 * rotation renames.
 *
 * Durable: while a stream's queue is full its files are not read. Sizes: at most FOLLOWERS files.
 */
#include <fnmatch.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "daemon/sources/follower.h"

#define FOLLOWERS 256
#define READ_BYTES (256u << 10)
#define LOOK_MS 500
#define MATCH_EVERY 10 /* looks */

struct file_source {
    struct source *source;
    uv_timer_t timer;
    struct follower *followers;
    unsigned count, looks;
    bool too_many, pumping, closing;
    size_t common;            /* bytes of the folder that all patterns have in common */
    struct follower *reading; /* whose read is under way */
    struct follower *last;    /* whose turn it was */
    uv_fs_t request;
    char *buffer;
};

static bool is_pattern(const char *path)
{
    return strpbrk(path, "*?[") != NULL;
}

/* ---- streams ---- */

/* Up to the last slash before what varies, without it. */
static size_t folder_size(const char *path)
{
    size_t n = strcspn(path, "*?[");
    while (n > 0 && path[n] != '/')
        n--;
    return n;
}

static size_t common_folder(const struct config_list *paths)
{
    size_t n = folder_size(paths->items[0]);
    for (size_t i = 1; i < paths->count; i++) {
        const char *a = paths->items[0], *b = paths->items[i];
        size_t most = folder_size(b), same = 0;
        while (same < n && same < most && a[same] == b[same])
            same++;
        bool whole = (same == n || a[same] == '/') && (same == most || b[same] == '/');
        while (!whole && same > 0 && a[same] != '/')
            same--;
        n = same;
    }
    return n;
}

static void name_stream(const struct file_source *fs, const char *path,
                        char out[STREAM_NAME_MAX + 1])
{
    char clean[3 * CONFIG_PATH_SIZE];
    path += fs->common;
    path += strspn(path, "/");
    size_t size = strlen(path);
    size = utf8_repair(path, size < CONFIG_PATH_SIZE ? size : CONFIG_PATH_SIZE, clean);
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)clean[i] < ' ' || clean[i] == 0x7f)
            clean[i] = '_';
    int n = snprintf(out, STREAM_NAME_MAX + 1, "%s/", fs->source->config->stream);
    size_t room = STREAM_NAME_MAX - (size_t)n;
    if (n >= STREAM_NAME_MAX)
        return;
    /* Of a long path the end says more. */
    size_t skip = size > room ? size - room : 0;
    while (skip < size && ((unsigned char)clean[skip] & 0xc0) == 0x80)
        skip++;
    memcpy(out + n, clean + skip, size - skip);
    out[(size_t)n + size - skip] = '\0';
}

static void pump(struct file_source *fs);

static void stream_opened(struct source_stream *ss)
{
    struct file_source *fs = ss->source->impl;
    if (ss->stream && fs)
        pump(fs);
}

/* The follower's stream, opened when there is something to put into it; true once it is there. */
static bool has_stream(struct file_source *fs, struct follower *f)
{
    struct source *s = fs->source;
    if (f->stream)
        return f->stream->stream != NULL;
    if (!s->many) {
        f->stream = s->streams;
        return true;
    }
    char name[STREAM_NAME_MAX + 1], about[sizeof(f->stream->about)];
    name_stream(fs, f->path, name);
    snprintf(about, sizeof(about), "file %.150s", f->path);
    for (struct source_stream *ss = s->streams; ss && !f->stream; ss = ss->next)
        if (strcmp(ss->name, name) == 0)
            f->stream = ss; /* the name was followed before */
    if (!f->stream)
        f->stream = source_stream_add(s, name, about, stream_opened);
    return f->stream && f->stream->stream;
}

/* ---- reading ---- */

static void end_when_idle(struct file_source *fs);

static struct follower *find_follower(const struct file_source *fs, const char *path)
{
    struct follower *f = fs->followers;
    while (f && strcmp(f->path, path) != 0)
        f = f->next;
    return f;
}

static bool is_matched(const struct file_source *fs, const char *path)
{
    const struct config_list *paths = &fs->source->config->path;
    for (size_t i = 0; i < paths->count; i++)
        if (fnmatch(paths->items[i], path, FNM_PATHNAME | FNM_PERIOD) == 0)
            return true;
    return false;
}

/* Where the name that a rotation gave a file is followed too, it must not be read again. */
static void leave_when_done(struct file_source *fs, struct follower *f)
{
    if (f->file_count == 0 || f->hungry || !f->leaving)
        return;
    char link[32], path[CONFIG_PATH_SIZE];
    struct stat st;
    bool was_read = f->offset > 0 && has_stream(fs, f);
    struct followed_file file = follower_leave(f);
    snprintf(link, sizeof(link), "/proc/self/fd/%d", file.fd);
    ssize_t n = readlink(link, path, sizeof(path) - 1);
    path[n > 0 ? n : 0] = '\0';
    bool renamed = fstat(file.fd, &st) == 0 && st.st_nlink > 0 && strcmp(path, f->path) != 0;
    struct follower *other = renamed ? find_follower(fs, path) : NULL;
    if (other && follower_accept(other, &file, was_read ? f->stream : NULL))
        return;
    if (renamed && was_read && is_matched(fs, path))
        follower_keep_for(f, path, &file.place);
    close(file.fd);
}

static void on_read(uv_fs_t *request)
{
    struct file_source *fs = container_of(request, struct file_source, request);
    struct follower *f = fs->reading;
    ssize_t n = request->result;
    uv_fs_req_cleanup(request);
    fs->reading = NULL;
    if (fs->closing) {
        end_when_idle(fs);
        return;
    }
    f->hungry = n == READ_BYTES;
    if (n < 0)
        snprintf(f->trouble, sizeof(f->trouble), "%.150s: %.40s", f->path, uv_strerror((int)n));
    else if (n > 0 && follower_take(f, fs->buffer, (size_t)n) != 0)
        f->hungry = false; /* until the next look */
    leave_when_done(fs, f);
    pump(fs);
}

static bool may_read(struct file_source *fs, struct follower *f)
{
    return f->file_count > 0 && f->hungry && has_stream(fs, f) && !f->stream->paused &&
           (f->feed || follower_begin(f) == 0);
}

/* Whose turn it is after the last one's. */
static struct follower *next_hungry(struct file_source *fs)
{
    struct follower *start = fs->last && fs->last->next ? fs->last->next : fs->followers;
    struct follower *f = start;
    while (f && !may_read(fs, f)) {
        f = f->next ? f->next : fs->followers;
        if (f == start)
            return NULL;
    }
    return f;
}

static void pump(struct file_source *fs)
{
    if (fs->reading || fs->pumping || fs->closing)
        return;
    fs->pumping = true; /* opening a stream may lead back here */
    struct follower *f = next_hungry(fs);
    fs->pumping = false;
    if (!f) { /* a quiet source holds no memory */
        mem_free(fs->buffer);
        fs->buffer = NULL;
        return;
    }
    if (!fs->buffer)
        fs->buffer = mem_alloc(READ_BYTES);
    if (!fs->buffer)
        return;
    uv_buf_t buf = uv_buf_init(fs->buffer, READ_BYTES);
    if (uv_fs_read(&fs->source->daemon->loop, &fs->request, f->files[0].fd, &buf, 1,
                   (int64_t)f->offset, on_read) == 0)
        fs->reading = fs->last = f;
}

/* ---- matching ---- */

static bool is_held(const struct follower *f, const struct stat *st)
{
    const struct file_source *fs = f->source->impl;
    for (const struct follower *g = fs->followers; g; g = g->next)
        if (g != f && follower_has(g, st))
            return true;
    return false;
}

static bool is_compressed(const char *path)
{
    static const char *const endings[] = {".gz", ".xz", ".bz2", ".zst", ".lz4", ".Z", ".zip"};
    size_t n = strlen(path);
    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++)
        if (n > strlen(endings[i]) && strcmp(path + n - strlen(endings[i]), endings[i]) == 0)
            return true;
    return false;
}

static void follow(struct file_source *fs, const char *path, bool globbed)
{
    if (find_follower(fs, path) || (globbed && is_compressed(path)))
        return;
    if (fs->count >= FOLLOWERS) {
        fs->too_many = true;
        return;
    }
    struct follower *f = follower_new(fs->source, path, globbed);
    if (!f)
        return; /* the next match does as well */
    f->next = fs->followers;
    fs->followers = f;
    fs->count++;
}

/* Names that a pattern matched once and that have no file any more. */
static void forget_gone(struct file_source *fs)
{
    for (struct follower **at = &fs->followers; *at;) {
        struct follower *f = *at;
        struct stat st;
        if (!f->globbed || f->file_count > 0 || stat(f->path, &st) == 0) {
            at = &f->next;
            continue;
        }
        *at = f->next;
        if (fs->last == f)
            fs->last = NULL;
        fs->count--;
        follower_free(f);
    }
}

static void match_all(struct file_source *fs)
{
    const struct config_list *paths = &fs->source->config->path;
    forget_gone(fs);
    fs->too_many = false;
    for (size_t i = 0; i < paths->count; i++) {
        glob_t g;
        if (!is_pattern(paths->items[i])) {
            follow(fs, paths->items[i], false); /* it may come later */
        } else if (glob(paths->items[i], GLOB_NOSORT, NULL, &g) == 0) {
            for (size_t k = 0; k < g.gl_pathc; k++)
                follow(fs, g.gl_pathv[k], true);
            globfree(&g);
        }
    }
    /* What was read before goes to whoever read it, before anybody takes it for a new file. */
    for (struct follower *f = fs->followers; f; f = f->next)
        if (f->file_count == 0)
            follower_take_up(f, is_held);
}

/* Tells the first trouble, and how many more there are. */
static void tell_trouble(struct file_source *fs)
{
    const char *first = NULL;
    unsigned others = 0;
    for (struct follower *f = fs->followers; f; f = f->next) {
        struct source_stream *ss = f->stream;
        if (fs->source->many && ss && ss->stream)
            memcpy(ss->trouble, f->trouble, sizeof(ss->trouble));
        const char *text = f->trouble[0] || !ss ? f->trouble : ss->trouble;
        others += text[0] && first;
        first = text[0] && !first ? text : first;
    }
    if (!first && fs->too_many)
        source_set_trouble(fs->source, "more than %d files match; the others are not read",
                           FOLLOWERS);
    else if (others > 0)
        source_set_trouble(fs->source, "%s (and %u more)", first, others);
    else
        source_set_trouble(fs->source, "%s", first ? first : "");
}

static void on_look(uv_timer_t *timer)
{
    struct file_source *fs = container_of(timer, struct file_source, timer);
    if (fs->looks++ % MATCH_EVERY == 0)
        match_all(fs);
    for (struct follower *f = fs->followers; f; f = f->next) {
        if (f == fs->reading)
            continue;
        follower_look(f, is_held);
        leave_when_done(fs, f);
    }
    tell_trouble(fs);
    pump(fs);
}

/* ---- life ---- */

static bool follows_many(const struct config_source *config)
{
    return config->path.count != 1 || is_pattern(config->path.items[0]);
}

static int start(struct source *s)
{
    struct file_source *fs = mem_calloc(1, sizeof(*fs));
    if (!fs) {
        source_set_trouble(s, "out of memory");
        return ERR_NOMEM;
    }
    fs->source = s;
    fs->common = common_folder(&s->config->path);
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
        follower_free(f);
    }
    mem_free(fs->buffer);
    mem_free(fs);
    source_closed(s);
}

static void end_when_idle(struct file_source *fs)
{
    if (!fs->reading)
        uv_close((uv_handle_t *)&fs->timer, on_timer_closed);
}

static void stop(struct source *s)
{
    struct file_source *fs = s->impl;
    fs->closing = true;
    uv_timer_stop(&fs->timer);
    end_when_idle(fs);
}

static void resume_reading(struct source_stream *ss)
{
    pump(ss->source->impl);
}

const struct source_ops source_file = {.policy = STREAM_DURABLE,
                                       .start = start,
                                       .stop = stop,
                                       .resume = resume_reading,
                                       .many = follows_many};
