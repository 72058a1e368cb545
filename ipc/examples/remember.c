/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps a note, asks for it again, and sends two lines into a stream:  remember [SOCKET] */
#include <stdio.h>
#include <string.h>
#include <varve.h>

static int fail(struct varve *v)
{
    fprintf(stderr, "remember: %s\n", v ? varve_error(v) : "out of memory");
    varve_close(v);
    return 1;
}

static int send_lines(const char *socket)
{
    static const char *const lines[] = {"the kettle was put on", "the kettle boils"};
    struct varve *v = NULL;
    struct varve_channel *channel;
    if (varve_connect(socket, &v) < 0 || varve_channel_open(v, "kitchen", "text", &channel) < 0)
        return fail(v);
    for (int i = 0; i < 2; i++) {
        if (varve_channel_put_text(channel, 0, VARVE_TIME_NONE, NULL, lines[i], strlen(lines[i])) <
            0)
            return fail(v);
    }
    /* Returns when both are durable and can be found. */
    if (varve_channel_close(channel) < 0)
        return fail(v);
    varve_close(v);
    return 0;
}

int main(int argc, char **argv)
{
    const char *socket = argc > 1 ? argv[1] : NULL;
    struct varve *v = NULL;
    const char *result;
    if (varve_connect(socket, &v) < 0 ||
        varve_call(v, "memory.remember", "{\"text\":\"the spare key hangs behind the clock\"}",
                   &result) < 0)
        return fail(v);
    printf("%s\n", result);
    if (varve_call(v, "memory.ask", "{\"query\":\"where is the spare key?\"}", &result) < 0)
        return fail(v);
    printf("%s\n", result);
    varve_close(v);
    return send_lines(socket);
}
