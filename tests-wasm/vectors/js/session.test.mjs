// Sessions: the handshake over each carrier, sealed frames, channel tags, writer proofs, messages; nothing of ours in it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { ed25519, x25519 } from "@noble/curves/ed25519.js";
import { bytes, compare, concat, hex, Reader, text, u64, unhex, utf8, varint } from "./bytes.mjs";
import { H, MAC, ns, same, signer, verify } from "./crypto.mjs";
import { KIND_NAMES, readMessage, writeMessage } from "./message.mjs";
import { Handshake } from "./noise.mjs";
import { read } from "./vectors.mjs";

const vectors = read("wire.json");
const NONE = new Uint8Array(0);

// ── the handshake ──

const enclosed = (body) => concat([body.length & 255, body.length >> 8], body);
const MAGIC = concat(utf8("hypha"), [1]);

const prologue = (v) => {
  const prints = v.fingerprints.map(unhex).sort(compare);
  return concat(utf8("hypha/v1"), [1, v.carrier.length], utf8(v.carrier), ...prints);
};
const side = (v) => Object.fromEntries(Object.entries(v).map(([name, value]) => [name, unhex(value)]));

/** Both sides, done, with the frames that they made. */
const shake = (v) => {
  const [one, two] = [side(v.initiator), side(v.responder)];
  const [a, b] = [new Handshake(true, prologue(v), one), new Handshake(false, prologue(v), two)];
  const first = a.write();
  same(assert, b.read(first), "");
  const second = b.write(two.nonce);
  same(assert, a.read(second), hex(two.nonce));
  const third = a.write(one.nonce);
  same(assert, b.read(third), hex(one.nonce));
  const frames = [concat(MAGIC, first), concat(MAGIC, second), third].map(enclosed);
  assert.deepEqual([hex(a.their.s), hex(b.their.s)], [v.responder.public, v.initiator.public]);
  return { a, b, frames };
};

test("handshakes have these bytes, hashes and ids", () => {
  assert.deepEqual(vectors.handshakes.map((v) => v.carrier), ["tab", "relay", "webrtc"]);
  for (const v of vectors.handshakes) {
    for (const own of [v.initiator, v.responder]) same(assert, x25519.getPublicKey(unhex(own.secret)), own.public);
    const { a, b, frames } = shake(v);
    assert.deepEqual(frames.map(hex), v.frames, v.carrier);
    same(assert, a.h, v.handshake_hash);
    same(assert, b.h, v.handshake_hash);
    same(assert, concat(...[v.initiator.nonce, v.responder.nonce].map(unhex).sort(compare)), v.session_id);
  }
});

test("another carrier or other fingerprints: the second message does not open", () => {
  const v = vectors.handshakes[2];
  for (const other of [{ ...v, carrier: "tab", fingerprints: [] }, { ...v, fingerprints: [v.fingerprints[0], "0b".repeat(32)] }]) {
    const a = new Handshake(true, prologue(v), side(v.initiator));
    const b = new Handshake(false, prologue(other), side(v.responder));
    b.read(a.write());
    assert.throws(() => a.read(b.write(unhex(v.responder.nonce))));
  }
});

test("a version that is not spoken", () => {
  const [first, answer] = vectors.other_version.map(unhex);
  same(assert, first.slice(2, 8), hex(concat(utf8("hypha"), [2])));
  same(assert, answer, hex(enclosed(concat(utf8("hypha"), [0, 1]))));
});

// ── sealed frames ──

const repeated = (value) => (value?.count ? value.repeat.repeat(value.count) : value);
const message = ({ fields, ...rest }) =>
  writeMessage({ ...rest, fields: Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, repeated(value)])) });

const FRAMES = ["first part", "next part", "ping", "pong", "close"];
const plain = (v) => {
  const front = concat([FRAMES.indexOf(v.frame)], varint(v.sequence), varint(v.acknowledged));
  switch (v.frame) {
    case "first part": {
      const whole = message(v.message);
      return concat(front, varint(whole.length), whole.slice(0, v.end));
    }
    case "next part":
      return concat(front, message(v.message).slice(v.start, v.end));
    case "close":
      return concat(front, [v.why], bytes(utf8(v.text)));
    default:
      return concat(front, u64(v.stamp));
  }
};

