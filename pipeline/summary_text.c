/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path: the moment's lines are grouped by template. Where lines repeat, it is a log: the
 * title names what was unusual and the commonest kinds with their counts. Where hardly a line is
 * like another, it is talk: the title is the sentence whose words are rarest in this stream, with
 * its speaker. Names come from the model's tokenizer, in talk also from speakers and capitals.
 */
#include <ctype.h>
#include <math.h>
#include <string.h>
#include <strings.h>

#include "base/utf8.h"
#include "model/log_header.h"
#include "model/tokens.h"
#include "pipeline/facts.h"
#include "pipeline/summary_impl.h"

#define LABEL_MAX 72
#define QUOTE_MAX 160
#define ENTITIES_A_LINE 12
#define HEADERS_LOOKED 16 /* lines that tell a log from talk */
#define SENTENCES 5       /* of talk, in the gist */
#define KINDS 5           /* of log lines, in the gist */
#define FACT_LINES 16     /* lines of a kind that may state facts */

struct slice line_body(struct summariser *s, const struct record *r)
{
    int64_t us;
    size_t behind;
    struct slice line = r->text;
    if (!(r->flags & RECORD_NO_TIME) &&
        timeshape_line(&s->shape, line.data, line.size, r->arrival, &us, &behind) == 0 &&
        behind < line.size)
        line = (struct slice){line.data + behind, line.size - behind};
    while (line.size && isspace((unsigned char)*line.data))
        line = (struct slice){line.data + 1, line.size - 1};
    const char *lf = memchr(line.data, '\n', line.size);
    if (lf)
        line.size = (size_t)(lf - line.data);
    return line;
}

void put_line(struct summariser *s, const struct record *r, struct wording *w)
{
    struct entity_seen found[ENTITIES_A_LINE];
    struct slice line = line_body(s, r);
    size_t head = log_header_end(r->text.data, r->text.size);
    if (head > 0 && head < r->text.size && line.data < r->text.data + head) {
        int n = tokens_entities(r->text.data, r->text.size, found, ENTITIES_A_LINE);
        size_t passed = (size_t)(r->text.data + head - line.data);
        for (int i = 0; i < n; i++)
            if (strcmp(found[i].kind, "process") == 0) {
                wording_printf(w, "%s: ", found[i].name);
                break;
            }
        if (passed < line.size)
            line = (struct slice){line.data + passed, line.size - passed};
    }
    wording_put(w, line.data, line.size);
}

/* ---- groups ---- */

static void group_lines(struct summariser *s, const struct noted *notes, const struct moment *m)
{
    uint32_t others = 0;
    s->group_count = 0;
    for (uint32_t i = 0; i < m->record_count; i++) {
        uint32_t g = 0;
        while (g < s->group_count && s->groups[g].template_id != notes[i].template_id)
            g++;
        if (g == GROUPS_MAX) {
            others++;
            continue;
        }
        if (g == s->group_count)
            s->groups[s->group_count++] =
                (struct group){.template_id = notes[i].template_id, .first = i};
        s->groups[g].count++;
        s->groups[g].last = i;
        s->groups[g].bits += notes[i].bits;
    }
    for (uint32_t g = 0; g < s->group_count; g++)
        s->groups[g].bits /= (float)s->groups[g].count;
    /* Commonest first; the list is short. */
    for (uint32_t g = 1; g < s->group_count; g++) {
        struct group moved = s->groups[g];
        uint32_t at = g;
        for (; at > 0 && s->groups[at - 1].count < moved.count; at--)
            s->groups[at] = s->groups[at - 1];
        s->groups[at] = moved;
    }
    uint32_t kinds = s->group_count + others, headers = 0;
    uint32_t looked = m->record_count < HEADERS_LOOKED ? m->record_count : HEADERS_LOOKED;
    s->prose = kinds * 10 > m->record_count * 6;
    for (uint32_t i = 0; s->prose && i < looked; i++)
        headers += log_header_end(m->records[i].text.data, m->records[i].text.size) > 0;
    s->prose = s->prose && headers * 2 < looked;
}

/* The words belong to the encoder, which does not change while the moment is summed up. */
static void tally_groups(struct summariser *s, const struct moment *m)
{
    for (uint32_t i = 0; i < s->group_count && s->encoder->ops->template_text; i++) {
        const struct group *g = &s->groups[i];
        const char *text = s->encoder->ops->template_text(s->encoder, g->template_id);
        if (!text || !text[0])
            continue;
        s->tallies[s->tally_count++] = (struct tally){.kind = {text, strlen(text)},
                                                      .kind_model = g->template_id,
                                                      .count = g->count,
                                                      .first_at = m->records[g->first].time,
                                                      .last_at = m->records[g->last].time};
    }
}

