/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path: scan the line, find its template, ask the predictor how likely it was, judge its
 * values, place the sum among the stream's recent surprises, add its words to the latent. Failure
 * modes: no memory for a new template, then the line is refused with ERR_NOMEM and nothing has
 * changed; a saved state that does not check, then the encoder stays as it was.
 */
#include "model/text_encoder.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "model/sequence.h"
#include "model/tail.h"
#include "model/template.h"
#include "model/text_latent.h"
#include "model/tokens.h"
#include "model/values.h"

#define STATE_MAGIC 0x31786574u /* "tex1" */
#define NOVELTY_BINS 8
#define NOVELTY_BIN_BITS 1.5
#define WIDENED_FROM 20 /* lines for which a word was constant before another one is out of range  \
                         */
#define WHY_FROM_BITS 5.0 /* less is not worth a word */
#define WHY_AT_MOST 0.05  /* nor is what comes once in twenty lines */
#define RARE_SHARE 0.002
#define RARE_FROM 500 /* lines */
#define FIRST_FROM 50 /* lines before which every line is the first of its kind */
#define FIRST_AT_MOST                                                                              \
    0.2 /* where every fifth line is new, as in talk, a new one is nothing to tell */
#define ORDER_FACTOR 0.03 /* so much less likely here than by its frequency alone */

struct text_state {
    uint64_t lines;
    struct templates templates;
    struct sequence sequence;
    struct values values;
    struct tail tail;
    struct text_latent latent;
    double novelty[NOVELTY_BINS]; /* new lines by how unusual their words were */
};

struct text_encoder {
    struct encoder encoder;
    struct text_state state;
    struct tokens tokens;
    float latent[LATENT_DIM];
    char why[160];
};

/* What is known of the line at hand. */
struct judged {
    struct template_match match;
    struct value_finding value;
    double chance, alone; /* of its template here; by its frequency alone */
    double bits, probability;
};

static int state_init(struct text_state *s)
{
    *s = (struct text_state){0};
    for (int i = 0; i < NOVELTY_BINS; i++)
        s->novelty[i] = 1;
    tail_init(&s->tail);
    if (!templates_init(&s->templates) && !sequence_init(&s->sequence) &&
        !values_init(&s->values) && !text_latent_init(&s->latent))
        return 0;
    return ERR_NOMEM;
}

static void state_deinit(struct text_state *s)
{
    templates_deinit(&s->templates);
    sequence_deinit(&s->sequence);
    values_deinit(&s->values);
    text_latent_deinit(&s->latent);
}

static double bits_of(double p)
{
    return -log2(fmin(1, fmax(p, 1e-300)));
}

/* Among new lines, how usual it is that their words are so rare: part of a new line's probability.
 */
static double novelty_bits(struct text_state *s, const struct template *t)
{
    double word_bits = text_latent_word_bits(&s->latent, t->text, t->text_size);
    int bin = (int)fmin(word_bits / NOVELTY_BIN_BITS, NOVELTY_BINS - 1);
    double total = 0;
    for (int i = 0; i < NOVELTY_BINS; i++)
        total += s->novelty[i];
    double p = s->novelty[bin] / total;
    s->novelty[bin]++;
    return bits_of(p);
}

/* 1234567 as 1,234,567. */
static void put_count(char *out, size_t size, uint64_t n)
{
    char plain[24];
    int digits = snprintf(plain, sizeof plain, "%" PRIu64, n);
    size_t at = 0;
    for (int i = 0; i < digits && at + 2 < size; i++) {
        if (i && (digits - i) % 3 == 0)
            out[at++] = ',';
        out[at++] = plain[i];
    }
    out[at] = 0;
}

/* What a value is called: its key, or the word before it; "value" when there is none. */
static void value_name(const struct tokens *tokens, const char *line, int place, char *out,
                       size_t size)
{
    const struct token *t = &tokens->token[place];
    const char *s = line + t->at;
    size_t n = 0;
    if (t->key)
        while (n < t->size && s[n] != '=')
            n++;
    for (int i = place - 1; !n && i >= 0 && i >= place - 2; i--) {
        s = line + tokens->token[i].at;
        if (tokens->token[i].kind == TOKEN_WORD || tokens->token[i].kind == TOKEN_NAME)
            n = tokens->token[i].size;
        else if (tokens->token[i].kind != TOKEN_SIGN)
            break;
    }
    while (n && strchr("([{<'\"", *s)) {
        s++;
        n--;
    }
    while (n && strchr(":=,;)]}", s[n - 1]))
        n--;
    n = n < size - 1 ? n : utf8_cut(s, n, size - 1);
    if (n)
        snprintf(out, size, "%.*s", (int)n, s);
    else
        snprintf(out, size, "value");
}

