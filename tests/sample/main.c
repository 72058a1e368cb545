/* SPDX-License-Identifier: Apache-2.0 */
/* sample-db PATH [MOMENTS]: the sample as a file, for tests that start programs. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/sample/sample_db.h"

int main(int argc, char **argv)
{
    struct errmsg err = {.text = ""};
    if (argc < 2 || argc > 3) {
        fprintf(stderr, "usage: sample-db PATH [MOMENTS]\n");
        return 2;
    }
    if (sample_db_make(argv[1], argc == 3 ? (uint32_t)strtoul(argv[2], NULL, 10) : 300, NULL,
                       &err)) {
        fprintf(stderr, "sample-db: %s\n", err.text);
        return 1;
    }
    return 0;
}
