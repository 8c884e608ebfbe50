// The runs that are compared, as a table; a click on a column's name sorts by it.

import { aligned, numeric } from "../lib/format.js";
import { textOf, valueOf } from "../charts/dimensions.js";
import { fill, h, icon } from "../lib/dom.js";
import { check, runLink, statusMark } from "../lib/parts.js";

const MOST_COLUMNS = 60;

export class CompareTable {
  /** @param {{params: Function, set: Function, onHover: Function, hide: Function}} how */
  constructor(how) {
    this.how = how;
    this.rows = new Map();
    this.tools = h("div", { class: "chart-tools" });
    this.box = h("div", { class: "scroll-x table-box", tabindex: 0, "aria-label": "Runs that are compared" });
    this.element = h(
      "section",
      { class: "panel", "aria-label": "Table" },
      h("div", { class: "panel-head" }, h("h2", {}, "Runs"), this.tools),
      this.box,
    );
  }

  get differOnly() {
    return this.how.params().get("differ") !== "0";
  }

  toggleDiffer() {
    this.how.set({ differ: this.differOnly ? "0" : "" });
  }

  show(runs, dims, { colours, hidden, kept }) {
    const columns = dims
      .filter((one) => one.present && (one.differs || !this.differOnly || runs.length < 2))
      .slice(0, MOST_COLUMNS);
    const same = dims.filter((one) => one.present).length - dims.filter((one) => one.present && one.differs).length;
    const sort = this.how.params().get("sort");
    const down = this.how.params().has("reverse");
    const sorted = sort ? [...runs].sort(order(sort, down)) : runs;
    this.rows.clear();
    fill(
      this.tools,
      check(same && runs.length > 1 ? `Only what differs (${same} alike)` : "Only what differs", this.differOnly, () =>
        this.toggleDiffer(),
      ),
    );
    fill(
      this.box,
      h(
        "table",
        { class: "rows compare-table" },
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            h("th", { scope: "col" }, h("span", { class: "hidden-text" }, "Shown")),
            h("th", { scope: "col" }, "Run"),
            columns.map((one) => this.head(one, sort, down)),
          ),
        ),
        h(
          "tbody",
          {},
          sorted.map((run) =>
            this.row(
              run,
              columns,
              colours.get(run.id),
              hidden.has(run.id.slice(0, 8)),
              Boolean(kept && !kept.has(run.id)),
            ),
          ),
        ),
      ),
    );
  }

  head(one, sort, down) {
    const isSorted = sort === one.key;
    const press = () =>
      this.how.set(isSorted && down ? { sort: "", reverse: "" } : { sort: one.key, reverse: isSorted });
    return h(
      "th",
      {
        scope: "col",
        class: one.kind === "number" ? "num" : null,
        "aria-sort": isSorted ? (down ? "descending" : "ascending") : null,
      },
      h(
        "button",
        { type: "button", title: one.key, on: { click: press } },
        one.title,
        isSorted && icon(down ? "down" : "up"),
      ),
    );
  }

  row(run, columns, colour, isHidden, isOut) {
    const shown = h("input", {
      type: "checkbox",
      checked: !isHidden,
      "aria-label": `Show ${run.id.slice(0, 8)}`,
      on: { change: () => this.how.hide(run.id, !shown.checked) },
    });
    const line = h(
      "tr",
      {
        class: isHidden || isOut ? "out" : null,
        on: { pointerenter: () => this.how.onHover(run.id), pointerleave: () => this.how.onHover(null) },
      },
      h("td", { class: "check" }, shown),
      h(
        "td",
        {},
        h(
          "a",
          { class: "run-name", href: runLink(run.id) },
          h("i", { class: "swatch", style: { background: colour } }),
          h("span", { class: "mono" }, run.short_id ?? run.id.slice(0, 8)),
        ),
      ),
      columns.map((one) => this.cell(run, one)),
    );
    this.rows.set(run.id, line);
    return line;
  }

  cell(run, one) {
    if (one.key === "status") return h("td", {}, statusMark(run.status));
    const value = valueOf(run, one.key);
    const text = one.key.startsWith("scalar:") && !one.isWhole ? aligned(value) : textOf(one.key, value);
    return h("td", { class: one.kind === "number" ? "num" : null }, text);
  }

  highlight(id) {
    this.bright?.classList.remove("bright");
    this.bright = this.rows.get(id);
    this.bright?.classList.add("bright");
  }
}

/** Return an order of runs by a dimension; those without a value come last either way. */
function order(key, down) {
  return (one, other) => {
    const [a, b] = [valueOf(one, key), valueOf(other, key)];
    if (a === null || b === null) return (a === null) - (b === null);
    const [x, y] = [numeric(a), numeric(b)];
    const found =
      Number.isNaN(x) || Number.isNaN(y) ? String(a).localeCompare(String(b), "en", { numeric: true }) : x - y;
    return down ? -found : found;
  };
}
