// Guards that two browsers find each other through a stock y-webrtc server, through our own, through either of two
// when one is dead, and that two databases of one browser need none.

import test from "node:test";
import { scenario } from "./harness.mjs";
import { address, inState, post, reads, setUp } from "./lib/person.mjs";

async function meet(w, hubs) {
  const server = await w.server();
  const query = { hub: hubs };
  const origin = await (await w.browser("chrome")).open(address(server.claim, query));
  await setUp(origin, { device: "first device" });
  await post(origin, "through any hub");
  const visitor = await (await w.browser("firefox")).open(address(server.url, query));
  await inState(visitor, "visitor");
  await reads(visitor, ["through any hub"]);
}

test("through the y-webrtc server from npm, as it is", scenario(async (w) => {
  const hub = await w.hub("y-webrtc");
  await meet(w, [hub.url]);
}));

test("through the y-webrtc server from npm, its kind found out by the node", scenario(async (w) => {
  const hub = await w.hub("y-webrtc");
  await meet(w, [`ws://localhost:${hub.port}`]);
}));

test("through the one of two hubs that lives", scenario(async (w) => {
  const [dead, living] = [await w.hub("embedded"), await w.hub("y-webrtc")];
  await dead.stop();
  await meet(w, [dead.url, living.url]);
}));

test("two databases in one browser need no hub at all", scenario(async (w) => {
  const server = await w.server();
  const browser = await w.browser("chrome");
  const noHub = async (url, name) => {
    const tab = await browser.open(address(url, { name }));
    // The page's own way to say "no hub": an empty list, chosen by the person.
    await tab.run((name) => localStorage.setItem(`hypha:${name}:hubs`, "[]"), name);
    await tab.reload();
    return tab;
  };
  const origin = await noHub(server.claim, "one");
  await setUp(origin, { device: "first device" });
  await post(origin, "from tab to tab");
  const visitor = await noHub(server.url, "another");
  await inState(visitor, "visitor");
  await reads(visitor, ["from tab to tab"]);
}));

test("two tabs of one database are one node", scenario(async (w) => {
  const server = await w.server();
  const browser = await w.browser("firefox");
  const one = await browser.open(server.claim);
  await setUp(one, { device: "the device" });
  await post(one, "from the first tab");
  const two = await browser.open(server.url);
  await inState(two, "writer");
  await reads(two, ["from the first tab"]);
  await post(two, "from the second tab");
  await reads(one, ["from the first tab", "from the second tab"]);
  // The first tab led; the second takes over and nothing is lost or doubled.
  await one.close();
  await post(two, "alone again");
  await reads(two, ["from the first tab", "from the second tab", "alone again"]);
}));
