/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The writer on a damaged memory.db: a sound one with bytes changed. The input is a list of five-byte patches, offset
 * (little-endian, modulo the file's size) and new value. Whatever they hit, verification and the
 * store end with an error or go on; they do not crash, and they do not loop.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "memory/evidence.h"
#include "memory/store.h"
#include "memory/verify.h"
#include "memory/words.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static char folder[64], path[96];
static unsigned char *image;
static size_t image_size;
static struct clock now;

static void remove_files(void)
{
    static const char *const tails[] = {"", "-wal", "-shm", ".lock"};
    char name[128];
    for (int i = 0; i < 4; i++) {
        snprintf(name, sizeof(name), "%s%s", path, tails[i]);
        unlink(name);
    }
    rmdir(folder);
}

static struct store *open_store(void)
{
    struct store *s = NULL;
    struct errmsg err;
    struct store_options o = {.path = path, .clock = &now, .no_sync = true};
    int r = store_open(&o, &s, &err);
    assert((r == 0) == (s != NULL));
    return s;
}

static void put_moment(struct store *s, uint64_t seq, enum moment_path how)
{
    struct record records[8];
    struct buf block = {0};
    struct store_words *w = store_words_new();
    int64_t id, t = (int64_t)seq * US_PER_MINUTE;
    for (uint64_t i = 0; i < 8; i++)
        records[i] = (struct record){.seq = seq + i, .time = t, .text = {"disk failed", 11}};
    struct moment m = {.kind = KIND_TEXT, .start = t, .end = t, .records = records,
                       .record_count = 8, .path = how, .title = "disk"};
    struct entity_seen seen = {"host", "web", 8};
    m.entities = &seen;
    m.entity_count = 1;
    m.latent[0] = 1;
    assert(w && evidence_encode(records, 8, 3, &block) == 0);
    assert(words_index(&m, "a", NULL, 0, w) == 0);
    struct slice bytes = {block.data, block.size};
    int r = store_begin(s, NULL);
    if (r == 0)
        r = store_pending_put(s, 1, seq + 8, seq + 15, 8, bytes, &id, NULL);
    if (r == 0)
        r = store_moment_put(s, 1, &m, bytes, w, &id, NULL);
    if (r == 0)
        r = store_commit(s, NULL);
    if (r)
        store_rollback(s);
    buf_deinit(&block);
    store_words_free(w);
}

static void make_image(void)
{
    int64_t id;
    const char *place = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    snprintf(folder, sizeof(folder), "%s/varve-fuzz-XXXXXX", place);
    assert(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/memory.db", folder);
    clock_simulated_init(&now, 1700000000000000LL);
    struct store *s = open_store();
    assert(s && store_stream_create(s, "a", KIND_TEXT, "", &id, NULL) == 0);
    for (uint64_t i = 0; i < 20; i++)
        put_moment(s, 1 + i * 20, i % 2 ? PATH_LATENT : PATH_DISCRETE);
    while (store_consolidate(s, NULL) == STORE_MORE)
        ;
    store_close(s);
    FILE *f = fopen(path, "rb");
    assert(f && fseek(f, 0, SEEK_END) == 0);
    image_size = (size_t)ftell(f);
    rewind(f);
    image = malloc(image_size);
    assert(image && fread(image, 1, image_size, f) == image_size);
    fclose(f);
    atexit(remove_files);
}

static void write_damaged(const unsigned char *data, size_t size)
{
    unsigned char *copy = malloc(image_size);
    char wal[128];
    assert(copy);
    memcpy(copy, image, image_size);
    for (size_t i = 0; i + 5 <= size; i += 5) {
        size_t at = data[i] | (size_t)data[i + 1] << 8 | (size_t)data[i + 2] << 16 |
                    (size_t)data[i + 3] << 24;
        copy[at % image_size] = data[i + 4];
    }
    snprintf(wal, sizeof(wal), "%s-wal", path);
    unlink(wal);
    snprintf(wal, sizeof(wal), "%s-shm", path);
    unlink(wal);
    FILE *f = fopen(path, "wb");
    assert(f && fwrite(copy, 1, image_size, f) == image_size);
    fclose(f);
    free(copy);
}

static int ignore_batch(void *arg, int64_t id, int64_t stream, struct slice block)
{
    return 0;
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct errmsg err = {{0}};
    if (!image)
        make_image();
    write_damaged(data, size);
    int r = verify_file(path, NULL, &err);
    assert(r == 0 || err.text[0]);
    struct store *s = open_store();
    if (!s)
        return 0;
    store_pending(s, ignore_batch, NULL, &err);
    put_moment(s, 9000, PATH_DISCRETE);
    for (int i = 0; i < 20 && store_consolidate(s, &err) == STORE_MORE; i++)
        ;
    store_close(s);
    return 0;
}
