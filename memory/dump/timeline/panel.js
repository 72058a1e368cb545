// SPDX-License-Identifier: Apache-2.0
/*
 * The side panel: the same memories as lists and text. Everything from the file goes in as text
 * nodes, never as markup.
 */
const panel = document.getElementById('panel');
const LIST_LIMIT = 100;

/* el('b', {class: 'x', onclick: f}, 'text', child…) */
function el(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith('on')) node.addEventListener(key.slice(2), value);
    else node.setAttribute(key, value);
  }
  for (const child of children) if (child !== null && child !== undefined) node.append(child);
  return node;
}

/* Text with the search's hits marked. */
function marked(text) {
  const q = view.query;
  const out = document.createDocumentFragment();
  const lower = text.toLowerCase();
  if (!q || lower.length !== text.length) {
    out.append(text);
    return out;
  }
  let at = 0;
  for (let i = lower.indexOf(q); i >= 0; i = lower.indexOf(q, at)) {
    out.append(text.slice(at, i), el('mark', null, text.slice(i, i + q.length)));
    at = i + q.length;
  }
  out.append(text.slice(at));
  return out;
}

function heatBar(n) {
  const bar = el('i', { class: 'heat', 'aria-hidden': 'true' });
  bar.style.background = heatColor(n);
  return bar;
}

const placeOf = (n) => (mem.stratum[n] === 0 && mem.streams[mem.stream[n]]
  ? mem.streams[mem.stream[n]].name : singular(mem.stratum[n]));
const singular = (stratum) => ['moment', 'episode', 'hour', 'day', 'week', 'month'][stratum];

const runsIn = (n) => mem.unusual.get(n) || [];
const alertsIn = (n) => runsIn(n).filter((u) => u.score >= 0.5);

function worstOf(n) {
  return runsIn(n).reduce((a, b) => (!a || b.score > a.score ? b : a), null);
}

/* The reason of the most unusual run, unless the title says it already. */
function reasonBeside(n) {
  const worst = worstOf(n);
  return worst && !mem.title(n).includes(worst.why) ? worst.why : '';
}

const note = (text) => el('p', { class: 'note' }, text);
const section = (heading, ...content) => el('section', null, el('h3', null, heading), ...content);
const closeButton = () => el('button', {
  type: 'button', class: 'close', 'aria-label': 'Close', title: 'Close (Esc)',
  onclick: () => select(-1),
}, '×');

function item(n, withWhy) {
  const worst = withWhy ? worstOf(n) : null;
  const why = withWhy ? reasonBeside(n) : '';
  const at = worst ? worst.start : mem.start[n];
  const much = mem.score[n] >= 0.5 && mem.stratum[n] === 0
    ? ` · score ${mem.score[n].toFixed(2)}` : ` · ${mem.bits[n].toFixed(0)} bits`;
  const when = `${dayText(at)} ${clockText(at, mem.stratum[n] > 1 ? DAY : HOUR)}`;
  return el('li', null, el('button', {
    type: 'button', 'data-id': mem.id[n], 'aria-current': n === view.selected ? 'true' : null,
    onclick: () => select(n, { reveal: true }),
  },
  heatBar(n),
  el('b', null, marked(mem.title(n))),
  why ? el('span', { class: 'why' }, marked(why)) : null,
  el('span', null, `${when} · ${placeOf(n)}${much}`)));
}

function itemList(nodes, withWhy, total) {
  const list = el('ul', { class: 'list' });
  for (const n of nodes.slice(0, LIST_LIMIT)) list.append(item(n, withWhy));
  const rest = (total || nodes.length) - Math.min(nodes.length, LIST_LIMIT);
  if (rest > 0) list.append(el('li', { class: 'more' }, `and ${rest.toLocaleString('en')} more`));
  return list;
}

function inView() {
  const shown = [];
  for (const lane of lanes) {
    if (lane.stratum > 0) continue;
    const [from, to] = visibleRange(lane);
    for (let i = from; i < to; i++) shown.push(lane.nodes[i]);
  }
  return shown;
}

