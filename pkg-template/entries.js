// What WebAssembly packs into one buffer: entries, and texts. How it lies there is drawn in src/js/packed.rs and item.rs.

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

// The buffer that is read; nothing else runs meanwhile.
let bytes, view, at, texts, from;
let author, device, time; // as in the entry before
let stem, stemIndex; // of versions in the entry before
let given, op; // the write that is answered, if it keeps what was written, and which of its operations comes next

function begin(packed) {
  bytes = packed;
  view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength);
  at = 4 + view.getUint32(0, true);
  texts = decoder.decode(packed.subarray(4, at));
  from = 0;
  author = device = time = stemIndex = given = undefined;
}

function end(result) {
  bytes = view = texts = undefined;
  return result;
}

function many(read) {
  const list = new Array(varint());
  for (let i = 0; i < list.length; i++) list[i] = read(i);
  return list;
}

function varint() {
  let byte = bytes[at++];
  if (byte < 128) return byte;
  let [value, factor] = [byte & 127, 128];
  do {
    byte = bytes[at++];
    value += (byte & 127) * factor;
    factor *= 128;
  } while (byte > 127);
  return value;
}

function text() {
  const start = from;
  from += varint();
  return texts.substring(start, from);
}

function float() {
  at += 8;
  return view.getFloat64(at - 8, true);
}

function stored() {
  switch (bytes[at++]) {
    case 0: return null;
    case 1: return false;
    case 2: return true;
    case 3: return float();
    case 4: return text();
    case 5: {
      const length = varint();
      at += length;
      // A buffer for each: whoever posts one value somewhere must not send its neighbours along, private ones perhaps.
      return bytes.slice(at - length, at);
    }
    case 6: return many(stored);
    case 7: {
      const object = {};
      for (let left = varint(); left > 0; left--) {
        const key = text();
        const value = stored();
        // Even this is an ordinary key.
        if (key === "__proto__") Object.defineProperty(object, key, { value, configurable: true, enumerable: true, writable: true });
        else object[key] = value;
      }
      return object;
    }
    case 8: return new Date(float());
    case 9: return BigInt(text());
    case 10: return { object: text() };
    case 11: return { blob: text() };
    default: return undefined;
  }
}

const entry = () => read(true);
const conflict = () => read(false);

function read(whole) {
  const flags = bytes[at++];
  const key = given ? given.keyOf(op) : text();
  const index = varint();
  const place = varint();
  if (!(flags & 64)) {
    author = text();
    stemIndex = undefined;
    if (whole) device = bytes[at++] ? text() : undefined;
  }
  const writer = author;
  const name = device;
  if (stemIndex !== index) {
    stem = `${writer}/${index}/`;
    stemIndex = index;
  }
  const version = stem + place;
  if (!(flags & 128)) time = varint();
  const when = new Date(time);
  const adopted = flags & 16 ? text() : undefined;
  const value = given ? given.valueOf(op++) : flags & 1 ? stored() : undefined;
  const conflicts = flags & 32 ? many(conflict) : [];
  const secret = (flags & 2) !== 0;
  if (!whole) return { key, value, conflicts, writer, time: when, version, private: secret, adopted };
  // All at once: what is added later takes room of its own.
  const found = { key, value, conflicts, writer, time: when, version, private: secret, adopted, device: name, mine: (flags & 4) !== 0 };
  if (flags & 8) found.draft = true;
  return found;
}

/** Entries. */
export function entriesOf(packed) {
  begin(packed);
  return end(many(entry));
}

/** Entries that were taken away. */
export function takenOf(packed) {
  begin(packed);
  return end(many(() => {
    const found = entry();
    found.why = text();
    return found;
  }));
}

/** What came of several writes: entries of each, or `{ code, message }`. `writes`: what was written, where it is kept. */
export function writtenOf(packed, writes) {
  begin(packed);
  return end(many((n) => {
    const kind = bytes[at++];
    if (kind === 0) return { code: text(), message: text() };
    given = kind === 2 ? writes[n].ops : undefined;
    op = 0;
    const entries = many(entry);
    given = undefined;
    return entries;
  }));
}

/** Texts. */
export function textsOf(packed) {
  begin(packed);
  return end(many(text));
}
