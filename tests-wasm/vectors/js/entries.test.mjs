// Entries with the reader and writer of space.mjs; leaf hashes with libsodium and hypercore-crypto.

import assert from "node:assert/strict";
import { test } from "node:test";
import hypercore from "hypercore-crypto";
import { concat, hex, Reader, unhex, utf8 } from "./bytes.mjs";
import { H, leaf, ns, open, openSealed, same, seal, signer } from "./crypto.mjs";
import { readEntry, readOps, sealedPartAd, writeClear, writeEntry, writeOps } from "./space.mjs";
import { read } from "./vectors.mjs";

const vectors = read("entries.json");
const accepted = (block) => {
  try {
    readEntry(block);
    return true;
  } catch {
    return false;
  }
};

test("entries have these bytes and hashes", () => {
  for (const v of [...vectors.entries, ...vectors.adopted]) {
    const block = unhex(v.hex);
    same(assert, writeEntry(v.entry), v.hex, v.what);
    const { entry, clear } = readEntry(block);
    assert.deepEqual(entry, sorted(v.entry), v.what);
    assert.equal(clear, v.clear_length, v.what);
    same(assert, writeClear(entry), v.hex.slice(0, 2 * clear), v.what);
    same(assert, leaf(block), v.hash, v.what);
    same(assert, hypercore.data(Buffer.from(block)), v.hash, v.what);
  }
});

/** Maps in the order of their encoding, in which they are read. */
const sorted = (json) => {
  if (!Array.isArray(json)) {
    return json && typeof json === "object" ? Object.fromEntries(Object.entries(json).map(([k, v]) => [k, sorted(v)])) : json;
  }
  if (json[0] !== "map") return json.map(sorted);
  const bytes = (key) => [utf8(key).length, Buffer.from(utf8(key))];
  const order = ([a], [b]) => bytes(a)[0] - bytes(b)[0] || Buffer.compare(bytes(a)[1], bytes(b)[1]);
  return ["map", json[1].map(([key, value]) => [key, sorted(value)]).sort(order)];
};

test("device names and content keys in them open", () => {
  const content = new Uint8Array(32).fill(0xc0);
  let opened = 0;
  for (const op of vectors.entries.flatMap((v) => v.entry.access)) {
    if (op.op === "grant") {
      if (op.name) {
        assert.equal(op.name.epoch, hex(H(ns("epoch"), content)));
        const name = open(content, unhex(op.name.nonce), unhex(op.writer), unhex(op.name.ciphertext));
        assert.equal(new TextDecoder().decode(name), "Phone 📱");
        opened++;
      }
      same(assert, H(ns("person"), unhex(op.writer)), op.person);
    }
    if (op.op === "epoch" || op.op === "seal") {
      const seeds = [1, 2, 3].map((seed) => new Uint8Array(32).fill(seed));
      for (const { writer, key } of op.seals) {
        const seed = seeds.find((seed) => hex(signer(seed).public) === writer);
        same(assert, openSealed(seed, unhex(key)), hex(content));
        opened++;
      }
      if (op.root) same(assert, openSealed(new Uint8Array(32).fill(9), unhex(op.root)), hex(content));
    }
  }
  assert.ok(opened >= 6);
});

test("sealed parts: libsodium", () => {
  for (const v of vectors.sealed_parts) {
    const plain = writeOps(v.operations);
    same(assert, plain, v.plain);
    const block = unhex(v.block);
    const { entry, clear } = readEntry(block);
    const ad = sealedPartAd(unhex(v.feed), v.index, block.slice(0, clear));
    same(assert, ad, v.ad);
    same(assert, H(ns("epoch"), unhex(v.content_key)), v.epoch);
    assert.deepEqual([entry.sealed.epoch, entry.sealed.nonce], [v.epoch, v.nonce]);
    const ciphertext = seal(unhex(v.content_key), unhex(v.nonce), ad, plain);
    same(assert, writeEntry({ ...entry, sealed: { ...entry.sealed, ciphertext: hex(ciphertext) } }), v.block);
    const reader = new Reader(open(unhex(v.content_key), unhex(v.nonce), ad, unhex(entry.sealed.ciphertext)));
    assert.deepEqual(readOps(reader), v.operations);
    reader.end();
    same(assert, leaf(block), v.hash);
    const elsewhere = sealedPartAd(unhex(v.feed), v.index ? 0 : 1, block.slice(0, clear));
    assert.throws(() => open(unhex(v.content_key), unhex(v.nonce), elsewhere, ciphertext));
  }
});

test("malformed blocks", () => {
  for (const { hex: block, why } of vectors.malformed) assert.equal(accepted(unhex(block)), false, why);
});

const mutate = (mutated, entries) => {
  let taken = 0;
  for (const [index, at, xor, expected] of mutated) {
    const block = unhex(entries[index].hex);
    block[at] ^= xor;
    assert.equal(accepted(block), expected, `${entries[index].what}, byte ${at} xor ${xor}`);
    if (expected) same(assert, writeEntry(readEntry(block).entry), hex(block));
    taken += expected;
  }
  return taken;
};

test("mutated blocks: both sides refuse the same", () => {
  const taken = mutate(vectors.mutated, vectors.entries);
  assert.ok(taken > 50 && taken < vectors.mutated.length - 50, "some of both");
  const adopted = mutate(vectors.adopted_mutated, vectors.adopted);
  assert.ok(adopted > 9 && adopted < vectors.adopted_mutated.length - 9, "some of both");
});

test("a block above 1 MiB", () => {
  const block = (size) => {
    const value = concat([0x5a, size >>> 24, (size >>> 16) & 255, (size >>> 8) & 255, size & 255], new Uint8Array(size));
    const body = concat([1], utf8("k"), value);
    const length = body.length;
    return concat([1, 0, 0, 0, 0, 0, 1, 1, (length & 127) | 128, ((length >> 7) & 127) | 128, length >> 14], body);
  };
  const most = block((1 << 20) - 18);
  assert.equal(most.length, 1 << 20);
  assert.equal(accepted(most), true);
  assert.equal(accepted(block((1 << 20) - 17)), false);
});