let tab = 'unusual';

function showHome() {
  const tabs = el('div', { class: 'tabs', role: 'tablist' });
  for (const [name, label] of [['unusual', 'Most unusual'], ['view', 'In view']]) {
    tabs.append(el('button', {
      type: 'button', role: 'tab', 'aria-selected': String(tab === name),
      onclick: () => { tab = name; showHome(); },
    }, label));
  }
  const body = el('section', { role: 'tabpanel' });
  if (!mem.count) {
    body.append(note('Nothing is remembered in this file yet.'));
  } else if (tab === 'unusual') {
    const ranked = unusualMoments.slice().sort(byUnusual);
    body.append(ranked.length ? itemList(ranked, true)
      : note('Nothing was unusual in this time. “In view” lists what there was.'));
  } else {
    const shown = inView().sort((a, b) => mem.start[a] - mem.start[b]);
    body.append(el('h3', null, countText(shown.length, 'moment'),
      el('small', null, 'in the order of time')));
    body.append(shown.length ? itemList(shown, false) : note('No moment lies in this span.'));
  }
  if (tab === 'unusual' && mem.notes.length) {
    body.append(...mem.notes.map(note));
  }
  panel.replaceChildren(tabs, body);
}

function showResults() {
  const found = [];
  for (let n = 0; n < mem.count; n++) if (view.hits[n]) found.push(n);
  found.sort((a, b) => (mem.stratum[a] > 0) - (mem.stratum[b] > 0) || byUnusual(a, b));
  const body = el('section', { role: 'region', 'aria-label': 'Search results' });
  body.append(el('h3', { id: 'found', role: 'status' },
    countText(found.length, 'memory', 'memories')));
  body.append(found.length ? itemList(found, true)
    : note('No title, gist, reason or entity holds these words.'));
  panel.replaceChildren(body);
}

function crumbs(n) {
  const bar = el('div', { class: 'crumbs' });
  const chain = [];
  for (let p = mem.parent[n]; p >= 0 && chain.length < 8; p = mem.parent[p]) chain.unshift(p);
  for (const p of chain) {
    bar.append(el('button', {
      type: 'button', title: mem.title(p), onclick: () => select(p, { reveal: true }),
    }, singular(mem.stratum[p])), el('span', { 'aria-hidden': 'true' }, '›'));
  }
  bar.append(el('span', { class: 'here' }, placeOf(n)), closeButton());
  return bar;
}

function meter(n) {
  const inner = el('i');
  inner.style.width = `${Math.max(2, (heat[n] / (RAMP_SIZE - 1)) * 100)}%`;
  inner.style.background = heatColor(n);
  return el('span', { class: 'meter', 'aria-hidden': 'true' }, inner);
}

function facts(n) {
  const list = el('dl', { class: 'facts' });
  const add = (name, ...value) => list.append(el('dt', null, name), el('dd', null, ...value));
  add('surprise', meter(n), `${mem.bits[n].toFixed(1)} bits, ${oddsText(mem.bits[n])}`);
  if (mem.score[n] >= 0.5) add('score', `${mem.score[n].toFixed(2)}, an alert from 0.50 on`);
  if (mem.stratum[n] === 0 && mem.records[n] > 1) {
    add('on average', `${mem.mean[n].toFixed(1)} bits a record`);
  }
  add('records', mem.records[n].toLocaleString('en'));
  if (mem.stratum[n] === 0) {
    add('path', mem.path[n] === 2 ? 'discrete: indexed record by record' : 'latent: one block');
  }
  add('id', String(mem.id[n]));
  return list;
}

