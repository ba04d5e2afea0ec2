// The first screen of a browser that knows nothing: what this is, and the three ways to go on.

import { button, drawing, h, heading } from "../lib/dom.js";
import { dressed } from "../lib/later.js";
import { attempt, problemPlace } from "../lib/problems.js";
import { domain } from "../lib/settings.js";
import { create } from "./create.js";

export function setup(app) {
  const node = h("section", { class: "setup", test: "setup" });

  function show(content) {
    node.replaceChildren(content);
    content.querySelector("[tabindex='-1']")?.focus();
  }

  const back = () => button("Back", () => show(welcome()), { class: "quiet back" });

  // The package may still be loading: the words are there when the form is.
  async function start() {
    const { form, ready } = create(app);
    await ready;
    show(h("div", {}, form, back()));
  }

  async function restoring() {
    const { restore } = await dressed(() => import("./files.js"));
    show(h("div", {}, restore(app), back()));
  }

  async function passphrase() {
    const { signInForm } = await dressed(() => import("./sign-in.js"));
    show(h("div", { class: "card" }, heading(1, "Sign in with your passphrase"),
      h("p", {}, "One of your devices that is already signed in will then be asked to let this one in."), signInForm(app), back()));
  }

  async function opening() {
    const { linkForm } = await dressed(() => import("./link-form.js"));
    show(h("div", { class: "card" }, heading(1, "Open a link"),
      h("p", {}, "You will read as a visitor. If it is your own, you can sign in afterwards."), linkForm(app), back()));
  }

  const welcome = () => h("div", { class: "welcome" },
    drawing("mycelium", "mycelium"),
    heading(1, "A diary that lives in your own browsers"),
    h("p", { class: "lead" }, "What you write is kept in this browser and goes straight to your other ones and to your readers, without a company in between. ",
      "Eight words that only you know let you write on every device, so there is no account to lose."),
    h("div", { class: "ways" },
      way("Start here", "Get your eight words and write the first page. Takes two minutes, and paper.",
        { test: "start", class: "main", act: start }),
      way("I have a passphrase", "You started on another device, and want to write here too.",
        { test: "have-passphrase", act: passphrase }),
      way("Open a link", "Somebody gave you a link that starts with hypha://, to read what they write.",
        { test: "open-link", act: opening }),
      way("Restore a back-up", "You saved one in another browser.", { test: "restore", act: restoring })),
    h("p", { class: "hint" }, `Nobody has been found at ${domain} yet. That is as it should be if you are the first, or if the place does not say who lives here.`));

  node.append(welcome());
  return { node };
}

function way(label, text, { test, act, class: look }) {
  const place = problemPlace();
  const control = button(label, () => attempt(control, place, act), { test, class: look });
  return h("div", { class: "way" }, control, h("p", {}, text), place);
}
