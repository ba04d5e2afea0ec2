// Guards what a page loads before its first write: how much until a set-up is confirmed, and how much until it is stored;
// that the later parts of the module come by themselves and before they are needed; and what happens when one is missing
// in the middle of something, cannot be had, or is of another build.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import test from "node:test";
import { gzipSync } from "node:zlib";
import { scenario } from "./harness.mjs";
import { startBlank } from "./lib/blank.mjs";
import { MEETING, address, approve, askToSignIn, hide, inState, post, reads, setUp } from "./lib/person.mjs";
import { startStatic } from "./lib/static.mjs";
import { until } from "./lib/wait.mjs";

const LARGEST = 158 * 1024; // bytes, gzip, until a set-up is confirmed
const LARGEST_SET_UP = 264 * 1024; // and until it is stored
const SETUP = "/pkg/wasm/core_setup.wasm";
const POSTS = "/pkg/wasm/core_posts.wasm";
const REST = "/pkg/wasm/core_rest.wasm";
const LATER = [SETUP, POSTS, REST];

const marks = (tab, name) => tab.run((name) => performance.getEntriesByName(name).length, name);
const hasRest = (tab) => until("the rest of the module", async () => (await marks(tab, "hypha-rest")) === 1);
const neverAtOnce = async (...tabs) => {
  for (const tab of tabs) {
    const stacks = await tab.run(() => performance.getEntriesByName("hypha-rest-at-once").map(({ detail }) => detail));
    // Numbers of functions: their names are in <target>/hypha-parts/names-0.txt.
    assert.deepEqual(stacks, [], "the page had to stand still for the rest: after changes to the library, `cargo xtask profile`");
  }
};

/** Marks the moment at which the page knows that a set-up is stored. */
const noteStored = (tab) => tab.run(() => new MutationObserver((_, self) => {
  if (!document.querySelector("[data-testid=state][data-state=writer]")) return;
  performance.mark("stored");
  self.disconnect();
}).observe(document, { subtree: true, childList: true, attributes: true }));

/** Paths of what was asked for after that only. */
const sinceStored = (tab) => tab.run(() => {
  const [{ startTime: stored }] = performance.getEntriesByName("stored");
  const asked = performance.getEntriesByType("resource").map(({ name, startTime }) => [new URL(name).pathname, startTime > stored]);
  const before = new Set(asked.filter(([, isLater]) => !isLater).map(([path]) => path));
  return asked.map(([path]) => path).filter((path) => !before.has(path));
});

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

async function weigh(t, when, loaded, largest) {
  let sum = 0;
  const list = [];
  for (const [path, size] of loaded) {
    sum += await size;
    list.push(`${path} ${await size}`);
  }
  t.diagnostic(`${when}: ${list.length} files, ${(sum / 1024).toFixed(1)} KiB gzip: ${list.sort().join(", ")}`);
  assert.ok(loaded.has("/pkg/wasm/core_bg.wasm"), "what is counted is the page");
  assert.ok(sum <= largest, `${sum} bytes, gzipped, were loaded ${when}; the most is ${largest}`);
}

