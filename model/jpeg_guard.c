/* SPDX-License-Identifier: Apache-2.0 */
/* Happy path: nothing of it is called but on_progress. Failure modes: see the header. */
#include "model/jpeg_guard.h"

#include <jerror.h>

#define SCANS_MAX 64
#define DECODER_BYTES_MAX (40L << 20)

void jpeg_guard_fail(struct jpeg_guard *g, int code, const char *text)
{
    g->code = code;
    snprintf(g->text, sizeof(g->text), "%s", text);
    longjmp(g->leave, 1);
}

static void on_error(j_common_ptr jpeg)
{
    char text[JMSG_LENGTH_MAX];
    jpeg->err->format_message(jpeg, text);
    jpeg_guard_fail(jpeg->client_data,
                    jpeg->err->msg_code == JERR_OUT_OF_MEMORY ? ERR_NOMEM : ERR_INVALID, text);
}

static void on_message(j_common_ptr jpeg, int level)
{
    struct jpeg_guard *g = jpeg->client_data;
    if (level < 0)
        g->warnings++;
}

static void on_output(j_common_ptr jpeg)
{
}

static void on_progress(j_common_ptr jpeg)
{
    if (((j_decompress_ptr)jpeg)->input_scan_number > SCANS_MAX)
        jpeg_guard_fail(jpeg->client_data, ERR_INVALID, "too many scans");
}

void jpeg_guard_attach(struct jpeg_guard *g, j_common_ptr jpeg)
{
    jpeg->err = jpeg_std_error(&g->errors);
    g->errors.error_exit = on_error;
    g->errors.emit_message = on_message;
    g->errors.output_message = on_output;
    jpeg->client_data = g;
}

void jpeg_guard_bound(struct jpeg_guard *g, j_decompress_ptr decoder)
{
    decoder->mem->max_memory_to_use = DECODER_BYTES_MAX;
    g->progress.progress_monitor = on_progress;
    decoder->progress = &g->progress;
}
