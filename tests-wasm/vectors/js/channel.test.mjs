// What nodes say to each other in ephemeral envelopes, from the protocol text, with libsodium.

import assert from "node:assert/strict";
import { test } from "node:test";
import { bytes, concat, hex, Reader, u64, unhex, varint } from "./bytes.mjs";
import { H, MAC, ns, open, openSealed, same, seal, sealTo, signer, verify } from "./crypto.mjs";
import { read } from "./vectors.mjs";

const vectors = read("channel.json");
const space = unhex(vectors.space);
const discovery = unhex(vectors.discovery_key);

/** What is signed in front of the message. */
const front = (kind, expiry, recipient) => concat(ns("message"), discovery, [kind], u64(expiry), kind === 3 ? recipient : []);

const readMessage = (plain, kind, expiry, recipient) => {
  if (plain.length < 64) throw new Error("ended");
  const [body, signature] = [plain.slice(0, -64), plain.slice(-64)];
  const reader = new Reader(body);
  reader.version();
  const message = { topic: reader.u8(), sender: reader.raw(32), id: reader.raw(16), time: reader.varint(), payload: reader.rest() };
  if (message.payload.length > 16_166) throw new Error("payload");
  if (!verify(message.sender, signature, front(kind, expiry, recipient), body)) throw new Error("signature");
  return message;
};

test("the key of public messages", () => {
  same(assert, MAC(space, "hypha".split("").map((c) => c.charCodeAt(0))), vectors.discovery_key);
  same(assert, MAC(space, ns("public-message")), vectors.public_key);
});

test("messages and their envelopes", () => {
  for (const v of vectors.messages) {
    const [seed, id, payload, key, nonce] = [v.seed, v.id, v.payload, v.key, v.nonce].map(unhex);
    const from = signer(seed);
    const recipient = v.recipient_seed ? signer(unhex(v.recipient_seed)).public : undefined;
    const body = concat([1, v.topic], from.public, id, varint(v.time), payload);
    const plain = concat(body, from.sign(front(v.kind, v.expiry, recipient), body));
    same(assert, plain, v.plain);
    same(assert, H(ns("message"), from.public, id), v.name);
    if (v.kind === 2) same(assert, key, vectors.public_key);

    const ad = concat(ns("envelope"), [v.kind], discovery, u64(v.expiry));
    const sealedKey = v.kind === 3 ? sealTo(recipient, key, unhex(v.ephemeral_secret)) : [];
    const ciphertext = concat(sealedKey, seal(key, nonce, ad, plain));
    same(assert, concat([1, v.kind], discovery, u64(v.expiry), [8], nonce, bytes(ciphertext)), v.hex);

    const reader = new Reader(unhex(v.hex));
    reader.raw(67);
    const got = reader.bytes(16 * 1024);
    const opened = v.kind === 3 ? openSealed(unhex(v.recipient_seed), got.slice(0, 80)) : key;
    const message = readMessage(open(opened, nonce, ad, v.kind === 3 ? got.slice(80) : got), v.kind, v.expiry, recipient);
    assert.deepEqual([message.topic, message.time, hex(message.payload)], [v.topic, v.time, v.payload]);
    assert.throws(() => readMessage(plain, v.kind, v.expiry + 1, recipient), /signature/);
  }
});

test("heads", () => {
  for (const v of vectors.heads) {
    const reader = new Reader(unhex(v.hex));
    reader.version();
    const heads = Array.from({ length: reader.varint(100) }, () => {
      const head = { feed: hex(reader.raw(32)), length: reader.varint(), fork: reader.varint(), tree_hash: hex(reader.raw(32)) };
      return { ...head, signature: hex(reader.raw(64)) };
    });
    reader.end();
    assert.deepEqual(heads, v.heads);
    for (const { feed, length, fork, tree_hash, signature } of heads)
      assert.ok(verify(unhex(feed), unhex(signature), ns("feed"), unhex(feed), unhex(tree_hash), u64(length), u64(fork)));
  }
});

test("messages that are refused", () => {
  for (const v of vectors.refused) assert.throws(() => readMessage(unhex(v.hex), 2, 9), undefined, v.why);
});