function neighbours(n) {
  const lane = laneOf(n);
  const i = lane ? lane.nodes.indexOf(n) : -1;
  const step = (d, word) => {
    const other = i >= 0 && i + d >= 0 && i + d < lane.nodes.length ? lane.nodes[i + d] : -1;
    return el('button', {
      type: 'button', disabled: other < 0 ? '' : null,
      onclick: () => other >= 0 && select(other, { reveal: true }),
    }, el('small', null, word), el('b', null, other < 0 ? 'none' : mem.title(other)));
  };
  return el('section', null, el('div', { class: 'nav' }, step(-1, 'before'), step(1, 'after')));
}

function unusualSection(n) {
  const list = runsIn(n).slice().sort((a, b) => b.score - a.score || b.bits - a.bits);
  if (!list.length) return null;
  const ul = el('ul', { class: 'list' });
  for (const u of list.slice(0, 20)) {
    const around = Math.max(1000, (u.end - u.start) * 2);
    ul.append(el('li', null, el('button', {
      type: 'button',
      onclick: () => glideTo(u.start - around, u.end + around),
    }, heatBar(n), el('b', null, marked(u.why || 'unusual')),
    el('span', null, `${spanText(u.start, u.end)} · score ${u.score.toFixed(2)}`))));
  }
  if (list.length > 20) ul.append(el('li', { class: 'more' }, `and ${list.length - 20} more`));
  return section('Unusual here', ul);
}

function entitySection(n) {
  const list = mem.mentions(n);
  if (!list.length) return null;
  const chips = el('div', { class: 'chips' });
  for (const e of list) {
    const [kind, name] = mem.entityNames[e];
    chips.append(el('button', {
      type: 'button', title: `Search ${name}`, onclick: () => search(name, true),
    }, el('small', null, kind), name));
  }
  return section('Entities', chips);
}

function togetherSection(n) {
  const p = mem.parent[n];
  if (mem.stratum[n] > 0) {
    const below = Array.from(mem.children(n));
    if (!below.length) return null;
    const shown = below.slice().sort(byUnusual).slice(0, LIST_LIMIT);
    const count = countText(below.length, singular(mem.stratum[below[0]]));
    return el('section', null,
      el('h3', null, 'Made of', el('small', null, `${count}, most unusual first`)),
      itemList(shown, true, below.length));
  }
  if (p < 0) return null;
  const others = Array.from(mem.children(p)).filter((c) => c !== n);
  if (!others.length) return null;
  const away = (c) => Math.abs(mem.start[c] - mem.start[n]);
  others.sort((a, b) => away(a) - away(b));
  const shown = others.slice(0, 12);
  return el('section', null, el('h3', null, 'Together with', el('small', null, 'same episode')),
    itemList(shown, true, others.length));
}

/* A moment's waveform, what was unusual behind it. */
function waveOfMoment(n) {
  const wave = waveOf(n);
  const { seconds } = mem.media(n);
  const columns = wave.length / 2;
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', `0 0 ${columns} 100`);
  svg.setAttribute('preserveAspectRatio', 'none');
  svg.setAttribute('class', 'wave');
  svg.setAttribute('role', 'img');
  svg.setAttribute('aria-label', `waveform of ${durationText(seconds * 1000)}`);
  for (const u of alertsIn(n)) {
    const mark = document.createElementNS(SVG, 'rect');
    const x = ((u.start - mem.start[n]) / (seconds * 1000)) * columns;
    mark.setAttribute('x', x);
    mark.setAttribute('width', Math.max(2, ((u.end - u.start) / (seconds * 1000)) * columns));
    mark.setAttribute('height', 100);
    svg.append(mark);
  }
  const y = (v) => (50 - (v / 127) * 48).toFixed(1);
  let path = '';
  for (let c = 0; c < columns; c++) {
    path += `M${c + 0.5} ${y(wave[2 * c])}V${y(wave[2 * c + 1] + 1)}`;
  }
  const line = document.createElementNS(SVG, 'path');
  line.setAttribute('d', path);
  svg.append(line);
  return svg;
}

