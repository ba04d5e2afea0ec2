// Which devices "look at these devices" knows already: what was answered, and those that were here at first.

import { recall, remember } from "./settings.js";

export const ROOTED = "devices-by-passphrase";

/** When a device starts anew, it knows none of the others yet. */
export const forgetLooks = () => remember(ROOTED, undefined);

/** On the only device, nobody else is known: whoever comes by the passphrase alone is news. False, since there is nothing to look at. */
export function startLooking() {
  if (recall(ROOTED) === undefined) remember(ROOTED, "[]");
  return false;
}
