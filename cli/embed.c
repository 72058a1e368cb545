/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One JSON object a line: of text every line's latent, as a query has it, so that the order of
 * lines changes nothing; of other kinds the latent of each file's whole span.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/jsonw.h"
#include "base/mem.h"
#include "cli/input.h"
#include "cli/score.h"
#include "model/encoder.h"
#include "model/kernels.h"

struct embed {
    struct input_errors errors; /* first: the reader passes one argument to all callbacks */
    enum stream_kind kind;
    const char *path;
    struct encoder *encoder;
    float sum[LATENT_DIM];
    uint64_t count; /* records in it */
    struct buf out;
};

static int print_latent(struct embed *e, const float *latent)
{
    struct jsonw w;
    char model[48];
    snprintf(model, sizeof(model), "%s-%u", stream_kind_name(e->kind), e->encoder->ops->version);
    buf_clear(&e->out);
    jsonw_init(&w, &e->out);
    jsonw_object(&w);
    jsonw_kv_string(&w, "file", e->path);
    jsonw_kv_string(&w, "model", model);
    jsonw_key(&w, "latent");
    jsonw_array(&w);
    for (int d = 0; d < LATENT_DIM; d++)
        jsonw_fixed(&w, latent[d], 6);
    jsonw_array_end(&w);
    jsonw_object_end(&w);
    buf_putc(&e->out, '\n');
    if (buf_failed(&e->out))
        return ERR_NOMEM;
    return fwrite(e->out.data, 1, e->out.size, stdout) == e->out.size ? 0 : ERR_IO;
}

static int on_record(void *arg, const struct record *r, uint64_t line)
{
    struct embed *e = arg;
    e->count++;
    if (e->kind == KIND_TEXT) {
        float latent[LATENT_DIM];
        encoder_text_query(r->text.data, r->text.size, latent);
        return print_latent(e, latent);
    }
    if (e->encoder->ops->span_add) {
        e->encoder->ops->span_add(e->encoder, r);
        return 0;
    }
    struct observation o;
    int rc = encoder_observe(e->encoder, r, &o);
    for (int d = 0; !rc && d < LATENT_DIM; d++)
        e->sum[d] += o.latent[d];
    return rc;
}

static int on_channel(void *arg, uint16_t index, const char *name)
{
    struct embed *e = arg;
    const struct encoder_ops *ops = e->encoder->ops;
    return ops->channel ? ops->channel(e->encoder, index, name) : 0;
}

static int on_chunk(void *arg)
{
    return fflush(stdout) == 0 ? 0 : ERR_IO;
}

/* Each file has a model of its own: no file's latent depends on another. */
static int embed_file(struct embed *e, const struct input_options *o, const char *path,
                      struct errmsg *err)
{
    const struct record_reader_callbacks callbacks = {e, on_record, on_channel, input_error};
    e->path = e->errors.path = path;
    e->encoder = NULL;
    memset(e->sum, 0, sizeof(e->sum));
    e->count = 0;
    int rc = encoder_new(o->kind, &e->encoder);
    if (rc == ERR_UNSUPPORTED)
        return err_set(err, rc, "no model for %s yet", stream_kind_name(o->kind));
    rc = rc ? rc : input_read(o, path, &callbacks, on_chunk, err);
    if ((!rc || (e->count && e->kind >= KIND_AUDIO)) && e->kind != KIND_TEXT) {
        if (e->encoder->ops->span_latent)
            e->encoder->ops->span_latent(e->encoder, e->sum);
        kernel_normalise(e->sum, LATENT_DIM);
        int printed = print_latent(e, e->sum); /* of a damaged file that of what could be read */
        rc = rc ? rc : printed;
    }
    encoder_free(e->encoder);
    return rc;
}

static int usage(const char *what, const char *arg)
{
    if (what)
        fprintf(stderr, "varve embed: %s%s\n", what, arg);
    fputs("usage: varve embed --kind text|sensor|audio|video [--text-field F] [--time-field F]\n"
          "                   [--rate HZ] [--fps N] [--tz ZONE] [--strict] [FILE…|-]\n",
          stderr);
    return 2;
}

int embed_main(int argc, char **argv)
{
    struct input_options o = {0};
    struct errmsg err = {""};
    int files = 0;
    for (int i = 1; i < argc;) {
        int rc = input_option(&o, argc, argv, &i, &err);
        if (rc == INPUT_OPTION)
            continue;
        if (rc < 0)
            return usage(err.text, "");
        if (argv[i][0] == '-' && argv[i][1])
            return usage("unknown option ", argv[i]);
        argv[++files] = argv[i++]; /* operands move to the front */
    }
    if (!o.kind)
        return usage("--kind is needed", "");
    struct embed e = {.errors = {.program = "varve embed", .strict = o.strict}, .kind = o.kind};
    int rc = model_blas_check(&err);
    bool failed = rc != 0;
    for (int i = 1; !rc && i <= (files ? files : 1); i++) {
        uint64_t before = e.errors.count;
        err.text[0] = '\0';
        int one = embed_file(&e, &o, files ? argv[i] : "-", &err);
        if (one && !(one == ERR_PARSE && e.errors.count > before))
            fprintf(stderr, "varve embed: %s\n", err.text[0] ? err.text : err_text(one));
        failed |= one != 0;
        rc = one == ERR_NOMEM || (one && o.strict) ? one : 0;
    }
    buf_deinit(&e.out);
    return failed || e.errors.count || fflush(stdout) ? 1 : 0;
}
