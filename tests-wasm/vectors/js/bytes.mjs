// Fields of the fixed layouts, from the protocol text: varints in shortest form, length-prefixed bytes.

export const hex = (bytes) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("hex");
export const unhex = (text) => {
  if (!/^([0-9a-f]{2})*$/.test(text)) throw new Error("not hexadecimal");
  return new Uint8Array(Buffer.from(text, "hex"));
};
export const utf8 = (text) => new TextEncoder().encode(text);
export const concat = (...parts) => new Uint8Array(Buffer.concat(parts.map((part) => Uint8Array.from(part))));
export const compare = (a, b) => Buffer.compare(a, b);

export const u64 = (number) => {
  const out = new Uint8Array(8);
  new DataView(out.buffer).setBigUint64(0, BigInt(number), true);
  return out;
};

export const varint = (number) => {
  const out = [];
  let rest = BigInt(number);
  do {
    const low = Number(rest & 127n);
    rest >>= 7n;
    out.push(rest ? low | 128 : low);
  } while (rest);
  return Uint8Array.from(out);
};

export const bytes = (content) => concat(varint(content.length), content);

/** Reads from the front and throws on anything that a writer would not have written. */
export class Reader {
  constructor(data) {
    this.data = data;
    this.at = 0;
  }
  get left() {
    return this.data.length - this.at;
  }
  raw(length) {
    if (length > this.left) throw new Error(`ended: wanted ${length}, left ${this.left}`);
    this.at += length;
    return this.data.subarray(this.at - length, this.at);
  }
  rest() {
    return this.raw(this.left);
  }
  u8() {
    return this.raw(1)[0];
  }
  version() {
    if (this.u8() !== 1) throw new Error("version");
  }
  varint(most = Number.MAX_SAFE_INTEGER) {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = this.u8();
      value |= BigInt(byte & 127) << shift;
      if (value > BigInt(most)) throw new Error(`above ${most}`);
      if (byte < 128) {
        if (byte === 0 && shift) throw new Error("longer form");
        return Number(value);
      }
      if (shift > 56n) throw new Error("too long");
    }
  }
  bytes(most) {
    return this.raw(this.varint(most));
  }
  end() {
    if (this.left) throw new Error(`${this.left} bytes too many`);
  }
}

/** UTF-8 or an error; a byte order mark is text like any other. */
export const text = (content) => new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(content);
