// XChaCha20-Poly1305 with libsodium and noble; sealed keys with libsodium, and the pieces again with noble.

import assert from "node:assert/strict";
import { test } from "node:test";
import { xchacha20poly1305 } from "@noble/ciphers/chacha.js";
import { ed25519, x25519 } from "@noble/curves/ed25519.js";
import { blake2b } from "@noble/hashes/blake2.js";
import { concat, hex, unhex, utf8 } from "./bytes.mjs";
import { open, openSealed, same, seal, sealTo, sodium } from "./crypto.mjs";
import { read } from "./vectors.mjs";

const vectors = read("seal.json");

test("boxes: libsodium, noble", () => {
  for (const v of vectors.boxes) {
    const [key, nonce, ad, plain, sealed] = [v.key, v.nonce, v.ad, v.plain, v.sealed].map(unhex);
    same(assert, seal(key, nonce, ad, plain), v.sealed);
    same(assert, open(key, nonce, ad, sealed), v.plain);
    same(assert, xchacha20poly1305(key, nonce, ad).encrypt(plain), v.sealed);
    for (const at of [0, sealed.length - 1]) {
      const bad = Uint8Array.from(sealed);
      bad[at] ^= 1;
      assert.throws(() => open(key, nonce, ad, bad));
    }
    assert.throws(() => open(key, nonce, concat(ad, [0]), sealed));
  }
});

test("sealed keys: libsodium, noble", () => {
  for (const v of vectors.sealed_keys) {
    const [seed, recipient, key, ephemeral] = [v.seed, v.recipient, v.key, v.ephemeral_secret].map(unhex);
    same(assert, sodium.crypto_sign_ed25519_pk_to_curve25519(recipient), v.x25519);
    same(assert, sealTo(recipient, key, ephemeral), v.sealed);
    same(assert, openSealed(seed, unhex(v.sealed)), v.key);

    const theirs = ed25519.utils.toMontgomery(recipient);
    const shared = x25519.getSharedSecret(ephemeral, theirs);
    const namespace = blake2b(utf8("hypha/v1/seal"), { dkLen: 32 });
    const wrap = blake2b(concat(namespace, shared, x25519.getPublicKey(ephemeral), theirs), { dkLen: 32 });
    const sealed = concat(x25519.getPublicKey(ephemeral), xchacha20poly1305(wrap, new Uint8Array(24)).encrypt(key));
    assert.equal(hex(sealed), v.sealed);
  }
});

test("sealed keys that do not open", () => {
  for (const v of vectors.not_opened) assert.throws(() => openSealed(unhex(v.seed), unhex(v.sealed)), undefined, v.why);
});

test("keys that nothing is sealed to", () => {
  for (const v of vectors.not_sealed_to) {
    assert.throws(() => sealTo(unhex(v.recipient), new Uint8Array(32), new Uint8Array(32).fill(7)), undefined, v.why);
  }
});
