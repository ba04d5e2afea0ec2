// What reaching another browser costs: this package beside what a page would use today and beside a bare data channel, on
// the same data, in turns, each time in two fresh browsers that find each other through one hub (y-webrtc's own server).
// `cargo xtask bench network` builds, installs and runs it.
//
//   node network.mjs --out DIR [--runs 5] [--only hypha,yjs] [--entries 10000] [--many 100000]
//
// Writes DIR/network.json and DIR/network.svg, prints the table. Entries are 100 random bytes. Times of W4 and W5 begin when
// the channel opens, and end when both can read all; payload is what crosses the channel in both directions, as messages
// of it. A work that takes over a minute is given up.

import os from "node:os";
import { parseArgs } from "node:util";
import { Browser } from "./lib/browser.mjs";
import { bundle } from "./lib/bundle.mjs";
import { crowd } from "./lib/crowd.mjs";
import { startHub } from "./lib/hub.mjs";
import { median, percentile } from "./lib/median.mjs";
import { crowds, perEntry, SYSTEMS, works } from "./lib/network-works.mjs";
import { publish } from "./lib/report.mjs";
import { serve } from "./lib/server.mjs";

const LIMIT_MS = 60_000;
const WRITES = 100;
const GAP_MS = 40;

const { values: given } = parseArgs({
  options: {
    out: { type: "string" },
    runs: { type: "string", default: "5" },
    only: { type: "string", default: Object.keys(SYSTEMS).join() },
    entries: { type: "string", default: "10000" },
    many: { type: "string", default: "100000" },
  },
});
const [runs, few, many] = [given.runs, given.entries, given.many].map(Number);
const names = given.only.split(",");
const unknown = names.filter((name) => !(name in SYSTEMS));
if (!given.out || unknown.length > 0 || ![runs, few, many].every((n) => Number.isInteger(n) && n > 0)) {
  console.error(`usage: node network.mjs --out DIR [--runs N] [--only ${Object.keys(SYSTEMS).join()}] [--entries N] [--many N]`);
  process.exit(2);
}

const server = await serve(await bundle());
const hub = await startHub();
const results = Object.fromEntries(names.map((name) => [name, []]));
for (let run = 0; run < runs; run++) {
  for (const name of names) {
    const result = await once(name, run);
    results[name].push(result);
    const cells = Object.entries(result).filter(([, value]) => typeof value === "number");
    const failed = Object.entries(result.failed).map(([work, why]) => `${work}: ${why}`);
    console.log([`run ${run + 1}/${runs}  ${SYSTEMS[name].title.padEnd(34)}`, ...cells.map(([work, value]) => `${work} ${value.toFixed(2)}`), ...failed].join("  "));
  }
}
hub.stop();
server.close();
publish("network", "Reaching another browser, ms (payload: times the data)", {
  out: given.out, systems: SYSTEMS, works: works({ few, many }), extra: crowds, results, about: { runs, entries: few, many },
});

