// One node for all tabs of an origin and database name.
//
//   tab that holds the Web Lock   runs the node           ── events, snapshot, replies ──▶  the other tabs
//   any other tab                 calls through it        ── hello, call, ping ──────────▶  the one that leads
//
// The lock goes to the next tab when the leader closes or crashes. A leader that is silent for two seconds (frozen,
// or stuck in a debugger) is robbed of it; what it still tries to write then is stopped by the database's fence. Calls
// that wait for an answer are given to the new leader, marked as repeated. While the node is unlocked every tab holds
// its keys in memory, so that a take-over asks nobody for a passphrase; locking clears them everywhere.

import { LocalNode, METHODS } from "./local-node.js";
import { repeated } from "./repeated.js";
import { HyphaError, closed, toError } from "./errors.js";

const SILENCE_MS = 2000;
const PING_MS = 500;

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
  #keys; // keys of the unlocked node, or undefined
  #heard = Date.now(); // when the leader was heard last
  #calls = new Map(); // id -> { id, method, given, since, resolve, reject }
  #last = 0;
  #tabs = new Set(); // tabs that listen to this one
  #unsent; // events of this turn
  #abort = new AbortController();
  #term = 0; // rises when the lock is lost, so that an opening that is under way knows
  #release; // gives the lock back
  #watch;
  #settle;
  opened;

  constructor(options, listen) {
    this.#options = options;
    this.#listen = listen;
    this.#lock = `hypha/node/${options.database}`;
    this.opened = new Promise((resolve, reject) => (this.#settle = { resolve, reject }));
    this.#channel = new BroadcastChannel(this.#lock);
    this.#channel.onmessage = ({ data }) => this.#receive(data);
    this.#post({ type: "hello" });
    this.#queue({ signal: this.#abort.signal });
    this.#watch = setInterval(() => this.#check(), PING_MS);
  }

  get snapshot() {
    if (this.#abort.signal.aborted) throw closed();
    return this.#local ? this.#local.snapshot : this.#seen;
  }

  get memory() {
    return this.#local?.memory ?? 0;
  }

  async call(method, ...given) {
    if (this.#abort.signal.aborted) throw closed();
    if (this.#local) return this.#local.call(method, ...given);
    return new Promise((resolve, reject) => {
      const call = { id: `${this.#id}/${++this.#last}`, method, given, since: Date.now(), resolve, reject };
      this.#calls.set(call.id, call);
      if (this.#leader) this.#send(call, false);
    });
  }

  async close() {
    if (this.#abort.signal.aborted) return;
    this.#abort.abort();
    clearInterval(this.#watch);
    this.#forgetKeys();
    await this.#local?.close();
    this.#release?.();
    this.#channel.close();
    for (const { reject } of this.#calls.values()) reject(closed());
    this.#calls.clear();
  }

  /** Closes the node in every tab. */
  async closeAll() {
    if (!this.#abort.signal.aborted) this.#post({ type: "close" });
    await this.close();
  }

  // Leading

  async #queue(how) {
    try {
      await navigator.locks.request(this.#lock, how, () => this.#lead());
    } catch (error) {
      if (this.#abort.signal.aborted) return;
      if (error?.name === "AbortError") return this.#robbed();
      this.#settle.reject(toError(error, "STORAGE"));
      // Nobody can open it here, so nobody should wait for this tab.
      await this.close();
    }
  }

  async #lead() {
    this.#leader = undefined;
    const term = this.#term;
    const taking = setInterval(() => this.#post({ type: "taking" }), PING_MS);
    this.#post({ type: "taking" });
    let local;
    try {
      const options = { ...this.#options, keys: this.#keys };
      local = await LocalNode.open(options, (name, detail) => this.#happened(name, detail));
    } finally {
      clearInterval(taking);
    }
    if (this.#abort.signal.aborted || this.#term !== term) return local.close();
    this.#local = local;
    this.#post({ type: "lead", snapshot: this.#local.snapshot, keys: this.#local.keys });
    this.#settle.resolve();
    if (this.#seen) this.#listen("state", this.#local.snapshot.state);
    for (const call of this.#calls.values()) this.#answer(this.#local, call, true).then(call.resolve, call.reject);
    this.#calls.clear();
    await new Promise((resolve) => (this.#release = resolve));
  }

  async #robbed() {
    const local = this.#local;
    this.#term++;
    this.#local = undefined;
    this.#seen = local?.snapshot;
    this.#heard = Date.now();
    this.#release?.();
    await local?.close();
    this.#post({ type: "hello" });
    this.#queue({ signal: this.#abort.signal });
  }

  // All events of a turn go in one message, with what is true after them.
  #happened(name, detail) {
    if (!this.#unsent) {
      this.#unsent = [];
      queueMicrotask(() => {
        const events = this.#unsent;
        this.#unsent = undefined;
        if (!this.#local) return;
        this.#keep(this.#local.keys);
        if (this.#tabs.size > 0) this.#post({ type: "events", events, snapshot: this.#local.snapshot, keys: this.#keys });
      });
    }
    this.#unsent.push({ name, detail });
    this.#listen(name, detail);
  }

  async #answer(local, { method, given, since }, again) {
    if (!METHODS.has(method)) throw new HyphaError("BAD_INPUT", `no method ${String(method).slice(0, 40)}`);
    const done = again && (await repeated(local, method, given, since));
    return done ? done.result : local.call(method, ...given);
  }

  // Following

  #check() {
    if (this.#local || document.hidden) return void (this.#heard = Math.max(this.#heard, Date.now() - PING_MS));
    const silent = Date.now() - this.#heard;
    // Not all tabs at the same moment.
    if (silent > SILENCE_MS + Math.random() * PING_MS) {
      this.#heard = Date.now();
      this.#queue({ steal: true });
    } else if (silent >= PING_MS) {
      this.#post({ type: this.#leader ? "ping" : "hello" });
    }
  }

  #send(call, again) {
    const { id, method, given, since } = call;
    try {
      this.#post({ type: "call", id, method, given, since, again });
    } catch (error) {
      this.#calls.delete(id);
      call.reject(new HyphaError("BAD_INPUT", `this cannot be handed to the tab that runs the node: ${error.message}`));
    }
  }

  #follow({ from, snapshot, keys }) {
    const again = this.#leader !== undefined && this.#leader !== from;
    const fresh = this.#leader !== from;
    this.#leader = from;
    this.#seen = snapshot;
    this.#keep(keys);
    this.#settle.resolve();
    if (!fresh) return;
    this.#post({ type: "hello" });
    for (const call of this.#calls.values()) this.#send(call, true);
    if (again) this.#listen("state", snapshot.state);
  }

  // Messages

  #post(message) {
    this.#channel.postMessage({ ...message, from: this.#id });
  }

  #receive(message) {
    if (message.to !== undefined && message.to !== this.#id) return;
    if (message.type === "close") return void this.close();
    if (this.#local) return this.#receiveLeading(this.#local, message);
    if (["hello", "ping", "call"].includes(message.type)) return;
    this.#heard = Date.now();
    if (message.type === "lead") this.#follow(message);
    if (message.type === "events" && message.from === this.#leader) {
      this.#seen = message.snapshot;
      this.#keep(message.keys);
      for (const { name, detail } of message.events) this.#listen(name, detail);
    }
    if (message.type === "reply") {
      const call = this.#calls.get(message.id);
      this.#calls.delete(message.id);
      if (message.error) call?.reject(toError(message.error));
      else call?.resolve(message.result);
    }
  }

  #receiveLeading(local, message) {
    const { type, from, id } = message;
    if (type === "ping") this.#post({ type: "pong", to: from });
    if (type === "hello") {
      const known = this.#tabs.has(from);
      this.#tabs.add(from);
      if (!known) this.#post({ type: "lead", to: from, snapshot: local.snapshot, keys: local.keys });
      else this.#post({ type: "pong", to: from });
    }
    if (type === "call") {
      this.#tabs.add(from);
      this.#answer(local, message, message.again).then(
        (result) => this.#post({ type: "reply", to: from, id, result }),
        ({ code, message: text }) => this.#post({ type: "reply", to: from, id, error: { code, message: text } }),
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
