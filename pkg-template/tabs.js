// One node for all tabs of an origin and database name.
//
//   tab that holds the Web Lock   runs the node           ── events, snapshot, replies ──▶  the other tabs
//   any other tab                 calls through it        ── hello, call, ping ──────────▶  the one that leads
//
// The lock goes to the next tab when the leader closes or crashes. A leader that is silent for two seconds (frozen,
// or stuck in a debugger) is robbed of it; what it still tries to write then is stopped by the database's fence. Calls
// that wait for an answer are given to the new leader, marked as repeated. While the node is unlocked every tab holds
// its keys in memory, so that a take-over asks nobody for a passphrase; locking clears them everywhere.

import { GOES_ON, LocalNode, METHODS, anew } from "./local-node.js";
import { reached } from "./repeated.js";
import { LeaderWatch } from "./leader-watch.js";
import { TabCalls } from "./tab-calls.js";
import { HyphaError, closed, toError } from "./errors.js";
import { Packed } from "./ops.js";

const TAKING_MS = 250; // a tab that takes over says so this often, until it has
const LOST_MS = 1000; // the browser says by then who was robbed, after the database did
const LOSING = ["STORAGE", "CLOSED"]; // what a call meets with in a tab that was robbed
const ANY = new Uint8Array(5); // no keys, packed

/** Opens the node of this name, here or through the tab that has it. Same members as LocalNode. */
export async function openNode(options, listen) {
  // Without locks (plain http) tabs cannot agree on a leader; the fence lets the last one write.
  if (!options.database || !navigator.locks || !globalThis.BroadcastChannel) return LocalNode.open(options, listen);
  const node = new SharedNode(options, listen);
  await node.opened;
  return node;
}

class SharedNode {
  #options;
  #listen;
  #id = crypto.randomUUID();
  #lock;
  #channel;
  #local; // LocalNode, in the tab that leads
  #leader; // id of the tab that leads, in the others
  #seen; // its snapshot
  #missed = false; // whether something may have happened that this one was not told of
  #hubs; // what this one joins when it leads, besides those that the node has
  #keys; // keys of the unlocked node, or undefined
  #calls = new TabCalls((message) => this.#post(message));
  #tabs = new Set(); // tabs that listen to this one
  #unsent; // events of this turn
  #abort = new AbortController();
  #term = 0; // rises when the lock is lost, so that an opening that is under way knows
  #led; // promise that ends with the time that this tab leads
  #release; // ends it, and gives the lock back
  #watch;
  #settle;
  opened;

  constructor(options, listen) {
    this.#options = options;
    this.#listen = listen;
    this.#hubs = options.hubs;
    this.#lock = `hypha/node/${options.database}`;
    this.opened = new Promise((resolve, reject) => (this.#settle = { resolve, reject }));
    this.#channel = new BroadcastChannel(this.#lock);
    this.#channel.onmessage = ({ data }) => this.#receive(data);
    this.#post({ type: "hello" });
    this.#queue({ signal: this.#abort.signal });
    this.#watch = new LeaderWatch({
      idle: () => this.#local !== undefined,
      ask: () => this.#post({ type: this.#leader ? "ping" : "hello" }),
      silent: () => this.#queue({ steal: true }),
    });
  }

  get snapshot() {
    return this.#local ? this.#local.snapshot : this.#seen;
  }

  get home() {
    return this.#local ? this.#local.home : this.#seen?.home;
  }

  get pages() {
    return this.#local?.pages;
  }

  get memory() {
    return this.#local?.memory ?? 0;
  }

  /** See LocalNode: the others load nothing for what the tab that leads does. */
  expect(method) {
    this.#local?.expect(method);
  }

