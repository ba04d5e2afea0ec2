// What is said of a device, and which devices somebody should look at. Pure: takes what `space.writers()` gave.

import { day, relative } from "./time.js";

const STATES = { active: "can write", cut: "removed, provisionally", removed: "removed for good", pending: "not let in yet",
  forked: "wrote two different histories", suspended: "in doubt: nothing of it counts" };

/** Whether a person took it away. */
export const isOut = ({ state }) => state === "cut" || state === "removed";

/** Its name; names are private, so a locked or removed device may not know them. */
export const named = (writer) => writer?.device || "A device without a name";

/** `“Laptop” and “Phone”`. */
export const quoted = (writers) => LIST.format(writers.map((writer) => (writer?.device ? `“${writer.device}”` : "another device")));
const LIST = new Intl.ListFormat("en");

/** The state in words. */
export function standing({ state, role, hiddenFrom }) {
  const can = state === "active" && role === "writer" ? "can write, but let nobody in" : STATES[state] ?? state;
  return hiddenFrom === undefined ? can : `${can}, ${hiddenFrom === 0 ? "" : "partly "}hidden`;
}

/** Who let it in, and when. */
export function origin({ grantedBy, grantedAt, byRoot }, writers) {
  const who = grantedBy.map((key) => writers.find((other) => other.key === key));
  if (who.length > 0) return `let in by ${quoted(who)}${grantedAt ? ` on ${day(grantedAt)}` : ""}`;
  return byRoot ? "let in by the passphrase" : "";
}

/** When it wrote last, by its own clock, how much of what it wrote is here, and how much of that came too late to count. */
export function freshness({ lastTime, held, length, state, cutAt = Infinity }) {
  const last = lastTime ? `last wrote ${relative(lastTime)}` : "has not written yet";
  const whole = state === "removed" ? Math.min(length, cutAt) : length; // The rest is nowhere asked for.
  if (whole === 0) return last;
  const here = held < whole ? `${held} of ${whole} entries are here` : whole === 1 ? "its one entry is here" : `all ${whole} entries are here`;
  return [last, here, state === "cut" && held > cutAt && `${held - cutAt} of them came after it was removed`].filter(Boolean).join(" · ");
}

/** This one first, then those in use, then those taken away; each by name. */
export function inOrder(writers) {
  const rank = (writer) => (writer.self ? 0 : isOut(writer) ? 2 : 1);
  return [...writers].sort((a, b) => rank(a) - rank(b) || named(a).localeCompare(named(b)) || (a.key < b.key ? -1 : 1));
}

/** The devices in use that nobody let in but it, or those that it let in: what `cut()` takes along if the person wishes. */
export function descendants(key, writers) {
  const others = writers.filter((writer) => writer.key !== key);
  const stand = new Set(others.filter(({ self, byRoot }) => self || byRoot).map((writer) => writer.key));
  // A set grows while it is walked, so this ends with the last generation.
  for (const parent of stand) for (const { key, grantedBy } of others) if (grantedBy.includes(parent)) stand.add(key);
  return others.filter((writer) => !stand.has(writer.key) && writer.grantedBy.length > 0 && !isOut(writer));
}

/** Devices in use that nobody vouches for but removed ones, less those in `kept`: `[{ writer, by }]`. */
export function orphans(writers, kept) {
  return writers.filter((writer) => !writer.self && !isOut(writer) && writer.state !== "pending" && !writer.byRoot && !kept.includes(writer.key))
    .map((writer) => ({ writer, by: writers.filter(({ key }) => writer.grantedBy.includes(key)) }))
    .filter(({ by }) => by.length > 0 && by.every(isOut));
}

/** Devices in use that the passphrase let in and that are not in `known`. */
export const unknown = (writers, known) => writers.filter((writer) => writer.byRoot && !writer.self && !isOut(writer) && !known.includes(writer.key));
