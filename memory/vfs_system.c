/* SPDX-License-Identifier: Apache-2.0 */
#include "memory/vfs.h"

#include <sqlite3.h>

int vfs_register(void)
{
    return SQLITE_OK;
}
