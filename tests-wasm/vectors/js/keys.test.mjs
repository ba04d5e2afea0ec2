// Keys with libsodium; BLAKE2b, Argon2-free parts and signatures again with @noble; discovery keys with hypercore-crypto.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { blake2b } from "@noble/hashes/blake2.js";
import { ed25519 } from "@noble/curves/ed25519.js";
import hypercore from "hypercore-crypto";
import { concat, hex, unhex, utf8 } from "./bytes.mjs";
import { argon, fourWords, H, H128, kdf, MAC, ns, same, signer, sodium, verify } from "./crypto.mjs";
import { ascii, domain, passphrase } from "./passphrase.mjs";
import { read, words } from "./vectors.mjs";

const vectors = read("keys.json");

test("the word list is EFF's large one", () => {
  assert.equal(words.length, 7776);
  assert.deepEqual(words, [...words].sort());
  const dice = (n) => [1296, 216, 36, 6, 1].map((place) => (Math.floor(n / place) % 6) + 1).join("");
  const file = words.map((word, n) => `${dice(n)}\t${word}\n`).join("");
  assert.equal(createHash("sha256").update(file).digest("hex"), "addd35536511597a02fa0a9ff1e5284677b8883b83e986e43f15a3db996b903e");
});

test("namespaces: libsodium, noble", () => {
  for (const { label, hash } of vectors.namespaces) {
    same(assert, H(utf8(label)), hash, label);
    same(assert, blake2b(utf8(label), { dkLen: 32 }), hash, label);
  }
  assert.equal(new Set(vectors.namespaces.map((n) => n.hash)).size, vectors.namespaces.length);
});

test("hashes: libsodium, noble", () => {
  for (const v of vectors.hashes) {
    const [input, key] = [unhex(v.input), unhex(v.key)];
    same(assert, H(input), v.h);
    same(assert, H128(input), v.h128);
    same(assert, MAC(key, input), v.mac);
    same(assert, blake2b(input, { dkLen: 32 }), v.h);
    same(assert, blake2b(input, { dkLen: 16 }), v.h128);
    same(assert, blake2b(input, { dkLen: 32, key }), v.mac);
  }
});

test("subkeys: libsodium, noble", () => {
  for (const v of vectors.subkeys) {
    same(assert, kdf(unhex(v.master), BigInt(v.id), v.context), v.key);
    const salt = new Uint8Array(16);
    new DataView(salt.buffer).setUint32(0, v.id, true);
    const personalization = concat(utf8(v.context), new Uint8Array(8));
    same(assert, blake2b(new Uint8Array(0), { dkLen: 32, key: unhex(v.master), salt, personalization }), v.key);
  }
});

test("what is typed becomes a passphrase or an error", () => {
  for (const v of vectors.passphrases) {
    assert.equal(v.typed.normalize("NFKD"), v.nfkd.normalize("NFKD"));
    assert.equal(v.nfkd.normalize("NFKD"), v.nfkd);
    assert.equal(passphrase(v.typed), v.passphrase, JSON.stringify(v.typed));
  }
  for (const { nfkd, ...error } of vectors.passphrases_refused) {
    // NFKD decomposes an umlaut: the error is then of the decomposed word, as it is in a browser.
    if (nfkd.normalize("NFKD") === nfkd) assert.deepEqual(passphrase(nfkd), error, JSON.stringify(nfkd));
    else assert.equal(typeof passphrase(nfkd), "object");
  }
});

test("what is typed becomes a domain or an error", () => {
  for (const v of vectors.domains) {
    assert.equal(ascii(v.ascii), v.host, v.ascii);
    assert.equal(domain(v.typed), v.host, v.typed);
  }
  for (const typed of vectors.domains_refused) assert.equal(ascii(typed), undefined, typed);
});

