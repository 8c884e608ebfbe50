// Where one is in the application: the part of the address after `#`, such as `#/run/1f2e…/files?path=logs`.
// It never reaches the server, and can be shared.

/** Return the place that the address names: its words, and its parameters. */
export function current() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?", 2);
  const words = path.split("/").filter(Boolean).map(decoded);
  return { words: words.length ? words : ["runs"], params: new URLSearchParams(query) };
}

/** Return parameters as they stand in an address: those that are empty are left out, lists repeat. */
export function queryOf(params) {
  const query = new URLSearchParams();
  for (const [name, value] of params instanceof URLSearchParams ? params : Object.entries(params)) {
    if (value === null || value === undefined || value === "" || value === false) continue;
    for (const one of Array.isArray(value) ? value : [value]) query.append(name, one === true ? "1" : one);
  }
  return query;
}

/** Return the address of a place, with its parameters. */
export function link(words, params = {}) {
  const text = readable(queryOf(params).toString());
  return `#/${words.map(encodeURIComponent).join("/")}${text ? `?${text}` : ""}`;
}

/** Go to a place; `replace` does so without a new entry for the back button. */
export function go(words, params = {}, { replace = false } = {}) {
  const hash = link(words, params);
  if (hash === location.hash) return;
  if (replace) {
    history.replaceState(null, "", hash);
    dispatchEvent(new HashChangeEvent("hashchange"));
  } else {
    location.hash = hash;
  }
}

// Commas and colons need no escaping after `#`, and a list of ids reads better with them.
const readable = (text) => text.replaceAll("%2C", ",").replaceAll("%3A", ":");

/** Return a word without its escapes; one that is not escaped well stays as it is. */
export function decoded(word) {
  try {
    return decodeURIComponent(word);
  } catch {
    return word;
  }
}
