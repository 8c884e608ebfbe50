// The source code as it was when the run started.

import { get } from "../lib/api.js";
import { failure, notice } from "../lib/dialog.js";
import { fill, h, icon } from "../lib/dom.js";
import { bytes } from "../lib/format.js";
import { numbered } from "../lib/preview.js";
import { link } from "../lib/router.js";

export class Source {
  constructor(host, page) {
    this.page = page;
    this.list = h("div", { class: "panel file-list" });
    this.text = h("div", { class: "panel preview", hidden: true });
    this.element = h("div", { class: "files" }, this.list, this.text);
    host.append(this.element);
    this.load();
  }

  async load() {
    try {
      const { files, count, more } = await get(`runs/${this.page.id}/source`);
      this.known = files;
      if (!files.length) {
        fill(this.element, notice("No source code was kept", "The run has no copy of its project's files."));
        return;
      }
      fill(
        this.list,
        h(
          "table",
          { class: "rows" },
          h(
            "tbody",
            {},
            files.map((entry) =>
              h(
                "tr",
                { data: { path: entry.path } },
                h(
                  "td",
                  {},
                  h(
                    "a",
                    { class: "file", href: link(["run", this.page.id, "source"], { file: entry.path }) },
                    icon("file"),
                    entry.name,
                  ),
                ),
                h("td", { class: "num muted" }, bytes(entry.size)),
              ),
            ),
          ),
        ),
        more && h("p", { class: "muted pad" }, `The first ${files.length} of ${count} files.`),
      );
      this.show(this.wanted ?? "");
    } catch (error) {
      fill(
        this.element,
        failure(error, () => this.page.load()),
      );
    }
  }

  update(_, route) {
    const wanted = route.params.get("file") ?? "";
    if (wanted === this.wanted) return;
    this.wanted = wanted;
    if (this.known) this.show(wanted);
  }

  nameOf(path) {
    return this.known.find((one) => one.path === path)?.name ?? path;
  }

  async show(path) {
    this.element.classList.toggle("both", Boolean(path));
    for (const row of this.list.querySelectorAll("tbody tr"))
      row.toggleAttribute("aria-current", row.dataset.path === path);
    this.text.hidden = !path;
    if (!path) return;
    const body = h("div", { class: "preview-body" }, h("p", { class: "spin" }, "Loading…"));
    fill(this.text, h("div", { class: "preview-head" }, h("h2", { class: "mono" }, this.nameOf(path))), body);
    try {
      const { text, binary, truncated } = await get(`runs/${this.page.id}/source`, { path });
      if (path !== this.wanted) return;
      fill(body, binary ? h("p", { class: "muted pad" }, "This is no text.") : numbered(text));
      if (truncated) body.append(h("p", { class: "muted pad" }, "This is the beginning."));
    } catch (error) {
      fill(body, failure(error, null, true));
    }
  }
}