/* The message without its header, as facts are worded in it. */
static struct slice message_of(struct summariser *s, const struct record *r)
{
    struct slice line = line_body(s, r);
    size_t head = log_header_end(r->text.data, r->text.size);
    const char *message = r->text.data + head;
    if (head > 0 && head < r->text.size && message > line.data && message < line.data + line.size)
        line = (struct slice){message, line.size - (size_t)(message - line.data)};
    return line;
}

/* A kind of line that comes many times within one moment measures or reports: it states nothing. */
static void find_facts(struct summariser *s, const struct noted *notes, const struct moment *m)
{
    for (uint32_t g = 0; g < s->group_count; g++) {
        if (!s->prose && s->groups[g].count > FACT_LINES)
            continue;
        for (uint32_t i = s->groups[g].first; i <= s->groups[g].last; i++) {
            struct fact_seen *f = &s->facts[s->fact_count];
            if (notes[i].template_id != s->groups[g].template_id)
                continue;
            if (s->fact_count == FACTS_MAX)
                return;
            if (!facts_find(message_of(s, &m->records[i]), s->prose, f))
                continue;
            f->at = m->records[i].time;
            f->record = i;
            s->fact_count++;
        }
    }
}

/* The template's words with its variable places as "…"; "sshd: Failed password for … from …". */
static void put_label(struct summariser *s, const struct moment *m, const struct group *g,
                      struct wording *w)
{
    char room[LABEL_MAX * 2];
    struct wording label;
    const char *text = s->encoder->ops->template_text
                           ? s->encoder->ops->template_text(s->encoder, g->template_id)
                           : NULL;
    wording_init(&label, room, sizeof(room));
    if (!text || g->count == 1) { /* one line is itself */
        put_line(s, &m->records[g->first], &label);
    } else {
        const char *hole;
        while ((hole = strstr(text, "<*>"))) {
            wording_put(&label, text, (size_t)(hole - text));
            if (label.size < 4 || strcmp(label.at + label.size - 4, "\xe2\x80\xa6 ") != 0)
                wording_printf(&label, "\xe2\x80\xa6");
            else
                wording_cut(&label, label.size - 1);
            text = hole + 3;
        }
        wording_printf(&label, "%s", text);
    }
    size_t n = label.size;
    if (n > LABEL_MAX) {
        n = utf8_cut(label.at, n, LABEL_MAX);
        wording_put(w, label.at, n);
        wording_printf(w, "\xe2\x80\xa6");
    } else if (n > 0) {
        wording_put(w, label.at, n);
    } else {
        wording_printf(w, "blank line");
    }
    if (g->count > 1)
        wording_printf(w, " \xc3\x97%u", g->count);
}

/* ---- names ---- */

/* "Caroline: Hey Mel!" → Caroline. Size 0 when the line does not begin so. */
static struct slice speaker(struct slice line)
{
    size_t i = 0;
    while (i < line.size && i < 40 && line.data[i] != ':' && (unsigned char)line.data[i] >= ' ')
        i++;
    bool named = i > 1 && i + 1 < line.size && line.data[i] == ':' && line.data[i + 1] == ' ' &&
                 isupper((unsigned char)line.data[0]);
    for (size_t k = 0; named && k < i; k++)
        named = isalpha((unsigned char)line.data[k]) || strchr(" .-'", line.data[k]) ||
                (unsigned char)line.data[k] >= 0x80;
    return named ? (struct slice){line.data, i} : (struct slice){line.data, 0};
}

static bool is_letter(char c)
{
    return isalpha((unsigned char)c) || (unsigned char)c >= 0x80;
}

/* Words with a capital inside a sentence. */
static void capitals(struct summariser *s, struct slice line)
{
    bool begins = true;
    for (size_t i = 0; i < line.size;) {
        if (!is_letter(line.data[i])) {
            begins |= strchr(".!?:\"(-", line.data[i]) != NULL;
            i++;
            continue;
        }
        size_t from = i;
        while (i < line.size && is_letter(line.data[i]))
            i++;
        bool apostrophe = i < line.size && line.data[i] == '\'';
        if (!begins && !apostrophe && i - from > 2 && isupper((unsigned char)line.data[from]) &&
            islower((unsigned char)line.data[from + 1]))
            entity_add(s, "name", line.data + from, i - from, 1);
        begins = false;
    }
}

