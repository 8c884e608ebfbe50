// The charts of one run's scalars, each small, drawn as the values come.

import { get } from "../lib/api.js";
import { colourOf } from "../charts/colours.js";
import { Plot } from "../charts/plot.js";
import { pointsOf } from "../charts/series.js";
import { chartTools, lookOf } from "../charts/tools.js";
import { fill, h, throttle } from "../lib/dom.js";

const REFRESH = 700;
const POINTS = 1000;
const FIRST_SHOWN = 24;
const MOST_KEYS = 50; // in one question

export class Charts {
  constructor(id) {
    this.id = id;
    this.plots = new Map();
    this.look = lookOf();
    this.most = FIRST_SHOWN;
    this.grid = h("div", { class: "chart-grid" });
    this.more = h("button", {
      type: "button",
      hidden: true,
      on: {
        click: () => {
          this.most = Infinity;
          this.redraw();
        },
      },
    });
    this.tools = chartTools(this.look, () => this.redraw());
    this.element = h(
      "section",
      { class: "charts", "aria-label": "Charts", hidden: true },
      this.tools,
      this.grid,
      this.more,
    );
    this.soon = throttle(() => this.load(), REFRESH);
  }

  close() {
    this.closed = true;
    this.soon.cancel();
    for (const { plot } of this.plots.values()) plot.close();
  }

  update(run) {
    this.id = run.id;
    this.known = Object.keys(run.scalars ?? {})
      .filter((key) => key !== "step")
      .sort()
      .slice(0, MOST_KEYS);
    this.soon();
  }

  async load() {
    if (document.hidden || !this.known?.length) return; // the first summary of a run that goes on is told soon
    try {
      const { series } = await get("series", { ids: this.id, key: this.known, points: POINTS });
      if (this.closed) return;
      this.series = series
        .filter((one) => one.values.length && one.key !== "step")
        .sort((a, b) => a.key.localeCompare(b.key));
      this.redraw();
    } catch (error) {
      if (!this.plots.size && !this.closed) {
        this.element.hidden = false;
        fill(this.grid, h("p", { class: "muted" }, `The charts could not be drawn: ${error.message}`));
      }
    }
  }

  redraw() {
    const shown = (this.series ?? []).slice(0, this.most);
    this.element.hidden = !shown.length;
    const keys = new Set(shown.map(({ key }) => key));
    for (const [key, { box, plot }] of this.plots) {
      if (!keys.has(key)) {
        plot.close();
        box.remove();
        this.plots.delete(key);
      }
    }
    for (const series of shown) this.draw(series);
    const rest = (this.series?.length ?? 0) - shown.length;
    this.more.hidden = rest <= 0;
    this.more.textContent = `Show ${rest} more`;
  }

  draw(series) {
    let one = this.plots.get(series.key);
    if (!one) {
      const plot = new Plot({ height: 190, label: series.key });
      one = { plot, box: h("div", { class: "panel chart" }, h("h2", {}, series.key), plot.element) };
      this.plots.set(series.key, one);
      this.grid.append(one.box);
    }
    const points = pointsOf(series, this.look.axis);
    const lost = points[1].filter((value) => value === null).length;
    fill(one.box.firstChild, series.key, lost > 0 && h("span", { class: "muted small" }, `  ${lost} not finite`));
    one.plot.show([{ id: this.id, name: series.key, colour: colourOf(0), points }], this.look);
  }
}
