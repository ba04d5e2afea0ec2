// A space as static files: made by a device that may write, read by anybody from any host, in parts. Their layout, and why
// the host need not be trusted, is in src/space/snapshot/. Loaded when it is needed.

import { entriesOf } from "./entries.js";
import { HyphaError, toError } from "./errors.js";
import { wasm } from "./wasm.js";

const HEAD = "head"; // the file that changes; all others are named by their content
const TIMEOUT_MS = 20_000;
const NEAR = 2048; // bytes between two parts that are rather fetched than left out
const LARGEST = 64 * 1024 * 1024; // bytes of a file that is taken whole, from a host that gives no parts
const AT_ONCE = 6; // requests

/** The files of a snapshot, the head last: `{ name, blob, reused }`. Those in `have` are on the host already and come without a blob. */
export async function* exportSnapshot(call, { have = [], onprogress } = {}) {
  const there = new Set(have);
  const file = ({ name, bytes }) => (there.has(name) ? { name, size: bytes.length, reused: true } : { name, size: bytes.length, reused: false, blob: new Blob([bytes]) });
  const { plan, segments } = await call("planSnapshot");
  const names = new Uint8Array(32 * segments);
  const total = segments + 1;
  for (let number = 0; number < segments; number++) {
    const made = await call("snapshotSegment", plan, number);
    names.set(made.name.match(/../g).map((pair) => parseInt(pair, 16)), 32 * number);
    yield file(made);
    onprogress?.({ done: number + 1, total });
  }
  const rest = await call("finishSnapshot", plan, names);
  for (const made of rest.slice(0, -1)) yield file(made);
  yield { ...file({ ...rest.at(-1), name: HEAD }), reused: false, blob: new Blob([rest.at(-1).bytes]) };
  onprogress?.({ done: total, total });
}

/** A snapshot on a host, read in parts. */
export class SnapshotSource {
  /** What was fetched of it. */
  bytes = 0;
  requests = 0;
  #reader;
  #base;
  #key;
  #whole = new Map(); // name -> promise of the bytes, from a host that gives no parts
  #turn = Promise.resolve();
  #wrong; // told of each part that was refused
  #told = new Set();

  /** Opens the snapshot of a space under an address; undefined if none is there. */
  static async open(key, base, wrong) {
    const source = new SnapshotSource();
    [source.#key, source.#base, source.#wrong] = [key, base.endsWith("/") ? base : `${base}/`, wrong];
    const response = await source.#get(HEAD, { cache: "no-cache" });
    if (response.status === 404 || response.status === 410) return undefined;
    if (!response.ok) throw new HyphaError("TIMEOUT", `the snapshot at ${source.#base} cannot be read: its host answered ${response.status}`);
    const head = await source.#body(response);
    const { core } = await wasm();
    try {
      source.#reader = new core.SnapshotReader(key, head, recall(key));
    } catch (error) {
      throw toError(error);
    }
    source.about = source.#reader.about();
    return source;
  }

  /** Public entries of a range, as `list` of a node takes it. */
  list(range) {
    const answer = this.#turn.then(() => this.#list(range));
    this.#turn = answer.catch(() => {});
    return answer;
  }

  async get(key) {
    return (await this.list({ gte: key, lte: key, limit: 1 }))[0];
  }

  async #list(range) {
    try {
      for (;;) {
        const { entries, fetch } = this.#reader.list(range);
        if (entries) {
          remember(this.#key, this.about.lengths);
          return entriesOf(entries);
        }
        await this.#fetch(fetch);
      }
    } catch (error) {
      throw toError(error);
    }
  }

  // Parts that lie near each other come together.
  async #fetch(pieces) {
    const runs = [];
    for (const piece of [...pieces].sort((a, b) => (a.file === b.file ? a.start - b.start : a.file < b.file ? -1 : 1))) {
      const run = runs.at(-1);
      if (run?.file === piece.file && piece.start - run.end <= NEAR) {
        run.end = Math.max(run.end, piece.end);
        run.pieces.push(piece);
      } else runs.push({ file: piece.file, start: piece.start, end: piece.end, pieces: [piece] });
    }
    const work = async () => {
      for (let run; (run = runs.shift()); ) await this.#run(run);
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
  }

  async #run({ file, start, end, pieces }) {
    const [bytes, from] = await this.#part(file, start, end);
    for (const piece of pieces) {
      try {
        this.#reader.take(piece.file, piece.start, piece.end, bytes.subarray(Math.max(0, piece.start - from), Math.max(0, piece.end - from)));
      } catch (error) {
        const told = toError(error);
        if (!this.#told.has(told.message)) this.#wrong?.(told);
        this.#told.add(told.message);
      }
    }
  }

  // Bytes, and which one of the file the first of them is.
  async #part(file, start, end) {
    if (this.#whole.has(file)) return [await this.#whole.get(file), 0];
    const response = await this.#get(file, { headers: { range: `bytes=${start}-${end - 1}` } });
    if (response.status === 206) return [await this.#body(response), start];
    // A file that is missing or shorter is damaged like any other: who asked for it leaves it out.
    if ([404, 410, 416].includes(response.status)) return [new Uint8Array(0), start];
    if (!response.ok) throw new HyphaError("TIMEOUT", `the snapshot at ${this.#base} cannot be read: its host answered ${response.status}`);
    if (!this.#whole.has(file)) this.#whole.set(file, this.#body(response));
    else await response.body?.cancel();
    return [await this.#whole.get(file), 0];
  }

  async #get(name, options) {
    this.requests++;
    try {
      return await fetch(this.#base + name, { credentials: "omit", signal: AbortSignal.timeout(TIMEOUT_MS), ...options });
    } catch (error) {
      throw new HyphaError("TIMEOUT", `the snapshot at ${this.#base} cannot be reached: ${error?.message ?? error}`);
    }
  }

  async #body(response) {
    const parts = [];
    let size = 0;
    for (const reader = response.body.getReader(); ;) {
      const { done, value } = await reader.read().catch((error) => {
        throw new HyphaError("TIMEOUT", `the snapshot at ${this.#base} broke off: ${error?.message ?? error}`);
      });
      if (done) break;
      parts.push(value);
      size += value.length;
      this.bytes += value.length;
      if (size > LARGEST) {
        await reader.cancel();
        throw new HyphaError("UNSUPPORTED", `the host of ${this.#base} gives files only whole, and one is too large for that; a host that answers range requests is needed`);
      }
    }
    const whole = new Uint8Array(size);
    let at = 0;
    for (const part of parts) {
      whole.set(part, at);
      at += part.length;
    }
    return whole;
  }
}

// How long each feed was in the newest snapshot that was read here: so an older one is told from it.
const place = (key) => `hypha-snapshot:${key}`;

function recall(key) {
  try {
    return JSON.parse(localStorage.getItem(place(key))) ?? {};
  } catch {
    return {};
  }
}

function remember(key, lengths) {
  try {
    localStorage.setItem(place(key), JSON.stringify(lengths));
  } catch {
    // Nothing is kept here: then an old copy is not told from a new one.
  }
}
