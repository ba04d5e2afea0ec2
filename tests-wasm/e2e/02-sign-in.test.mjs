// Guards what may go wrong, or otherwise, on the way in: a wrong passphrase, a refusal, several who ask at once,
// drafts and private posts.

import assert from "node:assert/strict";
import test from "node:test";
import { scenario } from "./harness.mjs";
import { MEETING, approve, askToSignIn, fillSignIn, inState, post, reads, setUp, unlock } from "./lib/person.mjs";
import { until } from "./lib/wait.mjs";

/** A diary in Chromium on a fresh server. */
async function diary(w, options = {}) {
  const server = await w.server();
  const browser = await w.browser("chrome");
  const origin = await browser.open(server.claim);
  const words = await setUp(origin, { device: "first device", ...options });
  return { server, browser, origin, words };
}

test("a wrong passphrase is told at once and nobody is asked", scenario(async (w) => {
  const { server, origin, words } = await diary(w);
  const visitor = await (await w.browser("firefox")).open(server.url);
  await inState(visitor, "visitor");
  // The right words in the wrong order.
  await fillSignIn(visitor, words.toReversed(), "guesser");
  await visitor.waitSeen(/WRONG_PASSPHRASE/, { timeout: 120_000 });
  await inState(visitor, "visitor");
  assert.equal(await visitor.count("waiting-words"), 0);
  // Right after it the right one works, so nothing was left behind.
  await askToSignIn(visitor, words, "guesser");
  assert.equal((await origin.waitCount("request", 1, MEETING)).length, 1);
}));

test("who is denied is told and reads on as a visitor", scenario(async (w) => {
  const { server, origin, words } = await diary(w);
  await post(origin, "public words");
  const device = await (await w.browser("firefox")).open(server.url);
  await inState(device, "visitor");
  await askToSignIn(device, words, "stranger");
  await origin.click("deny", MEETING);
  await inState(device, "visitor");
  await device.waitSeen(/This device is not let in: another one of yours refused it/);
  await reads(device, ["public words"]);
  await origin.waitGone("request");
  await origin.reload();
  await unlock(origin, words);
  await post(origin, "written after the refusal");
  assert.equal(await origin.count("request"), 0, "the request does not come back");
}));

test("two ask at once: the one on screen stays, both are let in, drafts are posted then", scenario(async (w) => {
  const { server, origin, words } = await diary(w);
  const one = await (await w.browser("firefox")).open(server.url);
  const two = await (await w.browser("chrome")).open(server.url);
  await inState(one, "visitor");
  await inState(two, "visitor");
  const wordsOfOne = await askToSignIn(one, words, "device one");
  await origin.waitText("request", "device one", MEETING);
  await post(one, "a draft of one");
  const wordsOfTwo = await askToSignIn(two, words, "device two");
  await origin.waitSeen(/device two/, MEETING);
  await origin.waitText("request", "device one");
  await approve(origin, wordsOfOne);
  await origin.waitText("request", "device two", MEETING);
  await approve(origin, wordsOfTwo);
  await inState(one, "writer");
  await inState(two, "writer");
  for (const tab of [origin, two, one]) await reads(tab, ["a draft of one"]);
}));

test("private posts are read by own devices alone", scenario(async (w) => {
  const { server, origin, words } = await diary(w);
  await post(origin, "for all to see");
  await post(origin, "for me alone", { secret: true });
  const device = await (await w.browser("firefox")).open(server.url);
  const visitor = await (await w.browser("chrome")).open(server.url);
  await inState(visitor, "visitor");
  await visitor.waitText("post-item", "for all to see", MEETING);
  await inState(device, "visitor");
  await approve(origin, await askToSignIn(device, words, "second device"));
  await inState(device, "writer");
  await reads(device, ["for all to see", "for me alone"]);
  await post(device, "and for me on the other", { secret: true });
  await origin.waitText("post-item", "and for me on the other", MEETING);
  await post(origin, "the last one is public");
  await visitor.waitText("post-item", "the last one is public", MEETING);
  assert.ok(!(await visitor.texts("post-item")).some((text) => text.includes("for me")), "the visitor read something private");
}));

test("what goes away under the focus hands it on", scenario(async (w) => {
  const { origin } = await diary(w);
  const focusIsOn = (wanted) => until(`the focus on ${wanted}`, () => origin.run((wanted) => document.activeElement.textContent === wanted, wanted), {
    told: () => origin.run(() => document.activeElement.outerHTML.slice(0, 200)) });
  await origin.click("show-connections");
  await focusIsOn("Connections");
  await post(origin, "to be deleted");
  await origin.click("delete-post");
  await origin.click("delete-confirm");
  await origin.waitGone("post-item");
  await until("the focus somewhere", () => origin.run(() => !document.querySelector("dialog") && document.activeElement !== document.body));
}));

test("locked by hand: reads, does not write, and unlocks", scenario(async (w) => {
  const { origin, words } = await diary(w, { remember: true });
  await post(origin, "before");
  await origin.click("lock");
  await inState(origin, "locked");
  assert.equal(await origin.count("composer"), 0);
  await reads(origin, ["before"]);
  await origin.reload();
  await unlock(origin, words);
  await post(origin, "after");
  await reads(origin, ["before", "after"]);
}));
