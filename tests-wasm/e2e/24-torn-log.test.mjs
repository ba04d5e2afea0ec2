// Guards against what Chromium itself does to whoever is killed: if its log of an origin ends in half a record and is
// written on, the start after that throws away all that the origin had stored (src/browser/idb/torn.rs). Here the log is
// torn by hand after every kill, which a SIGKILL alone does once in some dozens of times.
//
// Beside it, in another origin, the same with nothing but transactions, to see whether the browser still does it.

import assert from "node:assert/strict";
import { appendFileSync, existsSync, readdirSync, statSync } from "node:fs";
import path from "node:path";
import test from "node:test";
import { setTimeout } from "node:timers/promises";
import { scenario } from "./harness.mjs";
import { startBlank } from "./lib/blank.mjs";
import { until } from "./lib/wait.mjs";

const BLOCK = 32_768; // of LevelDB's log; no part of a record crosses its end
const HEADER = 7; // checksum, length in two bytes, type

/** Where Chromium keeps all databases of a server's origin. */
const folderOf = (browser, { port }) => path.join(browser.profile, "Default/IndexedDB", `http_localhost_${port}.indexeddb.leveldb`);

/** The log that is written on. */
function logOf(browser, server) {
  const folder = folderOf(browser, server);
  return path.join(folder, readdirSync(folder).filter((name) => name.endsWith(".log")).sort().at(-1));
}

/** Half a record at the end of the origin's log, as if it had been killed in the middle of a write. */
function tear(browser, server) {
  const log = logOf(browser, server);
  const left = BLOCK - (statSync(log).size % BLOCK);
  // Where no record has room the rest of the block is zeros.
  const fill = left < HEADER + 64 ? left : 0;
  const length = Math.min(3000, (fill ? BLOCK : left) - HEADER);
  const torn = Buffer.alloc(fill + HEADER + (length >> 1), 0x5a).fill(0, 0, fill);
  torn.writeUInt16LE(length, fill + 4);
  torn.writeUInt8(1, fill + 6);
  appendFileSync(log, torn);
}

const open = (tab, fresh = false) => tab.run(async (fresh) => {
  const { Hypha } = await import("/pkg/index.js");
  window.node = await Hypha.open({ name: "torn" });
  if (fresh) await node.signUp(await Hypha.generatePassphrase(), { device: "Torn", remember: true });
  return `${node.state}, ${(await indexedDB.databases()).map(({ name }) => name).filter((name) => name !== "torn (log)").join(" and ")}`;
}, fresh);

const keys = (tab) => tab.run(async () => {
  const found = [];
  for await (const { key } of node.home.list({ prefix: "log/" })) found.push(key);
  return found;
});

/** Puts one value behind the others in a database of our own; how many are there then. */
const raw = (tab) => tab.run(async () => {
  const opening = indexedDB.open("raw", 1);
  opening.onupgradeneeded = () => opening.result.createObjectStore("values", { autoIncrement: true });
  const database = await asked(opening);
  const transaction = database.transaction("values", "readwrite", { durability: "strict" });
  transaction.objectStore("values").put("x".repeat(3000));
  await new Promise((done) => (transaction.oncomplete = done));
  return asked(database.transaction("values").objectStore("values").count());
});