function framesOfMoment(n) {
  const media = mem.media(n);
  const strip = el('div', { class: 'frames' });
  for (const [offset, data] of media.frames) {
    const at = clockText(mem.start[n] + offset, MINUTE);
    const odd = alertsIn(n).some((u) =>
      mem.start[n] + offset >= u.start && mem.start[n] + offset <= u.end);
    strip.append(el('figure', { class: odd ? 'odd' : null },
      el('img', { src: jpegSource(data), alt: `what was seen at ${at}` }),
      el('figcaption', null, at)));
  }
  return strip;
}

function mediaOf(n) {
  const media = mem.media(n);
  if (!media) return null;
  return media.wave ? waveOfMoment(n) : framesOfMoment(n);
}

function mediaSection(n) {
  const shown = mediaOf(n);
  if (!shown) return null;
  return section(mem.media(n).wave ? 'Heard' : 'Seen', shown,
    note(`varve raw ${mem.id[n]} --out FILE writes all of it.`));
}

/* What each stream recorded in an episode's time, side by side. */
function streamsSection(n) {
  if (mem.stratum[n] !== 1) return null;
  const streams = new Map();
  for (const c of mem.children(n)) {
    if (!streams.has(mem.stream[c])) streams.set(mem.stream[c], []);
    streams.get(mem.stream[c]).push(c);
  }
  if (streams.size < 2) return null;
  const body = section('In the same time');
  for (const [stream, moments] of streams) {
    const { name, kind } = mem.streams[stream] || { name: 'a stream', kind: 'text' };
    const ranked = moments.slice().sort(byUnusual);
    const shown = ranked.find((c) => mem.media(c));
    body.append(el('h4', null, icon(kind), name,
      el('small', null, countText(moments.length, 'moment'))),
    shown === undefined ? '' : mediaOf(shown), itemList(ranked.slice(0, 3), true, moments.length));
  }
  return body;
}

function evidenceSection(n) {
  if (mem.stratum[n] > 0 || mem.media(n)) return null;
  const excerpt = mem.excerpt(n);
  if (!excerpt) {
    return section('Evidence', note(`Not in this page. varve raw ${mem.id[n]} prints it.`));
  }
  const body = section('Evidence');
  const odd = (t) => alertsIn(n).some((u) => t >= u.start && t <= u.end);
  const times = excerpt.times.map((t) => mem.start[n] + t);
  const span = mem.end[n] - mem.start[n];
  for (const chart of excerpt.values || []) body.append(chartOf(n, chart, times));
  if (excerpt.lines) {
    const table = el('table', { class: 'records' });
    excerpt.lines.forEach((line, i) => {
      const skipped = excerpt.index[i] - (i ? excerpt.index[i - 1] + 1 : 0);
      if (skipped > 0) {
        table.append(el('tr', { class: 'gap' },
          el('td', { colspan: '2' }, `${countText(skipped, 'record')} left out`)));
      }
      table.append(el('tr', { class: odd(times[i]) ? 'odd' : null },
        el('td', null, clockText(times[i], Math.min(span, HOUR))), el('td', null, marked(line))));
    });
    body.append(table);
  }
  const shown = excerpt.index ? excerpt.index[excerpt.index.length - 1] + 1 : times.length;
  const rest = mem.records[n] - shown;
  if (rest > 0) body.append(note(`${countText(rest, 'more record')}: varve raw ${mem.id[n]}`));
  return body;
}

