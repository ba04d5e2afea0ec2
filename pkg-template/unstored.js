// What was told to have changed and may not be stored yet: since the first call that writes and is not answered.

export class Unstored {
  #calls = new Map(); // call -> how many changes had been told when it was made, in the order of making
  #changes = [];
  #dropped = 0; // how many there were before these

  get isEmpty() {
    return this.#calls.size === 0;
  }

  get changes() {
    return this.#changes;
  }

  /** A call that writes is made; what to give to `end`. */
  begin() {
    const call = {};
    this.#calls.set(call, this.#dropped + this.#changes.length);
    return call;
  }

  /** It is answered. */
  end(call) {
    this.#calls.delete(call);
    const [oldest = Infinity] = this.#calls.values();
    this.#dropped += this.#changes.splice(0, Math.max(0, oldest - this.#dropped)).length;
  }

  /** Something changed. */
  add(change) {
    if (!this.isEmpty) this.#changes.push(change);
  }
}
