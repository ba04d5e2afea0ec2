// The node itself, when it runs in this tab.

import { entriesOf, takenOf, textsOf, writtenOf } from "./entries.js";
import { requestWords } from "./worker-client.js";
import { HyphaError, closed, toError } from "./errors.js";
import { wasHere } from "./here.js";
import { lookUp } from "./host.js";
import { Packed } from "./ops.js";
import { ALL, POSTS, SETUP, has, isBroken, notBroken, rest, restInTime, restIsHere, restWhenIdle, unlessBroken, upTo } from "./rest.js";
import { Unstored } from "./unstored.js";
import { wasm } from "./wasm.js";

// What is done once, however often it is asked for: all that a second time would do twice, or refuse.
const ONCE = new Set(["adopt", "approve", "changePassphrase", "chooseRoot", "createSpace", "cut", "deny", "forget", "hide", "hold", "join", "leave",
  "pinReplica", "recover", "revokeInvite", "setTitle", "signUp", "unhide", "unpinReplica", "write"]);

/** Options for a node that was open before, with what was known of it: the link that a tab was opened with counts once. */
export const anew = (options, { home }) => ({ ...options, link: options.link && home && `hypha://${home}` });

/** What other tabs may ask of a node. */
export const METHODS = new Set(["addHub", "adopt", "approve", "cancelSignIn", "changePassphrase", "chooseRoot", "createSpace", "cut", "deny", "exportPiece", "finishSnapshot", "forget", "get", "hide", "history", "hold", "importPart", "invite", "join", "leave", "list", "lock", "otherBranches", "pair", "pairWith", "pin", "pinReplica", "planSnapshot",
  "quarantine", "recover", "removeHub", "revokeInvite", "send", "setPresence", "setTitle", "signIn", "signUp", "snapshotSegment", "sync", "syncPiece", "unhide", "unlock", "unpair", "unpinReplica", "write"]);

// What is not worth opening a node anew that can store nothing any more: reads, which it still does, and what is said again and again.
export const GOES_ON = new Set(["exportPiece", "finishSnapshot", "get", "history", "list", "otherBranches", "planSnapshot", "quarantine", "send", "setPresence",
  "snapshotSegment", "sync", "syncPiece"]);

// Answers that come packed.
const PACKED = { adopt: entriesOf, get: (packed) => entriesOf(packed)[0], history: entriesOf, list: entriesOf, otherBranches: takenOf, quarantine: takenOf, write: entriesOf };

// What needs not all of the module, but up to these parts.
const NEEDS = { signUp: SETUP, get: POSTS, list: POSTS, otherBranches: POSTS, quarantine: POSTS, write: POSTS };

export class LocalNode {
  #waiting = []; // calls that wait for a part of the module, by what they need; later ones wait behind them
  #core;
  #writes = []; // of this turn: { space, id, list: [{ ops, resolve, reject }] }, where calls in a row go together
  #module;
  #seen; // what was known at last
  #isFresh = false;
  #home; // [the key], as it was asked for in this turn
  #options;
  #page;
  #listen;
  #unstored = new Unstored();
  #refused = []; // what was told to have changed, and was not stored
  #fullDisk; // there once something could not be stored for want of room; until it is loaded, #loading
  #loading;
  #kept; // keys of the unlocked node, while it is opened anew
  #trouble; // why it could not be
  #isClosed = false;

