// On a device that was removed; the form to sign in anew is next to it.

import { h, heading } from "../lib/dom.js";

export function removed() {
  return {
    node: h("section", { class: "card warn" }, heading(2, "This device was removed"),
      h("p", {}, "Another of your devices removed this one or changed the passphrase. It can no longer write, and the keys that were kept here are gone. ",
        "You can still read everything public."),
      h("p", {}, "To come back, sign in again with the passphrase (the new one, if it was changed) and let this device in from another one. ",
        "What you wrote here meanwhile is not lost: ", h("a", { href: "#taken-away" }, "what was taken away"), ".")),
  };
}
