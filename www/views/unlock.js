// A device that is signed in but whose key is not in memory: read, and unlock to write.

import { h, heading, passphraseField } from "../lib/dom.js";
import { attempt, problemPlace } from "../lib/problems.js";

export function unlock(app) {
  const passphrase = passphraseField({ label: "Passphrase", test: "sign-in-passphrase" });
  const place = problemPlace();
  const submit = h("button", { type: "submit", class: "main", test: "sign-in-submit" }, "Unlock");
  const progress = h("p", { class: "progress", role: "status" });
  const node = h("section", { class: "card", test: "unlock" }, heading(2, "Locked"),
    h("p", {}, "This device is yours, but its key is not in memory. You can read what is public; to write, and to see what is private, unlock it."),
    h("form", { novalidate: true, onsubmit }, passphrase.node, place, h("div", { class: "actions" }, submit), progress));
  return { node };

  async function onsubmit(event) {
    event.preventDefault();
    if (!passphrase.input.value.trim()) {
      passphrase.complain("Type your passphrase here.");
      return passphrase.input.focus();
    }
    progress.textContent = "Checking…";
    const done = await attempt(submit, place, () => app.hypha.unlock(passphrase.input.value));
    progress.textContent = "";
    if (done) app.update();
    else passphrase.input.focus();
  }
}
