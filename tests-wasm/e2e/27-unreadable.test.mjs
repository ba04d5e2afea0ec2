// Guards against a record that the browser itself can no longer read: Chromium keeps values above 64 KiB in files of their
// own beside its database, and where such a file has gone, every reading of more than that record fails as a whole.

import assert from "node:assert/strict";
import { readdirSync, rmSync, statSync } from "node:fs";
import path from "node:path";
import test from "node:test";
import { scenario } from "./harness.mjs";
import { startBlank } from "./lib/blank.mjs";
import { until } from "./lib/wait.mjs";

/** Files of large values of a server's origin, in the order in which they came. */
function blobs(browser, { port }) {
  const folder = path.join(browser.profile, "Default/IndexedDB", `http_localhost_${port}.indexeddb.blob`);
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return files.map((entry) => path.join(entry.parentPath, entry.name)).sort((a, b) => statSync(a).mtimeMs - statSync(b).mtimeMs);
}

const open = (tab, words) => tab.run(async (words) => {
  const { Hypha } = await import("/pkg/index.js");
  window.told = [];
  window.node = await Hypha.open({ name: "unreadable" });
  node.addEventListener("storage", ({ detail }) => told.push(`${detail.code} ${detail.message}`));
  if (words) await node.signUp(words, { device: "First", remember: true });
  const found = [];
  for await (const { key } of node.home.list({ prefix: "log/" })) found.push(key);
  return `${node.state}: ${found}`;
}, words);

// From the end: which file goes, what stays, what comes of writing on.
const CASES = {
  "in the middle": [-2, "log/0,log/1", /^HyphaError: .* its stored entries were damaged, so it must sign in anew$/],
  // As if it had never been.
  "at the end": [-1, "log/0,log/1,log/2", /^written$/],
};

for (const [which, [at, left, writing]] of Object.entries(CASES)) test(`a journal record whose file has gone, ${which}, costs no more than what stood on it`, { timeout: 300_000 }, scenario(async (w) => {
  const server = w.keep(await startBlank());
  const browser = await w.browser("chrome");
  let tab = await browser.open(server.url);
  await open(tab, await tab.run(async () => (await import("/pkg/index.js")).Hypha.generatePassphrase()));
  // Of chance, since the browser packs what it can.
  const large = () => Uint8Array.from({ length: 150_000 }, () => Math.random() * 256);
  await tab.run(() => node.home.put("log/0", "short"));
  for (let n = 1; n < 4; n++) await tab.run((n, large) => node.home.put(`log/${n}`, new Function(`return (${large})()`)()), n, String(large));
  const files = blobs(browser, server);
  assert.ok(files.length >= 3, `${files.length} files of large values`);
  await browser.close();
  rmSync(files.at(at));
  await browser.relaunch();
  tab = await browser.open(server.url);
  assert.equal(await open(tab), `writer: ${left}`);
  await until("word of it", () => tab.run(() => /^CORRUPT .*journal record/.test(told.join())));
  assert.match(await tab.run(() => node.home.put("log/after", 1).then(() => "written", String)), writing);
  // Once more: nothing else goes.
  await browser.close();
  await browser.relaunch();
  tab = await browser.open(server.url);
  const after = (await open(tab)).split(",").filter((key) => key !== "log/after").join();
  assert.equal(after, `writer: ${left}`);
}));
