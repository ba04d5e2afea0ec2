// A space as a page holds it.

import { HyphaError, guarded, toError, unsupported } from "./errors.js";
import { deriveRoot } from "./worker-client.js";
import { Messages, Presence } from "./talk.js";
import { textsOf } from "./entries.js";
import { packedOps } from "./ops.js";
import { Pages } from "./pages.js";
import { encodedOps, wasm } from "./wasm.js";
import { spaceCode } from "./wasm/core.js";

const PAGE = 100; // entries that are read at a time, at first
const MOST = 1600; // the same, in the end
const MANY = 50; // changed keys from which on reading the whole prefix is cheaper than each by itself

export class Space extends EventTarget {
  #node;
  #last; // what the node's snapshot said of this space: { key, link, discoveryKey, writable, level, writers, clock }
  #domain;
  #watches = new Set();
  #live = new Set(); // histories that wait for what comes
  #secrets = new Set(); // keys of private entries that were given out: whoever watches is told when a lock takes them away
  #snapshot; // promise of a static copy, read until all that it has is here; undefined where none is looked for

  constructor(node, about, domain) {
    super();
    this.#node = node;
    this.#last = about;
    this.#domain = domain;
    Object.defineProperty(this, "blobs", { value: refusing("blobs") });
    this.messages = new Messages(this, (...given) => this.#call("send", ...given));
    this.presence = new Presence(this, (state) => this.#call("setPresence", state), () => this.#about.presence, () => this.#about.writable);
  }

  // What was true at last stays readable when the space is left.
  get #about() {
    return (this.#last = this.#node.snapshot.spaces.find(({ key }) => key === this.#last.key) ?? this.#last);
  }

  #call(method, ...given) {
    return this.#node.call(method, this.#last.key, ...given);
  }

  get key() { return this.#about.key; }
  get link() { return this.#about.link; }
  get discoveryKey() { return this.#about.discoveryKey; }
  get writable() { return this.#about.writable; }
  /** What its admins call it. */
  get title() { return this.#about.title; }
  /** Whether this device asks, with an invite, to be let in. */
  get asking() { return this.#about.asking; }

  async put(key, value, { private: secret, expect } = {}) {
    return (await this.#write([{ type: "put", key, value, private: secret, expect }]))[0];
  }

  async get(key) {
    const copy = await this.#copy();
    return copy ? this.#copied(copy.get(key)) : this.#get(key);
  }

  async #get(key) {
    const found = await this.#call("get", key);
    if (found?.private) this.#secrets.add(key);
    return found;
  }

  async delete(key, { expect } = {}) {
    return (await this.#write([{ type: "delete", key, expect }]))[0];
  }

  /** One entry: all of it or nothing. Values are taken as they are now, whatever happens to them later. */
  async batch(ops) {
    return this.#write(ops);
  }

  #write(ops) {
    const packed = packedOps(ops);
    return packed ? this.#call("write", packed) : this.#writeAny(ops);
  }

  async #writeAny(ops) {
    const given = Array.isArray(ops) ? [...ops] : ops;
    const { core } = await wasm();
    return this.#call("write", encodedOps(core, given));
  }

  /** Read in pages, so that stopping early reads no more; what is written meanwhile shows if it lies ahead. */
  list(range) {
    return this.#pages(range);
  }

  #pages(given = {}, clock, here = false) {
    let { limit = Infinity, ...range } = given ?? {};
    let most = PAGE;
    return new Pages(async () => {
      if (Object(given) !== given) throw new HyphaError("BAD_INPUT", "list takes an object, as in list({ prefix: \"a/\" })");
      if (limit === 0) return undefined;
      const copy = clock || here ? undefined : await this.#copy();
      // What is no number of entries goes on, to be refused.
      const count = typeof limit === "number" ? Math.min(limit, most) : limit;
      const asked = { ...range, limit: count };
      const page = await (copy ? this.#copied(copy.list(asked)) : this.#call("list", asked, clock));
      limit = page.length < count ? 0 : limit - count;
      if (page.length === 0) return undefined;
      if (!clock) for (const entry of page) if (entry.private) this.#secrets.add(entry.key);
      // Whoever goes on reading gets more at a time.
      most = Math.min(2 * most, MOST);
      const last = page.at(-1).key;
      range = range.reverse ? { ...range, lte: undefined, lt: last } : { ...range, gte: undefined, gt: last };
      return page;
    });
  }

  /** Calls back with the entries that changed under a prefix; one that was removed has no value. */
  watch(prefix, callback) {
    if (typeof prefix !== "string") throw new HyphaError("BAD_INPUT", "prefix must be text; \"\" watches everything");
    if (typeof callback !== "function") throw new HyphaError("BAD_INPUT", "the second argument of watch must be a function");
    const watch = { prefix, callback, turn: Promise.resolve() };
    this.#watches.add(watch);
    return () => void this.#watches.delete(watch);
  }

  /** The static copy that is read while peers have not brought what is in it: `{ time, signer, bytes, requests }`. */
  get snapshot() {
    const copy = this.#snapshot?.copy;
    return copy && { time: new Date(copy.about.time), signer: copy.about.signer, bytes: copy.bytes, requests: copy.requests };
  }

  /** The public part as files for any host, the head last: `{ name, size, reused, blob }`. `have`: names of files that the host has. */
  async *exportSnapshot(options) {
    const { exportSnapshot } = await import("./snapshot.js");
    yield* exportSnapshot((...given) => this.#call(...given), options);
  }

  /** A file for a node that cannot be reached: all, or what it lacks by its clock. */
  async exportSync(since) {
    const { exportSync } = await import("./sync-file.js");
    return exportSync((...given) => this.#call(...given), since);
  }

  /** Called by the node's owner: what to read until peers have brought it. */
  static copied(space, opening) {
    const reading = opening.then((copy) => {
      reading.copy = copy;
      return copy;
    });
    space.#snapshot = reading;
  }

  // A copy that cannot be believed is given up: said once, and from then on there is what peers brought.
  async #copied(reading) {
    try {
      return await reading;
    } catch (error) {
      if (error.code === "CORRUPT") this.#snapshot = undefined;
      throw error;
    }
  }

  async #copy() {
    const copy = await this.#snapshot;
    if (!copy) return undefined;
    const { clock, writers } = this.#about;
    const here = ([writer, length]) => (clock[writer] ?? 0) >= Math.min(length, writers.find(({ key }) => key === writer)?.cutAt ?? Infinity);
    if (!Object.entries(copy.about.lengths).every(here)) return copy;
    this.#snapshot = undefined;
    return undefined;
  }

  clock() {
    return this.#about.clock;
  }

  /** The space as of a clock and all that is in its past, under today's cuts. */
  checkout(clock) {
    const { ...then } = clock;
    const get = (key) => this.#call("get", key, then);
    const list = (range) => this.#pages(range, then);
    return Object.freeze({ clock: Object.freeze(then), get, list });
  }

  /** Every operation that counts, in order. `live`: goes on with what comes later, in the order of its coming, until it is ended. */
  history({ key, live = false } = {}) {
    const come = live ? new Arrivals(this) : undefined;
    const entries = this.#history(key, come);
    if (!come) return entries;
    // A generator that waits would take its end to heart only when something comes.
    const end = entries.return.bind(entries);
    return Object.assign(entries, { return: (value) => (come.stop(), end(value)) });
  }

  async *#history(key, come) {
    const seen = new Set();
    if (come) this.#live.add(come.start());
    try {
      for (let after; ;) {
        const page = await this.#call("history", key, after, PAGE * 10);
        for (const entry of page) come && seen.add(entry.version);
        yield* page;
        if (page.length < PAGE * 10) break;
        after = page.at(-1).version;
      }
      while (come) {
        const arrived = await come.next();
        if (!arrived) return;
        for (const changed of arrived) {
          if (key !== undefined && changed !== undefined && changed !== key) continue;
          for (const entry of await this.#call("history", changed ?? key)) {
            if (seen.has(entry.version)) continue;
            seen.add(entry.version);
            yield entry;
          }
        }
      }
    } finally {
      come?.stop();
      this.#live.delete(come);
    }
  }

  /** Called by the node's owner: it is closed, or has this space no more. */
  static closed(space) {
    for (const come of space.#live) come.stop();
  }

  writers() {
    return this.#about.writers;
  }

  /** Replicas that are relied on: what each holds of this device's entries, as it has shown, and until when it promises. */
  replicas() {
    return this.#about.replicas.map((replica) => ({ ...replica, expires: replica.expires && new Date(replica.expires) }));
  }

  /** Relies on a replica: its key, or the link that its page shows. The label is public. */
  async pinReplica(replica, { label = "" } = {}) {
    await this.#call("pinReplica", replica, label);
  }

  /** Relies on a replica no more. */
  async unpinReplica(replica) {
    await this.#call("unpinReplica", replica);
  }

  /** How many replicas and other devices hold all that this device wrote, and how many entries none of them holds. */
  safety() {
    return this.#about.safety ?? { replicas: 0, devices: 0, unreplicated: 0, pinned: 0, others: 0 };
  }

  /** Removes a device: for good with the passphrase, else provisionally. `descendants`: with all that it let in, and they. */
  async cut(writer, { passphrase, descendants = false } = {}) {
    if (passphrase === undefined) return this.#call("cut", writer, undefined, descendants);
    const root = await deriveRoot(passphrase, this.#domain);
    try {
      await this.#call("cut", writer, root, descendants);
    } finally {
      root.fill(0);
    }
  }

  /** Shows nothing that a writer wrote since a date, or with `undo` shows it again. */
  async hide(writer, { since = new Date(0), undo = false } = {}) {
    await (undo ? this.#call("unhide", writer) : this.#call("hide", writer, since?.getTime?.()));
  }

  /** What was taken away by a cut, a fork or a hide, of one writer or of all. */
  async *quarantine({ writer } = {}) {
    for (let after; ;) {
      const page = await this.#call("quarantine", writer, after, PAGE);
      yield* page;
      if (page.length < PAGE) break;
      after = page.at(-1).version;
    }
    for (const entry of await this.#call("otherBranches")) {
      if (writer === undefined || entry.writer === writer) yield { ...entry, otherBranch: true };
    }
  }

  /** Writes again, as this device's own, what is in the quarantine. */
  async adopt(entry) {
    return (await this.#call("adopt", entry?.version, entry?.otherBranch === true))[0];
  }

  /** Gives the space a title; an empty one takes it away. */
  async setTitle(title) {
    await this.#call("setTitle", title);
  }

  /** The text of an invite: whoever has it may join while a device of an admin is there to let them in. */
  async invite({ role = "writer", uses = 1, expires } = {}) {
    if (!["admin", "writer"].includes(role)) throw new HyphaError("BAD_INPUT", "role must be \"admin\" or \"writer\"");
    return this.#call("invite", role === "admin", uses, expires === undefined ? undefined : expires?.getTime?.() ?? NaN);
  }

  /** Invites that stand. */
  invites() {
    return this.#about.invites;
  }

  /** Takes an invite back. */
  async revokeInvite(key) {
    await this.#call("revokeInvite", key);
  }

  /** Six words that name the space, to be read out. */
  code() {
    return spaceCode(this.#last.key);
  }

  /** Reads the space no more; this device takes itself out, and what is stored of it goes. */
  async leave() {
    await this.#call("leave");
  }

  async sync({ timeout = 30_000 } = {}) {
    if (typeof timeout !== "number" || Number.isNaN(timeout)) throw new HyphaError("BAD_INPUT", "timeout must be a number of milliseconds");
    await this.#call("sync", Math.min(Math.max(0, timeout), 0xffffffff) >>> 0);
  }

  /** Called by the node's owner when values changed: no keys, any may have. They are unpacked only if somebody looks: they may be very many. */
  static changed(space, packed) {
    let keys;
    const all = () => (keys ??= textsOf(packed));
    space.dispatchEvent(Object.defineProperty(new CustomEvent("change"), "detail", { get: all }));
    if (space.#watches.size === 0) return;
    const any = all().length === 0;
    const known = any ? [...space.#secrets] : all();
    if (any) space.#secrets.clear();
    for (const watch of space.#watches) {
      const mine = known.filter((key) => key.startsWith(watch.prefix));
      if (mine.length > 0 || any) watch.turn = watch.turn.then(() => space.#tell(watch, mine, any));
    }
  }

  async #tell(watch, keys, any) {
    if (!this.#watches.has(watch)) return;
    try {
      const changes = await this.#read(watch.prefix, keys, any);
      if (this.#watches.has(watch) && changes.length > 0) guarded(watch.callback, changes);
    } catch (error) {
      if (error.code !== "CLOSED") reportError(error);
    }
  }

  // With `any`, all that there is and what of the keys is not.
  async #read(prefix, keys, any) {
    const found = new Map();
    if (!any && keys.length < MANY) {
      for (const key of keys) found.set(key, await this.#get(key));
    } else {
      for await (const entry of this.#pages({ prefix }, undefined, true)) found.set(entry.key, entry);
    }
    const told = any ? new Set([...found.keys(), ...keys]) : keys;
    return Array.from(told, (key) => found.get(key) ?? { key, value: undefined, conflicts: [] });
  }
}

// Keys that change from now on, for a loop that reads them in its own time.
class Arrivals {
  #space;
  #keys = new Set();
  #wake;
  #hear = ({ detail }) => {
    for (const key of detail.length > 0 ? detail : [undefined]) this.#keys.add(key);
    this.#wake?.();
  };

  #over = false;

  constructor(space) {
    this.#space = space;
  }

  start() {
    if (!this.#over) this.#space.addEventListener("change", this.#hear);
    return this;
  }

  /** Undefined once it was stopped. */
  async next() {
    if (this.#keys.size === 0 && !this.#over) await new Promise((resolve) => (this.#wake = resolve));
    if (this.#over) return undefined;
    const keys = [...this.#keys];
    this.#keys.clear();
    return keys;
  }

  stop() {
    this.#over = true;
    this.#space.removeEventListener("change", this.#hear);
    this.#wake?.();
  }
}

// What the API names and this version lacks: said plainly, not left undefined.
for (const name of ["object"]) {
  Space.prototype[name] = async () => {
    throw unsupported(`space.${name}()`);
  };
}
/** An object all of whose methods reject. */
export function refusing(what, methods = ["send", "set", "get", "add", "url"]) {
  const refuse = (name) => async () => {
    throw unsupported(`${what}.${name}()`);
  };
  return Object.freeze(Object.fromEntries(methods.map((name) => [name, refuse(name)])));
}
