/** What can be stored: plain data. Numbers are exact, `-0` is `0`, a BigInt has at most 64 bits and comes back as a number below 2^53. */
export type Value =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | ArrayBuffer
  | Date
  | readonly Value[]
  | { readonly [key: string]: Value };

/** `"<writer>/<index>/<op>"`. */
export type Version = string;

export type ErrorCode =
  | "WRONG_PASSPHRASE"
  | "NOT_AUTHORISED"
  | "LOCKED" | "REVOKED"
  | "BAD_LINK" | "BAD_INPUT"
  | "TOO_LARGE"
  | "CONFLICT"
  /** The disk is full. What was refused is in no list any more, and the same again works once there is room. */
  | "QUOTA"
  | "STORAGE"
  | "CORRUPT"
  | "EQUIVOCATION"
  | "HUB"
  | "TIMEOUT"
  | "PINNED"
  | "UNSUPPORTED"
  | "CLOSED"
  /** A later part of the WebAssembly could not be loaded: no network. */
  | "OFFLINE"
  /** The host has a newer version than the one that runs: reload the page. */
  | "UPDATE";

/** Every promise of this package rejects with one. The code is for the program, the message for the person. */
export class HyphaError extends Error {
  constructor(code: ErrorCode, message: string, options?: ErrorOptions);
  readonly name: "HyphaError";
  readonly code: ErrorCode;
}

/** What a node is for its person. */
export type State = "uninitialised" | "visitor" | "requesting" | "writer" | "locked" | "revoked" | "replica";

export interface OpenOptions {
  /** Whose keys are derived and who is looked up; the page's host name unless given. */
  domain?: string;
  /** `hypha://…`: no look-up. */
  link?: string;
  /** Addresses of WebSocket hubs. Nodes of one browser find each other without any. */
  hubs?: readonly string[];
  /** STUN and TURN servers; none unless given. */
  iceServers?: RTCIceServer[];
  /**
   * On unless switched off. `relay`: hubs carry data, sealed, until WebRTC is there and when it fails. Unset, those do whose
   * address ends in `#relay=1`; `true`, all of a kind that can (not Nostr relays and trackers); `false`, none.
   */
  transports?: { webrtc?: boolean; relay?: boolean; tabs?: boolean };
  /**
   * Where a static copy of the domain's space is, for visitors who have nothing of it yet: an address of a folder, or `false`
   * for none. `/.well-known/hypha-snapshot/` of the domain unless given.
   */
  snapshot?: string | URL | false;
  /** `"memory"` keeps nothing beyond this tab. */
  storage?: "indexeddb" | "memory";
  /**
   * Asks the browser, once, not to take storage back when this browser becomes a writer. Firefox asks the person then. Unless
   * `false`.
   */
  persist?: boolean;
  /** Name of the database, `"hypha"` unless given. Tabs of one origin with the same name share one node. */
  name?: string;
  /** `"relaxed"`: others' entries need not have reached the disk to count as stored. One's own always must. `"strict"` unless given. */
  durability?: "strict" | "relaxed";
  /**
   * A replica holds spaces by their links (`hold`), serves and relays, and has no key of any: `state` is `"replica"`, and there
   * is no account. Its database must be another than a person's.
   */
  role?: "person" | "replica";
  /** Bytes that a replica may hold of all spaces together; no limit unless given. Counted are the blocks of feeds. */
  quota?: number;
  /** Bytes that a replica may hold of each space that got no quota of its own with `hold`. */
  spaceQuota?: number;
  /** Most connections at a time over all spaces, 1 to 32; 32 unless given. */
  maxPeers?: number;
}

export interface HyphaEventMap {
  statechange: CustomEvent<State>;
  /** The requests that wait now. */
  request: CustomEvent<Request[]>;
  granted: CustomEvent<{ space: string; writer: string; own: boolean }>;
  /** Spaces came or went, or let this device in. */
  spaces: CustomEvent<null>;
  /** Entries that were shown are not shown any more: a removal came late. They are in the quarantine of their space. */
  retracted: CustomEvent<{ space: string; writer: string; entries: number; keys: string[]; why: Quarantined["why"] | undefined }>;
  recovered: CustomEvent<null>;
  revoked: CustomEvent<null>;
  writers: CustomEvent<null>;
  /** Key of a space of which what this device wrote is held by more, or by fewer: see `Space.safety`. */
  safety: CustomEvent<string>;
  /** Key of a space of which there is more than this replica may hold. */
  full: CustomEvent<string>;
  peer: CustomEvent<null>;
  hub: CustomEvent<null>;
  equivocation: CustomEvent<HyphaError | { space: string; writer: string }>;
  /** A failure of storage, or what should be known before there is one. */
  storage: CustomEvent<HyphaError | StorageNotice>;
  error: CustomEvent<HyphaError>;
  /** A static copy of this space is read until peers have brought what is in it. */
  snapshot: CustomEvent<Space>;
}

