// Values with cbor2 and cborg.

import assert from "node:assert/strict";
import { test } from "node:test";
import { decode, decodeWithCbor2, decodeWithCborg, encode, encodeWithCborg } from "./cbor.mjs";
import { hex, unhex } from "./bytes.mjs";
import { read } from "./vectors.mjs";

const vectors = read("cbor.json");
// What one of the two libraries misreads: a byte order mark, the integer −2^53.
const both = (bytes) => !/efbbbf|3b001fffffffffffff/.test(bytes);
const takes = (decode, bytes) => {
  try {
    decode(bytes);
    return true;
  } catch {
    return false;
  }
};
const accepted = (bytes) => {
  const first = takes(decode, bytes);
  if (both(hex(bytes))) for (const second of [decodeWithCbor2, decodeWithCborg]) assert.equal(takes(second, bytes), first, hex(bytes));
  return first;
};

test("values have these bytes", () => {
  let twice = 0;
  for (const { value, hex: expected } of vectors.values) {
    const second = encodeWithCborg(value);
    if (second) assert.equal(hex(second), expected, JSON.stringify(value).slice(0, 200));
    twice += Boolean(second);
    assert.equal(hex(encode(value)), expected, JSON.stringify(value).slice(0, 200));
    const notation = decode(unhex(expected));
    assert.equal(hex(encode(notation)), expected);
    if (both(expected)) assert.deepEqual(decodeWithCborg(unhex(expected)), notation);
  }
  assert.ok(twice > 0.9 * vectors.values.length);
});

test("what has no encoding", () => {
  for (const { value, why } of vectors.not_encodable) assert.throws(() => encode(value), undefined, why);
});

test("byte strings that are no value", () => {
  for (const { hex: bytes, why } of vectors.refused) assert.equal(accepted(unhex(bytes)), false, why);
});

test("mutated encodings: both sides refuse the same", () => {
  let taken = 0;
  for (const [index, at, xor, expected] of vectors.mutated) {
    const bytes = unhex(vectors.values[index].hex);
    bytes[at] ^= xor;
    assert.equal(accepted(bytes), expected, hex(bytes));
    taken += expected;
  }
  assert.ok(taken > 100 && taken < vectors.mutated.length - 100, "some of both");
});
