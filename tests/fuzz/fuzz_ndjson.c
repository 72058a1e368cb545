/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as lines or objects with text, in any pieces. */
#include "tests/fuzz/fuzz_reader.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    fuzz_reader(KIND_TEXT, data, size);
    return 0;
}
