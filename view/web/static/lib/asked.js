// Which runs a page is about: the list and the compare page have these parameters in their addresses, by the same names as
// the server takes them.

const WHERE = ["scope", "place"];
const NARROWING = [
  ...["op", "status", "label", "unlabeled", "tag", "marked", "comment", "started", "digest"],
  ...["filter", "select"],
];

/** Return those of some parameters that say which runs; `more` are names of others that are wanted. */
export function runsOf(params, more = []) {
  const names = [...WHERE, ...NARROWING, ...more].filter((name) => params.has(name));
  return Object.fromEntries(names.map((name) => [name, params.getAll(name)]));
}

/** Return what is asked of the server: without a scope, the runs of the project that there is. */
export function asked(params, config, more = []) {
  return { scope: config.project ? "project" : "all", ...runsOf(params, more) };
}

/** Whether the runs are narrowed down by more than scope and place. */
export const isNarrowed = (params) => NARROWING.some((name) => params.has(name));

/** Return the parameters without what narrows the runs down. */
export function widened(params) {
  const wide = new URLSearchParams(params);
  for (const name of NARROWING) wide.delete(name);
  return wide;
}
