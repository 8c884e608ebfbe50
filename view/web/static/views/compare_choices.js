// What the compare page draws when the address does not say: colours, axes, and the two sides of the scatter.

import { colourOf, shade } from "../charts/colours.js";
import { scaleOf, suitsLog, valueOf } from "../charts/dimensions.js";

const MOST_AXES = 8;
const MOST_SCALARS = 3;
const NOTHING = "color-mix(in srgb, gray 60%, transparent)";

/** Whether a flag only makes runs differ: it explains nothing, so nothing is drawn over it unasked. */
const isSeed = (one) => /(^|[-_. ])seed$|random.?state/i.test(one.title);

/** Whether a dimension is worth an axis; steps are what scalars are drawn over. */
export const isDrawable = (one) => one.present > 0 && one.key !== "scalar:step";

/** Return the colour of each run by its id: one for each, or by its value in the dimension `key`. */
export function coloured(runs, dims, key) {
  const by = dims.find((one) => one.key === key);
  if (!by) return new Map(runs.map((run, place) => [run.id, colourOf(place)]));
  const scale = scaleOf(by, runs, suitsLog(by, runs));
  return new Map(
    runs.map((run) => {
      const value = valueOf(run, by.key);
      const share = scale.at(value);
      if (share === null) return [run.id, NOTHING];
      return [
        run.id,
        scale.words && scale.words.length <= 10
          ? colourOf(Math.max(0, scale.words.indexOf(String(value))))
          : shade(share),
      ];
    }),
  );
}

/** Return the dimensions of the parallel coordinates: those of the address, else flags that vary, then scalars. */
export function chosenAxes(dims, wanted, runs) {
  if (wanted.length) return wanted.map((key) => dims.find((one) => one.key === key)).filter(Boolean);
  const varied = (prefix) =>
    dims.filter(
      (one) =>
        one.key.startsWith(prefix) && isDrawable(one) && !isSeed(one) && one.variety > 1 && one.present >= runs / 3,
    );
  const scalars = varied("scalar:").slice(0, MOST_SCALARS);
  return [...varied("flag:").slice(0, MOST_AXES - scalars.length), ...scalars];
}

/** Return what the scatter shows: dimensions `x` and `y`, and whether their scales are logarithmic. */
export function scatterLook(dims, params, runs) {
  const usable = dims.filter(isDrawable);
  const find = (name, other) => usable.find((one) => one.key === params.get(name)) ?? other;
  const scalars = usable.filter((one) => one.key.startsWith("scalar:"));
  const flags = usable
    .filter((one) => one.key.startsWith("flag:") && one.kind === "number" && !isSeed(one))
    .sort((one, other) => other.variety - one.variety);
  const attribute = (key) => usable.find((one) => one.key === key);
  const y = find("y", scalars.find((one) => one.differs) ?? scalars[0] ?? attribute("duration"));
  const x = find("x", flags[0] ?? attribute("started"));
  return {
    x,
    y,
    xlog: isLog(params.get("xlog"), x, suitsLog(x ?? {}, runs)),
    ylog: isLog(params.get("ylog"), y, false),
  };
}

const isLog = (told, dim, usual) => dim?.kind === "number" && (told === null ? usual : told === "1");

/** Return what a run is called beside its line. */
export function nameOf(run) {
  return [run.short_id ?? run.id.slice(0, 8), run.label || run.operation].join("  ");
}

/** Return the key and the stretch of an axis that the address says is held; null when it is none. */
export function parsedBrush(text) {
  const [low, high, ...key] = text.split("~");
  const stretch = [Number(low), Number(high)];
  return key.length && stretch.every((one) => one >= 0 && one <= 1) ? [key.join("~"), stretch] : null;
}
