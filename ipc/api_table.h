/* SPDX-License-Identifier: Apache-2.0 */
/* What ipc/api/generate.py makes from the descriptions, for api.c alone. */
#ifndef VARVE_IPC_API_TABLE_H
#define VARVE_IPC_API_TABLE_H

#include "ipc/api.h"

extern const struct api_info api_table[API_METHODS];

#endif
