// A call that may have been done already: the tab that ran the node went away between doing it and saying so.

const CLOCK_MS = 50; // clocks of tabs of one machine differ by rounding only

/**
 * `{ result }` if what was called for is there already, else undefined: then it is safe to do it. Reads and calls that
 * say "from now on" can simply be done again.
 */
export async function repeated(node, method, given, since) {
  const { state, words, home } = node.snapshot;
  if (method === "signIn" && state === "requesting" && words) return { result: words };
  if (method === "signUp" && state === "writer") return { result: { key: home } };
  if (method === "unlock" && state === "writer") return { result: undefined };
  if (method === "write") return written(node, ...given, since);
  return undefined;
}

// A write is there if each of its keys holds, from this device and since the call, just what was to be written. The
// batch was one entry, so it is there whole or not at all.
async function written(node, space, ops, since) {
  const entries = [];
  for (const { type, key, bytes, private: secret } of ops) {
    const entry = await node.call("get", space, key);
    if (type === "delete") {
      if (entry) return undefined;
      entries.push({ key, value: undefined, conflicts: [], private: false, mine: true });
      continue;
    }
    const same = entry?.mine && entry.time.getTime() >= since - CLOCK_MS && entry.private === (secret ?? false);
    if (!same || !equal(node.encode(entry.value), bytes)) return undefined;
    entries.push(entry);
  }
  // Removals leave nothing to compare; doing them again is as good.
  return entries.some((entry) => entry.value !== undefined) ? { result: entries } : undefined;
}

const equal = (a, b) => a.length === b.length && a.every((byte, at) => byte === b[at]);
