// Another passphrase in the place of the old one.

import { h, heading, passphraseField } from "../lib/dom.js";
import { attempt, problemPlace } from "../lib/problems.js";
import { newWords, showGrowing, step } from "./words.js";

export function passphrase(app) {
  const words = newWords(app);
  const old = passphraseField({ label: "The passphrase until now", hint: "The eight old words, with spaces between them.", test: "old-passphrase" });
  const place = problemPlace();
  const progress = h("p", { class: "progress", role: "status" });
  const leave = h("a", { href: "#" }, "Leave it as it is");
  const submit = h("button", { type: "submit", class: "main", test: "change-confirm" }, "Change the passphrase");
  const node = h("form", { class: "create", novalidate: true, onsubmit }, heading(1, "Change the passphrase"),
    h("p", { class: "lead" }, "For when somebody may know your words. You get eight new ones; the old ones open nothing any more."),
    h("ul", { class: "plain" },
      h("li", {}, "This device goes on as it is."),
      h("li", {}, "Every other device is signed out, and signs in anew with the new words. You let it in from here."),
      h("li", {}, "Your link and all that was written stay.")),
    words.steps,
    step(3, "Confirm with the old words", old.node, place, h("div", { class: "actions" }, submit, leave), progress));
  return { node };

  async function onsubmit(event) {
    event.preventDefault();
    if (!old.input.value.trim()) old.complain("Type your old passphrase here.");
    const first = words.wrong() ?? (old.input.value.trim() ? undefined : old.input);
    if (first) return first.focus();
    leave.hidden = true; // What has begun is not stopped by going elsewhere.
    showGrowing(progress, "Making keys from the old words and from the new ones. This takes some seconds, on purpose…");
    const done = await attempt(submit, place, () => app.hypha.changePassphrase(old.input.value, words.phrase()), old);
    progress.replaceChildren();
    leave.hidden = false;
    if (!done) return;
    const tell = () => app.toast("The passphrase was changed. Sign in again on your other devices, with the new words.");
    if (app.at !== "passphrase") return tell();
    addEventListener("hashchange", tell, { once: true }); // Going elsewhere takes news off the screen.
    app.go("diary");
  }
}
