// SPDX-License-Identifier: Apache-2.0
/* Selection, search, pointer, wheel, keys. */
const tip = document.getElementById('tip');
const searchBox = document.getElementById('search');

function showPanel() {
  if (view.selected >= 0) showNode(view.selected);
  else if (view.hits) showResults();
  else showHome();
}

/* n = -1 closes. Keeps the address's #id in step without filling the history. */
function select(n, options) {
  view.selected = n;
  history.replaceState(null, '', n >= 0 ? `#${mem.id[n]}` : location.pathname + location.search);
  showPanel();
  if (n >= 0 && options && options.reveal) {
    reveal(n);
    const title = document.getElementById('title');
    if (title) title.focus({ preventScroll: true });
  }
  redraw();
}

function followHash() {
  const n = mem.byId.get(Number(decodeURIComponent(location.hash.slice(1))));
  if (n !== undefined && n !== view.selected) select(n, { reveal: true });
}

function search(text, fromPanel) {
  if (fromPanel) searchBox.value = text;
  view.query = text.trim().toLowerCase();
  if (!view.query) {
    view.hits = null;
  } else {
    const inText = mem.texts.map((t) => t.toLowerCase().includes(view.query));
    const inEntity = mem.entityNames.map(([, name]) => name.toLowerCase().includes(view.query));
    view.hits = new Uint8Array(mem.count);
    for (let n = 0; n < mem.count; n++) {
      const found = inText[mem.titleOf[n]] || (mem.gistOf[n] >= 0 && inText[mem.gistOf[n]])
        || mem.mentions(n).some((e) => inEntity[e])
        || (mem.unusual.get(n) || []).some((u) => u.why.toLowerCase().includes(view.query));
      if (found) view.hits[n] = 1;
    }
  }
  view.selected = -1;
  showPanel();
  refreshOverview();
}

function showTip(event, at) {
  view.hover = at.n;
  canvas.classList.toggle('over', at.n >= 0);
  if (at.n < 0) {
    tip.hidden = true;
    return;
  }
  const n = at.n;
  const parts = [el('b', null, mem.title(n)),
    el('span', null, `${spanText(mem.start[n], mem.end[n])} · `,
      countText(mem.records[n], 'record'))];
  const why = reasonBeside(n);
  if (why) parts.push(el('span', { class: 'why' }, why));
  parts.push(el('span', null, `${mem.bits[n].toFixed(1)} bits, ${oddsText(mem.bits[n])}`));
  if (at.near > 1) parts.push(el('span', null, `the most surprising of ${at.near} here`));
  tip.replaceChildren(...parts);
  tip.hidden = false;
  const box = canvas.getBoundingClientRect();
  const x = event.clientX - box.left;
  const y = event.clientY - box.top;
  const w = tip.offsetWidth;
  const h = tip.offsetHeight;
  const left = x + 14 + w > box.width ? Math.max(4, x - w - 14) : x + 14;
  const top = y + 18 + h > box.height ? Math.max(4, y - h - 12) : y + 18;
  tip.style.transform = `translate(${left}px, ${top}px)`;
}

function listenPointer() {
  const fingers = new Map();
  let drag = null;
  const local = (event) => {
    const box = canvas.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };
  const begin = () => {
    const list = [...fingers.values()];
    drag = {
      moved: false, t0: view.t0, t1: view.t1, scroll: view.scroll,
      list: list.map((p) => ({ ...p })),
      anchors: list.map((p) => tOf(p.x)),
    };
  };
  canvas.addEventListener('pointerdown', (event) => {
    if (event.button !== 0) return;
    stopAnimation();
    fingers.set(event.pointerId, local(event));
    canvas.setPointerCapture(event.pointerId);
    begin();
  });
  canvas.addEventListener('pointermove', (event) => {
    const p = local(event);
    if (!fingers.has(event.pointerId)) {
      showTip(event, nodeAt(p.x, p.y));
      redraw();
      return;
    }
    fingers.set(event.pointerId, p);
    const list = [...fingers.values()];
    const dx = list[0].x - drag.list[0].x;
    const dy = list[0].y - drag.list[0].y;
    if (!drag.moved && list.length === 1 && Math.hypot(dx, dy) < 4) return;
    drag.moved = true;
    tip.hidden = true;
    canvas.classList.add('drag');
    if (list.length >= 2) {
      const gap = Math.max(10, Math.abs(list[1].x - list[0].x));
      const perPixel = Math.abs(drag.anchors[1] - drag.anchors[0]) / gap;
      const t0 = (drag.anchors[0] + drag.anchors[1]) / 2 - ((list[0].x + list[1].x) / 2) * perPixel;
      setView(t0, t0 + view.width * perPixel);
    } else {
      const shift = dx / (view.width / (drag.t1 - drag.t0));
      view.scroll = drag.scroll - dy;
      setView(drag.t0 - shift, drag.t1 - shift);
    }
  });
  const release = (event) => {
    const p = local(event);
    const was = drag;
    fingers.delete(event.pointerId);
    canvas.classList.remove('drag');
    if (fingers.size) {
      begin();
      drag.moved = true;
      return;
    }
    drag = null;
    if (was && !was.moved && event.type === 'pointerup') select(nodeAt(p.x, p.y).n);
  };
  canvas.addEventListener('pointerup', release);
  canvas.addEventListener('pointercancel', release);
  canvas.addEventListener('pointerleave', () => {
    tip.hidden = true;
    if (view.hover >= 0) {
      view.hover = -1;
      redraw();
    }
  });
  canvas.addEventListener('dblclick', (event) => {
    const p = local(event);
    const { n } = nodeAt(p.x, p.y);
    if (n >= 0) zoomInto(n);
    else zoomBy(0.5);
  });
}

