// The node itself, when it runs in this tab.

import { requestWords } from "./worker-client.js";
import { closed, toError } from "./errors.js";
import { lookUp } from "./host.js";
import { wasm } from "./wasm.js";

// What is done once, however often it is asked for: all that a second time would do twice, or refuse.
const ONCE = new Set(["adopt", "approve", "changePassphrase", "chooseRoot", "createSpace", "cut", "deny", "forget", "hide", "hold", "join", "leave",
  "pinReplica", "recover", "revokeInvite", "setTitle", "signUp", "unhide", "unpinReplica", "write"]);

/** What other tabs may ask of a node. */
export const METHODS = new Set(["addHub", "adopt", "approve", "cancelSignIn", "changePassphrase", "createSpace", "cut", "deny", "exportPiece", "forget", "get", "hide", "history", "hold", "importPart", "invite", "join", "leave", "list", "lock", "otherBranches", "pin", "pinReplica",
  "quarantine", "recover", "removeHub", "revokeInvite", "send", "setPresence", "setTitle", "signIn", "signUp", "sync", "unhide", "unlock", "unpinReplica", "write"]);

export class LocalNode {
  #core;
  #module;
  #seen;

  /** `listen(name, detail)` hears what happens. */
  static async open(options, listen) {
    const node = new LocalNode();
    const { core } = await wasm();
    const page = {
      event: (name, detail) => {
        node.#seen = undefined;
        // Plain, so that it can be handed to other tabs.
        listen(name, name === "failed" ? { code: detail.code, message: detail.message } : detail);
      },
      deriveWords: requestWords,
      lookUp,
    };
    try {
      node.#core = await core.Core.open(options, page);
    } catch (error) {
      throw toError(error, "STORAGE");
    }
    node.#module = core;
    return node;
  }

  /** All that is known without waiting. */
  get snapshot() {
    // What was true at last stays readable: a page may draw itself once more.
    if (!this.#core) return this.#seen;
    // Round trips, and requests that fall away by time, change without an event: never older than this turn.
    if (!this.#seen) {
      this.#seen = this.#core.snapshot();
      queueMicrotask(() => this.#core && (this.#seen = undefined));
    }
    return this.#seen;
  }

  async call(method, ...given) {
    return this.callAs(undefined, method, ...given);
  }

  /**
   * The same for a call with an id: `{ tab, number, again }`. With `again` it may have been done before, by a node that
   * could not say so; then the answer is what came of it.
   */
  async callAs(id, method, ...given) {
    if (!this.#core) throw closed();
    try {
      // What comes of it is stored under this id, in the transaction of what it does.
      if (id && ONCE.has(method)) this.#core.once(id.tab, id.number, id.again);
      return await this.#core[method](...given);
    } catch (error) {
      throw toError(error);
    }
  }

  /** The keys of the unlocked node, for its other tabs; undefined while it is locked or has none. */
  get keys() {
    return this.#core?.keys();
  }

  async closeAll() {
    await this.close();
  }

  /** What of the stored files is in memory. */
  get pages() {
    return this.#core?.pages();
  }

  /** Bytes of memory that the node has taken. */
  get memory() {
    return this.#module?.memoryBytes() ?? 0;
  }

  async close() {
    const core = this.#core;
    if (!core) return;
    this.#seen = core.snapshot();
    this.#core = undefined;
    await core.close();
    core.free();
  }
}
