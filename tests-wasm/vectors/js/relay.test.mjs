// A conversation over a hub, and a session over two carriers: all that was sent is opened, read and made again.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Reader, bytes, compare, concat, hex, text, u64, unhex, utf8, varint } from "./bytes.mjs";
import { H, H128, MAC, ns, same, seal, signer, sodium } from "./crypto.mjs";
import { readMessage } from "./message.mjs";
import { Handshake } from "./noise.mjs";
import { read } from "./vectors.mjs";

const vectors = read("relay.json");
const NONE = new Uint8Array(0);

/** All messages made again, from the packets in them. */
const made = ({ nodes, messages, time, space }) => {
  const [from, to] = nodes;
  const topic = MAC(unhex(space), ns("topic"), utf8("inbox"), unhex(to.id));
  same(assert, H128(ns("signal"), unhex(to.public)), to.id);
  const shared = sodium.crypto_scalarmult(unhex(from.secret), unhex(to.public));
  const pair = H(ns("signal-pair"), shared, unhex(from.public), unhex(to.public), topic);
  for (const v of messages) {
    same(assert, topic, v.topic);
    const ad = concat([1, 1], unhex(from.public), u64(time), u64(v.sequence), unhex(to.id));
    const packet = concat([5], varint(v.attempt), varint(v.round), varint(v.past), unhex(v.body));
    const payload = concat(ad, unhex(v.inner_nonce), seal(pair, unhex(v.inner_nonce), ad, packet));
    const size = [256, 1024, 4096, 16384].find((size) => payload.length + 2 <= size);
    const plain = concat([payload.length & 255, payload.length >> 8], payload, new Uint8Array(size - payload.length - 2));
    same(assert, concat(unhex(v.nonce), seal(MAC(unhex(space), ns("signal")), unhex(v.nonce), topic, plain)), v.hex);
  }
};

test("packets of a conversation", () => made(vectors.packets));

test("what says which packets came", () => {
  for (const v of vectors.answers.messages) {
    const held = new Set();
    let [past, copies] = [0, 0];
    for (const number of v.arrived) {
      const news = number > past && number <= past + 16;
      if (news && number === past + 1) past += 1;
      else if (news) held.add(number);
      else copies += 1;
      while (held.delete(past + 1)) past += 1;
    }
    const bits = [...held].reduce((bits, number) => bits | (1 << (number - past - 2)), 0);
    assert.equal(v.round, 0);
    assert.equal(v.past, past);
    same(assert, bits === 0 ? NONE : concat([bits & 255, bits >> 8]), v.body);
    assert.equal(v.after, held.size > 0 || copies > 0 || v.arrived.length >= 2 ? 0 : 40);
  }
  made(vectors.answers);
});

// ── a session over two carriers ──

const side = (v) => Object.fromEntries(Object.entries(v).map(([name, value]) => [name, unhex(value)]));
const enclosed = (body) => concat([body.length & 255, body.length >> 8], body);
const MAGIC = concat(utf8("hypha"), [1]);

/** The three messages of a carrier's handshake, what it ends with, and a key for each way. */
const shake = ({ carrier, fingerprints = [], sides }) => {
  const prologue = concat(utf8("hypha/v1"), [1, carrier.length], utf8(carrier), ...fingerprints.map(unhex).sort(compare));
  const [one, two] = sides.map(side);
  const [a, b] = [new Handshake(true, prologue, one), new Handshake(false, prologue, two)];
  const first = a.write();
  b.read(first);
  const second = b.write(two.nonce);
  a.read(second);
  const third = a.write(one.nonce);
  b.read(third);
  const frames = [concat(MAGIC, first), concat(MAGIC, second), third].map(enclosed).map(hex);
  const id = concat(...[one.nonce, two.nonce].sort(compare));
  return { frames, id, h: a.h, sealing: a.split(), opening: b.split() };
};

