/* SPDX-License-Identifier: Apache-2.0 */
/* Build tool: the default varved.conf, or the options of varved.conf(5), to standard output. */
#include <stdio.h>
#include <string.h>

#include "config/options.h"

int main(int argc, char **argv)
{
    struct buf out = {0};
    if (argc == 2 && strcmp(argv[1], "file") == 0)
        options_print_file(&out);
    else if (argc == 2 && strcmp(argv[1], "man") == 0)
        options_print_man(&out);
    if (buf_failed(&out) || out.size == 0 || fwrite(out.data, out.size, 1, stdout) != 1)
        return 1;
    buf_deinit(&out);
    return fclose(stdout) != 0;
}
