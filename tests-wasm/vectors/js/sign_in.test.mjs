// Sign-in messages: layout from the protocol text, signatures with libsodium and noble, words with libsodium's Argon2id.

import assert from "node:assert/strict";
import { test } from "node:test";
import { ed25519 } from "@noble/curves/ed25519.js";
import { bytes, concat, hex, Reader, text, unhex, utf8, varint } from "./bytes.mjs";
import { fourWords, H, ns, same, signer, verify } from "./crypto.mjs";
import { read } from "./vectors.mjs";

const vectors = read("sign_in.json");
const discovery = unhex(vectors.discovery_key);

const requestBody = (v) =>
  concat([1, 1], unhex(v.id), unhex(v.writer), unhex(v.install_id), varint(v.time), varint(v.expires), bytes(utf8(v.device)));
const answerBody = (v) =>
  concat([1, 2], unhex(v.request), unhex(v.writer), [v.verdict], varint(v.time), unhex(v.admin));
const sign = (purpose, seed, body) => concat(body, signer(seed).sign(ns(purpose), discovery, body));

const device = (name) => {
  const invisible = /[\p{Cc}\u200e\u200f\u202a-\u202e\u2066-\u2069]/u;
  const characters = [...name].length;
  if (characters < 1 || characters > 64 || utf8(name).length > 256) throw new Error("length of a device name");
  if (/^\p{White_Space}|\p{White_Space}$/u.test(name) || invisible.test(name)) throw new Error("device name");
  return name;
};

const readMessage = (message) => {
  if (message.length < 64) throw new Error("length");
  const [body, signature] = [message.slice(0, -64), message.slice(-64)];
  const reader = new Reader(body);
  reader.version();
  const kind = reader.u8();
  const id = hex(reader.raw(16));
  const writer = hex(reader.raw(32));
  let out;
  if (kind === 1) {
    const install_id = hex(reader.raw(16));
    const [time, expires] = [reader.varint(), reader.varint()];
    out = { id, writer, install_id, time, expires, device: device(text(reader.bytes(256))) };
  } else if (kind === 2) {
    const verdict = reader.u8();
    if (verdict < 1 || verdict > 3) throw new Error("verdict");
    out = { request: id, writer, verdict, time: reader.varint(), admin: hex(reader.raw(32)) };
  } else throw new Error("type");
  reader.end();
  const purpose = kind === 1 ? "request" : "answer";
  if (!verify(unhex(out.admin ?? writer), signature, ns(purpose), discovery, body)) throw new Error("signature");
  return out;
};

test("requests have these bytes, hashes and words", () => {
  for (const { seed, hex: expected, hash, words, ...request } of vectors.requests) {
    const body = requestBody(request);
    same(assert, sign("request", unhex(seed), body), expected);
    same(assert, ed25519.sign(concat(ns("request"), discovery, body), unhex(seed)), expected.slice(-128));
    assert.deepEqual(readMessage(unhex(expected)), request);
    const got = H(ns("request"), discovery, body);
    same(assert, got, hash);
    assert.deepEqual(fourWords(got), words);
  }
});

test("answers have these bytes", () => {
  for (const { seed, hex: expected, ...answer } of vectors.answers) {
    same(assert, sign("answer", unhex(seed), answerBody(answer)), expected);
    assert.deepEqual(readMessage(unhex(expected)), answer);
  }
});

test("messages that are refused", () => {
  for (const v of vectors.refused) assert.throws(() => readMessage(unhex(v.hex)), undefined, v.why);
});
