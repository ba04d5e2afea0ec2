// Many nodes of one space, each in a browser context of its own, which found each other through one hub: how long a write
// takes until all have it, over how many hops it goes, and what each node sends for it.

import { Browser } from "./browser.mjs";
import { median } from "./median.mjs";

const FEW = 3; // links that each node has before it begins
const WRITES = 10;
const GAP_MS = 300;
const LIMIT_MS = 60_000;

/** `{ ms, hops, bytes }`: medians of the writes, the way to the farthest node, and the mean of what a node sent for one. */
export async function crowd(size, address, hub, seed) {
  const browser = await Browser.launch();
  try {
    const pages = await Promise.all(Array.from({ length: size }, () => browser.open(address, true)));
    const nodes = pages.map((page) => ({ do: (method, ...args) => page.call(LIMIT_MS, method, ...args) }));
    const [first, ...others] = nodes;
    for (const node of nodes) await node.do("calibrate");
    await first.do("open", "bench", "A");
    const about = await first.do("about");
    await first.do("visit", hub, about);
    for (const node of others) await node.do("open", "bench", "B");
    await Promise.all(others.map((node) => node.do("visit", hub, about)));
    const ends = await linked(nodes, Math.min(FEW, size - 1));
    for (const node of others) await node.do("listen");
    const all = Promise.all(others.map((node) => node.do("until", WRITES)));
    all.catch(() => {});
    const before = await sent(nodes);
    const given = await first.do("burst", WRITES, seed, GAP_MS);
    await all;
    const after = await sent(nodes);
    const arrivals = await Promise.all(others.map((node) => node.do("arrivals")));
    return {
      ms: median(given.map((time, n) => Math.max(...arrivals.map((one) => one[n])) - time)),
      hops: farthest(ends),
      bytes: (after - before) / size / WRITES,
    };
  } finally {
    await browser.stop();
  }
}

const sent = async (nodes) => (await Promise.all(nodes.map((node) => node.do("wire")))).reduce((sum, wire) => sum + wire.sent, 0);

/** Waits until every node has so many links; the ends of each. */
async function linked(nodes, few) {
  for (const until = Date.now() + LIMIT_MS; ; ) {
    const ends = await Promise.all(nodes.map((node) => node.do("ends")));
    if (ends.every((one) => one.length >= few) && farthest(ends) < Infinity) return ends;
    if (Date.now() > until) throw new Error(`links: ${ends.map((one) => one.length)}`);
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

// Two ends are of one connection if each names the other's certificate.
function farthest(ends) {
  let reached = new Set([0]);
  for (let hops = 0; ; hops++) {
    if (reached.size === ends.length) return hops;
    const named = new Set([...reached].flatMap((at) => ends[at].map(({ there }) => there)));
    const next = new Set([...ends.keys()].filter((at) => reached.has(at) || ends[at].some(({ here }) => named.has(here))));
    if (next.size === reached.size) return Infinity;
    reached = next;
  }
}