static void why_value(struct text_encoder *e, const struct judged *j, const char *line)
{
    char name[40];
    if (j->value.place >= 0) {
        value_name(&e->tokens, line, j->value.place, name, sizeof name);
        /* The ends of the range drift between integers; people are told integers. */
        double low = j->value.fraction ? j->value.low : floor(j->value.low);
        double high = j->value.fraction ? j->value.high : ceil(j->value.high);
        if (low == high)
            snprintf(e->why, sizeof e->why, "%s %.12g where %.12g is usual", name, j->value.value,
                     low);
        else
            snprintf(e->why, sizeof e->why, "%s %.12g where %.*g to %.*g is usual", name,
                     j->value.value, j->value.fraction ? 4 : 12, low, j->value.fraction ? 4 : 12,
                     high);
        return;
    }
    const struct token *t = &e->tokens.token[j->match.widened];
    size_t n = utf8_cut(line + t->at, t->size, t->size < 48 ? t->size : 48);
    size_t was = strlen(j->match.was);
    snprintf(e->why, sizeof e->why, "\"%.*s\" where \"%.*s\" is usual", (int)n, line + t->at,
             (int)utf8_cut(j->match.was, was, was), j->match.was);
}

static void explain(struct text_encoder *e, const struct judged *j, const char *line)
{
    const struct text_state *s = &e->state;
    e->why[0] = 0;
    if (j->bits < WHY_FROM_BITS || j->probability > WHY_AT_MOST || s->lines < FIRST_FROM)
        return;
    char count[32], total[32];
    const struct template *t = &s->templates.slots[j->match.slot];
    put_count(count, sizeof count, t->count);
    put_count(total, sizeof total, s->lines);
    if (j->match.created) {
        if (j->alone < FIRST_AT_MOST)
            snprintf(e->why, sizeof e->why, "first line of its kind");
    } else if (j->value.outcome > VALUE_USUAL && j->value.bits * 2 >= j->bits) {
        why_value(e, j, line);
    } else if (j->alone < RARE_SHARE && s->lines >= RARE_FROM) {
        snprintf(e->why, sizeof e->why, "rare: %s of %s lines", count, total);
    } else if (j->chance < j->alone * ORDER_FACTOR) {
        snprintf(e->why, sizeof e->why, "out of the usual order");
    } else if (j->value.outcome > VALUE_USUAL) {
        why_value(e, j, line);
    }
}

static int observe(struct encoder *encoder, const struct record *r, struct observation *ret)
{
    struct text_encoder *e = (struct text_encoder *)encoder;
    struct text_state *s = &e->state;
    struct judged j = {0};
    const char *line = r->text.size ? r->text.data : "";
    tokens_scan(line, r->text.size, &e->tokens);
    int rc = templates_add(&s->templates, &e->tokens, &j.match);
    if (rc)
        return rc;
    const struct template *t = &s->templates.slots[j.match.slot];
    struct sequence_symbol symbol = {j.match.slot, t->id, t->count - 1};
    j.alone = sequence_predict_alone(&s->sequence, &symbol);
    j.chance = sequence_predict(&s->sequence, &symbol);
    sequence_learn(&s->sequence, &symbol);
    s->lines++;

    j.bits = bits_of(j.chance);
    if (j.match.created)
        j.bits += novelty_bits(s, t);
    int words = t->count <= WIDENED_FROM ? VALUE_UNKNOWN
                : j.match.widened >= 0   ? VALUE_BEYOND
                                         : VALUE_USUAL;
    values_observe(&s->values, j.match.slot, t->id, &e->tokens, words, &j.value);
    j.bits += j.value.bits;
    j.probability = tail_probability(&s->tail, j.bits);
    tail_learn(&s->tail, j.bits);
    explain(e, &j, line);
    text_latent_observe(&s->latent, t, j.match.slot, &e->tokens, line, e->latent);

    *ret = (struct observation){.bits = j.bits,
                                .score = tail_score(&s->tail, j.probability),
                                .template_id = t->id,
                                .latent = e->latent,
                                .why = e->why};
    return 0;
}

