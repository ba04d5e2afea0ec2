// Manifests in their signed values, claims of a host, and the well-known file.

import assert from "node:assert/strict";
import { test } from "node:test";
import { ed25519 } from "@noble/curves/ed25519.js";
import { bytes, compare, concat, hex, Reader, text, u64, unhex, utf8, varint } from "./bytes.mjs";
import { ns, same, signer, verify } from "./crypto.mjs";
import { read } from "./vectors.mjs";

const manifests = read("manifest.json");
const host = read("host.json");

const u16 = (number) => [number & 255, number >> 8];
const u32 = (number) => u64(number).slice(0, 4);

const writeManifest = (v) => concat([1, v.kind], bytes(utf8(v.domain)), [1], varint(v.heads.length), ...v.heads.map(unhex));
const readManifest = (content) => {
  const check = (condition, what) => {
    if (!condition) throw new Error(what);
  };
  const reader = new Reader(content);
  reader.version();
  const kind = reader.u8();
  check(kind === 1 || kind === 2, "kind");
  const domain = text(reader.bytes(253));
  check(kind === 1 || domain === "", "domain of a space");
  check(reader.u8() === 1, "policy");
  const heads = Array.from({ length: reader.varint(400) }, () => hex(reader.raw(32)));
  for (let i = 1; i < heads.length; i++) check(compare(unhex(heads[i - 1]), unhex(heads[i])) < 0, "heads out of order");
  reader.end();
  return { kind, domain, heads };
};
const accepted = (read, content) => {
  try {
    read(content);
    return true;
  } catch {
    return false;
  }
};

test("manifests are values of the root with these bytes", () => {
  const root = signer(unhex(manifests.root_seed));
  same(assert, root.public, manifests.root);
  for (const v of manifests.manifests) {
    const value = writeManifest(v);
    const signature = root.sign(ns("value"), [1], root.public, u16(0), u64(v.sequence), u32(value.length), value);
    same(assert, concat([1, 1], root.public, bytes([]), varint(v.sequence), bytes(value), signature), v.hex, v.what);
    assert.deepEqual(readManifest(value), { kind: v.kind, domain: v.domain, heads: v.heads });
  }
});

test("values that are no manifest", () => {
  for (const v of manifests.refused) assert.equal(accepted(readManifest, unhex(v.hex)), false, v.why);
  let taken = 0;
  for (const [index, at, xor, expected] of manifests.mutated) {
    const value = writeManifest(manifests.manifests[index]);
    value[at] ^= xor;
    assert.equal(accepted(readManifest, value), expected, `${index}, byte ${at} xor ${xor}`);
    taken += expected;
  }
  assert.ok(taken > 10 && taken < manifests.mutated.length - 10, "some of both");
});

test("claims have these signatures", () => {
  for (const v of host.claims) {
    const signed = concat(ns("claim"), unhex(v.key), u16(v.domain.length), utf8(v.domain), unhex(v.nonce));
    same(assert, signer(unhex(v.seed)).sign(signed), v.signature);
    assert.ok(ed25519.verify(unhex(v.signature), signed, unhex(v.key)));
    const elsewhere = concat(ns("claim"), unhex(v.key), u16(7), utf8("a.other"), unhex(v.nonce));
    assert.equal(verify(unhex(v.key), unhex(v.signature), elsewhere), false);
  }
});

const readFile = (content) => {
  const [first, ...rest] = content.split("\n").map((line) => line.trim());
  const key = /^(?:hypha|dat):\/\/([0-9a-f]{64})\/?$/.exec(first.toLowerCase())?.[1];
  if (!key || !accepted((point) => ed25519.Point.fromHex(point).assertValidity(), key)) throw new Error("link");
  if (ed25519.Point.fromHex(key).isSmallOrder()) throw new Error("no key");
  let ttl = 3600;
  for (const line of rest) {
    const at = line.indexOf("=");
    if (at < 0 || line.slice(0, at).trim().toLowerCase() !== "ttl") continue;
    const seconds = line.slice(at + 1).trim();
    if (!/^[0-9]+$/.test(seconds)) throw new Error("TTL");
    ttl = Math.min(Number(seconds), 604_800);
  }
  return { key, ttl };
};

test("the well-known file", () => {
  for (const v of host.files) assert.deepEqual(readFile(v.text), { key: host.key, ttl: v.ttl_seconds }, v.text);
  for (const v of host.refused) assert.equal(accepted(readFile, v.text), false, v.text);
});
