// The application: its frame, which view is shown, the keys that work everywhere, and what is said when the server is gone.

import { undoLast } from "./lib/actions.js";
import { get } from "./lib/api.js";
import { ask, cancelButton, failure } from "./lib/dialog.js";
import { fill, h, icon, svg } from "./lib/dom.js";
import { keyGroups, setKeys } from "./lib/keys.js";
import { live } from "./lib/live.js";
import { current, go, link } from "./lib/router.js";
import { selection } from "./lib/selection.js";

/** Each view: its module is loaded when it is first shown. */
const VIEWS = {
  runs: async () => (await import("./views/list.js")).ListView,
  run: async () => (await import("./views/run.js")).RunView,
  compare: async () => (await import("./views/compare.js")).CompareView,
  log: async () => (await import("./views/log.js")).LogView,
};
const NAVIGATION = [
  ["runs", "Runs"],
  ["compare", "Compare"],
  ["log", "Log"],
];

const host = document.getElementById("main");
const banner = document.getElementById("banner");

const app = {
  config: null,
  view: null,
  name: "",
  key: "",
  turn: 0,

  async start() {
    try {
      this.config = await get("config");
    } catch (error) {
      fill(
        host,
        failure(error, () => this.start()),
      );
      return;
    }
    this.frame();
    // What the command line asked for is where a page without a place of its own begins.
    if (!location.hash && this.config.query) go(["runs"], new URLSearchParams(this.config.query), { replace: true });
    addEventListener("hashchange", () => this.show());
    addEventListener("guild-changed", (event) => this.view?.onLedger?.(event.detail));
    addEventListener("guild-theme", () => this.view?.onTheme?.());
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) this.view?.onVisible?.();
    });
    live.addEventListener("ledger", (event) => this.view?.onLedger?.(event.detail));
    live.addEventListener("output", (event) => this.view?.onOutput?.(event.detail));
    live.addEventListener("series", (event) => this.view?.onSeries?.(event.detail));
    live.addEventListener("hello", ({ detail: { seq } }) => {
      if (seq > (this.view?.seq ?? seq)) this.view.onLedger({ runs: [], more: true });
    });
    live.addEventListener("state", () => this.tellState());
    live.addEventListener("trouble", ({ detail: { error, hint } }) => this.warn(error, hint ?? ""));
    live.addEventListener("ledger", () => {
      if (live.state === "live") banner.hidden = true;
    });
    await this.show();
    // The other views are loaded while nobody waits: they open at once then, and even when the server has gone meanwhile.
    setTimeout(() => {
      for (const load of Object.values(VIEWS)) load().catch(() => {});
    }, 600);
  },

  frame() {
    const mark = svg(
      "svg",
      { viewBox: "0 0 32 32", "aria-hidden": "true" },
      svg("rect", { width: 32, height: 32, rx: 7, fill: "#3a57c4" }),
      svg("path", {
        d: "M8 22.5 13 15l4 4 7-10",
        fill: "none",
        stroke: "#fff",
        "stroke-width": 2.6,
        "stroke-linecap": "round",
        "stroke-linejoin": "round",
      }),
      svg("circle", { cx: 24, cy: 9, r: 2.6, fill: "#fff" }),
    );
    this.links = NAVIGATION.map(([name, title]) => h("a", { href: link([name]), data: { name } }, title));
    this.state = h("span", { class: "live", data: { state: "starting" } }, h("span", {}, "…"));
    const where = this.config.project ?? this.config.cwd ?? "";
    fill(
      document.getElementById("top"),
      h(
        "a",
        { class: "brand", href: link(["runs"]), "aria-label": "Guild: the list of runs" },
        mark,
        h("span", {}, "Guild"),
      ),
      h("nav", { "aria-label": "Views" }, this.links),
      h("span", { class: "where", title: where }, h("bdi", {}, where)),
      this.state,
      h(
        "div",
        { class: "tools" },
        h(
          "button",
          {
            type: "button",
            class: "plain icon",
            id: "theme",
            "aria-label": "Dark or light",
            title: "Dark or light",
            on: { click: () => window.guildTheme.toggle() },
          },
          icon("moon"),
        ),
        h(
          "button",
          {
            type: "button",
            class: "plain icon",
            id: "help",
            "aria-label": "Keys",
            title: "Keys (?)",
            on: { click: () => this.help() },
          },
          icon("help"),
        ),
      ),
    );
  },

  /** Show the view of the address: the one there is, told of its new parameters, or a new one. */
  async show() {
    const route = current();
    const [name] = route.words;
    if (!(name in VIEWS)) {
      go(["runs"], {}, { replace: true });
      return;
    }
    for (const one of this.links) one.toggleAttribute("aria-current", false);
    this.links
      .find((one) => one.dataset.name === (name === "run" ? "runs" : name))
      ?.setAttribute("aria-current", "page");
    const key = name === "run" ? `run/${route.words[1]}` : name;
    if (this.view && this.key === key) {
      this.view.update(route);
      this.retitle();
      return;
    }
    const turn = (this.turn += 1);
    let View;
    try {
      View = await VIEWS[name]();
    } catch {
      if (turn === this.turn)
        fill(
          host,
          failure(
            {
              message: "This part of the page could not be loaded.",
              hint: "The server may have been stopped or upgraded: load the page again.",
            },
            () => location.reload(),
          ),
        );
      return;
    }
    if (turn !== this.turn) return;
    this.view?.close();
    host.replaceChildren();
    host.scrollTop = 0;
    if (name !== "run") live.follow();
    this.key = key;
    this.view = new View(host, current(), this);
    this.keys();
    this.retitle();
  },

  retitle() {
    document.title = `${this.view.title} · Guild`;
  },

  keys() {
    setKeys(
      [
        this.view.keyTable?.(),
        {
          title: "Everywhere",
          keys: [
            ["g l", "go to the list", () => go(["runs"])],
            [
              "g c",
              "go to compare, with the chosen runs",
              () => go(["compare"], { ids: selection.list().slice(0, 500).join(",") }),
            ],
            ["g a", "go to the audit log", () => go(["log"])],
            ["D", "dark or light", () => window.guildTheme.toggle()],
            ["u", "undo the last change made here", undoLast],
            ["?", "this help", () => this.help()],
          ],
        },
      ].filter(Boolean),
    );
  },

  help() {
    const names = { ArrowDown: "↓", ArrowUp: "↑", ArrowLeft: "←", ArrowRight: "→", Escape: "Esc", " ": "Space" };
    const key = (name) =>
      h(
        "span",
        { class: "keys" },
        (name === " " ? [" "] : name.split(/[ +]/)).map((one) => h("kbd", {}, names[one] ?? one)),
      );
    const groups = keyGroups().map(({ title, keys }) =>
      h(
        "section",
        {},
        h("h2", {}, title),
        h(
          "dl",
          { class: "keylist" },
          keys.map(([keysOf, does]) => [
            h(
              "dt",
              {},
              keysOf.split(",").map((one, place) => [place ? " or " : "", key(one)]),
            ),
            h("dd", {}, does),
          ]),
        ),
      ),
    );
    ask({ title: "Keys", body: groups, buttons: cancelButton("Close") });
  },

  tellState() {
    const { state, error } = live;
    this.state.dataset.state = state;
    fill(this.state, h("span", {}, state === "live" ? "Live" : "Not live"));
    this.state.title =
      state === "live" ? "What happens is shown as it happens" : "The server does not tell what happens";
    banner.hidden = true;
    if (state === "lost" && error) this.warn(error.message, error.hint);
  },

  warn(message, hint) {
    banner.hidden = false;
    fill(
      banner,
      h("p", {}, h("strong", {}, message), ` ${hint} What you see may be out of date.`),
      h("button", { type: "button", on: { click: () => live.retry() } }, "Try again"),
    );
  },
};

app.start();
