// Guards that a crowd of real browsers becomes one network: sixteen nodes, twelve in Chromium and four in Firefox, each with a
// storage of its own, find each other through one hub, keep a bounded number of links, and pass on what one of them writes;
// also when the hub is gone.

import assert from "node:assert/strict";
import test from "node:test";
import { scenario } from "./harness.mjs";
import { startBlank } from "./lib/blank.mjs";
import { until } from "./lib/wait.mjs";

const [IN_CHROMIUM, IN_FIREFOX] = [12, 4];
const FEW = 3;
const CAP = 12;
const GATHERING = { timeout: 180_000 };

/** Ids of the nodes to which a node has an open link. */
const linked = (tab) => tab.run(() => hypha.peers().filter(({ state }) => state === "open").map(({ id }) => id));

/** Waits until all have the value of a key; returns the milliseconds it took the last one. */
async function spreads(tabs, writer, key, value) {
  const began = Date.now();
  await writer.run((key, value) => hypha.home.put(key, value).then(() => {}), key, value);
  let lacking = tabs;
  await until(`${key} at all ${tabs.length}`, async () => {
    const got = await Promise.all(lacking.map((tab) => tab.run(async (key) => (await hypha.home.get(key))?.value, key)));
    lacking = lacking.filter((_, at) => got[at] !== value);
    return lacking.length === 0;
  }, { ...GATHERING, told: () => `${lacking.length} lack it` });
  return Date.now() - began;
}

test("sixteen nodes become level, and do so again when the hub is gone", scenario(async (w, t) => {
  const site = w.keep(await startBlank());
  const hub = await w.hub("y-webrtc");
  const [chromium, firefox] = [await w.browser("chrome"), await w.browser("firefox")];
  const open = async (browser, link) => {
    const tab = await browser.openApart(site.url);
    await tab.run(async (hub, link) => {
      const { Hypha } = await import("/pkg/index.js");
      window.Hypha = Hypha;
      window.hypha = await Hypha.open({ hubs: [hub], transports: { tabs: false }, ...(link && { link }) });
    }, hub.url, link);
    return tab;
  };
  const first = await open(chromium);
  const link = await first.run(async () => {
    await hypha.signUp(await Hypha.generatePassphrase(), { device: "first device" });
    return hypha.home.link;
  });
  const others = await Promise.all([
    ...Array.from({ length: IN_CHROMIUM - 1 }, () => open(chromium, link)),
    ...Array.from({ length: IN_FIREFOX }, () => open(firefox, link)),
  ]);
  const tabs = [first, ...others];
  const began = Date.now();

  let links = [];
  await until(`${FEW} links or more at every node`, async () => {
    links = await Promise.all(tabs.map(linked));
    return links.every((ids) => ids.length >= FEW);
  }, { ...GATHERING, told: () => links.map(({ length }) => length).join(", ") });
  const gathered = Date.now() - began;
  const withHub = await spreads(tabs, first, "posts/with", "while there is a hub");

  let counts = [];
  // They are asked one after another, and links come and go: until they are seen as they are at one moment.
  await until("every node within four links of the writer", async () => {
    links = await Promise.all(tabs.map(linked));
    counts = links.map(({ length }) => length);
    assert.ok(Math.max(...counts) <= CAP, `at most ${CAP} links, not ${counts}`);
    // Whom nodes name is all that is known of who they are: two that name the same one are two links apart.
    let reached = new Set([0]);
    for (const _ of [2, 4]) {
      const named = new Set([...reached].flatMap((at) => links[at]));
      reached = new Set([...tabs.keys()].filter((at) => links[at].some((id) => named.has(id))));
    }
    return reached.size === tabs.length;
  }, { ...GATHERING, told: () => counts.join(", ") });

  await hub.stop();
  await until("all to notice that the hub is gone", async () => {
    const open = await Promise.all(tabs.map((tab) => tab.run(async () => (await hypha.stats()).hubs.some(({ state }) => state === "open"))));
    return !open.includes(true);
  });
  const without = await spreads(tabs, first, "posts/without", "without any hub");
  t.diagnostic(`links ${counts.sort((a, b) => a - b).join(" ")}; ${FEW} each after ${gathered} ms; a write at all after ${withHub} ms, without the hub ${without} ms`);
}));
