// Calls of one tab that another is to answer, in the order in which they were made. A tab that was robbed has some that its
// own node was at, and which may turn out not to be done: until that is known of each, no later one is sent.

import { HyphaError, toError } from "./errors.js";

export class TabCalls {
  #tab = crypto.getRandomValues(new Uint8Array(8));
  #post;
  #last = 0;
  #here = 0; // calls that the node of this tab is at
  #idle; // promise, while somebody waits until it is at none any more
  #settle; // resolves it
  #waiting = new Map(); // number -> { id: { tab, number, again }, method, given, resolve, reject }

  /** `post(message)` hands a message to the tab that leads; `undefined` while nobody does. */
  constructor(post) {
    this.#post = post;
  }

  /** A name for a call: no other call of this database has it. `again` turns true when the call may have been done. */
  name() {
    return { tab: this.#tab, number: ++this.#last, again: false };
  }

  /** The node of this tab is at a call. */
  begin() {
    this.#here++;
  }

  /** It has answered, or the call was added. */
  end(leads) {
    if (--this.#here > 0) return;
    this.#settle?.();
    this.#idle = undefined;
    if (leads) this.resend();
  }

  /** Waits until it is at none any more. */
  settled() {
    return this.#here > 0 ? (this.#idle ??= new Promise((resolve) => (this.#settle = resolve))) : undefined;
  }

  /** The answer to a call, from whichever tab leads then. */
  add(id, method, given, leads) {
    return new Promise((resolve, reject) => {
      const call = { id, method, given, resolve, reject };
      this.#waiting.set(id.number, call);
      if (leads && this.#here === 0) this.#send(call);
    });
  }

  /** Another tab leads now: what waits is sent to it. */
  resend() {
    if (this.#here === 0) this.#inOrder().forEach((call) => this.#send(call));
  }

  /** All that wait: this tab answers them itself. */
  take() {
    const calls = this.#inOrder();
    this.#waiting.clear();
    return calls;
  }

  #inOrder() {
    return [...this.#waiting.values()].sort((a, b) => a.id.number - b.id.number);
  }

  settle({ id, result, error }) {
    const call = this.#waiting.get(id.number);
    this.#waiting.delete(id.number);
    // Of a part that fits that tab's version no more: to reload this one would not help.
    if (error?.code === "UPDATE") error.message = "another tab of this site runs another version: reload or close that one";
    if (error) call?.reject(toError(error));
    else call?.resolve(result);
  }

  #send(call) {
    const { id, method, given } = call;
    try {
      this.#post({ type: "call", id, method, given });
      // Sent once, it may be done by one that cannot say so any more.
      id.again = true;
    } catch (error) {
      this.#waiting.delete(id.number);
      call.reject(new HyphaError("BAD_INPUT", `this cannot be handed to the tab that runs the node: ${error.message}`));
    }
  }
}
