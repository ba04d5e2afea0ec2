// Waiting without sleeping blindly: ask again until the answer is the one wanted.

/** How long a page may take for anything that is not said to be slow, milliseconds: the machine may have much else to do. */
export const PATIENCE = 90_000;

const BETWEEN = 40;

/**
 * Calls `ask` until it returns something that is not undefined, null or false, and returns that.
 * `what` says what was waited for; `told` (optional) is called for what is there instead when time is up.
 */
export async function until(what, ask, { timeout = PATIENCE, told } = {}) {
  const deadline = Date.now() + timeout;
  let last;
  for (;;) {
    try {
      const answer = await ask();
      if (answer !== undefined && answer !== null && answer !== false) return answer;
      last = undefined;
    } catch (error) {
      // A reload or a new rendering in between: what was asked about is gone, ask again.
      if (!passing(error)) throw error;
      last = error;
    }
    if (Date.now() >= deadline) {
      const instead = await Promise.resolve(told?.()).catch((error) => `(${error.message})`);
      throw new Error(`waited ${timeout / 1000} s for ${what}${instead ? `; instead there is: ${instead}` : ""}${last ? ` (${last.message})` : ""}`);
    }
    await new Promise((resolve) => setTimeout(resolve, BETWEEN));
  }
}

/** Fails with `what` if `promise` takes longer than `ms`. */
export async function within(ms, what, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} took longer than ${ms / 1000} s`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

const passing = ({ message }) =>
  /context was destroyed|Cannot find context|detached|not attached|no such (node|frame|element)|stale element|Node is either not clickable|not an Element|navigat|Inspected target|DiscardedBrowsingContext|unknown error.*actor/i.test(message);
