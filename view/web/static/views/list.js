// The list of runs.

import { get } from "../lib/api.js";
import { asked, isNarrowed, widened } from "../lib/asked.js";
import { failure, notice, toastError } from "../lib/dialog.js";
import { fill, h, throttle } from "../lib/dom.js";
import { counted, number } from "../lib/format.js";
import { kept } from "../lib/parts.js";
import { go } from "../lib/router.js";
import { selection } from "../lib/selection.js";
import { chosenKeys, columnMenu, fittingKeys } from "./list_columns.js";
import { Doing } from "./list_doing.js";
import { Filters } from "./list_filters.js";
import { Grid } from "./list_grid.js";

const REFRESH = 400;

export class ListView extends Doing {
  title = "Runs";

  constructor(host, route, app) {
    super();
    this.app = app;
    this.params = route.params;
    this.keys = [];
    this.grid = new Grid({
      fetch: (offset, limit, signal) => this.fetch(offset, limit, signal),
      open: (id) => go(["run", id]),
      sort: (key, isAscending, isDescending) => this.sort(key, isAscending, isDescending),
      chooseAll: (on) => this.chooseAll(on),
      range: (from, to) => this.chooseRange(from, to),
      onChange: () => this.counts(),
      onError: toastError,
    });
    this.filters = new Filters({
      params: this.params,
      project: app.config.project,
      change: (params) => go(["runs"], params),
      tools: columnMenu(this),
    });
    this.empty = h("div", { class: "grid-empty", hidden: true });
    this.foot = h("div", { class: "foot num" });
    this.bar = h("div", {
      class: "actionbar",
      role: "toolbar",
      "aria-label": "What to do with the chosen runs",
      hidden: true,
    });
    this.element = h(
      "div",
      { class: "list" },
      h("h1", { class: "hidden-text" }, "Runs"),
      this.filters.element,
      this.grid.element,
      this.foot,
      this.bar,
    );
    this.grid.element.append(this.empty);
    host.append(this.element);
    this.soon = throttle(() => this.refresh(), REFRESH);
    this.chosen = () => this.showBar();
    selection.addEventListener("change", this.chosen);
    this.showBar();
    this.start();
  }

  close() {
    this.closed = true;
    this.soon.cancel();
    selection.removeEventListener("change", this.chosen);
    this.grid.close();
  }

  update(route) {
    const before = this.apiParams();
    this.params = route.params;
    this.filters.update(this.params);
    if (JSON.stringify(before) === JSON.stringify(this.apiParams())) this.showColumns();
    else this.start();
  }

  /** Return which runs are asked for, in any order. */
  narrowing() {
    return asked(this.params, this.app.config);
  }

  /** Return what is asked of the server: what it knows of the address. */
  apiParams() {
    return asked(this.params, this.app.config, ["sort", "reverse"]);
  }

  async fetch(offset, limit, signal) {
    const got = await get("runs", { ...this.apiParams(), offset, limit, columns: 1 }, signal);
    this.seq = got.seq;
    this.isExact = got.exact !== false;
    this.unknown = got.unknown ?? [];
    return got;
  }

  async start() {
    const turn = (this.turn = (this.turn ?? 0) + 1);
    try {
      await this.grid.restart();
      if (turn !== this.turn || this.closed) return;
      this.filters.showError(null, this.unknown);
      this.showColumns();
      this.settle();
    } catch (error) {
      if (turn === this.turn) this.failed(error);
    }
  }

  async refresh() {
    if (document.hidden || this.closed) {
      this.stale = true;
      return;
    }
    try {
      await this.grid.refresh();
      this.filters.showError(null, this.unknown);
      if (!this.hadRows) this.showColumns();
      this.settle();
    } catch (error) {
      this.failed(error);
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

  failed(error) {
    if (error.name === "AbortError" || this.closed) return;
    if (error.status === 400) this.filters.showError(error);
    else if (!this.grid.virtual.total)
      fill(
        this.empty,
        failure(error, () => this.start()),
      ).hidden = false;
  }

  // What fits the runs is found once: columns that come and go while one reads would move what one looks at.
  showColumns() {
    const runs = [...this.grid.virtual.rows.values()];
    const about = JSON.stringify(this.narrowing());
    if (this.about !== about || !this.hadRows) this.fitting = fittingKeys(runs);
    this.about = about;
    this.hadRows = runs.length > 0;
    this.keys = chosenKeys(this.params) ?? this.fitting;
    this.grid.show(this.keys, this.params.get("sort") ?? "", this.params.has("reverse"));
  }

  /** Show these columns from now on; null for those that fit the runs. */
  choose(keys) {
    kept.set("columns", keys);
    if (this.params.has("cols")) {
      const params = new URLSearchParams(this.params);
      params.delete("cols");
      go(["runs"], params, { replace: true });
    }
    this.showColumns();
  }

  // Ascending, then descending, then as usual.
  sort(key, isAscending, isDescending) {
    const params = new URLSearchParams(this.params);
    params.delete("reverse");
    params.delete("sort");
    if (!isDescending) params.set("sort", key);
    if (isAscending) params.set("reverse", "1");
    go(["runs"], params);
  }

  settle() {
    const { total } = this.grid.virtual;
    this.empty.hidden = total > 0;
    if (total) return;
    const place = this.params.get("place");
    if (isNarrowed(this.params))
      fill(
        this.empty,
        notice("No run matches", "", { label: "Show all", retry: () => go(["runs"], widened(this.params)) }),
      );
    else if (place === "deleted")
      fill(this.empty, notice("No deleted runs", "What is deleted can be restored from here."));
    else
      fill(this.empty, notice("No runs yet", "Start one with `guild run`: it appears here as soon as it has started."));
  }

  counts() {
    const { total } = this.grid.virtual;
    const [first, last] = this.grid.virtual.seen();
    const text = total
      ? `${number(first + 1)}–${number(last + 1)} of ${this.isExact ? "" : "at least "}${counted(total, "run")}`
      : "";
    if (this.foot.firstChild?.textContent !== text) {
      fill(this.foot, h("span", {}, text), h("span", { class: "hint" }, "Press ", h("kbd", {}, "?"), " for keys"));
    }
  }
}
