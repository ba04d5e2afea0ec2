// Set-up: the words, two of them back, a name for this device. All on one page, in order, so that nothing is
// hidden behind a step.

import { field, h, heading, tick } from "../lib/dom.js";
import { deviceName } from "../lib/device.js";
import { attempt, problemPlace } from "../lib/problems.js";
import { dropClaim, recall, remember, settings } from "../lib/settings.js";
import { newWords, showGrowing, step } from "./words.js";

const REMEMBER_HINT = "Then nobody asks for the passphrase here again. It also means that whoever can open this browser profile can write as you: tick it only on a device that is yours alone.";

export const staySignedIn = () => tick({ label: "Stay signed in on this device", hint: REMEMBER_HINT, test: "remember" });

export const deviceField = () => field({
  label: "Name of this device",
  hint: "So that you recognise it in the list of your devices. Visitors do not see it.",
  input: h("input", { type: "text", test: "device-name", value: recall("device") ?? deviceName(), autocomplete: "off" }),
});

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
