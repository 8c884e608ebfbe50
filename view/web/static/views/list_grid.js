// The grid of the list: its head, its rows, the cursor, and the choosing of rows with keys and pointer.

import { fill, h, icon } from "../lib/dom.js";
import { runDuration } from "../lib/format.js";
import { selection } from "../lib/selection.js";
import { VirtualRows } from "../lib/virtual.js";
import { column } from "./list_columns.js";

const TICK = 1000;
const NARROW = matchMedia("(max-width: 640px)");

export class Grid {
  /** @param {{fetch: Function, open: Function, sort: Function, chooseAll: Function, range: Function, onChange: Function}} how */
  constructor(how) {
    this.how = how;
    this.cursor = null; // {index, id}
    this.columns = [];
    this.above = 0;
    this.head = h("div", { class: "grid-head", role: "row", "aria-rowindex": 1 });
    this.body = h("div", { class: "grid-body", role: "rowgroup" });
    this.scroller = h(
      "div",
      {
        class: "grid-scroll",
        id: "grid",
        tabindex: 0,
        role: "grid",
        "aria-label": "Runs",
        "aria-multiselectable": "true",
      },
      h("div", { class: "grid-inner", role: "presentation" }, this.head, this.body),
    );
    this.pill = h("button", { type: "button", class: "pill", hidden: true, on: { click: () => this.toTop() } });
    this.element = h("div", { class: "grid" }, this.scroller, this.pill);
    this.virtual = new VirtualRows({
      scroller: this.scroller,
      body: this.body,
      headHeight: 34,
      fetch: how.fetch,
      draw: (element, row, index) => this.draw(element, row, index),
      isFollowing: () => this.isFollowing(),
      onChange: () => this.painted(),
      onError: how.onError,
    });
    this.body.addEventListener("click", (event) => this.clicked(event));
    this.body.addEventListener("dblclick", (event) => {
      const row = this.rowOf(event);
      if (row) how.open(row.id);
    });
    this.measure = () => this.resized();
    NARROW.addEventListener("change", this.measure);
    this.chosen = () => this.markChosen();
    selection.addEventListener("change", this.chosen);
    this.timer = setInterval(() => this.tick(), TICK);
    this.virtual.rowHeight = rowHeight();
  }

  close() {
    this.virtual.close();
    NARROW.removeEventListener("change", this.measure);
    selection.removeEventListener("change", this.chosen);
    clearInterval(this.timer);
  }

  /** Whether the newest rows may push the others down: nobody is looking at a certain row. */
  isFollowing() {
    return this.scroller.scrollTop === 0 && selection.size === 0 && (this.cursor === null || this.cursor.index === 0);
  }

  resized() {
    const [first] = this.virtual.seen();
    this.virtual.rowHeight = rowHeight();
    this.virtual.body.style.setProperty("height", `${this.virtual.height}px`);
    this.virtual.place = first * this.virtual.rowHeight;
    this.virtual.headHeight = NARROW.matches ? 0 : 34;
    this.virtual.redraw();
  }

  /** Show these columns, sorted by one of them. */
  show(keys, sort, reverse) {
    const runs = [...this.virtual.rows.values()];
    this.columns = keys.map((key) => column(key, runs));
    this.sorted = [sort, reverse];
    this.element.style.setProperty("--columns", `34px ${this.columns.map((one) => one.width).join(" ")}`);
    this.scroller.setAttribute("aria-colcount", this.columns.length + 1);
    this.all = h("input", {
      type: "checkbox",
      "aria-label": "Choose all runs that match",
      on: { change: () => this.how.chooseAll(this.all.checked) },
    });
    fill(
      this.head,
      h("div", { class: "check", role: "columnheader" }, this.all),
      this.columns.map((one) => this.headCell(one, sort, reverse)),
    );
    this.markChosen();
    this.virtual.redraw();
  }

  headCell(one, sort, reverse) {
    const isSorted = one.sort && one.sort === sort;
    const text = h("span", { title: one.key }, one.title);
    const direction = isSorted ? (reverse ? "descending" : "ascending") : null;
    const props = { role: "columnheader", class: one.number ? "number" : "", "aria-sort": direction };
    if (!one.sort) return h("div", props, text);
    const press = () => this.how.sort(one.sort, direction === "ascending", direction === "descending");
    return h(
      "div",
      props,
      h(
        "button",
        { type: "button", tabindex: -1, title: `Sort by ${one.title}`, on: { click: press } },
        text,
        isSorted && icon(reverse ? "down" : "up"),
      ),
    );
  }