export class Hypha extends EventTarget {
  private constructor();

  /** Loads WebAssembly now instead of on first use, and says from where, if it does not lie beside this file. Call it before anything else. */
  static init(
    source?: URL | string | Response | Promise<Response> | BufferSource | WebAssembly.Module,
    options?: {
      /** Where its later parts come from, in their order: `core_setup`, `core_posts`, `core_rest`. */
      rest?: (URL | string | WebAssembly.Module)[];
    },
  ): Promise<void>;
  /** 8 to 64 words of the EFF large list; 8 are 103 bits. */
  static generatePassphrase(words?: number): Promise<string>;
  /** Resolves once the domain was looked up, so that `state` means something. */
  static open(options?: OpenOptions): Promise<Hypha>;

  readonly state: State;
  readonly home: Space | undefined;
  /** The sign-in that waits to be answered, also after a reload. */
  readonly signingIn: SignIn | undefined;
  /** Another space that the host names than the one seen first; `pin` resolves it. */
  readonly otherLink: string | undefined;
  /**
   * Root keys of rival new passphrases, if the space was handed over to more than one before this browser followed any: none
   * is followed, and `PINNED` is told as an `error`, until one is chosen, or signed in or unlocked with.
   */
  readonly rivals: string[];
  chooseRival(root: string): Promise<void>;
  /** What the host made of the claim given to `signUp`. */
  readonly claim: "published" | "refused" | undefined;

