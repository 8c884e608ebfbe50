// The columns that the list can show: attributes, flags and scalars; which ones are shown is kept and can be in the address.

import { get } from "../lib/api.js";
import { h, icon } from "../lib/dom.js";
import { aligned, flag, fullTime, moment, number, runDuration } from "../lib/format.js";
import { check, kept, menu, runLink, statusMark, tagList } from "../lib/parts.js";

/** Each attribute: its title, the width as CSS has it, what to sort by, and its cell. */
const ATTRIBUTES = {
  index: { title: "#", width: "52px", number: true, cell: (run) => run.index ?? "" },
  id: { title: "Run", width: "84px", sort: "id", cls: "id", cell: (run) => run.short_id ?? run.id.slice(0, 8) },
  operation: { title: "Operation", width: "minmax(150px, 1.4fr)", sort: "operation", cls: "op", cell: operation },
  label: { title: "Label", width: "minmax(100px, 1.2fr)", sort: "label", cls: "label", cell: (run) => run.label ?? "" },
  started: {
    title: "Started",
    width: "148px",
    sort: "started",
    cls: "started num",
    cell: (run) => moment(run.started),
    hint: (run) => fullTime(run.started),
  },
  stopped: { title: "Stopped", width: "148px", sort: "stopped", cls: "num", cell: (run) => moment(run.stopped) },
  status: { title: "Status", width: "110px", sort: "status", cls: "state", cell: (run) => statusMark(run.status) },
  duration: {
    title: "Duration",
    width: "78px",
    sort: "duration",
    number: true,
    cls: "took",
    cell: (run) => runDuration(run),
  },
  tags: { title: "Tags", width: "minmax(90px, 0.8fr)", sort: "tag", cell: (run) => tagList(run.tags) },
  comments: {
    title: "Comments",
    width: "86px",
    number: true,
    cell: (run) => (run.comments ? number(run.comments) : ""),
  },
  project: { title: "Project", width: "minmax(120px, 1fr)", sort: "project", cell: (run) => run.project ?? "" },
};

const BEFORE_VALUES = ["id", "operation", "label", "started", "status", "duration"];
const AFTER_VALUES = ["tags"];
const MOST_VALUES = 3;
const LEAST_SHARE = 0.3; // of the runs have what is shown without being asked for

function operation(run) {
  const marks = [
    run.marked && h("span", { class: "mark", title: "marked" }, " ★"),
    run.protected && h("span", { class: "muted", title: "protected" }, " ", icon("lock")),
  ];
  return [h("a", { href: runLink(run.id), tabindex: -1 }, run.operation), ...marks];
}

/** Return the column of a key: an attribute, `flag:NAME` or `scalar:NAME`; `runs` tell how its numbers are written. */
export function column(key, runs) {
  if (ATTRIBUTES[key]) return { key, ...ATTRIBUTES[key] };
  const [kind, ...rest] = key.split(":");
  const name = rest.join(":");
  const common = { key, title: name, width: "92px", number: true, sort: key, cls: "num" };
  if (kind === "flag") return { ...common, width: "82px", cell: (run) => flag(run.flags?.[name]) };
  const isWhole = runs.every(
    (run) =>
      !(name in (run.scalars ?? {})) || !Number.isFinite(run.scalars[name]) || Number.isInteger(run.scalars[name]),
  );
  return { ...common, cell: (run) => (isWhole ? number : aligned)(run.scalars?.[name]) };
}

/** Return the keys that the address says, or that were chosen; null when nobody chose. */
export function chosenKeys(params) {
  const chosen = params.has("cols") ? params.getAll("cols") : kept.get("columns");
  const known = (Array.isArray(chosen) ? chosen : []).filter(
    (key) => typeof key === "string" && (key in ATTRIBUTES || /^(flag|scalar):/.test(key)),
  );
  return known.length ? known : null;
}

/** Return the keys that fit these runs: the flags in which they differ and the scalars that many of them have. */
export function fittingKeys(runs) {
  return [...BEFORE_VALUES, ...common(runs, "flags", "flag"), ...common(runs, "scalars", "scalar"), ...AFTER_VALUES];
}

/** Return the flags or scalars that most of these runs have, a few only. */
function common(runs, field, prefix) {
  const found = new Map();
  for (const run of runs) {
    for (const [name, value] of Object.entries(run[field] ?? {})) {
      if (!found.has(name)) found.set(name, { name, count: 0, values: new Set() });
      found.get(name).count += 1;
      found.get(name).values.add(value);
    }
  }
  return [...found.values()]
    .filter(
      ({ name, count, values }) =>
        name !== "step" &&
        count >= runs.length * LEAST_SHARE &&
        (field === "scalars" || runs.length === 1 || values.size > 1),
    )
    .sort((one, other) => other.count - one.count || one.name.localeCompare(other.name))
    .slice(0, MOST_VALUES)
    .map(({ name }) => `${prefix}:${name}`);
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
  const search = h("input", {
    type: "search",
    placeholder: "Find a flag or scalar",
    "aria-label": "Find a column",
    on: {
      input: () => {
        const wanted = search.value.toLowerCase();
        for (const one of box.querySelectorAll("label")) one.hidden = !one.textContent.toLowerCase().includes(wanted);
      },
    },
  });
  box.append(
    search,
    h("h3", {}, "Attributes"),
    ...Object.entries(ATTRIBUTES).map(([key, { title }]) => line(key, title)),
    values,
    h("button", { type: "button", class: "plain", on: { click: () => list.choose(null) } }, "As at first"),
  );
  get("columns", list.narrowing()).then(
    ({ flags, scalars, more }) => {
      for (const [title, prefix, names] of [
        ["Flags", "flag", flags],
        ["Scalars", "scalar", scalars],
      ]) {
        if (names.length) values.append(h("h3", {}, title), ...names.map((name) => line(`${prefix}:${name}`, name)));
      }
      if (more) values.append(h("p", { class: "muted small" }, "There are more: filter the runs to see theirs."));
    },
    (error) => values.append(h("p", { class: "muted small" }, error.message)),
  );
  return box;
}

/** Keep the order of what was shown; what is new comes in its usual place, flags and scalars before the tags. */
function ordered(before, shown) {
  const keys = before.filter((key) => shown.has(key));
  for (const key of shown) {
    if (keys.includes(key)) continue;
    const usual = Object.keys(ATTRIBUTES).indexOf(key);
    const after =
      usual < 0
        ? keys.findIndex((one) => AFTER_VALUES.includes(one))
        : keys.findIndex((one) => Object.keys(ATTRIBUTES).indexOf(one) > usual);
    if (after < 0) keys.push(key);
    else keys.splice(after, 0, key);
  }
  return keys;
}
