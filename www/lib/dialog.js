// Questions that need an answer before something happens. One <dialog> each, gone when answered.

import { button, h, heading } from "./dom.js";
import { attempt, problemPlace } from "./problems.js";

/**
 * Asks. `choices` are `{ label, test, danger, act }`; `act()` runs while the dialog stays open with its error
 * shown inside, and a choice that went well closes it. Escape and "Cancel" close it with nothing done.
 */
export function ask({ title, body = [], choices, cancel = "Cancel" }) {
  const place = problemPlace();
  const name = heading(2, title);
  name.id = "dialog-title";
  const close = () => dialog.close();
  const choose = async (control, act) => {
    if (await attempt(control, place, act)) close();
  };
  const buttons = choices.map(({ label, test, danger, act }) => {
    const control = button(label, () => choose(control, act), { test, class: danger ? "danger" : "" });
    return control;
  });
  const onsubmit = (event) => {
    event.preventDefault(); // Enter in a field means the first choice.
    choose(buttons[0], choices[0].act);
  };
  const dialog = h("dialog", { "aria-labelledby": name.id, onclose: () => dialog.remove() },
    h("form", { novalidate: true, onsubmit }, name, body, place,
      h("div", { class: "actions" }, buttons, button(cancel, close, { class: "quiet" }), h("input", { type: "submit", hidden: true }))));
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}