  /** `claim`: the one-time token that a host printed, to have it name this space. */
  signUp(passphrase: string, o: { device: string; remember?: boolean; claim?: string }): Promise<Space>;
  signIn(passphrase: string, o: { device: string; remember?: boolean }): Promise<SignIn>;
  unlock(passphrase: string): Promise<void>;
  /** Drops all keys from memory, in every tab. */
  lock(): Promise<void>;
  /** Signs out: removes this device, wipes its keys, keeps public data. */
  forget(): Promise<void>;
  requests(): Request[];
  spaces(): Space[];
  /** Reads the space of this link on this domain from now on. */
  pin(link: string): Promise<Space | undefined>;
  /**
   * Reads a space beside the one of the domain. With an invite, asks its admins to be let in: `writable` turns true, and
   * `spaces` tells so, when one of their devices has answered. Rejects with `BAD_LINK`.
   */
  join(linkOrInvite: string): Promise<Space>;
  /** As a replica: holds the space of this link from now on. `quota` in bytes; without one, `spaceQuota` holds. */
  hold(link: string, o?: { quota?: number }): Promise<Space>;
  /** This node as a replica; `undefined` for a person's. */
  readonly replica: ReplicaNode | undefined;
  /** The replicas that are relied on, in all spaces. */
  replicas(): (Replica & { space: Space })[];
  peers(): PeerInfo[];
  addHub(url: string): Promise<void>;
  removeHub(url: string): Promise<void>;
  stats(): Promise<Stats>;
  close(): Promise<void>;
  /** Closes the node in every tab and deletes its database. */
  destroy(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;

  /**
   * Lets this device in by the passphrase alone, from whatever copy of the space has reached this browser. Rejects with
   * `NOT_AUTHORISED` while none has, `WRONG_PASSPHRASE`, `CONFLICT` if this device is one already.
   */
  recover(passphrase: string, o: { device: string; cutOthers?: boolean; remember?: boolean }): Promise<Space>;
  /** Every other device is removed and signs in anew with the new passphrase. The link stays. Rejects with `WRONG_PASSPHRASE`, `BAD_INPUT`. */
  changePassphrase(old: string, next: string): Promise<void>;
  /** Makes a space of this person's own. Their other devices come to it by themselves. */
  createSpace(o?: { title?: string }): Promise<Space>;
  /** All that this node has of every space, public and sealed, as one file. No key is in it. */
  export(): Promise<Blob>;
  /**
   * Takes in what `export` made; each part is verified as if a stranger had sent it. This browser reads then, and signs in to
   * write. `CORRUPT`: not all was right or there; what was is imported. `PINNED`: it is of another space than the one here.
   */
  import(file: Blob): Promise<void>;
  /** Takes in what `exportSync` made, of a space that is read here. `CORRUPT` as with `import`; `BAD_INPUT`: another file, or space. */
  importSync(file: Blob): Promise<{ taken: number; fresh: number }>;
  /**
   * Meets another node of a space (the domain's unless given) without a hub: `offer` is carried there, its answer back. Each has
   * under 1,200 characters and is of use for ten minutes. `accept` resolves when the two are connected, or rejects with `TIMEOUT`.
   */
  pair(o?: { space?: Space }): Promise<{ offer: string; accept(answer: string): Promise<PeerInfo>; cancel(): Promise<void> }>;
  /** Answers an offer. `connect` is called when the other side has read `answer`: both have about 15 seconds. */
  answer(offer: string, o?: { space?: Space }): Promise<{ answer: string; connect(): Promise<PeerInfo>; cancel(): Promise<void> }>;
  /** What this browser had here before and has lost, because it took its storage back. */
  readonly evicted: { readonly link: string; readonly device: boolean } | undefined;
  /** Has `evicted` be undefined from now on. */
  restEvicted(): void;
  /** Not in this version: all methods reject with `UNSUPPORTED`. */
  readonly values: Unsupported<"publish" | "watch">;
  /** Not in this version: all methods reject with `UNSUPPORTED`. */
  readonly feeds: Unsupported<"create" | "open">;

  addEventListener<K extends keyof HyphaEventMap>(type: K, listener: (this: Hypha, event: HyphaEventMap[K]) => unknown, options?: ListenerOptions): void;
  addEventListener(type: string, listener: EventListenerOrEventListenerObject | null, options?: ListenerOptions): void;
}

export interface PutOptions {
  /** Only this person's devices can read it. */
  private?: boolean;
  /** What must be there: a version, or `null` for nothing. Otherwise `CONFLICT`. */
  expect?: Version | null;
}

export type Op =
  | ({ type: "put"; key: string; value: Value } & PutOptions)
  | { type: "delete"; key: string; expect?: Version | null };

export interface Range {
  prefix?: string;
  gt?: string;
  gte?: string;
  lt?: string;
  lte?: string;
  reverse?: boolean;
  limit?: number;
}

/** A replica that is relied on. */
export interface Replica {
  /** 64 hexadecimal digits. */
  key: string;
  /** What people call it; may be empty. */
  label: string;
  /** Writer key of the device that pinned it. */
  pinnedBy: string;
  /** How many of this device's entries it holds, as it has shown; `undefined` without a receipt that counts. */
  length: number | undefined;
  /** Until when it promises that. */
  expires: Date | undefined;
  connected: boolean;
  /** It has no room for more. */
  full: boolean;
}

/** Who holds what this device wrote in a space. */
export interface Safety {
  /** Pinned replicas that hold all of it. */
  replicas: number;
  /** This person's other devices that hold all of it. */
  devices: number;
  /** Entries that none of these holds. */
  unreplicated: number;
  /** How many replicas are pinned. */
  pinned: number;
  /** How many other devices this person has here. */
  others: number;
}

/** A node that runs as a replica. Sizes are bytes of blocks. */
export interface ReplicaNode {
  key: string;
  /** What `pinReplica` takes: `hypha-replica://…` */
  link: string;
  used: number;
  quota: number | undefined;
  spaces: { key: string; bytes: number; quota: number | undefined; full: boolean }[];
}

export class Space extends EventTarget {
  private constructor();
  /** `hypha://…` */
  readonly link: string;
  /** 64 hexadecimal digits. */
  readonly key: string;
  readonly discoveryKey: string;
  /** Whether `put` may be called; while waiting to be let in, it keeps drafts. */
  readonly writable: boolean;
  /** What its admins call it. */
  readonly title: string | undefined;
  /** Whether this device asks, with an invite, to be let in. */
  readonly asking: boolean;

