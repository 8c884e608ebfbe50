// What a run is: charts of its scalars, their summaries, flags, attributes, comments.

import { fill, h } from "../lib/dom.js";
import { aligned, bytes, flag, fullTime, moment, number } from "../lib/format.js";
import { link } from "../lib/router.js";
import { Charts } from "./run_charts.js";

export class Overview {
  constructor(host, page) {
    this.page = page;
    this.charts = new Charts(page.id);
    this.summaries = h("section", { class: "panel scroll-x" });
    this.side = h("aside", { class: "run-side" });
    host.append(
      h(
        "div",
        { class: "overview" },
        h("div", { class: "overview-main" }, this.charts.element, this.summaries),
        this.side,
      ),
    );
  }

  close() {
    this.charts.close();
  }
  onSeries() {
    this.charts.soon();
  }
  onTheme() {
    this.charts.redraw();
  }
  onVisible() {
    this.charts.soon();
  }

  update(run) {
    const text = JSON.stringify(run);
    if (text === this.shown) return;
    this.shown = text;
    this.charts.update(run);
    this.showSummaries(run.scalars ?? {});
    fill(this.side, facts("Flags", flagFacts(run)), comments(run), facts("Attributes", attributes(run)));
  }

  showSummaries(scalars) {
    const names = Object.keys(scalars).sort();
    this.summaries.hidden = !names.length;
    const cell = (pair) =>
      h(
        "td",
        { class: "num" },
        pair ? [number(pair[0]), pair[1] !== null && h("span", { class: "at-step" }, ` @${number(pair[1])}`)] : "",
      );
    fill(
      this.summaries,
      h("h2", {}, "Scalars"),
      h(
        "table",
        { class: "rows" },
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            h("th", { scope: "col" }, "Scalar"),
            ["Last", "Least", "Greatest", "Mean", "Values"].map((one) => h("th", { class: "num", scope: "col" }, one)),
          ),
        ),
        h(
          "tbody",
          {},
          names.map((name) => {
            const { last, min, max, mean, count } = scalars[name];
            return h(
              "tr",
              {},
              h("th", { scope: "row" }, name),
              cell(last),
              cell(min),
              cell(max),
              h("td", { class: "num" }, aligned(mean)),
              h("td", { class: "num" }, number(count)),
            );
          }),
        ),
      ),
    );
  }
}

function facts(title, pairs) {
  const shown = pairs.filter(([, value]) => value !== null && value !== undefined && value !== "");
  if (!shown.length) return null;
  return h(
    "section",
    { class: "panel facts" },
    h("h2", {}, title),
    h(
      "dl",
      {},
      shown.map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]),
    ),
  );
}

const flagFacts = (run) =>
  Object.entries(run.flags ?? {})
    .sort(([a], [b]) => a.localeCompare(b))
    .map(([name, value]) => [name, h("span", { class: "num" }, flag(value))]);

function attributes(run) {
  const { sources, git, output, platform } = run;
  const words = Array.isArray(run.command) ? run.command.join(" ") : run.command;
  return [
    ["Id", h("span", { class: "mono" }, run.id)],
    ["Project", run.project],
    ["Package", run.package],
    ["Model", run.model],
    ["Started", fullTime(run.started)],
    ["Stopped", fullTime(run.stopped)],
    ["Exit status", run.exit_status === null || run.exit_status === undefined ? "" : String(run.exit_status)],
    ["Reason", run.reason],
    ["Batch", run.batch ? h("span", { class: "mono" }, String(run.batch).slice(0, 16)) : ""],
    ["Restarted from", run.proto ? runAnchor(run.proto) : ""],
    ["Needs", (run.dependencies ?? []).map((one) => dependency(one))],
    ["Output", output ? `${number(output.lines)} lines, ${bytes(output.bytes)}` : ""],
    ["Source", sources ? `${sources.files} files, ${bytes(sources.bytes)}` : ""],
    ["Digest", sources?.digest ? h("span", { class: "mono", title: sources.digest }, sources.digest.slice(0, 16)) : ""],
    [
      "Git",
      git
        ? h(
            "span",
            { class: "mono" },
            typeof git === "object" ? [git.commit, git.branch].filter(Boolean).join(" ").slice(0, 60) : String(git),
          )
        : "",
    ],
    ["Python", platform?.python],
    ["System", platform?.system],
    ["Directory", run.run_dir ? h("span", { class: "mono" }, run.run_dir) : ""],
    ["Command", words ? h("span", { class: "mono" }, words) : ""],
  ].map(([name, value]) => [name, Array.isArray(value) && !value.length ? "" : value]);
}

const runAnchor = (id) => h("a", { class: "mono", href: link(["run", String(id)]) }, String(id).slice(0, 8));

function dependency(one) {
  if (typeof one !== "object" || one === null) return h("div", {}, String(one));
  const from = String(one.from ?? "");
  return h(
    "div",
    {},
    `${one.resource ?? ""} from `,
    /^[0-9a-f]{32}$/.test(from) ? runAnchor(from) : h("span", { class: "mono" }, from),
  );
}

function comments(run) {
  const list = Array.isArray(run.comments) ? run.comments : [];
  if (!list.length) return null;
  return h(
    "section",
    { class: "panel facts" },
    h("h2", {}, "Comments"),
    h(
      "ol",
      { class: "comments" },
      list.map((one) =>
        h(
          "li",
          {},
          h("p", {}, one.text ?? String(one)),
          h("p", { class: "muted small num" }, [one.actor, moment(one.time ?? one.written)].filter(Boolean).join(", ")),
        ),
      ),
    ),
  );
}
