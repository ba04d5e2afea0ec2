// How safe what was written here is, in words.

/** Enough of a key to tell two apart. */
export const shortKey = (key) => `${key.slice(0, 8)}…`;

/** What a replica keeps, as it has shown. */
export function says({ length, expires, connected, full }) {
  if (full) return "It has no more room for this diary.";
  const here = connected ? "Connected" : "Not here now";
  if (length === undefined) return `${here} · it has not shown yet that it keeps anything of this device`;
  return `${here} · keeps ${length} ${length === 1 ? "entry" : "entries"} of this device, promised until ${expires.toLocaleDateString()}`;
}

/** How safe what this device wrote is, in a sentence or two; "" where that says nothing. */
export function safetyLine(home) {
  if (!home?.writable) return "";
  const { replicas, devices, unreplicated, pinned, others } = home.safety();
  if (pinned === 0 && others === 0) return "";
  const parts = [
    pinned > 0 && `on ${replicas} ${replicas === 1 ? "replica" : "replicas"}`,
    others > 0 && `on ${devices} other ${devices === 1 ? "device" : "devices"}`,
  ].filter(Boolean);
  const rest = unreplicated > 0 ? ` ${unreplicated} ${unreplicated === 1 ? "entry is" : "entries are"} in this browser alone so far; the others get ${unreplicated === 1 ? "it" : "them"} when they are open together with this one.` : "";
  return `Safe ${parts.join(" and ")}.${rest}`;
}

/** The same for who has nobody else yet. */
export function alone(home) {
  const { unreplicated = 0, pinned = 0, others = 0 } = home?.writable ? home.safety() : {};
  if (unreplicated === 0 || pinned + others > 0) return "";
  return "What you write is kept in this browser alone. Sign in on a second device, or save a back-up now and then, and losing this one loses nothing.";
}
