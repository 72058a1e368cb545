/* SPDX-License-Identifier: Apache-2.0 */
#include <unistd.h>

#include "memory/dump/dump.h"

int main(int argc, char **argv)
{
    return dump_run(argc, argv, STDOUT_FILENO, stderr);
}
