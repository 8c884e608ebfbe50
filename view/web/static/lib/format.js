// Values as people read them: numbers of one width, times near and far, durations, sizes.

/** Return a number (or the strings that stand for NaN and the infinities) with at most five digits that matter. */
export function number(value) {
  if (typeof value === "string") return { nan: "nan", inf: "inf", "-inf": "−inf" }[value] ?? value;
  if (value === null || value === undefined) return "";
  if (!Number.isFinite(value)) return String(value);
  if (Number.isInteger(value) && Math.abs(value) < 1e9) return minus(value.toLocaleString("en").replaceAll(",", " "));
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e6)) return minus(value.toExponential(2).replace("e+", "e"));
  return minus(Number(value.toPrecision(5)).toString());
}

/** Return a number for a column of numbers that are not all whole: as many decimals for each, so that they can be compared. */
export function aligned(value) {
  if (typeof value !== "number" || !Number.isFinite(value)) return number(value);
  const size = Math.abs(value);
  return size !== 0 && (size < 1e-3 || size >= 1e5) ? number(value) : minus(value.toFixed(4));
}

const minus = (text) => text.replace(/^-/, "−").replace("e-", "e−");

/** Return a value of a flag. */
export function flag(value) {
  if (value === null || value === undefined) return "";
  if (typeof value === "number") return number(value);
  if (typeof value === "boolean") return value ? "yes" : "no";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** Return the number that a scalar or flag has for drawing; NaN when it is none. */
export function numeric(value) {
  if (typeof value === "number") return value;
  if (value === "inf") return Infinity;
  if (value === "-inf") return -Infinity;
  return typeof value === "boolean" ? Number(value) : NaN;
}

const two = (value) => String(value).padStart(2, "0");

/** Return a time near to now as time of day, an older one with its date; ISO text in, local time out. */
export function moment(text, now = new Date()) {
  if (!text) return "";
  const then = new Date(text);
  const clock = `${two(then.getHours())}:${two(then.getMinutes())}`;
  if (then.toDateString() === now.toDateString()) return `today ${clock}`;
  const day = `${then.getFullYear()}-${two(then.getMonth() + 1)}-${two(then.getDate())}`;
  return `${day} ${clock}`;
}

/** Return a time in full, to the second. */
export function fullTime(text) {
  if (!text) return "";
  const then = new Date(text);
  return `${then.getFullYear()}-${two(then.getMonth() + 1)}-${two(then.getDate())} ${two(then.getHours())}:${two(then.getMinutes())}:${two(then.getSeconds())}`;
}

/** Return seconds as `12.3 s`, `4:05`, `3:04:05` or `2 d 03:04`. */
export function duration(seconds) {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return "";
  if (seconds < 0) return minus(`-${duration(-seconds)}`);
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  const whole = Math.round(seconds);
  const minutes = Math.floor(whole / 60) % 60;
  const hours = Math.floor(whole / 3600);
  if (hours < 1) return `${minutes}:${two(whole % 60)}`;
  if (hours < 24) return `${hours}:${two(minutes)}:${two(whole % 60)}`;
  return `${Math.floor(hours / 24)} d ${two(hours % 24)}:${two(minutes)}`;
}

/** Return how long a run took, or has taken so far. */
export function runDuration(run, now = Date.now()) {
  if (run.status === "running" && run.started) return duration(Math.max(0, (now - new Date(run.started)) / 1000));
  return duration(run.duration);
}

/** Return a size in bytes. */
export function bytes(size) {
  if (size === null || size === undefined) return "";
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let value = size;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit && value < 10 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

/** Return `1 run`, `3 runs`, `100 000 runs`. */
export function counted(count, one, many = `${one}s`) {
  return `${number(count)} ${count === 1 ? one : many}`;
}

/** Return a text cut to at most so many characters. */
export const shortened = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);
