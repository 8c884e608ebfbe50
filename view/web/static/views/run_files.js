// The files that a run left behind, with previews.

import { get } from "../lib/api.js";
import { failure, notice } from "../lib/dialog.js";
import { fill, h, icon } from "../lib/dom.js";
import { bytes, moment } from "../lib/format.js";
import { decoded, link } from "../lib/router.js";
import { preview } from "../lib/preview.js";

export class Files {
  constructor(host, page) {
    this.page = page;
    this.list = h("div", { class: "panel file-list" });
    this.preview = h("div", { class: "panel preview" });
    host.append(h("div", { class: "files" }, this.list, this.preview));
  }

  update(run, route) {
    const path = route.params.get("path") ?? "";
    const file = route.params.get("file") ?? "";
    const isRunning = run.status === "running";
    if (path !== this.path || isRunning || this.wasRunning) this.load(path, file);
    else if (file !== this.file) this.show(file);
    this.wasRunning = isRunning;
  }

  async load(path, file) {
    const isNew = path !== this.path;
    this.path = path;
    try {
      const { entries } = await get(`runs/${this.page.id}/files`, { path });
      if (path !== this.path) return;
      this.entries = entries;
      this.showList(entries);
      if (isNew || file !== this.file) this.show(file);
    } catch (error) {
      fill(
        this.list,
        failure(error, () => this.load(path, file), true),
      );
    }
  }

  address(params) {
    return link(["run", this.page.id, "files"], params);
  }

  showList(entries) {
    const parts = this.path.split("/").filter(Boolean);
    const crumbs = parts.map((part, place) => [
      " / ",
      h("a", { href: this.address({ path: parts.slice(0, place + 1).join("/") }) }, decoded(part)),
    ]);
    fill(
      this.list,
      h("p", { class: "crumbs mono" }, h("a", { href: this.address({}) }, "run directory"), crumbs),
      entries.length
        ? h(
            "table",
            { class: "rows" },
            h(
              "thead",
              {},
              h(
                "tr",
                {},
                ["Name", "Size", "Changed"].map((one) =>
                  h("th", { scope: "col", class: one === "Name" ? null : "num" }, one),
                ),
              ),
            ),
            h(
              "tbody",
              {},
              entries.map((entry) => this.row(entry)),
            ),
          )
        : notice("No files", "", { inline: true }),
    );
  }

  row(entry) {
    const to =
      entry.kind === "dir" ? this.address({ path: entry.path }) : this.address({ path: this.path, file: entry.path });
    return h(
      "tr",
      { "aria-current": entry.path === this.file ? "true" : null, data: { path: entry.path } },
      h(
        "td",
        {},
        h(
          "a",
          { class: "file", href: to },
          icon(entry.kind === "dir" ? "folder" : entry.kind === "link" ? "link" : "file"),
          entry.name,
        ),
      ),
      h("td", { class: "num muted" }, entry.kind === "dir" ? "" : bytes(entry.size)),
      h("td", { class: "num muted" }, moment(entry.modified)),
    );
  }

  show(path) {
    this.file = path;
    for (const row of this.list.querySelectorAll("tbody tr"))
      row.toggleAttribute("aria-current", row.dataset.path === path);
    const entry = this.entries?.find((one) => one.path === path);
    this.preview.hidden = !path;
    this.preview.parentElement.classList.toggle("both", Boolean(path));
    if (path) preview(this.preview, this.page.id, path, entry);
  }
}
