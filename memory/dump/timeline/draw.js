// SPDX-License-Identifier: Apache-2.0
/*
 * The main canvas: axis, nights, bands of the higher strata, one lane a stream. Only what is in view
 * is walked; what is narrower than a pixel is merged into its column, the most surprising showing.
 */
const AXIS_HEIGHT = 44;
const canvas = document.getElementById('canvas');
const ctx = canvas.getContext('2d');

function fitCanvas(element, context) {
  const ratio = window.devicePixelRatio || 1;
  const box = element.getBoundingClientRect();
  const w = Math.max(1, Math.round(box.width));
  const h = Math.max(1, Math.round(box.height));
  if (element.width !== Math.round(w * ratio) || element.height !== Math.round(h * ratio)) {
    element.width = Math.round(w * ratio);
    element.height = Math.round(h * ratio);
  }
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return { w, h };
}

/* Text cut with an ellipsis to `room` pixels; empty where next to nothing would be left. */
function fitText(context, text, room) {
  if (context.measureText(text).width <= room) return text;
  let lo = 0;
  let hi = Math.min(text.length, Math.ceil(room / 3));
  while (lo < hi) {
    const mid = (lo + hi + 1) >> 1;
    if (context.measureText(`${text.slice(0, mid)}…`).width <= room) lo = mid;
    else hi = mid - 1;
  }
  return lo > 2 ? `${text.slice(0, lo).trimEnd()}…` : '';
}

function drawAxis() {
  const { ticks, upper } = axisTicks(view.t0, view.t1, view.width);
  ctx.fillStyle = theme.css.surface;
  ctx.fillRect(0, 0, view.width, AXIS_HEIGHT);
  ctx.textBaseline = 'middle';
  ctx.font = `11px ${theme.css.sans}`;
  ctx.fillStyle = theme.css.soft;
  for (const tick of ticks) {
    const x = xOf(tick.t);
    ctx.fillStyle = theme.css.line;
    ctx.fillRect(Math.round(x), AXIS_HEIGHT - 6, 1, 6);
    ctx.fillStyle = theme.css.soft;
    const w = ctx.measureText(tick.label).width;
    if (x - w / 2 >= 2 && x + w / 2 <= view.width - 2) ctx.fillText(tick.label, x - w / 2, 30);
  }
  ctx.font = `600 11px ${theme.css.sans}`;
  upper.forEach((unit, i) => {
    const x = xOf(unit.t);
    const next = i + 1 < upper.length ? xOf(upper[i + 1].t) : view.width;
    const at = Math.max(x, 0) + 8;
    const label = fitText(ctx, unit.label, next - at - 6);
    if (x > 0) {
      ctx.fillStyle = theme.css.line;
      ctx.fillRect(Math.round(x), 4, 1, 16);
    }
    ctx.fillStyle = theme.css.ink;
    if (label) ctx.fillText(label, at, 12);
  });
  ctx.fillStyle = theme.css.line;
  ctx.fillRect(0, AXIS_HEIGHT - 1, view.width, 1);
  return ticks;
}

function drawGround(ticks) {
  ctx.fillStyle = theme.css.surface;
  const tall = view.height - AXIS_HEIGHT;
  ctx.fillRect(0, AXIS_HEIGHT, view.width, tall);
  ctx.fillStyle = theme.dark ? 'rgb(0 0 0 / .22)' : 'rgb(70 60 120 / .035)';
  for (const [a, b] of nights(view.t0, view.t1)) {
    ctx.fillRect(xOf(a), AXIS_HEIGHT, xOf(b) - xOf(a), tall);
  }
  ctx.fillStyle = theme.css.hair;
  for (const tick of ticks) ctx.fillRect(Math.round(xOf(tick.t)), AXIS_HEIGHT, 1, tall);
  const n = view.selected;
  if (n < 0) return;
  ctx.fillStyle = theme.css.accent;
  ctx.globalAlpha = 0.1;
  const wide = Math.max(1, (mem.end[n] - mem.start[n]) * scaleX());
  ctx.fillRect(xOf(mem.start[n]), AXIS_HEIGHT, wide, tall);
  ctx.globalAlpha = 1;
}

