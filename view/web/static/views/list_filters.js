// What narrows the list down: scope, place, status, expression, and more; everything is in the address.

import { get } from "../lib/api.js";
import { fill, h, icon } from "../lib/dom.js";
import { check, choice, field, listen, menu, segments, showIn } from "../lib/parts.js";

const STATUSES = ["running", "completed", "error", "terminated", "staged"];

/** Fields of the second line: parameter, what it is, an example. */
const FIELDS = [
  ["op", "Operation contains", "train"],
  ["label", "Label contains", "best"],
  ["tag", "Has the tag", "baseline"],
  ["comment", "Comment contains", "converged"],
  ["started", "Started", "last 2 hours"],
  ["digest", "Digest of the sources", "b1e9d50e"],
  ["select", "Runs", "0:9 or an id"],
];

export class Filters {
  /** @param {{params: URLSearchParams, project: string, change: Function, tools: *}} list `change(params)` goes there */
  constructor({ params, project, change, tools }) {
    this.params = params;
    this.change = change;
    this.expression = h("input", {
      type: "search",
      id: "filter",
      name: "filter",
      "aria-label": "Filter expression",
      placeholder: "Filter: loss < 0.3 and lr in [0.1, 0.2]",
      autocomplete: "off",
      autocapitalize: "off",
      spellcheck: "false",
      "aria-describedby": "filter-error",
    });
    this.error = h("div", { id: "filter-error", class: "expression-error", role: "alert", hidden: true });
    listen(this.expression, (text) => this.set("filter", text));
    this.scope = segments(
      "Scope",
      [
        ["project", "Project", "Runs of this project"],
        ["all", "All", "Runs of every project"],
      ],
      "project",
      (value) => this.set("scope", value),
    );
    this.scope.hidden = !project;
    this.place = segments(
      "Place",
      [
        ["live", "Runs"],
        ["deleted", "Deleted", "Runs that can be restored"],
      ],
      "live",
      (value) => this.set("place", value === "live" ? null : value),
    );
    this.statusText = h("span", {}, "Status");
    this.status = menu(this.statusText, () => this.statusSheet());
    this.more = h(
      "button",
      { type: "button", "aria-expanded": "false", "aria-controls": "more-filters", on: { click: () => this.expand() } },
      icon("filter"),
      "More",
    );
    this.second = h("div", { class: "line more", id: "more-filters", hidden: true }, this.fields());
    this.element = h(
      "div",
      { class: "filters", role: "search" },
      h(
        "div",
        { class: "line" },
        this.scope,
        this.place,
        h("div", { class: "expression" }, icon("search"), this.expression),
        this.status,
        this.more,
        tools,
      ),
      this.second,
      this.error,
    );
    this.update(params);
  }

  fields() {
    this.inputs = FIELDS.map(([name, title, example]) => field(name, title, example, (text) => this.set(name, text)));
    for (const input of this.inputs)
      if (input.name === "op" || input.name === "tag") input.setAttribute("list", `known-${input.name}`);
    this.marked = this.either("Marked", "marked", "Marked only");
    this.unlabeled = this.either("Labeled", "unlabeled", "Unlabeled only");
    return [this.inputs, this.marked, this.unlabeled];
  }

  /** A choice between all runs and those that have what the address calls `name`. */
  either(title, name, only) {
    const choices = [
      ["", `${title} or not`],
      ["1", only],
    ];
    return choice(title, choices, "", (value) => this.set(name, value));
  }

  set(name, value) {
    const params = new URLSearchParams(this.params);
    if (Array.isArray(value)) {
      params.delete(name);
      for (const one of value) params.append(name, one);
    } else if (value) params.set(name, value);
    else params.delete(name);
    if (params.toString() !== this.params.toString()) this.change(params);
  }

  /** Show what the address says. */
  update(params) {
    this.params = params;
    showIn([this.expression, ...this.inputs], params);
    this.scope.choose(params.get("scope") ?? "project");
    this.place.choose(params.get("place") ?? "live");
    this.marked.value = params.get("marked") ?? "";
    this.unlabeled.value = params.get("unlabeled") ?? "";
    const statuses = params.getAll("status");
    this.statusText.textContent = statuses.length ? statuses.join(", ") : "Any status";
    this.status.button.setAttribute("aria-pressed", String(statuses.length > 0));
    const used = [...FIELDS.map(([name]) => name), "marked", "unlabeled"].filter((name) => params.has(name)).length;
    this.more.lastChild.textContent = used ? `More (${used})` : "More";
    this.more.setAttribute("aria-pressed", String(used > 0));
    if (used && !this.expanded) this.expand();
  }

  expand() {
    this.expanded = !this.expanded;
    this.second.hidden = !this.expanded;
    this.more.setAttribute("aria-expanded", String(this.expanded));
    if (this.expanded && !this.suggested) this.suggest();
  }

  async suggest() {
    this.suggested = true;
    try {
      const { operations, tags } = await get("columns", { scope: this.params.get("scope") ?? "all" });
      const lists = [
        ["known-op", operations],
        ["known-tag", tags],
      ];
      this.second.append(
        ...lists.map(([id, names]) =>
          h(
            "datalist",
            { id },
            names.map((value) => h("option", { value })),
          ),
        ),
      );
    } catch {
      /* without suggestions one types */
    }
  }

  statusSheet() {
    const chosen = new Set(this.params.getAll("status"));
    return STATUSES.map((status) =>
      check(status, chosen.has(status), (on) => {
        if (on) chosen.add(status);
        else chosen.delete(status);
        this.set(
          "status",
          STATUSES.filter((one) => chosen.has(one)),
        );
      }),
    );
  }

  /** Show why the server refused the filters, null when it did not; and which names in the expression no run has. */
  showError(error, unknown = []) {
    const isExpression = error && error.column !== null && this.params.get("filter");
    this.expression.setAttribute("aria-invalid", String(Boolean(isExpression)));
    this.error.hidden = !error && !unknown.length;
    this.error.classList.toggle("mild", !error);
    if (!error) {
      if (unknown.length) fill(this.error, h("p", {}, `No run has ${unknown.join(", ")}.`));
      return;
    }
    fill(
      this.error,
      isExpression && pointed(this.params.get("filter"), error.column),
      h(
        "p",
        {},
        isExpression ? error.message.split("\n")[0] : error.message,
        error.hint && h("span", { class: "muted" }, ` ${error.hint}`),
      ),
    );
  }
}

/** Return an expression with a caret under the place of its mistake. */
function pointed(expression, column) {
  const before = [...expression].slice(0, column).join("").replace(/[^\t]/g, " ");
  return h("pre", {}, `${expression}\n${before}`, h("span", { class: "caret" }, "^"));
}