  /** Resolves when the entry is durable on this device. Keys are 1 to 1,024 bytes, values at most 1 MiB. */
  put(key: string, value: Value, o?: PutOptions): Promise<Entry>;
  get(key: string): Promise<Entry | undefined>;
  delete(key: string, o?: { expect?: Version | null }): Promise<Entry>;
  /** One entry: all or nothing. */
  batch(ops: readonly Op[]): Promise<Entry[]>;
  list(o?: Range): AsyncIterableIterator<Entry>;
  /** Returns a function that ends it. An entry that was removed has `value: undefined`. All there is may come after a lock or unlock, or when another tab runs the node. */
  watch(prefix: string, callback: (changes: Change[]) => unknown): () => void;
  /** Writer → length of its feed here. */
  clock(): Clock;
  /** The static copy that `get` and `list` read while peers have not brought what is in it, and what was fetched of it. */
  readonly snapshot: { readonly time: Date; readonly signer: string; readonly bytes: number; readonly requests: number } | undefined;
  /**
   * The public part as files for any host, the head last: put them under `/.well-known/hypha-snapshot/`, in this order. Those in
   * `have`, names of files that are there already, come without `blob`. Rejects with `NOT_AUTHORISED`, `LOCKED`.
   */
  exportSnapshot(o?: {
    have?: Iterable<string>;
    onprogress?(progress: { done: number; total: number }): void;
  }): AsyncIterableIterator<{ name: string; size: number; reused: boolean; blob?: Blob }>;
  /** What is here of this space, for a node that cannot be reached: all, or what it lacks by its `clock()`. */
  exportSync(since?: Clock): Promise<Blob>;
  writers(): Writer[];
  /** Replicas that are relied on, ascending by key. */
  replicas(): Replica[];
  /**
   * Who else holds all that this device wrote. Only pinned replicas and this person's other devices count, and only after
   * each has shown random blocks of it. The event `safety` tells when it changes.
   */
  safety(): Safety;
  /**
   * Removes a device: for good with the passphrase, else provisionally. `descendants`: with those whom only it, or they, let in.
   * Private entries that are written from then on it cannot read.
   */
  cut(writer: string, o?: { passphrase?: string; descendants?: boolean }): Promise<void>;
  /** Resolves when level with every connected peer; `TIMEOUT` otherwise. `timeout` in ms, 30,000 unless given. */
  sync(o?: { timeout?: number }): Promise<void>;

  /** Relies on a replica: its key or link (`hypha-replica://…`). Anybody can read the label, at most 64 bytes. Admins only. */
  pinReplica(keyOrLink: string, o?: { label?: string }): Promise<void>;
  unpinReplica(keyOrLink: string): Promise<void>;
  /**
   * Shows nothing that a writer wrote since a date (all of it unless given), by its own clock or by when it came here.
   * What it granted or cut stands. `undo` shows it again.
   */
  hide(writer: string, o?: { since?: Date; undo?: boolean }): Promise<void>;
  /** Writes again, as this device's own entry, what is in the quarantine. */
  adopt(entry: Pick<Quarantined, "version" | "otherBranch">): Promise<Entry>;
  /** At most 256 bytes; an empty one takes it away. Only an admin may. */
  setTitle(title: string): Promise<void>;
  /**
   * The text of an invite: whoever has it may join while a device of an admin is there to let them in. `uses`: how many
   * each device lets in by it, 1 unless given, 0 for any number. Only an admin may.
   */
  invite(o?: { role?: "admin" | "writer"; uses?: number; expires?: Date }): Promise<string>;
  /** Invites that stand. */
  invites(): Invite[];
  /** Takes an invite back, by its key. */
  revokeInvite(key: string): Promise<void>;
  /** Reads the space no more; this device takes itself out, and what is stored of it goes. Not for the home. */
  leave(): Promise<void>;
  /** Not in this version: rejects with `UNSUPPORTED`. */
  object<T>(type: string, id?: string): Promise<T>;
  /** The space as of a clock and all that is in its past, under today's cuts. */
  checkout(clock: Clock): SpaceView;
  /** Six words that name the space, to be read out. */
  code(): string;
  /** Every operation that counts, in order. `live`: goes on with what comes later, in the order of its coming. */
  history(o?: { key?: string; live?: boolean }): AsyncIterableIterator<Entry>;
  /** What was taken away by a cut, a fork or a hide and can be read here, of one writer or of all. */
  quarantine(o?: { writer?: string }): AsyncIterableIterator<Quarantined>;
  /** Messages that are not kept. */
  readonly messages: Messages;
  /** Who is here, and what they are doing. */
  readonly presence: Presence;
  /** Not in this version: all methods reject with `UNSUPPORTED`. */
  readonly blobs: Unsupported;

