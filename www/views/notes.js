// Two notes without controls of their own: while the node opens, and on a device that was removed.

import { drawing, h, heading } from "../lib/dom.js";

/** While the node opens. After some seconds it says that this is longer than usual (by style alone). */
export function loading() {
  return {
    node: h("section", { class: "note", "aria-busy": "true" }, drawing("mycelium", "mycelium growing"),
      h("p", {}, "Opening what is kept in this browser…"),
      h("p", { class: "slow" }, "This takes longer than usual. If other tabs of this page are open, look there too.")),
  };
}

/** On a device that was removed; the form to sign in anew is next to it. */
export function removed() {
  return {
    node: h("section", { class: "card warn" }, heading(2, "This device was removed"),
      h("p", {}, "One of your other devices removed this browser, so it can no longer write, and the keys that were kept here are gone. ",
        "You can still read everything public."),
      h("p", {}, "If that was a mistake, sign in again with your passphrase and let this device back in from another one.")),
  };
}
