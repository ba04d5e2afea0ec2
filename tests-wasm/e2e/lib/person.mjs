// What a person does on the page, in the order in which the page lets them.

import assert from "node:assert/strict";
import { until } from "./wait.mjs";

/** Deriving keys from a passphrase takes a second or two on purpose, and longer on a busy machine. */
const DERIVING = { timeout: 120_000 };
/** Finding each other through a hub, connecting, and the first exchange. */
export const MEETING = { timeout: 120_000 };

/** `server.url` or `server.claim` with query parameters, such as hubs: `address(server.claim, { hub: hub.url })`. */
export function address(url, query = {}) {
  const full = new URL(url);
  for (const [name, value] of Object.entries(query)) for (const one of [value].flat()) full.searchParams.append(name, one);
  return full.href;
}

/** Waits until the node is in a state. */
export async function inState(tab, state, options = MEETING) {
  await tab.waitAttribute("state", "data-state", state, options);
}

/** Sets up a diary on the first screen; returns its eight words. `before` is awaited before it is confirmed. */
export async function setUp(tab, { device, remember = false, before } = {}) {
  await tab.click("start");
  const words = (await tab.waitText("passphrase", (text) => text.split(" ").length === 8)).split(" ");
  for (const id of ["confirm-word-1", "confirm-word-2"]) {
    await tab.type(id, words[Number(await tab.attribute(id, "data-index")) - 1]);
  }
  if (device) await tab.type("device-name", device);
  if (remember) await tab.click("remember");
  await before?.();
  await tab.click("create");
  await tab.byId("composer", DERIVING);
  await inState(tab, "writer");
  return words;
}

/** Writes a post and waits until it is in the list, and stored. */
export async function post(tab, text, { secret = false } = {}) {
  await tab.type("composer", text);
  if (secret) await tab.click("composer-private");
  await tab.click("post");
  await tab.waitText("post-item", text);
  // The field is cleared once it is: a page that is left before that may lose it.
  await until("an empty composer", () => tab.run(() => [...document.querySelectorAll("[data-testid=composer]")].every(({ value }) => value === "")), { told: () => tab.seen() });
  if (secret) await tab.click("composer-private");
}

/** Waits until the list holds exactly these posts in this order. Each text must be unlike all others. */
export async function reads(tab, texts, options = MEETING) {
  const items = await tab.waitCount("post-item", texts.length, options);
  texts.forEach((text, at) => assert.ok(items[at].includes(text), `post ${at + 1} should say “${text}”, it says “${items[at]}”`));
}

/** Asks to be let in; returns the four words that this device then shows. */
export async function askToSignIn(tab, words, device) {
  await fillSignIn(tab, words, device);
  await inState(tab, "requesting", DERIVING);
  return waitingWords(tab);
}

/** Types a passphrase and a device name and submits them, whatever comes of it. */
export async function fillSignIn(tab, words, device) {
  await tab.type("sign-in-passphrase", words.join(" "));
  if (device) await tab.type("device-name", device);
  await tab.click("sign-in-submit");
}

/** The four words of a device that waits. */
export async function waitingWords(tab) {
  const text = await tab.waitText("waiting-words", (text) => text.split(" ").length === 4, DERIVING);
  return text;
}

/** On a device that is let in already: finds the words that the other one shows, and lets it in. */
export async function approve(tab, words) {
  const sets = await tab.waitCount("request-words", 3, MEETING);
  assert.equal(sets.filter((set) => set === words).length, 1, `“${words}” should be one of “${sets.join("”, “")}”`);
  assert.equal(new Set(sets).size, 3, "the three sets differ");
  await tab.click("request-words", { text: words });
  await tab.click("approve");
}

/** Unlocks a locked device. */
export async function unlock(tab, words) {
  await inState(tab, "locked");
  await tab.type("sign-in-passphrase", words.join(" "));
  await tab.click("sign-in-submit");
  await tab.byId("composer", DERIVING);
}

/** Clicks a button in the row of a device. */
export async function deviceAct(tab, device, id) {
  await until(`[data-testid=${id}] of ${device}`, async () => {
    for (const row of await tab.page.$$("[data-testid=device-item]")) {
      if ((await row.$eval(".device", (name) => name.firstChild.textContent)) !== device) continue;
      const element = await row.$(`[data-testid="${id}"]`);
      if (!element || !(await element.isVisible())) continue;
      await element.click();
      return true;
    }
  }, { ...MEETING, told: () => tab.seen() });
}

/** Waits until the row of a device says something. */
export async function deviceSays(tab, device, pattern) {
  await tab.waitText("device-item", (text) => text.startsWith(device) && pattern.test(text), MEETING);
}

/** The page is told that it is hidden, as it also is when it is left. */
export const hide = (tab) => tab.run(() => {
  Object.defineProperty(document, "hidden", { value: true, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
  delete document.hidden;
});