static bool names_entity(const struct summariser *s, const char *kind, const char *name)
{
    for (uint32_t i = 0; i < s->entity_count; i++)
        if (!strcmp(s->entities[i].name, name) && !strcmp(s->entities[i].kind, kind))
            return true;
    return false;
}

/* Each pair once a moment; both names are entities of it. */
static void note_same(struct summariser *s, const struct same_seen *same)
{
    for (uint32_t i = 0; i < s->same_count; i++)
        if (!memcmp(&s->same[i], same, sizeof(*same)))
            return;
    bool room = s->same_count < SAME_MAX;
    for (int k = 0; k < 2 && room; k++)
        room = names_entity(s, same->kind[k], same->name[k]) ||
               entity_add(s, same->kind[k], same->name[k], strlen(same->name[k]), 1);
    if (room)
        s->same[s->same_count++] = *same;
}

static void find_entities(struct summariser *s, const struct moment *m)
{
    struct same_seen same[2];
    struct entity_seen found[ENTITIES_A_LINE];
    for (uint32_t i = 0; i < m->record_count; i++) {
        struct slice line = m->records[i].text;
        int n = tokens_entities(line.data, line.size, found, ENTITIES_A_LINE);
        for (int k = 0; k < n; k++)
            entity_add(s, found[k].kind, found[k].name, strlen(found[k].name), found[k].count);
        n = tokens_same(line.data, line.size, same, 2);
        for (int k = 0; k < n; k++)
            note_same(s, &same[k]);
        if (!s->prose)
            continue;
        struct slice who = speaker(line);
        if (who.size)
            entity_add(s, "name", who.data, who.size, 1);
        capitals(s, (struct slice){line.data + who.size, line.size - who.size});
    }
}

/* ---- talk ---- */

static uint32_t word_hash(const char *s, size_t n)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < n; i++)
        h = (h ^ (unsigned char)tolower((unsigned char)s[i])) * 16777619u;
    return (h ^ h >> 15) & (WORDS - 1);
}

/* Calls each with every word of four letters or more; returns how many. */
static uint32_t line_words(struct slice line, uint32_t *hashes, uint32_t max)
{
    uint32_t n = 0;
    for (size_t i = 0; i < line.size && n < max;) {
        if (!is_letter(line.data[i])) {
            i++;
            continue;
        }
        size_t from = i;
        while (i < line.size && (is_letter(line.data[i]) || line.data[i] == '\''))
            i++;
        if (i - from >= 4)
            hashes[n++] = word_hash(line.data + from, i - from);
    }
    return n;
}

static void learn_words(struct summariser *s, struct slice line)
{
    uint32_t hashes[64];
    uint32_t n = line_words(line, hashes, 64);
    s->lines++;
    for (uint32_t i = 0; i < n; i++)
        s->words[hashes[i]]++;
    if (s->lines < 1u << 20)
        return;
    s->lines /= 2;
    for (uint32_t i = 0; i < WORDS; i++)
        s->words[i] /= 2;
}

/* Sum of the rarest words' idf; long lines gain little by their length. */
static double telling(const struct summariser *s, struct slice line)
{
    uint32_t hashes[64];
    double best[6] = {0};
    uint32_t n = line_words(line, hashes, 64);
    for (uint32_t i = 0; i < n; i++) {
        double idf = log((double)(s->lines + 1) / (s->words[hashes[i]] + 0.5));
        for (int k = 0; k < 6; k++) {
            if (idf > best[k]) {
                memmove(best + k + 1, best + k, (size_t)(5 - k) * sizeof(*best));
                best[k] = idf;
                break;
            }
        }
    }
    double sum = 0;
    for (int k = 0; k < 6; k++)
        sum += best[k];
    return sum;
}

/* The most telling records, in time order. */
static uint32_t pick_sentences(struct summariser *s, const struct moment *m, uint32_t *picked,
                               uint32_t *ret_best)
{
    double scores[SENTENCES];
    uint32_t n = 0;
    double best = -1;
    for (uint32_t i = 0; i < m->record_count; i++) {
        double score = telling(s, m->records[i].text);
        if (score > best) {
            best = score;
            *ret_best = i;
        }
        uint32_t at = n < SENTENCES ? n++ : SENTENCES;
        if (at == SENTENCES) {
            uint32_t least = 0;
            for (uint32_t k = 1; k < n; k++)
                if (scores[k] < scores[least])
                    least = k;
            if (scores[least] >= score)
                continue;
            memmove(picked + least, picked + least + 1, (n - 1 - least) * sizeof(*picked));
            memmove(scores + least, scores + least + 1, (n - 1 - least) * sizeof(*scores));
            at = n - 1;
        }
        picked[at] = i;
        scores[at] = score;
    }
    return n;
}

