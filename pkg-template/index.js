// hypha-node: a complete peer-to-peer node in a browser tab. Importing this does nothing; WebAssembly loads on first use.

import { HyphaError, closed, toError } from "./errors.js";
import { wasAnywhere, wasHere } from "./here.js";
import { claimNonce, domainOf, putClaim, wellKnown } from "./host.js";
import { Request, SignIn } from "./people.js";
import { compiled } from "./rest.js";
import { Space, refusing } from "./space.js";
import { Staying } from "./staying.js";
import { Presence } from "./talk.js";
import { openNode } from "./tabs.js";
import { wasm } from "./wasm.js";
import { deriveRoot } from "./worker-client.js";

export { HyphaError, Request, SignIn, Space };

const NAME = "hypha";
const READY_MS = 12_000; // longer than the look-up takes at most
const SAFETY_MS = 50; // between two tellings

export class Hypha extends EventTarget {
  #node;
  #domain;
  #options;
  #spaces = new Map(); // by key
  #signIn;
  #ready;
  #staying; // undefined where nothing is kept
  #told; // the state that listeners know
  #copied = false; // whether a static copy was looked for
  #early = []; // what was heard before anybody could listen
  #stirred = new Set(); // keys of spaces whose safety changed and was not told

  /**
   * Loads WebAssembly, all that this browser will need of it, before anything asks for it. Or says from where it comes: an
   * address, a response, bytes or a module; `rest` is a list of its later parts, each an address or a module: set-up,
   * posts, rest. Not needed beside a plain server.
   */
  static async init(source, { rest } = {}) {
    await wasm(source, rest);
    // What cannot be had now is asked for again when it is needed.
    if (wasAnywhere()) await compiled().catch(() => {});
  }

  /** Draws a passphrase: 8 words are 103 bits. */
  static async generatePassphrase(words = 8) {
    const { core } = await wasm();
    return checked(() => core.generatePassphrase(words));
  }

  /** Opens this browser's node. Tabs of one origin that give the same `name` share one. */
  static async open(options = {}) {
    const hypha = new Hypha(opening);
    await hypha.#open(options);
    return hypha;
  }

  constructor(key) {
    if (key !== opening) throw new TypeError("use Hypha.open()");
    super();
  }

