// Signing in: the passphrase, a name for this device. The package finds a wrong passphrase at once; a right one
// sends a request to the person's other devices.

import { h, heading, passphraseField } from "../lib/dom.js";
import { attempt, problemPlace } from "../lib/problems.js";
import { remember } from "../lib/settings.js";
import { deviceField, staySignedIn } from "./this-device.js";

/** The card beside what a visitor reads. */
export function signIn(app) {
  const again = app.state === "revoked";
  return {
    node: h("section", { class: "card", id: "sign-in" }, heading(2, again ? "Sign in again" : "Is this yours?"),
      h("p", {}, again ? "Your other devices will be asked to let this one back in."
        : "Sign in with your passphrase to write here. One of your devices that is already signed in will be asked to let this one in."),
      signInForm(app)),
  };
}

export function signInForm(app) {
  const passphrase = passphraseField({ label: "Passphrase", hint: "The eight words, with spaces between them.", test: "sign-in-passphrase" });
  const device = deviceField();
  const stay = staySignedIn();
  const place = problemPlace();
  const submit = h("button", { type: "submit", class: "main", test: "sign-in-submit" }, "Sign in");
  const progress = h("p", { class: "progress", role: "status" });
  return h("form", { test: "sign-in", novalidate: true, onsubmit }, passphrase.node, device.node, stay.node, place,
    h("div", { class: "actions" }, submit), progress);

  async function onsubmit(event) {
    event.preventDefault();
    if (!passphrase.input.value.trim()) {
      passphrase.complain("Type your passphrase here.");
      return passphrase.input.focus();
    }
    if (!device.input.value.trim()) {
      device.complain("Give this device a name.");
      return device.input.focus();
    }
    const name = device.input.value.trim();
    progress.textContent = "Making the keys from your words…";
    const done = await attempt(submit, place, async () => {
      app.pending = await app.hypha.signIn(passphrase.input.value, { device: name, remember: stay.input.checked });
      remember("device", name);
    });
    progress.textContent = "";
    if (done) app.update();
    else passphrase.input.focus();
  }
}
