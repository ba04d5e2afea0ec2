// Guards the main job, end to end and in mixed browsers: sign up, write, be read, sign in elsewhere, be let in,
// write there; with a reload in each state, and without the hub once all are connected.

import assert from "node:assert/strict";
import test from "node:test";
import { scenario } from "./harness.mjs";
import { MEETING, address, approve, askToSignIn, inState, post, reads, setUp, unlock, waitingWords } from "./lib/person.mjs";

const posts = (count, what = "entry") => Array.from({ length: count }, (_, n) => `${what} ${String(n + 1).padStart(2, "0")}`);

async function mainFlow(w, { origin: originKind, visitor: visitorKind, device: deviceKind }) {
  const server = await w.server();
  const hub = await w.hub("embedded");
  const query = { hub: hub.url };

  // Set-up. The server takes the key with the token that it printed.
  const originBrowser = await w.browser(originKind);
  const origin = await originBrowser.open(address(server.claim, query));
  await inState(origin, "uninitialised");
  await origin.reload();
  const words = await setUp(origin, { device: "first device", remember: true });
  const link = await origin.textOf("link");
  const dat = await fetch(new URL("/.well-known/dat", server.url));
  assert.equal(dat.status, 200, "the server was told whose diary this is");
  assert.equal((await dat.text()).split("\n")[0], link);

  // 25 posts are there before anybody comes to read; a reload keeps all, and "stay signed in" the right to write.
  const written = posts(25);
  for (const text of written) await post(origin, text);
  await origin.reload();
  await inState(origin, "writer");
  await reads(origin, written);

  // A visitor who knows nothing but the address reads all of them, in order, and cannot write.
  const visitor = await (await w.browser(visitorKind)).open(address(server.url, query));
  await inState(visitor, "visitor");
  await reads(visitor, written);
  assert.equal(await visitor.textOf("link"), link);
  assert.equal(await visitor.count("composer"), 0);
  await visitor.reload();
  await inState(visitor, "visitor");
  await reads(visitor, written);

  // A new device asks; a reload while it waits neither changes its words nor asks twice.
  const deviceBrowser = await w.browser(deviceKind);
  let device = await deviceBrowser.open(address(server.url, query));
  await inState(device, "visitor");
  const asked = await askToSignIn(device, words, "second device");
  await device.reload();
  await inState(device, "requesting");
  assert.equal(await waitingWords(device), asked, "the words survive a reload");
  await origin.byId("request", MEETING);
  await origin.reload();
  assert.equal((await origin.waitCount("request", 1, MEETING)).length, 1, "one request is one, after reloads on both sides");
  await approve(origin, asked);
  await inState(device, "writer");
  await device.byId("composer");
  await origin.waitGone("request");
  await reads(device, written);

  // What it writes reaches the others, and what they write reaches it.
  await post(device, "from the second device");
  await post(origin, "from the first again");
  const all = [...written, "from the second device", "from the first again"];
  for (const tab of [origin, device, visitor]) await reads(tab, all);
  assert.equal((await origin.waitCount("device-item", 2)).filter((text) => text.includes("second device")).length, 1);

  // Not told to stay signed in, it is locked after a reload: it reads at once, and the passphrase unlocks it.
  await device.reload();
  await inState(device, "locked");
  await reads(device, all);
  assert.equal(await device.count("composer"), 0);
  await unlock(device, words);

  // The hub goes; who is connected stays so.
  await inState(device, "writer");
  await post(device, "before the hub stops");
  all.push("before the hub stops");
  for (const tab of [origin, visitor]) await reads(tab, all);
  await hub.stop();
  await post(origin, "the hub is gone");
  await post(device, "and we still talk");
  all.push("the hub is gone", "and we still talk");
  for (const tab of [origin, device, visitor]) await reads(tab, all);

  // It comes back; who comes then finds the others through it.
  await hub.start();
  const late = await (await w.browser(deviceKind)).open(address(server.url, query));
  await inState(late, "visitor");
  await reads(late, all, { timeout: 120_000 });

  // The second device's browser is killed and started again: nothing that was shown is lost.
  await deviceBrowser.kill();
  await deviceBrowser.relaunch();
  device = await deviceBrowser.open(address(server.url, query));
  await inState(device, "locked");
  await reads(device, all);
}

test("origin in Chromium; visitor and second device in Firefox", scenario((w) =>
  mainFlow(w, { origin: "chrome", visitor: "firefox", device: "firefox" })));

test("origin in Firefox; visitor and second device in Chromium", scenario((w) =>
  mainFlow(w, { origin: "firefox", visitor: "chrome", device: "chrome" })));
