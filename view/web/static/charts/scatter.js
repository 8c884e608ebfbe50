// A scatter of two dimensions: a dot for each run.

import { fill, h, svg } from "../lib/dom.js";
import { shortened } from "../lib/format.js";
import { scaleOf, textOf, valueOf } from "./dimensions.js";

const HEIGHT = 290;
const LEFT = 58;
const RIGHT = 16;
const TOP = 14;
const BOTTOM = 26;

export class Scatter {
  /** @param {{onHover: Function, onOpen: Function}} how */
  constructor(how) {
    this.how = how;
    this.dots = new Map();
    this.tip = h("div", { class: "tip num", hidden: true });
    this.box = h("div", {});
    this.element = h("div", { class: "drawing-box plot-frame" }, this.box, this.tip);
    this.resizing = new ResizeObserver(() => {
      if (this.element.clientWidth !== this.width) this.draw();
    });
    this.resizing.observe(this.element);
  }

  close() {
    this.resizing.disconnect();
  }

  /** @param {{x: object, y: object, xlog: boolean, ylog: boolean}} look dimensions and their scales */
  show(runs, look, colours, names) {
    Object.assign(this, { runs, look, colours, names });
    this.draw();
  }

  draw() {
    if (!this.runs || !this.look.x || !this.look.y) {
      fill(this.box);
      return;
    }
    this.width = this.element.clientWidth;
    const width = Math.max(280, this.width);
    const { x, y, xlog, ylog } = this.look;
    const [across, up] = [scaleOf(x, this.runs, xlog), scaleOf(y, this.runs, ylog)];
    const inset = 8;
    const left = (share) => LEFT + inset + share * (width - LEFT - RIGHT - 2 * inset);
    const top = (share) => HEIGHT - BOTTOM - inset - share * (HEIGHT - TOP - BOTTOM - 2 * inset);
    const drawing = svg("svg", {
      class: "drawing scatter",
      viewBox: `0 0 ${width} ${HEIGHT}`,
      role: "img",
      "aria-label": `${y.title} over ${x.title}, a dot for each of ${this.runs.length} runs`,
    });
    const room = Math.max(1, Math.floor((width - LEFT - RIGHT) / 64));
    const every = Math.ceil(across.ticks.length / room);
    across.ticks.forEach((tick, place) => {
      if (place % every) return;
      drawing.append(
        svg("line", { class: "grid-line", x1: left(tick.at), x2: left(tick.at), y1: TOP, y2: HEIGHT - BOTTOM }),
        svg("text", { x: left(tick.at), y: HEIGHT - 8, "text-anchor": "middle" }, shortened(tick.text, 14)),
      );
    });
    for (const tick of up.ticks) {
      drawing.append(
        svg("line", { class: "grid-line", x1: LEFT, x2: width - RIGHT, y1: top(tick.at), y2: top(tick.at) }),
        svg("text", { x: LEFT - 8, y: top(tick.at) + 3.5, "text-anchor": "end" }, shortened(tick.text, 14)),
      );
    }
    this.dots.clear();
    for (const run of this.runs) {
      const [a, b] = [across.at(valueOf(run, x.key)), up.at(valueOf(run, y.key))];
      if (a === null || b === null) continue;
      const dot = svg("circle", {
        class: "dot",
        cx: left(a).toFixed(1),
        cy: top(b).toFixed(1),
        r: this.runs.length > 200 ? 3.5 : 5,
        fill: this.colours.get(run.id),
      });
      dot.addEventListener("pointerenter", () => this.how.onHover(run.id));
      dot.addEventListener("pointerleave", () => this.how.onHover(null));
      dot.addEventListener("click", () => this.how.onOpen(run.id));
      this.dots.set(run.id, dot);
      drawing.append(dot);
    }
    fill(this.box, drawing);
    this.dimmed = null;
    this.dim();
  }

  /** Bring one run out; see `Parallel.dim`. */
  dim(id = null, kept = null) {
    if (kept !== this.dimmed) {
      this.dimmed = kept;
      for (const [one, dot] of this.dots) dot.classList.toggle("dim", Boolean(kept && !kept.has(one)));
    }
    this.bright?.classList.remove("bright");
    const dot = id !== null && this.dots.get(id);
    this.tip.hidden = !dot;
    this.bright = dot || null;
    if (!dot) return;
    dot.classList.add("bright");
    const run = this.runs.find((one) => one.id === id);
    const { x, y } = this.look;
    const value = (one) =>
      h("span", {}, h("span", { class: "muted" }, `${one.title}  `), textOf(one.key, valueOf(run, one.key)));
    this.tip.replaceChildren(
      h("span", { class: "tip-name" }, h("i", { style: { background: this.colours.get(id) } }), this.names.get(id)),
      value(x),
      value(y),
    );
    const scale = this.element.clientWidth / Math.max(280, this.width);
    const [at, flip] = [
      Number(dot.getAttribute("cx")) * scale,
      Number(dot.getAttribute("cx")) * scale > this.element.clientWidth - 190,
    ];
    this.tip.style.setProperty("left", flip ? "auto" : `${at + 14}px`);
    this.tip.style.setProperty("right", flip ? `${this.element.clientWidth - at + 14}px` : "auto");
    this.tip.style.setProperty("top", `${Math.max(4, Number(dot.getAttribute("cy")) * scale - 30)}px`);
  }
}
