// SPDX-License-Identifier: Apache-2.0
/*
 * The embedded data as typed arrays. A node is an integer: an index into all columns, ordered by
 * stratum (moments first), then by start. Times are milliseconds UTC. memory/dump/html.c writes the
 * columns and describes them.
 */
const mem = (() => {
  const raw = JSON.parse(document.getElementById('data').textContent);
  const count = raw.start.length;
  const strata = [];
  const stratum = new Uint8Array(count);
  let first = 0;
  for (const s of raw.strata) {
    stratum.fill(s.stratum, first, first + s.count);
    strata.push({ stratum: s.stratum, name: s.name, first, end: first + s.count });
    first += s.count;
  }

  const start = new Float64Array(count);
  const end = new Float64Array(count);
  let at = 0;
  for (let n = 0; n < count; n++) {
    at += raw.start[n];
    start[n] = at;
    end[n] = at + raw.length[n];
  }
  const tenths = (column) => Float32Array.from(column, (v) => v / 10);

  const byId = new Map();
  raw.id.forEach((id, n) => byId.set(id, n));
  const parent = new Int32Array(count).fill(-1);
  const childCount = new Uint32Array(count);
  raw.parent.forEach((id, n) => {
    const p = byId.get(id);
    if (p !== undefined && p !== n) {
      parent[n] = p;
      childCount[p]++;
    }
  });
  const childStart = new Uint32Array(count + 1);
  for (let n = 0; n < count; n++) childStart[n + 1] = childStart[n] + childCount[n];
  const childList = new Uint32Array(childStart[count]);
  const fill = childStart.slice(0, count);
  for (let n = 0; n < count; n++) if (parent[n] >= 0) childList[fill[parent[n]]++] = n;

  const unusual = new Map();
  for (const [n, offset, length, bits, z, score, why] of raw.unusual) {
    if (!unusual.has(n)) unusual.set(n, []);
    unusual.get(n).push({
      start: start[n] + offset, end: start[n] + offset + length,
      bits: bits / 10, z: z / 10, score: score / 100, why: raw.texts[why],
    });
  }

  let low = Infinity;
  let high = -Infinity;
  /* Weeks and months reach far beyond what is in them: they only count where nothing else is. */
  const finest = count ? stratum[0] : 0;
  for (let n = 0; n < count; n++) {
    if (stratum[n] > Math.max(finest, 3)) continue;
    if (start[n] < low) low = start[n];
    if (end[n] > high) high = end[n];
  }

  return {
    count, strata, stratum, start, end, parent, byId, unusual, low, high,
    id: raw.id,
    streams: raw.streams,
    stream: Int32Array.from(raw.stream),
    bits: tenths(raw.bits),
    mean: tenths(raw.mean),
    score: Float32Array.from(raw.score, (v) => v / 100),
    records: raw.records,
    path: raw.path,
    texts: raw.texts,
    titleOf: Int32Array.from(raw.title),
    gistOf: Int32Array.from(raw.gist),
    title: (n) => raw.texts[raw.title[n]],
    gist: (n) => (raw.gist[n] < 0 ? null : raw.texts[raw.gist[n]]),
    children: (n) => childList.subarray(childStart[n], childStart[n + 1]),
    entityNames: raw.entities,
    mentions: (n) => raw.mentions[n] || [],
    excerpt: (n) => raw.excerpts[n] || null,
    media: (n) => raw.media[n] || null,
    sparks: raw.sparks,
    notes: raw.notes,
    file: raw.file, made: raw.made, version: raw.version,
  };
})();

/* A lane is a row of the timeline: its nodes by start, and the latest end so far for searching. */
function makeLane(nodes, about) {
  const reach = new Float64Array(nodes.length);
  let latest = -Infinity;
  nodes.forEach((n, i) => {
    latest = Math.max(latest, mem.end[n]);
    reach[i] = latest;
  });
  return { nodes, reach, ...about };
}

/* First index whose value in `ordered` is at least v. */
function lowerBound(ordered, v) {
  let lo = 0;
  let hi = ordered.length;
  while (lo < hi) {
    const mid = (lo + hi) >> 1;
    if (ordered[mid] < v) lo = mid + 1;
    else hi = mid;
  }
  return lo;
}

function decodeSpark(spark) {
  const bytes = Uint8Array.from(atob(spark.data), (c) => c.charCodeAt(0));
  return { channel: spark.channel, low: spark.low, high: spark.high, bytes };
}

