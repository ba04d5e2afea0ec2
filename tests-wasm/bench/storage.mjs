// What storing and opening costs: this package beside what a page would use today and beside IndexedDB itself, on the
// same data, in turns, in fresh profiles of one browser. `cargo xtask bench storage` builds, installs and runs it.
//
//   node storage.mjs --out DIR [--runs 5] [--only hypha,yjs] [--entries 10000] [--many 100000]
//
// Writes DIR/storage.json and DIR/storage.svg, prints the table. Entries are 100 random bytes. What the works are is
// told in lib/works.mjs, how each system does them in peers/. A work that takes over half a minute is given up.

import os from "node:os";
import { parseArgs } from "node:util";
import { Browser } from "./lib/browser.mjs";
import { bundle } from "./lib/bundle.mjs";
import { publish } from "./lib/report.mjs";
import { serve } from "./lib/server.mjs";
import { processorTimes, SYSTEMS, works } from "./lib/works.mjs";

const LIMIT_MS = 30_000;

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
  console.error(`usage: node storage.mjs --out DIR [--runs N] [--only ${Object.keys(SYSTEMS).join()}] [--entries N] [--many N]`);
  process.exit(2);
}

const server = await serve(await bundle());
const results = Object.fromEntries(names.map((name) => [name, []]));
for (let run = 0; run < runs; run++) {
  for (const name of names) {
    const result = await once(name, run);
    results[name].push(result);
    console.log(`run ${run + 1}/${runs}  ${SYSTEMS[name].title.padEnd(32)} ${line(result)}`);
  }
}
server.close();
publish("storage", "Storing and opening, ms (memory: MB)", {
  out: given.out, systems: SYSTEMS, works: works({ few, many }), extra: processorTimes({ few, many }), results, about: { runs, entries: few, many },
});

/** All works of one system, in a browser of its own. */
async function once(name, run) {
  const { page: address } = SYSTEMS[name];
  const result = { load: os.loadavg()[0], failed: {} };
  const browser = await Browser.launch();
  const seed = 1 + run * 7919;
  const visit = async (database, work) => {
    const page = await browser.open(`${server.origin}/${address}`);
    try {
      const call = (method, ...args) => page.call(LIMIT_MS, method, ...args);
      const measured = async (method, ...args) => {
        const before = await browser.cpu();
        const timed = await call(method, ...args);
        return { ...timed, cpu: (await browser.cpu()) - before };
      };
      const opened = await measured("open", database);
      return await work({ call, measured, opened, page });
    } finally {
      await page.close();
    }
  };
  const fresh = (database, work) => visit(database, async (at) => {
    await at.page.prepare(LIMIT_MS);
    const value = await work(at);
    await at.call("close");
    return value;
  });
  const attempt = async (works, action) => {
    try {
      Object.assign(result, await action());
    } catch (error) {
      for (const work of works) result.failed[work] = String(error.message ?? error).slice(0, 200);
    }
  };
  const reopened = async ({ opened, call }) => ({
    open: opened.ms,
    openCpu: opened.cpu,
    readAll: await all(call, few),
    navigation: opened.sinceNavigation,
  });

  await attempt(["each"], async () => {
    const { ms, cpu } = await fresh("each", ({ measured }) => measured("each", 300, seed));
    return { each: ms, eachCpu: cpu };
  });
  await attempt(["loose"], async () => ({ loose: await fresh("loose", ({ call }) => call("loose", few, seed)).then(ms) }));
  await attempt(["append", "open", "readAll"], async () => {
    const { ms, cpu } = await fresh("few", ({ measured }) => measured("append", few, seed));
    return { append: ms, appendCpu: cpu, ...(await visit("few", reopened)) };
  });
  await attempt(["appendMany", "openMany", "newest", "readAllMany", "memory"], async () => {
    const written = await fresh("many", ({ measured }) => measured("append", many, seed));
    const appended = { appendMany: written.ms, appendManyCpu: written.cpu };
    return visit("many", async ({ opened, call, page }) => {
      const newest = SYSTEMS[name].raw ? undefined : ms(await call("newest", 50));
      const readAllMany = await all(call, many);
      const about = { openMany: opened.ms, openManyCpu: opened.cpu, navigationMany: opened.sinceNavigation };
      return { ...appended, ...about, newest, readAllMany, memory: await page.memory() };
    });
  });
  await browser.stop();
  return result;
}

/** Milliseconds of reading everything; what comes must be all that was written. */
async function all(call, count) {
  const { ms, result } = await call("readAll");
  if (result[0] !== count || result[1] !== count * 100) throw new Error(`wrote ${count} entries, found ${result[0]} of ${result[1]} bytes`);
  return ms;
}

function ms(timed) {
  return timed.ms;
}

function line({ failed, load, ...rest }) {
  const cells = Object.entries(rest).filter(([, value]) => typeof value === "number").map(([work, value]) => `${work} ${value.toFixed(0)}`);
  return [...cells, ...Object.entries(failed).map(([work, why]) => `${work}: ${why}`), `load ${load.toFixed(1)}`].join("  ");
}
