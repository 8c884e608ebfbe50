// Small things that several views show.

import { debounce, h, icon } from "./dom.js";
import { link } from "./router.js";

/** Return a status: a dot whose shape and colour say how it went, and the word. */
export function statusMark(status) {
  return h("span", { class: "status", data: { status } }, status ?? "");
}

/** Return the address of a run's page. */
export const runLink = (id, ...rest) => link(["run", id, ...rest]);

/** Return tags. */
export const tagList = (tags = []) => tags.map((tag) => h("span", { class: "tag", title: tag }, tag));

/** Return a row of buttons of which one is pressed. */
export function segments(label, options, chosen, onChoose) {
  const box = h("div", { class: "segments", role: "group", "aria-label": label });
  const show = (value) => {
    for (const button of box.children) button.setAttribute("aria-pressed", String(button.dataset.value === value));
  };
  for (const [value, text, title] of options) {
    const pick = () => {
      show(value);
      onChoose(value);
    };
    box.append(h("button", { type: "button", title: title ?? null, data: { value }, on: { click: pick } }, text));
  }
  show(chosen);
  box.choose = show;
  return box;
}

/**
 * Return a button with a sheet that drops from it; `build(close)` makes what is in it each time it opens.
 * Escape and a click elsewhere close it.
 */
export function menu(content, build, { right = false, label = null, cls = "" } = {}) {
  const button = h(
    "button",
    { type: "button", class: cls, "aria-haspopup": "true", "aria-expanded": "false", "aria-label": label },
    content,
    icon("chevron"),
  );
  const box = h("div", { class: right ? "menu right" : "menu" }, button);
  let sheet = null;
  const outside = (event) => {
    if (!box.contains(event.target)) close();
  };
  const escape = (event) => {
    if (event.key !== "Escape") return;
    event.preventDefault();
    close();
    button.focus();
  };
  function close() {
    sheet?.remove();
    sheet = null;
    button.setAttribute("aria-expanded", "false");
    document.removeEventListener("pointerdown", outside, true);
    box.removeEventListener("keydown", escape);
  }
  function open() {
    sheet = h("div", { class: "sheet" }, build(close));
    box.append(sheet);
    button.setAttribute("aria-expanded", "true");
    document.addEventListener("pointerdown", outside, true);
    box.addEventListener("keydown", escape);
    const { right: edge } = sheet.getBoundingClientRect();
    if (edge > innerWidth - 8) sheet.style.setProperty("margin-left", `${innerWidth - 8 - edge}px`);
    sheet.querySelector("input, button, select")?.focus();
  }
  button.addEventListener("click", () => (sheet ? close() : open()));
  box.button = button;
  return box;
}

/** Return a check box with its text. */
export function check(text, checked, onChange, props = {}) {
  const input = h("input", { type: "checkbox", checked, ...props, on: { change: () => onChange(input.checked) } });
  return h("label", {}, input, text);
}

/** Return a choice between options, each [value, text]. */
export function choice(label, options, chosen, onChoose) {
  const select = h(
    "select",
    { "aria-label": label, on: { change: () => onChoose(select.value) } },
    options.map(([value, text]) => h("option", { value }, text)),
  );
  select.value = chosen;
  return select;
}

const TYPED_PAUSE = 450;

/** Call `onText(text)` when somebody pauses while typing in a field, or is done with it. */
export function listen(input, onText) {
  const typed = debounce(() => onText(input.value.trim()), TYPED_PAUSE);
  input.addEventListener("input", typed);
  input.addEventListener("change", () => {
    typed.cancel();
    onText(input.value.trim());
  });
}

/** Return a field of a filter, which says itself what it is; see `listen`. */
export function field(name, title, example, onText) {
  const input = h("input", {
    type: "search",
    name,
    "aria-label": title,
    placeholder: title,
    title: `For example: ${example}`,
    autocomplete: "off",
  });
  listen(input, onText);
  return input;
}

/** Show what the address says in fields; not in the one in which somebody types. */
export function showIn(inputs, params) {
  for (const input of inputs)
    if (document.activeElement !== input) input.value = params.get(input.name) ?? "";
}

/** Keep something small for the next visit. */
export const kept = {
  get(name, other = null) {
    try {
      return JSON.parse(localStorage.getItem(`guild.${name}`)) ?? other;
    } catch {
      return other;
    }
  },
  set(name, value) {
    try {
      localStorage.setItem(`guild.${name}`, JSON.stringify(value));
    } catch {
      /* it is chosen again next time */
    }
  },
};
