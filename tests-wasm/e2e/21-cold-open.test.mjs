// Guards that opening does not depend on the history: a large space answers its first read about as soon as a small one, what is
// read from the disk stays within its budget, an open that changes nothing writes nothing, and a page that turns out damaged or
// gone when it is read comes again from a peer. The same of what is private and of unlocking, of which nothing is stored in clear.

import assert from "node:assert/strict";
import test from "node:test";
import { scenario } from "./harness.mjs";
import { startBlank } from "./lib/blank.mjs";
import { until } from "./lib/wait.mjs";

const MANY = Number(process.env.HYPHA_MANY ?? 100_000);
const FEW = 1_000;

/** Makes a node with so many values of 100 bytes; resolves when it has stored what it opens from. */
const fill = (tab, name, count, secret = false) => tab.run(async (name, count, secret) => {
  const { Hypha } = await import("/pkg/index.js");
  const node = await Hypha.open({ name });
  const passphrase = await Hypha.generatePassphrase();
  await node.signUp(passphrase, { device: "Large", remember: true });
  for (let n = 0; n < count; ) {
    const batch = [];
    for (const end = Math.min(count, n + 5000); n < end; n++) {
      const value = crypto.getRandomValues(new Uint8Array(80));
      batch.push(node.home.put(`n/${String(n).padStart(6, "0")}`, value, { private: secret }));
    }
    await Promise.all(batch);
  }
  // Written in a calm moment.
  await new Promise((resolve) => setTimeout(resolve, 4000));
  await node.close();
  return passphrase;
}, name, count, secret);

/** Opens a node, reads one old value and the newest 50; milliseconds since before the opening, and what is in memory. */
const visit = (tab, name, count) => tab.run(async (name, count) => {
  const { Hypha } = await import("/pkg/index.js");
  await Hypha.generatePassphrase(); // The module is compiled.
  const start = performance.now();
  const node = await Hypha.open({ name });
  const first = await node.home.get(`n/${String(count >> 1).padStart(6, "0")}`);
  const read = performance.now() - start;
  const before = performance.now();
  const newest = [];
  for await (const { key } of node.home.list({ prefix: "n/", reverse: true, limit: 50 })) newest.push(key);
  const fifty = performance.now() - before;
  const { pages, memory } = await node.stats();
  window.node = node;
  return { read, fifty, length: first.value.length, newest: newest[0], count: newest.length, pages, memory };
}, name, count);

/** Visits of which the best are compared: other work of the machine only ever adds. A quiet machine needs the fewer. */
const [VISITS, MOST_VISITS] = [3, 10];

/** Fills one node with few entries and one with many, visits each in turn, and compares when the first can be read. */
async function compared(w, what, sizes, secret) {
  const server = w.keep(await startBlank());
  const browser = await w.browser("chrome");
  const maker = await browser.open(server.url);
  for (const [name, count] of Object.entries(sizes)) await fill(maker, name, count, secret);
  await maker.close?.();
  const runs = { few: [], many: [] };
  const best = (name, what) => Math.min(...runs[name].map((run) => run[what]));
  const fits = () => best("many", "read") <= 3 * best("few", "read") + 50;
  for (let run = 0; run < VISITS || (run < MOST_VISITS && !fits()); run++) {
    for (const [name, count] of Object.entries(sizes)) {
      // The keys are remembered, so that opening unlocks: deriving them from the passphrase would take longer than all else.
      const tab = await browser.open(server.url);
      const found = await visit(tab, name, count);
      assert.equal(found.length, 80);
      assert.equal(found.newest, `n/${String(count - 1).padStart(6, "0")}`);
      assert.equal(found.count, 50);
      runs[name].push(found);
      await tab.run(() => window.node.close());
    }
  }
  const last = runs.many.at(-1);
  console.log(`${what}first read ${best("few", "read").toFixed(0)} / ${best("many", "read").toFixed(0)} ms, newest 50 ${best("many", "fifty").toFixed(0)} ms,`
    + ` memory ${(last.memory / 1e6).toFixed(1)} MB, pages ${JSON.stringify(last.pages)}`);
  assert.ok(fits(), `the first read does not wait for the history: ${JSON.stringify(runs)}`);
  return { pages: last.pages, browser, server };
}

test("a hundred times the history opens about as fast, within its budget of memory", scenario(async (w) => {
  const { pages, browser, server } = await compared(w, "", { few: FEW, many: MANY }, false);
  assert.ok(pages.absent > 100, "most of it is on the disk");
  assert.ok(pages.clean <= pages.budget, JSON.stringify(pages));
  // What somebody looks at again and again stays: a get reads several pages, each of which is a journey to the disk.
  const tab = await browser.open(server.url);
  const again = await tab.run(async (many) => {
    const { Hypha } = await import("/pkg/index.js");
    const node = await Hypha.open({ name: "many" });
    const look = async () => {
      for (let n = 0; n < 200; n++) await node.home.get(`n/${String(Math.floor((n * many) / 200)).padStart(6, "0")}`);
      return (await node.stats()).pages.supplied;
    };
    const first = await look();
    const second = await look();
    await node.close();
    return second - first;
  }, MANY);
  assert.equal(again, 0, "pages of two hundred values that were read a moment ago");
}));

