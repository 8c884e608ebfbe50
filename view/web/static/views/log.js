// The audit log: every transaction, newest first, who did it and what it changed; most can be taken back from here.

import { askToTakeBack } from "../lib/actions.js";
import { get } from "../lib/api.js";
import { failure, notice } from "../lib/dialog.js";
import { fill, h, throttle } from "../lib/dom.js";
import { fullTime } from "../lib/format.js";
import { field, runLink, showIn } from "../lib/parts.js";
import { go } from "../lib/router.js";

const PAGE = 50;
const RUNS_SHOWN = 8;
const FILTERS = [
  ["actor", "By whom", "ada or ada@laptop"],
  ["run", "About the run", "a run's id"],
  ["type", "Type of event", "deleted"],
];

export class LogView {
  title = "Audit log";

  constructor(host, route) {
    this.route = route;
    this.inputs = FILTERS.map(([name, title, example]) =>
      field(name, title, example, (text) => this.narrow(name, text)),
    );
    showIn(this.inputs, route.params);
    this.list = h("ol", { class: "panel txns" });
    this.more = h("button", { type: "button", hidden: true, on: { click: () => this.loadMore() } }, "Earlier ones");
    this.state = h("div", {});
    host.append(
      h(
        "div",
        { class: "log" },
        h("div", { class: "line" }, h("h1", {}, "Audit log"), this.inputs),
        this.state,
        this.list,
        h("div", {}, this.more),
      ),
    );
    this.soon = throttle(() => this.loadNew(), 400);
    this.watcher = new IntersectionObserver(
      (seen) => {
        if (seen.some((one) => one.isIntersecting)) this.loadMore();
      },
      { rootMargin: "400px" },
    );
    this.start();
  }

  close() {
    this.closed = true;
    this.soon.cancel();
    this.watcher.disconnect();
  }

  narrow(name, text) {
    const params = new URLSearchParams(this.route.params);
    params.delete("at");
    if (text) params.set(name, text);
    else params.delete(name);
    go(["log"], params);
  }

  update(route) {
    this.route = route;
    showIn(this.inputs, route.params);
    this.start();
  }

  params() {
    return Object.fromEntries(FILTERS.map(([name]) => [name, this.route.params.get(name) ?? ""]));
  }

  async start() {
    const turn = (this.turn = (this.turn ?? 0) + 1);
    this.loading = true; // or the same page would be asked for twice, here and because the button is seen
    const at = Number(this.route.params.get("at")) || 0;
    const ask = (before) => get("log", { ...this.params(), limit: PAGE, before });
    try {
      let got = await ask(at ? at + PAGE / 2 : "");
      if (turn !== this.turn || this.closed) return;
      this.newest = 0;
      this.list.replaceChildren();
      this.append(got);
      while (at && got.before > at) {
        got = await ask(got.before);
        if (turn !== this.turn || this.closed) return;
        this.append(got);
      }
      this.loading = false;
      this.watch();
      this.list.querySelector(".here")?.scrollIntoView({ block: "center" });
    } catch (error) {
      if (turn !== this.turn || this.closed) return;
      this.loading = false;
      this.newest = undefined; // there is no list that new ones could be put on top of
      this.list.hidden = true;
      fill(
        this.state,
        failure(error, () => this.start()),
      );
    }
  }

  append(got) {
    this.list.append(...got.transactions.map((one) => this.line(one)));
    this.newest = Math.max(this.newest, ...got.transactions.map(({ seq }) => seq));
    this.oldest = got.before;
    this.more.hidden = !got.more;
    this.settle();
  }

  /** Show the list, or that there is none. */
  settle() {
    const isEmpty = !this.list.hasChildNodes();
    this.list.hidden = isEmpty;
    const isNone = isEmpty && this.more.hidden;
    fill(this.state, isNone && notice("No such transactions", "Nothing in the ledger fits these filters."));
  }

  // A page may be short, or empty: watched anew, the button tells at once whether it can be seen still.
  watch() {
    this.watcher.unobserve(this.more);
    this.watcher.observe(this.more);
  }

  async loadMore() {
    if (this.loading || !this.oldest || this.more.hidden) return;
    this.loading = true;
    const turn = this.turn;
    try {
      const got = await get("log", { ...this.params(), limit: PAGE, before: this.oldest });
      if (turn !== this.turn || this.closed) return;
      this.append(got);
      this.watch();
    } catch {
      /* the button stays */
    } finally {
      if (turn === this.turn) this.loading = false;
    }
  }

  // New ones go on top; those that are shown may have been taken back meanwhile, so the first page is drawn again.
  async loadNew() {
    if (document.hidden || this.closed || this.newest === undefined || this.route.params.get("at")) return;
    const turn = this.turn;
    try {
      const { transactions } = await get("log", { ...this.params(), limit: PAGE });
      if (turn !== this.turn || this.closed || this.newest === undefined) return;
      const shown = new Map([...this.list.children].map((line) => [Number(line.dataset.seq), line]));
      const fresh = [];
      for (const one of transactions) {
        const line = this.line(one);
        if (shown.has(one.seq)) shown.get(one.seq).replaceWith(line);
        else if (one.seq > this.newest) {
          line.classList.add("fresh");
          fresh.push(line);
        }
      }
      this.list.prepend(...fresh);
      this.newest = Math.max(this.newest, ...transactions.map(({ seq }) => seq));
      this.settle();
    } catch {
      /* the banner tells when the server is gone */
    }
  }

  onLedger() {
    this.soon();
  }
  onVisible() {
    this.soon();
  }

  line(one) {
    const word = one.undoes ? "Redo" : "Undo"; // taking back what took something back does that again
    const { runs: ids, count } = one;
    const isTold = count <= 1; // the summary names it
    const command = one.command.join(" ");
    const notes = [one.undoes && `takes back ${one.undoes}`, one.undone_by && `taken back by ${one.undone_by}`].filter(
      Boolean,
    );
    const isHere = String(one.seq) === this.route.params.get("at");
    return h(
      "li",
      { class: `txn${one.undone_by ? " undone" : ""}${isHere ? " here" : ""}`, data: { seq: one.seq } },
      h("span", { class: "seq num" }, `#${one.seq}`),
      h("span", { class: "when muted num", title: one.time }, fullTime(one.time)),
      h(
        "div",
        {},
        h(
          "p",
          {},
          h("span", { class: "what" }, isTold ? linked(one.summary, ids[0]) : one.summary),
          notes.map((note) => [" ", h("span", { class: "tag" }, note)]),
        ),
        h(
          "p",
          { class: "muted small" },
          `${one.actor}@${one.host}`,
          command && h("span", { class: "mono" }, `  ${command}`),
        ),
        !isTold &&
          h(
            "p",
            { class: "small run-links" },
            ids.slice(0, RUNS_SHOWN).map((id) => h("a", { class: "mono", href: runLink(id) }, id.slice(0, 8))),
            count > RUNS_SHOWN && h("span", { class: "muted" }, `and ${count - RUNS_SHOWN} more`),
          ),
      ),
      one.undoable
        ? h("button", { type: "button", on: { click: () => askToTakeBack(one, word) } }, word)
        : h("span", {}),
    );
  }

  keyTable() {
    return { title: "Audit log", keys: [["/", "filter by who", () => this.inputs[0].focus()]] };
  }
}

/** Return a summary in which the run that it names is a link. */
function linked(summary, id) {
  if (!id) return summary;
  const short = id.slice(0, 8);
  return summary
    .split(short)
    .flatMap((part, place) => (place ? [h("a", { class: "mono", href: runLink(id) }, short), part] : [part]));
}