/* One channel of a sensor moment as a line, what was unusual behind it. */
function chartOf(n, { channel, values }, times) {
  const known = values.filter((v) => v !== null);
  const low = Math.min(...known);
  const high = Math.max(...known);
  const range = low === high ? numberText(low) : `${numberText(low)} – ${numberText(high)}`;
  const picture = el('canvas', { role: 'img', 'aria-label': `${channel}: ${range}` });
  const box = el('div', { class: 'chart' },
    el('p', null, el('span', null, channel), el('span', null, range)), picture);
  requestAnimationFrame(() => {
    const c = picture.getContext('2d');
    const { w, h } = fitCanvas(picture, c);
    const t0 = times[0];
    const span = Math.max(1, times[times.length - 1] - t0);
    const x = (t) => 2 + ((t - t0) / span) * (w - 4);
    const y = (v) => (high === low ? h / 2 : h - 4 - ((v - low) / (high - low)) * (h - 8));
    c.fillStyle = theme.css.mark;
    c.globalAlpha = 0.16;
    for (const u of alertsIn(n)) c.fillRect(x(u.start) - 1.5, 0, x(u.end) - x(u.start) + 3, h);
    c.globalAlpha = 1;
    c.strokeStyle = theme.css.ink;
    c.lineWidth = 1.3;
    c.lineJoin = 'round';
    c.beginPath();
    let pen = false;
    values.forEach((v, i) => {
      if (v === null) return;
      if (pen) c.lineTo(x(times[i]), y(v));
      else c.moveTo(x(times[i]), y(v));
      pen = true;
    });
    if (known.length === 1) c.arc(w / 2, h / 2, 2, 0, 7);
    c.stroke();
  });
  return box;
}

function numberText(v) {
  if (!Number.isFinite(v)) return '–';
  const a = Math.abs(v);
  if (a !== 0 && (a >= 1e7 || a < 1e-3)) return v.toExponential(2);
  return Number(v.toPrecision(4)).toLocaleString('en', { maximumFractionDigits: 6 });
}

function showNode(n) {
  const head = el('div', { class: 'head' }, crumbs(n),
    el('h2', { tabindex: '-1', id: 'title' }, marked(mem.title(n))),
    el('p', { class: 'when' }, el('b', null, spanText(mem.start[n], mem.end[n])),
      mem.end[n] > mem.start[n] ? ` · ${durationText(mem.end[n] - mem.start[n])}` : ''),
    facts(n));
  const gist = mem.gist(n);
  const parts = [head, unusualSection(n),
    gist ? section('Gist', el('p', { class: 'gist' }, marked(gist))) : null,
    entitySection(n), mediaSection(n), evidenceSection(n), streamsSection(n),
    togetherSection(n), neighbours(n)];
  panel.replaceChildren(...parts.filter(Boolean));
  panel.scrollTop = 0;
}

function showStream(lane) {
  const s = lane.stream;
  const list = el('dl', { class: 'facts' });
  const add = (name, value) => list.append(el('dt', null, name), el('dd', null, value));
  add('kind', s.kind);
  add('source', s.source || 'unknown');
  add('records', s.records.toLocaleString('en'));
  add('moments', lane.nodes.length.toLocaleString('en'));
  if (s.first !== null) add('from', `${dayText(s.first, true)} ${clockText(s.first, HOUR)}`);
  if (s.last !== null) add('to', `${dayText(s.last, true)} ${clockText(s.last, HOUR)}`);
  for (const key of ['late', 'gaps', 'dropped', 'redacted']) {
    if (s[key]) add(key, s[key].toLocaleString('en'));
  }
  const head = el('div', { class: 'head' },
    el('div', { class: 'crumbs' }, el('span', { class: 'here' }, 'stream'), closeButton()),
    el('h2', { tabindex: '-1', id: 'title' }, s.name), list);
  const parts = [head];
  if (lane.sparks.length > 1) {
    const chips = el('div', { class: 'chips' });
    lane.sparks.forEach((spark, i) => chips.append(el('button', {
      type: 'button', 'aria-pressed': String(i === lane.spark),
      onclick: () => { lane.spark = i; fillGutter(); showStream(lane); redraw(); },
    }, spark.channel)));
    parts.push(section('Drawn in the lane', chips));
  }
  const ranked = Array.from(lane.nodes).filter((n) => mem.score[n] >= 0.5).sort(byUnusual);
  parts.push(section('Most unusual',
    ranked.length ? itemList(ranked, true) : note('Nothing was unusual in this stream.')));
  panel.replaceChildren(...parts);
  panel.scrollTop = 0;
}
