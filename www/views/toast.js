// Messages that belong to no control: errors from the background and news. They never take the focus, stay until
// dismissed (nobody reads at the speed of a timer), and the same message is shown once.

import { button, h } from "../lib/dom.js";
import { explain } from "../lib/problems.js";

const MOST = 3;

/** Shows news. `action` is `{ label, act }` for a button beside it. */
export function toast(text, action) {
  show(text, "", "status", action);
}

/** Takes news off the screen, when the person goes elsewhere. Errors stay. */
export const clearNews = () => document.querySelectorAll(".toast[role=status]").forEach((item) => item.remove());

/** Shows an error from the background. */
export async function toastProblem(error) {
  const { text, code } = await explain(error);
  show(text, code, "alert");
}

function show(text, code, role, action) {
  const box = document.getElementById("toasts");
  if (!box || [...box.children].some((other) => other.dataset.text === text)) return; // The page of a replica has none.
  // Said already where it belongs.
  if ([...document.querySelectorAll(".problem:not(:empty)")].some((place) => place.dataset.text === text)) return;
  const close = () => item.remove();
  const item = h("div", { class: "toast", role, "data-text": text },
    h("p", {}, text, " ", code && h("small", {}, code.slice(0, 200))),
    action && button(action.label, () => (close(), action.act()), { class: "quiet" }),
    button("Close", close, { class: "quiet", "aria-label": "Close this message" }));
  while (box.children.length >= MOST) box.firstElementChild.remove();
  box.append(item);
}
