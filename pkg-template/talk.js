// What is said and not kept: messages, and who is here.

import { guarded } from "./errors.js";
import { encodedOps, wasm } from "./wasm.js";

/** Messages of a space: whoever is there gets them. */
export class Messages extends EventTarget {
  /** Called with each message, as listeners of "message" are with its event's detail. */
  onmessage;
  #send;

  constructor(space, send) {
    super();
    this.#send = send;
    space.addEventListener("message", ({ detail }) => {
      if (this.onmessage) guarded(this.onmessage, detail);
      this.dispatchEvent(new CustomEvent("message", { detail }));
    });
  }

  /** To one writer or visitor (`to`, a key), to this space's devices only (`private`), or to everybody. */
  async send(data, { to, private: secret } = {}) {
    await this.#send(await encoded(data), to, secret);
  }
}

/** Who is here, and what they are doing. */
export class Presence extends EventTarget {
  /** Called with the map of `get()` when it changed. */
  onchange;
  #say;
  #all;
  #isDevice;
  #said; // what was said last, packed, and whether as a device
  #asDevice;

  constructor(space, say, all, isDevice) {
    super();
    this.#say = say;
    this.#all = all;
    this.#isDevice = isDevice;
    space.addEventListener("presence", () => {
      const map = this.get();
      if (this.onchange) guarded(this.onchange, map);
      this.dispatchEvent(new CustomEvent("change", { detail: map }));
    });
  }

  /** Says this of the node until something else is said; `undefined`: nothing any more. */
  async set(state) {
    const said = state === undefined ? undefined : await encoded(state);
    const asDevice = this.#isDevice();
    await this.#say(said);
    [this.#said, this.#asDevice] = [said, asDevice];
  }

  /** Called by the owner of the space when another node has taken the place of the one that was told. */
  static again(presence) {
    // What was said as a device, for devices, is not for everybody when the keys are gone.
    if (presence.#said && presence.#asDevice === presence.#isDevice()) presence.#say(presence.#said).catch(() => {});
  }

  /** What others say, by their keys. */
  get() {
    return new Map(this.#all().map(({ key, state }) => [key, state]));
  }

  /** The same with what is known of each: key, state, whether it is a writer, whether only devices can read it. */
  list() {
    return this.#all();
  }
}

async function encoded(value) {
  const { core } = await wasm();
  return encodedOps(core, [{ type: "put", key: "value", value }])[0].bytes;
}