/* Text has no channels. */
static int channel(struct encoder *encoder, uint16_t index, const char *name)
{
    (void)encoder;
    (void)index;
    (void)name;
    return 0;
}

static const char *template_text(const struct encoder *encoder, uint32_t id)
{
    const struct text_encoder *e = (const struct text_encoder *)encoder;
    const struct template *t = templates_find(&e->state.templates, id);
    return t ? t->text : NULL;
}

static uint64_t template_count(const struct encoder *encoder, uint32_t id)
{
    const struct text_encoder *e = (const struct text_encoder *)encoder;
    const struct template *t = templates_find(&e->state.templates, id);
    return t ? t->count : 0;
}

static void walk(struct text_state *s, struct state *st)
{
    state_u64(st, &s->lines, UINT64_MAX / 4);
    for (int i = 0; i < NOVELTY_BINS; i++) {
        state_f64(st, &s->novelty[i]);
        st->failed |= !(s->novelty[i] >= 1);
    }
    templates_walk(&s->templates, st);
    if (!st->failed)
        sequence_walk(&s->sequence, st);
    if (!st->failed)
        values_walk(&s->values, st);
    tail_walk(&s->tail, st);
    if (!st->failed)
        text_latent_walk(&s->latent, st);
}

static int save(const struct encoder *encoder, bool brief, struct buf *out)
{
    /* The walk writes to what it walks over only when it loads. */
    struct text_encoder *e = (struct text_encoder *)(uintptr_t)encoder;
    struct state st = {.out = out, .brief = brief};
    buf_put_u32(out, STATE_MAGIC);
    buf_put_u32(out, TEXT_ENCODER_VERSION);
    walk(&e->state, &st);
    return buf_failed(out) ? ERR_NOMEM : 0;
}

static int load(struct encoder *encoder, const void *data, size_t size, struct errmsg *err)
{
    struct text_encoder *e = (struct text_encoder *)encoder;
    struct state st = {0};
    cursor_init(&st.in, data, size);
    if (cursor_u32(&st.in) != STATE_MAGIC || cursor_u32(&st.in) != TEXT_ENCODER_VERSION ||
        st.in.failed)
        return err_set(err, ERR_CORRUPT, "text model state: not of version %d",
                       TEXT_ENCODER_VERSION);
    struct text_state fresh;
    int rc = state_init(&fresh);
    if (!rc) {
        walk(&fresh, &st);
        if (st.failed || st.in.failed || cursor_left(&st.in))
            rc = err_set(err, ERR_CORRUPT, "text model state: damaged near byte %zu of %zu",
                         st.in.at, size);
    } else {
        err_set(err, rc, "text model state: %s", err_text(rc));
    }
    if (rc) {
        state_deinit(&fresh);
        return rc;
    }
    state_deinit(&e->state);
    e->state = fresh;
    return 0;
}

static void text_free(struct encoder *encoder)
{
    struct text_encoder *e = (struct text_encoder *)encoder;
    state_deinit(&e->state);
    mem_free(e);
}

static void forget(struct encoder *encoder,
                   bool (*knows)(const void *arg, const char *text, size_t size), const void *arg)
{
    struct text_encoder *e = (struct text_encoder *)encoder;
    templates_forget(&e->state.templates, knows, arg);
    memset(e->why, 0, sizeof(e->why));
}

static const struct encoder_ops text_ops = {
    .version = TEXT_ENCODER_VERSION,
    .observe = observe,
    .channel = channel,
    .template_text = template_text,
    .template_count = template_count,
    .save = save,
    .load = load,
    .free = text_free,
    .forget = forget,
};

int text_encoder_new(struct encoder **ret)
{
    struct text_encoder *e = mem_calloc(1, sizeof *e);
    if (!e)
        return ERR_NOMEM;
    e->encoder.ops = &text_ops;
    if (state_init(&e->state)) {
        text_free(&e->encoder);
        return ERR_NOMEM;
    }
    *ret = &e->encoder;
    return 0;
}
