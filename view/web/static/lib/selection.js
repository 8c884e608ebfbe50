// Which runs are chosen; they stay chosen on the way to the compare page and back.

class Selection extends EventTarget {
  ids = new Set();

  has(id) {
    return this.ids.has(id);
  }
  get size() {
    return this.ids.size;
  }
  list() {
    return [...this.ids];
  }

  set(id, on) {
    if (on) this.ids.add(id);
    else this.ids.delete(id);
    this.#tell();
  }

  toggle(id) {
    this.set(id, !this.has(id));
  }

  add(ids) {
    for (const id of ids) this.ids.add(id);
    this.#tell();
  }

  remove(ids) {
    for (const id of ids) this.ids.delete(id);
    this.#tell();
  }

  clear() {
    this.ids.clear();
    this.#tell();
  }

  #tell() {
    this.dispatchEvent(new Event("change"));
  }
}

export const selection = new Selection();
