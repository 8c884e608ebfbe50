// Parallel coordinates: an axis for each dimension, a line for each run; a stretch of an axis can be held to narrow down.

import { fill, h, svg } from "../lib/dom.js";
import { shortened } from "../lib/format.js";
import { scaleOf, suitsLog, valueOf } from "./dimensions.js";

const HEIGHT = 290;
const TOP = 34;
const BOTTOM = 18;
const SIDE = 56;
const MANY = 60; // lines, of which each is drawn fainter
const LEAST = 4; // pixels of a stretch; less is a click, which lets go

export class Parallel {
  /** @param {{onHover: Function, onOpen: Function, onBrush: Function}} how */
  constructor(how) {
    this.how = how;
    this.lines = new Map();
    this.element = h("div", { class: "drawing-box parallel" });
    this.resizing = new ResizeObserver(() => {
      if (this.element.clientWidth !== this.width) this.draw();
    });
    this.resizing.observe(this.element);
  }

  close() {
    this.resizing.disconnect();
  }

  /**
   * @param {Array} runs those that are drawn
   * @param {Array} axes dimensions
   * @param {Map<string, string>} colours by id
   * @param {Map<string, number[]>} brushes shares of axes that are held, by key
   */
  show(runs, axes, colours, brushes) {
    Object.assign(this, { runs, axes, colours, brushes });
    this.draw();
  }

  draw() {
    if (!this.runs) return;
    this.width = this.element.clientWidth;
    const width = Math.max(320, this.width);
    this.scales = this.axes.map((one) => scaleOf(one, this.runs, suitsLog(one, this.runs)));
    const gap = this.axes.length > 1 ? (width - 2 * SIDE) / (this.axes.length - 1) : 0;
    this.x = (place) => (this.axes.length > 1 ? SIDE + place * gap : width / 2);
    // The lines are a picture of their own, which fades as a whole when one of them is brought out above it.
    this.many = svg("svg", { class: "drawing lines", viewBox: `0 0 ${width} ${HEIGHT}`, "aria-hidden": "true" });
    this.bright = svg("path", { class: "bright", d: "" });
    const drawing = svg("svg", {
      class: "drawing axes",
      viewBox: `0 0 ${width} ${HEIGHT}`,
      role: "img",
      "aria-label": `Parallel coordinates of ${this.runs.length} runs over ${this.axes.map((one) => one.title).join(", ")}`,
    });
    this.lines.clear();
    for (const run of this.runs) {
      const path = svg("path", {
        class: this.runs.length > MANY ? "run-line many" : "run-line",
        d: this.path(run),
        stroke: this.colours.get(run.id),
      });
      this.lines.set(run.id, path);
      this.many.append(path);
    }
    this.places = new Map(this.runs.map((run) => [run.id, this.points(run)]));
    drawing.append(this.bright);
    this.axes.forEach((one, place) => drawing.append(this.axis(one, place)));
    drawing.addEventListener("pointermove", (event) => this.pointed(event, drawing));
    drawing.addEventListener("pointerleave", () => this.how.onHover(null));
    drawing.addEventListener("click", () => {
      if (this.near && !this.held) this.how.onOpen(this.near);
    });
    this.drawing = drawing;
    fill(this.element, this.many, drawing);
    this.dimmed = null;
  }

