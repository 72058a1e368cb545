/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a table or objects of numbers, in any pieces. */
#include "tests/fuzz/fuzz_reader.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    fuzz_reader(KIND_SENSOR, data, size);
    return 0;
}
