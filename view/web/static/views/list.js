// The list of runs.

import { act, undoLast } from "../lib/actions.js";
import { get } from "../lib/api.js";
import { failure, notice, toast, toastError } from "../lib/dialog.js";
import { fill, h, throttle } from "../lib/dom.js";
import { counted, number } from "../lib/format.js";
import { kept } from "../lib/parts.js";
import { go } from "../lib/router.js";
import { selection } from "../lib/selection.js";
import { chosenKeys, columnMenu, fittingKeys } from "./list_columns.js";
import { Filters, isNarrowed, widened } from "./list_filters.js";
import { Grid } from "./list_grid.js";

const REFRESH = 400;
const ASKED = ["scope", "place", "op", "status", "label", "unlabeled", "tag", "marked", "comment", "started", "digest", "filter", "sort", "reverse", "select"];

export class ListView {
  title = "Runs";

  constructor(host, route, app) {
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
      params: this.params, project: app.config.project, change: (params) => go(["runs"], params), tools: columnMenu(this),
    });
    this.empty = h("div", { hidden: true });
    this.foot = h("div", { class: "foot num" });
    this.bar = h("div", { class: "actionbar", role: "toolbar", "aria-label": "What to do with the chosen runs", hidden: true });
    this.element = h("div", { class: "list" }, this.filters.element, this.grid.element, this.foot, this.bar);
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

  /** Return what is asked of the server: what it knows of the address. */
  apiParams() {
    const asked = {};
    for (const name of ASKED) if (this.params.has(name)) asked[name] = this.params.getAll(name);
    asked.scope ??= this.app.config.project ? "project" : "all";
    return asked;
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
    } catch (error) { if (turn === this.turn) this.failed(error); }
  }

  async refresh() {
    if (document.hidden || this.closed) { this.stale = true; return; }
    try {
      await this.grid.refresh();
      this.filters.showError(null, this.unknown);
      if (!this.hadRows) this.showColumns();
      this.settle();
    } catch (error) { this.failed(error); }
  }

  onLedger() { this.soon(); }
  onVisible() { if (this.stale) { this.stale = false; this.soon(); } }

  failed(error) {
    if (error.name === "AbortError" || this.closed) return;
    if (error.status === 400) this.filters.showError(error);
    else if (!this.grid.virtual.total) fill(this.empty, failure(error, () => this.start())).hidden = false;
  }

  // What fits the runs is found once: columns that come and go while one reads would move what one looks at.
  showColumns() {
    const runs = [...this.grid.virtual.rows.values()];
    const { sort, reverse, ...narrowing } = this.apiParams();
    const about = JSON.stringify(narrowing);
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
    if (isNarrowed(this.params)) fill(this.empty, notice("No run matches", "", { label: "Show all", retry: () => go(["runs"], widened(this.params)) }));
    else if (place === "deleted") fill(this.empty, notice("No deleted runs", "What is deleted can be restored from here."));
    else fill(this.empty, notice("No runs yet", "Start one with `guild run`: it appears here as soon as it has started."));
  }

  counts() {
    const { total } = this.grid.virtual;
    const [first, last] = this.grid.virtual.seen();
    const text = total ? `${number(first + 1)}–${number(last + 1)} of ${this.isExact ? "" : "at least "}${counted(total, "run")}` : "";
    if (this.foot.firstChild?.textContent !== text) {
      fill(this.foot, h("span", {}, text), h("span", { class: "hint" }, "Press ", h("kbd", {}, "?"), " for keys"));
    }
  }

  // --- Choosing and doing ---

  async chooseAll(on) {
    if (!on) { selection.clear(); return; }
    try {
      const { ids, total, more } = await get("ids", this.apiParams());
      selection.add(ids);
      if (more) toast(`The first ${number(ids.length)} of ${counted(total, "run")} are chosen: more at once are for the command line.`);
    } catch (error) { toastError(error); }
  }

  async chooseRange(from, to) {
    const [first, last] = from < to ? [from, to] : [to, from];
    const known = [];
    for (let index = first; index <= last && this.grid.virtual.rows.has(index); index += 1) known.push(this.grid.virtual.rows.get(index).id);
    if (known.length === last - first + 1) { selection.add(known); return; }
    try {
      const { ids } = await get("ids", this.apiParams());
      selection.add(ids.slice(first, last + 1));
    } catch (error) { toastError(error); }
  }

  targets() {
    if (selection.size) return selection.list();
    return this.grid.current ? [this.grid.current.id] : [];
  }

  async do(action) {
    const ids = this.targets();
    if (!ids.length) { toast("Choose a run first: click on it, or press j."); return; }
    const only = ids.length === 1 ? [...this.grid.virtual.rows.values()].find((run) => run.id === ids[0]) : null;
    const done = await act(action, ids, { value: action === "label" ? only?.label ?? "" : "", ask: !(only && /mark/.test(action)) });
    if (done && (action === "delete" || action === "restore")) selection.remove(ids);
    this.grid.scroller.focus({ preventScroll: true });
  }

  mark() {
    const ids = new Set(this.targets());
    const known = [...this.grid.virtual.rows.values()].filter((run) => ids.has(run.id));
    this.do(known.length === ids.size && known.every((run) => run.marked) ? "unmark" : "mark");
  }

  compare() {
    const ids = selection.list();
    if (ids.length) go(["compare"], { ids: ids.slice(0, 500).join(",") });
    else go(["compare"], widthOf(this.apiParams()));
  }

  showBar() {
    this.bar.hidden = selection.size === 0;
    if (this.bar.hidden) return;
    const isDeleted = this.params.get("place") === "deleted";
    const button = (text, action, key, cls = null) => h("button", { type: "button", class: cls, title: `${text} (${key})`, on: { click: action } }, text);
    fill(this.bar, h("span", { class: "count num", "aria-live": "polite" }, `${number(selection.size)} chosen`),
      button("Compare", () => this.compare(), "c"),
      isDeleted ? button("Restore", () => this.do("restore"), "r") : [
        button("Label", () => this.do("label"), "l"), button("Tag", () => this.do("tag"), "t"), button("Mark", () => this.mark(), "m"),
        button("Delete", () => this.do("delete"), "d", "delete")],
      button("Clear", () => selection.clear(), "Escape"));
  }

  keyTable() {
    const { grid } = this;
    return { title: "List of runs", keys: [
      ["j,ArrowDown", "next run", () => grid.move(1)],
      ["k,ArrowUp", "previous run", () => grid.move(-1)],
      ["Shift+ArrowDown", "choose, and the next one as well", () => grid.move(1, { extend: true })],
      ["Shift+ArrowUp", "choose, and the previous one as well", () => grid.move(-1, { extend: true })],
      ["PageDown", "a page on", () => grid.page(1)],
      ["PageUp", "a page back", () => grid.page(-1)],
      ["Home", "first run", () => { grid.toTop(); grid.move(1); }],
      ["End", "last run", () => grid.move(Infinity)],
      ["Enter", "open the run", () => { if (grid.current) go(["run", grid.current.id]); }],
      ["x, ", "choose or not", () => { if (grid.current) selection.toggle(grid.current.id); }],
      ["/", "filter", () => this.filters.expression.focus()],
      ["l", "label", () => this.do("label")],
      ["t", "tag", () => this.do("tag")],
      ["T", "remove a tag", () => this.do("untag")],
      ["m", "mark or unmark", () => this.mark()],
      ["p", "protect", () => this.do("protect")],
      ["P", "lift the protection", () => this.do("unprotect")],
      ["d", "delete", () => this.do("delete")],
      ["r", "restore", () => this.do("restore")],
      ["c", "compare the chosen runs, or all that match", () => this.compare()],
      ["u", "undo the last change made here", undoLast],
      ["Escape", "choose none", () => selection.clear()],
    ] };
  }
}

/** Return the parameters that the compare page understands: all but those of the order. */
function widthOf(params) {
  const { sort, reverse, ...rest } = params;
  return rest;
}
