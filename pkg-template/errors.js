// The one kind of error that this package rejects with: a code for the program, a sentence for the person.

export const CODES = ["WRONG_PASSPHRASE", "NOT_AUTHORISED", "LOCKED", "REVOKED", "BAD_LINK", "BAD_INPUT", "TOO_LARGE", "CONFLICT",
  "QUOTA", "STORAGE", "CORRUPT", "EQUIVOCATION", "HUB", "TIMEOUT", "PINNED", "UNSUPPORTED", "CLOSED", "OFFLINE", "UPDATE"];

export class HyphaError extends Error {
  constructor(code, message, options) {
    super(message, options);
    this.name = "HyphaError";
    this.code = code;
  }
}

/** Anything thrown, as a HyphaError: with the code it has, else with the one given. */
export function toError(thrown, otherwise = "UNSUPPORTED") {
  if (thrown instanceof HyphaError) return thrown;
  const code = CODES.includes(thrown?.code) ? thrown.code : otherwise;
  return new HyphaError(code, String(thrown?.message ?? thrown ?? "something failed and gave no reason"), { cause: thrown });
}

/** For what the API names and this version does not do yet. */
export const unsupported = (what) =>
  new HyphaError("UNSUPPORTED", `${what} is not in this version of hypha-node yet; look for a newer one`);

export const closed = () => new HyphaError("CLOSED", "this node is closed; open it again with Hypha.open()");

/** Runs a listener that is not ours: what it throws is reported and stops nobody else. */
export function guarded(listener, ...given) {
  try {
    const result = listener(...given);
    if (typeof result?.then === "function") result.then(undefined, reportError);
  } catch (error) {
    reportError(error);
  }
}
