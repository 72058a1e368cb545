/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A shim over the system's VFS: each read, write, sync and truncation passes fault_tick(FAULT_VFS).
 * A failed write reports a full disk, as that is what writers meet in the wild; the rest an I/O
 * error.
 */
#include "memory/vfs.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/fault.h"

struct fault_file {
    sqlite3_file file;
    _Alignas(16) char real[];
};

static sqlite3_vfs *system_vfs;

static sqlite3_file *real(sqlite3_file *f)
{
    return (sqlite3_file *)((struct fault_file *)f)->real;
}

static int fault_close(sqlite3_file *f)
{
    return real(f)->pMethods->xClose(real(f));
}

static int fault_read(sqlite3_file *f, void *data, int size, sqlite3_int64 at)
{
    if (fault_tick(FAULT_VFS))
        return SQLITE_IOERR_READ;
    return real(f)->pMethods->xRead(real(f), data, size, at);
}

static int fault_write(sqlite3_file *f, const void *data, int size, sqlite3_int64 at)
{
    if (fault_tick(FAULT_VFS))
        return SQLITE_FULL;
    return real(f)->pMethods->xWrite(real(f), data, size, at);
}

static int fault_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    if (fault_tick(FAULT_VFS))
        return SQLITE_IOERR_TRUNCATE;
    return real(f)->pMethods->xTruncate(real(f), size);
}

static int fault_sync(sqlite3_file *f, int flags)
{
    if (fault_tick(FAULT_VFS))
        return SQLITE_IOERR_FSYNC;
    return real(f)->pMethods->xSync(real(f), flags);
}

static int fault_file_size(sqlite3_file *f, sqlite3_int64 *size)
{
    return real(f)->pMethods->xFileSize(real(f), size);
}

static int fault_lock(sqlite3_file *f, int level)
{
    return real(f)->pMethods->xLock(real(f), level);
}

static int fault_unlock(sqlite3_file *f, int level)
{
    return real(f)->pMethods->xUnlock(real(f), level);
}

static int fault_check_reserved(sqlite3_file *f, int *ret)
{
    return real(f)->pMethods->xCheckReservedLock(real(f), ret);
}

static int fault_control(sqlite3_file *f, int op, void *arg)
{
    return real(f)->pMethods->xFileControl(real(f), op, arg);
}

static int fault_sector_size(sqlite3_file *f)
{
    return real(f)->pMethods->xSectorSize(real(f));
}

static int fault_characteristics(sqlite3_file *f)
{
    return real(f)->pMethods->xDeviceCharacteristics(real(f));
}

static int fault_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **ret)
{
    return real(f)->pMethods->xShmMap(real(f), page, size, extend, ret);
}

static int fault_shm_lock(sqlite3_file *f, int offset, int n, int flags)
{
    return real(f)->pMethods->xShmLock(real(f), offset, n, flags);
}

static void fault_shm_barrier(sqlite3_file *f)
{
    real(f)->pMethods->xShmBarrier(real(f));
}

static int fault_shm_unmap(sqlite3_file *f, int remove)
{
    return real(f)->pMethods->xShmUnmap(real(f), remove);
}

/* Version 2: with shared memory, without mmap. */
static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = fault_close,
    .xRead = fault_read,
    .xWrite = fault_write,
    .xTruncate = fault_truncate,
    .xSync = fault_sync,
    .xFileSize = fault_file_size,
    .xLock = fault_lock,
    .xUnlock = fault_unlock,
    .xCheckReservedLock = fault_check_reserved,
    .xFileControl = fault_control,
    .xSectorSize = fault_sector_size,
    .xDeviceCharacteristics = fault_characteristics,
    .xShmMap = fault_shm_map,
    .xShmLock = fault_shm_lock,
    .xShmBarrier = fault_shm_barrier,
    .xShmUnmap = fault_shm_unmap,
};

static int fault_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *ret)
{
    f->pMethods = NULL;
    int rc = system_vfs->xOpen(system_vfs, name, real(f), flags, ret);
    if (real(f)->pMethods)
        f->pMethods = &methods;
    return rc;
}

int vfs_register(void)
{
    static sqlite3_vfs vfs;
    static bool done;
    if (done)
        return SQLITE_OK;
    system_vfs = sqlite3_vfs_find(NULL);
    vfs = *system_vfs;
    vfs.zName = "varve-fault";
    vfs.pNext = NULL;
    vfs.szOsFile = (int)offsetof(struct fault_file, real) + system_vfs->szOsFile;
    vfs.xOpen = fault_open;
    int rc = sqlite3_vfs_register(&vfs, 1);
    done = rc == SQLITE_OK;
    return rc;
}
