// Guards: a space of 100,000 entries is read from plain files by a visitor when every peer is offline and there is no hub,
// for kilobytes; what is altered on the way is refused and named, and the rest is read.

import assert from "node:assert/strict";
import test, { before } from "node:test";
import { scenario } from "./harness.mjs";
import { Browser } from "./lib/browser.mjs";
import { startBlank } from "./lib/blank.mjs";
import { startStatic } from "./lib/static.mjs";

const ENTRIES = 100_000;
const BUDGET = 200_000; // bytes of the snapshot for the newest 50
const WHERE = "/.well-known/hypha-snapshot/";
const made = {}; // what the first node exported: { link, files, older, newer, newest }

before(async () => {
  const blank = await startBlank();
  const browser = await Browser.launch("chrome");
  try {
    const tab = await browser.open(blank.url);
    const took = {};
    let from = Date.now();
    made.link = await tab.run(async (entries) => {
      const { Hypha } = await import("/pkg/index.js");
      window.hypha = await Hypha.open({ storage: "memory", transports: { tabs: false } });
      const home = await hypha.signUp(await Hypha.generatePassphrase(), { device: "Origin" });
      const number = (at) => `posts/${String(at).padStart(7, "0")}`;
      for (let at = 0; at < entries; at += 2000) {
        await Promise.all(Array.from({ length: 2000 }, (_, more) => home.put(number(at + more), { text: `Post number ${at + more} of many`, time: new Date() })));
      }
      await home.put("posts/9", "nobody's business", { private: true });
      window.exported = async (have) => {
        const files = [];
        for await (const { name, size, reused, blob } of home.exportSnapshot({ have })) {
          files.push({ name, size, reused, base64: blob && await new Promise((done) => {
            const reader = new FileReader();
            reader.onload = () => done(reader.result.slice(reader.result.indexOf(",") + 1));
            reader.readAsDataURL(blob);
          }) });
        }
        return files;
      };
      return home.link;
    }, ENTRIES);
    took.writing = Date.now() - from;
    from = Date.now();
    const files = await tab.run(() => exported());
    took.exporting = Date.now() - from;
    made.files = new Map(files.map(({ name, base64 }) => [name, Buffer.from(base64, "base64")]));
    made.older = made.files.get("head");
    await tab.run(() => hypha.home.put("posts/1000000", { text: "The newest of all", time: new Date() }));
    const again = await tab.run((have) => exported(have), [...made.files.keys()]);
    for (const { name, base64 } of again) if (base64) made.files.set(name, Buffer.from(base64, "base64"));
    made.newer = made.files.get("head");
    const all = again.reduce((sum, { size }) => sum + size, 0);
    const fresh = again.filter(({ reused }) => !reused).reduce((sum, { size }) => sum + size, 0);
    console.log(`${ENTRIES} entries written in ${took.writing} ms, exported in ${took.exporting} ms (with base64 and transport to the test): ${again.length} files, ${all} bytes, head ${made.newer.length}; one post more: ${fresh} bytes anew`);
    assert.ok(fresh * 2 < all, `${fresh} of ${all} bytes are new after one post`);
  } finally {
    await browser.stop();
    await blank.stop();
  }
});

/** A plain host with the snapshot; `alter(name, bytes)` says what it serves instead. */
async function host(w, { ranges = true, alter = (_, bytes) => bytes } = {}) {
  const server = w.keep(await startStatic({ ranges }));
  server.files.set("/.well-known/dat", Buffer.from(`${made.link}\n`));
  for (const [name, bytes] of made.files) server.files.set(WHERE + name, alter(name, bytes));
  return server;
}

/** Reads the newest posts in a fresh node: no hub, no peer. */
const read = (tab, { name, limit = 50, snapshot }) => tab.run(async ([name, limit, snapshot]) => {
  const { Hypha } = await import("/pkg/index.js");
  const hypha = await Hypha.open({ name, hubs: [], snapshot: snapshot ?? undefined, transports: { tabs: false } });
  const wrong = [];
  hypha.addEventListener("storage", ({ detail }) => detail?.code && wrong.push(`${detail.code} ${detail.message}`));
  const texts = [];
  let failed;
  try {
    for await (const entry of hypha.home.list({ prefix: "posts/", reverse: true, limit })) texts.push(entry.value.text);
  } catch (error) {
    failed = `${error.code} ${error.message}`;
  }
  const one = await hypha.home.get("posts/0012345").catch(() => undefined);
  const about = hypha.home.snapshot;
  await new Promise((done) => setTimeout(done, 20));
  await hypha.close();
  return { texts, wrong, failed, one: one?.value.text, state: hypha.state, bytes: about?.bytes, requests: about?.requests };
}, [name, limit, snapshot]);