static void put_quote(struct wording *w, struct slice line, size_t max)
{
    size_t n = utf8_cut(line.data, line.size, max);
    wording_put(w, line.data, n);
    if (n < line.size)
        wording_printf(w, "\xe2\x80\xa6");
}

static void put_unusual(struct summariser *s, struct wording *w)
{
    for (uint32_t i = 0; i < s->unusual_count && i < KINDS; i++) {
        wording_printf(w, s->unusual[i].score >= UNUSUAL_ALERT ? "unusual " : "surprising ");
        wording_time(w, s->unusual[i].start);
        wording_printf(w, " %s\n", s->unusual[i].why);
    }
}

static void put_entities(const struct summariser *s, struct wording *w)
{
    uint32_t shown = 0;
    for (uint32_t i = 0; i < s->entity_count && shown < 6; i++) {
        if (strcmp(s->entities[i].kind, "number") == 0)
            continue;
        wording_printf(w, "%s%s \xc3\x97%u", shown++ ? ", " : "names ", s->entities[i].name,
                       s->entities[i].count);
    }
}

static void sum_talk(struct summariser *s, struct moment *m, struct wording *title,
                     struct wording *gist)
{
    uint32_t picked[SENTENCES], best = 0;
    uint32_t n = pick_sentences(s, m, picked, &best);
    put_quote(title, line_body(s, &m->records[best]), sizeof(m->title) - 4);
    for (uint32_t i = 0; i < n; i++) {
        put_quote(gist, line_body(s, &m->records[picked[i]]), QUOTE_MAX);
        wording_printf(gist, "\n");
    }
}

/* "sshd: " where most lines are one process's. */
static void put_process(const struct summariser *s, const struct moment *m, struct wording *w)
{
    for (uint32_t i = 0; i < s->entity_count; i++) {
        const struct entity_seen *e = &s->entities[i];
        if (strcmp(e->kind, "process") == 0 && e->count * 10 >= m->record_count * 6) {
            wording_printf(w, "%s: ", e->name);
            return;
        }
    }
}

static void sum_log(struct summariser *s, struct moment *m, struct wording *title,
                    struct wording *gist)
{
    const struct unusual *u = s->unusual_count ? &s->unusual[0] : NULL;
    if (!u && s->groups[0].count > 1) /* a single line brings its own */
        put_process(s, m, title);
    size_t head = title->size;
    if (u) {
        struct slice line = {u->why, strlen(u->why)};
        put_quote(title, line, LABEL_MAX + 16);
    }
    for (uint32_t g = 0; g < s->group_count && g < 3; g++) {
        size_t before = title->size;
        if (s->groups[g].count == 1 && (u || g > 0))
            break;
        wording_printf(title, "%s", before > head ? "; " : "");
        put_label(s, m, &s->groups[g], title);
        if (title->size >= title->room - 1) {
            /* What was cut off in the middle is worth less than what stands whole. */
            if (before > head)
                wording_cut(title, before);
            break;
        }
    }
    wording_printf(gist, "usual ");
    for (uint32_t g = 0; g < s->group_count && g < KINDS; g++) {
        wording_printf(gist, "%s", g ? "; " : "");
        put_label(s, m, &s->groups[g], gist);
    }
    if (s->group_count > KINDS)
        wording_printf(gist, "; %u kind%s more", s->group_count - KINDS,
                       s->group_count - KINDS == 1 ? "" : "s");
    wording_printf(gist, "\n");
}

void sum_text(struct summariser *s, const struct noted *notes, struct moment *m)
{
    struct wording title, gist;
    wording_init(&title, m->title, sizeof(m->title));
    wording_init(&gist, s->gist, sizeof(s->gist));
    group_lines(s, notes, m);
    find_entities(s, m);
    find_facts(s, notes, m);
    wording_printf(&gist, "%u line%s in ", m->record_count, m->record_count == 1 ? "" : "s");
    wording_span(&gist, m->end - m->start);
    wording_printf(&gist, "\n");
    put_unusual(s, &gist);
    if (s->prose) {
        for (uint32_t i = 0; i < m->record_count; i++)
            learn_words(s, m->records[i].text);
        sum_talk(s, m, &title, &gist);
    } else {
        tally_groups(s, m);
        sum_log(s, m, &title, &gist);
    }
    put_entities(s, &gist);
}
