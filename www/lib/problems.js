// Says what went wrong next to the control that was used. The words for it come when the first thing does.

import { h } from "./dom.js";
import { toastProblem } from "../views/toast.js";

/** `{ text, code, typed }` for any error. Where the words cannot be fetched, what the package said itself has to do. */
export async function explain(error) {
  try {
    return (await import("./words.js")).describe(error);
  } catch {
    return { text: String(error?.message ?? error), code: error?.code ?? "" };
  }
}

/** An empty place for an error. It is in the page from the start, so that screen readers hear it fill. */
export const problemPlace = () => h("div", { class: "problem", role: "alert" });

/** Shows an error in its place, and nowhere else: what the background said of the same goes. */
export async function showProblem(place, error) {
  const { text, code, typed } = await explain(error);
  const more = typed && place.parentElement?.querySelector("textarea") ? `${typed} ` : "";
  place.replaceChildren(text, " ", more, code ? h("small", {}, code.slice(0, 300)) : "");
  place.dataset.text = text;
  if (place.isConnected) for (const toast of document.querySelectorAll(".toast[role=alert]")) if (toast.dataset.text === text) toast.remove();
}

/**
 * Runs `work` for a control: once at a time, marked as busy, its error shown in `place`. Resolves to whether it
 * went well (`work` may also answer false). Nothing is cleared or disabled, so nothing typed and no focus is lost.
 * What is wrong with a passphrase is said at its field `secret`, if there is one. Whoever went elsewhere meanwhile is told there.
 */
export async function attempt(control, place, work, secret) {
  if (control.getAttribute("aria-busy") === "true") return false;
  place.replaceChildren();
  control.setAttribute("aria-busy", "true");
  try {
    return (await work()) !== false;
  } catch (error) {
    if (!place.isConnected) {
      if (error?.code !== "CLOSED") toastProblem(error); // closed: given up on purpose, with all that was under way
    } else if (secret && ["WRONG_PASSPHRASE", "BAD_INPUT"].includes(error?.code)) {
      secret.complain((await explain(error)).text);
      secret.input.focus();
    } else await showProblem(place, error);
    return false;
  } finally {
    control.removeAttribute("aria-busy");
  }
}
