/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "cli/client.h"
#include "cli/commands.h"

#define NOTE_MAX (64u << 10) /* as memory.remember takes it */

/* The note, from the operands or, for "-", standard input without its last line end. */
static int read_note(const struct args *a, struct buf *out)
{
    if (a->operand_count > 1 || strcmp(a->operands[0], "-") != 0) {
        args_join(a, out);
        return 0;
    }
    char chunk[4096];
    size_t n;
    while ((n = fread(chunk, 1, sizeof(chunk), stdin)) > 0 && out->size <= NOTE_MAX)
        buf_append(out, chunk, n);
    while (out->size > 0 && out->data[out->size - 1] == '\n')
        out->data[--out->size] = '\0';
    if (out->size > NOTE_MAX || out->size == 0) {
        fprintf(stderr, "varve remember: a note has 1 to %u bytes\n", NOTE_MAX);
        return EXIT_FAILED;
    }
    return 0;
}

int run_remember(struct args *a)
{
    struct buf note = {0}, params = {0};
    struct jsonw w;
    int r = read_note(a, &note);
    if (r == 0) {
        jsonw_init(&w, &params);
        jsonw_object(&w);
        args_params(a, &w);
        jsonw_key(&w, "text");
        jsonw_string_n(&w, note.data, note.size);
        jsonw_object_end(&w);
        r = client_run(a, API_MEMORY_REMEMBER, &params);
    }
    buf_deinit(&note);
    return r;
}

int run_feedback(struct args *a)
{
    bool helped = args_value(a, "--helped"), not_helped = args_value(a, "--not-helped");
    if (helped == not_helped) {
        fprintf(stderr, "varve feedback: either --helped or --not-helped\n");
        return EXIT_USAGE;
    }
    struct buf params = {0};
    struct jsonw w;
    jsonw_init(&w, &params);
    jsonw_object(&w);
    args_params(a, &w);
    jsonw_kv_bool(&w, "helped", helped);
    jsonw_object_end(&w);
    return client_run(a, API_MEMORY_FEEDBACK, &params);
}
