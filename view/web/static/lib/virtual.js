// A list of any length of which only the rows that are seen exist: rows come in pages from the server, and when the list
// changes, what somebody looks at stays where it is.

const PAGE = 100;
const OVERSCAN = 6;
const KEPT = 3000;
const TALLEST = 8_000_000; // pixels; browsers lose precision above about 16 million

export class VirtualRows {
  /**
   * @param {{scroller: HTMLElement, body: HTMLElement, headHeight: number, fetch: Function, draw: Function,
   *   onChange: Function, isFollowing: Function}} how `fetch(offset, limit, signal)` gives {total, runs};
   *   `draw(element, row, index)` fills a row (row is undefined while it is on its way)
   */
  constructor(how) {
    Object.assign(this, how);
    this.rows = new Map();
    this.elements = new Map();
    this.pending = new Map();
    this.pages = new Set();
    this.total = 0;
    this.round = 0;
    this.rowHeight = 36;
    this.scroller.addEventListener("scroll", () => this.paintSoon(), { passive: true });
    this.resizing = new ResizeObserver(() => this.paintSoon());
    this.resizing.observe(this.scroller);
  }

  close() {
    this.round += 1;
    this.resizing.disconnect();
    for (const abort of this.pending.values()) abort.abort();
    clearTimeout(this.asking);
    cancelAnimationFrame(this.frame);
  }

  get viewport() {
    return Math.max(0, this.scroller.clientHeight - this.headHeight);
  }
  get height() {
    return Math.min(this.total * this.rowHeight, TALLEST);
  }

  // The place in the whole list, in pixels of full-height rows; the same as scrollTop unless the list is too tall.
  get place() {
    const most = this.height - this.viewport;
    if (this.height === this.total * this.rowHeight || most <= 0) return this.scroller.scrollTop;
    return (this.scroller.scrollTop / most) * (this.total * this.rowHeight - this.viewport);
  }

  set place(pixels) {
    const most = this.total * this.rowHeight - this.viewport;
    const share = most > 0 ? Math.max(0, Math.min(1, pixels / most)) : 0;
    this.scroller.scrollTop =
      this.height === this.total * this.rowHeight ? pixels : share * (this.height - this.viewport);
  }

  /** Return the first and last index that is seen. */
  seen() {
    const first = Math.floor(this.place / this.rowHeight);
    const last = Math.min(this.total - 1, Math.ceil((this.place + this.viewport) / this.rowHeight) - 1);
    return [Math.max(0, Math.min(first, last)), last];
  }

  /** Forget everything and begin at the top; resolves when the first rows are there. */
  async restart() {
    this.round += 1;
    const round = this.round;
    const got = await this.ask(0);
    if (round !== this.round) return;
    this.forget();
    this.take(got, 0);
    this.scroller.scrollTop = 0;
    this.paint(true);
  }

  /** Ask again for what is seen, and keep it in its place. */
  async refresh() {
    this.round += 1;
    const round = this.round;
    const [first, last] = this.seen();
    const anchors = [];
    for (let index = first; index <= last; index += 1) {
      if (this.rows.has(index)) anchors.push([index, this.rows.get(index).id]);
    }
    const limit = Math.min(500, Math.max(PAGE, last - first + 1 + 2 * OVERSCAN));
    let offset = Math.max(0, first - OVERSCAN);
    let got = await this.ask(offset, limit);
    let shift = this.isFollowing() ? 0 : shiftOf(anchors, got.runs, offset);
    if (shift === null && got.total !== this.total) {
      const moved = Math.max(0, offset + got.total - this.total);
      const again = await this.ask(moved, limit);
      shift = shiftOf(anchors, again.runs, moved);
      if (shift !== null) {
        got = again;
        offset = moved;
      }
    }
    if (round !== this.round) return 0;
    const place = this.place;
    this.forget();
    this.take(got, offset);
    if (shift) this.place = place + shift * this.rowHeight;
    this.paint(true);
    return shift ?? 0;
  }

  async ask(offset, limit = PAGE) {
    const abort = new AbortController();
    this.pending.set(abort, abort);
    try {
      return await this.fetch(offset, limit, abort.signal);
    } finally {
      this.pending.delete(abort);
    }
  }

  forget() {
    this.rows.clear();
    this.pages = new Set();
  }

  take(got, offset) {
    this.total = got.total;
    this.body.style.setProperty("height", `${this.height}px`);
    got.runs.forEach((run, place) => this.rows.set(offset + place, run));
    if (this.rows.size > KEPT) {
      const [first, last] = this.seen();
      for (const index of this.rows.keys())
        if (index < first - KEPT / 4 || index > last + KEPT / 4) this.rows.delete(index);
    }
  }

  paintSoon() {
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => this.paint());
  }

  /** Make the rows that are seen exist, and no others; `all` draws them again even where the row is the same. */
  paint(all = false) {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    const [first, last] = this.seen();
    const from = Math.max(0, first - OVERSCAN);
    const to = Math.min(this.total - 1, last + OVERSCAN);
    for (const [index, element] of this.elements) {
      if (index < from || index > to) {
        element.remove();
        this.elements.delete(index);
      }
    }
    const moved = this.scroller.scrollTop - this.place;
    for (let index = from; index <= to; index += 1) this.put(index, moved, all);
    if (this.missing(from, to).length) this.askSoon();
    this.onChange?.();
  }

  put(index, moved, all) {
    let element = this.elements.get(index);
    const row = this.rows.get(index);
    if (!element) {
      element = document.createElement("div");
      this.elements.set(index, element);
      this.body.append(element);
      this.draw(element, row, index);
    } else if (all || element.row !== row) {
      this.draw(element, row, index);
    }
    element.row = row;
    element.style.setProperty("transform", `translateY(${index * this.rowHeight + moved}px)`);
  }

  /** Draw again what is seen, from what is known. */
  redraw() {
    this.paint(true);
  }

  missing(from, to) {
    const pages = new Set();
    for (let index = from; index <= to; index += 1) if (!this.rows.has(index)) pages.add(Math.floor(index / PAGE));
    return [...pages].filter((page) => !this.pages.has(page));
  }

  // A scroll bar that is dragged through a hundred thousand rows asks for those where it rests.
  askSoon() {
    clearTimeout(this.asking);
    this.asking = setTimeout(() => {
      const [first, last] = this.seen();
      for (const page of this.missing(Math.max(0, first - OVERSCAN), Math.min(this.total - 1, last + OVERSCAN)))
        this.load(page);
    }, 60);
  }

  async load(page) {
    const round = this.round;
    const pages = this.pages;
    pages.add(page);
    try {
      const got = await this.ask(page * PAGE);
      if (round === this.round) this.take(got, page * PAGE);
    } catch (error) {
      if (error.name !== "AbortError") this.onError?.(error);
      pages.delete(page);
      return;
    }
    pages.delete(page);
    if (round === this.round) this.paint();
  }

  /** Bring a row into view. */
  reveal(index) {
    const top = index * this.rowHeight;
    if (top < this.place) this.place = top;
    else if (top + this.rowHeight > this.place + this.viewport) this.place = top + this.rowHeight - this.viewport;
    this.paint();
  }
}

function shiftOf(anchors, runs, offset) {
  const where = new Map(runs.map((run, place) => [run.id, offset + place]));
  for (const [index, id] of anchors) if (where.has(id)) return where.get(id) - index;
  return null;
}
