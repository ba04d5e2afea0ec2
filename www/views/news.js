// What the node tells by itself, in words.

import { quoted } from "../lib/devices.js";
import { POSTS } from "../lib/post.js";
import { forgetLooks } from "./look.js";
import { toast, toastProblem } from "./toast.js";

/** The events that the page listens to. */
export const EVENTS = ["statechange", "request", "granted", "retracted", "revoked", "recovered", "writers", "peer", "hub", "conflict", "safety",
  "equivocation", "storage", "error", "snapshot"];

const WHY = { hidden: "hidden by you", forked: "it wrote two different histories", grant: "what had let it in was removed before" };

/** Says what of an event is for the person. Most of them only change what is on screen. */
export function tell(app, name, detail) {
  if (name === "error" || name === "storage") {
    const error = detail instanceof Error ? detail : detail?.error ?? detail;
    // A host that names another diary is a card of its own, and so is what was lost.
    if (!(error?.code === "PINNED" && app.hypha.otherLink) && error?.kind !== "evicted" && (error?.code || error?.message)) toastProblem(error);
  }
  if (name === "equivocation") {
    const writer = app.hypha.home?.writers().find(({ key }) => key === detail?.writer);
    toastProblem(writer?.device ? { message: `${quoted([writer])} has written two different histories, as a copy of it would. Remove it with the passphrase.` } : { code: "EQUIVOCATION" });
  }
  if (name === "retracted") retracted(app, detail);
  if (name === "revoked") forgetLooks();
}

// Told only if some of it was on screen in this visit: to who comes now, nothing went away. Its owner is shown the
// way to it; for readers it is gone.
function retracted(app, { writer, keys, why }) {
  if (!keys.some((key) => app.seen.has(key))) return;
  const { hypha } = app;
  if (hypha.state === "visitor" || hypha.state === "replica") return toast("Something that stood here was taken away by its owner.");
  const from = hypha.home?.writers().find(({ key }) => key === writer);
  const whose = from?.self || writer === app.own ? "this device" : quoted([from]);
  const count = new Set(keys.filter((key) => key.startsWith(POSTS))).size;
  toast(`${count === 1 ? "1 post" : `${count} posts`} of ${whose} ${count === 1 ? "is" : "are"} no longer shown: ${WHY[why] ?? "it was removed"}.`,
    { label: "Look", act: () => app.go("taken") });
}
