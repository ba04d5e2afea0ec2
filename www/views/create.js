// Set-up: the words, two of them back, a name for this device. All on one page, in order, so that nothing is
// hidden behind a step.

import { h, heading } from "../lib/dom.js";
import { attempt, problemPlace } from "../lib/problems.js";
import { dropClaim, remember, settings } from "../lib/settings.js";
import { deviceField, staySignedIn } from "./this-device.js";
import { newWords, showGrowing, step } from "./words.js";

/** The form, and a promise that the first words are in it (or the reason why not). */
export function create(app) {
  const words = newWords(app);
  const place = problemPlace();
  const device = deviceField();
  const stay = staySignedIn();
  const submit = h("button", { type: "submit", class: "main", test: "create" }, "Create my diary");
  const progress = h("p", { class: "progress", role: "status" });
  const form = h("form", { class: "create", novalidate: true, onsubmit }, heading(1, "Your eight words"), words.steps,
    step(3, "Name this device", device.node, stay.node), place, h("div", { class: "actions" }, submit), progress);
  return { form, ready: words.ready };

  async function onsubmit(event) {
    event.preventDefault();
    const name = device.input.value.trim();
    if (!name) device.complain("Give this device a name.");
    const first = words.wrong() ?? (name ? undefined : device.input);
    if (first) return first.focus();
    showGrowing(progress, "Making your keys from the words. This takes a second or two, on purpose…");
    const done = await attempt(submit, place, async () => {
      // Said beforehand, because the state changes before this call returns.
      remember("offer-address", "1");
      await app.hypha.signUp(words.phrase(), { device: name, remember: stay.input.checked, claim: settings.claim });
      remember("device", name);
      dropClaim();
    });
    progress.replaceChildren();
    if (done) app.update();
    else remember("offer-address", undefined);
  }
}
