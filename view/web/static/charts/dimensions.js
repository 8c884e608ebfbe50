// What runs can be compared by: flags, scalars and a few attributes, each with a scale for drawing.

import { duration, flag, moment, number, numeric } from "../lib/format.js";

const ATTRIBUTES = {
  operation: "Operation",
  status: "Status",
  label: "Label",
  started: "Started",
  duration: "Duration",
};

/** Return the value of a run: `flag:NAME`, `scalar:NAME` or an attribute. */
export function valueOf(run, key) {
  if (key.startsWith("flag:")) return run.flags?.[key.slice(5)] ?? null;
  if (key.startsWith("scalar:")) return run.scalars?.[key.slice(7)] ?? null;
  if (key === "started") return run.started ? new Date(run.started).getTime() / 1000 : null;
  return run[key] ?? null;
}

/** Return a value as text. */
export function textOf(key, value) {
  if (value === null || value === undefined) return "";
  if (key === "duration") return duration(value);
  if (key === "started") return moment(value * 1000);
  return key.startsWith("scalar:") ? number(value) : flag(value);
}

const titleOf = (key) => ATTRIBUTES[key] ?? key.replace(/^(flag|scalar):/, "");

/**
 * Return what these runs can be compared by.
 * @returns {Array<{key: string, title: string, kind: "number"|"words", differs: boolean, variety: number, present: number, isWhole: boolean}>}
 */
export function dimensions(runs) {
  const keys = new Set(Object.keys(ATTRIBUTES));
  for (const kind of ["flag", "scalar"]) {
    const names = new Set();
    for (const run of runs) for (const name of Object.keys(run[`${kind}s`] ?? {})) names.add(name);
    for (const name of [...names].sort()) keys.add(`${kind}:${name}`);
  }
  return [...keys].map((key) => described(key, runs));
}

function described(key, runs) {
  const values = runs.map((run) => valueOf(run, key));
  const present = values.filter((value) => value !== null);
  const numbers = present.every((value) => typeof value === "number" || ["nan", "inf", "-inf"].includes(value));
  const different = new Set(values.map((value) => JSON.stringify(value)));
  return {
    key,
    title: titleOf(key),
    kind: present.length && numbers ? "number" : "words",
    differs: different.size > 1,
    variety: new Set(present.map((value) => JSON.stringify(value))).size,
    present: present.length,
    isWhole: present.every((value) => typeof value !== "number" || Number.isInteger(value)),
  };
}

/**
 * Return a scale for a dimension of runs.
 * @returns {{at: function(*): number|null, ticks: Array<{at: number, text: string}>, log: boolean}} `at` gives the share of
 *   the way, 0 to 1, null for what has no place
 */
export function scaleOf({ key, kind }, runs, log = false) {
  const values = runs.map((run) => valueOf(run, key)).filter((value) => value !== null);
  if (kind === "words") return wordScale(key, values);
  const numbers = values.map(numeric).filter((value) => Number.isFinite(value) && (!log || value > 0));
  let [low, high] = numbers.length ? [Math.min(...numbers), Math.max(...numbers)] : [0, 1];
  if (low === high)
    [low, high] = log ? [low / 2, high * 2] : [low - (Math.abs(low) || 1) / 2, high + (Math.abs(high) || 1) / 2];
  const turn = log ? Math.log10 : (value) => value;
  const [from, to] = [turn(low), turn(high)];
  const at = (value) => {
    const share = (turn(numeric(value)) - from) / (to - from);
    return Number.isFinite(share) ? Math.max(0, Math.min(1, share)) : null;
  };
  const places = own(numbers, at) ?? (log ? logTicks(low, high) : niceTicks(low, high));
  return { at, log, ticks: places.map((value) => ({ at: at(value), text: textOf(key, value) })) };
}

function wordScale(key, values) {
  const words = [...new Set(values.map((value) => textOf(key, value)))].sort((a, b) =>
    a.localeCompare(b, "en", { numeric: true }),
  );
  const place = new Map(words.map((word, index) => [word, words.length > 1 ? index / (words.length - 1) : 0.5]));
  const every = Math.ceil(words.length / 12);
  const at = (value) => (value === null ? null : (place.get(textOf(key, value)) ?? null));
  return {
    at,
    log: false,
    words,
    ticks: words.filter((_, index) => index % every === 0).map((text) => ({ at: place.get(text), text })),
  };
}

const FEW = 6;
const APART = 0.07; // of an axis, so that their texts do not touch

/** Return the values themselves when they are few and apart, such as those of a flag that was tried out; else null. */
function own(numbers, at) {
  const values = [...new Set(numbers)].sort((one, other) => one - other);
  const places = values.map(at);
  return values.length <= FEW &&
    values.length > 1 &&
    places.every((place, index) => !index || place - places[index - 1] >= APART)
    ? values
    : null;
}

/** Return round numbers between two others. */
function niceTicks(low, high, count = 5) {
  const raw = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((one) => one * power).find((one) => one >= raw) ?? raw;
  const ticks = [];
  for (let index = Math.ceil(low / step - 1e-9); index * step <= high + step * 1e-9 && ticks.length < 20; index += 1)
    ticks.push(Number((index * step).toPrecision(12)));
  return ticks;
}

function logTicks(low, high) {
  const ticks = [];
  const [from, to] = [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high))];
  const parts = to - from <= 2 ? [1, 2, 5] : [1];
  const every = Math.ceil((to - from) / 8) || 1;
  for (let power = from; power <= to; power += every)
    for (const part of parts) {
      const value = Number((part * 10 ** power).toPrecision(12));
      if (value >= low * 0.999 && value <= high * 1.001) ticks.push(value);
    }
  return ticks.length > 1 ? ticks : [low, high];
}

/** Whether a dimension is read better on a logarithmic scale: above zero, and over more than one power of ten. */
export function suitsLog({ key, kind }, runs) {
  if (kind !== "number" || key === "started") return false;
  const numbers = runs.map((run) => numeric(valueOf(run, key))).filter(Number.isFinite);
  return numbers.length > 2 && Math.min(...numbers) > 0 && Math.max(...numbers) / Math.min(...numbers) >= 20;
}
