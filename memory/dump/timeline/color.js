// SPDX-License-Identifier: Apache-2.0
/*
 * Surprise as colour: evenly stepped in OKLCH, lightness running one way only, so that it reads the
 * same in grey and for colour-blind eyes. Light pages go from sand to dark plum, dark ones from
 * brown-grey to pale yellow: the usual recedes into the ground.
 */
const RAMP_SIZE = 96;
const RAMP_STOPS = {
  light: [
    [0.9, 0.022, 85], [0.84, 0.085, 82], [0.73, 0.14, 62],
    [0.58, 0.175, 36], [0.45, 0.165, 18], [0.31, 0.12, 2],
  ],
  dark: [
    [0.31, 0.02, 75], [0.41, 0.065, 45], [0.53, 0.13, 36],
    [0.67, 0.16, 50], [0.82, 0.15, 80], [0.95, 0.09, 100],
  ],
};

function oklchToRgb([l, c, h]) {
  const a = c * Math.cos(h * Math.PI / 180);
  const b = c * Math.sin(h * Math.PI / 180);
  const x = (l + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const y = (l - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const z = (l - 0.0894841775 * a - 1.291485548 * b) ** 3;
  const linear = [
    4.0767416621 * x - 3.3077115913 * y + 0.2309699292 * z,
    -1.2684380046 * x + 2.6097574011 * y - 0.3413193965 * z,
    -0.0041960863 * x - 0.7034186147 * y + 1.707614701 * z,
  ];
  return linear.map((v) => {
    const s = v <= 0.0031308 ? 12.92 * v : 1.055 * v ** (1 / 2.4) - 0.055;
    return Math.round(255 * Math.min(1, Math.max(0, s)));
  });
}

function makeRamp(stops) {
  const colors = [];
  const onTop = [];
  for (let i = 0; i < RAMP_SIZE; i++) {
    const at = (i / (RAMP_SIZE - 1)) * (stops.length - 1);
    const k = Math.min(stops.length - 2, Math.floor(at));
    const mix = stops[k].map((v, j) => v + (stops[k + 1][j] - v) * (at - k));
    colors.push(`rgb(${oklchToRgb(mix).join(' ')})`);
    onTop.push(mix[0] > 0.62 ? '#1d1812' : '#fffaf0');
  }
  return { colors, onTop };
}

/*
 * How hot a span is. From 0.5 on it is the calibrated score of the worst alert in it, fading a little
 * with each stratum. Without an alert it is below: its surprise beyond what its number of records
 * explains, for of a thousand records one is always a one-in-a-thousand; so a quiet day is as pale as
 * a quiet moment. file_heat() in memory/dump/file.c is the same.
 */
const HEAT_FULL_BITS = 16;
const HEAT_FADE = 0.85;
const heat = Uint8Array.from(mem.bits, (bits, n) => {
  const beyond = (bits - Math.log2(Math.max(1, mem.records[n]))) / HEAT_FULL_BITS;
  const quiet = Math.max(0, Math.min(0.49, beyond));
  const hot = Math.min(1, mem.score[n] * HEAT_FADE ** mem.stratum[n]);
  return Math.round(Math.max(quiet, hot) * (RAMP_SIZE - 1));
});

const theme = { dark: false, ramp: null, css: {} };

function readTheme() {
  theme.dark = matchMedia('(prefers-color-scheme: dark)').matches;
  theme.ramp = makeRamp(theme.dark ? RAMP_STOPS.dark : RAMP_STOPS.light);
  const style = getComputedStyle(document.documentElement);
  const names = ['surface', 'ink', 'soft', 'faint', 'line', 'hair', 'accent', 'mark', 'sans'];
  for (const name of names) {
    theme.css[name] = style.getPropertyValue(`--${name}`).trim();
  }
}

const heatColor = (n) => theme.ramp.colors[heat[n]];

/* "1 in 4 million" for 22 bits. */
function oddsText(bits) {
  if (!(bits >= 1)) return 'expected';
  if (bits > 40) return 'beyond 1 in a trillion';
  const odds = 2 ** bits;
  const units = [[1e12, ' trillion'], [1e9, ' billion'], [1e6, ' million'], [1e3, ',000']];
  for (const [size, word] of units) {
    if (odds >= size) return `1 in ${Math.round(odds / size)}${word}`;
  }
  return `1 in ${Math.round(odds)}`;
}