const expected = (limit) => ["The newest of all", ...Array.from({ length: limit - 1 }, (_, at) => `Post number ${ENTRIES - 1 - at} of many`)];

for (const kind of ["chrome", "firefox"]) {
  test(`${kind}: the newest 50 of ${ENTRIES} entries, with nobody there, for kilobytes`, scenario(async (w) => {
    const server = await host(w);
    const tab = await (await w.browser(kind)).open(new URL("/icon.svg", server.url).href);
    const from = Date.now();
    const first = await read(tab, { name: "reader" });
    assert.deepEqual(first.texts, expected(50));
    assert.deepEqual([first.state, first.wrong, first.failed, first.one], ["visitor", [], undefined, "Post number 12345 of many"]);
    console.log(`${kind}: newest 50 and one by key: ${server.sent.bytes - made.link.length - 1} bytes in ${server.sent.requests} requests, ${Date.now() - from} ms from the opening on`);
    assert.ok(server.sent.bytes < BUDGET, `${server.sent.bytes} bytes`);

    // A host that ignores range requests gives whole files.
    const plain = await host(w, { ranges: false });
    const other = await (await w.browser(kind)).open(new URL("/icon.svg", plain.url).href);
    assert.deepEqual((await read(other, { name: "reader" })).texts, expected(50));
    console.log(`${kind}: the same from a host without ranges: ${plain.sent.bytes} bytes in ${plain.sent.requests} requests`);
  }));
}

test("what is altered on the host is refused and named, and the rest is read", scenario(async (w) => {
  const browser = await w.browser("chrome");
  const flip = (at) => (bytes) => {
    const altered = Buffer.from(bytes);
    altered[at < 0 ? altered.length + at : at] ^= 1;
    return altered;
  };
  const damaged = async (pick, change) => {
    const server = await host(w, { alter: (name, bytes) => (pick(name, bytes) ? change(bytes) : bytes) });
    const tab = await browser.open(new URL("/icon.svg", server.url).href);
    return read(tab, { name: "reader" });
  };
  // The newest entry that is a post ends the last segment but for one private entry; the entry of number 12,345 stands in another file.
  const holds = (text) => (name, bytes) => name !== "head" && bytes.includes(text);
  const newest = Buffer.from(`Post number ${ENTRIES - 7} of many`);
  const data = await damaged(holds(newest), (bytes) => flip(bytes.indexOf(newest) + 3)(bytes));
  assert.deepEqual(data.texts, expected(51).filter((text) => text !== newest.toString()).slice(0, 50));
  assert.match(data.wrong.join(), /CORRUPT an entry of the snapshot is damaged/);
  assert.equal(data.one, "Post number 12345 of many");

  // The page of the index that holds the newest keys: those are left out, others are found.
  const key = Buffer.from("posts/1000000");
  const index = await damaged((name, bytes) => name !== "head" && bytes.lastIndexOf(key) > 0 && !bytes.includes("The newest of all"), (bytes) => flip(bytes.lastIndexOf(key))(bytes));
  assert.match([...index.wrong, index.failed].join(), /CORRUPT (a page of the index|the map) of the snapshot is damaged/);
  assert.ok(!index.texts.includes("The newest of all"));

  const head = await damaged((name) => name === "head", flip(-70));
  assert.deepEqual(head.texts, []);
  assert.match(head.wrong.join(), /CORRUPT the snapshot's head is damaged or forged/);

  // An older snapshot, whole and rightly signed, in the place of the newer one that was read before.
  const server = await host(w);
  const tab = await browser.open(new URL("/icon.svg", server.url).href);
  assert.equal((await read(tab, { name: "reader" })).texts[0], "The newest of all");
  server.files.set(`${WHERE}head`, made.older);
  const old = await read(tab, { name: "reader" });
  assert.deepEqual(old.texts, []);
  assert.match(old.wrong.join(), /CORRUPT this snapshot is older than one that was read here before/);
  // Who never read the newer one reads the older one: nobody can tell it.
  const stranger = await (await w.browser("chrome")).open(new URL("/icon.svg", server.url).href);
  assert.equal((await read(stranger, { name: "reader" })).texts[0], `Post number ${ENTRIES - 1} of many`);
}));

test("the page on a plain host shows the posts", scenario(async (w) => {
  const server = await host(w);
  const tab = await (await w.browser("chrome")).open(server.url);
  const texts = await tab.waitCount("post-item", 100, { timeout: 90_000 });
  assert.ok(texts.some((text) => text.includes("The newest of all")));
  await tab.waitText("copy-note", /copy/);
  console.log(`the page, 100 posts: ${server.sent.bytes} bytes of the snapshot in ${server.sent.requests} requests`);
}));
