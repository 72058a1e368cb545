/* SPDX-License-Identifier: Apache-2.0 */
/* The file system as SQLite sees it: the system's, or in a -Dfault build one that fails on demand.
 */
#ifndef VARVE_MEMORY_VFS_H
#define VARVE_MEMORY_VFS_H

/* Makes it the default VFS; later calls do nothing. An SQLite result code. */
int vfs_register(void);

#endif