/* Index range of a lane's nodes that touch the view. */
function visibleRange(lane) {
  const from = lowerBound(lane.reach, view.t0);
  let to = from;
  let hi = lane.nodes.length;
  while (to < hi) {
    const mid = (to + hi) >> 1;
    if (mem.start[lane.nodes[mid]] <= view.t1) to = mid + 1;
    else hi = mid;
  }
  return [from, to];
}

function drawColumn(x, w, y, h, color, dim) {
  ctx.globalAlpha = dim ? 0.16 : 1;
  ctx.fillStyle = theme.ramp.colors[color];
  ctx.fillRect(x, y, w, h);
}

/*
 * Runs of nodes as one, for when a whole run is narrower than a column: what is far away costs a
 * sixteenth.
 */
const RUN = 16;

function runsOf(lane) {
  const count = Math.ceil(lane.nodes.length / RUN);
  const runs = {
    start: new Float64Array(count), end: new Float64Array(count), heat: new Uint8Array(count),
  };
  for (let r = 0; r < count; r++) {
    runs.start[r] = mem.start[lane.nodes[r * RUN]];
    for (let i = r * RUN; i < Math.min(lane.nodes.length, (r + 1) * RUN); i++) {
      const n = lane.nodes[i];
      runs.end[r] = Math.max(runs.end[r], mem.end[n]);
      runs.heat[r] = Math.max(runs.heat[r], heat[n]);
    }
  }
  return runs;
}

for (const lane of lanes) {
  lane.runs = runsOf(lane);
  lane.odd = lane.stratum === 0 ? lane.nodes.filter((n) => mem.score[n] >= 0.5) : [];
}

/*
 * Columns of a lane, left to right; what falls into the same one shows its most surprising, and
 * while a search is on, what matches.
 */
function columnPainter(y, h) {
  let column = -1;
  let until = 0;
  let hottest = 0;
  let hit = false;
  const flush = () => {
    if (column < 0) return;
    drawColumn(column, Math.max(1, until - column), y, h, hottest, view.hits && !hit);
    column = -1;
  };
  const add = (x, mine, matched) => {
    const left = Math.floor(x);
    if (column >= 0 && left < until) {
      if (matched && !hit) hottest = mine;
      else if (matched === hit) hottest = Math.max(hottest, mine);
      hit = hit || matched;
      return;
    }
    // Columns that all but touch are drawn as touching: no comb of background between them.
    const at = column >= 0 && left - until === 1 && !view.hits ? until : left;
    flush();
    column = at;
    hottest = mine;
    hit = matched;
    until = at + (matched && view.hits ? 3 : 2);
  };
  return { add, flush };
}

/* Boxes of a lane. Those under two pixels are merged a column each; wide ones carry their title. */
function drawBoxes(lane, y, h) {
  const [from, to] = visibleRange(lane);
  const k = scaleX();
  const columns = columnPainter(y, h);
  const wide = [];
  for (let r = Math.floor(from / RUN); r * RUN < to; r++) {
    const { start, end } = lane.runs;
    if (!view.hits && (end[r] - start[r]) * k < 2) {
      columns.add((start[r] - view.t0) * k, lane.runs.heat[r], true);
      continue;
    }
    for (let i = Math.max(from, r * RUN); i < Math.min(to, (r + 1) * RUN); i++) {
      const n = lane.nodes[i];
      if ((mem.end[n] - mem.start[n]) * k >= 2.5) wide.push(i);
      else columns.add((mem.start[n] - view.t0) * k, heat[n], !view.hits || view.hits[n] === 1);
    }
  }
  columns.flush();
  ctx.globalAlpha = 1;
  for (const i of wide) {
    const last = i + 1 === lane.nodes.length;
    drawWide(lane.nodes[i], y, h, k, last ? Infinity : xOf(mem.start[lane.nodes[i + 1]]));
  }
}

