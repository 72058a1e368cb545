/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Salvage of a memory with bytes changed, cut, or with the log of a killed daemon beside it. The
 * input is a byte that says what to do, then patches of four bytes each: where (three) and what. An
 * odd first byte cuts the file at the second byte's share of it; with bit 2 set it is the log that
 * is patched. What comes out is sound, or nothing comes out.
 */
#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "memory/salvage/salvage.h"
#include "memory/verify.h"
#include "tests/sample/sample_db.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

struct image {
    unsigned char *bytes;
    size_t size;
};

static char folder[64];
static struct image whole, bare, journal; /* a closed file; one that was killed, and its log */

static const char *in_folder(const char *name)
{
    static char path[2][128];
    static int turn;
    turn = !turn;
    snprintf(path[turn], sizeof(path[turn]), "%s/%s", folder, name);
    return path[turn];
}

static void tidy(void)
{
    static const char *const names[] = {"in.db", "in.db-wal", "in.db-shm", "in.db.lock"};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        unlink(in_folder(names[i]));
    rmdir(folder);
}

static void load(const char *name, struct image *ret)
{
    struct stat st;
    int fd = open(in_folder(name), O_RDONLY);
    assert(fd >= 0 && fstat(fd, &st) == 0);
    ret->size = (size_t)st.st_size;
    ret->bytes = malloc(ret->size);
    assert(ret->bytes && read(fd, ret->bytes, ret->size) == (ssize_t)ret->size);
    close(fd);
}

static void save(const char *name, const unsigned char *bytes, size_t size)
{
    int fd = open(in_folder(name), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert(fd >= 0 && write(fd, bytes, size) == (ssize_t)size);
    close(fd);
}

static void make_images(void)
{
    struct errmsg err;
    const char *base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    snprintf(folder, sizeof(folder), "%s/varve-fuzz-XXXXXX", base);
    assert(mkdtemp(folder));
    atexit(tidy);
    assert(sample_db_make(in_folder("in.db"), 4, NULL, &err) == 0);
    load("in.db", &whole);
    unlink(in_folder("in.db"));
    pid_t child = fork();
    if (child == 0) {
        struct store *s;
        sample_db_make(in_folder("in.db"), 4, &s, &err);
        _exit(0);
    }
    assert(waitpid(child, NULL, 0) == child);
    load("in.db", &bare);
    load("in.db-wal", &journal);
}

static void patch(struct image *image, const unsigned char *data, size_t size)
{
    for (size_t i = 0; i + 4 <= size; i += 4)
        image->bytes[(data[i] | (size_t)data[i + 1] << 8 | (size_t)data[i + 2] << 16) %
                     image->size] = data[i + 3];
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct salvage_report report;
    struct errmsg err;
    if (!whole.bytes)
        make_images();
    int how = size ? data[0] : 0;
    struct image file = how & 4 ? bare : whole, log = journal;
    struct image *damaged = how & 4 ? &log : &file;
    unsigned char *copy = malloc(damaged->size);
    assert(copy);
    memcpy(copy, damaged->bytes, damaged->size);
    damaged->bytes = copy;
    if (size > 2)
        patch(damaged, data + 2, size - 2);
    if (how & 1)
        damaged->size = damaged->size * (size > 1 ? data[1] : 0) / 255;
    unlink(in_folder("in.db-wal"));
    unlink(in_folder("in.db-shm"));
    unlink(in_folder("in.db.lock"));
    save("in.db", file.bytes, file.size);
    if (how & 4)
        save("in.db-wal", log.bytes, log.size);
    free(copy);
    if (salvage_file(in_folder("in.db"), in_folder("out.db"), &report, &err) == 0) {
        int r = verify_file(in_folder("out.db"), NULL, &err);
        if (r)
            fprintf(stderr, "%s\n", err.text);
        assert(r == 0);
        unlink(in_folder("out.db"));
        unlink(in_folder("out.db-shm"));
        unlink(in_folder("out.db-wal"));
        unlink(in_folder("out.db.lock"));
    } else {
        assert(err.text[0]);
        assert(access(in_folder("out.db"), F_OK) != 0);
    }
    return 0;
}
