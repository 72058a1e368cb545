// SPDX-License-Identifier: Apache-2.0
/* What is in view: a span of time and a vertical offset; every change asks for one new frame. */
const SPAN_MIN = 20; // ms

const bounds = (() => {
  if (!mem.count) {
    const now = mem.made;
    return { t0: now - HOUR, t1: now };
  }
  const span = Math.max(mem.high - mem.low, 10 * SECOND);
  return { t0: mem.low - span * 0.02, t1: mem.high + span * 0.02 };
})();

const view = {
  t0: crowd ? crowd.t0 - (crowd.t1 - crowd.t0) * 0.02 : bounds.t0,
  t1: crowd ? crowd.t1 + (crowd.t1 - crowd.t0) * 0.02 : bounds.t1,
  scroll: 0,
  width: 800, height: 400,
  selected: -1, hover: -1,
  query: '', hits: null, // Uint8Array by node while a search is on
};

let frame = 0;
let animation = 0;
const painters = [];

function redraw() {
  if (!frame) {
    frame = requestAnimationFrame(() => {
      frame = 0;
      for (const paint of painters) paint();
    });
  }
}

const scaleX = () => view.width / (view.t1 - view.t0);
const xOf = (t) => (t - view.t0) * scaleX();
const tOf = (x) => view.t0 + x / scaleX();

function setView(t0, t1) {
  const full = (bounds.t1 - bounds.t0) * 1.5;
  const span = Math.min(Math.max(t1 - t0, SPAN_MIN), full);
  const mid = (t0 + t1) / 2;
  // Some of what is remembered always stays in view.
  const margin = span < bounds.t1 - bounds.t0 ? span * 0.05 : 0;
  const centre = Math.min(Math.max(mid, bounds.t0 + margin), bounds.t1 - margin);
  view.t0 = centre - span / 2;
  view.t1 = centre + span / 2;
  redraw();
}

function stopAnimation() {
  if (animation) cancelAnimationFrame(animation);
  animation = 0;
}

const calm = matchMedia('(prefers-reduced-motion: reduce)');

/* Moves there in a quarter of a second; spans change evenly on a log scale. */
function glideTo(t0, t1) {
  stopAnimation();
  if (calm.matches) {
    setView(t0, t1);
    return;
  }
  const from = { mid: (view.t0 + view.t1) / 2, span: view.t1 - view.t0 };
  const to = { mid: (t0 + t1) / 2, span: Math.max(t1 - t0, SPAN_MIN) };
  const began = performance.now();
  const step = (now) => {
    const k = Math.min(1, Math.max(0, (now - began) / 260));
    const e = 1 - (1 - k) ** 3;
    const span = from.span * (to.span / from.span) ** e;
    const same = Math.abs(to.span - from.span) < 1;
    const share = same ? e : (span - from.span) / (to.span - from.span);
    const mid = from.mid + (to.mid - from.mid) * share;
    setView(mid - span / 2, mid + span / 2);
    animation = k < 1 ? requestAnimationFrame(step) : 0;
  };
  animation = requestAnimationFrame(step);
}

function zoomAt(t, factor) {
  stopAnimation();
  setView(t - (t - view.t0) * factor, t + (view.t1 - t) * factor);
}

function zoomBy(factor) {
  const mid = (view.t0 + view.t1) / 2;
  const half = ((view.t1 - view.t0) / 2) * factor;
  glideTo(mid - half, mid + half);
}

function panBy(share) {
  const move = (view.t1 - view.t0) * share;
  glideTo(view.t0 + move, view.t1 + move);
}

function zoomInto(n) {
  const span = Math.max(mem.end[n] - mem.start[n], 2 * SECOND);
  glideTo(mem.start[n] - span * 0.15, mem.end[n] + span * 0.15);
}

/* Brings a node into view, changing no more than needed: enough zoom to see it, and its lane. */
function reveal(n) {
  const lane = laneOf(n);
  if (lane) {
    const room = view.height - AXIS_HEIGHT;
    const bottom = lane.top + lane.height;
    if (lane.top < view.scroll) view.scroll = lane.top;
    else if (bottom > view.scroll + room) view.scroll = bottom - room;
  }
  const wide = (mem.end[n] - mem.start[n]) * scaleX();
  const inside = mem.start[n] >= view.t0 && mem.end[n] <= view.t1;
  if (inside && wide >= 4) {
    redraw();
    return;
  }
  const span = Math.max(mem.end[n] - mem.start[n], 5 * SECOND);
  const shown = wide >= 4 && wide < view.width * 0.8 ? view.t1 - view.t0 : span * 12;
  const mid = (mem.start[n] + mem.end[n]) / 2;
  glideTo(mid - shown / 2, mid + shown / 2);
}