  async call(method, ...given) {
    if (this.#abort.signal.aborted) throw closed();
    const call = { id: this.#calls.name(), method, given };
    return this.#local ? this.#do(this.#local, call) : this.#hand(call);
  }

  #hand({ id, method, given }) {
    const plain = given.map((one) => (one instanceof Packed ? one.bytes.slice() : one));
    return this.#calls.add(id, method, plain, this.#leader !== undefined);
  }

  // A call of this tab, by the node that runs here.
  async #do(local, call) {
    let handed;
    this.#calls.begin();
    try {
      return await (call.id.again ? this.#answer(local, call) : local.callAs(call.id, call.method, ...call.given));
    } catch (error) {
      // Robbed while it was at it: the tab that leads now does it, unless it was done.
      if (!LOSING.includes(error.code) || !(await this.#lost(local))) throw error;
      call.id.again = true;
      handed = this.#hand(call);
    } finally {
      this.#calls.end(this.#leader !== undefined);
    }
    return handed;
  }

  // Whether this node is no longer the one that leads.
  async #lost(local) {
    if (this.#local === local) await Promise.race([this.#led, new Promise((resolve) => setTimeout(resolve, LOST_MS))]);
    return this.#local !== local && !this.#abort.signal.aborted;
  }

  async close() {
    if (this.#abort.signal.aborted) return;
    this.#abort.abort();
    this.#watch.stop();
    this.#forgetKeys();
    await this.#local?.close();
    this.#release?.();
    this.#channel.close();
    this.#channel = undefined;
    this.#settle.reject(closed());
    for (const { reject } of this.#calls.take()) reject(closed());
    this.#listen("closed");
  }

  /** Closes the node in every tab. */
  closeAll() {
    if (!this.#abort.signal.aborted) this.#post({ type: "close" });
    return this.close();
  }

  async #queue(how) {
    try {
      await navigator.locks.request(this.#lock, how, () => this.#lead(how.steal === true));
    } catch (error) {
      if (this.#abort.signal.aborted) return;
      if (error?.name === "AbortError") return this.#robbed();
      const { code, message } = toError(error, "STORAGE");
      this.#settle.reject(new HyphaError(code, message));
      // Who has it open already is told.
      if (this.#seen) this.#listen("failed", { code, message });
      // Nobody can open it here, so nobody should wait for this tab.
      await this.close();
    }
  }

  async #lead(takesOver) {
    this.#leader = undefined;
    const term = this.#term;
    // However long it takes: this tab does not hear what it says, and must not take itself for silent.
    const say = () => {
      if (this.#term !== term) return clearInterval(taking);
      this.#watch.heard();
      this.#post({ type: "taking" });
    };
    const taking = setInterval(say, TAKING_MS);
    say();
    const isOver = () => this.#abort.signal.aborted || this.#term !== term;
    let local;
    try {
      const hubs = [...new Set([...urls(this.#seen), ...this.#hubs])];
      const options = { ...(this.#seen ? anew(this.#options, this.#seen) : this.#options), hubs, keys: this.#keys, takesOver };
      local = await LocalNode.open(options, (name, detail) => this.#term === term && this.#happened(name, detail), isOver);
    } finally {
      clearInterval(taking);
    }
    await this.#calls.settled();
    // Robbed meanwhile, as it was frozen: what it stored would shut the one that leads out.
    if (isOver()) return local.close(this.#term !== term);
    this.#local = local;
    this.#led = new Promise((resolve) => (this.#release = resolve));
    this.#keep(local.keys);
    this.#post({ type: "lead", snapshot: this.#local.snapshot, keys: this.#keys });
    this.#settle.resolve();
    this.#hubs = []; // The node has them.
    if (this.#seen) this.#tellAnew(local.snapshot);
    for (const call of this.#calls.take()) this.#do(local, call).then(call.resolve, call.reject);
    await this.#led;
  }

  async #robbed() {
    const local = this.#local;
    this.#term++;
    this.#local = undefined;
    this.#tabs.clear();
    this.#seen = local?.snapshot ?? this.#seen;
    this.#watch.heard();
    this.#release?.();
    await local?.close();
    this.#post({ type: "hello" });
    this.#queue({ signal: this.#abort.signal });
  }

  // All events of a turn go in one message, with what is true after them.
  async #happened(name, detail) {
    const local = this.#local;
    // Not a failure of storage, if it was the fence that kept a robbed node from writing.
    if (name === "failed" && detail.code === "STORAGE" && local && (await this.#lost(local))) return;
    if (!this.#unsent) {
      this.#unsent = [];
      queueMicrotask(() => {
        const events = this.#unsent;
        this.#unsent = undefined;
        if (!this.#local) return;
        if (events.some(({ name }) => name === "state" || name === "writers")) this.#keep(this.#local.keys);
        if (this.#tabs.size > 0) this.#post({ type: "events", events, snapshot: this.#local.snapshot, keys: this.#keys });
      });
    }
    this.#unsent.push({ name, detail });
    this.#listen(name, detail);
  }

  async #answer(local, { id, method, given }) {
    if (!METHODS.has(method)) throw new HyphaError("BAD_INPUT", `no method ${String(method).slice(0, 40)}`);
    const done = id.again && reached(local.snapshot, method);
    return done ? done.result : local.callAs(id, method, ...given);
  }

  #follow({ from, to, snapshot, keys }) {
    // To all it says so when it begins to lead, perhaps once more; to one, in answer to a hello.
    const known = to !== undefined && this.#leader === from;
    // Also in a tab that led until now.
    this.#missed ||= !known && this.#seen !== undefined;
    this.#leader = from;
    this.#see(snapshot);
    this.#keep(keys);
    this.#settle.resolve();
    if (!known) {
      this.#post({ type: "hello" });
      this.#calls.resend();
    }
    // With its answer the one that leads begins to tell this tab what happens.
    if (to && this.#missed) this.#tellAnew(snapshot);
  }

  // What happened while nobody told this tab nobody knows: all is to be looked at.
  #tellAnew({ state, spaces }) {
    this.#missed = false;
    this.#listen("state", state);
    for (const name of ["anew", "spaces", "writers", "requests", "hubs", "peers"]) this.#listen(name);
    for (const { key } of spaces) {
      this.#listen("changed", { space: key, keys: ANY });
      this.#listen("presence", key);
    }
  }

  #see(snapshot) {
    // A hub that was left does not come back when this tab leads.
    const here = urls(snapshot);
    const left = urls(this.#seen).filter((url) => !here.includes(url));
    this.#hubs = this.#hubs.filter((url) => !left.includes(url));
    this.#seen = snapshot;
  }

  #post(message) {
    if (this.#channel) this.#channel.postMessage({ ...message, from: this.#id });
  }

  #receive(message) {
    // Any page of this origin may post here.
    if (typeof message?.type !== "string") return;
    // A tab that closes answers nobody: the next one will.
    if (this.#abort.signal.aborted || (message.to !== undefined && message.to !== this.#id)) return;
    if (message.type === "close") return void this.close();
    if (this.#local) return this.#receiveLeading(this.#local, message);
    if (["hello", "ping", "call"].includes(message.type)) return;
    this.#watch.heard();
    if (message.type === "lead") this.#follow(message);
    if (message.type === "reply") {
      if (message.snapshot && message.from === this.#leader) this.#see(message.snapshot);
      this.#calls.settle(message);
    }
    if (message.type === "events" && message.from === this.#leader) {
      this.#see(message.snapshot);
      this.#keep(message.keys);
      for (const { name, detail } of message.events) this.#listen(name, detail);
    }
  }

  #receiveLeading(local, message) {
    const { type, from, id, method } = message;
    if (type === "ping") this.#post({ type: "pong", to: from });
    if (type === "hello") {
      // Known already: it has all that a newcomer is told.
      if (this.#tabs.has(from)) return this.#post({ type: "pong", to: from });
      this.#tabs.add(from);
      this.#post({ type: "lead", to: from, snapshot: local.snapshot, keys: this.#keys });
    }
    if (type === "call") {
      const reply = (outcome) => this.#post({ type: "reply", to: from, id, ...outcome });
      this.#answer(local, message).then(
        // Whoever called knows what came of it, also where nothing else tells.
        (result) => reply({ result, snapshot: method === "write" || GOES_ON.has(method) ? undefined : local.snapshot }),
        async ({ code, message: text }) => {
          // Not done, or not known to be: the next leader is asked.
          if (LOSING.includes(code) && (await this.#lost(local))) return;
          if (!this.#abort.signal.aborted && this.#local === local) reply({ error: { code, message: text } });
        },
      );
    }
  }

  #keep(keys) {
    if (this.#keys && this.#keys !== keys) this.#forgetKeys();
    this.#keys = keys;
  }

  #forgetKeys() {
    this.#keys?.fill(0);
    this.#keys = undefined;
  }
}

const urls = (snapshot) => (snapshot?.hubs ?? []).map(({ url }) => url);
