// Noise_XX_25519_ChaChaPoly_BLAKE2b from the Noise specification (revision 34), over noble's curve, cipher and hash.

import { chacha20poly1305 } from "@noble/ciphers/chacha.js";
import { x25519 } from "@noble/curves/ed25519.js";
import { blake2b } from "@noble/hashes/blake2.js";
import { hmac } from "@noble/hashes/hmac.js";
import { concat, utf8 } from "./bytes.mjs";

const NAME = "Noise_XX_25519_ChaChaPoly_BLAKE2b";
const NONE = new Uint8Array(0);
const hash = (...parts) => blake2b(concat(...parts), { dkLen: 64 });
const mac = (key, ...parts) => hmac(blake2b, key, concat(...parts));

/** Two outputs of Noise's HKDF. */
const hkdf = (key, input) => {
  const secret = mac(key, input);
  const one = mac(secret, [1]);
  return [one, mac(secret, one, [2])];
};

/** A key and its counter; no key yet: what goes in comes out. */
export class CipherState {
  constructor(key) {
    this.key = key;
    this.count = 0n;
  }
  #cipher(ad) {
    const nonce = new Uint8Array(12);
    new DataView(nonce.buffer).setBigUint64(4, this.count++, true);
    return chacha20poly1305(this.key, nonce, ad);
  }
  seal(ad, plain) {
    return this.key ? this.#cipher(ad).encrypt(plain) : plain;
  }
  open(ad, sealed) {
    return this.key ? this.#cipher(ad).decrypt(sealed) : sealed;
  }
}

/** One side. `own` is { secret, ephemeral_secret }, both 32 bytes. */
export class Handshake {
  constructor(initiator, prologue, own) {
    this.initiator = initiator;
    this.own = { s: own.secret, e: own.ephemeral_secret };
    this.their = {};
    // The name has 33 bytes: fewer than the hash, so it is padded.
    this.h = concat(utf8(NAME), new Uint8Array(64 - NAME.length));
    this.chain = this.h;
    this.cipher = new CipherState();
    this.#mixHash(prologue);
    this.patterns = [["e"], ["e", "ee", "s", "es"], ["s", "se"]];
  }
  #mixHash(data) {
    this.h = hash(this.h, data);
  }
  #mixKey(input) {
    const [chain, key] = hkdf(this.chain, input);
    this.chain = chain;
    this.cipher = new CipherState(key.slice(0, 32));
  }
  #exchange(token) {
    // "es" is the initiator's ephemeral key with the responder's static one, and so on.
    const [mine, theirs] = this.initiator ? [token[0], token[1]] : [token[1], token[0]];
    this.#mixKey(x25519.getSharedSecret(this.own[mine], this.their[theirs]));
  }
  #seal(plain) {
    const sealed = this.cipher.seal(this.h, plain);
    this.#mixHash(sealed);
    return sealed;
  }
  #open(sealed) {
    const plain = this.cipher.open(this.h, sealed);
    this.#mixHash(sealed);
    return plain;
  }
  write(payload = NONE) {
    let out = NONE;
    for (const token of this.patterns.shift()) {
      if (token.length === 2) this.#exchange(token);
      else {
        const key = x25519.getPublicKey(this.own[token]);
        if (token === "e") this.#mixHash(key);
        out = concat(out, token === "e" ? key : this.#seal(key));
      }
    }
    return concat(out, this.#seal(payload));
  }
  read(message) {
    let at = 0;
    const take = (length) => message.subarray(at, (at += length));
    for (const token of this.patterns.shift()) {
      if (token.length === 2) this.#exchange(token);
      else if (token === "e") {
        this.their.e = Uint8Array.from(take(32));
        this.#mixHash(this.their.e);
      } else this.their.s = this.#open(take(this.cipher.key ? 48 : 32));
    }
    return this.#open(message.subarray(at));
  }
  /** What the initiator sends with, and what the responder does. */
  split() {
    return hkdf(this.chain, NONE).map((key) => new CipherState(key.slice(0, 32)));
  }
}
