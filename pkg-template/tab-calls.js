// Calls of one tab that another is to answer.

import { HyphaError, toError } from "./errors.js";

export class TabCalls {
  #tab;
  #post;
  #last = 0;
  #waiting = new Map(); // id -> { id, method, given, since, again, resolve, reject }

  /** `post(message)` hands a message to the tab that leads; `undefined` while nobody does. */
  constructor(tab, post) {
    this.#tab = tab;
    this.#post = post;
  }

  /** The answer to a call, from whichever tab leads then. `again`: it may have been done already. */
  add(method, given, since, again, leads) {
    return new Promise((resolve, reject) => {
      const call = { id: `${this.#tab}/${++this.#last}`, method, given, since, again, resolve, reject };
      this.#waiting.set(call.id, call);
      if (leads) this.#send(call);
    });
  }

  /** Another tab leads now: what waits is sent to it. */
  resend() {
    for (const call of this.#waiting.values()) this.#send(call);
  }

  /** All that wait: this tab answers them itself. */
  take() {
    const calls = [...this.#waiting.values()];
    this.#waiting.clear();
    return calls;
  }

  settle({ id, result, error }) {
    const call = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error) call?.reject(toError(error));
    else call?.resolve(result);
  }

  #send(call) {
    const { id, method, given, since, again } = call;
    try {
      this.#post({ type: "call", id, method, given, since, again });
      // Sent once, it may be done by one that cannot say so any more.
      call.again = true;
    } catch (error) {
      this.#waiting.delete(id);
      call.reject(new HyphaError("BAD_INPUT", `this cannot be handed to the tab that runs the node: ${error.message}`));
    }
  }
}
