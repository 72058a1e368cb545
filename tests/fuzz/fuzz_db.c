/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A memory file with some of its bytes overwritten: every way of reading it ends in output or in an
 * error, never in a crash. The input is either "R" and a number, which stands for that many
 * pseudo-random changes, or any bytes taken as changes of four bytes each: where (three) and what.
 */
#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "memory/dump/dump.h"
#include "memory/recall.h"
#include "tests/sample/sample_db.h"

#define MOMENTS 8

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static char folder[64], path[96];
static unsigned char *whole, *changed;
static size_t whole_size;
static int sink;
static FILE *errors;

static void tidy(void)
{
    static const char *const names[] = {"memory.db", "memory.db-wal", "memory.db-shm",
                                        "memory.db.lock"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char name[128];
        snprintf(name, sizeof(name), "%s/%s", folder, names[i]);
        unlink(name);
    }
    rmdir(folder);
    free(whole);
    free(changed);
    fclose(errors);
}

static void make_file(void)
{
    struct errmsg err;
    const char *base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    snprintf(folder, sizeof(folder), "%s/varve-fuzz-XXXXXX", base);
    if (!mkdtemp(folder))
        abort();
    snprintf(path, sizeof(path), "%s/memory.db", folder);
    if (sample_db_make(path, MOMENTS, NULL, &err) != 0) {
        fprintf(stderr, "%s\n", err.text);
        abort();
    }
    struct stat st;
    int fd = open(path, O_RDONLY);
    assert(fd >= 0 && fstat(fd, &st) == 0);
    whole_size = (size_t)st.st_size;
    whole = malloc(whole_size);
    changed = malloc(whole_size);
    assert(whole && changed && read(fd, whole, whole_size) == (ssize_t)whole_size);
    close(fd);
    sink = open("/dev/null", O_WRONLY);
    errors = fopen("/dev/null", "w");
    assert(sink >= 0 && errors);
    atexit(tidy);
}

static void change_at_random(const unsigned char *data, size_t size)
{
    unsigned long long state = 0x9e3779b97f4a7c15ULL;
    unsigned changes = size ? 1 + data[size - 1] % 64 : 1;
    for (size_t i = 0; i < size; i++)
        state = (state ^ data[i]) * 0x100000001b3ULL;
    for (unsigned i = 0; i < changes; i++) {
        state = state * 6364136223846793005ULL + 1442695040888963407ULL;
        changed[(state >> 33) % whole_size] = (unsigned char)(state >> 24);
    }
}

static void write_changed(void)
{
    int fd = open(path, O_WRONLY | O_TRUNC);
    if (fd < 0 || write(fd, changed, whole_size) != (ssize_t)whole_size) {
        perror(path);
        abort();
    }
    close(fd);
}

/* Questions as clients ask them; what they answer or refuse does not matter here. */
static void ask_all_ways(void)
{
    struct reader *r;
    struct errmsg err;
    struct arena arena;
    struct clock clock;
    clock_simulated_init(&clock, SAMPLE_START + US_PER_DAY);
    struct reader_options o = {.path = path, .clock = &clock};
    if (reader_open(&o, &r, &err) != 0)
        return;
    const struct recall_filter all = {.since = TIME_UNKNOWN, .until = TIME_UNKNOWN};
    struct recall_query query = {.text = {"cron unreadable", 15}, .filter = all};
    struct recall_question question = {.text = {"what happened yesterday?", 24}, .filter = all};
    struct recall_timeline_query line = {.time = TIME_UNKNOWN, .stratum = -1, .filter = all};
    struct recall_found found;
    struct recall_answer answer;
    struct recall_items items;
    struct recall_unusual *unusual;
    uint32_t count;
    arena_init(&arena, 64u << 10);
    recall_search(r, &query, &arena, &found, &err);
    recall_ask(r, &question, &arena, &answer, &err);
    recall_timeline(r, &line, &arena, &items, &err);
    recall_surprise(r, &all, 0, &arena, &unusual, &count, &err);
    for (int64_t id = 1; id <= 2 * MOMENTS + SAMPLE_NOTES + 4; id++) {
        struct recall_opened opened;
        struct recall_raw raw;
        arena_reset(&arena);
        recall_open(r, id, &arena, &opened, &err);
        recall_raw(r, id, 0, &arena, &raw, &err);
    }
    arena_deinit(&arena);
    reader_close(r);
}

static void read_all_ways(void)
{
    static const char *const ways[] = {"--format=text", "--format=ndjson", "--format=html",
                                       "--records",     "--stats",         "--verify"};
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        char *argv[] = {"varve-dump", path, (char *)ways[i], NULL};
        int status = dump_run(3, argv, sink, errors);
        assert(status == 0 || status == 1);
    }
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    if (!whole)
        make_file();
    memcpy(changed, whole, whole_size);
    if (size && data[0] == 'R')
        change_at_random(data + 1, size - 1);
    else
        for (size_t i = 0; i + 4 <= size; i += 4)
            changed[(data[i] | (size_t)data[i + 1] << 8 | (size_t)data[i + 2] << 16) % whole_size] =
                data[i + 3];
    write_changed();
    read_all_ways();
    ask_all_ways();
    return 0;
}
