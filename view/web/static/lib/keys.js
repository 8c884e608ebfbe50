// The keyboard. A view gives a table of keys; while somebody types in a field or a dialog is open, keys mean letters.

const PATIENCE = 900;
let tables = [];
let waiting = "";
let timer = 0;

/**
 * Set what keys do.
 * @param {Array<{title: string, keys: Array<[string, string, Function]>}>} groups each key as `x`, `ArrowDown`,
 *   `Shift+X` or the sequence `g l`; several for one thing are separated by commas; then what it does, in words
 */
export function setKeys(groups) {
  tables = groups;
}

/** Return the groups as they were set, for the help. */
export const keyGroups = () => tables;

function isTyping(target) {
  if (!(target instanceof Element)) return false;
  if (target.isContentEditable || target.matches("textarea, select")) return true;
  return target.matches("input") && !["checkbox", "radio", "range", "button"].includes(target.type);
}

function find(name) {
  for (const { keys } of tables) {
    for (const [names, , action] of keys) if (names.split(",").includes(name)) return action;
  }
  return null;
}

const begins = (name) =>
  tables.some(({ keys }) => keys.some(([names]) => names.split(",").some((one) => one.startsWith(`${name} `))));

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (document.querySelector("dialog[open]")) return;
  if (isTyping(event.target)) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  // A focused button or link keeps Enter and space for itself; arrows belong to a slider.
  if ((event.key === "Enter" || event.key === " ") && event.target.closest?.("button, a, input, summary")) return;
  if (event.key.startsWith("Arrow") && event.target.matches?.("input")) return;
  const pressed = event.shiftKey && event.key.length > 1 ? `Shift+${event.key}` : event.key;
  const name = waiting ? `${waiting} ${pressed}` : pressed;
  clearTimeout(timer);
  waiting = "";
  const action = find(name);
  if (action) {
    event.preventDefault();
    action(event);
  } else if (begins(name)) {
    event.preventDefault();
    waiting = name;
    timer = setTimeout(() => {
      waiting = "";
    }, PATIENCE);
  }
});