/* `limit`: where the next box begins, over which no title may run. */
function drawWide(n, y, h, k, limit) {
  const x0 = Math.max((mem.start[n] - view.t0) * k, -4);
  const x1 = Math.min((mem.end[n] - view.t0) * k, view.width + 4);
  const w = x1 - x0;
  const gap = w > 6 ? 1 : w > 3.5 ? 0.5 : 0;
  ctx.globalAlpha = view.hits && !view.hits[n] ? 0.16 : 1;
  ctx.fillStyle = heatColor(n);
  if (w > 10) {
    ctx.beginPath();
    ctx.roundRect(x0, y, w - gap, h, 3);
    ctx.fill();
  } else {
    ctx.fillRect(x0, y, w - gap, h);
  }
  if (n === view.hover) {
    ctx.fillStyle = theme.dark ? 'rgb(255 255 255 / .14)' : 'rgb(0 0 0 / .1)';
    ctx.fillRect(x0, y, w - gap, h);
  }
  const left = Math.max(x0, 0) + 7;
  const room = Math.min(x1, view.width, limit) - left - 7;
  if (room > 28 && h >= 14) {
    ctx.font = `${h >= 20 ? 12 : 10.5}px ${theme.css.sans}`;
    const text = fitText(ctx, mem.title(n), room);
    ctx.fillStyle = theme.ramp.onTop[heat[n]];
    if (text) ctx.fillText(text, left, y + h / 2 + 0.5);
  }
  ctx.globalAlpha = 1;
}

/* Triangles above what was unusual, at the very span where it was; thinned where they touch. */
function drawMarks(lane, y) {
  let last = -100;
  ctx.fillStyle = theme.css.mark;
  for (const n of lane.odd) {
    if (mem.end[n] < view.t0 || (view.hits && !view.hits[n])) continue;
    if (mem.start[n] > view.t1) break;
    if (xOf(mem.end[n]) < last + 5) continue;
    for (const u of alertsIn(n)) {
      const x0 = xOf(u.start);
      const x1 = xOf(u.end);
      if (x1 < 0 || x0 > view.width) continue;
      if (x1 - x0 > 8) ctx.fillRect(x0, y - 2, x1 - x0, 2);
      const mid = Math.min(Math.max((x0 + x1) / 2, 4), view.width - 4);
      if (mid - last < 7) continue;
      last = mid;
      ctx.beginPath();
      ctx.moveTo(mid - 3.5, y - 6);
      ctx.lineTo(mid + 3.5, y - 6);
      ctx.lineTo(mid, y);
      ctx.fill();
    }
  }
}

/* The lowest and highest value of each run of a spark, made when it is first drawn. */
function sparkRuns(lane, spark) {
  if (spark.runs) return spark.runs;
  const runs = new Uint8Array(2 * lane.runs.start.length);
  for (let r = 0; 2 * r < runs.length; r++) {
    runs[2 * r] = 255;
    for (let i = r * RUN; i < Math.min(lane.nodes.length, (r + 1) * RUN); i++) {
      if (spark.bytes[2 * i] > spark.bytes[2 * i + 1]) continue;
      runs[2 * r] = Math.min(runs[2 * r], spark.bytes[2 * i]);
      runs[2 * r + 1] = Math.max(runs[2 * r + 1], spark.bytes[2 * i + 1]);
    }
  }
  spark.runs = runs;
  return runs;
}

/* The range of one channel's values, a column at a time; broken where nothing was recorded. */
function drawSpark(lane, y, h) {
  const spark = lane.sparks[lane.spark];
  const runs = sparkRuns(lane, spark);
  const [from, to] = visibleRange(lane);
  const k = scaleX();
  const points = [];
  let previousEnd = -Infinity;
  const flush = () => {
    if (points.length) strokeSpark(points, y, h);
    points.length = 0;
  };
  const add = (start, end, lo, hi) => {
    if (lo > hi) return; // this channel had no value here
    const x0 = (start - view.t0) * k;
    const x1 = (end - view.t0) * k;
    if (x0 - previousEnd > Math.max(12, 1.5 * (x1 - x0))) flush();
    previousEnd = x1;
    const last = points[points.length - 1];
    if (last && x1 - last.x < 1) {
      last.lo = Math.min(last.lo, lo);
      last.hi = Math.max(last.hi, hi);
    } else if (x1 - x0 > 24) {
      points.push({ x: x0 + 1, lo, hi }, { x: x1 - 1, lo, hi });
    } else {
      points.push({ x: (x0 + x1) / 2, lo, hi });
    }
  };
  const first = Math.max(0, from - 1);
  const end = Math.min(to + 1, lane.nodes.length);
  for (let r = Math.floor(first / RUN); r * RUN < end; r++) {
    if ((lane.runs.end[r] - lane.runs.start[r]) * k < 2) {
      add(lane.runs.start[r], lane.runs.end[r], runs[2 * r], runs[2 * r + 1]);
      continue;
    }
    for (let i = Math.max(first, r * RUN); i < Math.min(end, (r + 1) * RUN); i++) {
      const n = lane.nodes[i];
      add(mem.start[n], mem.end[n], spark.bytes[2 * i], spark.bytes[2 * i + 1]);
    }
  }
  flush();
}

