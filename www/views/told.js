// What happens seldom, in words: a device that contradicts itself, and what was taken away.

import { quoted } from "../lib/devices.js";
import { POSTS } from "../lib/post.js";
import { toast, toastProblem } from "./toast.js";

const WHY = { hidden: "hidden by you", forked: "it wrote two different histories", grant: "what had let it in was removed before" };

/** A device has written two different histories. */
export function equivocation({ hypha }, detail) {
  const writer = hypha?.home?.writers().find(({ key }) => key === detail?.writer);
  toastProblem(writer?.device ? { message: `${quoted([writer])} has written two different histories, as a copy of it would. Remove it with the passphrase.` } : { code: "EQUIVOCATION" });
}

/**
 * Told only if some of it was on screen in this visit: to who comes now, nothing went away. Its owner is shown the
 * way to it; for readers it is gone.
 */
export function retracted(app, { writer, keys, why }) {
  if (!keys.some((key) => app.seen.has(key))) return;
  const { hypha } = app;
  if (hypha.state === "visitor" || hypha.state === "replica") return toast("Something that stood here was taken away by its owner.");
  const from = hypha.home?.writers().find(({ key }) => key === writer);
  const whose = from?.self || writer === app.own ? "this device" : quoted([from]);
  const count = new Set(keys.filter((key) => key.startsWith(POSTS))).size;
  toast(`${count === 1 ? "1 post" : `${count} posts`} of ${whose} ${count === 1 ? "is" : "are"} no longer shown: ${WHY[why] ?? "it was removed"}.`,
    { label: "Look", act: () => app.go("taken") });
}
