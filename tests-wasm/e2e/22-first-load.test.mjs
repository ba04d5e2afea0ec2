// Guards what a page loads before its first write: how much, that the rest of the module is not among it, that it comes
// by itself afterwards and before it is needed, and what happens when it is missing in the middle of something.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import test from "node:test";
import { gzipSync } from "node:zlib";
import { scenario } from "./harness.mjs";
import { MEETING, address, approve, askToSignIn, inState, post, reads, setUp } from "./lib/person.mjs";
import { until } from "./lib/wait.mjs";

const LARGEST = 345 * 1024; // bytes, gzip
const REST = "/pkg/wasm/core_rest.wasm";

const marks = (tab, name) => tab.run((name) => performance.getEntriesByName(name).length, name);
const hasRest = (tab) => until("the rest of the module", async () => (await marks(tab, "hypha-rest")) === 1);
const neverAtOnce = async (...tabs) => {
  for (const tab of tabs) {
    const stacks = await tab.run(() => performance.getEntriesByName("hypha-rest-at-once").map(({ detail }) => detail));
    // Numbers of functions: their names are in <target>/hypha-parts/first-names.txt.
    assert.deepEqual(stacks, [], "the page had to stand still for the rest");
  }
};

/** Paths of what `cargo xtask size` adds up, but for the page itself. */
function counts() {
  const [program, ...args] = process.env.HYPHA_XTASK ? [process.env.HYPHA_XTASK] : ["cargo", "run", "--quiet", "--package", "xtask", "--"];
  const table = execFileSync(program, [...args, "size"], { encoding: "utf8" });
  return [...table.matchAll(/^ {2}(\S+\.\w+) +\d+ +\d+$/gm)].map(([, path]) => `/${path}`).filter((path) => path !== "/index.html").sort();
}

/** A tab whose answers are counted, by path: gzipped bytes of each. */
async function counted(browser, url) {
  const tab = await browser.open("about:blank");
  const loaded = new Map();
  tab.page.on("response", (response) => {
    const path = new URL(response.url()).pathname;
    if (!response.url().startsWith("http") || response.status() !== 200) return;
    loaded.set(path, response.buffer().then((body) => gzipSync(body, { level: 9 }).length, () => 0));
  });
  await tab.goto(url);
  return { tab, loaded };
}

test("before the first write little is loaded; afterwards the rest, and all works", scenario(async (w, t) => {
  const server = await w.server();
  const hub = await w.hub("embedded");
  const query = { hub: hub.url };
  const { tab: origin, loaded } = await counted(await w.browser("chrome"), address(server.claim, query));
  await inState(origin, "uninitialised");
  const words = await setUp(origin, { device: "first device", remember: true });
  await neverAtOnce(origin);
  assert.ok(!loaded.has(REST), "the rest was loaded before the first write");
  assert.equal(await marks(origin, "hypha-rest"), 0);
  const before = new Map(loaded);
  await post(origin, "first");
  let sum = 0;
  const list = [];
  for (const [path, size] of before) {
    sum += await size;
    list.push(`${path} ${await size}`);
  }
  t.diagnostic(`${list.length} files, ${(sum / 1024).toFixed(1)} KiB gzip: ${list.sort().join(", ")}`);
  assert.ok(before.has("/pkg/wasm/core_bg.wasm") && before.has("/pkg/worker.js"), "what is counted is the page");
  assert.deepEqual([...before.keys()].filter((path) => !path.startsWith("/.well-known/") && path !== "/").sort(), counts(), "what `cargo xtask size` counts is what is loaded");
  assert.ok(sum <= LARGEST, `${sum} bytes, gzipped, were loaded before the first write; the most is ${LARGEST}`);
  await hasRest(origin);

  const visitor = await (await w.browser("firefox")).open(address(server.url, query));
  await inState(visitor, "visitor");
  await reads(visitor, ["first"]);
  await hasRest(visitor);
  const asked = await askToSignIn(visitor, words, "second device");
  await approve(origin, asked);
  await inState(visitor, "writer");
  await post(visitor, "second");
  for (const tab of [origin, visitor]) await reads(tab, ["first", "second"]);
  await origin.reload();
  await inState(origin, "writer");
  await post(origin, "third", { secret: true });
  for (const tab of [origin, visitor]) await reads(tab, ["first", "second", "third"]);
  await neverAtOnce(origin, visitor);
}));

for (const kind of ["chrome", "firefox"]) {
  test(`the rest is fetched at once if it is missing in the middle of something: ${kind}`, scenario(async (w) => {
    const server = await w.server();
    // No page with a node of its own.
    const tab = await (await w.browser(kind)).open(new URL("/pkg/package.json", server.url).href);
    const title = await tab.run(async () => {
      // The module itself, without all that waits for the rest before it asks for something.
      const { wasm } = await import("/pkg/wasm.js");
      const { Core } = (await wasm()).core;
      const open = Core.open;
      Core.open = async (...given) => (window.core = await open(...given));
      const { Hypha } = await import("/pkg/index.js");
      const hypha = (window.hypha = await Hypha.open({ name: "another" }));
      await hypha.signUp(await Hypha.generatePassphrase(), { device: "one", remember: true });
      const key = await core.createSpace("Garden");
      return hypha.spaces().find((space) => space.key === key).title;
    });
    assert.equal(title, "Garden");
    assert.equal(await marks(tab, "hypha-rest-at-once"), 1);
    await tab.run(() => hypha.home.put("a", { n: 1 }));
    assert.equal(await tab.run(async () => (await hypha.home.get("a")).value.n), 1);
  }));
}
