// Questions that need an answer before something happens. One <dialog> each, gone when answered.

import { button, h, heading, setText } from "./dom.js";
import { attempt, problemPlace } from "./problems.js";

/**
 * Asks. `choices` are `{ label, test, danger, act }`; `act()` runs while the dialog stays open with its error
 * shown inside (at the field `secret` if it is about the passphrase), and a choice that went well closes it.
 * Escape and "Cancel" close it with nothing done.
 */
export function ask({ title, body = [], choices, secret, cancel = "Cancel" }) {
  const place = problemPlace();
  const progress = h("p", { class: "progress", role: "status" });
  const name = heading(2, title);
  name.id = "dialog-title";
  const close = () => dialog.close();
  const choose = async (control, act) => {
    setText(progress, "One moment…");
    if (await attempt(control, place, act, secret)) close();
    setText(progress, "");
  };
  const buttons = choices.map(({ label, test, danger, act }) =>
    button(label, (event) => choose(event.currentTarget, act), { test, class: danger ? "danger" : "" }));
  const onsubmit = (event) => {
    event.preventDefault(); // Enter in a field means the first choice.
    choose(buttons[0], choices[0].act);
  };
  const dialog = h("dialog", { "aria-labelledby": name.id, onclose: () => dialog.remove() },
    h("form", { novalidate: true, onsubmit }, name, body, place,
      h("div", { class: "actions" }, buttons, button(cancel, close, { class: "quiet" }), h("input", { type: "submit", hidden: true })), progress));
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}
