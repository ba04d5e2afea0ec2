// Set-up: the words, two of them back, a name for this device. All on one page, in order, so that nothing is
// hidden behind a step; the words are covered while they are asked for.
//
// The passphrase exists only in this form and in the call to the package. It is never stored by the page.

import { button, copy, drawing, field, h, heading, tick } from "../lib/dom.js";
import { deviceName } from "../lib/device.js";
import { attempt, problemPlace, showProblem } from "../lib/problems.js";
import { dropClaim, recall, remember, settings } from "../lib/settings.js";

const REMEMBER_HINT = "Then nobody asks for the passphrase here again. It also means that whoever can open this browser profile can write as you: tick it only on a device that is yours alone.";

export const staySignedIn = () => tick({ label: "Stay signed in on this device", hint: REMEMBER_HINT, test: "remember" });

export const deviceField = () => field({
  label: "Name of this device",
  hint: "So that you recognise it in the list of your devices. Visitors do not see it.",
  input: h("input", { type: "text", test: "device-name", value: recall("device") ?? deviceName(), autocomplete: "off" }),
});

/** The form, and a promise that the first words are in it (or the reason why not). */
export function create(app) {
  let words = [];
  const list = h("ol", { class: "words", test: "passphrase", translate: "no" });
  const place = problemPlace();
  const again = button("Draw other words", draw, { test: "draw-again", class: "quiet" });
  const copying = button("Copy", () => copy(words.join(" "), copying, list), { class: "quiet" });
  const printing = button("Print", () => print(), { class: "quiet" });
  const reveal = button("Show the words", () => cover(!list.classList.contains("covered")), { class: "quiet reveal", hidden: true });
  const asked = [confirmField("confirm-word-1"), confirmField("confirm-word-2")];
  const device = deviceField();
  const stay = staySignedIn();
  const submit = h("button", { type: "submit", class: "main", test: "create" }, "Create my diary");
  const progress = h("p", { class: "progress", role: "status" });

  const form = h("form", { class: "create", novalidate: true, onsubmit },
    heading(1, "Your eight words"),
    step(1, "Write them down", h("p", {}, "In this order, on paper, and keep them where you keep your passport. ",
      "They are the only way in: nobody can send you new ones, and whoever has them is you."),
      list, h("div", { class: "actions no-print" }, again, copying, printing, reveal)),
    step(2, "Type two of them back", h("p", {}, "To be sure that the paper is right. The words are covered meanwhile."),
      h("div", { class: "pair" }, asked.map(({ node }) => node))),
    step(3, "Name this device", device.node, stay.node),
    place, h("div", { class: "actions" }, submit), progress);

  for (const { input } of asked) input.addEventListener("focus", () => cover(true));
  return { form, ready: draw() };

  async function draw() {
    try {
      const drawn = (await app.Hypha.generatePassphrase()).split(" ");
      words = drawn;
      // The spaces keep the words apart for whoever selects and copies the list.
      list.replaceChildren(...words.flatMap((word) => [h("li", {}, word), " "]));
      cover(false);
      const first = pick(words.length, []);
      [first, pick(words.length, [first])].sort((a, b) => a - b).forEach((number, i) => asked[i].ask(number));
    } catch (error) {
      showProblem(place, error);
    }
  }

  function cover(covered) {
    list.classList.toggle("covered", covered);
    list.setAttribute("aria-hidden", String(covered));
    reveal.hidden = !list.classList.contains("covered") && reveal.hidden;
    reveal.textContent = covered ? "Show the words" : "Cover the words";
  }

  async function onsubmit(event) {
    event.preventDefault();
    const wrong = asked.filter((one) => !one.check(words));
    if (!device.input.value.trim()) device.complain("Give this device a name.");
    const [first] = [...wrong.map(({ input }) => input), ...(device.input.value.trim() ? [] : [device.input])];
    if (first || words.length === 0) return first?.focus();
    const name = device.input.value.trim();
    progress.replaceChildren(drawing("mycelium", "mycelium growing"), "Making your keys from the words. This takes a second or two, on purpose…");
    const done = await attempt(submit, place, async () => {
      // Said beforehand, because the state changes before this call returns.
      remember("offer-address", "1");
      await app.hypha.signUp(words.join(" "), { device: name, remember: stay.input.checked, claim: settings.claim });
      remember("device", name);
      dropClaim();
    });
    progress.replaceChildren();
    if (done) app.update();
    else remember("offer-address", undefined);
  }
}

const step = (number, title, ...content) => h("section", { class: "step" }, h("h2", {}, h("span", { class: "number" }, `${number}`), " ", title), content);

function confirmField(test) {
  const input = h("input", { type: "text", test, autocomplete: "off", autocapitalize: "none", spellcheck: "false" });
  const one = field({ label: "Word", input });
  const label = one.node.querySelector("label");
  let number = 0;
  return {
    ...one,
    ask(wanted) {
      number = wanted;
      input.dataset.index = `${wanted}`;
      input.value = "";
      one.complain("");
      label.textContent = `Word number ${wanted}`;
    },
    check(words) {
      const right = input.value.trim().toLowerCase() === words[number - 1];
      if (!right) one.complain(`That is not word number ${number}. Look at your paper again.`);
      return right;
    },
  };
}

// A number from 1 to `count` that is not in `taken`. 2^32 is so much larger that the bias does not matter here.
function pick(count, taken) {
  const free = Array.from({ length: count }, (_, i) => i + 1).filter((number) => !taken.includes(number));
  return free[crypto.getRandomValues(new Uint32Array(1))[0] % free.length];
}
