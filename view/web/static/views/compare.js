// Runs beside each other: their scalars as lines, all of their values as parallel coordinates and scatter, and as a table.
// What is looked at is in the address, so that it can be shared and gone back to.

import { get } from "../lib/api.js";
import { asked, runsOf } from "../lib/asked.js";
import { dimensions } from "../charts/dimensions.js";
import { Parallel } from "../charts/parallel.js";
import { Scatter } from "../charts/scatter.js";
import { failure, notice } from "../lib/dialog.js";
import { fill, h, throttle } from "../lib/dom.js";
import { counted, number } from "../lib/format.js";
import { check, choice, menu } from "../lib/parts.js";
import { go, link } from "../lib/router.js";
import { chosenAxes, coloured, isDrawable, nameOf, parsedBrush, scatterLook } from "./compare_choices.js";
import { Curves } from "./compare_curves.js";
import { CompareTable } from "./compare_table.js";

const MOST_RUNS = 300;
const REFRESH = 700;

export class CompareView {
  title = "Compare";

  constructor(host, route, app) {
    this.app = app;
    this.params = route.params;
    this.runs = [];
    this.bright = null;
    const hover = (id) => this.highlight(id);
    const open = (id) => go(["run", id]);
    this.head = h("header", { class: "compare-head" });
    this.state = h("div", {});
    this.curves = new Curves({
      params: () => this.params,
      set: (changes, options) => this.set(changes, options),
      onHover: hover,
      onOpen: open,
    });
    this.parallel = new Parallel({ onHover: hover, onOpen: open, onBrush: (key, stretch) => this.brush(key, stretch) });
    this.scatter = new Scatter({ onHover: hover, onOpen: open });
    this.table = new CompareTable({
      params: () => this.params,
      set: (changes, options) => this.set(changes, options),
      onHover: hover,
      hide: (id, on) => this.hide(id, on),
    });
    this.parallelTools = h("div", { class: "chart-tools" });
    this.scatterTools = h("div", { class: "chart-tools" });
    this.body = h(
      "div",
      { class: "compare-body", hidden: true },
      this.curves.element,
      h(
        "div",
        { class: "compare-pair" },
        h(
          "section",
          { class: "panel drawing-panel", "aria-label": "Parallel coordinates" },
          h("div", { class: "panel-head" }, h("h2", {}, "Parallel coordinates"), this.parallelTools),
          this.parallel.element,
        ),
        h(
          "section",
          { class: "panel drawing-panel", "aria-label": "Scatter" },
          h("div", { class: "panel-head" }, h("h2", {}, "Scatter"), this.scatterTools),
          this.scatter.element,
        ),
      ),
      this.table.element,
    );
    host.append(h("div", { class: "compare" }, this.head, this.state, this.body));
    this.soon = throttle(() => this.load(), REFRESH);
    this.load();
  }

  close() {
    this.closed = true;
    this.soon.cancel();
    for (const part of [this.curves, this.parallel, this.scatter]) part.close();
  }

  update(route) {
    const before = JSON.stringify(this.asked());
    this.params = route.params;
    if (JSON.stringify(this.asked()) === before) this.show();
    else this.load();
  }

  /** Change parameters of the address; an empty value takes one out. */
  set(changes, { replace = false } = {}) {
    const params = new URLSearchParams(this.params);
    for (const [name, value] of Object.entries(changes)) {
      params.delete(name);
      for (const one of [value].flat())
        if (one !== null && one !== undefined && one !== "" && one !== false)
          params.append(name, one === true ? "1" : one);
    }
    go(["compare"], params, { replace });
  }

  /** Return what is asked of the server. */
  asked() {
    const ids = (this.params.get("ids") ?? "").split(",").filter(Boolean);
    if (ids.length)
      return {
        scope: "all",
        place: this.params.get("place") ?? "",
        select: ids.slice(0, 500).join(" "),
        limit: 500,
        columns: 1,
      };
    return { ...asked(this.params, this.app.config), limit: MOST_RUNS, columns: 1 };
  }

  async load() {
    if (document.hidden && this.runs.length) {
      this.stale = true;
      return;
    }
    const turn = (this.turn = (this.turn ?? 0) + 1);
    try {
      const { runs, total } = await get("runs", this.asked());
      if (turn !== this.turn || this.closed) return;
      this.total = total;
      this.runs = runs;
      fill(this.state);
      this.show();
    } catch (error) {
      if (turn !== this.turn || this.closed) return;
      if (this.runs.length && error.lost) return; // the banner tells
      this.body.hidden = true;
      fill(
        this.state,
        failure(error, () => this.load()),
      );
      this.showHead();
    }
  }

  onLedger() {
    this.soon();
  }
  onVisible() {
    if (this.stale) {
      this.stale = false;
      this.soon();
    }
  }
  onTheme() {
    this.show();
  }

