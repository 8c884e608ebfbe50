// The life of a run: what happened, when, by whom, oldest first.

import { get } from "../lib/api.js";
import { failure } from "../lib/dialog.js";
import { fill, h, throttle } from "../lib/dom.js";
import { fullTime } from "../lib/format.js";
import { link } from "../lib/router.js";

export class History {
  constructor(host, page) {
    this.page = page;
    this.element = h("div", { class: "panel scroll-x" });
    host.append(this.element);
    this.soon = throttle(() => this.load(), 500);
  }

  close() {
    this.soon.cancel();
  }
  update() {
    this.soon();
  }

  async load() {
    try {
      const { events } = await get(`runs/${this.page.id}/history`);
      fill(this.element, h("ol", { class: "history" }, events.map(line)));
    } catch (error) {
      if (!this.element.children.length)
        fill(
          this.element,
          failure(error, () => this.load(), true),
        );
    }
  }
}

function line(one) {
  const turned = [one.undoes && `takes back ${one.undoes}`, one.undone_by && `taken back by ${one.undone_by}`]
    .filter(Boolean)
    .join(", ");
  return h(
    "li",
    {},
    h("span", { class: "num muted when" }, fullTime(one.time)),
    h(
      "div",
      {},
      h("p", { class: "what" }, one.text, turned && h("span", { class: "tag" }, turned)),
      h(
        "p",
        { class: "muted small" },
        `${one.actor}@${one.host}  `,
        h("span", { class: "mono" }, one.command.join(" ")),
        "  ",
        h("a", { class: "num", href: link(["log"], { at: one.seq }) }, `#${one.seq}`),
      ),
    ),
  );
}
