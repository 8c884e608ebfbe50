// The page of one run: what it is, and its parts behind tabs.

import { act } from "../lib/actions.js";
import { get } from "../lib/api.js";
import { failure, toastError } from "../lib/dialog.js";
import { fill, h, icon, throttle } from "../lib/dom.js";
import { fullTime, runDuration } from "../lib/format.js";
import { live } from "../lib/live.js";
import { runLink, statusMark, tagList } from "../lib/parts.js";
import { go } from "../lib/router.js";
import { Files } from "./run_files.js";
import { History } from "./run_history.js";
import { Output } from "./run_output.js";
import { Overview } from "./run_overview.js";
import { Source } from "./run_source.js";

const TABS = [
  ["overview", "Overview", Overview],
  ["output", "Output", Output],
  ["files", "Files", Files],
  ["source", "Source", Source],
  ["history", "History", History],
];
const REFRESH = 500;
const WHOLE = 32; // digits of an id

export class RunView {
  constructor(host, route, app) {
    this.app = app;
    this.id = route.words[1] ?? "";
    this.route = route;
    this.title = `Run ${this.id.slice(0, 8)}`;
    this.head = h("header", { class: "run-head" });
    this.tabs = h("div", { class: "tabs", role: "tablist", "aria-label": "Parts of the run" });
    this.panel = h("section", { class: "run-panel", role: "tabpanel", id: "run-panel", tabindex: -1 });
    this.element = h("div", { class: "run" }, this.head, this.tabs, this.panel);
    host.append(this.element);
    this.soon = throttle(() => this.load(), REFRESH);
    this.timer = setInterval(() => this.tick(), 1000);
    if (this.id.length < WHOLE) {
      this.find();
      return;
    }
    live.follow([this.id]);
    this.load();
  }

  /** Go to the run whose id begins as the address says: somebody typed it. */
  async find() {
    try {
      const { runs } = await get("runs", { scope: "all", select: this.id, limit: 2 });
      if (!this.closed) go(["run", runs[0].id, ...this.route.words.slice(2)], this.route.params, { replace: true });
    } catch (error) {
      if (!this.closed)
        fill(
          this.panel,
          failure(error, () => go(["runs"])),
        );
    }
  }

  close() {
    this.closed = true;
    clearInterval(this.timer);
    this.soon.cancel();
    this.part?.close?.();
  }

  update(route) {
    this.route = route;
    if (this.run) this.showTab();
  }

  async load() {
    if (this.id.length < WHOLE) return; // `find` goes elsewhere
    if (document.hidden && this.run) {
      this.stale = true;
      return;
    }
    try {
      const run = await get(`runs/${encodeURIComponent(this.id)}`);
      if (this.closed) return;
      this.run = run;
      this.title = `${run.operation} ${run.short_id ?? this.id.slice(0, 8)}`;
      this.app.view === this && this.app.retitle();
      this.showHead();
      this.showTab();
    } catch (error) {
      if (this.closed) return;
      if (this.run) toastError(error);
      else
        fill(
          this.panel,
          failure(error, () => this.load()),
        );
    }
  }

  onLedger({ runs, more }) {
    if (more || runs.length === 0 || runs.includes(this.id)) this.soon();
    this.part?.onLedger?.();
  }

  onOutput(data) {
    if (data.id === this.id) this.part?.onOutput?.(data);
  }
  onSeries(data) {
    if (data.id === this.id) this.part?.onSeries?.(data);
  }
  onTheme() {
    this.part?.onTheme?.();
  }
  onVisible() {
    if (this.stale) {
      this.stale = false;
      this.soon();
    }
    this.part?.onVisible?.();
  }

  tick() {
    if (this.run?.status === "running" && this.took) this.took.textContent = runDuration(this.run);
  }

  showHead() {
    const { run } = this;
    const action = (text, name, cls = null) =>
      h("button", { type: "button", class: cls, on: { click: () => this.do(name) } }, text);
    this.took = h("span", { class: "num" }, runDuration(run));
    const { deleted } = run;
    fill(
      this.head,
      h(
        "div",
        { class: "run-title" },
        h(
          "h1",
          {},
          run.operation,
          run.marked && h("span", { class: "mark", title: "marked" }, " ★"),
          run.protected && h("span", { class: "muted", title: "protected" }, " ", icon("lock")),
        ),
        h(
          "p",
          { class: "run-facts" },
          statusMark(run.status),
          deleted && h("span", { class: "tag" }, "deleted"),
          h("span", { class: "mono muted", title: run.id }, run.short_id ?? run.id.slice(0, 8)),
          h("span", { class: "muted num", title: "started" }, fullTime(run.started)),
          this.took,
          run.label && h("span", { class: "run-label" }, run.label),
          run.tags?.length > 0 && h("span", {}, tagList(run.tags)),
        ),
      ),
      h(
        "div",
        { class: "run-actions" },
        deleted
          ? action("Restore", "restore")
          : [
              run.status === "running" && action("Stop", "stop"),
              action("Label", "label"),
              action("Tag", "tag"),
              action(run.marked ? "Unmark" : "Mark", run.marked ? "unmark" : "mark"),
              action("Comment", "comment"),
              action("Delete", "delete", "plain delete"),
            ],
      ),
    );
  }

  showTab() {
    const name = TABS.some(([one]) => one === this.route.words[2]) ? this.route.words[2] : "overview";
    if (this.name !== name) {
      this.part?.close?.();
      this.name = name;
      fill(
        this.tabs,
        TABS.map(([one, title]) =>
          h(
            "a",
            {
              role: "tab",
              href: one === "overview" ? runLink(this.id) : runLink(this.id, one),
              "aria-selected": String(one === name),
              "aria-controls": "run-panel",
            },
            title,
          ),
        ),
      );
      this.panel.replaceChildren();
      const Part = TABS.find(([one]) => one === name)[2];
      this.part = new Part(this.panel, this);
    }
    this.part.update(this.run, this.route);
  }

  turn(by) {
    const names = TABS.map(([one]) => one);
    const next = names[(names.indexOf(this.name) + by + names.length) % names.length];
    go(next === "overview" ? ["run", this.id] : ["run", this.id, next]);
  }

  do(action) {
    if (!this.run) return;
    act(action, [this.id], {
      value: action === "label" ? (this.run.label ?? "") : "",
      ask: !/^(un)?mark$/.test(action),
    });
  }

  keyTable() {
    const tab = (name) => () => go(name === "overview" ? ["run", this.id] : ["run", this.id, name]);
    return {
      title: "Run",
      keys: [
        ["],ArrowRight", "next part", () => this.turn(1)],
        ["[,ArrowLeft", "previous part", () => this.turn(-1)],
        ["o", "output", tab("output")],
        ["f", "files", tab("files")],
        ["h", "history", tab("history")],
        ["l", "label", () => this.do("label")],
        ["t", "tag", () => this.do("tag")],
        ["T", "remove a tag", () => this.do("untag")],
        ["m", "mark or unmark", () => this.do(this.run?.marked ? "unmark" : "mark")],
        ["n", "write a comment", () => this.do("comment")],
        ["d", "delete", () => this.do("delete")],
        ["r", "restore", () => this.do("restore")],
        ["Escape", "back to the list", () => go(["runs"])],
      ],
    };
  }
}