  /** `listen(name, detail)` hears what happens; `isOver()`: another one has the database by now. */
  static async open(options, listen, isOver) {
    const node = new LocalNode();
    const { core } = await wasm();
    node.#module = core;
    node.#options = options;
    node.#listen = listen;
    node.#page = {
      event: (name, detail) => {
        node.#isFresh = false;
        node.#home = undefined;
        if (name === "changed") node.#unstored.add(detail);
        if (name === "failed" && detail.code === "QUOTA") node.#isFull(!node.#unstored.isEmpty);
        // What changed is unpacked by whoever watches it.
        if (name !== "changed" && detail?.keys instanceof Uint8Array) detail.keys = textsOf(detail.keys);
        // Plain, so that it can be handed to other tabs.
        listen(name, name === "failed" ? { code: detail.code, message: detail.message } : detail);
      },
      deriveWords: requestWords,
      // What is found has to be gone after, and who does not answer to be asked again.
      lookUp: async (domain) => {
        const answer = await lookUp(domain);
        if (!answer.missing) await rest()?.catch(() => {});
        return answer;
      },
      rest: () => (restIsHere() ? undefined : restInTime().catch(({ code, message }) => {
        listen("failed", { code, message });
        return new Promise(() => {}); // What others say is not heard.
      })),
    };
    // More than a beginning: something that is here or is to be read, or hubs of other kinds than the usual one.
    if (options.link || options.replica || options.hubs?.some((url) => /^(?!y-webrtc)[a-z0-9-]+\+/i.test(url)) || wasHere(options.database)) {
      await rest()?.catch(() => {});
    }
    if (isOver?.()) throw closed();
    try {
      node.#core = await core.Core.open(options, node.#page);
    } catch (error) {
      throw toError(error, "STORAGE");
    }
    // There is something already, so more than the beginning will be needed.
    if (node.snapshot.state !== "uninitialised") rest()?.catch(() => {});
    return node;
  }

  /** All that is known without waiting. */
  get snapshot() {
    // What was true at last stays readable: a page may draw itself once more.
    if (!this.#core || isBroken()) return this.#seen;
    // Round trips, and requests that fall away by time, change without an event: never older than this turn.
    if (!this.#isFresh) {
      this.#seen = this.#core.snapshot();
      this.#isFresh = true;
      queueMicrotask(() => (this.#isFresh = false));
    }
    return this.#seen;
  }

  /** The key of the domain's space, without all else that is known. */
  get home() {
    if (!this.#core || isBroken()) return this.#seen?.home;
    // Whoever writes in a loop asks each time.
    if (!this.#home) {
      this.#home = [this.#core.home()];
      queueMicrotask(() => (this.#home = undefined));
    }
    return this.#home[0];
  }

  async call(method, ...given) {
    return this.callAs(undefined, method, ...given);
  }

  /**
   * The same for a call with an id: `{ tab, number, again }`. With `again` it may have been done before, by a node that
   * could not say so; then the answer is what came of it.
   */
  async callAs(id, method, ...given) {
    const opening = this.#fullDisk ? this.#fullDisk.before(!this.#core || !GOES_ON.has(method)) : this.#loading;
    if (opening) await opening;
    if (!this.#core) throw this.#missing();
    if (!this.#isReady(method)) {
      await this.#untilReady(method);
      if (!this.#core) return this.callAs(id, method, ...given);
    }
    notBroken();
    if (method === "write" && !Array.isArray(given[1])) return this.#write(id, ...given);
    this.#flush();
    this.#home = undefined;
    const core = this.#core;
    const writing = ONCE.has(method) ? this.#unstored.begin() : undefined;
    try {
      // What comes of it is stored under this id, in the transaction of what it does.
      if (id && writing) core.once(id.tab, id.number, id.again);
      const asked = core[method](...given);
      const answer = await (restIsHere() ? asked : unlessBroken(asked));
      if (method === "signUp") {
        this.expect("write");
        // Then all else, so that nothing has to be fetched in the middle of something.
        setTimeout(restWhenIdle, CALM_MS);
      }
      return answer instanceof Uint8Array && PACKED[method] ? PACKED[method](answer) : answer;
    } catch (error) {
      // Closed to be opened anew: what could not be answered is asked of that one.
      if (error?.code === "CLOSED" && !this.#isClosed && this.#core !== core) return this.callAs(id, method, ...given);
      throw toError(error);
    } finally {
      if (writing) this.#unstored.end(writing);
    }
  }

  #missing() {
    return (!this.#isClosed && this.#trouble) || closed();
  }

  /** This will be asked for soon: what of the module it needs is brought in meanwhile. */
  expect(method) {
    upTo(NEEDS[method] ?? ALL)?.catch(() => {});
  }

  #isReady(method) {
    return restIsHere() || (this.#waiting.length === 0 && has(NEEDS[method] ?? ALL));
  }

  async #untilReady(method) {
    const needed = NEEDS[method] ?? ALL;
    this.#waiting.push(needed);
    try {
      await upTo(Math.max(...this.#waiting));
    } finally {
      this.#waiting.splice(this.#waiting.indexOf(needed), 1);
    }
  }

  // All of a turn go in together: crossing over to WebAssembly costs more than a write.
  #write(id, space, ops) {
    return new Promise((resolve, reject) => {
      if (this.#writes.length === 0) queueMicrotask(() => this.#flush());
      const last = this.#writes.at(-1);
      const goesOn = last?.space === space && last.id?.tab === id?.tab && last.id?.again === id?.again &&
        (!id || last.id.number + last.list.length === id.number);
      if (goesOn) last.list.push({ ops, resolve, reject });
      else this.#writes.push({ space, id: id && { ...id }, list: [{ ops, resolve, reject }] });
    });
  }

  #flush() {
    for (const { space, id, list } of this.#writes.splice(0)) this.#writeAll(space, id, list);
  }

  async #writeAll(space, id, list) {
    const writing = this.#unstored.begin();
    try {
      if (!this.#core) throw closed();
      const { tab = NO_TAB, number = 0, again = false } = id ?? {};
      const [asked, parts] = [[], []];
      // All in this turn, so they go into one transaction.
      for (let from = 0; from < list.length;) {
        const { bytes, count, isKept } = joined(list, from);
        asked.push(this.#core.writeMany(space, bytes, tab, number + from, again, isKept));
        parts.push(list.slice(from, (from += count)));
      }
      const all = Promise.all(asked);
      const answer = (await (restIsHere() ? all : unlessBroken(all))).flatMap((packed, n) => writtenOf(packed, parts[n]));
      // The first write is done; others may follow at once.
      restWhenIdle();
      answer.forEach((found, n) => (Array.isArray(found) ? list[n].resolve(found) : list[n].reject(new HyphaError(found.code, found.message))));
    } catch (error) {
      for (const { reject } of list) reject(toError(error));
    } finally {
      this.#unstored.end(writing);
    }
  }

  #isFull(isAwaited) {
    this.#refused = this.#refused.concat(this.#unstored.changes);
    if (this.#fullDisk) return this.#fullDisk.failed(isAwaited);
    this.#loading = import("./full-disk.js").then(({ FullDisk }) => {
      if (this.#isClosed) return undefined;
      this.#fullDisk = new FullDisk(() => this.#reopen());
      this.#fullDisk.failed(isAwaited);
      return this.#fullDisk.before();
    }).catch(() => {}); // Offline: a reload does the same.
  }

  // Opened anew on what is stored, see full-disk.js. None of what is given up with it was answered as done.
  async #reopen() {
    const core = this.#core;
    if (core) {
      await rest();
      notBroken();
      this.#flush();
      this.#seen = core.snapshot();
      // Who locked it stays locked, also where that could not be stored.
      this.#kept = core.keys() ?? (this.#seen.state === "locked" ? new Uint8Array() : undefined);
      this.#core = undefined;
      await core.close(false);
      core.free();
    }
    if (this.#isClosed) return;
    try {
      const hubs = this.#seen.hubs.map(({ url }) => url);
      this.#core = await this.#module.Core.open({ ...anew(this.#options, this.#seen), hubs, keys: this.#kept, takesOver: false }, this.#page);
    } catch (error) {
      throw (this.#trouble = toError(error, "STORAGE"));
    }
    this.#forgetKept();
    this.#trouble = undefined;
    this.#home = undefined;
    this.#isFresh = false;
    // What may be otherwise than it was.
    const refused = this.#refused;
    this.#refused = [];
    this.#listen("state", this.snapshot.state);
    for (const name of ["anew", "spaces", "writers", "requests"]) this.#listen(name);
    for (const detail of refused) this.#listen("changed", detail);
  }

  #forgetKept() {
    this.#kept?.fill(0);
    this.#kept = undefined;
  }

  /** The keys of the unlocked node, for its other tabs; undefined while it is locked or has none. */
  get keys() {
    return this.#core ? this.#core.keys() : this.#kept?.slice();
  }

  async closeAll() {
    await this.close();
  }

  /** What of the stored files is in memory. */
  get pages() {
    return this.#core?.pages();
  }

  /** Bytes of memory that the node has taken. */
  get memory() {
    return this.#module?.memoryBytes() ?? 0;
  }

  /** `robbed`: another one has the database, so nothing is stored any more, not even what closing would. */
  async close(robbed = false) {
    this.#isClosed = true;
    const opening = this.#fullDisk?.stop();
    if (opening) await opening;
    this.#forgetKept();
    const core = this.#core;
    if (!core) return;
    if (!restIsHere()) {
      try {
        await rest();
        notBroken();
      } catch {
        // Nothing that was answered is lost: it is stored. The rest is not to be had, and the page will go.
        this.#core = undefined;
        return;
      }
      if (!this.#core) return;
    }
    this.#flush();
    this.#seen = core.snapshot();
    this.#core = undefined;
    await core.close(robbed);
    core.free();
  }
}

const NO_TAB = new Uint8Array();
const CALM_MS = 1000;

// The bytes of the next writes, as many as stand in one buffer.
function joined(list, from) {
  let to = from + 1;
  const { ops: first } = list[from];
  if (first instanceof Packed) {
    const goesOn = ({ ops }, before) => ops instanceof Packed && ops.isKept === first.isKept && ops.follows(before.ops);
    while (to < list.length && goesOn(list[to], list[to - 1])) to++;
    return { bytes: first.through(list[to - 1].ops), count: to - from, isKept: first.isKept };
  }
  // From other tabs, each in a buffer of its own.
  while (to < list.length && !(list[to].ops instanceof Packed)) to++;
  const each = list.slice(from, to).map(({ ops }) => ops);
  const bytes = new Uint8Array(each.reduce((length, one) => length + one.length, 0));
  each.reduce((at, one) => (bytes.set(one, at), at + one.length), 0);
  return { bytes, count: each.length, isKept: false };
}
