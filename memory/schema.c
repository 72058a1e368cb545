/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Few indexes on purpose: every one is paid for at ingest. Children are found through moment_time
 * (they lie inside their parent's span), so there is no index on parent. Gists and evidence have
 * tables of their own so that scans over moments touch small rows.
 */
#include "memory/schema.h"

#include <stddef.h>

const char schema_v1[] =
    "PRAGMA application_id=0x76617276;\n"
    "CREATE TABLE meta(\n"
    "  key TEXT PRIMARY KEY,\n"
    "  value ANY NOT NULL\n"
    ") STRICT, WITHOUT ROWID;\n"

    "CREATE TABLE state(\n"
    "  key TEXT PRIMARY KEY,\n"
    "  value BLOB NOT NULL\n"
    ") STRICT;\n"

    "CREATE TABLE stream(\n"
    "  id INTEGER PRIMARY KEY,\n"
    "  name TEXT NOT NULL UNIQUE,\n"
    "  kind INTEGER NOT NULL,\n"
    "  source TEXT NOT NULL,\n"
    "  created INTEGER NOT NULL,\n"
    "  next_seq INTEGER NOT NULL DEFAULT 1,\n"
    "  records INTEGER NOT NULL DEFAULT 0,\n"
    "  bytes INTEGER NOT NULL DEFAULT 0,\n"
    "  late INTEGER NOT NULL DEFAULT 0,\n"
    "  gaps INTEGER NOT NULL DEFAULT 0,\n"
    "  dropped INTEGER NOT NULL DEFAULT 0,\n"
    "  redacted INTEGER NOT NULL DEFAULT 0,\n"
    "  first_time INTEGER,\n"
    "  last_time INTEGER,\n"
    "  span_max INTEGER NOT NULL DEFAULT 0\n"
    ") STRICT;\n"

    "CREATE TABLE stratum(\n"
    "  stratum INTEGER PRIMARY KEY,\n"
    "  moments INTEGER NOT NULL DEFAULT 0,\n"
    "  span_max INTEGER NOT NULL DEFAULT 0\n"
    ") STRICT;\n"
    "INSERT INTO stratum(stratum) VALUES(0), (1), (2), (3);\n"

    "CREATE TABLE channel(\n"
    "  stream INTEGER NOT NULL REFERENCES stream(id),\n"
    "  idx INTEGER NOT NULL,\n"
    "  name TEXT NOT NULL,\n"
    "  PRIMARY KEY(stream, idx)\n"
    ") STRICT, WITHOUT ROWID;\n"

    "CREATE TABLE pending(\n"
    "  id INTEGER PRIMARY KEY,\n"
    "  stream INTEGER NOT NULL REFERENCES stream(id),\n"
    "  seq_first INTEGER NOT NULL,\n"
    "  seq_last INTEGER NOT NULL,\n"
    "  records INTEGER NOT NULL,\n"
    "  block BLOB NOT NULL\n"
    ") STRICT;\n"

    "CREATE TABLE moment(\n"
    "  id INTEGER PRIMARY KEY AUTOINCREMENT,\n"
    "  stratum INTEGER NOT NULL,\n"
    "  stream INTEGER REFERENCES stream(id),\n"
    "  parent INTEGER REFERENCES moment(id),\n"
    "  t_start INTEGER NOT NULL,\n"
    "  t_end INTEGER NOT NULL,\n"
    "  records INTEGER NOT NULL,\n"
    "  raw_bytes INTEGER NOT NULL,\n"
    "  seq_first INTEGER,\n"
    "  seq_last INTEGER,\n"
    "  bits REAL NOT NULL,\n"
    "  bits_max REAL NOT NULL,\n"
    "  z REAL NOT NULL,\n"
    "  unusual INTEGER NOT NULL DEFAULT 0,\n"
    "  path INTEGER NOT NULL DEFAULT 0,\n"
    "  code INTEGER NOT NULL DEFAULT 0,\n"
    "  confidence REAL NOT NULL DEFAULT 0,\n"
    "  tau REAL NOT NULL DEFAULT 0,\n"
    "  model INTEGER NOT NULL,\n"
    "  flags INTEGER NOT NULL DEFAULT 0,\n"
    "  ended INTEGER NOT NULL DEFAULT 0,\n"
    "  created INTEGER NOT NULL,\n"
    "  pinned INTEGER NOT NULL DEFAULT 0,\n"
    "  uses INTEGER NOT NULL DEFAULT 0,\n"
    "  helped INTEGER NOT NULL DEFAULT 0,\n"
    "  hash BLOB NOT NULL,\n"
    "  title TEXT NOT NULL\n"
    ") STRICT;\n"
    "CREATE INDEX moment_time ON moment(stratum, t_start);\n"
    "CREATE INDEX moment_stream ON moment(stream, t_start) WHERE stream IS NOT NULL;\n"
    "CREATE INDEX moment_seq ON moment(stream, seq_last, seq_first) WHERE stream IS NOT NULL;\n"

    "CREATE TABLE gist(\n"
    "  moment INTEGER PRIMARY KEY REFERENCES moment(id),\n"
    "  text TEXT NOT NULL\n"
    ") STRICT;\n"

    "CREATE TABLE evidence(\n"
    "  moment INTEGER PRIMARY KEY REFERENCES moment(id),\n"
    "  block BLOB NOT NULL\n"
    ") STRICT;\n"

    "CREATE TABLE latent(\n"
    "  moment INTEGER PRIMARY KEY REFERENCES moment(id),\n"
    "  model INTEGER NOT NULL,\n"
    "  scale REAL NOT NULL,\n"
    "  vec BLOB NOT NULL\n"
    ") STRICT;\n"

    "CREATE TABLE unusual(\n"
    "  moment INTEGER NOT NULL REFERENCES moment(id),\n"
    "  n INTEGER NOT NULL,\n"
    "  stream INTEGER NOT NULL REFERENCES stream(id),\n"
    "  t_start INTEGER NOT NULL,\n"
    "  t_end INTEGER NOT NULL,\n"
    "  first INTEGER NOT NULL,\n"
    "  last INTEGER NOT NULL,\n"
    "  bits REAL NOT NULL,\n"
    "  z REAL NOT NULL,\n"
    "  score REAL NOT NULL,\n"
    "  why TEXT NOT NULL,\n"
    "  PRIMARY KEY(moment, n)\n"
    ") STRICT, WITHOUT ROWID;\n"
    "CREATE INDEX unusual_rank ON unusual(score, bits);\n"
    "CREATE INDEX unusual_time ON unusual(t_start);\n"

    "CREATE TABLE entity(\n"
    "  id INTEGER PRIMARY KEY,\n"
    "  kind TEXT NOT NULL,\n"
    "  name TEXT NOT NULL,\n"
    "  first INTEGER NOT NULL,\n"
    "  last INTEGER NOT NULL,\n"
    "  count INTEGER NOT NULL,\n"
    "  UNIQUE(name, kind)\n"
    ") STRICT;\n"

    "CREATE TABLE entity_moment(\n"
    "  entity INTEGER NOT NULL REFERENCES entity(id),\n"
    "  moment INTEGER NOT NULL REFERENCES moment(id),\n"
    "  count INTEGER NOT NULL,\n"
    "  PRIMARY KEY(entity, moment)\n"
    ") STRICT, WITHOUT ROWID;\n"
    "CREATE INDEX entity_by_moment ON entity_moment(moment);\n"

    "CREATE TABLE part(\n"
    "  moment INTEGER NOT NULL REFERENCES moment(id),\n"
    "  stream INTEGER NOT NULL REFERENCES stream(id),\n"
    "  moments INTEGER NOT NULL,\n"
    "  records INTEGER NOT NULL,\n"
    "  bytes INTEGER NOT NULL,\n"
    "  unusual INTEGER NOT NULL,\n"
    "  usual INTEGER NOT NULL,\n"
    "  usual_bits REAL NOT NULL,\n"
    "  peak INTEGER NOT NULL,\n"
    "  peak_z REAL NOT NULL,\n"
    "  PRIMARY KEY(moment, stream)\n"
    ") STRICT, WITHOUT ROWID;\n"

    "CREATE TABLE dirty(\n"
    "  stratum INTEGER NOT NULL,\n"
    "  unit INTEGER NOT NULL,\n"
    "  t INTEGER NOT NULL,\n"
    "  resume INTEGER,\n"
    "  PRIMARY KEY(stratum, unit)\n"
    ") STRICT, WITHOUT ROWID;\n"

    "CREATE TABLE df(\n"
    "  chunk INTEGER PRIMARY KEY,\n"
    "  data BLOB NOT NULL\n"
    ") STRICT;\n"

    "CREATE VIRTUAL TABLE words USING fts5(\n"
    "  text, content='', detail=none, tokenize=\"ascii tokenchars '._-'\"\n"
    ");\n"
    "INSERT INTO words(words, rank) VALUES('automerge', 8);\n"

    "CREATE VIEW timeline AS\n"
    "  SELECT m.id, m.stratum, s.name AS stream,\n"
    "    strftime('%Y-%m-%dT%H:%M:%fZ', m.t_start / 1000000.0, 'unixepoch') AS start,\n"
    "    strftime('%Y-%m-%dT%H:%M:%fZ', m.t_end / 1000000.0, 'unixepoch') AS end,\n"
    "    m.records, round(m.bits, 2) AS bits, round(m.z, 1) AS z, m.title, g.text AS gist\n"
    "  FROM moment m LEFT JOIN stream s ON s.id = m.stream LEFT JOIN gist g ON g.moment = m.id\n"
    "  ORDER BY m.t_start, m.stratum DESC, m.id;\n";

/*
 * touched: the subjective time when the span was laid down or last used; hits: how often an answer
 * used it. features: what of the dictionary the latent has. kind: the templates of
 * text streams; stat: what is counted and measured of a span's stream, in sums that can be added.
 * entity_day: what an entity did on a day, which outlives its moments; entity_same: names that are
 * said to be one thing. fact: values that records stated, with the span in which they held.
 * gone: numbers that were stored and let go. past: what spans above still say of such a moment.
 * forget: what is still to do of a forgetting under way.
 */
const char schema_v2[] = "ALTER TABLE moment ADD COLUMN touched REAL NOT NULL DEFAULT 0;\n"
                         "ALTER TABLE moment ADD COLUMN hits INTEGER NOT NULL DEFAULT 0;\n"
                         "ALTER TABLE latent ADD COLUMN features BLOB;\n"
                         "CREATE INDEX moment_pinned ON moment(id) WHERE pinned<>0;\n"
                         "INSERT INTO stratum(stratum) VALUES(4), (5);\n"
                         /* Days that are there get their weeks and months in the background. */
                         "INSERT INTO dirty(stratum, unit, t) SELECT 3, t_start, t_start FROM "
                         "moment WHERE stratum=3 ON CONFLICT DO NOTHING;\n"

                         "CREATE TABLE kind(\n"
                         "  id INTEGER PRIMARY KEY,\n"
                         "  stream INTEGER NOT NULL REFERENCES stream(id),\n"
                         "  text TEXT NOT NULL,\n"
                         "  first INTEGER NOT NULL,\n"
                         "  last INTEGER NOT NULL,\n"
                         "  count INTEGER NOT NULL,\n"
                         "  UNIQUE(stream, text)\n"
                         ") STRICT;\n"

                         "CREATE TABLE stat(\n"
                         "  moment INTEGER NOT NULL REFERENCES moment(id),\n"
                         "  stream INTEGER NOT NULL REFERENCES stream(id),\n"
                         "  data BLOB NOT NULL,\n"
                         "  UNIQUE(moment, stream)\n"
                         ") STRICT;\n"

                         "CREATE TABLE fact(\n"
                         "  id INTEGER PRIMARY KEY,\n"
                         "  stream INTEGER NOT NULL REFERENCES stream(id),\n"
                         "  subject TEXT NOT NULL,\n"
                         "  value TEXT NOT NULL,\n"
                         "  since INTEGER NOT NULL,\n"
                         "  until INTEGER,\n"
                         "  moment INTEGER NOT NULL,\n"
                         "  last INTEGER NOT NULL,\n"
                         "  seen INTEGER NOT NULL\n"
                         ") STRICT;\n"
                         "CREATE INDEX fact_subject ON fact(stream, subject, since);\n"
                         "CREATE INDEX fact_moment ON fact(moment);\n"

                         "CREATE TABLE gone(\n"
                         "  stream INTEGER NOT NULL REFERENCES stream(id),\n"
                         "  seq_first INTEGER NOT NULL,\n"
                         "  seq_last INTEGER NOT NULL,\n"
                         "  PRIMARY KEY(stream, seq_first)\n"
                         ") STRICT, WITHOUT ROWID;\n"

                         "CREATE TABLE past(\n"
                         "  moment INTEGER PRIMARY KEY,\n"
                         "  title TEXT NOT NULL,\n"
                         "  why TEXT NOT NULL\n"
                         ") STRICT;\n"

                         "CREATE TABLE forget(\n"
                         "  what INTEGER NOT NULL,\n"
                         "  id INTEGER NOT NULL,\n"
                         "  arg BLOB,\n"
                         "  PRIMARY KEY(what, id)\n"
                         ") STRICT, WITHOUT ROWID;\n"
                         "CREATE TABLE entity_day(\n"
                         "  entity INTEGER NOT NULL REFERENCES entity(id),\n"
                         "  day INTEGER NOT NULL,\n"
                         "  moments INTEGER NOT NULL,\n"
                         "  count INTEGER NOT NULL,\n"
                         "  unusual INTEGER NOT NULL,\n"
                         "  first INTEGER NOT NULL,\n"
                         "  last INTEGER NOT NULL,\n"
                         "  peak INTEGER NOT NULL,\n"
                         "  z REAL NOT NULL,\n"
                         "  PRIMARY KEY(entity, day)\n"
                         ") STRICT, WITHOUT ROWID;\n"
                         "INSERT INTO entity_day SELECT x.entity, m.t_start / 86400000000, "
                         "count(*), sum(x.count), sum(m.unusual > 0), min(m.t_start), max(m.t_end), "
                         "0, 0 FROM entity_moment x JOIN moment m ON m.id = x.moment WHERE "
                         "m.stratum = 0 GROUP BY 1, 2;\n"

                         "CREATE TABLE entity_same(\n"
                         "  a INTEGER NOT NULL REFERENCES entity(id),\n"
                         "  b INTEGER NOT NULL REFERENCES entity(id),\n"
                         "  renamed INTEGER NOT NULL,\n"
                         "  beside INTEGER NOT NULL,\n"
                         "  first INTEGER NOT NULL,\n"
                         "  last INTEGER NOT NULL,\n"
                         "  PRIMARY KEY(a, b)\n"
                         ") STRICT, WITHOUT ROWID;\n"
                         "CREATE INDEX entity_same_b ON entity_same(b);\n"

                         "DROP VIEW timeline;\n"
                         "CREATE VIEW timeline AS\n"
                         "  SELECT m.id, m.stratum, s.name AS stream,\n"
                         "    strftime('%Y-%m-%dT%H:%M:%fZ', m.t_start / 1000000.0, 'unixepoch') "
                         "AS start,\n"
                         "    strftime('%Y-%m-%dT%H:%M:%fZ', m.t_end / 1000000.0, 'unixepoch') "
                         "AS end,\n"
                         "    m.records, round(m.bits, 2) AS bits, round(m.z, 1) AS z, m.title, "
                         "g.text AS gist\n"
                         "  FROM moment m LEFT JOIN stream s ON s.id = m.stream LEFT JOIN gist g "
                         "ON g.moment = m.id\n"
                         "  WHERE m.stratum >= 0 ORDER BY m.t_start, m.stratum DESC, m.id;\n";

const char *stratum_name(int stratum)
{
    static const char *const names[STRATA] = {"moment", "episode", "hour", "day", "week", "month"};
    return stratum >= 0 && stratum < STRATA ? names[stratum] : NULL;
}

const char *const schema_objects[] = {
    "meta",
    "state",
    "stream",
    "stratum",
    "channel",
    "pending",
    "moment",
    "moment_time",
    "moment_stream",
    "moment_seq",
    "moment_pinned",
    "gist",
    "evidence",
    "latent",
    "unusual",
    "unusual_rank",
    "unusual_time",
    "entity",
    "entity_moment",
    "entity_by_moment",
    "entity_day",
    "entity_same",
    "entity_same_b",
    "part",
    "dirty",
    "df",
    "kind",
    "stat",
    "fact",
    "fact_subject",
    "fact_moment",
    "gone",
    "past",
    "forget",
    "words",
    "words_data",
    "words_idx",
    "words_docsize",
    "words_config",
    "timeline",
    NULL,
};
