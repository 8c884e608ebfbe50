// What is in a file, shown so that it can do nothing: text as text, pictures as pictures, pages in a sealed frame.

import { direct, get } from "./api.js";
import { table } from "./csv.js";
import { failure } from "./dialog.js";
import { fill, h } from "./dom.js";
import { bytes } from "./format.js";

const MOST_TEXT = 262_144;
const MOST_ROWS = 300;
const PAGE = /\.(html?|xhtml|svg)$/i;
const TABLE = /\.(csv|tsv)$/i;

/** Fill a place with a preview of a file of a run. */
export async function preview(place, id, path, entry) {
  const raw = direct(`runs/${id}/file`, { path });
  const name = entry?.name ?? path.split("/").at(-1);
  const head = h(
    "div",
    { class: "preview-head" },
    h("h2", { class: "mono" }, name),
    h("span", { class: "muted small num" }, bytes(entry?.size)),
    h("a", { class: "button", href: raw, download: name }, "Download"),
  );
  const body = h("div", { class: "preview-body" });
  fill(place, head, body);
  if (entry?.preview === "image" && !PAGE.test(name)) {
    body.append(h("img", { src: raw, alt: name }));
  } else if (PAGE.test(name)) {
    // No word in `sandbox`: no scripts, no forms, no same origin; the server seals its answer as well.
    body.append(
      h("iframe", {
        sandbox: "",
        src: direct(`runs/${id}/file`, { path, show: "1" }),
        title: name,
        referrerpolicy: "no-referrer",
        loading: "lazy",
      }),
    );
  } else {
    await previewText(body, id, path, TABLE.test(name));
  }
}

async function previewText(body, id, path, isTable) {
  body.append(h("p", { class: "spin" }, "Loading…"));
  try {
    const { text, truncated, binary } = await get(`runs/${id}/text`, { path, limit: MOST_TEXT });
    if (binary) fill(body, h("p", { class: "muted pad" }, "This is no text: download it to look at it."));
    else if (isTable) fill(body, tableOf(table(text, MOST_ROWS)));
    else fill(body, numbered(text));
    if (truncated)
      body.append(h("p", { class: "muted pad" }, "This is the beginning; download the file for all of it."));
  } catch (error) {
    fill(body, failure(error, null, true));
  }
}

/** Return text with the numbers of its lines beside it. */
export function numbered(text) {
  const lines = text.replace(/\n$/, "").split("\n");
  return h(
    "div",
    { class: "code" },
    h("pre", { class: "line-numbers", "aria-hidden": "true" }, lines.map((_, place) => place + 1).join("\n")),
    h("pre", { tabindex: 0 }, text),
  );
}

function tableOf([head = [], ...rows]) {
  const isNumber = (cell) => cell !== "" && Number.isFinite(Number(cell));
  const cls = (cell) => (isNumber(cell) ? "num" : null);
  return h(
    "div",
    { class: "scroll-x", tabindex: 0 },
    h(
      "table",
      { class: "rows" },
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          head.map((cell, place) =>
            h("th", { class: rows.length && isNumber(rows[0][place] ?? "") ? "num" : null, scope: "col" }, cell),
          ),
        ),
      ),
      h(
        "tbody",
        {},
        rows.map((row) =>
          h(
            "tr",
            {},
            row.map((cell) => h("td", { class: cls(cell) }, cell)),
          ),
        ),
      ),
    ),
  );
}
