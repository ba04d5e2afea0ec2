// A device that has asked to be let in: the four words that its owner picks on another device.
//
// The words come from the package (`hypha.signingIn` after a reload), never from the page's memory: they belong
// to the request that is really out there.

import { button, h, heading, passphraseField, setText, tick } from "../lib/dom.js";
import { ask } from "../lib/dialog.js";
import { attempt, problemPlace } from "../lib/problems.js";
import { recall } from "../lib/settings.js";
import { signInForm } from "./sign-in.js";
import { toast, toastProblem } from "./toast.js";

export function waiting(app) {
  const words = h("p", { class: "four-words", test: "waiting-words", translate: "no" });
  const making = h("p", { class: "hint" }, "Making the words…");
  const device = h("strong", {});
  const place = problemPlace();
  let cancelled = false;
  let followed; // the request whose end is waited for
  const cancel = button("Stop asking", () => attempt(cancel, place, async () => {
    cancelled = true;
    await current()?.cancel();
    app.pending = undefined;
    app.update();
  }), { test: "cancel-sign-in" });
  const lost = app.hypha.recover && h("details", {}, h("summary", { test: "recover" }, "None of your devices is left?"),
    h("p", {}, "Your passphrase can let this device in by itself. Use this only if you cannot open Hypha anywhere else."),
    button("Start again with the passphrase alone", () => recover(app), { test: "recover-start" }));
  const asking = h("div", {}, heading(2, "Let this device in from another one"),
    h("p", {}, "Open Hypha on a device that is already signed in. It will ask about ", device, " and show three sets of words. Pick these:"),
    making,
    h("p", { class: "hint" }, "You can close this page meanwhile: it goes on asking when you come back. What you write here now is kept as drafts until you are let in."),
    lost);
  // With another passphrase than the one that it asked with: nobody would hear it.
  const changed = h("div", { hidden: true, test: "waiting-changed" }, heading(2, "The passphrase was changed"),
    h("p", {}, "It was changed on another device while this one waited. Sign in with the new words: what you wrote here is kept until then."));
  const node = h("section", { class: "card waiting" }, asking, changed, place, h("div", { class: "actions" }, cancel));

  const current = () => app.hypha.signingIn ?? app.pending;

  function update() {
    const request = current();
    setText(device, recall("device") ?? "this device");
    const outdated = request?.outdated ?? false;
    if (outdated && changed.childElementCount === 2) changed.append(signInForm(app));
    [asking.hidden, changed.hidden] = [outdated, !outdated];
    if (request?.words?.length) {
      setText(words, request.words.join(" "));
      making.replaceWith(words);
    } else words.replaceWith(making);
    if (!request || request === followed) return;
    followed = request;
    const { hypha } = app;
    request.granted.then(() => {
      app.pending = undefined;
      app.update();
    }, (error) => {
      if (hypha !== app.hypha) return;
      app.pending = undefined;
      if (!cancelled) refused(error);
      app.update();
    });
  }
  return { node, update };
}

// The package does not tell these apart, and another tab of this page can stop asking too.
const ENDED = "This device is not let in: another one of yours refused it, the asking was stopped, or nobody answered in time. What you wrote meanwhile was not posted.";

function refused(error) {
  if (error.code === "NOT_AUTHORISED" || error.code === "REVOKED") toast(ENDED);
  else if (error.code === "TIMEOUT") toast("Nobody answered in time. Sign in again when one of your other devices is at hand.");
  else toastProblem(error);
}

function recover(app) {
  const passphrase = passphraseField({ label: "Passphrase", test: "recover-passphrase" });
  const others = tick({ label: "Remove all other devices", hint: "If one of them was stolen. They sign in anew when you have them again.", test: "recover-cut" });
  ask({
    title: "Start again with the passphrase alone",
    body: [h("p", {}, "This device becomes one of yours at once, and reads and writes as before. Your other devices, if there are any, will say that it happened."), passphrase.node, others.node],
    secret: passphrase,
    choices: [{ label: "Start again", test: "recover-confirm", act: async () => {
      await app.hypha.recover(passphrase.input.value, { device: recall("device") ?? "Recovered device", cutOthers: others.input.checked });
      app.update();
    } }],
  });
}