function listenWheel() {
  document.getElementById('wrap').addEventListener('wheel', (event) => {
    event.preventDefault();
    tip.hidden = true;
    const unit = event.deltaMode === 1 ? 16 : event.deltaMode === 2 ? view.height : 1;
    const dx = event.deltaX * unit;
    const dy = event.deltaY * unit;
    if (!event.ctrlKey && (event.shiftKey || Math.abs(dx) > Math.abs(dy))) {
      stopAnimation();
      const move = (dx || dy) / scaleX();
      setView(view.t0 + move, view.t1 + move);
      return;
    }
    const box = canvas.getBoundingClientRect();
    const steps = Math.max(-200, Math.min(200, dy));
    zoomAt(tOf(event.clientX - box.left), Math.exp(steps * (event.ctrlKey ? 0.01 : 0.0025)));
  }, { passive: false });
  document.getElementById('gutter').addEventListener('wheel', (event) => {
    view.scroll += event.deltaY;
    redraw();
  }, { passive: true });
}

function stepInLane(d) {
  const n = view.selected;
  const lane = n >= 0 ? laneOf(n) : lanes.find((l) => l.stratum === 0 && l.nodes.length);
  if (!lane) return;
  const i = n >= 0 ? lane.nodes.indexOf(n) + d : lowerBound(lane.reach, view.t0);
  if (i >= 0 && i < lane.nodes.length) select(lane.nodes[i], { reveal: true });
}

function stepUnusual(d) {
  const ordered = unusualMoments.slice().sort((a, b) => mem.start[a] - mem.start[b] || a - b);
  if (!ordered.length) return;
  const at = ordered.indexOf(view.selected);
  const mid = view.selected >= 0 ? mem.start[view.selected] : (view.t0 + view.t1) / 2;
  let i = at + d;
  if (at < 0) {
    const after = ordered.findIndex((n) => mem.start[n] > mid);
    i = d > 0 ? after : (after < 0 ? ordered.length : after) - 1;
  }
  if (i >= 0 && i < ordered.length) select(ordered[i], { reveal: true });
}

function selectParent() {
  const p = view.selected >= 0 ? mem.parent[view.selected] : -1;
  if (p >= 0) select(p, { reveal: true });
}

const KEYS = {
  ArrowLeft: () => panBy(-0.2),
  ArrowRight: () => panBy(0.2),
  ArrowUp: () => { view.scroll -= 40; redraw(); },
  ArrowDown: () => { view.scroll += 40; redraw(); },
  '+': () => zoomBy(0.5),
  '=': () => zoomBy(0.5),
  '-': () => zoomBy(2),
  0: () => glideTo(bounds.t0, bounds.t1),
  Home: () => glideTo(bounds.t0, bounds.t1),
  '[': () => stepInLane(-1),
  ']': () => stepInLane(1),
  n: () => stepUnusual(1),
  p: () => stepUnusual(-1),
  u: selectParent,
  '/': () => { searchBox.focus(); searchBox.select(); },
  '?': () => document.getElementById('help').showModal(),
};

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (document.getElementById('help').open) return;
  const typing = event.target === searchBox;
  if (event.key === 'Escape') {
    if (view.selected >= 0) select(-1);
    else if (searchBox.value) search('', true);
    else searchBox.blur();
    event.preventDefault();
    return;
  }
  if (typing) return;
  const onButton = event.target instanceof HTMLButtonElement;
  if (event.key === 'Enter' && !onButton) {
    if (view.selected >= 0) zoomInto(view.selected);
    return;
  }
  const act = KEYS[event.key];
  if (!act) return;
  event.preventDefault();
  act();
}

function listenSearch() {
  let wait = 0;
  searchBox.addEventListener('input', () => {
    clearTimeout(wait);
    wait = setTimeout(() => search(searchBox.value), mem.count > 20000 ? 120 : 0);
  });
  searchBox.addEventListener('keydown', (event) => {
    if (event.key !== 'Enter') return;
    clearTimeout(wait);
    search(searchBox.value);
    const first = panel.querySelector('.list button');
    if (first && view.hits) first.click();
  });
}
