// What comes after a full disk. What could not be stored is in the memory of the node and nowhere else, and the node stores
// nothing more, since all would build on it. So it is opened anew on what is stored: then no list shows what was refused,
// and writing goes on as soon as there is room.
//
// At once, if somebody waits for what could not be stored, or calls; where it is what others send, and the disk is full again, after a
// while that doubles.

const LEAST_MS = 2000; // between two openings
const LONGEST_MS = 300_000;

export class FullDisk {
  #reopen;
  #opening; // promise while it is opened; never rejects
  #timer;
  #wait = 0;
  #isFull = false; // whether that was said while it was opened
  #opened = -Infinity; // when it was opened last
  #isStopped = false;

  /** `reopen()` opens the node anew; what it rejects with counts as one more failure. */
  constructor(reopen) {
    this.#reopen = reopen;
  }

  /** Something could not be stored. `isAwaited`: somebody waits for it. */
  failed(isAwaited) {
    if (this.#opening) this.#isFull = true;
    if (this.#opening || this.#timer !== undefined || this.#isStopped) return;
    const since = performance.now() - this.#opened;
    if (since > LONGEST_MS) this.#wait = 0;
    else if (!isAwaited) this.#wait = Math.min(Math.max(2 * this.#wait, LEAST_MS), LONGEST_MS);
    const wait = isAwaited ? LEAST_MS - since : this.#wait;
    if (wait <= 0) this.#start();
    else this.#timer = setTimeout(() => this.#start(), wait);
  }

  /** What a call has to wait for, if anything. `needs`: whether it comes to nothing with a node that stores nothing. */
  before(needs) {
    if (needs && this.#timer !== undefined && performance.now() - this.#opened >= LEAST_MS) this.#start();
    return this.#opening;
  }

  /** Opens it no more; what is under way, if anything. */
  stop() {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    return this.#opening;
  }

  #start() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#opening = this.#run();
  }

  async #run() {
    // Whoever is told of the failure is told first.
    await undefined;
    this.#isFull = false;
    try {
      await this.#reopen();
    } catch {
      this.#isFull = true;
    }
    this.#opened = performance.now();
    this.#opening = undefined;
    if (this.#isFull) this.failed(false);
  }
}
