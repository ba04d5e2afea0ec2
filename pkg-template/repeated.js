// A call that is given to a second node, because the first went away before it answered. What it did is stored with its id
// (src/node/calls.rs); these three have stages, and are known by the stage that was reached.

/** `{ result }` if what was called for is so already, else undefined: then it is safe to call. */
export function reached({ state, words, home }, method) {
  if (method === "signIn" && state === "requesting" && words) return { result: words };
  if (method === "signUp" && state === "writer") return { result: { key: home } };
  if (method === "unlock" && state === "writer") return { result: undefined };
  return undefined;
}