  draw(element, row, index) {
    const before = element.row;
    element.className = row ? "grid-row" : "grid-row waiting";
    element.setAttribute("role", "row");
    element.setAttribute("aria-rowindex", index + 2);
    element.dataset.index = index;
    if (!row) {
      fill(
        element,
        h("div", { class: "check" }),
        this.columns.map((one) => h("div", { class: one.cls })),
      );
      return;
    }
    element.id = `row-${row.id}`;
    const old = before && before.id === row.id ? element.texts : null;
    element.box = h("input", {
      type: "checkbox",
      tabindex: -1,
      "aria-label": `Choose ${row.short_id ?? row.id}`,
      checked: selection.has(row.id),
    });
    const cells = this.columns.map((one) => this.cell(one, row));
    element.texts = new Map(this.columns.map((one, place) => [one.key, cells[place].textContent]));
    if (old) {
      this.columns.forEach((one, place) => {
        if (
          one.key !== "duration" &&
          one.key !== "index" &&
          old.has(one.key) &&
          old.get(one.key) !== element.texts.get(one.key)
        )
          cells[place].classList.add("changed");
      });
    }
    element.took = cells[this.columns.findIndex((one) => one.key === "duration")];
    fill(element, h("div", { class: "check", role: "gridcell" }, element.box), cells);
    this.markRow(element, row);
  }

  cell(one, row) {
    const content = one.cell(row);
    const title = one.hint ? one.hint(row) : typeof content === "string" ? content : null;
    return h(
      "div",
      { class: `${one.cls ?? ""} ${one.number ? "number num" : ""}`.trim(), role: "gridcell", title },
      content,
    );
  }

  markRow(element, row) {
    element.setAttribute("aria-selected", String(selection.has(row.id)));
    element.classList.toggle("cursor", this.cursor !== null && this.cursor.id === row.id);
    if (element.box) element.box.checked = selection.has(row.id);
  }

  markChosen() {
    for (const element of this.virtual.elements.values()) if (element.row) this.markRow(element, element.row);
    if (this.all) {
      this.all.checked = selection.size > 0 && selection.size >= this.virtual.total;
      this.all.indeterminate = selection.size > 0 && selection.size < this.virtual.total;
    }
    if (this.cursor?.id) this.scroller.setAttribute("aria-activedescendant", `row-${this.cursor.id}`);
    else this.scroller.removeAttribute("aria-activedescendant");
  }

  painted() {
    this.scroller.setAttribute("aria-rowcount", this.virtual.total + 1);
    if (this.scroller.scrollTop === 0) this.above = 0;
    if (this.cursor && !this.cursor.id && this.virtual.rows.has(this.cursor.index)) {
      this.cursor = { index: this.cursor.index, id: this.virtual.rows.get(this.cursor.index).id };
      this.markChosen();
    }
    this.pill.hidden = this.above <= 0;
    this.pill.textContent = `${this.above} new ↑`;
    this.how.onChange();
  }

  tick() {
    for (const element of this.virtual.elements.values()) {
      if (element.row?.status === "running" && element.took) element.took.textContent = runDuration(element.row);
    }
  }

  async restart() {
    this.cursor = null;
    this.above = 0;
    this.scroller.scrollLeft = 0;
    await this.virtual.restart();
  }

  async refresh() {
    const shift = await this.virtual.refresh();
    this.above += shift;
    if (this.cursor) {
      for (const [index, row] of this.virtual.rows) if (row.id === this.cursor.id) this.cursor = { index, id: row.id };
    }
    this.painted();
  }

  toTop() {
    this.scroller.scrollTop = 0;
    this.cursor = null;
    this.markChosen();
    this.virtual.paint();
  }

  // --- The cursor ---

  /** Return the run that the cursor is on. */
  get current() {
    if (!this.cursor?.id) return null;
    return this.virtual.rows.get(this.cursor.index) ?? { id: this.cursor.id };
  }

  move(by, { extend = false } = {}) {
    const { total } = this.virtual;
    if (!total) return;
    const from = this.cursor?.index ?? (by > 0 ? -1 : 0);
    const index = Math.max(0, Math.min(total - 1, from + by));
    this.virtual.reveal(index);
    const id = this.virtual.rows.get(index)?.id ?? null; // null: it is on its way
    if (extend && this.cursor) selection.add([this.cursor.id, id].filter(Boolean));
    this.cursor = { index, id };
    this.scroller.focus({ preventScroll: true });
    this.markChosen();
  }

  page(direction) {
    this.move(direction * Math.max(1, Math.floor(this.virtual.viewport / this.virtual.rowHeight) - 1));
  }

  rowOf(event) {
    const element = event.target.closest(".grid-row");
    return element?.row ? { id: element.row.id, index: Number(element.dataset.index) } : null;
  }

  clicked(event) {
    const at = this.rowOf(event);
    if (!at || event.target.closest("a")) return;
    if (event.shiftKey && this.cursor) this.how.range(this.cursor.index, at.index);
    else if (event.target.closest(".check") || event.ctrlKey || event.metaKey) selection.toggle(at.id);
    this.cursor = at;
    this.markChosen();
  }
}

const rowHeight = () => (NARROW.matches ? 60 : 36);
