// Pins, receipts and answers to challenges: layouts from the protocol text, with libsodium and noble.

import assert from "node:assert/strict";
import { test } from "node:test";
import { blake2b } from "@noble/hashes/blake2.js";
import { ed25519 } from "@noble/curves/ed25519.js";
import { concat, hex, u64, unhex, varint } from "./bytes.mjs";
import { MAC, ns, same, signer, verify } from "./crypto.mjs";
import { readEntry, writeEntry } from "./space.mjs";
import { read } from "./vectors.mjs";

const vectors = read("replicas.json");
const space = unhex(vectors.space);

const accepted = (block) => {
  try {
    return readEntry(block);
  } catch {
    return undefined;
  }
};

test("pins in entries", () => {
  for (const { what, entry, hex: block } of vectors.entries) {
    same(assert, writeEntry(entry), block, what);
    assert.deepEqual(readEntry(unhex(block)).entry, entry, what);
  }
  const kinds = vectors.entries.flatMap(({ entry }) => entry.access.map(({ op }) => op));
  assert.deepEqual(new Set(kinds), new Set(["pin", "unpin", "unknown"]));
});

test("mutated blocks: both sides refuse the same", () => {
  let taken = 0;
  for (const [index, at, xor, expected] of vectors.mutated) {
    const block = unhex(vectors.entries[index].hex);
    block[at] ^= xor;
    const got = accepted(block);
    assert.equal(Boolean(got), expected, `${vectors.entries[index].what}, byte ${at} xor ${xor}`);
    if (got) same(assert, writeEntry(got.entry), hex(block));
    taken += expected;
  }
  assert.ok(taken > 20 && taken < vectors.mutated.length, "some of both");
});

const statement = (v) =>
  concat(ns("receipt"), space, unhex(v.feed), u64(v.length), unhex(v.tree_hash), u64(v.expires));
const asSent = (v) =>
  concat(unhex(v.feed), varint(v.length), unhex(v.tree_hash), varint(v.expires), unhex(v.signer), unhex(v.signature));

test("receipts: libsodium, noble", () => {
  for (const v of vectors.receipts) {
    same(assert, signer(unhex(v.seed)).public, v.signer);
    same(assert, signer(unhex(v.seed)).sign(statement(v)), v.signature);
    same(assert, ed25519.sign(statement(v), unhex(v.seed)), v.signature);
    assert.equal(verify(unhex(v.signer), unhex(v.signature), statement({ ...v, length: v.length - 1 })), false);
  }
  same(assert, concat([1], varint(2), ...vectors.receipts.slice(0, 2).map(asSent)), vectors.stored.hex);
});

const block = (index) => Uint8Array.from({ length: (index * 37) % 251 }, (_, j) => (31 * index + 7 * j + 3) % 256);

test("answers to challenges: libsodium, noble", () => {
  for (const v of vectors.answers) {
    const blocks = v.blocks.map((index) => concat(u64(index), u64(block(index).length), block(index)));
    const content = concat(ns("challenge"), space, unhex(v.signer), unhex(v.feed), ...blocks);
    same(assert, MAC(unhex(v.nonce), content), v.hash);
    same(assert, blake2b(content, { key: unhex(v.nonce), dkLen: 32 }), v.hash);
  }
});
