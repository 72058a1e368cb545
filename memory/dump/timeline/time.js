// SPDX-License-Identifier: Apache-2.0
/* Times in the local zone of who looks, and the ticks of the axis. Days may have 23 or 25 hours. */
const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

const two = (v) => String(v).padStart(2, '0');
const three = (v) => String(v).padStart(3, '0');

function dayText(ms, year) {
  const d = new Date(ms);
  const date = `${DAYS[d.getDay()]} ${d.getDate()} ${MONTHS[d.getMonth()]}`;
  return year ? `${date} ${d.getFullYear()}` : date;
}

/* `span`: how long what is described lasts; short things need seconds, or milliseconds if any. */
function clockText(ms, span) {
  const d = new Date(ms);
  let s = `${two(d.getHours())}:${two(d.getMinutes())}`;
  if (span < 12 * HOUR) s += `:${two(d.getSeconds())}`;
  if (span < 10 * SECOND && (span > 0 || ms % SECOND)) s += `.${three(d.getMilliseconds())}`;
  return s;
}

const sameDay = (a, b) => new Date(a).toDateString() === new Date(b).toDateString();

function spanText(a, b) {
  const span = b - a;
  if (sameDay(a, b)) {
    const from = clockText(a, span);
    return span < 1 ? `${dayText(a)} ${from}` : `${dayText(a)} ${from} – ${clockText(b, span)}`;
  }
  if (span > 4 * DAY) {
    const years = new Date(a).getFullYear() !== new Date(b).getFullYear();
    return `${dayText(a, years)} – ${dayText(b, true)}`;
  }
  return `${dayText(a)} ${clockText(a, DAY)} – ${dayText(b)} ${clockText(b, DAY)}`;
}

function durationText(ms) {
  const parts = [[365 * DAY, 'y'], [DAY, 'd'], [HOUR, 'h'], [MINUTE, 'min'], [SECOND, 's']];
  for (let i = 0; i < parts.length; i++) {
    const [size, unit] = parts[i];
    if (ms < size) continue;
    const whole = Math.floor(ms / size);
    const next = parts[i + 1];
    const rest = next ? Math.floor((ms - whole * size) / next[0]) : 0;
    if (!next) return `${(ms / SECOND).toFixed(ms < 10 * SECOND ? 1 : 0)} s`;
    return rest && whole < 20 ? `${whole} ${unit} ${rest} ${next[1]}` : `${whole} ${unit}`;
  }
  return `${Math.round(ms)} ms`;
}

const zoneText = (ms) => {
  const m = -new Date(ms).getTimezoneOffset();
  const name = Intl.DateTimeFormat().resolvedOptions().timeZone || '';
  const away = Math.abs(m);
  const minutes = away % 60 ? `:${two(away % 60)}` : '';
  const offset = away ? `UTC${m < 0 ? '−' : '+'}${Math.floor(away / 60)}${minutes}` : 'UTC';
  return name && name !== 'UTC' ? `${name.split('/').pop().replace(/_/g, ' ')}, ${offset}` : offset;
};

function countText(n, one, many) {
  return `${n.toLocaleString('en')} ${n === 1 ? one : many || `${one}s`}`;
}

/* Steps of the axis: size in ms, how to find the first one at or before t, and how to go on. */
const fixed = (size) => ({
  size, floor: (t) => Math.floor(t / size) * size, next: (t) => t + size,
});

function civil(size, floorDate, nextDate) {
  return {
    size,
    floor: (t) => floorDate(new Date(t)).getTime(),
    next: (t) => {
      const n = nextDate(new Date(t)).getTime();
      return n > t ? n : t + size; // an hour that DST skips or repeats
    },
  };
}
const atHour = (d, h) => new Date(d.getFullYear(), d.getMonth(), d.getDate(), h);
const hours = (n) => civil(n * HOUR,
  (d) => atHour(d, Math.floor(d.getHours() / n) * n),
  (d) => atHour(d, (Math.floor(d.getHours() / n) + 1) * n));
