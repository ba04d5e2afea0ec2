// Guards who may write, as a person sees it: removing a device with either choice, alone or with those that it let in,
// reading and writing again what was taken away, hiding, another passphrase, and the notice that somebody came in.

import assert from "node:assert/strict";
import test from "node:test";
import { scenario } from "./harness.mjs";
import { legible } from "./lib/legible.mjs";
import { MEETING, address, approve, askToSignIn, deviceAct, deviceSays, fillSignIn, inState, post, reads, setUp, unlock } from "./lib/person.mjs";

const SLOW = { timeout: 120_000 };

/** Opens the page in a browser of its own, and is let in by `by`. */
async function joins(w, kind, url, by, words, device, { remember = false } = {}) {
  const browser = await w.browser(kind);
  const tab = await browser.open(url);
  await inState(tab, "visitor");
  if (remember) await tab.click("remember");
  await approve(by, await askToSignIn(tab, words, device));
  await inState(tab, "writer");
  return { browser, tab };
}

test("removed provisionally while offline: what it wrote is kept apart, read, and written again", scenario(async (w) => {
  const server = await w.server();
  const hub = await w.hub("embedded");
  const url = address(server.url, { hub: hub.url });
  const first = await (await w.browser("chrome")).open(address(server.claim, { hub: hub.url }));
  const words = await setUp(first, { device: "Laptop" });
  const { browser, tab } = await joins(w, "firefox", url, first, words, "Phone", { remember: true });
  let second = tab;
  const visitor = await (await w.browser("chrome")).open(url);
  await post(second, "before it was lost");
  await reads(first, ["before it was lost"]);
  await reads(visitor, ["before it was lost"]);
  await browser.close();
  await hub.stop();

  await deviceAct(first, "Phone", "remove-device");
  await first.click("remove-provisional");
  await first.waitGone("remove-provisional");
  await deviceSays(first, "Phone", /removed, provisionally.*let in by “Laptop” on/);
  await browser.relaunch();
  second = await browser.open(url);
  await inState(second, "writer");
  await post(second, "written offline");
  await post(second, "a secret written offline", { secret: true });
  await post(second, "one more offline");
  await hub.start();
  await inState(second, "revoked", SLOW);
  await second.waitSeen(/3 posts of this device are no longer shown: it was removed/);
  await reads(second, ["before it was lost"]);

  // On the device that removed it: all are there to read, and only what is written again is in the diary.
  await first.click("taken-away", SLOW);
  const taken = await first.waitCount("quarantine-item", 3, SLOW);
  assert.match(taken[0], /^written offline/);
  assert.match(taken[1], /^a secret written offline.*private/);
  await first.waitSeen(/Not shown because the device was removed, provisionally/);
  await first.click("adopt");
  await first.waitCount("adopted", 1);
  await first.click("adopt-all");
  await first.waitCount("adopted", 3);
  assert.equal(await first.count("adopt"), 0);
  await first.run(() => history.back());
  const posts = await first.waitCount("post-item", 4);
  assert.match(posts[1], /^written offline.*you, on this device.*first written by Phone/);
  assert.match(posts[2], /private/);
  await reads(visitor, ["before it was lost", "written offline", "one more offline"], SLOW);

  // A mistake is undone by signing in again on that device.
  await approve(first, await askToSignIn(second, words, "Phone again"));
  await inState(second, "writer");
  await reads(second, ["before it was lost", "written offline", "a secret written offline", "one more offline"]);
  await deviceAct(first, "Phone", "remove-device");
  await first.type("remove-passphrase", words.join(" "));
  await first.click("remove-confirm");
  await deviceSays(first, "Phone", /removed for good/);
  await inState(second, "writer");
}));

