// The primitives of the protocol text, each as the library call that it names.

import { createRequire } from "node:module";
import { concat, hex, u64, utf8 } from "./bytes.mjs";
import { words } from "./vectors.mjs";

// The package's ES module looks for a file that is not beside it in every release; this one is whole.
export const sodium = createRequire(import.meta.url)("libsodium-wrappers-sumo");
await sodium.ready;

export const H = (...parts) => sodium.crypto_generichash(32, concat(...parts), null);
export const H128 = (...parts) => sodium.crypto_generichash(16, concat(...parts), null);
export const MAC = (key, ...parts) => sodium.crypto_generichash(32, concat(...parts), key);
export const kdf = (key, id, context) => sodium.crypto_kdf_derive_from_key(32, id, context, key);
export const argon = (input, salt, mib, passes) =>
  sodium.crypto_pwhash(32, input, salt, passes, mib * 2 ** 20, sodium.crypto_pwhash_ALG_ARGON2ID13);
export const ns = (purpose) => H(utf8(`hypha/v1/${purpose}`));

export const seal = (key, nonce, ad, plain) =>
  sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(plain, ad.length ? ad : null, null, nonce, key);
export const open = (key, nonce, ad, sealed) =>
  sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(null, sealed, ad.length ? ad : null, nonce, key);

export const signer = (seed) => {
  const pair = sodium.crypto_sign_seed_keypair(seed);
  return { public: pair.publicKey, secret: pair.privateKey, sign: (...parts) => sodium.crypto_sign_detached(concat(...parts), pair.privateKey) };
};
export const verify = (key, signature, ...parts) => sodium.crypto_sign_verify_detached(signature, concat(...parts), key);

const wrapKey = (shared, ephemeral, recipient) => H(ns("seal"), shared, ephemeral, recipient);

/** A 32-byte key for an Ed25519 public key, with a given ephemeral secret. */
export const sealTo = (recipient, key, ephemeralSecret) => {
  const theirs = sodium.crypto_sign_ed25519_pk_to_curve25519(recipient);
  const ephemeral = sodium.crypto_scalarmult_base(ephemeralSecret);
  const shared = sodium.crypto_scalarmult(ephemeralSecret, theirs);
  return concat(ephemeral, seal(wrapKey(shared, ephemeral, theirs), new Uint8Array(24), new Uint8Array(0), key));
};

export const openSealed = (seed, sealed) => {
  if (sealed.length !== 80) throw new Error("length");
  const own = signer(seed);
  const ephemeral = sealed.slice(0, 32);
  const shared = sodium.crypto_scalarmult(sodium.crypto_sign_ed25519_sk_to_curve25519(own.secret), ephemeral);
  const recipient = sodium.crypto_sign_ed25519_pk_to_curve25519(own.public);
  return open(wrapKey(shared, ephemeral, recipient), new Uint8Array(24), new Uint8Array(0), sealed.slice(32));
};

export const leaf = (block) => H([0], u64(block.length), block);
export const same = (assert, got, expected, what) => assert.equal(hex(got), expected, what);

/** What two screens show for a request. */
export const fourWords = (hash) => {
  const out = argon(hash, ns("words").slice(0, 16), 19, 2);
  const view = new DataView(out.buffer, out.byteOffset);
  return [0, 4, 8, 12].map((at) => words[view.getUint32(at, true) % 7776]);
};
