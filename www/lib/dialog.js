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
  const buttons = choices.map(({ label, test, danger, act }) => {
    const control = button(label, async () => {
      if (await attempt(control, place, act)) close();
    }, { test, class: danger ? "danger" : "main" });
    return control;
  });
  const dialog = h("dialog", { "aria-labelledby": name.id, onclose: () => dialog.remove() },
    name, body, place, h("div", { class: "actions" }, buttons, button(cancel, close, { class: "quiet" })));
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}
