// Ephemeral envelopes and sealed signalling, with libsodium; the pair key again with noble.

import assert from "node:assert/strict";
import { test } from "node:test";
import { x25519 } from "@noble/curves/ed25519.js";
import { bytes, concat, hex, Reader, u64, unhex, utf8, varint } from "./bytes.mjs";
import { H, H128, MAC, ns, open, openSealed, same, seal, sealTo, sodium } from "./crypto.mjs";
import { read } from "./vectors.mjs";

const envelopes = read("envelope.json");
const mesh = read("mesh.json");

// ── envelopes ──

const discovery = unhex(envelopes.discovery_key);
const associated = (kind, expiry) => concat(ns("envelope"), [kind], discovery, u64(expiry));
const front = (kind, expiry) => concat([1, kind], discovery, u64(expiry));
const envelope = (kind, expiry, hops, nonce, ciphertext) => concat(front(kind, expiry), [hops], nonce, bytes(ciphertext));
const id = (kind, expiry, nonce, ciphertext) => H(ns("envelope"), front(kind, expiry), nonce, bytes(ciphertext));

const readEnvelope = (data) => {
  const reader = new Reader(data);
  reader.version();
  if (reader.u8() > 3) throw new Error("kind");
  reader.raw(40);
  if (reader.u8() > 8) throw new Error("hops");
  const nonce = reader.raw(24);
  const ciphertext = reader.bytes(16 * 1024);
  reader.end();
  return { nonce, ciphertext };
};

test("envelopes under a shared key", () => {
  for (const v of envelopes.shared) {
    const [key, nonce, plain] = [v.key, v.nonce, v.plain].map(unhex);
    const ciphertext = seal(key, nonce, associated(v.kind, v.expiry), plain);
    assert.equal(v.hops, 8);
    same(assert, envelope(v.kind, v.expiry, v.hops, nonce, ciphertext), v.hex);
    same(assert, envelope(v.kind, v.expiry, 2, nonce, ciphertext), v.hex_at_2_hops);
    same(assert, id(v.kind, v.expiry, nonce, ciphertext), v.id);
    const got = readEnvelope(unhex(v.hex));
    same(assert, open(key, got.nonce, associated(v.kind, v.expiry), got.ciphertext), v.plain);
    assert.throws(() => open(key, nonce, associated(v.kind, v.expiry + 1), ciphertext));
  }
});

test("envelopes for one writer", () => {
  for (const v of envelopes.addressed) {
    const [key, nonce, plain, seed] = [v.key, v.nonce, v.plain, v.seed].map(unhex);
    const sealedKey = sealTo(unhex(v.recipient), key, unhex(v.ephemeral_secret));
    const ciphertext = concat(sealedKey, seal(key, nonce, associated(3, v.expiry), plain));
    same(assert, envelope(3, v.expiry, v.hops, nonce, ciphertext), v.hex);
    same(assert, id(3, v.expiry, nonce, ciphertext), v.id);
    const got = readEnvelope(unhex(v.hex));
    const opened = openSealed(seed, got.ciphertext.slice(0, 80));
    same(assert, open(opened, got.nonce, associated(3, v.expiry), got.ciphertext.slice(80)), v.plain);
  }
});

test("envelopes that are refused", () => {
  for (const v of envelopes.refused) assert.throws(() => readEnvelope(unhex(v.hex)), undefined, v.why);
});

// ── rooms and signalling ──

const space = unhex(mesh.space);
const DAY = 86_400_000;

test("rooms, inboxes, ids, days", () => {
  for (const v of mesh.rooms) same(assert, MAC(space, ns("topic"), u64(v.day)), v.topic);
  for (const v of mesh.nodes) {
    const key = sodium.crypto_scalarmult_base(unhex(v.secret));
    same(assert, key, v.public);
    same(assert, H128(ns("signal"), key), v.id);
    same(assert, MAC(space, ns("topic"), utf8("inbox"), unhex(v.id)), v.inbox);
  }
  for (const v of mesh.days) {
    const nearest = Math.floor(v.time / DAY + 0.5);
    assert.deepEqual([Math.max(nearest - 1, 0), nearest], v.days);
  }
});

test("sealed signalling", () => {
  const [from, to] = mesh.nodes;
  for (const v of mesh.messages) {
    const topic = unhex(v.topic);
    const header = (kind) => concat([1, kind], unhex(from.public), u64(mesh.time), u64(v.sequence));
    let payload;
    if (v.kind === "hello") payload = concat(header(0), [v.wants]);
    else {
      assert.equal(v.topic, to.inbox);
      const shared = sodium.crypto_scalarmult(unhex(from.secret), unhex(to.public));
      same(assert, x25519.getSharedSecret(unhex(to.secret), unhex(from.public)), hex(shared));
      const key = H(ns("signal-pair"), shared, unhex(from.public), unhex(to.public), topic);
      const ad = concat(header(1), unhex(to.id));
      const inner = concat([v.verb], varint(v.attempt), varint(v.round), varint(v.past), unhex(v.body));
      payload = concat(ad, unhex(v.inner_nonce), seal(key, unhex(v.inner_nonce), ad, inner));
    }
    const size = [256, 1024, 4096, 16384].find((size) => payload.length + 2 <= size);
    const plain = concat([payload.length & 255, payload.length >> 8], payload, new Uint8Array(size - payload.length - 2));
    const key = MAC(space, ns("signal"));
    same(assert, concat(unhex(v.nonce), seal(key, unhex(v.nonce), topic, plain)), v.hex, v.kind);
  }
});

test("what tabs post", () => {
  const id = (value) => new Uint8Array(16).fill(value);
  const blinded = (key, from) => MAC(unhex(key), ns("topic"), utf8("tab"), id(from));
  for (const v of mesh.tabs) {
    const kind = ["hello", "bye", "data", "ping", "pong"].indexOf(v.kind);
    const body = v.body.spaces ? concat(...v.body.spaces.map((key) => blinded(key, v.from))) : unhex(v.body.data ?? "");
    same(assert, concat([1], id(v.from), id(v.to), [kind], body), v.hex, v.kind);
  }
  assert.equal(new Set(mesh.tabs.map((v) => v.kind)).size, 5);
});

test("frames to a y-webrtc hub", () => {
  const [first, second] = mesh.rooms.map((v) => v.topic);
  const d = Buffer.from(unhex(mesh.sealed)).toString("base64url");
  assert.match(d, /[-_]/);
  const frames = [
    { type: "subscribe", topics: [first] },
    { type: "ping" },
    { type: "subscribe", topics: [second] },
    { type: "publish", topic: first, d },
    { type: "unsubscribe", topics: [second] },
  ];
  assert.deepEqual(mesh.hub_frames.map((frame) => JSON.parse(frame)), frames);
});
