/* SPDX-License-Identifier: Apache-2.0 */
/* JSON-RPC's codes and ours; apart from the table because libvarve needs only these. */
#include "ipc/api.h"

int api_error_code(int err)
{
    if (err == ERR_INVALID)
        return -32602;
    return err == ERR_INTERNAL ? -32603 : -32000 + err;
}

int api_error_back(int code)
{
    switch (code) {
    case -32700:
        return ERR_PARSE;
    case -32600:
    case -32602:
        return ERR_INVALID;
    case -32601:
        return ERR_UNSUPPORTED;
    case -32603:
        return ERR_INTERNAL;
    default:
        return code < -32000 && code >= -32018 ? code + 32000 : ERR_IO;
    }
}
