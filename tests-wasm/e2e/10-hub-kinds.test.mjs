// Guards that two browsers find each other through every kind of hub, by the servers that people run, named or found
// out by the node; and that of several hubs any one is enough, whatever the others do.

import assert from "node:assert/strict";
import test from "node:test";
import { scenario } from "./harness.mjs";
import { startSlowly } from "./lib/servers.mjs";
import { address, inState, post, reads, setUp } from "./lib/person.mjs";

/** An origin in one process posts, a visitor in another reads it, with nothing between them but these hubs. */
async function meet(w, hubs) {
  const server = await w.server();
  const query = { hub: hubs };
  const origin = await (await w.browser("chrome")).open(address(server.claim, query));
  await setUp(origin, { device: "first device" });
  await post(origin, "through this hub");
  const visitor = await (await w.browser("chrome")).open(address(server.url, query));
  await inState(visitor, "visitor");
  await reads(visitor, ["through this hub"]);
  return { server, origin, visitor };
}

for (const kind of ["mqtt", "mosquitto", "peerjs", "wt", "nostr", "nostr-relay-builder", "signalhubws", "matchbox"]) {
  test(`through ${kind}`, scenario(async (w) => {
    const hub = await w.hub(kind);
    await meet(w, [hub.url]);
  }));
}

for (const kind of ["mqtt", "peerjs", "wt", "nostr", "signalhubws", "matchbox"]) {
  test(`through ${kind}, its kind found out by the node`, scenario(async (w) => {
    const hub = await w.hub(kind);
    await meet(w, [hub.plain]);
  }));
}

test("of three hubs of different kinds one is killed, one lies and one is slow", scenario(async (w) => {
  const [killed, liar, far] = [await w.hub("mqtt"), await w.hub("liar"), await w.hub("y-webrtc")];
  const slow = w.keep(await startSlowly(far, 400));
  const { server, origin, visitor } = await meet(w, [killed.url, liar.url, slow.url]);
  await killed.stop();
  await post(origin, "while one is dead");
  await reads(visitor, ["through this hub", "while one is dead"]);
  // Somebody new has the slow one only.
  const late = await (await w.browser("firefox")).open(address(server.url, { hub: [killed.url, liar.url, slow.url] }));
  await inState(late, "visitor");
  await reads(late, ["through this hub", "while one is dead"]);
}));

test("all hubs die, nobody who is linked notices, and newcomers wait until one is back", scenario(async (w) => {
  const hubs = [await w.hub("nostr"), await w.hub("wt")];
  const urls = hubs.map((hub) => hub.url);
  const { server, origin, visitor } = await meet(w, urls);
  for (const hub of hubs) await hub.stop();
  await post(origin, "without any hub");
  await reads(visitor, ["through this hub", "without any hub"]);
  const late = await (await w.browser("chrome")).open(address(server.url, { hub: urls }));
  await inState(late, "visitor");
  assert.equal(await late.count("post-item"), 0, "nobody can be found yet");
  await hubs[1].start();
  await reads(late, ["through this hub", "without any hub"], { timeout: 150_000 });
}));
