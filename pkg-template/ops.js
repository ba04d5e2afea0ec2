// Writes on their way into WebAssembly, in one buffer, as src/js/writes.rs draws it: taken as they are now, whatever
// happens to them later. What is not plain data is left to WebAssembly, which knows all kinds and names what is wrong.

const LARGEST = 1 << 20; // bytes of a value
const DEEPEST = 16;
const FIRST = 1 << 12; // bytes of a buffer, at first
const FULL = 1 << 19; // bytes of one of several, at most
const encoder = new TextEncoder();

// What is written in a turn of the page goes into one buffer, one batch behind the other, and into further ones when that
// is full: a buffer for each batch would cost more than all else, and one that grows without end is copied again and again.
let turn; // { bytes }
let bytes, view;
let start = 0; // of this batch
let at = 0;
let busy = false; // a getter of what is packed may write, too
let kept; // of this batch: what is not handed back by WebAssembly, see Packed
let filled; // how much of it

/** A batch packed, or undefined if it cannot be. */
export function packedOps(ops) {
  if (busy || !Array.isArray(ops)) return undefined;
  busy = true;
  if (!turn) {
    at = start = 0;
    begin(FIRST);
    queueMicrotask(() => (turn = bytes = view = undefined));
  }
  start = at;
  try {
    kept = new Array(3 * ops.length);
    filled = 0;
    varint(ops.length);
    for (let i = 0; i < ops.length; i++) if (!op(ops[i])) return void (at = start);
    return new Packed(turn, start, at, filled === kept.length ? kept : undefined);
  } catch {
    at = start;
    return undefined;
  } finally {
    busy = false;
  }
}

/** A packed batch. What is a text or bytes need not come back: whoever gave it has it. */
export class Packed {
  #turn;
  #from;
  #to;
  #kept; // of each operation: key; text, or where bytes begin; where those end. Undefined if a value is of another kind

  constructor(turn, from, to, kept) {
    this.#turn = turn;
    this.#from = from;
    this.#to = to;
    this.#kept = kept;
  }

  get isKept() {
    return this.#kept !== undefined;
  }

  keyOf(op) {
    return this.#kept[3 * op];
  }

  /** The value as it was given, as a copy of its own; undefined for a removal. */
  valueOf(op) {
    const [value, end] = [this.#kept[3 * op + 1], this.#kept[3 * op + 2]];
    return end === undefined ? value : this.#turn.bytes.slice(this.#from + value, this.#from + end);
  }

  get bytes() {
    return this.#turn.bytes.subarray(this.#from, this.#to);
  }

  /** Whether it stands right behind another one, in the same buffer. */
  follows(other) {
    return other.#turn === this.#turn && other.#to === this.#from;
  }

  /** The bytes from this one through another one that stands in a row with it. */
  through(last) {
    return this.#turn.bytes.subarray(this.#from, last.#to);
  }
}

function op(given) {
  if (typeof given !== "object" || given === null) return false;
  const { type, key, expect, value, private: secret } = given;
  const put = type === "put";
  if (typeof key !== "string" || (!put && type !== "delete")) return false;
  if ((secret !== undefined && typeof secret !== "boolean") || (expect !== undefined && expect !== null)) return false;
  room(1);
  bytes[at++] = (put ? 1 : 0) | (put && secret ? 2 : 0) | (expect === null ? 4 : 0);
  if (!text(key)) return false;
  const size = at - start;
  if (put && !(stored(value, 0) && at - start - size <= LARGEST)) return false;
  const isBytes = put && value instanceof Uint8Array;
  if (!put || isBytes || typeof value === "string") {
    kept[filled] = key;
    kept[filled + 1] = isBytes ? at - start - value.length : put ? value : undefined;
    kept[filled + 2] = isBytes ? at - start : undefined;
    filled += 3;
  }
  return true;
}

function stored(value, depth) {
  room(16);
  switch (typeof value) {
    case "boolean":
      bytes[at++] = value ? 2 : 1;
      return true;
    case "number":
      bytes[at++] = 3;
      view.setFloat64(at, value, true);
      at += 8;
      return true;
    case "string":
      bytes[at++] = 4;
      return text(value);
    case "object":
      if (value !== null) return inside(value, depth);
      bytes[at++] = 0;
      return true;
    default:
      return false;
  }
}

function inside(value, depth) {
  if (value instanceof Uint8Array) {
    if (value.length > LARGEST) return false;
    bytes[at++] = 5;
    varint(value.length);
    room(value.length);
    bytes.set(value, at);
    at += value.length;
    return true;
  }
  // Whatever contains itself ends here too.
  if (depth >= DEEPEST) return false;
  if (Array.isArray(value)) {
    const size = at - start;
    bytes[at++] = 6;
    varint(value.length);
    for (let i = 0; i < value.length; i++) if (at - start - size > LARGEST || !stored(value[i], depth + 1)) return false;
    return true;
  }
  const prototype = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return false;
  if (Object.getOwnPropertySymbols(value).length > 0) return false;
  const keys = Object.keys(value);
  bytes[at++] = 7;
  varint(keys.length);
  for (const key of keys) {
    if (!text(key) || !stored(value[key], depth + 1)) return false;
  }
  return true;
}

// Text, if it is whole: half of a surrogate pair is none.
function text(value) {
  const { length } = value;
  if (length > LARGEST) return false;
  room(length + 8);
  if (length < 128) {
    const begun = at;
    bytes[at++] = length;
    for (let i = 0; i < length; i++) {
      const unit = value.charCodeAt(i);
      if (unit > 127) break;
      bytes[at++] = unit;
    }
    if (at === begun + 1 + length) return true;
    at = begun;
  }
  // A browser that cannot say goes the other way.
  if (!value.isWellFormed?.()) return false;
  const encoded = encoder.encode(value);
  varint(encoded.length);
  room(encoded.length);
  bytes.set(encoded, at);
  at += encoded.length;
  return true;
}

function varint(value) {
  room(8);
  for (; value > 127; value = Math.floor(value / 128)) bytes[at++] = (value % 128) | 128;
  bytes[at++] = value;
}

function room(more) {
  if (at + more > bytes.length) begin(at - start + more);
}

// A buffer for this batch and what follows it; what there is of the batch moves along.
function begin(size) {
  const before = bytes?.subarray(start, at);
  // As large as the one before twice over, for whoever writes much; but not without end, unless a batch is as large.
  const larger = Math.max(Math.min(2 * (bytes?.length ?? 0), FULL), 2 * (at - start), size);
  turn = { bytes: new Uint8Array(larger) };
  bytes = turn.bytes;
  view = new DataView(bytes.buffer);
  if (before) bytes.set(before);
  at -= start;
  start = 0;
}