test("the tree of keys: libsodium (Argon2id, BLAKE2b, Ed25519, X25519), noble, hypercore-crypto", () => {
  for (const v of vectors.accounts) {
    const salt = H128(utf8("hypha/v1/domain"), utf8(v.domain));
    same(assert, salt, v.salt);
    const root = argon(utf8(v.passphrase), salt, 64, 3);
    same(assert, root, v.root_secret);
    const seed = kdf(root, 1, "hypharot");
    same(assert, seed, v.root_seed);
    const space = signer(seed);
    same(assert, space.public, v.space_key);
    same(assert, ed25519.getPublicKey(seed), v.space_key);
    assert.equal(`hypha://${v.space_key}`, v.link);
    same(assert, MAC(space.public, utf8("hypha")), v.discovery_key);
    same(assert, kdf(root, 1, "hyphamsg"), v.message_key);
    const base = kdf(root, 1, "hyphawri");
    same(assert, base, v.writer_base);
    same(assert, sodium.crypto_sign_ed25519_pk_to_curve25519(space.public), v.x25519);
    same(assert, sodium.crypto_sign_ed25519_sk_to_curve25519(space.secret), v.x25519_secret);
    same(assert, ed25519.utils.toMontgomery(space.public), v.x25519);
    same(assert, ed25519.utils.toMontgomerySecret(seed), v.x25519_secret);
    same(assert, sodium.crypto_scalarmult_base(unhex(v.x25519_secret)), v.x25519);
    for (const install of v.installs) {
      const secret = MAC(base, unhex(install.install_id), utf8(install.device));
      same(assert, secret, install.secret);
      same(assert, MAC(secret, utf8("local")), install.local_key);
      for (const feed of install.feeds) {
        const feedSeed = MAC(secret, utf8(feed.purpose), [0], space.public, utf8(feed.name));
        same(assert, feedSeed, feed.seed);
        const pair = hypercore.keyPair(Buffer.from(feedSeed));
        same(assert, pair.publicKey, feed.public);
        same(assert, MAC(pair.publicKey, utf8("hypha")), feed.discovery_key);
        same(assert, blake2b(utf8("hypha"), { dkLen: 32, key: unhex(feed.public) }), feed.discovery_key);
      }
    }
    const keys = v.installs.flatMap((install) => install.feeds.map((feed) => feed.public));
    assert.equal(new Set(keys).size, keys.length, "a key signs one log");
  }
  assert.equal(new Set(vectors.accounts.map((v) => v.space_key)).size, vectors.accounts.length);
});

test("links", () => {
  const parse = (text) => {
    const [, digits] = /^\s*(?:(?:hypha|dat):\/\/)?([0-9a-f]{64})\/?\s*$/i.exec(text) ?? [];
    if (!digits) return undefined;
    try {
      ed25519.Point.fromBytes(unhex(digits.toLowerCase())).assertValidity();
      return ed25519.Point.fromBytes(unhex(digits.toLowerCase())).isSmallOrder() ? undefined : digits.toLowerCase();
    } catch {
      return undefined;
    }
  };
  for (const text of vectors.links.read) assert.equal(parse(text), vectors.links.key, text);
  for (const text of vectors.links.refused) assert.equal(parse(text), undefined, text);
});

test("ids of persons and epochs", () => {
  for (const v of vectors.ids) {
    same(assert, H(ns("person"), unhex(v.bytes)), v.person);
    same(assert, H(ns("epoch"), unhex(v.bytes)), v.epoch);
  }
});

test("four words of a request", () => {
  for (const v of vectors.words) assert.deepEqual(fourWords(unhex(v.request_hash)), v.words);
});

test("signatures that hold and such that do not: libsodium, noble, hypercore-crypto", () => {
  for (const v of vectors.signatures) {
    const [key, message, signature] = [unhex(v.key), unhex(v.message), unhex(v.signature)];
    assert.equal(verify(key, signature, message), v.valid, v.what);
    // RFC 8032 mode still takes keys of small order, which is asked apart.
    let noble = false;
    try {
      noble = !ed25519.Point.fromBytes(key).isSmallOrder() && ed25519.verify(signature, message, key, { zip215: false });
    } catch {}
    assert.equal(noble, v.valid, v.what);
    assert.equal(hypercore.verify(Buffer.from(message), Buffer.from(signature), Buffer.from(key)), v.valid, v.what);
  }
});
