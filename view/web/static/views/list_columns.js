// The columns that the list can show: attributes, flags and scalars; which ones are shown is kept and can be in the address.

import { get } from "../lib/api.js";
import { h, icon } from "../lib/dom.js";
import { flag, fullTime, moment, number, runDuration } from "../lib/format.js";
import { check, kept, menu, runLink, statusMark, tagList } from "../lib/parts.js";

/** Each attribute: its title, the width as CSS has it, what to sort by, and its cell. */
const ATTRIBUTES = {
  index: { title: "#", width: "52px", number: true, cell: (run) => (run.index ?? "") },
  id: { title: "Run", width: "92px", sort: "id", cls: "id", cell: (run) => run.short_id ?? run.id.slice(0, 8) },
  operation: { title: "Operation", width: "minmax(150px, 1.4fr)", sort: "operation", cls: "op", cell: operation },
  started: { title: "Started", width: "144px", sort: "started", cls: "started num", cell: (run) => moment(run.started), hint: (run) => fullTime(run.started) },
  stopped: { title: "Stopped", width: "144px", sort: "stopped", cls: "num", cell: (run) => moment(run.stopped) },
  status: { title: "Status", width: "118px", sort: "status", cls: "state", cell: (run) => statusMark(run.status) },
  duration: { title: "Duration", width: "92px", sort: "duration", number: true, cls: "took", cell: (run) => runDuration(run) },
  label: { title: "Label", width: "minmax(130px, 2fr)", sort: "label", cls: "label", cell: (run) => run.label ?? "" },
  tags: { title: "Tags", width: "minmax(90px, 1fr)", sort: "tag", cell: (run) => tagList(run.tags) },
  comments: { title: "Comments", width: "86px", number: true, cell: (run) => (run.comments ? number(run.comments) : "") },
  project: { title: "Project", width: "minmax(120px, 1fr)", sort: "project", cell: (run) => run.project ?? "" },
};

const DEFAULTS = ["id", "operation", "started", "status", "duration", "label", "tags"];
const MOST_VALUES = 3;

function operation(run) {
  const marks = [run.marked && h("span", { class: "mark", title: "marked" }, " ★"), run.protected && h("span", { class: "muted", title: "protected" }, " ", icon("lock"))];
  return [h("a", { href: runLink(run.id), tabindex: -1 }, run.operation), ...marks];
}

/** Return the column of a key: an attribute, `flag:NAME` or `scalar:NAME`. */
export function column(key) {
  if (ATTRIBUTES[key]) return { key, ...ATTRIBUTES[key] };
  const [kind, ...rest] = key.split(":");
  const name = rest.join(":");
  if (kind === "flag") {
    return { key, title: name, width: "104px", number: true, sort: key, cls: "num", cell: (run) => flag(run.flags?.[name]) };
  }
  return { key, title: name, width: "104px", number: true, sort: key, cls: "num", cell: (run) => number(run.scalars?.[name]) };
}

/** Return the keys that the address says, or that were chosen; null when nobody chose. */
export function chosenKeys(params) {
  const chosen = params.get("cols")?.split(",").filter(Boolean).map(decoded) ?? kept.get("columns");
  const known = (Array.isArray(chosen) ? chosen : []).filter((key) => typeof key === "string" && (key in ATTRIBUTES || /^(flag|scalar):/.test(key)));
  return known.length ? known : null;
}

/** Return the keys that fit these runs. */
export function fittingKeys(runs) {
  return [...DEFAULTS.slice(0, 5), ...common(runs, "flags", "flag"), ...common(runs, "scalars", "scalar"), ...DEFAULTS.slice(5)];
}

const decoded = (text) => { try { return decodeURIComponent(text); } catch { return text; } };

/** Return the flags or scalars that most of these runs have, a few only. */
function common(runs, field, prefix) {
  const counts = new Map();
  for (const run of runs) for (const name of Object.keys(run[field] ?? {})) counts.set(name, (counts.get(name) ?? 0) + 1);
  const most = [...counts].filter(([name]) => name !== "step").sort((a, b) => b[1] - a[1] || a[0].localeCompare(b[0]));
  return most.slice(0, MOST_VALUES).map(([name]) => `${prefix}:${name}`);
}

/** Return the button that lets one choose columns. */
export function columnMenu(list) {
  return menu([icon("columns"), "Columns"], () => sheet(list), { right: true });
}

function sheet(list) {
  const box = h("div", {});
  const values = h("div", {});
  const shown = new Set(list.keys);
  const change = (key, on) => {
    if (on) shown.add(key);
    else shown.delete(key);
    list.choose(ordered(list.keys, shown));
  };
  const line = (key, title) => check(title, shown.has(key), (on) => change(key, on), { name: key });
  const search = h("input", { type: "search", placeholder: "Find a flag or scalar", "aria-label": "Find a column", on: {
    input: () => {
      const wanted = search.value.toLowerCase();
      for (const one of box.querySelectorAll("label")) one.hidden = !one.textContent.toLowerCase().includes(wanted);
    },
  } });
  box.append(search, h("h3", {}, "Attributes"), ...Object.entries(ATTRIBUTES).map(([key, { title }]) => line(key, title)), values,
    h("button", { type: "button", class: "plain", on: { click: () => list.choose(null) } }, "As at first"));
  get("columns", list.apiParams()).then(({ flags, scalars, more }) => {
    for (const [title, prefix, names] of [["Flags", "flag", flags], ["Scalars", "scalar", scalars]]) {
      if (names.length) values.append(h("h3", {}, title), ...names.map((name) => line(`${prefix}:${name}`, name)));
    }
    if (more) values.append(h("p", { class: "muted small" }, "There are more: filter the runs to see theirs."));
  }, (error) => values.append(h("p", { class: "muted small" }, error.message)));
  return box;
}

/** Keep the order of what was shown; what is new comes in its usual place, flags and scalars before the label. */
function ordered(before, shown) {
  const keys = before.filter((key) => shown.has(key));
  for (const key of shown) {
    if (keys.includes(key)) continue;
    const usual = Object.keys(ATTRIBUTES).indexOf(key);
    const after = usual < 0 ? keys.findIndex((one) => one === "label" || one === "tags")
      : keys.findIndex((one) => Object.keys(ATTRIBUTES).indexOf(one) > usual);
    if (after < 0) keys.push(key);
    else keys.splice(after, 0, key);
  }
  return keys;
}