test("a hundred times the private history is unlocked about as fast", scenario(async (w) => {
  const { pages } = await compared(w, "private: ", { few: 100, many: 10_000 }, true);
  assert.ok(pages.absent > 50, `most of it is on the disk: ${JSON.stringify(pages)}`);
}));

test("what is private goes with a lock, is there again with an unlock, and is never stored in clear", scenario(async (w) => {
  const server = w.keep(await startBlank());
  const browser = await w.browser("chrome");
  const tab = await browser.open(server.url);
  const passphrase = await fill(tab, "hush", 1500, true);
  const seen = await tab.run(async (passphrase) => {
    const { Hypha } = await import("/pkg/index.js");
    const node = await Hypha.open({ name: "hush" });
    const count = async () => {
      let found = 0;
      for await (const { private: secret } of node.home.list({ prefix: "n/" })) found += secret ? 1 : 0;
      return found;
    };
    // What somebody shows who listed it and watches.
    const [shown, gone] = [new Set(), new Set()];
    const [waits, heard] = [[], []];
    for (const n of [0, 1]) heard.push(new Promise((resolve) => (waits[n] = resolve)));
    node.home.watch("n/", (changes) => {
      for (const { key, value } of changes) {
        shown[value === undefined ? "delete" : "add"](key);
        gone[value === undefined ? "add" : "delete"](key);
      }
      if (gone.size === 1500) waits[0]();
      if (shown.size === 1500) waits[1]();
    });
    const before = await count();
    await node.lock();
    const locked = [await count(), (await node.home.get("n/000007")) === undefined];
    await heard[0];
    const shown0 = shown.size;
    await node.unlock(passphrase);
    const after = [await count(), (await node.home.get("n/000007")).value.length];
    await heard[1];
    await node.close();
    return { before, locked, shown0, after };
  }, passphrase);
  assert.deepEqual(seen, { before: 1500, locked: [0, true], shown0: 0, after: [1500, 80] });
  const found = await tab.run(async () => {
    const done = (request) => new Promise((resolve, reject) => {
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
    const database = await done(indexedDB.open("hush"));
    const text = new TextDecoder("latin1");
    let bytes = 0, clear = 0, sealed = 0;
    for (const name of database.objectStoreNames) {
      const store = database.transaction(name).objectStore(name);
      const [keys, values] = await Promise.all([done(store.getAllKeys()), done(store.getAll())]);
      values.forEach((value, at) => {
        const record = value instanceof Uint8Array ? text.decode(value) : String(value);
        bytes += record.length;
        clear += /n\/00[01]\d\d\d/.test(record) ? 1 : 0;
        sealed += `${keys[at]}${record}`.includes("/view/sealed") ? 1 : 0;
      });
    }
    database.close();
    return { bytes, clear, sealed };
  });
  assert.ok(found.bytes > 100_000 && found.sealed > 0, JSON.stringify(found));
  assert.equal(found.clear, 0, "the names of private keys are stored in clear");
}));

test("opening fifty times writes not one byte", scenario(async (w) => {
  const server = w.keep(await startBlank());
  const browser = await w.browser("chrome");
  const tab = await browser.open(server.url);
  await fill(tab, "still", 50);
  const contents = () => tab.run(async () => {
    const done = (request) => new Promise((resolve, reject) => {
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
    const database = await done(indexedDB.open("still"));
    const found = [];
    for (const name of database.objectStoreNames) {
      const store = database.transaction(name).objectStore(name);
      const [keys, values] = await Promise.all([done(store.getAllKeys()), done(store.getAll())]);
      keys.forEach((key, at) => found.push([name, key, values[at] instanceof Uint8Array ? [...values[at]].join() : String(values[at])]));
    }
    database.close();
    return JSON.stringify(found);
  });
  const opened = await tab.run(() => indexedDB.databases().then((all) => all.map(({ name }) => name)));
  assert.ok(opened.includes("still"), opened.join());
  const before = await contents();
  await tab.run(async () => {
    const { Hypha } = await import("/pkg/index.js");
    for (let n = 0; n < 50; n++) {
      const node = await Hypha.open({ name: "still" });
      if (!(await node.home.get("n/000007"))) throw new Error("not there");
      await node.close();
    }
  });
  assert.equal(await contents(), before);
}));