test("removed with or without those that it let in; the others are to be looked at", scenario(async (w) => {
  const server = await w.server();
  const first = await (await w.browser("firefox")).open(server.claim);
  const words = await setUp(first, { device: "Laptop", remember: true });
  const { tab: lost } = await joins(w, "chrome", server.url, first, words, "Lost phone");
  const { tab: child } = await joins(w, "chrome", server.url, lost, words, "Tablet");
  await post(child, "from the tablet");
  await reads(first, ["from the tablet"]);
  await deviceSays(first, "Tablet", /let in by “Lost phone” on .*its one entry is here/);

  // Alone, provisionally: its child stays, and is asked about, also after a reload, until it is kept.
  await deviceAct(first, "Lost phone", "remove-device");
  await first.click("remove-provisional");
  await first.waitGone("remove-provisional");
  await inState(lost, "revoked");
  await first.waitText("look", /Look at “Tablet”.*It was let in by “Lost phone”, which is removed now/);
  await first.reload();
  await inState(first, "writer");
  await first.waitText("look", /Tablet/);
  await first.click("look-keep");
  await first.waitGone("look");
  await first.reload();
  await first.byId("composer");
  assert.equal(await first.count("look"), 0);
  await inState(child, "writer");

  // It comes back through its child. Then the child goes for good, and takes it along.
  await approve(child, await askToSignIn(lost, words, "Found phone"));
  await inState(lost, "writer");
  await deviceSays(first, "Found phone", /can write · let in by “Tablet”/);
  await deviceAct(first, "Tablet", "remove-device");
  await first.waitSeen(/Remove “Found phone” as well/);
  await first.click("remove-descendants");
  await first.type("remove-passphrase", [...words].reverse().join(" "));
  await first.click("remove-confirm");
  await first.waitAttribute("remove-passphrase", "aria-invalid", "true", SLOW);
  await first.waitSeen(/That is not the passphrase of this place/);
  await first.type("remove-passphrase", words.join(" "));
  await first.click("remove-confirm");
  for (const tab of [child, lost]) await inState(tab, "revoked");
  await deviceSays(first, "Tablet", /removed for good/);
  await deviceSays(first, "Found phone", /removed for good/);
  assert.equal(await first.count("look"), 0);
}));

test("what a device wrote is hidden since a time, and shown again", scenario(async (w) => {
  const server = await w.server();
  const first = await (await w.browser("chrome")).open(server.claim);
  const words = await setUp(first, { device: "Laptop" });
  const { tab: second } = await joins(w, "firefox", server.url, first, words, "Phone");
  const visitor = await (await w.browser("chrome")).open(server.url);
  await post(first, "from the laptop");
  await post(second, "from the phone");
  for (const tab of [first, visitor]) await reads(tab, ["from the laptop", "from the phone"]);

  await deviceAct(first, "Phone", "hide-device");
  await first.page.select("[data-testid=hide-since]", "all");
  await first.click("hide-confirm");
  await first.waitGone("hide-confirm");
  for (const tab of [first, second, visitor]) await reads(tab, ["from the laptop"]);
  await deviceSays(first, "Phone", /can write, (partly )?hidden/);
  await first.waitSeen(/1 post of “Phone” is no longer shown: hidden by you/);
  await first.waitSeen(/What was taken away/);
  await visitor.waitSeen(/Something that stood here was taken away by its owner/);
  assert.equal(await visitor.count("taken-away"), 0);
  const late = await (await w.browser("firefox")).open(server.url);
  await reads(late, ["from the laptop"]);
  assert.doesNotMatch(await late.seen(), /taken away/, "no news to who comes later");
  await deviceAct(first, "Phone", "unhide");
  for (const tab of [first, second, visitor]) await reads(tab, ["from the laptop", "from the phone"]);

  // From tomorrow on: nothing that is there goes, what comes does. A time is asked for until there is one.
  await deviceAct(first, "Phone", "hide-device");
  await first.page.select("[data-testid=hide-since]", "other");
  await first.click("hide-confirm");
  await first.waitSeen(/Choose a day and a time/);
  await first.run(() => {
    const tomorrow = new Date(Date.now() + 86_400_000 - new Date().getTimezoneOffset() * 60_000);
    document.querySelector("[data-testid=hide-time]").value = tomorrow.toISOString().slice(0, 16);
  });
  await first.click("hide-confirm");
  await first.waitGone("hide-confirm");
  await deviceSays(first, "Phone", /can write, partly hidden/);
  await post(first, "a sign that they are level");
  await second.waitCount("post-item", 3);
  await second.type("composer", "hidden as it comes");
  await second.click("post");
  await first.click("taken-away", MEETING);
  assert.match((await first.waitCount("quarantine-item", 1))[0], /^hidden as it comes/);
  await first.run(() => history.back());
  await reads(first, ["from the laptop", "from the phone", "a sign that they are level"]);
}));

