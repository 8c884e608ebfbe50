// Lines over steps or time, drawn by uPlot; the only file that knows it.

import uPlot from "../vendor/uplot/uPlot.esm.js";
import { h } from "../lib/dom.js";
import { duration, fullTime, number } from "../lib/format.js";
import { themed } from "./colours.js";
import { aligned, positive, smoothed } from "./series.js";

const NEAR = 24; // pixels from a line within which it is the one pointed at
const FAINT = 0.25;
const VEIL = 0.8; // of the panel's colour, over the lines that are not pointed at
const MANY = 40; // lines, of which each is drawn finer

/**
 * @typedef {{id: string, name: string, colour: string, points: Array}} Line
 */
export class Plot {
  /** @param {{height: number, label: string, onHover?: Function, onOpen?: Function}} how */
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
   * @param {{axis: string, log: boolean, smooth: number}} look
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
    this.near = null;
    const width = Math.max(120, this.element.clientWidth);
    this.plot = new uPlot(this.options(width), data, this.box);
    this.above = h("canvas", { class: "above" });
    this.plot.ctx.canvas.after(this.above);
    let pressed = 0;
    this.plot.over.addEventListener("pointerdown", (event) => {
      pressed = event.clientX;
    });
    this.plot.over.addEventListener("click", (event) => {
      const isDrag = Math.abs(event.clientX - pressed) > 3; // which zooms
      if (this.near && !isDrag) this.how.onOpen?.(this.near.id);
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
        points: { size: 6, show: this.lines.length <= 12 },
        drag: { x: true, y: false },
        y: false,
        dataIdx: nearestPoint,
      },
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
        draw: [() => this.bright && this.highlight(this.bright)],
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
      width: this.lines.length > MANY ? 1.1 : 1.6,
      alpha: this.lines.length > MANY ? 0.7 : 1,
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

  /** Return the line that is nearest to the pointer; null when none is near. */
  nearest() {
    const { left, top, idxs } = this.plot.cursor;
    let [found, least] = [null, NEAR];
    if (left < 0) return null;
    this.lines.forEach((line, index) => {
      const place = index + 1 + Number(this.hasShadow());
      const value = this.plot.data[place][idxs[place]];
      const away = value === null || value === undefined ? Infinity : Math.abs(this.plot.valToPos(value, "y") - top);
      if (away < least) [found, least] = [line, away];
    });
    return found;
  }

  // What is near the pointer is told beside it.
  pointed() {
    const { plot } = this;
    if (!plot) return;
    const near = this.lines.length > 1 ? this.nearest() : null;
    if (near !== this.near) {
      this.near = near;
      this.how.onHover?.(near?.id ?? null);
    }
    const line = near ?? (this.lines.length === 1 ? this.lines[0] : null);
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

  /**
   * Bring one line out, because this or another part of the page points at its run; null for none. It is drawn above the
   * others, over a veil: to draw hundreds of lines again for each movement of the pointer would take too long.
   */
  highlight(id) {
    this.bright = id;
    if (!this.plot) return;
    const { canvas } = this.plot.ctx;
    const line = this.lines.length > 1 ? this.lines.findIndex((one) => one.id === id) : -1;
    this.above.hidden = line < 0;
    if (line < 0) return;
    Object.assign(this.above, { width: canvas.width, height: canvas.height });
    const context = this.above.getContext("2d");
    const { left, top, width, height } = this.plot.bbox;
    context.beginPath();
    context.rect(left - 1, top, width + 3, height);
    context.clip();
    context.globalAlpha = VEIL;
    context.fillStyle = themed("--panel");
    context.fillRect(left - 1, top, width + 3, height);
    context.globalAlpha = 1;
    context.strokeStyle = this.lines[line].colour;
    context.lineWidth = 2.4 * devicePixelRatio;
    context.lineJoin = "round";
    context.beginPath();
    let isDown = false;
    this.plot.data[line + 1].forEach((value, index) => {
      if (value === undefined) return;
      if (value !== null) {
        const [x, y] = [this.plot.valToPos(this.plot.data[0][index], "x", true), this.plot.valToPos(value, "y", true)];
        if (isDown) context.lineTo(x, y);
        else context.moveTo(x, y);
      }
      isDown = value !== null;
    });
    context.stroke();
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
