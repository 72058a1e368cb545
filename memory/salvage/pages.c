/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SQLite's file format, sections 1 and 4 (sqlite.org/fileformat2.html). A frame of the log is sound
 * when its checksum follows from the one before it; as each frame carries its own, one broken frame
 * takes only itself away. Frames behind the last commit belong to a transaction that never ended.
 * Memory: 4 bytes a page.
 */
#include "memory/salvage/pages.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "memory/schema.h"
#include "memory/sqlite_format.h"

#define FILE_HEADER 100
#define LOG_HEADER 32
#define FRAME_HEADER 24
#define LOCK_BYTE 0x40000000
#define MAP_ENTRY 5

static uint32_t le32(const unsigned char *p)
{
    return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

static bool is_page_size(uint32_t size)
{
    return size >= 512 && size <= PAGE_MAX && (size & (size - 1)) == 0;
}

static bool read_at(int fd, void *out, size_t size, int64_t at)
{
    ssize_t n;
    do
        n = pread(fd, out, size, at);
    while (n < 0 && errno == EINTR);
    return n == (ssize_t)size;
}

/* ---- the log ---- */

struct log {
    int fd;
    bool big_endian;
    uint32_t page_size, count; /* count: whole frames that fit its size */
    unsigned char salt[8];
    uint32_t sum[2]; /* the checksum so far */
    unsigned char *frame;
};

static void add_checksum(struct log *l, const unsigned char *p, size_t size)
{
    for (size_t i = 0; i + 8 <= size; i += 8) {
        l->sum[0] += (l->big_endian ? format_be32(p + i) : le32(p + i)) + l->sum[1];
        l->sum[1] += (l->big_endian ? format_be32(p + i + 4) : le32(p + i + 4)) + l->sum[0];
    }
}

/* A log whose header is broken is read as one of this machine, its first frame lost. */
static void read_header(struct log *l)
{
    unsigned char h[LOG_HEADER];
    uint32_t magic;
    l->sum[0] = l->sum[1] = 0;
    if (read_at(l->fd, h, sizeof(h), 0)) {
        magic = format_be32(h);
        l->big_endian = magic == 0x377f0683;
        add_checksum(l, h, 24);
        if ((magic == 0x377f0682 || l->big_endian) && is_page_size(format_be32(h + 8)) &&
            format_be32(h + 24) == l->sum[0] && format_be32(h + 28) == l->sum[1]) {
            l->page_size = format_be32(h + 8);
            memcpy(l->salt, h + 16, 8);
            return;
        }
    }
    l->big_endian = false;
    if (read_at(l->fd, h, FRAME_HEADER, LOG_HEADER))
        memcpy(l->salt, h + 8, 8);
}

/* Reads frame `i`; *ret_sound: it belongs to this log and its checksum holds. */
static bool read_frame(struct log *l, uint32_t i, bool *ret_sound)
{
    size_t size = FRAME_HEADER + l->page_size;
    if (!read_at(l->fd, l->frame, size, LOG_HEADER + (int64_t)i * (int64_t)size))
        return false;
    add_checksum(l, l->frame, 8);
    add_checksum(l, l->frame + FRAME_HEADER, l->page_size);
    uint32_t stored[2] = {format_be32(l->frame + 16), format_be32(l->frame + 20)};
    *ret_sound = memcmp(l->frame + 8, l->salt, 8) == 0 && stored[0] == l->sum[0] &&
                 stored[1] == l->sum[1] && format_be32(l->frame) > 0;
    l->sum[0] = stored[0];
    l->sum[1] = stored[1];
    return true;
}

/*
 * The first pass (frames NULL) finds the last commit and what it makes the file's size, the second
 * notes every page up to it. What is behind a log's end is of an older one: other salts.
 */
static uint32_t walk_log(struct log *l, uint32_t end, uint32_t *frames, uint32_t pages,
                         uint32_t *ret_pages, uint32_t *ret_lost)
{
    uint32_t commit = 0, lost = 0;
    read_header(l);
    for (uint32_t i = 0; i < end; i++) {
        bool sound;
        if (!read_frame(l, i, &sound))
            break;
        uint32_t page = format_be32(l->frame);
        if (!sound) {
            lost += memcmp(l->frame + 8, l->salt, 8) == 0;
        } else if (frames && page <= pages) {
            frames[page] = i + 1;
        } else if (!frames && format_be32(l->frame + 4) > 0) {
            commit = i + 1;
            *ret_pages = format_be32(l->frame + 4);
            *ret_lost = lost;
        }
    }
    if (!frames && lost > *ret_lost)
        *ret_lost = lost;
    return commit;
}

static int read_log(struct pages *p, const char *path, struct errmsg *err)
{
    char name[4200];
    struct stat st;
    snprintf(name, sizeof(name), "%s-wal", path);
    p->log_fd = open(name, O_RDONLY | O_CLOEXEC);
    if (p->log_fd < 0 || fstat(p->log_fd, &st) != 0 || st.st_size <= LOG_HEADER)
        return 0;
    struct log l = {.fd = p->log_fd, .page_size = p->page_size};
    read_header(&l);
    if (p->headless)
        p->page_size = l.page_size;
    l.count = (uint32_t)((st.st_size - LOG_HEADER) / (FRAME_HEADER + l.page_size));
    l.frame = mem_alloc(FRAME_HEADER + PAGE_MAX);
    if (!l.frame)
        return err_set(err, ERR_NOMEM, "%s", err_text(ERR_NOMEM));
    uint32_t pages = 0;
    uint32_t end = l.page_size == p->page_size
                       ? walk_log(&l, l.count, NULL, 0, &pages, &p->frames_lost)
                       : (p->frames_lost = l.count, 0);
    int r = 0;
    if (end > 0) {
        /* A file is at most as long as it was and its log together. */
        uint64_t most = (uint64_t)p->count + l.count;
        p->count = pages < most ? pages : (uint32_t)most;
        p->frames = mem_calloc((size_t)p->count + 1, sizeof(*p->frames));
        r = p->frames ? 0 : err_set(err, ERR_NOMEM, "%s", err_text(ERR_NOMEM));
        if (r == 0)
            walk_log(&l, end, p->frames, p->count, NULL, NULL);
    }
    mem_free(l.frame);
    return r;
}

/* ---- the file ---- */

static void read_file_header(struct pages *p)
{
    unsigned char h[FILE_HEADER];
    p->page_size = SCHEMA_PAGE_SIZE;
    p->headless = true;
    if (!read_at(p->fd, h, sizeof(h), 0) || memcmp(h, "SQLite format 3", 16) != 0)
        return;
    uint32_t size = (uint32_t)h[16] << 8 | h[17];
    size = size == 1 ? 65536 : size;
    if (is_page_size(size)) {
        p->page_size = size;
        p->headless = false;
    }
}

int pages_open(const char *path, struct pages *ret, struct errmsg *err)
{
    struct pages p = {.log_fd = -1};
    struct stat st;
    int r = 0;
    p.fd = open(path, O_RDONLY | O_CLOEXEC);
    if (p.fd < 0 || fstat(p.fd, &st) != 0)
        r = err_set(err, err_from_errno(errno), "%s: %s", path, strerror(errno));
    else if (!S_ISREG(st.st_mode))
        r = err_set(err, ERR_INVALID, "%s: not a regular file", path);
    if (r == 0) {
        read_file_header(&p);
        int64_t count = st.st_size / p.page_size;
        p.count = count > UINT32_MAX / 2 ? UINT32_MAX / 2 : (uint32_t)count;
        r = read_log(&p, path, err);
    }
    if (r == 0 && p.count == 0)
        r = err_set(err, ERR_CORRUPT, "%s: cut short: not one page of a database", path);
    if (r)
        pages_close(&p);
    else
        *ret = p;
    return r;
}

void pages_close(struct pages *p)
{
    if (p->fd >= 0)
        close(p->fd);
    if (p->log_fd >= 0)
        close(p->log_fd);
    mem_free(p->frames);
    *p = (struct pages){.fd = -1, .log_fd = -1};
}

int pages_read(const struct pages *p, uint32_t number, unsigned char *out)
{
    if (number == 0 || number > p->count)
        return ERR_CORRUPT;
    uint32_t frame = p->frames ? p->frames[number] : 0;
    bool whole = frame ? read_at(p->log_fd, out, p->page_size,
                                 LOG_HEADER + FRAME_HEADER +
                                     (int64_t)(frame - 1) * (FRAME_HEADER + p->page_size))
                       : read_at(p->fd, out, p->page_size, (int64_t)(number - 1) * p->page_size);
    return whole ? 0 : ERR_CORRUPT;
}

/* The page of the map that has the entry of `number`; itself when it is such a page. */
static uint32_t map_of(const struct pages *p, uint32_t number)
{
    uint32_t span = p->page_size / MAP_ENTRY + 1;
    uint32_t map = (number - 2) / span * span + 2;
    return map == LOCK_BYTE / p->page_size + 1 ? map + 1 : map;
}

bool pages_is_map(const struct pages *p, uint32_t number)
{
    return number > 1 && (map_of(p, number) == number || number == LOCK_BYTE / p->page_size + 1);
}

enum page_use pages_use(const struct pages *p, uint32_t number, uint32_t *ret_parent)
{
    unsigned char map[PAGE_MAX];
    *ret_parent = 0;
    if (number < 3 || number > p->count || pages_is_map(p, number) ||
        pages_read(p, map_of(p, number), map) != 0)
        return PAGE_UNKNOWN;
    uint32_t entries = p->page_size / MAP_ENTRY, first = map_of(p, number) + 1;
    entries = p->count - first + 1 < entries ? p->count - first + 1 : entries;
    /* One entry that cannot be says that the page is no map any more. */
    for (uint32_t i = 0; i < entries; i++)
        if (map[i * MAP_ENTRY] > 5 || format_be32(map + i * MAP_ENTRY + 1) > p->count)
            return PAGE_UNKNOWN;
    const unsigned char *entry = map + (number - first) * MAP_ENTRY;
    static const enum page_use uses[] = {PAGE_UNKNOWN,  PAGE_ROOT,     PAGE_FREE,
                                         PAGE_OVERFLOW, PAGE_OVERFLOW, PAGE_NODE};
    *ret_parent = format_be32(entry + 1);
    return uses[entry[0]];
}
