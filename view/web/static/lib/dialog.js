// Dialogs and toasts. The browser's own <dialog> keeps the focus inside and gives it back afterwards.

import { h } from "./dom.js";

/**
 * Show a dialog until it is answered.
 * @param {{title: string, body: *, buttons: *, onOpen?: Function, onSubmit?: Function}} what `onSubmit(form, close)` may
 *   return a promise; the dialog stays open until `close(value)` is called
 * @returns {Promise<*>} what it was closed with; null when it was left
 */
export function ask({ title, body, buttons, onOpen, onSubmit }) {
  return new Promise((resolve) => {
    const heading = h("h1", { id: "dialog-title" }, title);
    const form = h(
      "form",
      { method: "dialog" },
      h("header", {}, heading),
      h("div", { class: "body", tabindex: 0 }, body),
      buttons && h("footer", {}, buttons),
    );
    const dialog = h("dialog", { "aria-labelledby": "dialog-title" }, form);
    let answer = null;
    const close = (value = null) => {
      answer = value;
      dialog.close();
    };
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (onSubmit) onSubmit(form, close);
      else close(true);
    });
    dialog.addEventListener("click", (event) => {
      if (event.target === dialog) close();
    });
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(answer);
    });
    document.body.append(dialog);
    dialog.showModal();
    onOpen?.({ dialog, form, close, heading });
  });
}

/** Return the button that leaves a dialog. */
export function cancelButton(text = "Cancel") {
  return h("button", { type: "button", on: { click: (event) => event.target.closest("dialog").close() } }, text);
}

const SHOWN_FOR = 9000;

/** Tell something for a while at the edge of the page, with a button when there is something to do about it. */
export function toast(text, { action = null, label = "Undo", kind = "done" } = {}) {
  const box = h("div", { class: "toast", data: { kind } }, h("p", {}, text));
  let timer = 0;
  const leave = () => {
    clearTimeout(timer);
    box.remove();
  };
  const stay = () => clearTimeout(timer);
  const go = () => {
    stay();
    timer = setTimeout(leave, kind === "error" ? SHOWN_FOR * 2 : SHOWN_FOR);
  };
  if (action)
    box.append(
      h(
        "button",
        {
          type: "button",
          on: {
            click: () => {
              leave();
              action();
            },
          },
        },
        label,
      ),
    );
  box.append(h("button", { type: "button", "aria-label": "Dismiss", on: { click: leave } }, "×"));
  box.addEventListener("pointerenter", stay);
  box.addEventListener("pointerleave", go);
  box.addEventListener("focusin", stay);
  box.addEventListener("focusout", go);
  const all = document.getElementById("toasts");
  all.append(box);
  while (all.children.length > 3) all.firstChild.remove();
  go();
  return leave;
}

/** Tell a failure. */
export function toastError(error) {
  if (error?.name === "AbortError") return;
  toast([error.message, error.hint].filter(Boolean).join(" "), { kind: "error" });
}

/** Return a notice that fills a place: nothing here, or what went wrong, with a way on. */
export function notice(title, text = "", { retry = null, label = "Try again", inline = false } = {}) {
  return h(
    "div",
    { class: inline ? "notice inline" : "notice" },
    h("h2", {}, title),
    text && h("p", {}, text),
    retry && h("button", { type: "button", on: { click: retry } }, label),
  );
}

/** Return a notice of a failure. */
export function failure(error, retry = null, inline = false) {
  return notice(error.message, error.hint || "", { retry, inline });
}
