// Eight new words: drawn, written down, two of them typed back. Steps 1 and 2 of set-up and of another passphrase.
//
// The words exist only here and in the call to the package. They are never stored by the page, and they are
// covered while they are asked for.

import { button, copy, drawing, field, h } from "../lib/dom.js";
import { problemPlace, showProblem } from "../lib/problems.js";

/** `{ steps, ready, phrase(), wrong() }`: `wrong()` marks the words typed wrongly and gives the first field to go to. */
export function newWords(app) {
  let words = [];
  const list = h("ol", { class: "words", test: "passphrase", translate: "no" });
  const place = problemPlace();
  const again = button("Draw other words", draw, { test: "draw-again", class: "quiet" });
  const copying = button("Copy", () => copy(words.join(" "), copying, list), { class: "quiet" });
  const printing = button("Print", () => print(), { class: "quiet" });
  const reveal = button("Show the words", () => cover(!list.classList.contains("covered")), { class: "quiet reveal", hidden: true });
  const asked = [confirmField("confirm-word-1"), confirmField("confirm-word-2")];
  for (const { input } of asked) input.addEventListener("focus", () => cover(true));

  const steps = [
    step(1, "Write them down", h("p", {}, "In this order, on paper, and keep them where you keep your passport. ",
      "They are the only way in: nobody can send you new ones, and whoever has them is you."),
      list, place, h("div", { class: "actions no-print" }, again, copying, printing, reveal)),
    step(2, "Type two of them back", h("p", {}, "To be sure that the paper is right. The words are covered meanwhile."),
      h("div", { class: "pair" }, asked.map(({ node }) => node))),
  ];
  return {
    steps,
    ready: draw(),
    phrase: () => words.join(" "),
    wrong: () => asked.filter((one) => !one.check(words)).map(({ input }) => input)[0],
  };

  async function draw() {
    try {
      words = (await app.Hypha.generatePassphrase()).split(" ");
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
    reveal.hidden = !covered && reveal.hidden;
    reveal.textContent = covered ? "Show the words" : "Cover the words";
  }
}

/** A numbered part of a form. */
export const step = (number, title, ...content) => h("section", { class: "step" }, h("h2", {}, h("span", { class: "number" }, `${number}`), " ", title), content);

/** Says that keys are being made, in place of what stood there. */
export const showGrowing = (progress, text) => progress.replaceChildren(drawing("mycelium", "mycelium growing"), text);

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
      const right = words.length > 0 && input.value.trim().toLowerCase() === words[number - 1];
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
