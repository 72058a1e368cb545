/* SPDX-License-Identifier: Apache-2.0 */
/* The two halves of `varve mcp`: messages (mcp.c) and tools (mcp_tool.c). */
#ifndef VARVE_CLI_MCP_H
#define VARVE_CLI_MCP_H

#include <stdbool.h>

#include "base/buf.h"
#include "ipc/api.h"
#include "ipc/json.h"
#include "ipc/varve.h"

struct mcp {
    const char *socket; /* --socket, or NULL */
    struct varve *v;    /* NULL: not connected */
    struct json_scanner *scanner;
};

/*
 * Calls a tool with checked arguments (an object) and appends its text, within the budget that they
 * give. True when it failed; the text then says why.
 */
bool mcp_tool(struct mcp *m, enum api_method method, struct slice arguments, struct buf *text);

/*
 * Cuts text to `budget` bytes at a line's end, with a last line that says how much was left out.
 * Text that fits is left alone.
 */
void mcp_cut(struct buf *text, size_t budget);

#endif