/*
 * The lowest and highest sample of each column of a moment of sound, in 127ths of its peak; null: not
 * here.
 */
const waves = new Map();
function waveOf(n) {
  const media = mem.media(n);
  if (!media || !media.wave) return null;
  if (!waves.has(n)) waves.set(n, Int8Array.from(atob(media.wave), (c) => c.charCodeAt(0)));
  return waves.get(n);
}

const jpegSource = (data) => `data:image/jpeg;base64,${data}`;

const lanes = (() => {
  const list = [];
  for (const s of [...mem.strata].reverse()) {
    if (s.stratum === 0 || s.first === s.end) continue;
    const nodes = Uint32Array.from({ length: s.end - s.first }, (_, i) => s.first + i);
    list.push(makeLane(nodes, { kind: 'band', name: s.name, stratum: s.stratum, least: 26 }));
  }
  const moments = mem.strata.find((s) => s.stratum === 0) || { first: 0, end: 0 };
  const perStream = mem.streams.map(() => []);
  for (let n = moments.first; n < moments.end; n++) {
    const of = perStream[mem.stream[n]];
    if (of) of.push(n);
  }
  mem.streams.forEach((stream, i) => {
    const sparks = mem.sparks.filter((s) => s.stream === i).map(decodeSpark);
    list.push(makeLane(Uint32Array.from(perStream[i]), {
      kind: stream.kind, name: stream.name, stratum: 0, streamIndex: i, stream, sparks, spark: 0,
      tall: sparks.length > 0 || perStream[i].some((n) => mem.media(n)),
    }));
  });
  for (const lane of list) {
    if (lane.stratum > 0) continue;
    lane.least = lane.tall ? (lane.kind === 'video' ? 84 : 60) : 38;
  }
  // What has not recorded anything yet comes last.
  return list.sort((a, b) => (a.nodes.length === 0) - (b.nodes.length === 0));
})();

/* Few lanes share out the room there is, up to half as much again; many keep theirs and scroll. */
function placeLanes(room) {
  const needed = lanes.reduce((sum, lane) => sum + lane.least, 16);
  const stretch = Math.max(1, Math.min(1.5, room / needed));
  let top = 0;
  lanes.forEach((lane, i) => {
    if (i > 0 && lane.stratum === 0 && lanes[i - 1].stratum > 0) top += 8;
    lane.top = top;
    lane.height = Math.floor(lane.least * stretch);
    top += lane.height;
  });
  lanes.total = top + 8;
}

const laneOf = (n) => lanes.find((lane) =>
  lane.stratum === mem.stratum[n] && (lane.stratum > 0 || lane.streamIndex === mem.stream[n]));

/*
 * Where to begin: everything, unless most moments lie close together and the rest is spread thin, as
 * when an old log was read in; then the shortest span that holds three in five of them, and what
 * goes on from there without a long break.
 */
const crowd = (() => {
  const moments = mem.strata.find((s) => s.stratum === 0);
  const count = moments ? moments.end - moments.first : 0;
  const reach = Math.ceil(count * 0.6) - 1;
  let best = null;
  for (let n = 0; count >= 50 && n + reach < count; n++) {
    const span = mem.start[n + reach] - mem.start[n];
    if (!best || span <= best.span) best = { span, t0: mem.start[n], t1: mem.start[n + reach] };
  }
  if (!best || best.span === 0 || best.span * 5 >= mem.high - mem.low) return null;
  const pause = best.span / 4;
  for (let n = moments.first; n < moments.end; n++) {
    if (mem.start[n] > best.t1 && mem.start[n] <= best.t1 + pause) best.t1 = mem.start[n];
    const back = moments.end - 1 - n + moments.first;
    if (mem.start[back] < best.t0 && mem.start[back] >= best.t0 - pause) best.t0 = mem.start[back];
  }
  return best;
})();

/* Moments in time order and those that hold something unusual, for n and p and the first list. */
const unusualMoments = (() => {
  const s = mem.strata.find((x) => x.stratum === 0) || { first: 0, end: 0 };
  const list = [];
  for (let n = s.first; n < s.end; n++) if (mem.score[n] >= 0.5) list.push(n);
  return list;
})();
const byUnusual = (a, b) => mem.score[b] - mem.score[a] || mem.bits[b] - mem.bits[a]
  || mem.start[a] - mem.start[b];