test("before the first write little is loaded; afterwards the rest, and all works", scenario(async (w, t) => {
  const server = await w.server();
  const hub = await w.hub("embedded");
  const query = { hub: hub.url };
  const { tab: origin, loaded } = await counted(await w.browser("chrome"), address(server.claim, query));
  await inState(origin, "uninitialised");
  await hide(origin);
  await neverAtOnce(origin);
  await noteStored(origin);
  let opened;
  const words = await setUp(origin, { device: "first device", remember: true, before: () => (opened = new Map(loaded)) });
  const stored = new Map(loaded);
  // A busy machine may come to ask only when more is on its way: by the page's own clock that was later.
  for (const path of await sinceStored(origin)) stored.delete(path);
  await neverAtOnce(origin);
  assert.deepEqual(LATER.filter((path) => opened.has(path)), [], "later parts were loaded before the set-up was confirmed");
  assert.ok(stored.has(SETUP) && !stored.has(REST), "of later parts the set-up needs the first");
  assert.ok(await origin.run(() => performance.getEntriesByName("hypha-rest").every(({ startTime }) => startTime > performance.getEntriesByName("stored")[0].startTime)));
  await post(origin, "first");
  await weigh(t, "until the set-up is confirmed", opened, LARGEST);
  // What posts need may come as soon as the set-up is stored.
  stored.delete(LATER[1]);
  await weigh(t, "until it is stored", stored, LARGEST_SET_UP);
  const names = [...stored.keys()].filter((path) => !path.startsWith("/.well-known/") && path !== "/" && !LATER.includes(path));
  assert.deepEqual(names.sort(), counts(), "what `cargo xtask size` counts is what is loaded");
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

/** Names of the module's parts that the page has asked for, and who asked. */
const partsAsked = (tab) => tab.run(() => performance.getEntriesByType("resource")
  .map(({ name, initiatorType }) => [name.match(/core_\w+(?=\.wasm$)/)?.[0], initiatorType]).filter(([part]) => part));

for (const kind of ["chrome", "firefox"]) {
  test(`the page's own markup fetches the module, once: ${kind}`, scenario(async (w) => {
    const host = w.keep(await startStatic());
    const tab = await (await w.browser(kind)).open(host.url);
    await inState(tab, "uninitialised");
    assert.deepEqual((await partsAsked(tab)).find(([part]) => part === "core_bg"), ["core_bg", "link"]);
    assert.equal(host.paths.filter((path) => path.endsWith("/core_bg.wasm")).length, 1);
  }));

  test(`init fetches what will be needed, and a node that is opened then nothing more: ${kind}`, scenario(async (w) => {
    const server = w.keep(await startBlank());
    const tab = await (await w.browser(kind)).open(server.url);
    const init = async () => {
      await tab.run(async () => {
        window.Hypha = (await import("/pkg/index.js")).Hypha;
        await Hypha.init();
      });
      return (await partsAsked(tab)).map(([part]) => part).sort();
    };
    assert.deepEqual(await init(), ["core_bg"], "a browser that was never here");
    await tab.run(async () => {
      const hypha = await Hypha.open({ name: "early" });
      await hypha.signUp(await Hypha.generatePassphrase(), { device: "one", remember: true });
      await hypha.close();
    });
    await tab.reload();
    const all = ["core_bg", "core_posts", "core_rest", "core_setup"];
    assert.deepEqual(await init(), all, "one that was");
    assert.equal(await tab.run(async () => (await Hypha.open({ name: "early" })).state), "writer");
    assert.deepEqual((await partsAsked(tab)).map(([part]) => part).sort(), all);
    await neverAtOnce(tab);
  }));

  test(`words with hyphens or none, short or long, are set up with what is there for it: ${kind}`, scenario(async (w) => {
    const server = w.keep(await startBlank());
    const tab = await (await w.browser(kind)).open(server.url);
    for (const words of ["yo-yo t-shirt felt-tip drop-down ".repeat(2), "abdomen-abdominal-abide-ability-".repeat(4), "acid acre afar aged ahoy alarm acid acre"]) {
      await tab.reload();
      await tab.run(async (words) => {
        const { Hypha } = await import("/pkg/index.js");
        const hypha = await Hypha.open({ storage: "memory" });
        await hypha.signUp(words, { device: "one" });
      }, words);
      await neverAtOnce(tab);
    }
  }));

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

// By the protocol itself: what puppeteer has for this waits for a page that waits for the answer.
const offline = (requestId) => ["Fetch.failRequest", { requestId, errorReason: "InternetDisconnected" }];
const missing = (requestId) => ["Fetch.fulfillRequest", { requestId, responseCode: 404 }];

/** The same file with the mark of another build. */
function ofAnotherBuild(path) {
  const text = readFileSync(new URL(`../..${path}`, import.meta.url), "latin1");
  assert.match(text, MARK);
  const body = Buffer.from(text.replaceAll(new RegExp(MARK, "g"), "build-0123456789abcdef"), "latin1").toString("base64");
  return (requestId) => ["Fetch.fulfillRequest", { requestId, responseCode: 200, responseHeaders: [{ name: "content-type", value: "application/wasm" }], body }];
}
const MARK = /build-[0-9a-f]{16}/;

/** A tab with a node of its own, `hypha`, and `answer(path, how)`: what answers requests for it instead of the server. */
async function beside(w) {
  const server = await w.server();
  // No page with a node of its own.
  const tab = await (await w.browser("chrome")).open(new URL("/pkg/package.json", server.url).href);
  await tab.page.evaluateOnNewDocument(countFetches);
  await tab.reload();
  const answers = new Map();
  const protocol = await tab.page.createCDPSession();
  protocol.on("Fetch.requestPaused", ({ requestId, request }) => {
    const answer = answers.get(new URL(request.url).pathname) ?? ((requestId) => ["Fetch.continueRequest", { requestId }]);
    protocol.send(...answer(requestId)).catch(() => {}); // the page may be gone
  });
  await protocol.send("Fetch.enable", { patterns: [{ urlPattern: "*/pkg/wasm/*" }] });
  const open = () => tab.run(async () => {
    const { Hypha } = await import("/pkg/index.js");
    window.hypha = await Hypha.open({ name: "beside" });
    window.words ??= await Hypha.generatePassphrase();
    return hypha.state;
  });
  /** From now on requests for a path are answered like that, by the server without `answer`; what was asked for before is over. */
  const answer = async (path, answer) => {
    if (answer) answers.set(path, answer);
    else answers.delete(path);
    await until("the end of what was fetched", () => tab.run(() => window.fetching === 0));
  };
  return { tab, answer, open };
}

/** A node asks for parts in calm moments too: `fetching` says whether one is under way. */
function countFetches() {
  const { fetch } = window;
  window.fetching = 0;
  window.fetch = async (...given) => {
    window.fetching++;
    try {
      return await fetch(...given);
    } finally {
      window.fetching--;
    }
  };
  window.coded = (promise) => promise.then(() => "done", ({ code, message }) => ((window.why = message), code));
}

/** That a call ends like that; if not, the node's own words say why. */
async function ends(tab, asks, outcome) {
  const found = await asks(tab);
  assert.equal(found, outcome, `${found}, not ${outcome}: ${found === "done" ? "" : await tab.run(() => window.why)}`);
}

const signUp = (tab) => tab.run(() => coded(hypha.signUp(words, { device: "one", remember: true })));
const put = (tab, key) => tab.run((key) => coded(hypha.home.put(key, { n: 1 })), key);
const keys = (tab) => tab.run(async () => {
  const found = [];
  for await (const { key } of hypha.home.list()) found.push(key);
  return found;
});

const garden = (tab) => tab.run(() => coded(hypha.createSpace({ title: "Garden" }).then(({ title }) => title === "Garden" || Promise.reject({ code: title }))));
const state = (tab) => tab.run(() => hypha.state);

/** Of each part: what is done before it is asked for, what asks for it, and what is there once that is done. */
const PARTS = [
  { path: SETUP, before: [], asks: signUp, kept: [], states: ["uninitialised", "writer"] },
  { path: POSTS, before: [signUp], asks: (tab) => put(tab, "a"), kept: ["a"], states: ["writer", "writer"] },
  { path: REST, before: [signUp, (tab) => put(tab, "a")], asks: garden, kept: ["a"], states: ["writer", "writer"] },
];

for (const { path, before, asks, kept, states } of PARTS) {
  const name = path.match(/core_(\w+)/)[1];

  test(`a later part that cannot be had is told by the call that needs it, and the next call tries again: ${name}`, scenario(async (w) => {
    const { tab, answer, open } = await beside(w);
    await open();
    await answer(path, offline);
    for (const first of before) await ends(tab, first, "done");
    for (const [given, code] of [[offline, "OFFLINE"], [missing, "UPDATE"], [offline, "OFFLINE"]]) {
      await answer(path, given);
      await ends(tab, asks, code);
      assert.equal(await state(tab), states[0], "what was stays");
    }
    await answer(path, undefined);
    await ends(tab, asks, "done");
    assert.equal(await state(tab), states[1]);
    assert.deepEqual(await keys(tab), kept);
    await ends(tab, (tab) => put(tab, "b"), "done");
    await tab.reload();
    assert.equal(await open(), "writer");
    assert.deepEqual(await keys(tab), [...kept, "b"]);
    tab.forgive(/ERR_INTERNET_DISCONNECTED|404/);
  }));

  test(`a mixture of two builds is refused, and nothing is stored by it; after a reload all works: ${name}`, scenario(async (w) => {
    const { tab, answer, open } = await beside(w);
    await open();
    await answer(path, ofAnotherBuild(path));
    for (const first of before) await ends(tab, first, "done");
    await ends(tab, asks, "UPDATE");
    // It stays so.
    await ends(tab, asks, "UPDATE");
    assert.equal(await state(tab), states[0]);
    await answer(path, undefined);
    await tab.reload();
    assert.equal(await open(), states[0]);
    assert.equal(await tab.run(() => hypha.spaces().length), before.length > 0 ? 1 : 0, "nothing came of it");
    await ends(tab, asks, "done");
    await ends(tab, (tab) => put(tab, "b"), "done");
    await tab.reload();
    assert.equal(await open(), "writer");
    assert.deepEqual(await keys(tab), [...kept, "b"]);
  }));
}

test("what cannot be had in the middle of something gives that up; what was stored is there after a reload", scenario(async (w) => {
  const { tab, answer, open } = await beside(w);
  await tab.run(async () => {
    const { wasm } = await import("/pkg/wasm.js");
    const { Core } = (await wasm()).core;
    const plain = Core.open;
    Core.open = async (...given) => (window.core = await plain(...given));
  });
  await open();
  await answer(REST, offline);
  await ends(tab, signUp, "done");
  await ends(tab, (tab) => put(tab, "a"), "done");
  // The module itself, without the package, which would ask for the rest before.
  assert.equal(await tab.run(() => { try { core.createSpace("Garden"); return "begun"; } catch ({ code }) { return code; } }), "OFFLINE");
  assert.deepEqual([await put(tab, "b"), await garden(tab)], ["OFFLINE", "OFFLINE"], "it does nothing any more, and says so");
  assert.equal(await state(tab), "writer", "what was known stays readable");
  await answer(REST, undefined);
  await tab.reload();
  assert.equal(await open(), "writer");
  assert.deepEqual([await keys(tab), await tab.run(() => hypha.spaces().length)], [["a"], 1]);
  assert.deepEqual([await put(tab, "b"), await garden(tab)], ["done", "done"]);
  tab.forgive(/ERR_INTERNET_DISCONNECTED/);
}));
