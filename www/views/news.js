// What the node tells by itself. Most of it only changes what is on screen; the words for the rest come when they are needed.

import { part } from "../lib/later.js";
import { forgetLooks } from "../lib/looks.js";
import { toastProblem } from "./toast.js";

/** The events that the page listens to. */
export const EVENTS = ["statechange", "request", "granted", "retracted", "revoked", "recovered", "writers", "peer", "hub", "conflict", "safety",
  "equivocation", "storage", "error", "snapshot"];

/** Says what of an event is for the person. */
export function tell(app, name, detail) {
  if (name === "error" || name === "storage") {
    const error = detail instanceof Error ? detail : detail?.error ?? detail;
    // A host that names another diary is a card of its own, and so is what was lost; a passphrase that was changed is said where it is waited.
    if (!(error?.code === "PINNED" && app.hypha.otherLink) && error?.code !== "WRONG_PASSPHRASE" && error?.kind !== "evicted" && (error?.code || error?.message)) toastProblem(error);
  }
  if (name === "equivocation" || name === "retracted") part(() => import("./told.js")).then((told) => told[name](app, detail), toastProblem);
  if (name === "revoked") forgetLooks();
}