function strokeSpark(points, y, h) {
  const yOf = (v) => y + h - 1 - (v / 255) * (h - 2);
  ctx.beginPath();
  points.forEach((p, i) => (i ? ctx.lineTo(p.x, yOf(p.hi)) : ctx.moveTo(p.x, yOf(p.hi))));
  for (let i = points.length - 1; i >= 0; i--) ctx.lineTo(points[i].x, yOf(points[i].lo));
  ctx.closePath();
  ctx.globalAlpha = theme.dark ? 0.5 : 0.42;
  ctx.fillStyle = theme.css.soft;
  ctx.fill();
  ctx.globalAlpha = 1;
  ctx.strokeStyle = theme.css.soft;
  ctx.lineWidth = 0.8;
  ctx.stroke();
}

/*
 * The waveforms of a lane of sound. All are drawn to the lane's own loudest, or a quiet room would be
 * a flat line; a moment narrower than its columns shows the range of those that share a pixel.
 */
function drawWaves(lane, y, h) {
  const [from, to] = visibleRange(lane);
  const k = scaleX();
  const loudest = lane.loudest || (lane.loudest = lane.nodes.reduce((most, n) =>
    Math.max(most, waveOf(n) ? mem.media(n).peak : 0), 1e-5));
  ctx.fillStyle = theme.css.soft;
  for (let i = from; i < to; i++) {
    const n = lane.nodes[i];
    const wave = waveOf(n);
    if (!wave) continue;
    const x0 = (mem.start[n] - view.t0) * k;
    const scale = (mem.media(n).peak / loudest / 127) * (h / 2);
    const step = (mem.media(n).seconds * 1000 * k) / (wave.length / 2);
    ctx.globalAlpha = view.hits && !view.hits[n] ? 0.16 : 0.75;
    let lo = 0;
    let hi = 0;
    let last = Math.floor(x0);
    for (let c = 0; c <= wave.length / 2; c++) {
      const x = Math.floor(x0 + c * step);
      if (x > last || c === wave.length / 2) {
        const top = Math.round(h / 2 - hi * scale);
        const tall = Math.max(1, Math.round((hi - lo) * scale));
        if (x > 0 && last < view.width) ctx.fillRect(last, y + top, Math.max(1, x - last), tall);
        last = x;
        lo = 0;
        hi = 0;
      }
      if (c === wave.length / 2) break;
      lo = Math.min(lo, wave[2 * c]);
      hi = Math.max(hi, wave[2 * c + 1]);
    }
  }
  ctx.globalAlpha = 1;
}

/* Decoded when first seen; the view is drawn again when it is there. */
const thumbnails = new Map();
function thumbnailOf(n, frame) {
  const key = `${n}:${frame}`;
  if (!thumbnails.has(key)) {
    const picture = new Image();
    picture.addEventListener('load', redraw);
    picture.src = jpegSource(mem.media(n).frames[frame][1]);
    thumbnails.set(key, picture);
  }
  return thumbnails.get(key);
}

/* Frames where they were seen, as many as there is room for side by side. */
function drawThumbnails(lane, y, h) {
  const [from, to] = visibleRange(lane);
  let free = -Infinity;
  for (let i = from; i < to; i++) {
    const n = lane.nodes[i];
    const media = mem.media(n);
    if (!media || !media.frames) continue;
    ctx.globalAlpha = view.hits && !view.hits[n] ? 0.16 : 1;
    for (let f = 0; f < media.frames.length; f++) {
      const w = Math.min(h * 2, Math.max(h / 2, (h * media.width) / (media.height || 1)));
      const x = xOf(mem.start[n] + media.frames[f][0]);
      if (x < free + 3 || x + w < 0 || x > view.width) continue;
      const picture = thumbnailOf(n, f);
      if (picture.complete && picture.naturalWidth) ctx.drawImage(picture, x, y, w, h);
      free = x + w;
    }
  }
  ctx.globalAlpha = 1;
}

