// Invites, requests to join, codes and a home's notes: layouts from the protocol text, signatures with libsodium and
// noble, codes with libsodium and noble.

import assert from "node:assert/strict";
import { test } from "node:test";
import { blake2b } from "@noble/hashes/blake2.js";
import { ed25519 } from "@noble/curves/ed25519.js";
import { bytes, concat, hex, Reader, text, unhex, utf8 } from "./bytes.mjs";
import { H, ns, openSealed, same, sealTo, signer, verify } from "./crypto.mjs";
import { readEntry, readOps, writeEntry, writeOps } from "./space.mjs";
import { read, words } from "./vectors.mjs";

const vectors = read("spaces.json");
const space = unhex(vectors.space);

const code = (hash) => {
  const view = new DataView(hash.buffer, hash.byteOffset);
  return [0, 4, 8, 12, 16, 20].map((at) => words[view.getUint32(at, true) % 7776]);
};

test("codes: libsodium, noble", () => {
  for (const v of vectors.codes) {
    assert.deepEqual(code(H(ns("code"), unhex(v.key))), v.words);
    assert.deepEqual(code(blake2b(concat(ns("code"), unhex(v.key)), { dkLen: 32 })), v.words);
  }
});

const invitation = (writer, key) => concat(ns("invite"), space, writer, key);

test("invites: libsodium, noble", () => {
  for (const v of vectors.invites) {
    const key = signer(unhex(v.seed));
    same(assert, key.public, v.key);
    assert.equal(v.text, `hypha://${vectors.space}/invite/${v.seed}`);
    const signed = invitation(unhex(v.writer), key.public);
    same(assert, key.sign(signed), v.signature);
    same(assert, ed25519.sign(signed, unhex(v.seed)), v.signature);
  }
});

const isPoint = (key) => {
  try {
    return !ed25519.Point.fromBytes(unhex(key)).isSmallOrder();
  } catch {
    return false;
  }
};
const parseInvite = (typed) => {
  const shape = /^(?:(?:hypha|dat):\/\/)?([0-9a-f]{64})\/?\/invite\/([0-9a-f]{64})\/?$/i;
  const [, key, seed] = shape.exec(typed.trim())?.map((part) => part.toLowerCase()) ?? [];
  return key && isPoint(key) ? { key, seed } : undefined;
};

test("what is typed becomes an invite or an error", () => {
  const expected = { key: vectors.space, seed: vectors.invites[0].seed };
  for (const typed of vectors.links.read) assert.deepEqual(parseInvite(typed), expected, typed);
  for (const { text: typed } of vectors.links.refused) assert.equal(parseInvite(typed), undefined, typed);
});

const isName = (name) => {
  const characters = [...name].length;
  const invisible = /[\p{Cc}\u200e\u200f\u202a-\u202e\u2066-\u2069]/u;
  const spaced = /^\p{White_Space}|\p{White_Space}$/u;
  return characters >= 1 && characters <= 64 && !spaced.test(name) && !invisible.test(name);
};

const readRequest = (message) => {
  if (message.length < 64) throw new Error("length");
  const [body, signature] = [message.slice(0, -64), message.slice(-64)];
  const reader = new Reader(body);
  reader.version();
  const [there, writer, install_id] = [reader.raw(32), reader.raw(32), hex(reader.raw(16))];
  const [invite, cited] = [reader.raw(32), reader.raw(64)];
  const name = text(reader.bytes(256));
  reader.end();
  if (!isName(name)) throw new Error("name");
  if (!verify(writer, signature, ns("join"), body)) throw new Error("writer's signature");
  if (!verify(invite, cited, ns("invite"), there, writer, invite)) throw new Error("invite's signature");
  return { space: hex(there), writer: hex(writer), install_id, invite: hex(invite), name };
};

test("requests to join have these bytes", () => {
  const [{ seed, key }] = vectors.invites;
  for (const v of vectors.requests) {
    const writer = signer(unhex(v.writer_seed));
    const cited = signer(unhex(seed)).sign(invitation(writer.public, unhex(key)));
    const body = concat([1], space, writer.public, unhex(v.install_id), unhex(key), cited, bytes(utf8(v.name)));
    same(assert, concat(body, writer.sign(ns("join"), body)), v.hex);
    same(assert, ed25519.sign(concat(ns("join"), body), unhex(v.writer_seed)), v.hex.slice(-128));
    const { install_id, name } = v;
    assert.deepEqual(readRequest(unhex(v.hex)), { space: vectors.space, writer: hex(writer.public), install_id, invite: key, name });
  }
});

test("requests that are refused", () => {
  for (const v of vectors.requests_refused) assert.throws(() => readRequest(unhex(v.hex)), undefined, v.why);
});

const accepted = (block) => {
  try {
    return readEntry(block);
  } catch {
    return undefined;
  }
};

test("entries with invites and citations have these bytes", () => {
  let cited = 0;
  for (const v of vectors.entries) {
    same(assert, writeEntry(v.entry), v.hex, v.what);
    const { entry } = readEntry(unhex(v.hex));
    assert.deepEqual(entry, v.entry, v.what);
    for (const { writer, invite } of entry.access.filter((op) => op.invite)) {
      assert.ok(verify(unhex(invite.key), unhex(invite.signature), invitation(unhex(writer), unhex(invite.key))));
      cited++;
    }
  }
  assert.equal(cited, 4);
});

test("malformed and mutated blocks", () => {
  for (const { hex: block, why } of vectors.malformed) assert.equal(accepted(unhex(block)), undefined, why);
  let taken = 0;
  for (const [index, at, xor, expected] of vectors.mutated) {
    const block = unhex(vectors.entries[index].hex);
    block[at] ^= xor;
    const got = accepted(block);
    assert.equal(Boolean(got), expected, `${vectors.entries[index].what}, byte ${at} xor ${xor}`);
    if (got) same(assert, writeEntry(got.entry), hex(block));
    taken += expected;
  }
  assert.ok(taken > 50 && taken < vectors.mutated.length - 5, "some of both");
});

test("private operations of a home", () => {
  for (const { operations, plain } of vectors.operations) {
    same(assert, writeOps(operations), plain);
    const reader = new Reader(unhex(plain));
    assert.deepEqual(readOps(reader), operations);
    reader.end();
  }
});

test("root seeds of created spaces: libsodium", () => {
  for (const v of vectors.secrets) {
    const [home, seed] = [unhex(v.home_root_seed), unhex(v.seed)];
    same(assert, sealTo(signer(home).public, seed, unhex(v.ephemeral_secret)), v.sealed);
    same(assert, openSealed(home, unhex(v.sealed)), v.seed);
    same(assert, signer(seed).public, v.root);
  }
  const [{ sealed }] = vectors.operations[1].operations;
  same(assert, openSealed(new Uint8Array(32).fill(9), unhex(sealed)), "51".repeat(32));
});