const readFrame = (plain) => {
  const reader = new Reader(plain);
  const frame = { kind: reader.u8(), sequence: reader.varint(), acknowledged: reader.varint() };
  if (frame.kind === 0) Object.assign(frame, { whole: reader.varint(), part: reader.rest() });
  else if (frame.kind === 1) frame.part = reader.rest();
  else if (frame.kind < 4) frame.stamp = reader.raw(8);
  else if (frame.kind === 4) Object.assign(frame, { why: reader.u8(), text: text(reader.bytes(256)) });
  else if (frame.kind === 5) Object.assign(frame, { id: reader.raw(32), received: reader.varint() });
  else assert.equal(frame.kind, 6);
  reader.end();
  return frame;
};

const writeFrame = (f) => {
  const front = concat([f.kind], varint(f.sequence), varint(f.acknowledged));
  const rest = [
    () => concat(varint(f.whole), f.part),
    () => f.part,
    () => f.stamp,
    () => f.stamp,
    () => concat([f.why], bytes(utf8(f.text))),
    () => concat(f.id, varint(f.received)),
    () => NONE,
  ];
  return concat(front, rest[f.kind]());
};

test("a session goes from a relay to WebRTC and back, and nothing is lost", () => {
  const carriers = vectors.session.carriers.map(shake);
  const handshakes = carriers.map(() => []);
  // Of each side: the last part that it has had, the messages that came, and every part that it sent.
  const sides = [0, 1].map(() => ({ had: 0, got: [], sent: new Map(), began: new Set() }));
  const kinds = new Set();
  let again = 0;
  for (const v of vectors.session.sent) {
    const at = v.via - 1;
    const carrier = carriers[at];
    if (handshakes[at].length < 3) {
      handshakes[at].push([v.from, v.hex]);
      continue;
    }
    const sealed = unhex(v.hex);
    const plain = carrier.opening[v.from].open(NONE, sealed.slice(2));
    const frame = readFrame(plain);
    same(assert, writeFrame(frame), hex(plain));
    same(assert, enclosed(carrier.sealing[v.from].seal(NONE, plain)), v.hex);
    kinds.add(frame.kind);
    const [sender, receiver] = [sides[v.from], sides[1 - v.from]];
    if (at === 1 && !sender.began.has(at)) {
      // The first frame on a further carrier, and the initiator says it first.
      assert.equal(frame.kind, 5);
      assert.ok(v.from === 0 || sides[0].began.has(at));
      same(assert, frame.id, hex(carriers[0].id), "the session keeps its id");
      assert.equal(frame.received, sender.had);
    } else assert.notEqual(frame.kind, 5);
    sender.began.add(at);
    assert.ok(frame.acknowledged <= sender.had);
    if (frame.kind > 1) continue;
    assert.equal(frame.kind, 0, "all messages here have one part");
    const before = sender.sent.get(frame.sequence);
    if (before) {
      again++;
      assert.deepEqual(frame.part, before, "the bytes that it had");
    } else assert.equal(frame.sequence, sender.sent.size + 1);
    sender.sent.set(frame.sequence, frame.part);
    if (v.lost || frame.sequence <= receiver.had) continue;
    assert.equal(frame.sequence, ++receiver.had);
    receiver.got.push(readMessage(frame.part));
  }
  assert.deepEqual(handshakes.map((frames) => frames.map(([, frame]) => frame)), carriers.map((one) => one.frames));
  assert.deepEqual(handshakes.map((frames) => frames.map(([from]) => from)), [[0, 1, 0], [0, 1, 0]]);
  assert.deepEqual(kinds, new Set([0, 2, 3, 5, 6]));
  assert.equal(again, 3, "two parts were lost with their carrier, and one that came was not acknowledged yet");
  assert.deepEqual(sides[1].got.filter(({ kind }) => kind === "cancel").map(({ fields }) => fields.id), [1, 2, 3]);
  // Channels are those of the first handshake.
  const space = signer(new Uint8Array(32).fill(0x50)).public;
  const [open] = sides[1].got;
  same(assert, MAC(space, ns("channel"), carriers[0].h, [0]), open.fields.tag);
});
