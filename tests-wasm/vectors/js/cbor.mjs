// Values in the vectors' notation to and from bytes: cbor2 does it, cborg again; the rules of the protocol
// text that CBOR does not have (kinds, tags, depth, one form) are checked here.

import { decode as cborgDecode, encode as cborgEncode, rfc8949EncodeOptions, Tagged } from "cborg";
import { cdeDecodeOptions, cdeEncodeOptions, decode as cbor2Decode, encode as cbor2Encode, Tag } from "cbor2";
import { hex, unhex } from "./bytes.mjs";

const DEPTH = 64;
const SAFE = BigInt(Number.MAX_SAFE_INTEGER);

const double = (bits) => new DataView(unhex(bits).buffer).getFloat64(0);
const bits = (number) => {
  const out = new Uint8Array(8);
  new DataView(out.buffer).setFloat64(0, number);
  return hex(out);
};

const check = (right, what) => {
  if (!right) throw new Error(what);
};

const safe = (number) => number >= -SAFE && number <= SAFE;

/** What a library takes, from the notation; `Tag` is its class of tagged values. */
const build = ([kind, content, innermost], Tag, depth = 0) => {
  check(depth <= DEPTH, "depth");
  switch (kind) {
    case "inside arrays":
    case "inside maps": {
      let value = build(innermost, Tag, depth + content);
      for (let left = content; left > 0; left--) value = kind === "inside maps" ? new Map([["", value]]) : [value];
      return value;
    }
    case "null":
      return null;
    case "bool":
    case "text":
      return content;
    case "int": {
      const number = BigInt(content);
      check(number < 1n << 64n && number >= -(1n << 64n), "integer beyond 64 bits");
      return safe(number) ? Number(number) : number;
    }
    case "float": {
      const number = double(content);
      return Object.is(number, -0) ? 0 : number;
    }
    case "bytes":
      return unhex(content);
    case "array":
      return content.map((item) => build(item, Tag, depth + 1));
    case "map": {
      const map = new Map(content.map(([key, value]) => [key, build(value, Tag, depth + 1)]));
      check(map.size === content.length, "a key twice");
      return map;
    }
    case "date":
      check(safe(BigInt(content)), "date");
      return new Tag(1000, Number(content));
    case "object":
      check(content.length === 64, "object");
      return new Tag(1001, unhex(content));
    case "blob":
      return new Tag(1002, unhex(content));
    default:
      throw new Error(`unknown kind ${kind}`);
  }
};

/** The notation of what a library gave. */
const note = (value, depth = 0) => {
  check(depth <= DEPTH, "depth");
  if (value === null) return ["null"];
  if (typeof value === "boolean") return ["bool", value];
  if (typeof value === "string") return ["text", value];
  if (typeof value === "bigint" || Number.isSafeInteger(value)) return ["int", String(value)];
  if (typeof value === "number") return ["float", bits(value)];
  if (value instanceof Uint8Array) return ["bytes", hex(value)];
  if (Array.isArray(value)) return ["array", value.map((item) => note(item, depth + 1))];
  if (value instanceof Map) {
    return ["map", [...value].map(([key, item]) => {
      check(typeof key === "string", "key that is not text");
      return [key, note(item, depth + 1)];
    })];
  }
  check(value instanceof Tag || value instanceof Tagged, "kind");
  const [tag, content] = [Number(value.tag), value instanceof Tag ? value.contents : value.value];
  if (tag === 1000) {
    check(Number.isSafeInteger(content), "date");
    return ["date", String(content)];
  }
  check(content instanceof Uint8Array, "reference");
  if (tag === 1001) check(content.length === 32, "object");
  else check(tag === 1002, "tag");
  return [tag === 1001 ? "object" : "blob", hex(content)];
};

export const encode = (notation) => Uint8Array.from(cbor2Encode(build(notation, Tag), cdeEncodeOptions));

/** The same by cborg, which writes numbers below 2^-14 that 16 bits hold in 32 bits; undefined if one is inside. */
export const encodeWithCborg = (notation) => {
  const small = (number) => Math.abs(number) < 2 ** -14 && number !== 0 && Number.isInteger(number * 2 ** 24);
  const inside = ([kind, content, innermost]) => {
    if (innermost) return inside(innermost);
    if (kind === "float") return small(double(content));
    if (kind === "array") return content.some(inside);
    return kind === "map" && content.some(([, value]) => inside(value));
  };
  return inside(notation) ? undefined : cborgEncode(build(notation, Tagged), rfc8949EncodeOptions);
};

const one = (value, bytes) => {
  const notation = note(value);
  check(hex(encode(notation)) === hex(bytes), "not the one form");
  return notation;
};

/** By cbor2, which gives the integer −2^53 as a number, as if it were a float. */
export const decodeWithCbor2 = (bytes) => one(cbor2Decode(bytes, { ...cdeDecodeOptions, preferMap: true }), bytes);

/** By cborg, which takes a byte order mark off a text. */
export const decodeWithCborg = (bytes) =>
  one(
    cborgDecode(bytes, {
      allowBigInt: true,
      allowIndefinite: false,
      allowUndefined: false,
      rejectDuplicateMapKeys: true,
      strict: true,
      useMaps: true,
      tags: Tagged.preserve(1000, 1001, 1002),
    }),
    bytes,
  );

/**
 * The notation of bytes; throws unless they are the one encoding of a value. What a library misreads does not encode
 * to the same bytes, so the weakness of one can only refuse, and the other is asked.
 */
export const decode = (bytes) => {
  try {
    return decodeWithCbor2(bytes);
  } catch {
    return decodeWithCborg(bytes);
  }
};
