// What can be done to runs: shown first (the same plan as on the command line), then done as one transaction, with the
// way back at hand.

import { get, post } from "./api.js";
import { ask, cancelButton, toast, toastError } from "./dialog.js";
import { debounce, fill, h } from "./dom.js";
import { bytes, counted, fullTime } from "./format.js";
import { statusMark } from "./parts.js";

/** What each action is called, and what it asks for. */
const ACTIONS = {
  label: { title: "Label", button: "Set the label", field: "Label", note: "An empty label clears it.", empty: true },
  tag: { title: "Tag", button: "Add the tag", field: "Tag", suggest: "tags" },
  untag: { title: "Remove a tag", button: "Remove the tag", field: "Tag", suggest: "tags" },
  comment: { title: "Comment", button: "Write the comment", field: "Comment", long: true },
  mark: { title: "Mark", button: "Mark" },
  unmark: { title: "Unmark", button: "Unmark" },
  protect: { title: "Protect", button: "Protect" },
  unprotect: { title: "Lift the protection", button: "Lift it" },
  delete: { title: "Delete", button: "Delete", danger: true },
  restore: { title: "Restore", button: "Restore" },
  stop: { title: "Stop", button: "Stop", danger: true },
};

let last = null; // the sequence number of the transaction that `u` takes back

/** Tell every view that something was changed here, before the server's own news of it arrives. */
function changed(ids) {
  dispatchEvent(new CustomEvent("guild-changed", { detail: { runs: ids } }));
}

/**
 * Ask about an action and do it.
 * @param {string} action one of ACTIONS
 * @param {string[]} ids
 * @param {{value?: string, ask?: boolean}} options the text that the field begins with; whether to ask at all
 * @returns {Promise<boolean>} whether it was done
 */
export async function act(action, ids, { value = "", ask: asks = true } = {}) {
  if (!ids.length) return false;
  if (!asks)
    return perform(action, ids, undefined).catch((error) => {
      toastError(error);
      return false;
    });
  return Boolean(await ask(dialogOf(action, ids, value)));
}

async function perform(action, ids, value, versions) {
  const done = await post("actions", { action, ids, value, versions });
  finished(done, "Undo");
  changed(ids);
  return true;
}

function finished(done, label) {
  const { undo, said, warnings = [] } = done;
  last = undo ?? null;
  const text = [said, ...warnings].filter(Boolean).join(" ");
  toast(text || "Done.", { label, action: undo ? () => takeBack(undo, label === "Undo" ? "Redo" : "Undo") : null });
}

/** Take a transaction back, or put it into effect again; `next` is what can be done about that afterwards. */
async function takeBack(seq, next = "Redo") {
  try {
    const done = await post("undo", { seq });
    finished(done, next);
    changed([]);
    return true;
  } catch (error) {
    toastError(error);
    return false;
  }
}

/** Take back what was done last from this page. */
export function undoLast() {
  if (last) takeBack(last);
  else toast("Nothing was changed from this page that could be taken back. The log shows every change.");
}

/**
 * Ask whether to take a transaction back, or to put it into effect again, and do it.
 * @param {{seq: number, summary: string, actor: string, host: string, count?: number}} txn as the log tells it
 * @param {"Undo"|"Redo"} word
 */
export async function askToTakeBack(txn, word) {
  const yes = h("button", { type: "submit", class: "main", autofocus: true }, word);
  const done = await ask({
    title: `${word} transaction ${txn.seq}`,
    body: [
      h("p", { class: "question" }, `${txn.summary}, by ${txn.actor}@${txn.host} on ${fullTime(txn.time)}`),
      h("p", { class: "muted small" }, "This is recorded as a transaction of its own, which can be undone as well."),
    ],
    buttons: [cancelButton(), yes],
    onSubmit: async (_, close) => {
      yes.disabled = true;
      if (await takeBack(txn.seq, word === "Redo" ? "Undo" : "Redo")) close(true);
      else yes.disabled = false;
    },
  });
  return Boolean(done);
}

function showFailure(failed, plan, error) {
  plan.replaceChildren();
  failed.hidden = false;
  failed.textContent = [error.message, error.hint].filter(Boolean).join("\n");
}

