/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a configuration: an error with its place, or a configuration that can be freed. */
#include <assert.h>
#include <string.h>

#include "config/config.h"
#include "config/load.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct config *c = NULL;
    struct errmsg err = {{0}};
    int rc = config_load_text("fuzz.conf", (const char *)data, size, &c, &err);
    assert((rc == 0) == (c != NULL));
    assert(rc == 0 || strncmp(err.text, "fuzz.conf:", 10) == 0);
    config_free(c);
    return 0;
}