  addEventListener<K extends keyof SpaceEventMap>(type: K, listener: (this: Space, event: SpaceEventMap[K]) => unknown, options?: ListenerOptions): void;
  addEventListener(type: string, listener: EventListenerOrEventListenerObject | null, options?: ListenerOptions): void;
}

export interface SpaceEventMap {
  /** The keys; none: any may have changed. */
  change: CustomEvent<string[]>;
  granted: HyphaEventMap["granted"];
  retracted: HyphaEventMap["retracted"];
  safety: CustomEvent<Safety>;
  message: CustomEvent<Message & { space: string }>;
  /** `Space.presence` has changed. */
  presence: CustomEvent<null>;
}

type ListenerOptions = boolean | AddEventListenerOptions;

/** Whoever is there gets them; who is not, does not. */
export interface Messages extends EventTarget {
  addEventListener(type: "message", listener: (this: Messages, event: SpaceEventMap["message"]) => unknown, options?: ListenerOptions): void;
  addEventListener(type: string, listener: EventListenerOrEventListenerObject | null, options?: ListenerOptions): void;
  onmessage: ((message: Message) => unknown) | undefined;
  /**
   * At most about 15 KiB, 10 a second. `to`: the key of a writer or visitor. `private`: for devices of this space only; unless
   * given, true for a device once devices share keys. `NOT_AUTHORISED` while there is none to seal with, `LOCKED` while locked.
   */
  send(data: Value, o?: { to?: string; private?: boolean }): Promise<void>;
}

export interface Message {
  /** Key of a writer, or of a visitor for as long as its page is open. */
  readonly from: string;
  /** Whether it is a writer that counts. */
  readonly writer: boolean;
  readonly private: boolean;
  /** The sender's clock, unix milliseconds. */
  readonly time: number;
  readonly data: any;
}

export interface Presence extends EventTarget {
  addEventListener(type: "change", listener: (this: Presence, event: CustomEvent<Map<string, any>>) => unknown, options?: ListenerOptions): void;
  addEventListener(type: string, listener: EventListenerOrEventListenerObject | null, options?: ListenerOptions): void;
  onchange: ((present: Map<string, any>) => unknown) | undefined;
  /** Said again and again, until something else is said; `undefined`: nothing any more. As private as a message. */
  set(state: Value | undefined): Promise<void>;
  /** What others say, by their keys. */
  get(): Map<string, any>;
  list(): { readonly key: string; readonly writer: boolean; readonly private: boolean; readonly state: any }[];
}

/** An invite that stands. */
export interface Invite {
  readonly key: string;
  readonly role: "admin" | "writer";
  /** How many each device lets in by it; undefined for any number. */
  readonly uses: number | undefined;
  /** How many came by it, as far as is known here. */
  readonly used: number;
  /** Unix milliseconds. */
  readonly expires: number | undefined;
}

/** A space as of a clock. */
export interface SpaceView {
  readonly clock: Clock;
  get(key: string): Promise<Entry | undefined>;
  list(o?: Range): AsyncIterableIterator<Entry>;
}

export type Clock = Readonly<Record<string, number>>;

type Unsupported<Name extends string = "send" | "set" | "get" | "add" | "url"> = {
  readonly [K in Name]: (...given: unknown[]) => Promise<never>;
};

/** One value of a key, as it was written. */
export interface Written {
  readonly key: string;
  /** Undefined: a removal, or a kind of value that a newer version wrote. */
  readonly value: any;
  /** Other values of the key, written without having seen this one. */
  readonly conflicts: Written[];
  /** 64 hexadecimal digits. */
  readonly writer: string;
  /** The writer's clock: for people, never for order. */
  readonly time: Date;
  readonly version: Version;
  readonly private: boolean;
  /** Where it stood before it was taken away and adopted by its present writer. */
  readonly adopted: Version | undefined;
}

export interface Entry extends Written {
  /** The writer's name, where it is known and may be read. */
  readonly device: string | undefined;
  /** Written by this device. */
  readonly mine: boolean;
  /** Kept on this device until it is let in. */
  readonly draft?: true;
}

/** An entry that is not shown any more. `grant`: what had let its writer in was removed first. */
export interface Quarantined extends Entry {
  readonly why: "cut" | "removed" | "forked" | "grant" | "hidden";
  /** It stands on another branch of a forked feed than the one that is held. */
  readonly otherBranch?: true;
}

/** An entry, or a key that has none any more. */
export type Change = Entry | { readonly key: string; readonly value: undefined; readonly conflicts: never[] };

export interface Writer {
  readonly key: string;
  readonly device: string | undefined;
  readonly role: "admin" | "writer" | undefined;
  /** Signed length of its feed, and how many of it are here. */
  readonly length: number;
  readonly held: number;
  /** `cut`: by a device, provisionally. `removed`: with the passphrase. `pending`: no grant is known yet. */
  readonly state: "active" | "cut" | "removed" | "forked" | "suspended" | "pending";
  /** First index that no longer counts. */
  readonly cutAt: number | undefined;
  /** Unix milliseconds by its own clock. */
  readonly lastTime: number | undefined;
  /** Whose device it is: devices of one person have one id. */
  readonly person: string | undefined;
  /** Keys of the devices that let it in, and when they did, unix milliseconds; `byRoot`: the passphrase did. */
  readonly grantedBy: readonly string[];
  readonly grantedAt: number | undefined;
  readonly byRoot: boolean;
  /** First index of its feed that is hidden. */
  readonly hiddenFrom: number | undefined;
  /** Whether it is this device. */
  readonly self: boolean;
}

export interface PeerInfo {
  readonly id: string;
  readonly transport: "tab" | "webrtc" | "relay";
  /** How messages travel now: WebRTC goes `direct` or through a TURN server; `relay` is through a hub, sealed. */
  readonly path: "tab" | "direct" | "turn" | "relay";
  /** Parts of messages over all carriers of the session: each is sent and received once, whatever is resent and repeated. */
  readonly frames: { readonly sent: number; readonly acknowledged: number; readonly received: number; readonly resent: number; readonly repeated: number; readonly moves: number };
  readonly state: "connecting" | "open" | "recovering";
  /** Milliseconds. */
  readonly roundTrip: number | undefined;
  /** Whether nothing that it has is missing here; undefined while it shares no space. */
  readonly level: boolean | undefined;
  /** Unix milliseconds. */
  readonly since: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly spaces: string[];
}

export interface HubInfo {
  readonly url: string;
  readonly state: "connecting" | "open" | "waiting" | "refused" | "garbage";
  /** When it is tried again, unix milliseconds. */
  readonly until: number | undefined;
  readonly error: string | undefined;
  /** Whether it carries data, not only signalling. */
  readonly relay: boolean;
}

/** `filling`: 80 % or 95 % of the quota is used. Chromium names none that holds: there `quota` is what is known to be too much. `evicted`: see `Hypha.evicted`. */
export type StorageNotice =
  | { readonly kind: "filling"; readonly level: number; readonly usage: number; readonly quota: number; readonly message: string }
  | { readonly kind: "evicted"; readonly link: string; readonly device: boolean; readonly message: string };

/** Sizes in bytes. */
export interface Stats {
  readonly storage: {
    readonly usage: number | undefined;
    readonly quota: number | undefined;
    /** Whether the browser has promised not to take it back. */
    readonly persisted: boolean | undefined;
  };
  readonly hubs: HubInfo[];
  readonly peers: number;
  readonly feeds: number;
  readonly entries: number;
  /** Of WebAssembly; 0 in a tab that calls through another. */
  readonly memory: number;
  /** Of the stored files: bytes in memory, of those that may go, and kept; pages on the disk alone, read back, let go. */
  readonly pages?: {
    readonly resident: number;
    readonly clean: number;
    readonly budget: number;
    readonly absent: number;
    readonly supplied: number;
    readonly evicted: number;
  };
}

/** On the device that asks to be let in. */
export interface SignIn {
  /** The four words to compare; empty while they are being derived, and where the passphrase was changed since: sign in anew. */
  readonly words: string[];
  readonly outdated: boolean;
  /** Rejects when the request is refused, cancelled or runs out. */
  readonly granted: Promise<Space>;
  cancel(): Promise<void>;
}

/** On a device that may let it in. */
export interface Request {
  readonly id: string;
  /** The name that the asking device gives itself. */
  readonly device: string;
  readonly writer: string;
  /** What the asking device shows. */
  readonly words: string[];
  /** Three sets, the right one among them: the person picks the one that the new device shows. */
  readonly choices: [string[], string[], string[]];
  /** A device that was removed knows how to ask, too: this may be it. Until the passphrase is changed. */
  readonly suspect: boolean;
  readonly time: Date;
  readonly expires: Date;
  /** `words`: the set that was picked; a wrong one is refused. */
  approve(words?: readonly string[]): Promise<void>;
  deny(o?: { block?: boolean }): Promise<void>;
}

export const SignIn: { readonly prototype: SignIn };
export const Request: { readonly prototype: Request };