test("another passphrase, on the page: the old one opens nothing any more", scenario(async (w) => {
  const server = await w.server();
  const first = await (await w.browser("chrome")).open(server.claim);
  const words = await setUp(first, { device: "Laptop" });
  await post(first, "still here");
  const { tab: second } = await joins(w, "firefox", server.url, first, words, "Phone");
  // One more waits to be let in, by the old words.
  const third = await (await w.browser("chrome")).open(server.url);
  await inState(third, "visitor");
  await third.click("remember");
  await askToSignIn(third, words, "Tablet");
  await post(third, "a draft from before");
  await first.waitCount("request", 1, MEETING);

  // By keyboard; the view takes the focus.
  await (await first.byId("change-passphrase")).focus();
  await first.page.keyboard.press("Enter");
  await first.byId("old-passphrase");
  assert.equal(await first.run(() => document.activeElement.textContent), "Change the passphrase");
  const next = (await first.waitText("passphrase", (text) => text.split(" ").length === 8)).split(" ");
  for (const id of ["confirm-word-1", "confirm-word-2"]) await first.type(id, next[Number(await first.attribute(id, "data-index")) - 1]);
  await first.type("old-passphrase", next.join(" "));
  await first.click("change-confirm");
  await first.waitAttribute("old-passphrase", "aria-invalid", "true", SLOW);
  await first.waitSeen(/That is not the passphrase of this place/);
  await first.type("old-passphrase", words.join(" "));
  await first.click("change-confirm");
  await first.waitSeen(/The passphrase was changed/, SLOW);
  await reads(first, ["still here"]);
  await inState(first, "writer");
  await inState(second, "revoked");

  // Who asked by the old words is let in no more, and what was on screen is not swapped for something else.
  assert.doesNotMatch(await first.run(() => document.querySelector("[data-testid=request-over]").closest("article").textContent), /runs out in/);
  await first.click("request-over");
  await fillSignIn(second, words, "Phone");
  await second.waitSeen(/Use the new ones/, SLOW);
  await approve(first, await askToSignIn(second, next, "Phone"));
  await inState(second, "writer");
  await reads(second, ["still here"]);
  await third.byId("waiting-changed", MEETING);
  await third.reload();
  await third.byId("waiting-changed");
  await reads(third, ["still here", "a draft from before"]);
  await approve(first, await askToSignIn(third, next, "Tablet"));
  await inState(third, "writer");
  await reads(second, ["still here", "a draft from before"]);
  assert.equal(await second.count("look"), 0, "that the passphrase let the laptop in anew is no news to who signs in anew");
  await first.run(() => [...document.querySelectorAll("[data-state=active] [data-testid=remove-device]")].at(0).click());
  await first.type("remove-passphrase", words.join(" "));
  await first.click("remove-confirm");
  await first.waitAttribute("remove-passphrase", "aria-invalid", "true", SLOW);
  await first.page.keyboard.press("Escape");
  await first.waitGone("remove-passphrase");
  await first.click("lock");
  await inState(first, "locked");
  await first.type("sign-in-passphrase", words.join(" "));
  await first.click("sign-in-submit");
  await first.waitSeen(/Use the new ones/, SLOW);
  await unlock(first, next);
}));

test("the other devices say who came in by the passphrase alone", scenario(async (w) => {
  const server = await w.server();
  const first = await (await w.browser("firefox")).open(server.claim);
  const words = await setUp(first, { device: "Laptop", remember: true });
  await post(first, "mine");
  const second = await (await w.browser("chrome")).open(server.url);
  await reads(second, ["mine"]);
  await askToSignIn(second, words, "Somewhere else");
  await second.click("recover");
  await second.click("recover-start");
  await second.type("recover-passphrase", words.join(" "));
  await second.click("recover-confirm");
  await inState(second, "writer");
  assert.equal(await second.count("look"), 0);
  await first.waitText("look", /“Somewhere else” was let in by the passphrase alone/);
  await first.reload();
  await inState(first, "writer");
  await first.waitText("look", /Somewhere else/);
  await first.click("look-keep");
  await first.waitGone("look");
  await first.reload();
  await first.byId("composer");
  assert.equal(await first.count("look"), 0);
}));

test("all of it can be read and used, light and dark, narrow and wide", scenario(async (w) => {
  const server = await w.server();
  const first = await (await w.browser("chrome")).open(server.claim);
  const words = await setUp(first, { device: "Laptop" });
  const name = "The phone with the name that neverendsneverendsneverends";
  const { tab: lost } = await joins(w, "chrome", server.url, first, words, name);
  await joins(w, "chrome", server.url, lost, words, "Tablet");
  await post(lost, "on its way");
  await post(lost, "in secret", { secret: true });
  await first.waitCount("post-item", 2);
  await first.waitCount("device-item", 3);
  await legible(first, "devices");
  await deviceAct(first, name, "remove-device");
  await first.byId("remove-descendants");
  await first.click("remove-confirm");
  await first.waitSeen(/Type your passphrase, or remove it provisionally/);
  await legible(first, "removing");
  await first.page.select("[data-testid=hide-since]", "all");
  await first.click("remove-provisional");
  await first.waitGone("remove-provisional");
  await first.byId("look");
  await first.waitGone("post-item");
  await legible(first, "removed");
  await legible(lost, "on the removed one");
  await first.click("taken-away");
  await first.waitCount("quarantine-item", 2);
  await first.click("adopt");
  await first.waitCount("adopted", 1);
  await legible(first, "what was taken away");
  await first.click("change-passphrase");
  await first.byId("old-passphrase");
  await first.click("change-confirm");
  await legible(first, "another passphrase");
}));