  async #open(options) {
    // All parts at once, where all will be needed.
    if (options.storage !== "memory" && wasHere(options.name ?? NAME)) compiled().catch(() => {});
    const { core } = await wasm();
    const { hubs = [], transports = {}, name = NAME, storage = "indexeddb", durability = "strict", role = "person", link, iceServers, quota, spaceQuota, maxPeers } = options;
    if (!["indexeddb", "memory"].includes(storage)) throw new HyphaError("BAD_INPUT", "storage must be \"indexeddb\" or \"memory\"");
    if (!["strict", "relaxed"].includes(durability)) throw new HyphaError("BAD_INPUT", "durability must be \"strict\" or \"relaxed\"");
    if (!["person", "replica"].includes(role)) throw new HyphaError("BAD_INPUT", "role must be \"person\" or \"replica\"");
    const ready = new Promise((resolve) => (this.#ready = resolve));
    this.#options = {
      domain: domainOf(options.domain),
      link,
      hubs: [...hubs],
      webrtc: transports.webrtc !== false && typeof RTCPeerConnection === "function",
      relay: transports.relay,
      tabs: transports.tabs !== false,
      relaxed: durability === "relaxed",
      replica: role === "replica",
      quota,
      spaceQuota,
      maxPeers,
      database: storage === "memory" ? undefined : name,
      iceServers,
      persist: options.persist !== false,
      snapshot: options.snapshot === undefined || options.snapshot === false ? options.snapshot : String(options.snapshot),
    };
    this.#domain = this.#options.domain = checked(() => core.checkOptions(this.#options));
    this.#node = await openNode(this.#options, (name, detail) => this.#hear(name, detail));
    if (!this.#node.snapshot.ready) await Promise.race([ready, new Promise((done) => setTimeout(done, READY_MS))]);
    // The tab that runs the node knows nothing of it.
    const isNews = link && role === "person" && this.#node.memory === 0 && link !== `hypha://${this.#node.home}`;
    if (isNews) await this.#node.call("pin", link).catch((error) => this.#hear("failed", error));
    if (this.state === "requesting") this.#signIn = new SignIn(this.#node);
    if (this.#options.database !== undefined) {
      this.#staying = new Staying(this.#node, this.#options, (notice) => this.#notice(notice));
      this.#staying.opened();
    }
    this.#lookForCopy(this.#options.snapshot);
    const early = this.#early;
    this.#early = undefined;
    // After whoever awaits this has had a chance to listen.
    setTimeout(() => early.forEach(({ name, detail }) => this.#tell(name, detail)));
  }

  get state() { return this.#node.snapshot.state; }
  /** The space of this domain, once one is known. */
  get home() {
    // Asked for at every turn, and nearly always the same one.
    const key = this.#node.home;
    return this.#spaces.get(key) ?? this.#space(key);
  }
  // One object for one space, so that watches and listeners of all who hold it are the same.
  #space(key) {
    const about = key && this.#node.snapshot.spaces.find((space) => space.key === key);
    if (about && !this.#spaces.has(key)) this.#spaces.set(key, new Space(this.#node, about, this.#domain));
    return about && this.#spaces.get(key);
  }
  /** The sign-in that waits, also after a reload. */
  get signingIn() {
    return this.state === "requesting" ? this.#signIn : undefined;
  }
  /** Another space that the host names than the one that was seen first; `pin` resolves it. */
  get otherLink() { return this.#node.snapshot.otherLink; }

  /** Root keys of rival new passphrases: nobody is followed until one is chosen, or signed in with. */
  get rivals() { return this.#node.snapshot.rivals; }

  /** Follows one of the rivals. */
  async chooseRival(root) {
    await this.#node.call("chooseRoot", root);
  }

  /** Begins a space. With `claim`, the host's one-time token, `hypha.claim` says what the host made of it. */
  async signUp(passphrase, { device, remember = false, claim } = {}) {
    const nonce = claim && (await claimNonce(this.#domain));
    const { key, claim: signature } = await this.#withRoot(passphrase, "signUp", device, remember, nonce);
    if (claim) {
      const told = signature && { token: claim, key, domain: this.#domain, nonce: hex(nonce), signature };
      this.claim = told && (await putClaim(this.#domain, told)) ? "published" : "refused";
    }
    return this.home;
  }

  /** Asks this person's other devices to let this one in. */
  async signIn(passphrase, { device, remember = false } = {}) {
    await this.#withRoot(passphrase, "signIn", device, remember);
    // There already where the state was heard of first: both are one.
    const asked = (this.#signIn ??= new SignIn(this.#node));
    if (this.state === "writer") {
      SignIn.end(asked, this.home);
      this.#signIn = undefined;
    }
    return asked;
  }

  /** Takes this device's keys into memory. */
  async unlock(passphrase) {
    await this.#withRoot(passphrase, "unlock");
  }

  /** Lets this device in by the passphrase alone, when no other one is left to ask. */
  async recover(passphrase, { device, cutOthers = false, remember = false } = {}) {
    await this.#withRoot(passphrase, "recover", device, remember, cutOthers);
    return this.home;
  }

  /** Puts another passphrase in the place of the old one: every other device has to sign in anew. */
  async changePassphrase(old, next) {
    const { core } = await wasm();
    const normal = [old, next].map((one) => checked(() => core.checkPassphrase(String(one))));
    const roots = [];
    try {
      for (const one of normal) roots.push(await deriveRoot(one, this.#domain));
      await this.#node.call("changePassphrase", ...roots);
    } finally {
      for (const root of roots) root.fill(0);
    }
  }

  /** Drops all keys from memory, in every tab. */
  async lock() {
    await this.#node.call("lock");
  }

  /** Signs out: this device removes itself and wipes its keys; public data stays. */
  async forget() {
    await this.#node.call("forget");
  }

  /** Requests that wait for this person's decision. */
  requests() {
    return this.#node.snapshot.requests.map((request) => new Request(this.#node, request));
  }

  spaces() {
    return this.#node.snapshot.spaces.map(({ key }) => this.#space(key));
  }

  /** Reads the space of this link here from now on. */
  async pin(link) {
    await this.#node.call("pin", link);
    return this.home;
  }

  /** Makes a space of this person's own. Their other devices come to it by themselves. */
  async createSpace({ title = "" } = {}) {
    return this.#space(await this.#node.call("createSpace", title));
  }

  /** Reads a space beside the one of the domain; with an invite, asks its admins to be let in. */
  async join(linkOrInvite) {
    return this.#space(await this.#node.call("join", linkOrInvite));
  }

  /** As a replica: holds the space of this link from now on; `quota` in bytes. */
  async hold(link, { quota } = {}) {
    return this.#space(await this.#node.call("hold", link, quota));
  }

  /** As a replica: `{ key, link, used, quota, spaces }`, with what is held of each space. */
  get replica() { return this.#node.snapshot.replica; }

  /** The replicas that are relied on, in all spaces. */
  replicas() {
    return this.spaces().flatMap((space) => space.replicas().map((replica) => ({ ...replica, space })));
  }

  /** What this browser had here before and has lost: `{ link, device }`. */
  get evicted() { return this.#staying?.evicted; }
  /** Has `evicted` be undefined from now on. */
  restEvicted() { this.#staying?.rest(); }

  /** Begins to pair with another node without a hub: `{ offer, accept(answer), cancel() }`. */
  async pair({ space } = {}) {
    return (await import("./pairing.js")).pair(this.#node, space?.key);
  }

  /** Answers the offer of another: `{ answer, connect(), cancel() }`; `connect` once the other has the answer. */
  async answer(offer, { space } = {}) {
    return (await import("./pairing.js")).answer(this.#node, offer, space?.key);
  }

  /** Takes in a sync file of a space that is read here, each part verified. `{ taken, fresh }` parts. */
  async importSync(file) {
    return (await import("./sync-file.js")).importSync(this.#node, file);
  }

  /** All that this node has of every space, public and sealed, as one file; no key is in it. */
  async export() {
    return (await import("./archive.js")).exportNode(this.#node);
  }

  /** Takes in such a file, each part verified as if a stranger had sent it. Whoever wants to write signs in then. */
  async import(file) {
    await (await import("./archive.js")).importNode(this.#node, file);
  }

  peers() {
    return this.#node.snapshot.peers;
  }

  async addHub(url) {
    await this.#node.call("addHub", url);
  }

  async removeHub(url) {
    await this.#node.call("removeHub", url);
  }

  /** Storage in bytes, hubs, peers, memory in bytes. */
  async stats() {
    const { hubs, peers, spaces } = this.#node.snapshot;
    const writers = spaces.flatMap((space) => space.writers);
    const { usage, quota } = (await navigator.storage?.estimate?.().catch(() => undefined)) ?? {};
    const entries = writers.reduce((sum, writer) => sum + writer.held, 0);
    const persisted = await navigator.storage?.persisted?.().catch(() => undefined);
    return { storage: { usage, quota, persisted }, hubs, peers: peers.length, feeds: writers.length, entries, memory: this.#node.memory, pages: this.#node.pages };
  }

  /** Lets go of everything once all is stored. The second time does nothing. */
  async close() {
    await this.#node.close();
    this.#closed();
  }

  async [Symbol.asyncDispose ?? Symbol("asyncDispose")]() {
    await this.close();
  }

  /** Closes the node in every tab and deletes its database. */
  async destroy() {
    await this.#node.closeAll();
    this.#closed();
    this.#staying?.gone();
    if (this.#options.database !== undefined) await checked((await wasm()).core.deleteDatabase(this.#options.database));
  }

  // Nothing comes any more: who waits for it is told.
  #closed() {
    if (this.#signIn) SignIn.end(this.#signIn, closed());
    this.#spaces.forEach(Space.closed);
  }

  async #withRoot(passphrase, method, ...given) {
    const { core } = await wasm();
    const normal = checked(() => core.checkPassphrase(String(passphrase)));
    this.#node.expect(method);
    const root = await deriveRoot(normal, this.#domain);
    try {
      return await this.#node.call(method, root, ...given);
    } finally {
      root.fill(0);
    }
  }

  // Whoever reads a space as a visitor and has nothing of it yet reads a static copy until peers have brought it.
  #lookForCopy(given) {
    const home = this.home;
    if (given === false || this.#copied || this.state !== "visitor" || !home) return;
    if (given === undefined && Object.keys(home.clock()).length > 0) return;
    this.#copied = true;
    const wrong = (error) => this.dispatchEvent(new CustomEvent("storage", { detail: error }));
    Space.copied(home, import("./snapshot.js").then(async ({ SnapshotSource }) => {
      try {
        const copy = await SnapshotSource.open(home.key, given === undefined ? wellKnown(this.#domain, "hypha-snapshot/") : String(given), wrong);
        if (copy) setTimeout(() => this.dispatchEvent(new CustomEvent("snapshot", { detail: home })));
        return copy;
      } catch (error) {
        // Where nobody asked for a copy, one that cannot be reached is none.
        if (given !== undefined || error.code !== "TIMEOUT") setTimeout(() => wrong(error));
        return undefined;
      }
    }));
  }

  #hear(name, detail) {
    if (name === "state") this.#ready();
    if (this.#early) this.#early.push({ name, detail });
    else this.#tell(name, detail);
  }

  // After whoever awaits the opening has had a chance to listen.
  #notice(notice) {
    setTimeout(() => this.dispatchEvent(new CustomEvent("storage", { detail: notice })));
  }

  #tell(name, detail) {
    this.#staying?.heard(name);
    const fire = (type, value) => this.dispatchEvent(new CustomEvent(type, { detail: value }));
    if (name === "changed") {
      const space = this.#spaces.get(detail.space);
      return space && Space.changed(space, detail.keys);
    }
    if (name === "closed") return this.#closed();
    if (name === "spaces") this.#spaces.forEach((space, key) => this.#space(key) ?? Space.closed(space));
    if (name === "anew") return this.#spaces.forEach(({ presence }) => Presence.again(presence));
    if (name === "state") return this.#stateChanged(detail) && fire("statechange", detail);
    if (name === "requests") return fire("request", this.requests());
    if (name === "denied") return this.#signIn && SignIn.end(this.#signIn, SignIn.ended());
    if (name === "failed") {
      const error = toError(detail);
      const type = { EQUIVOCATION: "equivocation", QUOTA: "storage", STORAGE: "storage", CORRUPT: "storage" }[error.code];
      return fire(type ?? "error", error);
    }
    if (["granted", "message", "retracted"].includes(name)) this.#spaces.get(detail.space)?.dispatchEvent(new CustomEvent(name, { detail }));
    if (name === "safety") return this.#saferLater(detail);
    if (name === "presence") return this.#spaces.get(detail)?.dispatchEvent(new CustomEvent(name));
    if (name === "message") return;
    fire({ hubs: "hub", peers: "peer" }[name] ?? name, detail);
  }

  // Each write changes it, so whoever writes much is told now and then.
  #saferLater(key) {
    if (this.#stirred.size === 0) setTimeout(() => this.#tellSafety(), SAFETY_MS);
    this.#stirred.add(key);
  }

  #tellSafety() {
    const keys = [...this.#stirred];
    this.#stirred.clear();
    for (const key of keys) {
      const space = this.#spaces.get(key);
      space?.dispatchEvent(new CustomEvent("safety", { detail: space.safety() }));
      this.dispatchEvent(new CustomEvent("safety", { detail: key }));
    }
  }

  // Whether it is news. A tab that takes the node over says its state anew.
  #stateChanged(state) {
    if (state === this.#told) return false;
    this.#told = state;
    if (state === "visitor") this.#lookForCopy(this.#options.snapshot);
    if (state === "requesting") this.#signIn ??= new SignIn(this.#node);
    else if (this.#signIn) {
      SignIn.end(this.#signIn, state === "writer" ? this.home : SignIn.ended());
      this.#signIn = undefined;
    }
    return true;
  }
}

const opening = Symbol("Hypha.open");
const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

// Errors of the module, thrown or rejected, as HyphaErrors.
function checked(work) {
  try {
    const result = typeof work === "function" ? work() : work;
    return typeof result?.then === "function" ? result.then(undefined, (error) => Promise.reject(toError(error))) : result;
  } catch (error) {
    throw toError(error);
  }
}

Hypha.prototype.values = refusing("values", ["publish", "watch"]);
Hypha.prototype.feeds = refusing("feeds", ["create", "open"]);
