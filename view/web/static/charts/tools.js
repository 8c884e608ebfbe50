// What can be set about charts of lines: the axis, its scale, and how much they are smoothed; kept for the next visit.

import { h } from "../lib/dom.js";
import { check, kept, segments } from "../lib/parts.js";

const STRONGEST = 0.99;
const AXES = [
  ["step", "Step"],
  ["time", "Time", "Since the first value"],
  ["wall", "Clock"],
];

/** Return how charts look: as the address says, else as they did last. */
export function lookOf(params = new URLSearchParams()) {
  const before = kept.get("charts", {}) ?? {};
  const axis = params.get("axis") ?? before.axis;
  const smooth = Number(params.get("smooth") ?? before.smooth ?? 0);
  return {
    axis: AXES.some(([name]) => name === axis) ? axis : "step",
    log: params.has("log") || (!params.size && before.log === true),
    smooth: smooth >= 0 && smooth <= STRONGEST ? smooth : 0,
  };
}

/** Return the controls; `onChange` is called after `look` was changed. */
export function chartTools(look, onChange, more = []) {
  const changed = () => {
    kept.set("charts", look);
    onChange();
  };
  const amount = h("output", { class: "num" }, look.smooth.toFixed(2));
  const slider = h("input", {
    type: "range",
    min: 0,
    max: STRONGEST,
    step: 0.01,
    value: look.smooth,
    "aria-label": "Smoothing",
    on: {
      input: () => {
        look.smooth = Number(slider.value);
        amount.textContent = look.smooth.toFixed(2);
        changed();
      },
    },
  });
  slider.value = look.smooth;
  return h(
    "div",
    { class: "chart-tools" },
    more,
    segments("Horizontal axis", AXES, look.axis, (axis) => {
      look.axis = axis;
      changed();
    }),
    check("Log scale", look.log, (log) => {
      look.log = log;
      changed();
    }),
    h("label", {}, "Smoothing", slider, amount),
  );
}
