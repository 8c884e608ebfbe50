// Series made ready for drawing: numbers out of what was sent, smoothed, and on one axis for all.

import { numeric } from "../lib/format.js";

const MOST_CELLS = 400_000;
const BUCKETS = 600;

/**
 * Return the points of a series as numbers.
 * @param {{steps: Array, values: Array, times: Array}} series as the server sends them
 * @param {"step"|"time"|"wall"} axis steps; seconds since the first point; seconds since 1970
 */
export function pointsOf(series, axis) {
  const xs = [];
  const ys = [];
  const start = series.times[0] ?? 0;
  let previous = -Infinity;
  let isSorted = true;
  series.values.forEach((value, place) => {
    const x =
      axis === "step"
        ? (series.steps[place] ?? place)
        : axis === "time"
          ? series.times[place] - start
          : series.times[place];
    const y = numeric(value);
    if (!Number.isFinite(x)) return;
    if (x < previous) isSorted = false;
    previous = x;
    xs.push(x);
    ys.push(Number.isFinite(y) ? y : null);
  });
  return isSorted ? [xs, ys] : sorted(xs, ys);
}

function sorted(xs, ys) {
  const order = xs.map((_, place) => place).sort((a, b) => xs[a] - xs[b]);
  return [order.map((place) => xs[place]), order.map((place) => ys[place])];
}

/** Return values smoothed by an exponential mean, without the pull towards zero of its first values; 0 is not at all. */
export function smoothed(values, weight) {
  if (!weight) return values;
  let mean = 0;
  let sum = 0;
  return values.map((value) => {
    if (value === null || value === undefined) return value;
    mean = weight * mean + (1 - weight) * value;
    sum = weight * sum + (1 - weight);
    return mean / sum;
  });
}

/** Return values without those that a logarithmic axis has no place for. */
export const positive = (values) => values.map((value) => (value > 0 ? value : value === undefined ? undefined : null));

/**
 * Return several lines on one axis: [xs, ys of the first, …]; undefined where a line has no point of its own.
 * When that would be too much, each line keeps the least and the greatest value of each of some hundred stretches.
 */
export function aligned(lines) {
  const all = new Set();
  for (const [xs] of lines) for (const x of xs) all.add(x);
  if (all.size * lines.length > MOST_CELLS) return bucketed(lines);
  const axis = [...all].sort((a, b) => a - b);
  const place = new Map(axis.map((x, index) => [x, index]));
  return [
    axis,
    ...lines.map(([xs, ys]) => {
      const column = new Array(axis.length);
      xs.forEach((x, index) => {
        column[place.get(x)] = ys[index];
      });
      return column;
    }),
  ];
}

function bucketed(lines) {
  let low = Infinity;
  let high = -Infinity;
  for (const [xs] of lines)
    if (xs.length) {
      low = Math.min(low, xs[0]);
      high = Math.max(high, xs.at(-1));
    }
  const width = (high - low) / BUCKETS || 1;
  const axis = Array.from({ length: 2 * BUCKETS + 2 }, (_, index) => low + (index * width) / 2);
  return [axis, ...lines.map((line) => extremes(line, low, width, axis.length))];
}

function extremes([xs, ys], low, width, length) {
  const column = new Array(length);
  let place = 0;
  while (place < xs.length) {
    const bucket = Math.floor((xs[place] - low) / width);
    let least = place;
    let most = place;
    for (; place < xs.length && Math.floor((xs[place] - low) / width) === bucket; place += 1) {
      if (ys[place] !== null && (ys[least] === null || ys[place] < ys[least])) least = place;
      if (ys[place] !== null && (ys[most] === null || ys[place] > ys[most])) most = place;
    }
    [column[2 * bucket], column[2 * bucket + 1]] = [ys[Math.min(least, most)], ys[Math.max(least, most)]];
  }
  return column;
}
