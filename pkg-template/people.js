// A device that asks to be let in, seen from both sides.

import { HyphaError } from "./errors.js";

/** On the device that asks. */
export class SignIn {
  #node;
  #settle;

  constructor(node) {
    this.#node = node;
    this.granted = new Promise((resolve, reject) => (this.#settle = { resolve, reject }));
    // A page that does not wait for it has not forgotten an error.
    this.granted.catch(() => {});
  }

  /** The four words to compare; empty while they are being derived. */
  get words() {
    return this.#node.snapshot.words ?? [];
  }

  /** Whether the passphrase was changed since: nobody is asked any more. */
  get outdated() {
    return this.#node.snapshot.outdated ?? false;
  }

  async cancel() {
    await this.#node.call("cancelSignIn");
    SignIn.end(this, SignIn.ended());
  }

  /** For the node's owner: tells how it ended. */
  static end(signIn, outcome) {
    if (outcome instanceof Error) signIn.#settle.reject(outcome);
    else signIn.#settle.resolve(outcome);
  }

  static ended() {
    return new HyphaError("NOT_AUTHORISED", "this device no longer asks to be let in: it was refused, cancelled, or ran out; sign in to ask again");
  }
}

/** On a device that may let it in. */
export class Request {
  #node;

  constructor(node, { id, device, words, choices, suspect, time, expires, writer }) {
    this.#node = node;
    Object.assign(this, { id, device, words, choices, suspect, time, expires, writer });
    Object.freeze(this);
  }

  /** Lets the device in. `words`: the set that the person picked; another than the right one is refused. */
  async approve(words) {
    await this.#node.call("approve", this.id, words === undefined ? undefined : [...words]);
  }

  /** Tells the device no; `block` shows no further request of its key. */
  async deny({ block = false } = {}) {
    await this.#node.call("deny", this.id, block);
  }
}