function showPlan(plan, preview) {
  const runs = preview.runs ?? [];
  const rest = (preview.count ?? runs.length) - runs.length;
  const more = rest > 0 && h("p", { class: "muted small" }, `and ${counted(rest, "other run")}`);
  const warnings = (preview.warnings ?? []).map((line) => h("p", { class: "warning small" }, line));
  const size =
    preview.bytes !== null &&
    preview.bytes !== undefined &&
    h("p", { class: "muted small" }, `Their directories hold ${bytes(preview.bytes)}.`);
  fill(
    plan,
    h("p", { class: "question" }, runs.length ? preview.question : "All of them are as wanted already."),
    warnings,
    runs.length > 0 &&
      h(
        "ul",
        { class: "preview-runs", tabindex: 0, "aria-label": "The runs" },
        runs.map((run) => runLine(run, preview.details?.[run.id])),
      ),
    more,
    size,
  );
}

function runLine(run, details = []) {
  return h(
    "li",
    {},
    h("span", { class: "mono muted" }, run.short_id ?? run.id.slice(0, 8)),
    h("span", {}, run.operation, run.label ? h("span", { class: "muted" }, `  ${run.label}`) : null),
    statusMark(run.status),
    details.map((line) => h("span", { class: "detail muted" }, line)),
  );
}

function dialogOf(action, ids, value) {
  const what = ACTIONS[action];
  const field = fieldOf(what, value);
  const plan = h("div", { class: "plan" }, h("p", { class: "muted" }, "Looking…"));
  const failed = h("p", { class: "failed", role: "alert", hidden: true });
  const yes = h("button", { type: "submit", class: what.danger ? "danger" : "main", disabled: true }, what.button);
  const state = { asked: 0 };
  const look = async (heading) => {
    const turn = (state.asked += 1);
    const text = field?.input.value;
    if (field && !what.empty && !text.trim()) {
      yes.disabled = true;
      fill(plan, h("p", { class: "muted" }, `${counted(ids.length, "run")} chosen.`));
      return;
    }
    try {
      const preview = await post("actions/preview", { action, ids, value: text });
      if (turn !== state.asked) return;
      failed.hidden = true;
      yes.disabled = !preview.runs?.length;
      state.versions = preview.versions; // what changes from now on was not agreed to
      heading.textContent = `${what.title} ${counted(preview.count ?? ids.length, "run")}`;
      showPlan(plan, preview);
      if (!field && document.activeElement?.tagName !== "BUTTON") yes.focus();
    } catch (error) {
      if (turn !== state.asked) return;
      yes.disabled = true;
      showFailure(failed, plan, error);
    }
  };
  return {
    title: `${what.title} ${counted(ids.length, "run")}`,
    body: [field?.label, plan, failed],
    buttons: [cancelButton(), yes],
    onOpen: async ({ heading }) => {
      field?.input.select();
      field?.input.addEventListener(
        "input",
        debounce(() => look(heading), 200),
      );
      if (field && what.suggest) suggest(field, what.suggest);
      await look(heading);
      if (!field) yes.focus();
    },
    onSubmit: async (_, close) => {
      if (field && !what.empty && !field.input.value.trim()) return;
      yes.disabled = true;
      try {
        await perform(action, ids, field?.input.value, state.versions);
        close(true);
      } catch (error) {
        yes.disabled = false;
        failed.hidden = false;
        failed.textContent = [error.message, error.hint].filter(Boolean).join("\n");
      }
    },
  };
}

function fieldOf(what, value) {
  if (!what.field) return null;
  const input = what.long
    ? h("textarea", { rows: 4, name: "value", autofocus: true, value })
    : h("input", {
        type: "text",
        name: "value",
        autocomplete: "off",
        autofocus: true,
        value,
        list: what.suggest ? "suggestions" : null,
      });
  return { input, label: h("label", {}, what.field, input, what.note && h("span", {}, what.note)) };
}

async function suggest(field, kind) {
  try {
    const names = (await get("columns", { scope: "all" }))[kind];
    field.label.append(
      h(
        "datalist",
        { id: "suggestions" },
        names.map((name) => h("option", { value: name })),
      ),
    );
  } catch {
    /* without suggestions one types */
  }
}
