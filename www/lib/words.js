// What went wrong, in words a person can act on: by the codes of the package.

const WORDS = {
  WRONG_PASSPHRASE: "That is not the passphrase of this place. Check each word: all lower case, in the order you wrote them down.",
  NOT_AUTHORISED: "This device may not do that. A device that is signed in has to let it in first.",
  LOCKED: "This device is locked. Unlock it with your passphrase first.",
  REVOKED: "This device was removed. You can sign in again to ask to be let back in.",
  BAD_LINK: "This link cannot be read. A Hypha link starts with hypha:// and has 64 more characters, the digits 0 to 9 and the letters a to f.",
  BAD_INPUT: "",
  TOO_LARGE: "That is too long to be kept in one piece. Make it shorter, or split it.",
  CONFLICT: "This was changed on another device at the same moment. Look at the new version and try again.",
  QUOTA: "The browser has no room left for this site. Free some space on this device, then try again.",
  STORAGE: "The browser does not let this page keep anything. This often means a private window, or a setting that blocks site data.",
  CORRUPT: "Some of what was kept here is damaged. It will be fetched again from your other devices.",
  EQUIVOCATION: "A device has written two different histories, which should not happen. Look at your devices and remove the one you do not trust.",
  HUB: "The hub did not answer as it should. Check its address, or try another one.",
  TIMEOUT: "Nobody answered in time. Check that you are online and that one of your other devices has this page open, then try again.",
  PINNED: "This address now names somebody else than it did before.",
  UNSUPPORTED: "This browser lacks something that is needed here. A newer version, or another browser, will do.",
  CLOSED: "This tab has lost touch with the part that keeps your things. Reload the page to go on.",
  OFFLINE: "A part of this page could not be fetched. What you wrote is kept. Check that you are online, then try again; if that does not help, reload the page.",
  UPDATE: "This page was renewed on its server while it was open. Reload it to go on.",
};

/** What else is said where somebody has typed something. */
const TYPED = { QUOTA: "What you typed is still here." };

/** `{ text, code, typed }` for any error: what to show large, what in small print, and what besides at a field. */
export function describe(error) {
  if (error?.kind === "filling") return { text: filling(error), code: "" };
  const code = typeof error?.code === "string" ? error.code : undefined;
  const message = String(error?.message ?? error ?? "");
  const known = /passphrase was changed/.test(message) ? "These words were changed for others since. Use the new ones." : WORDS[code];
  const text = known || message || "Something went wrong, and it did not say what.";
  const detail = message && message !== text ? message : "";
  return { text, code: [code, detail].filter(Boolean).join(" · "), typed: TYPED[code] };
}

const filling = ({ usage, quota }) => `${Math.floor((100 * usage) / quota)} % of the room that the browser gives this site is used. `
  + "Free some space on this device. A back-up, under “Without a hub”, can be opened in another browser.";