  show() {
    const isEmpty = !this.runs.length;
    this.body.hidden = isEmpty;
    this.dims = dimensions(this.runs);
    this.showHead();
    if (isEmpty) {
      fill(
        this.state,
        notice("No runs to compare", "Choose some in the list (x) and press c, or give another filter."),
      );
      return;
    }
    const hidden = new Set(this.params.getAll("hide"));
    this.shown = this.runs.filter((run) => !hidden.has(run.id.slice(0, 8)));
    this.names = new Map(this.runs.map((run) => [run.id, nameOf(run)]));
    this.colours = coloured(this.runs, this.dims, this.params.get("colour"));
    this.brushes = new Map(this.params.getAll("brush").map(parsedBrush).filter(Boolean));
    this.axes = chosenAxes(this.dims, this.params.getAll("axes"), this.runs.length);
    this.kept = this.parallel.within(this.shown, this.axes, this.brushes);
    this.parallel.show(this.shown, this.axes, this.colours, this.brushes);
    this.showScatter();
    this.curves.show(
      this.kept ? this.shown.filter((run) => this.kept.has(run.id)) : this.shown,
      this.dims,
      this.colours,
      this.names,
    );
    this.table.show(this.runs, this.dims, { colours: this.colours, hidden, kept: this.kept });
    this.showTools();
    this.highlight(this.bright, true);
  }

  showHead() {
    const isChosen = this.params.has("ids");
    const drawn = this.runs.length;
    const said = isChosen
      ? counted(drawn, "chosen run")
      : this.total > drawn
        ? `the first ${number(drawn)} of ${counted(this.total, "run")}`
        : counted(drawn, "run");
    if (!this.filter) {
      this.filter = h("input", {
        type: "search",
        id: "filter",
        "aria-label": "Filter expression",
        placeholder: "Filter: loss < 0.3 and lr in [0.1, 0.2]",
        spellcheck: "false",
        autocomplete: "off",
        on: { change: () => this.set({ filter: this.filter.value.trim(), ids: "", hide: [], brush: [] }) },
      });
      this.said = h("span", { class: "muted num" });
      this.colourBox = h("span", {});
      this.other = h("a", {});
      fill(this.head, h("h1", {}, "Compare"), this.said, this.other, this.filter, this.colourBox);
    }
    this.said.textContent = said;
    this.other.textContent = isChosen ? "all runs instead" : "choose in the list";
    this.other.href = isChosen ? link(["compare"]) : link(["runs"], runsOf(this.params));
    if (document.activeElement !== this.filter) this.filter.value = this.params.get("filter") ?? "";
    const options = [
      ["", "Colour: each run"],
      ...(this.dims?.filter((one) => one.differs && one.present).map((one) => [one.key, `Colour: ${one.title}`]) ?? []),
    ];
    fill(
      this.colourBox,
      choice("Colour", options, this.params.get("colour") ?? "", (colour) => this.set({ colour })),
    );
  }

  showTools() {
    const usable = this.dims.filter((one) => one.present);
    const chosen = new Set(this.axes.map(({ key }) => key));
    const sheet = () =>
      usable.map((one) =>
        check(
          one.title,
          chosen.has(one.key),
          (on) => {
            if (on) chosen.add(one.key);
            else chosen.delete(one.key);
            this.set({
              axes: chosen.size ? usable.filter(({ key }) => chosen.has(key)).map(({ key }) => key) : "none",
            });
          },
          { name: one.key },
        ),
      );
    if (!this.axesMenu) {
      this.axesMenu = menu("Axes", () => this.axesSheet(), { right: true, cls: "plain" });
      this.release = h(
        "button",
        { type: "button", class: "plain", on: { click: () => this.set({ brush: [] }) } },
        "Let go",
      );
      fill(this.parallelTools, this.release, this.axesMenu);
    }
    this.axesSheet = sheet;
    this.release.hidden = !this.brushes.size;
  }

  showScatter() {
    const look = scatterLook(this.dims, this.params, this.runs);
    const { x, y } = look;
    this.scatter.show(this.shown, look, this.colours, this.names);
    const options = this.dims.filter(isDrawable).map((one) => [one.key, one.title]);
    fill(
      this.scatterTools,
      choice("Upwards", options, y?.key, (key) => this.set({ y: key })),
      check("log", look.ylog, (on) => this.set({ ylog: on ? "1" : "0" })),
      h("span", { class: "muted small" }, "over"),
      choice("Across", options, x?.key, (key) => this.set({ x: key })),
      check("log", look.xlog, (on) => this.set({ xlog: on ? "1" : "0" })),
    );
  }

  brush(key, stretch) {
    const brushes = new Map(this.brushes);
    if (stretch) brushes.set(key, stretch);
    else brushes.delete(key);
    this.set({ brush: [...brushes].map(([name, [low, high]]) => `${low.toFixed(3)}~${high.toFixed(3)}~${name}`) });
  }

  hide(id, on) {
    const hidden = new Set(this.params.getAll("hide"));
    if (on) hidden.add(id.slice(0, 8));
    else hidden.delete(id.slice(0, 8));
    this.set({ hide: [...hidden] }, { replace: true });
  }

  /** Bring one run out everywhere; null for none. */
  highlight(id, again = false) {
    if (id === this.bright && !again) return;
    this.bright = id;
    this.parallel.dim(id, this.kept);
    this.scatter.dim(id, this.kept);
    this.curves.highlight(id);
    this.table.highlight(id);
  }

  keyTable() {
    return {
      title: "Compare",
      keys: [
        ["/", "filter", () => this.filter.focus()],
        ["v", "only columns that differ, or all", () => this.table.toggleDiffer()],
        ["Escape", "let go of all held stretches", () => this.set({ brush: [] })],
      ],
    };
  }
}