test("a browser whose log was torn by a kill keeps what was stored", { timeout: 600_000 }, scenario(async (w, t) => {
  const [server, beside] = [w.keep(await startBlank()), w.keep(await startBlank())];
  const browser = await w.browser("chrome");
  let tab = await browser.open(server.url);
  assert.equal(await open(tab, true), "writer, torn");
  let other = await browser.open(beside.url);
  const counts = [await raw(other)];
  let written = 0;
  for (let round = 0; round < 6; round++) {
    // The first is what puts a record behind the torn one.
    for (const end = written + 3; written < end; written++) await tab.run((n) => node.home.put(`log/${n}`, "x".repeat(3000)), written);
    // However it ends now, the next start has to find it.
    if (round % 3 === 2) await browser.close();
    else await browser.kill();
    for (const one of [server, beside]) tear(browser, one);
    await browser.relaunch();
    tab = await browser.open(server.url);
    assert.equal(await open(tab), "writer, torn", `start ${round + 1}`);
    assert.equal((await keys(tab)).length, written, `start ${round + 1}`);
    other = await browser.open(beside.url);
    counts.push(await raw(other));
  }
  const lost = counts.filter((count, at) => at > 0 && count <= counts[at - 1]).length;
  t.diagnostic(lost > 0
    ? `this browser lost a database of plain strict transactions in ${lost} of ${counts.length - 1} starts, and none of ours`
    : "this browser lost no plain database either: it has learnt what src/browser/idb/torn.rs is for");
}));

test("one that only reads keeps it, too, and what it takes does not grow", { timeout: 600_000 }, scenario(async (w, t) => {
  const server = w.keep(await startBlank());
  const browser = await w.browser("chrome");
  let tab = await browser.open(server.url);
  assert.equal(await open(tab, true), "writer, torn");
  await tab.run(async () => {
    for (let n = 0; n < 20; n++) await node.home.put(`log/${n}`, "x".repeat(3000));
  });
  // Log and tables; what a kill left between making and deleting is an empty database, which goes with the next opening.
  // The browser merges tables behind our back: old ones go when new ones are there, maybe while they are looked at.
  const files = () => readdirSync(folderOf(browser, server))
    .filter((name) => /\.(log|ldb)$/.test(name))
    .map((name) => [name, statSync(path.join(folderOf(browser, server), name), { throwIfNoEntry: false })?.size]);
  const size = async () => {
    let [before, now] = [undefined, files()];
    await until("the browser to leave its files alone", async () => {
      await setTimeout(250);
      [before, now] = [now, files()];
      return String(before) === String(now) && now.every(([, size]) => size !== undefined);
    });
    return now.reduce((sum, [, size]) => sum + size, 0);
  };
  await tab.run(async () => (await asked(indexedDB.open("torn (log)"))).close());
  const sizes = [await size()];
  for (let start = 1; start <= 10; start++) {
    await browser.kill();
    tear(browser, server);
    const torn = logOf(browser, server);
    await browser.relaunch();
    tab = await browser.open(server.url);
    assert.equal(await open(tab), "writer, torn", `start ${start}`);
    assert.equal((await keys(tab)).length, 20, `start ${start}`);
    await until("the end of the torn log", () => !existsSync(torn));
    await until("no database but the node's", () => tab.run(async () => (await indexedDB.databases()).map(({ name }) => name).join() === "torn"));
    sizes.push(await size());
  }
  t.diagnostic(`bytes of the origin after each start: ${sizes.join(" ")}`);
  assert.ok(Math.max(...sizes.slice(1)) < sizes[0], `grows by being opened: ${sizes}`);
  assert.ok(Math.max(...sizes.slice(6)) < 1.25 * Math.max(...sizes.slice(1, 6)), `goes on growing: ${sizes}`);
}));

test("a database that somebody called like the one that is made and deleted for it stays", { timeout: 300_000 }, scenario(async (w) => {
  const server = w.keep(await startBlank());
  const tab = await (await w.browser("chrome")).open(server.url);
  const left = await tab.run(async () => {
    const opening = indexedDB.open("torn (log)");
    opening.onupgradeneeded = () => opening.result.createObjectStore("values").put("mine", 1);
    (await asked(opening)).close();
    const { Hypha } = await import("/pkg/index.js");
    const node = await Hypha.open({ name: "torn" });
    await node.signUp(await Hypha.generatePassphrase(), { device: "Torn" });
    const database = await asked(indexedDB.open("torn (log)"));
    return asked(database.transaction("values").objectStore("values").get(1));
  });
  assert.equal(left, "mine");
}));
