// The output of a run: its end first, following it while it grows; what came before is loaded on the way up.

import { get } from "../lib/api.js";
import { failure } from "../lib/dialog.js";
import { fill, h, throttle } from "../lib/dom.js";
import { bytes } from "../lib/format.js";
import { drawn } from "../lib/ansi.js";

const CHUNK = 65_536;
const MOST_BLOCKS = 64;
const NEAR_END = 24;

export class Output {
  constructor(host, page) {
    this.page = page;
    this.blocks = []; // {from, to, text, element}
    this.text = h("pre", { class: "output", tabindex: 0, "aria-label": "Output" });
    this.note = h("span", { class: "muted small num" });
    this.earlier = h(
      "button",
      { type: "button", class: "plain", hidden: true, on: { click: () => this.loadEarlier() } },
      "Load earlier output",
    );
    this.follow = h("button", { type: "button", hidden: true, on: { click: () => this.toEnd() } }, "Follow ↓");
    this.element = h(
      "div",
      { class: "panel output-panel" },
      h("div", { class: "output-head" }, this.note, this.earlier, this.follow),
      this.text,
    );
    host.append(this.element);
    this.text.addEventListener("scroll", () => this.scrolled(), { passive: true });
    this.more = throttle(() => this.loadMore(), 250);
    this.loadEnd();
  }

  close() {
    this.closed = true;
    this.more.cancel();
  }

  update(run) {
    const ended = run.status !== "running";
    if (this.ready && (ended !== this.ended || run.status === "running")) this.more();
    this.ended = ended;
  }

  onOutput() {
    this.more();
  }
  onVisible() {
    this.more();
  }

  ask(offset, limit = CHUNK) {
    return get(`runs/${this.page.id}/output`, { offset: String(offset), limit });
  }

  async loadEnd() {
    try {
      const got = await this.ask(-CHUNK);
      if (this.closed) return;
      this.ready = true;
      this.size = got.size;
      this.append(got);
      this.toEnd();
    } catch (error) {
      if (!this.closed)
        fill(
          this.element,
          failure(error, () => this.page.load(), true),
        );
    }
  }

  async loadMore() {
    if (!this.ready || this.loading || this.closed || document.hidden) return;
    this.loading = true;
    try {
      for (let turns = 0; turns < MOST_BLOCKS; turns += 1) {
        const next = this.blocks.at(-1)?.to ?? 0;
        const got = await this.ask(next);
        if (this.closed) return;
        this.size = got.size;
        if (got.next <= next) break;
        const isAtEnd = this.isAtEnd();
        this.append(got);
        if (isAtEnd) this.toEnd();
        if (got.next >= got.size) break;
      }
    } catch {
      /* the banner tells when the server is gone; the next event tries again */
    } finally {
      this.loading = false;
    }
    this.tell();
  }

  // A chunk may end within a line: the rest of it comes with the next one, so both are drawn as one block.
  append(got) {
    const last = this.blocks.at(-1);
    if (last && !last.text.endsWith("\n") && last.text.length < CHUNK * 2) {
      Object.assign(last, { to: got.next, text: last.text + got.text });
      this.draw(last);
    } else if (got.text) {
      const block = { from: got.offset, to: got.next, text: got.text, element: h("div", { class: "block" }) };
      this.blocks.push(block);
      this.text.append(block.element);
      this.draw(block);
    }
    if (this.blocks.length > MOST_BLOCKS && this.isAtEnd()) this.blocks.shift().element.remove();
    this.tell();
  }

  async loadEarlier() {
    const first = this.blocks[0];
    if (!first || first.from === 0 || this.going) return;
    this.going = true;
    try {
      const from = Math.max(0, first.from - CHUNK);
      const got = await this.ask(from, first.from - from);
      const before = this.text.scrollHeight - this.text.scrollTop;
      if (got.text.endsWith("\n")) {
        const block = { from: got.offset, to: got.next, text: got.text, element: h("div", { class: "block" }) };
        this.blocks.unshift(block);
        this.text.prepend(block.element);
        this.draw(block);
      } else {
        Object.assign(first, { from: got.offset, text: got.text + first.text });
        this.draw(first);
      }
      this.text.scrollTop = this.text.scrollHeight - before;
    } catch {
      /* as above */
    } finally {
      this.going = false;
    }
    this.tell();
  }

  draw(block) {
    const text = block.text.endsWith("\n") ? block.text.slice(0, -1) : block.text;
    fill(block.element, drawn(text));
  }

  isAtEnd() {
    return this.text.scrollHeight - this.text.scrollTop - this.text.clientHeight < NEAR_END;
  }

  toEnd() {
    this.text.scrollTop = this.text.scrollHeight;
    this.tell();
  }

  scrolled() {
    if (this.text.scrollTop < 200) this.loadEarlier();
    this.tell();
  }

  tell() {
    const first = this.blocks[0];
    const running = this.page.run?.status === "running";
    this.earlier.hidden = !first || first.from === 0;
    this.follow.hidden = this.isAtEnd();
    this.note.textContent = first
      ? `${bytes(this.size)}${running ? ", following" : ""}`
      : running
        ? "No output yet."
        : "The run wrote nothing.";
  }
}
