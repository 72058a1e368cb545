// SPDX-License-Identifier: Apache-2.0
/* Puts the page together: header, legend, zoom levels, gutter; then draws. */
const SVG = 'http://www.w3.org/2000/svg';
const ICONS = {
  text: ['M2 4h12', 'M2 8h12', 'M2 12h7'],
  sensor: ['M1.5 9h3l2-5 3 9 2-4h3'],
  audio: ['M3 6v4', 'M6 3.5v9', 'M9 5v6', 'M12 7v2'],
  video: ['M2 3.5h12v9H2z', 'M7 6.2v3.6L10 8z'],
  band: ['M2 5q3-2 6 0t6 0', 'M2 10q3-2 6 0t6 0'],
};

function icon(kind) {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', '0 0 16 16');
  svg.setAttribute('aria-hidden', 'true');
  for (const d of ICONS[kind] || ICONS.text) {
    const path = document.createElementNS(SVG, 'path');
    path.setAttribute('d', d);
    svg.append(path);
  }
  return svg;
}

function fillHeader() {
  const about = document.getElementById('about');
  const moments = mem.strata.find((s) => s.stratum === 0);
  const count = moments ? moments.end - moments.first : 0;
  const records = mem.streams.reduce((sum, s) => sum + s.records, 0);
  about.textContent = mem.count
    ? `${mem.file} · ${[countText(mem.streams.length, 'stream'), countText(count, 'moment'),
      countText(records, 'record'), durationText(mem.high - mem.low)].join(', ')}`
    : `${mem.file} · nothing remembered yet`;
  const made = `${dayText(mem.made, true)} ${clockText(mem.made, HOUR)}`;
  about.title = `${about.textContent}. Made ${made} by varve-dump ${mem.version}`;
  document.title = `${mem.file} – varve timeline`;
  document.getElementById('zone').textContent = zoneText(mem.count ? mem.high : mem.made);
}

function fillLegend() {
  const ramp = document.getElementById('ramp');
  const c = ramp.getContext('2d');
  const { w, h } = fitCanvas(ramp, c);
  for (let i = 0; i < RAMP_SIZE; i++) {
    c.fillStyle = theme.ramp.colors[i];
    c.fillRect(Math.floor((i / RAMP_SIZE) * w), 0, Math.ceil(w / RAMP_SIZE) + 1, h);
  }
  const ticks = [[0, 'usual'], [0.5, 'unusual'], [1, 'extreme']];
  document.getElementById('ramp-ticks').replaceChildren(...ticks.map(([at, label]) => {
    const span = el('span', null, label);
    span.style.left = `${at * 100}%`;
    return span;
  }));
}

function fillLevels() {
  const group = document.getElementById('levels');
  const span = bounds.t1 - bounds.t0;
  const add = (label, act) => group.append(el('button', { type: 'button', onclick: act }, label));
  const around = (width) => () => {
    const n = view.selected;
    const mid = n >= 0 ? (mem.start[n] + mem.end[n]) / 2 : (view.t0 + view.t1) / 2;
    glideTo(mid - width / 2, mid + width / 2);
  };
  add('All', () => glideTo(bounds.t0, bounds.t1));
  const widths = [[7 * DAY, 'Week'], [DAY, 'Day'], [HOUR, 'Hour'], [5 * MINUTE, '5 min']];
  for (const [width, label] of widths) {
    if (span > width * 1.3) add(label, around(width));
  }
}

function fillGutter() {
  const list = document.getElementById('lanes');
  list.replaceChildren(...lanes.map((lane) => {
    const spark = lane.sparks && lane.sparks[lane.spark];
    const note = spark ? `${spark.channel} ${numberText(spark.low)} – ${numberText(spark.high)}`
      : lane.stratum === 0 ? countText(lane.nodes.length, 'moment') : null;
    const li = el('li', null, el('button', {
      type: 'button', class: lane.stratum > 0 ? 'lane band' : 'lane', title: lane.name,
      onclick: () => (lane.stratum > 0 ? select(nearest(lane), { reveal: true }) : openStream(lane)),
    }, icon(lane.kind), el('b', null, lane.name), note ? el('small', null, note) : null));
    li.style.top = `${lane.top}px`;
    li.style.height = `${lane.height}px`;
    return li;
  }));
}

function nearest(lane) {
  const mid = (view.t0 + view.t1) / 2;
  return lane.nodes[Math.min(lane.nodes.length - 1, lowerBound(lane.reach, mid))];
}

function openStream(lane) {
  select(-1);
  showStream(lane);
}

let shownRange = '';

function paintTexts() {
  const range = spanText(view.t0, view.t1);
  if (range !== shownRange) {
    shownRange = range;
    document.getElementById('range').replaceChildren(range,
      el('small', null, durationText(view.t1 - view.t0)));
    if (tab === 'view' && panel.querySelector('.tabs')) later(showHome);
  }
  document.getElementById('lanes').style.transform = `translateY(${-view.scroll}px)`;
}

/* The list of what is in view follows the view, but not every frame of a drag. */
let pending = 0;
function later(act) {
  clearTimeout(pending);
  pending = setTimeout(() => {
    if (tab === 'view' && view.selected < 0 && !view.hits) act();
  }, 150);
}

/* Painted at once, not with the next frame: in between the old picture would show stretched. */
function resize() {
  placeLanes(canvas.getBoundingClientRect().height - AXIS_HEIGHT);
  fillGutter();
  overview.columns = null;
  for (const paint of painters) paint();
}

function restyle() {
  readTheme();
  fillLegend();
  refreshOverview();
  showPanel();
}

function begin() {
  readTheme();
  fillHeader();
  fillLegend();
  fillLevels();
  resize();
  const empty = document.getElementById('empty');
  empty.hidden = mem.count > 0;
  empty.textContent = 'Nothing is remembered here yet. Start varved, or widen --since and --until.';
  painters.push(paintMain, paintOverview, paintTexts);
  listenPointer();
  listenWheel();
  listenOverview();
  listenSearch();
  document.addEventListener('keydown', onKey);
  document.getElementById('zoom-in').addEventListener('click', () => zoomBy(0.5));
  document.getElementById('zoom-out').addEventListener('click', () => zoomBy(2));
  document.getElementById('help-open').addEventListener('click', KEYS['?']);
  window.addEventListener('hashchange', followHash);
  new ResizeObserver(resize).observe(document.getElementById('wrap'));
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', restyle);
  view.width = canvas.getBoundingClientRect().width;
  view.height = canvas.getBoundingClientRect().height;
  showPanel();
  if (location.hash) followHash();
  redraw();
}

begin();
