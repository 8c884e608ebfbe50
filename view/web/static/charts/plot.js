// Lines over steps or time, drawn by uPlot; the only file that knows it.

import uPlot from "../vendor/uplot/uPlot.esm.js";
import { h } from "../lib/dom.js";
import { duration, fullTime, number } from "../lib/format.js";
import { themed } from "./colours.js";
import { aligned, positive, smoothed } from "./series.js";

const NEAR = 24; // pixels from a line within which it is the one pointed at
const FAINT = 0.25;

/**
 * @typedef {{id: string, name: string, colour: string, points: Array, width?: number}} Line
 */
export class Plot {
  /** @param {{height: number, label: string, onHover?: Function, onOpen?: Function, zoomKey?: string}} how */
  constructor(how) {
    this.how = how;
    this.plot = null;
    this.tip = h("div", { class: "tip num", hidden: true });
    this.box = h("div", { class: "plot", role: "img", "aria-label": how.label });
    this.element = h("figure", { class: "plot-frame" }, this.box, this.tip);
    this.resizing = new ResizeObserver(() => this.resize());
    this.resizing.observe(this.element);
  }

  close() {
    this.resizing.disconnect();
    this.plot?.destroy();
    this.plot = null;
  }

  /**
   * Draw lines; what was zoomed into stays when only points came.
   * @param {Line[]} lines
   * @param {{axis: string, log: boolean, smooth: number, raw: boolean}} look
   */
  show(lines, look) {
    this.lines = lines;
    this.look = look;
    const data = this.data();
    const shape = JSON.stringify([
      lines.map(({ id, colour }) => [id, colour]),
      look.axis,
      look.log,
      Boolean(look.smooth),
      themed("--ink"),
    ]);
    if (this.plot && shape === this.shape) {
      const { min, max } = this.plot.scales.x;
      const zoomed = this.zoomed;
      this.plot.setData(data, !zoomed);
      if (zoomed) this.plot.setScale("x", { min, max });
    } else {
      this.shape = shape;
      this.make(data);
    }
    this.describe();
  }

  // A single line is drawn faint behind its smoothed self; of many, only the smoothed ones can be told apart.
  data() {
    const { smooth, log } = this.look;
    const ready = (values) => (log ? positive(values) : values);
    const lines = this.lines.map(({ points: [xs, ys] }) => [xs, ready(smoothed(ys, smooth))]);
    if (this.hasShadow()) lines.unshift([this.lines[0].points[0], ready(this.lines[0].points[1])]);
    return aligned(lines.length ? lines : [[[], []]]);
  }

  hasShadow() {
    return Boolean(this.look.smooth) && this.lines.length === 1;
  }

  make(data) {
    this.plot?.destroy();
    this.zoomed = false;
    const width = Math.max(120, this.element.clientWidth);
    this.plot = new uPlot(this.options(width), data, this.box);
    this.plot.over.addEventListener("click", () => {
      if (this.near && !this.dragged) this.how.onOpen?.(this.near.id);
    });
    this.plot.over.addEventListener("dblclick", () => {
      this.zoomed = false;
    });
  }

  options(width) {
    const axis = {
      stroke: themed("--muted"),
      font: `11px ${themed("--sans")}`,
      grid: { stroke: themed("--line"), width: 1 },
      ticks: { show: false },
    };
    return {
      width,
      height: this.how.height,
      padding: [10, 10, 0, 0],
      legend: { show: false },
      cursor: {
        focus: { prox: NEAR },
        points: { size: 6 },
        drag: { x: true, y: false },
        y: false,
        dataIdx: nearestPoint,
      },
      focus: { alpha: this.lines.length > 1 ? 0.22 : 1 },
      scales: { x: { time: false }, y: { distr: this.look.log ? 3 : 1, log: 10 } },
      axes: [
        { ...axis, size: 26, space: 70, values: (_, splits) => splits.map((one) => this.xText(one, splits)) },
        {
          ...axis,
          grid: { ...axis.grid, filter: (_, splits) => this.tens(splits) },
          size: 54,
          space: 34,
          values: (_, splits) => splits.map((one) => (one === null ? "" : number(one))),
        },
      ],
      series: [{}, ...this.seriesOptions()],
      hooks: {
        setCursor: [() => this.pointed()],
        setSeries: [(_, place) => this.focused(place)],
        setSelect: [
          () => {
            this.zoomed = true;
          },
        ],
      },
    };
  }

