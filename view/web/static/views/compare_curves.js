// Charts of chosen scalars over the runs that are compared.

import { get } from "../lib/api.js";
import { Plot } from "../charts/plot.js";
import { pointsOf } from "../charts/series.js";
import { chartTools, lookOf } from "../charts/tools.js";
import { h } from "../lib/dom.js";
import { menu, check } from "../lib/parts.js";

const AT_ONCE = 40; // runs in one question
const POINTS = 400;
const FIRST_SHOWN = 2;

export class Curves {
  /** @param {{params: Function, set: Function, onHover: Function, onOpen: Function}} how */
  constructor(how) {
    this.how = how;
    this.plots = new Map();
    this.cache = new Map(); // "id key" -> {stamp, series}
    this.look = lookOf(how.params());
    this.choose = menu("Scalars", () => this.sheet(), { cls: "plain" });
    this.tools = chartTools(
      this.look,
      () => {
        this.keepLook();
        this.draw();
      },
      [this.choose],
    );
    this.grid = h("div", { class: "chart-grid wide" });
    this.element = h("section", { class: "charts", "aria-label": "Curves", hidden: true }, this.tools, this.grid);
  }

  close() {
    this.closed = true;
    for (const { plot } of this.plots.values()) plot.close();
  }

  keepLook() {
    clearTimeout(this.keeping); // a slider that is moved does not fill the history
    const { axis, log, smooth } = this.look;
    this.keeping = setTimeout(
      () =>
        this.how.set(
          { axis: axis === "step" ? "" : axis, log, smooth: smooth ? String(smooth) : "" },
          { replace: true },
        ),
      300,
    );
  }

  show(runs, dims, colours, names) {
    Object.assign(this, { runs, colours, names });
    this.known = dims
      .filter((one) => one.key.startsWith("scalar:") && one.present && one.key !== "scalar:step")
      .map((one) => ({ key: one.key.slice(7), present: one.present }));
    this.element.hidden = !this.known.length;
    const wanted = this.how.params().getAll("key");
    const usual = [...this.known]
      .sort((a, b) => rank(b, runs.length) - rank(a, runs.length))
      .slice(0, FIRST_SHOWN)
      .map(({ key }) => key);
    this.keys = wanted.length ? wanted : usual;
    this.draw();
    this.load();
  }

  sheet() {
    const chosen = new Set(this.keys);
    return this.known.map(({ key }) =>
      check(
        key,
        chosen.has(key),
        (on) => {
          if (on) chosen.add(key);
          else chosen.delete(key);
          this.how.set({ key: [...chosen] });
        },
        { name: key },
      ),
    );
  }

  // A series is asked for again only when its run has gone on since.
  async load() {
    const turn = (this.turn = (this.turn ?? 0) + 1);
    const stamp = (run) =>
      run.status === "running"
        ? `${JSON.stringify(run.scalars)}${Math.floor(Date.now() / 2000)}`
        : (run.stopped ?? run.status);
    const old = this.runs.filter((run) =>
      this.keys.some((key) => this.cache.get(`${run.id} ${key}`)?.stamp !== stamp(run)),
    );
    for (let from = 0; from < old.length; from += AT_ONCE) {
      const some = old.slice(from, from + AT_ONCE);
      try {
        const { series } = await get("series", {
          ids: some.map((run) => run.id).join(","),
          key: this.keys,
          points: POINTS,
        });
        if (this.closed) return;
        for (const run of some)
          for (const key of this.keys) this.cache.set(`${run.id} ${key}`, { stamp: stamp(run), series: null });
        for (const one of series) this.cache.get(`${one.id} ${one.key}`).series = one;
      } catch (error) {
        if (!this.closed && turn === this.turn) this.failed(error);
        return;
      }
      if (turn !== this.turn) return;
      this.draw();
    }
  }

  failed(error) {
    for (const { note } of this.plots.values()) note.textContent = `could not be drawn: ${error.message}`;
  }

  draw() {
    for (const [key, { box, plot }] of this.plots) {
      if (this.keys.includes(key)) continue;
      plot.close();
      box.remove();
      this.plots.delete(key);
    }
    for (const key of this.keys) this.drawOne(key);
  }

  drawOne(key) {
    const one = this.plots.get(key) ?? this.make(key);
    const lines = [];
    for (const run of this.runs) {
      const series = this.cache.get(`${run.id} ${key}`)?.series;
      if (series?.values.length)
        lines.push({
          id: run.id,
          name: this.names.get(run.id),
          colour: this.colours.get(run.id),
          points: pointsOf(series, this.look.axis),
        });
    }
    one.note.textContent = lines.length < this.runs.length ? `${lines.length} of ${this.runs.length} runs` : "";
    one.plot.show(lines, this.look);
  }

  make(key) {
    const plot = new Plot({ height: 260, label: key, onHover: this.how.onHover, onOpen: this.how.onOpen });
    const note = h("span", { class: "muted small" });
    const one = { plot, note, box: h("div", { class: "panel chart" }, h("h2", {}, key, "  ", note), plot.element) };
    this.plots.set(key, one);
    this.grid.append(one.box);
    return one;
  }

  highlight(id) {
    for (const { plot } of this.plots.values()) plot.highlight(id);
  }
}

/** What many runs have comes first, and among that what somebody most likely wants. */
const rank = ({ key, present }, all) => (present >= all / 2 ? 10 : 10 * (present / all)) + liked(key);

/** Return how likely a scalar is what somebody wants to see first. */
const liked = (key) =>
  /^(val|test|eval).*loss|^loss$/i.test(key) ? 3 : /loss/i.test(key) ? 2 : /acc|score|auc|f1/i.test(key) ? 1 : 0;
