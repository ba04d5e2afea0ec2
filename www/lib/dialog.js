// Questions that need an answer before something happens. One <dialog> each, gone when answered.

import { button, h, heading, setText } from "./dom.js";
import { attempt, problemPlace } from "./problems.js";

/**
 * Asks. `choices` are `{ label, test, danger, act }`; `act()` runs while the dialog stays open with its error
 * shown inside (at the field `secret` if it is about the passphrase), and a choice that went well closes it.
 * Escape and "Cancel" close it with nothing done, but not while a choice is at work: that would only seem to stop it.
 */
export function ask({ title, body = [], choices, secret, cancel = "Cancel" }) {
  const place = problemPlace();
  const progress = h("p", { class: "progress", role: "status" });
  const name = heading(2, title);
  name.id = "dialog-title";
  let busy = false; // whether a choice is at work
  const close = () => busy || dialog.close();
  const choose = async (control, act) => {
    if (busy) return;
    busy = true;
    setText(progress, "One moment…");
    const done = await attempt(control, place, act, secret);
    busy = false;
    setText(progress, "");
    if (done) close();
  };
  const buttons = choices.map(({ label, test, danger, act }) =>
    button(label, (event) => choose(event.currentTarget, act), { test, class: danger ? "danger" : "" }));
  const onsubmit = (event) => {
    event.preventDefault(); // Enter in a field means the first choice.
    choose(buttons[0], choices[0].act);
  };
  const dialog = h("dialog", { "aria-labelledby": name.id, oncancel: (event) => busy && event.preventDefault(), onclose },
    h("form", { novalidate: true, onsubmit }, name, body, place,
      h("div", { class: "actions" }, buttons, button(cancel, close, { class: "quiet" }), h("input", { type: "submit", hidden: true })), progress));
  // The focus goes back to where it was; if that went away with what was chosen, not to nowhere.
  function onclose() {
    dialog.remove();
    if (document.activeElement === document.body) document.getElementById("content").focus({ preventScroll: true });
  }
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}