const days = (n) => civil(n * DAY,
  (d) => new Date(d.getFullYear(), d.getMonth(), 1 + Math.floor((d.getDate() - 1) / n) * n),
  (d) => {
    const next = new Date(d.getFullYear(), d.getMonth(), d.getDate() + n);
    const over = next.getMonth() !== d.getMonth() || next.getDate() === 31;
    return over ? new Date(d.getFullYear(), d.getMonth() + 1, 1) : next;
  });
const dayStep = civil(DAY,
  (d) => new Date(d.getFullYear(), d.getMonth(), d.getDate()),
  (d) => new Date(d.getFullYear(), d.getMonth(), d.getDate() + 1));
const months = (n) => civil(n * 30 * DAY,
  (d) => new Date(d.getFullYear(), Math.floor(d.getMonth() / n) * n, 1),
  (d) => new Date(d.getFullYear(), d.getMonth() + n, 1));
const years = (n) => civil(n * 365 * DAY,
  (d) => new Date(Math.floor(d.getFullYear() / n) * n, 0, 1),
  (d) => new Date(d.getFullYear() + n, 0, 1));

const STEPS = [
  ...[1, 2, 5, 10, 20, 50, 100, 200, 500].map((n) => fixed(n)),
  ...[1, 2, 5, 10, 15, 30].map((n) => fixed(n * SECOND)),
  ...[1, 2, 5, 10, 15, 30].map((n) => fixed(n * MINUTE)),
  ...[1, 2, 3, 6, 12].map(hours),
  dayStep, days(2), days(7), months(1), months(3),
  ...[1, 2, 5, 10, 20].map(years),
];

function tickText(t, size) {
  const d = new Date(t);
  if (size < SECOND) return `:${two(d.getSeconds())}.${three(d.getMilliseconds())}`;
  if (size < MINUTE) return `${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`;
  if (size < DAY) return `${two(d.getHours())}:${two(d.getMinutes())}`;
  if (size === DAY) return `${DAYS[d.getDay()]} ${d.getDate()}`;
  if (size < 28 * DAY) return String(d.getDate());
  if (size < 360 * DAY) return MONTHS[d.getMonth()];
  return String(d.getFullYear());
}

/* Small ticks with their labels, and the larger unit above them. */
function axisTicks(t0, t1, width) {
  const wanted = ((t1 - t0) / width) * 72;
  const step = STEPS.find((s) => s.size >= wanted) || STEPS[STEPS.length - 1];
  const upper = step.size < DAY ? dayStep : step.size < 28 * DAY ? months(1) : years(1);
  const walk = (s, label) => {
    const list = [];
    for (let t = s.floor(t0), guard = 0; t < t1 && guard < 400; t = s.next(t), guard++) {
      list.push({ t, label: label(t) });
    }
    return list;
  };
  const upperLabel = (t) => {
    const d = new Date(t);
    if (upper === dayStep) return dayText(t, true);
    const year = String(d.getFullYear());
    return upper.size < 300 * DAY ? `${MONTHS[d.getMonth()]} ${year}` : year;
  };
  return {
    step: step.size,
    ticks: walk(step, (t) => tickText(t, step.size)).filter((x) => x.t >= t0),
    upper: step.size >= 360 * DAY ? [] : walk(upper, upperLabel),
  };
}

/* 22:00 to 06:00 local, as far as it lies in t0..t1; empty where nights would be hairlines. */
function nights(t0, t1) {
  const list = [];
  if (t1 - t0 > 45 * DAY) return list;
  const d = new Date(t0 - DAY);
  for (let day = 0; day < 50; day++) {
    const from = new Date(d.getFullYear(), d.getMonth(), d.getDate() + day, 22).getTime();
    const to = new Date(d.getFullYear(), d.getMonth(), d.getDate() + day + 1, 6).getTime();
    if (from >= t1) break;
    if (to > t0) list.push([Math.max(from, t0), Math.min(to, t1)]);
  }
  return list;
}
