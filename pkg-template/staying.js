// That what is kept here stays: asking the browser to keep it, saying so before it is full, noticing that it is gone.
//
// A note outside of the database, in localStorage under `hypha/here/<database>`, says that this browser was here before:
// { home, device, asked }. A browser that takes storage back to make room takes the database and leaves the note (one
// that deletes all that a site keeps, Safari after a week without a visit for one, takes both; then nobody can tell).

import { noteOf } from "./here.js";

const LEVELS = [0.95, 0.8]; // of the quota; said once each
const LOOK_MS = 10_000; // at most this often, while things change
const LEAST = 1 << 20; // bytes in use from which on it is found out how much is left where the browser does not say
const DEVICE = ["writer", "locked", "revoked"];

export class Staying {
  #node;
  #name;
  #persist;
  #tell;
  #note;
  #state;
  #level = 0;
  #looked = 0;

  /** `tell(notice)` hears what the page should know. */
  constructor(node, { database, persist }, tell) {
    this.#node = node;
    this.#name = noteOf(database);
    this.#persist = persist;
    this.#tell = tell;
    this.#note = read(this.#name) ?? {};
  }

  /** What is gone, if this browser was here before and has nothing any more: `{ link, device }`. */
  get evicted() {
    const { home, device } = this.#note;
    const { state, writer } = this.#node.snapshot;
    const gone = device ? writer === undefined : state === "uninitialised";
    return home && gone ? { link: `hypha://${home}`, device: device === true } : undefined;
  }

  /** Lets a loss rest: it is not told again. */
  rest() {
    this.#write({ home: this.#node.snapshot.home, device: false });
  }

  /** The node is open. */
  opened() {
    const { evicted } = this;
    if (evicted) {
      const what = evicted.device ? "this browser was signed in here, and has removed all that it kept" : "this browser has removed what it kept";
      this.#tell({ kind: "evicted", ...evicted, message: `${what}, the keys too; sign in again, and it comes back from your other devices` });
    }
    this.heard("state");
  }

  /** Something happened. */
  heard(name) {
    if (name === "state") this.#stateChanged();
    if (Date.now() - this.#looked >= LOOK_MS) this.look();
  }

  /** Compares what is used with what there is. */
  async look() {
    this.#looked = Date.now();
    const { usage, quota: told } = (await navigator.storage?.estimate?.().catch(() => undefined)) ?? {};
    let quota = told;
    // So many gigabytes beyond what is used: that is no quota.
    if (usage >= LEAST && (told - usage) % (1 << 30) === 0) {
      const room = await import("./room.js").catch(() => undefined); // offline
      quota = await room?.roomFor(usage, LEVELS);
    }
    const level = quota > 0 ? LEVELS.find((level) => usage >= level * quota) ?? 0 : 0;
    if (level > this.#level) {
      const percent = Math.floor((100 * usage) / quota);
      this.#tell({ kind: "filling", level, usage, quota, message: `${percent} % of the room that this browser gives is used; free some space on this device, or export() and move` });
    }
    this.#level = level;
  }

  /** Nothing is kept here any more, on purpose. */
  gone() {
    try {
      localStorage.removeItem(this.#name);
    } catch { /* There was no note either. */ }
  }

  #stateChanged() {
    const { state, home } = this.#node.snapshot;
    const before = this.#state;
    this.#state = state;
    const is = DEVICE.includes(state);
    // Who was a device a moment ago and is none any more has signed out.
    if (is || DEVICE.includes(before)) this.#write({ home, device: is });
    else if (home && !this.#note.home) this.#write({ home });
    // Firefox asks the person; once is enough, and not before there is something to lose.
    if (state === "writer" && this.#persist && !this.#note.asked && this.#node.memory > 0) {
      this.#write({ asked: true });
      navigator.storage?.persist?.().catch(() => {});
    }
  }

  #write(change) {
    // Another tab may have written to it since.
    const before = read(this.#name) ?? this.#note;
    this.#note = { ...before, ...change };
    const text = JSON.stringify(this.#note);
    if (text === JSON.stringify(before)) return;
    try {
      localStorage.setItem(this.#name, text);
    } catch { /* Forbidden or full: then a loss goes unnoticed. */ }
  }
}

function read(name) {
  try {
    const note = JSON.parse(localStorage.getItem(name));
    return /^[0-9a-f]{64}$/.test(note?.home) ? note : undefined;
  } catch {
    return undefined;
  }
}
