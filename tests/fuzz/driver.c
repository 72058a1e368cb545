/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Replays files through a fuzz target, so that every ordinary test run repeats all inputs that ever
 * mattered, with any compiler. Arguments are files, or folders whose files are taken in name order.
 * Each input is also cut at a few lengths: parsers must survive what ends early.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static unsigned long replayed;

/* A copy of the exact size, so that a sanitizer sees the first byte read past it. */
static void run(const unsigned char *data, size_t size)
{
    unsigned char *exact = malloc(size ? size : 1);
    if (!exact)
        abort();
    memcpy(exact, data, size);
    LLVMFuzzerTestOneInput(exact, size);
    free(exact);
    replayed++;
}

static int replay_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    unsigned char *data = NULL;
    size_t size = 0, room = 0, n;
    if (!f) {
        perror(path);
        return 1;
    }
    do {
        if (size == room) {
            room = room ? room * 2 : 65536;
            data = realloc(data, room);
            if (!data)
                abort();
        }
        n = fread(data + size, 1, room - size, f);
        size += n;
    } while (n > 0);
    fclose(f);
    run(data, size);
    for (size_t part = 1; part < 16; part++)
        run(data, size * part / 16);
    free(data);
    return 0;
}

static int visible(const struct dirent *e)
{
    return e->d_name[0] != '.';
}

static int replay(const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0) {
        perror(path);
        return 1;
    }
    if (!S_ISDIR(st.st_mode))
        return replay_file(path);
    struct dirent **found;
    int count = scandir(path, &found, visible, alphasort);
    int failed = count < 0;
    for (int i = 0; i < count; i++) {
        char file[4096];
        snprintf(file, sizeof(file), "%s/%s", path, found[i]->d_name);
        failed |= replay(file);
        free(found[i]);
    }
    if (count >= 0)
        free(found);
    return failed;
}

int main(int argc, char **argv)
{
    int failed = 0;
    for (int i = 1; i < argc; i++)
        failed |= replay(argv[i]);
    printf("%lu inputs replayed\n", replayed);
    return failed || replayed == 0;
}
