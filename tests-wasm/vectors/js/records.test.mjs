// Root records with the reader and writer of space.mjs; signatures with libsodium and noble.

import assert from "node:assert/strict";
import { test } from "node:test";
import { ed25519 } from "@noble/curves/ed25519.js";
import { concat, hex, unhex } from "./bytes.mjs";
import { ns, same, signer } from "./crypto.mjs";
import { readRecord, recordHash, signRecord } from "./space.mjs";
import { read } from "./vectors.mjs";

const vectors = read("records.json");
const space = unhex(vectors.space);
const accepted = (record) => {
  try {
    readRecord(space, record);
    return true;
  } catch {
    return false;
  }
};

test("records have these bytes, hashes and signatures", () => {
  for (const v of vectors.records) {
    const record = unhex(v.hex);
    same(assert, signRecord(space, unhex(v.root_seed), v.links, v.items), v.hex, v.what);
    assert.deepEqual(readRecord(space, record), { root: v.root, links: v.links, items: v.items, hash: v.hash }, v.what);
    const body = record.slice(0, -64);
    same(assert, ed25519.sign(concat(ns("root"), space, body), unhex(v.root_seed)), hex(record.slice(-64)), v.what);
    same(assert, recordHash(space, body), v.hash);
  }
});

test("records that are refused", () => {
  for (const v of vectors.refused) assert.equal(accepted(unhex(v.hex)), false, v.why);
});

test("mutated records: both sides refuse the same", () => {
  const root = signer(new Uint8Array(32).fill(0x50));
  let taken = 0;
  for (const [index, at, xor, expected] of vectors.mutated) {
    const record = unhex(vectors.records[index].hex);
    record[at] ^= xor;
    assert.equal(accepted(record), false);
    const body = record.slice(0, -64);
    const resigned = concat(body, root.sign(ns("root"), space, body));
    assert.equal(accepted(resigned), expected, `${vectors.records[index].what}, byte ${at} xor ${xor}`);
    taken += expected;
  }
  assert.ok(taken > 10 && taken < vectors.mutated.length - 10, "some of both");
});

test("a record is at most 256 KiB", () => {
  const seed = new Uint8Array(32).fill(0x50);
  const around = 1 + 32 + 1 + 1 + 1 + 3 + 64;
  for (const [size, taken] of [[262_144, true], [262_145, false]]) {
    const item = { op: "unknown", kind: 9, body: "01".repeat(size - around) };
    const record = signRecord(space, seed, [], [item]);
    assert.equal(record.length, size);
    assert.equal(accepted(record), taken);
  }
});