/** All works of one system, in two browsers of its own. */
async function once(name, run) {
  const entries = SYSTEMS[name].few ?? few;
  const result = { load: os.loadavg()[0], failed: {} };
  const seed = 1 + run * 7919;
  const attempt = async (works, action) => {
    try {
      await action();
    } catch (error) {
      for (const work of works) result.failed[work] = String(error.message ?? error).slice(0, 200);
    }
  };
  if (SYSTEMS[name].only === "live") {
    await attempt(["live"], () => between(name, async ({ a, b, meet }) => {
      await a.do("append", 1, seed);
      await meet("first", 1);
      await live(a, b, seed, result);
    }));
    return result;
  }
  await attempt(["first", "again", "live", "opened", "firstByte"], () => between(name, async ({ a, b, meet }) => {
    await a.do("append", entries, seed);
    const first = await meet("first", entries);
    Object.assign(result, { first: first.ms, firstPayload: first.payload / (entries * perEntry(name)) });
    await Promise.all([a.do("disconnect"), b.do("disconnect")]);
    await Promise.all([a.do("append", 500, seed + 1), b.do("append", 500, seed + 2)]);
    const again = await meet("again", entries + 1000);
    Object.assign(result, { again: again.ms, againPayload: again.payload / (1000 * perEntry(name)), opened: again.opened, firstByte: again.firstByte });
    await live(a, b, seed, result);
  }));
  if (SYSTEMS[name].few) {
    await attempt([`${few} entries`], () => between(name, async ({ a, meet }) => {
      await a.do("append", few, seed);
      result[`first of ${few}`] = (await meet("first", few, 15_000)).ms;
    }));
    return result;
  }
  await attempt(["loose"], () => between(name, async ({ a, meet }) => {
    await a.do("loose", entries, seed);
    const loose = await meet("loose", entries);
    Object.assign(result, { loose: loose.ms, loosePayload: loose.payload / (entries * perEntry(name)) });
  }));
  await attempt(["many"], () => between(name, async ({ a, meet }) => {
    await a.do("append", many, seed);
    result.many = (await meet("many", many)).ms;
  }));
  // The others bring no network of many.
  if (name === "hypha") {
    await attempt(["crowds"], async () => {
      for (const size of [8, 16]) {
        const { ms, hops, bytes } = await crowd(size, `${server.origin}/${SYSTEMS[name].page}`, hub.url, seed);
        Object.assign(result, { [`crowd${size}`]: ms, [`hops${size}`]: hops, [`bytes${size}`]: bytes });
      }
    });
  }
  return result;
}

/** Two fresh browsers, each with a page of the system on an empty database. */
async function between(name, work) {
  const browsers = await Promise.all([Browser.launch(), Browser.launch()]);
  try {
    const pages = await Promise.all(browsers.map((browser) => browser.open(`${server.origin}/${SYSTEMS[name].page}`)));
    const [a, b] = pages.map((page) => ({ do: (method, ...args) => page.call(LIMIT_MS, method, ...args), errors: page.errors }));
    await a.do("calibrate");
    await b.do("calibrate");
    await a.do("open", "bench", "A");
    await b.do("open", "bench", "B");
    const about = await a.do("about");
    await Promise.all([a.do("pair", "A", hub.url, about), b.do("pair", "B", hub.url, about)]);
    if (name === "hypha") await Promise.all([a.do("disconnect"), b.do("disconnect")]);
    const meet = async (topic, count, limit = LIMIT_MS) => {
      const before = await a.do("wire");
      const all = Promise.all([a.do("until", count), b.do("until", count)]);
      all.catch(() => {});
      const began = await Promise.all([a.do("connect", "A", hub.url, topic, about), b.do("connect", "B", hub.url, topic, about)]);
      let timer;
      const late = new Promise((_, reject) => (timer = setTimeout(async () => {
        // A page that died says why, and the other systems are measured still.
        const counts = await Promise.all([a, b].map((page) => page.do("count").catch(({ message }) => message)));
        reject(new Error(`not level after ${limit / 1000} s: ${counts.join(" and ")} of ${count} ${[...a.errors, ...b.errors].join(" | ")}`));
      }, limit)));
      const done = await Promise.race([all, late]);
      clearTimeout(timer);
      const [here, there] = [await a.do("wire"), await b.do("wire")];
      for (const [entries, bytes] of [await a.do("check"), await b.do("check")]) {
        if (entries !== count || bytes !== count * 100) throw new Error(`${count} entries written, found ${entries} of ${bytes} bytes`);
      }
      const opened = Math.max(here.opened, there.opened);
      return {
        ms: Math.max(...done) - opened,
        payload: here.sent + here.received - before.sent - before.received,
        opened: opened - Math.max(...began),
        firstByte: Math.min(here.first, there.first) - Math.max(...began),
      };
    };
    return await work({ a, b, meet });
  } finally {
    await Promise.all(browsers.map((browser) => browser.stop()));
  }
}

/** Single writes of A, until each can be read at B. */
async function live(a, b, seed, result) {
  const before = await b.do("count");
  await b.do("listen");
  const came = b.do("until", before + WRITES);
  came.catch(() => {});
  const given = await a.do("burst", WRITES, seed + 3, GAP_MS);
  await came;
  const arrivals = await b.do("arrivals");
  const took = given.map((time, n) => arrivals[n] - time);
  Object.assign(result, { live: median(took), live95: percentile(took, 0.95) });
}