/** Reads frames of one side: parts are joined, and counted. */
class Receiver {
  parts = 0;
  whole = 0;
  held = null;
  read(frame) {
    const reader = new Reader(frame);
    const kind = reader.u8();
    const sequence = reader.varint();
    const acknowledged = reader.varint();
    if (kind < 2) this.parts++;
    assert.equal(sequence, this.parts);
    if (kind > 4) throw new Error("kind of frame");
    if (kind === 4) {
      const close = { why: reader.u8(), text: text(reader.bytes(256)) };
      reader.end();
      return { acknowledged, close };
    }
    if (kind > 1) {
      reader.raw(8);
      reader.end();
      return { acknowledged };
    }
    assert.equal(kind === 0, this.held === null, "a first part begins a message, and only it");
    if (kind === 0) [this.whole, this.held] = [reader.varint(2 * 1024 * 1024), NONE];
    this.held = concat(this.held, reader.rest());
    assert.ok(this.held.length <= this.whole);
    if (this.held.length < this.whole) return { acknowledged };
    const done = this.held;
    this.held = null;
    return { acknowledged, message: readMessage(done) };
  }
}

test("a session has these frames, and they read as they were written", () => {
  const { a, b } = shake(vectors.handshakes[0]);
  const sending = a.split();
  const opening = b.split();
  const receivers = [new Receiver(), new Receiver()];
  const got = [];
  for (const v of vectors.session.frames) {
    const frame = enclosed(sending[v.from].seal(NONE, plain(v)));
    assert.ok(frame.length <= 16_384);
    if (v.hash) same(assert, H(frame), v.hash);
    else same(assert, frame, v.hex, v.frame);
    const opened = receivers[v.from].read(opening[v.from].open(NONE, frame.slice(2)));
    assert.equal(opened.acknowledged, v.acknowledged);
    assert.equal(v.acknowledged, receivers[1 - v.from].parts);
    if (opened.message) got.push([v.from, opened.message]);
  }
  const { kind, fields } = got.find(([, message]) => message.kind === "extension")[1];
  assert.deepEqual([kind, fields.bytes], ["extension", "5a".repeat(35_000)]);
  assert.deepEqual(new Set(vectors.session.frames.map((v) => v.frame)), new Set(FRAMES));

  // Tags and proofs, each under its author's role.
  const [space, other] = [vectors.session.space, vectors.session.other].map(unhex);
  const tag = (key, role) => hex(MAC(key, ns("channel"), a.h, [role]));
  const opens = got.filter(([, message]) => message.kind === "open").map(([from, message]) => [from, message.fields.tag, message.fields.discovery]);
  const discovery = (key) => hex(MAC(key, utf8("hypha")));
  assert.deepEqual(opens, [
    [0, tag(space, 0), discovery(space)],
    [0, tag(other, 0), discovery(other)],
    [1, tag(space, 1), discovery(space)],
  ]);
  assert.notEqual(tag(space, 0), tag(space, 1));
  const proofs = got.filter(([, message]) => message.kind === "prove");
  assert.equal(proofs.length, 2);
  for (const [role, { fields }] of proofs) {
    const statement = concat(ns("proof"), a.h, [role], space);
    same(assert, signer(new Uint8Array(32).fill(role + 1)).sign(statement), fields.signature);
    assert.ok(ed25519.verify(unhex(fields.signature), statement, unhex(fields.key)));
    const reflected = concat(ns("proof"), a.h, [1 - role], space);
    assert.equal(verify(unhex(fields.key), unhex(fields.signature), reflected), false);
  }
});

// ── messages ──

const isMessage = (content) => {
  try {
    readMessage(content);
    return true;
  } catch {
    return false;
  }
};

test("every kind of message has these bytes", () => {
  for (const { hex: expected, ...v } of vectors.messages) {
    same(assert, writeMessage(v), expected, v.kind);
    assert.deepEqual(readMessage(unhex(expected)), v);
  }
  assert.deepEqual(new Set(vectors.messages.map((v) => v.kind)), new Set(KIND_NAMES));
});

test("messages that are refused", () => {
  for (const v of vectors.refused) assert.equal(isMessage(unhex(v.hex)), false, v.why);
});

test("mutated messages: both sides refuse the same", () => {
  let taken = 0;
  for (const [index, at, xor, expected] of vectors.mutated) {
    const content = unhex(vectors.messages[index].hex);
    content[at] ^= xor;
    assert.equal(isMessage(content), expected, `${vectors.messages[index].kind}, byte ${at} xor ${xor}`);
    taken += expected;
  }
  assert.ok(taken > 10 && taken < vectors.mutated.length - 10, "some of both");
});
