// SPDX-License-Identifier: Apache-2.0
/*
 * The strip above: all of memory at once. Height is how many records a column holds (square root),
 * colour the most surprising moment in it; the window is what the field below shows.
 */
const strip = document.getElementById('overview');
const stripCtx = strip.getContext('2d');
const overview = { width: 1, height: 44, columns: null };

const stripX = (t) => ((t - bounds.t0) / (bounds.t1 - bounds.t0)) * overview.width;
const stripT = (x) => bounds.t0 + (x / overview.width) * (bounds.t1 - bounds.t0);

function gatherColumns(width) {
  const amount = new Float64Array(width);
  const hottest = new Int16Array(width).fill(-1);
  const hit = new Uint8Array(width);
  const s = mem.strata.find((x) => x.stratum === 0);
  for (let n = s ? s.first : 0; s && n < s.end; n++) {
    const a = Math.max(0, Math.min(width - 1, Math.floor(stripX(mem.start[n]))));
    const b = Math.max(a, Math.min(width - 1, Math.floor(stripX(mem.end[n]))));
    for (let x = a; x <= b; x++) {
      amount[x] += mem.records[n] / (b - a + 1);
      if (heat[n] > hottest[x]) hottest[x] = heat[n];
      if (view.hits && view.hits[n]) hit[x] = 1;
    }
  }
  return { amount, hottest, hit, most: amount.reduce((x, y) => Math.max(x, y), 0) };
}

/* The strip's content changes only with its width, the theme and the search: kept as a picture. */
function paintStripContent(w, h) {
  const ratio = window.devicePixelRatio || 1;
  const picture = document.createElement('canvas');
  picture.width = Math.round(w * ratio);
  picture.height = Math.round(h * ratio);
  const c = picture.getContext('2d');
  c.setTransform(ratio, 0, 0, ratio, 0, 0);
  const { amount, hottest, hit, most } = gatherColumns(w);
  for (let x = 0; x < w; x++) {
    if (hottest[x] < 0) continue;
    const tall = 3 + (h - 17) * Math.sqrt(amount[x] / (most || 1));
    c.globalAlpha = view.hits && !hit[x] ? 0.2 : 1;
    c.fillStyle = theme.ramp.colors[hottest[x]];
    c.fillRect(x, h - 13 - tall, 1, tall);
  }
  c.globalAlpha = 1;
  c.font = `10px ${theme.css.sans}`;
  c.textBaseline = 'alphabetic';
  const axis = axisTicks(bounds.t0, bounds.t1, w);
  for (const tick of axis.ticks) {
    const x = stripX(tick.t);
    const tw = c.measureText(tick.label).width;
    c.fillStyle = theme.css.line;
    c.fillRect(Math.round(x), h - 13, 1, 3);
    c.fillStyle = theme.css.faint;
    if (x - tw / 2 > 2 && x + tw / 2 < w - 2) c.fillText(tick.label, x - tw / 2, h - 2);
  }
  return picture;
}

function refreshOverview() {
  overview.columns = null;
  redraw();
}

function paintOverview() {
  const { w, h } = fitCanvas(strip, stripCtx);
  if (!overview.columns || overview.width !== w) {
    overview.width = w;
    overview.height = h;
    overview.columns = paintStripContent(w, h);
  }
  stripCtx.clearRect(0, 0, w, h);
  stripCtx.drawImage(overview.columns, 0, 0, w, h);
  const x0 = Math.max(0, stripX(view.t0));
  const x1 = Math.min(w, stripX(view.t1));
  const width = Math.max(3, x1 - x0);
  stripCtx.fillStyle = theme.css.surface;
  stripCtx.globalAlpha = 0.62;
  stripCtx.fillRect(0, 0, x0, h);
  stripCtx.fillRect(x0 + width, 0, w - x0 - width, h);
  stripCtx.globalAlpha = 1;
  stripCtx.strokeStyle = theme.css.accent;
  stripCtx.lineWidth = 1.5;
  stripCtx.beginPath();
  stripCtx.roundRect(x0 + 0.75, 0.75, width - 1.5, h - 1.5, 4);
  stripCtx.stroke();
  if (width > 24) {
    stripCtx.fillStyle = theme.css.accent;
    for (const x of [x0 + 3, x0 + width - 3]) {
      stripCtx.beginPath();
      stripCtx.roundRect(x - 2, h / 2 - 8, 4, 16, 2);
      stripCtx.fill();
    }
  }
}

function listenOverview() {
  let grip = null;
  const where = (event) => event.clientX - strip.getBoundingClientRect().left;
  const part = (x) => {
    const x0 = stripX(view.t0);
    const x1 = stripX(view.t1);
    if (x1 - x0 > 24 && Math.abs(x - x0) < 7) return 'left';
    if (x1 - x0 > 24 && Math.abs(x - x1) < 7) return 'right';
    return x > x0 - 4 && x < x1 + 4 ? 'middle' : 'outside';
  };
  strip.addEventListener('pointerdown', (event) => {
    const x = where(event);
    let of = part(x);
    stopAnimation();
    if (of === 'outside') {
      const half = (view.t1 - view.t0) / 2;
      setView(stripT(x) - half, stripT(x) + half);
      of = 'middle';
    }
    grip = { of, at: stripT(x), t0: view.t0, t1: view.t1 };
    strip.setPointerCapture(event.pointerId);
  });
  strip.addEventListener('pointermove', (event) => {
    const x = where(event);
    if (!grip) {
      const of = part(x);
      const cursors = { left: 'ew-resize', right: 'ew-resize', middle: 'grab', outside: 'pointer' };
      strip.style.cursor = cursors[of];
      return;
    }
    const move = stripT(x) - grip.at;
    const t0 = grip.of === 'right' ? grip.t0 : grip.t0 + move;
    const t1 = grip.of === 'left' ? grip.t1 : grip.t1 + move;
    if (t1 - t0 > SPAN_MIN) setView(t0, t1);
  });
  const release = () => { grip = null; };
  strip.addEventListener('pointerup', release);
  strip.addEventListener('pointercancel', release);
  strip.addEventListener('dblclick', () => glideTo(bounds.t0, bounds.t1));
}
