// Whether the tab that leads is still there, seen from one that follows.

const SILENCE_MS = 1700; // with a timer's step and the waiting below: replaced in about two seconds
const PING_MS = 250;

export class LeaderWatch {
  #heard = Date.now();
  #looked = Date.now();
  #timer;

  /** `ask()` is to make the leader say something; `silent()` says that it did not. `idle()`: there is none to watch. */
  constructor({ idle, ask, silent }) {
    this.#timer = setInterval(() => {
      const now = Date.now();
      const late = now - this.#looked - PING_MS;
      this.#looked = now;
      // Who was held up itself has not listened meanwhile: what was said is heard after this.
      if (late > PING_MS) this.#heard = Math.min(now, this.#heard + late);
      // Timers of a hidden tab come too seldom to tell; a visible one, or the lock, will.
      if (idle() || document.hidden) return this.heard();
      const since = now - this.#heard;
      // Not all tabs at the same moment.
      if (since > SILENCE_MS + Math.random() * PING_MS) {
        this.heard();
        silent();
      } else if (since >= PING_MS) ask();
    }, PING_MS);
  }

  heard() {
    this.#heard = Date.now();
  }

  stop() {
    clearInterval(this.#timer);
  }
}
