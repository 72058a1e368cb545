/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The text model: input that begins with its state's magic is loaded as one, then lines are
 * observed; any other input is lines. What loads must save and load again.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "model/text_encoder.h"
#include "model/tokens.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void observe_lines(struct encoder *e, const char *text, size_t size)
{
    struct entity_seen entities[8];
    for (size_t at = 0; at < size;) {
        const char *end = memchr(text + at, '\n', size - at);
        size_t n = end ? (size_t)(end - text) - at : size - at;
        struct record r = {.text = {text + at, n}};
        struct observation o;
        if (encoder_observe(e, &r, &o) || !isfinite(o.bits) || o.bits < 0 || !(o.score >= 0) ||
            o.score > 1 || !o.template_id)
            abort();
        if (tokens_entities(text + at, n, entities, 8) > 8)
            abort();
        at += n + 1;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char lines[] = "Jan  1 00:00:00 host app[1]: took 5 ms\nuser bob from 10.0.0.1\n"
                                "took 7 ms\nuser eve from 10.0.0.2\n";
    struct encoder *e, *again;
    if (text_encoder_new(&e))
        return 0;
    if (size < 8 || memcmp(data, "tex1", 4) != 0) {
        observe_lines(e, (const char *)data, size);
    } else if (!e->ops->load(e, data, size, NULL)) {
        struct buf saved = {0};
        observe_lines(e, lines, sizeof lines - 1);
        if (e->ops->save(e, false, &saved) || text_encoder_new(&again))
            abort();
        if (again->ops->load(again, saved.data, saved.size, NULL))
            abort();
        encoder_free(again);
        buf_deinit(&saved);
    }
    encoder_free(e);
    return 0;
}