/* Where the boxes of a lane lie within it. */
function boxOf(lane) {
  if (lane.stratum > 0) return { y: 3, h: lane.height - 5 };
  if (lane.tall) {
    const y = Math.round(lane.height * (lane.kind === 'video' ? 0.74 : 0.66)) - 2;
    return { y, h: lane.height - y - 5 };
  }
  return { y: 9, h: lane.height - 13 };
}

function drawLane(lane, top) {
  ctx.fillStyle = theme.css.hair;
  ctx.fillRect(0, top + lane.height - 0.5, view.width, 1);
  const box = boxOf(lane);
  if (lane.stratum === 0 && lane.sparks.length) drawSpark(lane, top + 6, box.y - 15);
  if (lane.tall && lane.kind === 'audio') drawWaves(lane, top + 6, box.y - 15);
  if (lane.tall && lane.kind === 'video') drawThumbnails(lane, top + 4, box.y - 13);
  drawBoxes(lane, top + box.y, box.h);
  drawMarks(lane, top + box.y - 1);
}

function drawSelection() {
  const n = view.selected;
  if (n < 0) return;
  const x0 = xOf(mem.start[n]);
  const x1 = xOf(mem.end[n]);
  const lane = laneOf(n);
  if (!lane) return;
  const box = boxOf(lane);
  const top = AXIS_HEIGHT + lane.top - view.scroll + box.y;
  const w = Math.max(5, x1 - x0 + 2);
  ctx.strokeStyle = theme.css.accent;
  ctx.lineWidth = 2;
  ctx.beginPath();
  ctx.roundRect(Math.min(x0 - 1, (x0 + x1) / 2 - 2.5), top - 1.5, w, box.h + 3, 4);
  ctx.stroke();
}

/* Where we are among the lanes, when they do not all fit. */
function drawThumb(room) {
  if (lanes.total <= room) return;
  const tall = Math.max(24, (room / lanes.total) * room);
  const at = (view.scroll / (lanes.total - room)) * (room - tall);
  ctx.globalAlpha = 0.55;
  ctx.fillStyle = theme.css.faint;
  ctx.beginPath();
  ctx.roundRect(view.width - 6, AXIS_HEIGHT + at + 2, 4, tall - 4, 2);
  ctx.fill();
  ctx.globalAlpha = 1;
}

function paintMain() {
  const { w, h } = fitCanvas(canvas, ctx);
  view.width = w;
  view.height = h;
  view.scroll = Math.max(0, Math.min(view.scroll, lanes.total - (h - AXIS_HEIGHT)));
  const { ticks } = axisTicks(view.t0, view.t1, w);
  drawGround(ticks);
  ctx.save();
  ctx.beginPath();
  ctx.rect(0, AXIS_HEIGHT, w, h - AXIS_HEIGHT);
  ctx.clip();
  ctx.textBaseline = 'middle';
  for (const lane of lanes) {
    const top = AXIS_HEIGHT + lane.top - view.scroll;
    if (top + lane.height < AXIS_HEIGHT || top > h) continue;
    drawLane(lane, top);
  }
  drawSelection();
  drawThumb(h - AXIS_HEIGHT);
  ctx.restore();
  drawAxis();
}

/* The node under a point: the box hit, or of several in reach the most surprising. */
function nodeAt(x, y) {
  if (y < AXIS_HEIGHT) return { n: -1, near: 0, lane: null };
  const row = y - AXIS_HEIGHT + view.scroll;
  const lane = lanes.find((l) => row >= l.top && row < l.top + l.height);
  if (!lane) return { n: -1, near: 0, lane: null };
  const [from, to] = visibleRange(lane);
  const t = tOf(x);
  const reach = 3 / scaleX();
  let best = -1;
  let near = 0;
  for (let i = from; i < to; i++) {
    const n = lane.nodes[i];
    if (mem.start[n] > t + reach) break;
    if (mem.end[n] < t - reach) continue;
    near++;
    const wide = (mem.end[n] - mem.start[n]) * scaleX() >= 6;
    if (wide && mem.start[n] <= t && t <= mem.end[n]) return { n, near: 1, lane };
    const matches = best >= 0 && view.hits ? view.hits[n] - view.hits[best] : 0;
    if (best < 0 || (matches || mem.bits[n] - mem.bits[best]) > 0) best = n;
  }
  return { n: best, near, lane };
}
