// What the server tells by itself: one stream of events for the page, taken up again when it breaks.

import { direct, get } from "./api.js";

const FIRST_PAUSE = 500;
const LONGEST_PAUSE = 5000;

class Live extends EventTarget {
  #source = null;
  #followed = "";
  #timer = 0;
  #pause = FIRST_PAUSE;
  #seq = 0;
  state = "starting";

  /** Begin, following the output and series of these runs besides the ledger. */
  follow(runs = []) {
    const wanted = runs.join(",");
    if (this.#source && wanted === this.#followed) return;
    this.#followed = wanted;
    this.#open();
  }

  /** Try again at once. */
  retry() {
    this.#pause = FIRST_PAUSE;
    this.#open();
  }

  #open() {
    clearTimeout(this.#timer);
    this.#source?.close();
    const source = new EventSource(direct("events", { run: this.#followed.split(",").filter(Boolean) }));
    this.#source = source;
    source.addEventListener("hello", (event) => this.#hello(JSON.parse(event.data)));
    source.addEventListener("ledger", (event) => this.#ledger(JSON.parse(event.data)));
    for (const name of ["output", "series", "trouble"])
      source.addEventListener(name, (event) => this.#tell(name, JSON.parse(event.data)));
    source.addEventListener("error", () => {
      if (source === this.#source) this.#broken();
    });
  }

  #hello({ seq }) {
    const missed = this.#seq && seq > this.#seq;
    const back = this.state === "lost";
    this.#pause = FIRST_PAUSE;
    this.#seq = Math.max(this.#seq, seq);
    this.#become("live");
    if (missed || back) this.#tell("ledger", { seq, runs: [], more: true });
    else this.#tell("hello", { seq });
  }

  #ledger(data) {
    this.#seq = Math.max(this.#seq, data.seq);
    this.#tell("ledger", data);
  }

  // The stream is opened anew by us, with growing pauses: left alone, a browser gives up on some failures for good.
  async #broken() {
    this.#source.close();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#open(), this.#pause);
    this.#pause = Math.min(this.#pause * 2, LONGEST_PAUSE);
    try {
      await get("config");
    } catch (error) {
      this.error = error;
      this.#become("lost");
    }
  }

  #become(state) {
    if (this.state === state && state !== "lost") return;
    this.state = state;
    this.#tell("state", { state });
  }

  #tell(name, data) {
    this.dispatchEvent(new CustomEvent(name, { detail: data }));
  }
}

export const live = new Live();