  // Over several powers of ten, lines between them would be a thicket.
  tens(splits) {
    const isTen = (value) => Math.abs(Math.log10(value) - Math.round(Math.log10(value))) < 1e-9;
    return this.look.log && splits.filter(isTen).length > 1
      ? splits.map((value) => (isTen(value) ? value : null))
      : splits;
  }

  seriesOptions() {
    const one = (line, stroke) => ({
      label: line.name,
      stroke,
      width: line.width ?? (this.lines.length > 40 ? 1.1 : 1.6),
      points: { show: line.points[0].length < 2 ? true : undefined, size: 4 },
      spanGaps: false,
    });
    const options = this.lines.map((line) => one(line, line.colour));
    if (this.hasShadow()) options.unshift({ ...one(this.lines[0], this.lines[0].colour), alpha: FAINT, width: 1 });
    if (!options.length) options.push({ show: false });
    return options;
  }

  xText(value, splits = []) {
    if (value === null || value === undefined) return "";
    if (this.look.axis === "step") return Math.abs(value) >= 10_000 ? `${number(value / 1000)}k` : number(value);
    if (this.look.axis === "time") return duration(value);
    const text = fullTime(value * 1000);
    return splits.length && splits.at(-1) - splits[0] > 86_400 ? text.slice(5, 10) : text.slice(11);
  }

  focused(place) {
    const line = place ? (this.lines[place - 1 - Number(this.hasShadow())] ?? this.lines[0]) : null;
    if (line === this.near) return;
    this.near = line;
    this.how.onHover?.(line?.id ?? null);
    this.pointed();
  }

  // What is near the pointer is told beside it.
  pointed() {
    const { plot } = this;
    const line = this.near ?? (this.lines.length === 1 ? this.lines[0] : null);
    const { left, idxs } = plot?.cursor ?? {};
    const place = line ? this.lines.indexOf(line) + 1 + Number(this.hasShadow()) : 0;
    const index = idxs?.[place];
    if (!line || index === null || index === undefined || left < 0) {
      this.tip.hidden = true;
      return;
    }
    const x = plot.data[0][index];
    this.tip.replaceChildren(
      ...(this.lines.length > 1
        ? [h("span", { class: "tip-name" }, h("i", { style: { background: line.colour } }), line.name)]
        : []),
      h(
        "span",
        {},
        h("strong", {}, number(plot.data[place][index])),
        h("span", { class: "muted" }, `  ${this.look.axis === "step" ? "step " : ""}${this.xText(x)}`),
      ),
    );
    this.tip.hidden = false;
    const right = plot.over.offsetLeft + left;
    const flip = right > this.element.clientWidth - 170;
    this.tip.style.setProperty("left", flip ? "auto" : `${right + 12}px`);
    this.tip.style.setProperty("right", flip ? `${this.element.clientWidth - right + 12}px` : "auto");
  }

  /** Bring one line out, because another part of the page points at its run; null for none. */
  highlight(id) {
    if (!this.plot || this.lines.length < 2) return;
    const place = this.lines.findIndex((line) => line.id === id);
    this.plot.setSeries(place < 0 ? null : place + 1, { focus: place >= 0 });
  }

  describe() {
    const points = this.lines.reduce((sum, line) => sum + line.points[0].length, 0);
    this.box.setAttribute(
      "aria-label",
      `${this.how.label}: ${this.lines.length} line${this.lines.length === 1 ? "" : "s"}, ${points} points`,
    );
  }

  resize() {
    const width = this.element.clientWidth;
    if (this.plot && width > 0 && Math.abs(width - this.plot.width) > 1)
      this.plot.setSize({ width, height: this.how.height });
  }
}

/** Return the place of the point of a line that is nearest to the pointer: lines on one axis do not all have a point everywhere. */
function nearestPoint(plot, line, hovered) {
  const values = plot.data[line];
  if (line === 0 || values[hovered] != null) return hovered;
  for (let away = 1; away < values.length; away += 1) {
    if (values[hovered - away] != null) return hovered - away;
    if (values[hovered + away] != null) return hovered + away;
  }
  return hovered;
}
