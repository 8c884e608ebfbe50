// Output as terminals show it, made safe: colours and weights are kept, whatever else a terminal would obey is left out.

import { h } from "./dom.js";

// CSI sequences; OSC, DCS and their like up to their end; two-character escapes; control characters but tab and newline.
// eslint-disable-next-line no-control-regex
const CODES =
  /\x1b\[([0-?]*)[ -/]*([@-~])|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[ -/]*[0-~]|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]/g;
const NORMAL = { colour: "", back: "", bold: false, faint: false, italic: false, underline: false };

/** Return lines of output as elements, one for each; `style` goes on from line to line. */
export function drawn(text) {
  const style = { ...NORMAL };
  return text.split("\n").map((line) => h("span", { class: "line" }, pieces(overwritten(line), style), "\n"));
}

/** Return what is left of a line in which a progress bar has gone back to its beginning again and again. */
function overwritten(line) {
  const whole = line.endsWith("\r") ? line.slice(0, -1) : line;
  return whole.slice(whole.lastIndexOf("\r") + 1);
}

function pieces(line, style) {
  const parts = [];
  let from = 0;
  const put = (to) => {
    if (to > from) parts.push(styled(line.slice(from, to), style));
  };
  for (const match of line.matchAll(CODES)) {
    put(match.index);
    from = match.index + match[0].length;
    if (match[2] === "m") set(style, match[1]);
  }
  put(line.length);
  return parts;
}

function styled(text, style) {
  const names = [
    style.colour && `fg-${style.colour}`,
    style.back && `bg-${style.back}`,
    ...["bold", "faint", "italic", "underline"].map((one) => style[one] && `ansi-${one}`),
  ].filter(Boolean);
  return names.length ? h("span", { class: names.join(" ") }, text) : text;
}

function set(style, text) {
  const codes = text.split(/[;:]/).map(Number);
  for (let place = 0; place < codes.length; place += 1) {
    const code = codes[place] || 0;
    if (code === 0) Object.assign(style, NORMAL);
    else if (code === 1) style.bold = true;
    else if (code === 2) style.faint = true;
    else if (code === 3) style.italic = true;
    else if (code === 4) style.underline = true;
    else if (code === 22) style.bold = style.faint = false;
    else if (code === 23) style.italic = false;
    else if (code === 24) style.underline = false;
    else if (code >= 30 && code <= 37) style.colour = String(code - 30);
    else if (code >= 90 && code <= 97) style.colour = String(code - 90);
    else if (code === 39) style.colour = "";
    else if (code >= 40 && code <= 47) style.back = String(code - 40);
    else if (code >= 100 && code <= 107) style.back = String(code - 100);
    else if (code === 49) style.back = "";
    else if (code === 38 || code === 48) place += codes[place + 1] === 5 ? setOfMany(style, code, codes[place + 2]) : 4;
  }
}

// Of 256 colours the first sixteen are the theme's; the others keep the text's own colour, which can always be read.
function setOfMany(style, code, number) {
  if (number < 16) style[code === 38 ? "colour" : "back"] = String(number % 8);
  return 2;
}
