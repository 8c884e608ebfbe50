// What can be done in the list: choosing runs, and acting on the chosen ones, with keys or the bar at the bottom.

import { act, undoLast } from "../lib/actions.js";
import { get } from "../lib/api.js";
import { toast, toastError } from "../lib/dialog.js";
import { fill, h } from "../lib/dom.js";
import { counted, number } from "../lib/format.js";
import { go } from "../lib/router.js";
import { selection } from "../lib/selection.js";

const MOST_COMPARED = 500;
const MOST_CHOSEN = 10_000;
const AT_ONCE = 500; // runs in one question

/** The half of the list's view that changes things; needs its `grid`, `filters`, `bar`, `params`, `narrowing()` and `apiParams()`. */
export class Doing {
  async chooseAll(on) {
    if (!on) {
      selection.clear();
      return;
    }
    try {
      const ids = await this.idsOf(0, MOST_CHOSEN - 1);
      selection.add(ids);
      const { total } = this.grid.virtual;
      if (total > ids.length && ids.length === MOST_CHOSEN) {
        toast(
          `The first ${number(ids.length)} of ${counted(total, "run")} are chosen: more at once are for the command line.`,
        );
      }
    } catch (error) {
      toastError(error);
    }
  }

  async chooseRange(from, to) {
    const [first, last] = from < to ? [from, to] : [to, from];
    try {
      selection.add(await this.idsOf(first, Math.min(last, first + MOST_CHOSEN - 1)));
    } catch (error) {
      toastError(error);
    }
  }

  /** Return the ids of the runs from one index of the list to another, both included; those that are not here are asked for. */
  async idsOf(first, last) {
    const { rows } = this.grid.virtual;
    const ids = [];
    while (first + ids.length <= last) {
      const index = first + ids.length;
      if (rows.has(index)) {
        ids.push(rows.get(index).id);
        continue;
      }
      const { runs } = await get("runs", {
        ...this.apiParams(),
        offset: String(index),
        limit: Math.min(AT_ONCE, last - index + 1),
      });
      if (!runs.length) break;
      ids.push(...runs.map((run) => run.id));
    }
    return ids;
  }

  targets() {
    if (selection.size) return selection.list();
    return this.grid.current ? [this.grid.current.id] : [];
  }

  async do(action) {
    const ids = this.targets();
    if (!ids.length) {
      toast("Choose a run first: click on it, or press j.");
      return;
    }
    const only = ids.length === 1 ? [...this.grid.virtual.rows.values()].find((run) => run.id === ids[0]) : null;
    const done = await act(action, ids, {
      value: action === "label" ? (only?.label ?? "") : "",
      ask: !(only && /mark/.test(action)),
    });
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
    if (ids.length) go(["compare"], { ids: ids.slice(0, MOST_COMPARED).join(",") });
    else go(["compare"], this.narrowing());
  }

  showBar() {
    const isNew = this.bar.hidden;
    this.bar.hidden = selection.size === 0;
    if (this.bar.hidden) return;
    const isDeleted = this.params.get("place") === "deleted";
    const button = (text, action, key, cls = null) =>
      h("button", { type: "button", class: cls, title: `${text} (${key})`, on: { click: action } }, text);
    fill(
      this.bar,
      h("span", { class: "count num", "aria-live": "polite" }, `${number(selection.size)} chosen`),
      button("Compare", () => this.compare(), "c"),
      isDeleted
        ? button("Restore", () => this.do("restore"), "r")
        : [
            button("Label", () => this.do("label"), "l"),
            button("Tag", () => this.do("tag"), "t"),
            button("Mark", () => this.mark(), "m"),
            button("Delete", () => this.do("delete"), "d", "delete"),
          ],
      button("Clear", () => selection.clear(), "Escape"),
    );
    // The bar takes room from the list: who chooses with the keyboard goes on from a row that is seen.
    const { cursor, scroller, virtual } = this.grid;
    if (isNew && cursor && scroller.matches(":focus-visible")) virtual.reveal(cursor.index);
  }

  keyTable() {
    const { grid } = this;
    return {
      title: "List of runs",
      keys: [
        ["j,ArrowDown", "next run", () => grid.move(1)],
        ["k,ArrowUp", "previous run", () => grid.move(-1)],
        ["Shift+ArrowDown", "choose, and the next one as well", () => grid.move(1, { extend: true })],
        ["Shift+ArrowUp", "choose, and the previous one as well", () => grid.move(-1, { extend: true })],
        ["PageDown", "a page on", () => grid.page(1)],
        ["PageUp", "a page back", () => grid.page(-1)],
        [
          "Home",
          "first run",
          () => {
            grid.toTop();
            grid.move(1);
          },
        ],
        ["End", "last run", () => grid.move(Infinity)],
        [
          "Enter",
          "open the run",
          () => {
            if (grid.current) go(["run", grid.current.id]);
          },
        ],
        [
          "x, ",
          "choose or not",
          () => {
            if (grid.current) selection.toggle(grid.current.id);
          },
        ],
        ["a", "choose all that match", () => this.chooseAll(true)],
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
      ],
    };
  }
}