  y(share) {
    return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM);
  }

  points(run) {
    return this.axes.map((one, place) => {
      const share = this.scales[place].at(valueOf(run, one.key));
      return share === null ? null : [this.x(place), this.y(share)];
    });
  }

  // A run without a value on an axis has no line there, rather than one that lies.
  path(run) {
    let isDown = false;
    return this.points(run)
      .map((point) => {
        const command = point ? `${isDown ? "L" : "M"}${point[0].toFixed(1)} ${point[1].toFixed(1)}` : "";
        isDown = Boolean(point);
        return command;
      })
      .join("");
  }

  axis(one, place) {
    const x = this.x(place);
    const group = svg("g", { transform: `translate(${x} 0)` });
    group.append(svg("line", { class: "axis", y1: TOP, y2: HEIGHT - BOTTOM }));
    const title = svg(
      "text",
      { class: "name", y: 14, "text-anchor": "middle" },
      shortened(one.title, 16),
      svg("title", {}, one.key),
    );
    group.append(title);
    const isLast = place > 0 && place === this.axes.length - 1; // outside there are no lines to write over
    for (const tick of this.scales[place].ticks) {
      const y = this.y(tick.at);
      group.append(
        svg("line", { class: "axis", x1: -3, x2: 3, y1: y, y2: y }),
        svg(
          "text",
          { x: isLast ? 7 : -7, y: y + 3.5, "text-anchor": isLast ? "start" : "end" },
          shortened(tick.text, 16),
        ),
      );
    }
    const held = this.brushes.get(one.key);
    if (held)
      group.append(
        svg("rect", {
          class: "brush",
          x: -8,
          width: 16,
          y: this.y(held[1]),
          height: this.y(held[0]) - this.y(held[1]),
        }),
      );
    const handle = svg("rect", { class: "catch", x: -14, width: 28, y: TOP, height: HEIGHT - TOP - BOTTOM });
    handle.addEventListener("pointerdown", (event) => this.hold(event, one.key, handle));
    group.append(handle);
    return group;
  }

  hold(event, key, handle) {
    const share = (one) => {
      const box = this.drawing.getBoundingClientRect();
      const y = ((one.clientY - box.top) / box.height) * HEIGHT;
      return Math.max(0, Math.min(1, (HEIGHT - BOTTOM - y) / (HEIGHT - TOP - BOTTOM)));
    };
    const from = share(event);
    const shape = svg("rect", { class: "brush", x: -8, width: 16 });
    handle.before(shape);
    handle.setPointerCapture(event.pointerId);
    this.held = true;
    const stretch = (to) => [Math.min(from, to), Math.max(from, to)];
    handle.onpointermove = (one) => {
      const [low, high] = stretch(share(one));
      shape.setAttribute("y", this.y(high));
      shape.setAttribute("height", Math.max(0, this.y(low) - this.y(high)));
    };
    handle.onpointerup = (one) => {
      handle.onpointermove = null;
      handle.onpointerup = null;
      const [low, high] = stretch(share(one));
      setTimeout(() => {
        this.held = false;
      });
      this.how.onBrush(key, (high - low) * (HEIGHT - TOP - BOTTOM) < LEAST ? null : [low, high]);
    };
  }

  pointed(event, drawing) {
    const box = drawing.getBoundingClientRect();
    const scale = Math.max(320, this.width) / box.width;
    const [x, y] = [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
    let [best, least] = [null, 8];
    for (const run of this.runs) {
      const away = distance(this.places.get(run.id), x, y);
      if (away < least) [best, least] = [run.id, away];
    }
    if (best === this.near) return;
    this.near = best;
    this.how.onHover(best);
  }

  /** Bring one run out; null for none. `kept` are the ids that no brush leaves out. */
  dim(id, kept = null) {
    if (kept !== this.dimmed) {
      this.dimmed = kept;
      for (const [one, path] of this.lines) path.classList.toggle("dim", Boolean(kept && !kept.has(one)));
    }
    const line = id ? this.lines.get(id) : null;
    this.many.classList.toggle("faded", Boolean(line));
    this.bright.setAttribute("d", line?.getAttribute("d") ?? "");
    this.bright.setAttribute("stroke", line?.getAttribute("stroke") ?? "none");
  }

  /** Return the ids of the runs that lie in every held stretch. */
  within(runs, axes, brushes) {
    if (!brushes.size) return null;
    const kept = new Set(runs.map((run) => run.id));
    for (const one of axes) {
      const held = brushes.get(one.key);
      if (!held) continue;
      const scale = scaleOf(one, runs, suitsLog(one, runs));
      for (const run of runs) {
        const share = scale.at(valueOf(run, one.key));
        if (share === null || share < held[0] - 1e-6 || share > held[1] + 1e-6) kept.delete(run.id);
      }
    }
    return kept;
  }
}

function distance(points, x, y) {
  for (let place = 1; place < points.length; place += 1) {
    const [from, to] = [points[place - 1], points[place]];
    if (!from || !to || x < from[0] || x > to[0]) continue;
    const slope = (to[1] - from[1]) / (to[0] - from[0]);
    return Math.abs(y - (from[1] + slope * (x - from[0]))) / Math.hypot(1, slope);
  }
  return Infinity;
}
