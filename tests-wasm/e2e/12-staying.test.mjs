// Guards that what is kept stays, and that whoever loses it learns of it: a full disk, storage that the browser took
// back, an old profile that was put back, the whole node as a file.

import assert from "node:assert/strict";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import test from "node:test";
import { scenario } from "./harness.mjs";
import { startBlank } from "./lib/blank.mjs";
import { address, inState, post, setUp } from "./lib/person.mjs";
import { until } from "./lib/wait.mjs";

/** Opens a node in a tab as `window.node`; every `storage` event is kept in `window.told`. */
const open = (tab, options) => tab.run(async (options) => {
  const { Hypha } = await import("/pkg/index.js");
  window.Hypha = Hypha;
  window.node = await Hypha.open(options);
  window.told = [];
  node.addEventListener("storage", ({ detail }) => told.push({ ...detail, code: detail.code, text: detail.message }));
  window.until = async (what, done) => {
    for (const end = Date.now() + 120_000; Date.now() < end; ) {
      if (await done()) return;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    throw new Error(`never ${what}: ${node.state} ${JSON.stringify(told)}`);
  };
  // Nothing that the browser could press together.
  window.noise = (length) => {
    const bytes = new Uint8Array(length);
    for (let at = 0; at < length; at += 50_000) crypto.getRandomValues(bytes.subarray(at, Math.min(length, at + 50_000)));
    return bytes;
  };
  // The browser takes a while to see that there is room.
  window.putWithRoom = (key) => until("room", () => node.home.put(key, noise(500_000)).then(() => true, ({ code }) => (code === "QUOTA" ? false : Promise.reject(code))));
  window.keys = async (space = node.home) => {
    const keys = [];
    for await (const { key } of space.list()) keys.push(key);
    return keys;
  };
  return node.state;
}, options);

const signUp = (tab) => tab.run(async () => {
  const passphrase = await Hypha.generatePassphrase();
  await node.signUp(passphrase, { device: "First", remember: true });
  return passphrase;
});

const write = (tab, keys) => tab.run((keys) => Promise.all(keys.map((key) => node.home.put(key, key))).then(() => {}), keys);
const names = (prefix, count) => Array.from({ length: count }, (_, n) => `${prefix}/${String(n).padStart(3, "0")}`);

test("a full disk says QUOTA and leaves the node readable; what was confirmed is there, and nothing else, in each tab", scenario(async (w) => {
  const server = w.keep(await startBlank());
  const browser = await w.browser("chrome");
  const [tab, other] = [await browser.open(server.url), await browser.open(server.url)];
  const session = await tab.page.createCDPSession();
  const room = (quotaSize) => session.send("Storage.overrideQuotaForOrigin", { origin: new URL(server.url).origin, quotaSize });
  // Before the first database: the browser asks once how much room there is, and counts from there for a while.
  await room(2_000_000);
  await open(tab, { name: "full" });
  await signUp(tab);
  await write(tab, names("small", 10));
  await open(other, { name: "full" });
  for (const one of [tab, other]) {
    await one.run(() => {
      window.shown = new Map();
      node.home.watch("large/", (changes) => changes.forEach(({ key, value }) => (value === undefined ? shown.delete(key) : shown.set(key, true))));
    });
  }
  const full = await tab.run(async () => {
    const outcome = (work) => work.then(() => "ok", ({ constructor, code }) => `${constructor.name} ${code}`);
    const confirmed = [];
    let failed;
    for (let n = 0; n < 50 && !failed; n++) {
      const result = await outcome(node.home.put(`large/${n}`, noise(200_000)));
      if (result === "ok") confirmed.push(`large/${n}`);
      else failed = result;
    }
    const read = (await node.home.get("small/003")).value;
    const again = await outcome(node.home.put(`large/${confirmed.length}`, noise(1_000_000)));
    return { failed, again, confirmed, read, codes: told.map(({ code }) => code) };
  });
  assert.equal(full.failed, "HyphaError QUOTA", JSON.stringify(full));
  assert.equal(full.again, "HyphaError QUOTA", JSON.stringify(full));
  assert.equal(full.read, "small/003");
  assert.ok(full.codes.includes("QUOTA"), `${full.codes}`);
  // What was refused is no longer listed, and who watches is told; nobody has to reload for it.
  for (const one of [tab, other]) {
    await one.run(async (confirmed) => until("withdrawn", async () => {
      const listed = (await keys()).filter((key) => key.startsWith("large/"));
      return node.state === "writer" && [listed, [...shown.keys()]].every((found) => `${found.sort()}` === `${confirmed}`);
    }), [...full.confirmed].sort());
  }
  // The same works when there is room, in each of the tabs.
  await room(500_000_000);
  for (const [one, key] of [[tab, "large/x"], [other, "large/y"]]) {
    await one.run((key) => putWithRoom(key), key);
  }
  await tab.reload();
  assert.equal(await open(tab, { name: "full" }), "writer");
  assert.deepEqual(await tab.run(() => keys()), [...full.confirmed, ...names("small", 10), "large/x", "large/y"].sort());
  await write(tab, ["after"]);
}));

test("before the room is used up the page is told, once for each level", scenario(async (w) => {
  const server = w.keep(await startBlank());
  const tab = await (await w.browser("chrome")).open(server.url);
  // Browsers tell pages of very different amounts of room: here they say what is wanted.
  await tab.run(() => {
    window.usage = 50;
    navigator.storage.estimate = async () => ({ usage, quota: 100 });
  });
  await open(tab, { name: "filling" });
  await signUp(tab);
  assert.deepEqual(await tab.run(() => told), []);
  for (const [usage, level] of [[85, 0.8], [97, 0.95]]) {
    await tab.run((now) => {
      usage = now;
      return node.close();
    }, usage);
    await open(tab, { name: "filling" });
    await tab.run(() => until("a warning", () => told.length > 0));
    await write(tab, ["a", "b"]);
    const [warning, ...more] = await tab.run(() => told);
    assert.deepEqual([warning.kind, warning.level, warning.usage, more], ["filling", level, usage, []]);
    assert.match(warning.text, /\d\d % of the room/);
  }
}));

test("Chromium tells of no room that ends, and the page is told all the same before it does; freed room is used", scenario(async (w, t) => {
  const server = w.keep(await startBlank());
  const tab = await (await w.browser("chrome")).open(server.url);
  const session = await tab.page.createCDPSession();
  // So much that what the browser takes while it tidies up its database is little beside what is left.
  const quotaSize = 480_000_000;
  await session.send("Storage.overrideQuotaForOrigin", { origin: new URL(server.url).origin, quotaSize });
  // Something else of this site takes most of it: a file that is empty, but counts by its length.
  await tab.run(async (length) => {
    const file = await (await navigator.storage.getDirectory()).getFileHandle("other", { create: true });
    const stream = await file.createWritable();
    await stream.truncate(length);
    await stream.close();
  }, 0.79 * quotaSize);
  await open(tab, { name: "fills" });
  await signUp(tab);
  const filled = await tab.run(async (quotaSize) => {
    const told = window.told;
    const used = async () => (await navigator.storage.estimate()).usage;
    const confirmed = [];
    const put = async (length) => {
      await node.home.put(`n/${confirmed.length}`, noise(length));
      confirmed.push(`n/${confirmed.length}`);
    };
    const { quota, usage } = await navigator.storage.estimate();
    const early = told.length;
    const at = {};
    let failed;
    // Faster than it looks: so it is given the time to, at both levels, while single small things are written.
    for (const [part, level] of [[0.83, 0.8], [0.955, 0.95]]) {
      // What the browser has written but tidies up later counts as well, until it does.
      const fill = async () => {
        while ((await used()) < part * quotaSize) await put(400_000);
      };
      await until(`${level}`, async () => {
        await fill();
        await put(100);
        await new Promise((resolve) => setTimeout(resolve, 200));
        return told.some((notice) => notice.level === level);
      });
      at[level] = (await used()) / quotaSize;
    }
    const before = told.map(({ kind, level }) => `${kind} ${level}`);
    for (let n = 0; n < 400 && !failed; n++) await put(200_000).catch(({ code }) => (failed = code));
    return { far: quota - usage > 1e9, early, at, before, failed, confirmed, text: told[0].text,
      later: await node.home.put("later", new Uint8Array(1_000_000)).catch(({ code }) => code), read: (await node.home.get("n/3")).value.length, listed: await keys() };
  }, quotaSize);
  t.diagnostic(`told at ${Object.entries(filled.at).map(([level, at]) => `${level}: ${at.toFixed(3)} of the room used`).join(", ")}; ${filled.confirmed.length} entries`);
  assert.ok(filled.far, "Chromium does say how much there is: then nobody has to ask otherwise");
  assert.deepEqual([filled.early, filled.before, filled.failed, filled.later], [0, ["filling 0.8", "filling 0.95"], "QUOTA", "QUOTA"]);
  assert.match(filled.text, /\d\d % of the room/);
  assert.equal(filled.read, 400_000);
  assert.deepEqual(filled.confirmed.filter((key) => !filled.listed.includes(key)), [], "what was confirmed stays readable");
  // The same page goes on once there is room.
  await tab.run(async () => {
    await (await navigator.storage.getDirectory()).removeEntry("other");
    await putWithRoom("freed");
  });
  await write(tab, names("after", 5));
  await tab.reload();
  assert.equal(await open(tab, { name: "fills" }), "writer");
  assert.deepEqual(await tab.run(() => keys()), [...filled.confirmed, "freed", ...names("after", 5)].sort(), "what was confirmed, and nothing else");
}));

test("Firefox, full: what was refused is withdrawn, and the same page goes on when there is room", scenario(async (w, t) => {
  const server = w.keep(await startBlank());
  // In KiB, for all sites; one of them gets a fifth.
  const tab = await (await w.browser("firefox", { prefs: { "dom.quotaManager.temporaryStorage.fixedLimit": 100_000 } })).open(server.url);
  await tab.run(async () => {
    const request = indexedDB.open("other");
    request.onupgradeneeded = () => request.result.createObjectStore("bytes");
    const other = await asked(request);
    for (let n = 0; n < 12; n++) {
      const bytes = new Uint8Array(500_000);
      for (let at = 0; at < bytes.length; at += 50_000) crypto.getRandomValues(bytes.subarray(at, at + 50_000));
      await asked(other.transaction("bytes", "readwrite").objectStore("bytes").put(bytes, n));
    }
    other.close();
  });
  await open(tab, { name: "full" });
  await signUp(tab);
  const { confirmed, failed, withdrawn } = await tab.run(async () => {
    const confirmed = [];
    let failed;
    for (let n = 0; n < 50 && !failed; n++) {
      await node.home.put(`large/${n}`, noise(400_000)).then(() => confirmed.push(`large/${n}`), ({ code }) => (failed = code));
    }
    return { confirmed: confirmed.sort(), failed, withdrawn: (await node.home.get(`large/${confirmed.length}`)) === undefined };
  });
  t.diagnostic(`${confirmed.length} entries of 400 KB until it was full`);
  assert.deepEqual([failed, withdrawn], ["QUOTA", true]);
  assert.deepEqual(await tab.run(() => keys()), confirmed);
  await tab.run(async () => {
    await asked(indexedDB.deleteDatabase("other"));
    await putWithRoom("freed");
  });
  await tab.reload();
  assert.equal(await open(tab, { name: "full" }), "writer");
  assert.deepEqual(await tab.run(() => keys()), ["freed", ...confirmed].sort());
}));

test("a reader whose disk is full stays readable, tries now and then, and has all when there is room", scenario(async (w, t) => {
  const server = await w.server();
  const blank = new URL("/icon.svg", server.url).href;
  const writer = await (await w.browser("chrome")).open(blank);
  await open(writer, { name: "writer", hubs: [server.hub] });
  await signUp(writer);
  const link = await writer.run(() => node.home.link);
  const reader = await (await w.browser("chrome")).open(blank);
  const session = await reader.page.createCDPSession();
  const room = (quotaSize) => session.send("Storage.overrideQuotaForOrigin", { origin: new URL(server.url).origin, quotaSize });
  await room(2_000_000);
  await reader.run(() => {
    window.opens = [];
    const { open } = IDBFactory.prototype;
    IDBFactory.prototype.open = function (name, ...rest) {
      // A node opens its database by two requests at once.
      if (name === "reader" && !(performance.now() - opens.at(-1) < 200)) opens.push(performance.now());
      return open.call(this, name, ...rest);
    };
  });
  await open(reader, { name: "reader", hubs: [server.hub], link });
  const written = await writer.run(async () => {
    let n = 0;
    for (const end = Date.now() + 15_000; Date.now() < end; n++) {
      await node.home.put(`n/${String(n).padStart(3, "0")}`, noise(200_000));
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    return n;
  });
  const { codes, gaps, listed } = await reader.run(async () => ({
    codes: [...new Set(told.filter(({ kind }) => kind !== "filling").map(({ code }) => code))], listed: (await keys()).length, gaps: opens.slice(1).map((at, n) => Math.round(at - opens[n])),
  }));
  t.diagnostic(`${written} written, ${listed} listed; opened anew after ${gaps.join(", ")} ms`);
  assert.deepEqual(codes, ["QUOTA"]);
  assert.ok(listed < written, "it is full");
  // At once, and then after two seconds and more, ever longer.
  assert.ok(gaps.length >= 2 && gaps.length <= 6 && gaps.slice(1).every((gap) => gap >= 1_900), `${gaps}`);
  await room(500_000_000);
  await reader.run((written) => until("all", async () => (await keys()).length === written), written);
}));

test("a database that was taken away under an open node fails what it cannot keep, and is missed afterwards", scenario(async (w) => {
  const server = w.keep(await startBlank());
  const browser = await w.browser("chrome");
  const [tab, other] = [await browser.open(server.url), await browser.open(server.url)];
  await open(tab, { name: "taken" });
  assert.equal(await tab.run(() => node.evicted), undefined);
  await signUp(tab);
  const link = await tab.run(() => node.home.link);
  await write(tab, names("a", 5));
  // The node is asked to give way (versionchange), and does: the deletion is not blocked.
  const deleted = await other.run(() => new Promise((resolve, reject) => {
    const request = indexedDB.deleteDatabase("taken");
    request.onsuccess = () => resolve("deleted");
    request.onerror = () => reject(request.error);
    setTimeout(() => resolve("blocked"), 60_000);
  }));
  assert.equal(deleted, "deleted");
  const outcome = await tab.run(() => node.home.put("b", 1).then(() => "ok", ({ constructor, code }) => `${constructor.name} ${code}`));
  assert.equal(outcome, "HyphaError STORAGE", "nothing is confirmed that is not kept");
  assert.equal(await tab.run(async () => (await node.home.get("a/001")).value), "a/001");
  await tab.reload();
  assert.equal(await open(tab, { name: "taken" }), "uninitialised");
  await tab.run(() => until("told", () => told.length > 0));
  const [notice] = await tab.run(() => told);
  assert.deepEqual([notice.kind, notice.link, notice.device], ["evicted", link, true]);
  assert.match(notice.text, /was signed in here/);
  assert.deepEqual(await tab.run(() => node.evicted), { link, device: true });
  // The page may let it rest; a node that is destroyed is not missed.
  await tab.run(() => node.restEvicted());
  assert.equal(await tab.run(() => node.evicted), undefined);
  await signUp(tab);
  await tab.run(() => node.destroy());
  await tab.reload();
  await open(tab, { name: "taken" });
  assert.equal(await tab.run(() => node.evicted), undefined);
}));

test("who signs out is not told that something was lost; who may not be missed is asked for once", scenario(async (w) => {
  const server = w.keep(await startBlank());
  const browser = await w.browser("chrome");
  const tab = await browser.open(server.url);
  const countPersists = () => tab.run(() => {
    window.persists = 0;
    const { storage } = navigator;
    const persist = storage.persist.bind(storage);
    storage.persist = () => (window.persists++, persist());
  });
  await countPersists();
  await open(tab, { name: "out" });
  assert.equal(await tab.run(() => persists), 0, "a visitor has nothing to lose");
  await signUp(tab);
  await tab.run(() => until("asked", () => persists === 1));
  assert.equal(typeof await tab.run(async () => (await node.stats()).storage.persisted), "boolean");
  await tab.reload();
  await countPersists();
  await open(tab, { name: "out" });
  await write(tab, ["a"]);
  assert.equal(await tab.run(() => persists), 0, "once");
  await tab.run(() => node.forget());
  await tab.reload();
  await open(tab, { name: "out" });
  assert.equal(await tab.run(() => node.evicted), undefined);
}));

test("a node goes to another browser as one file, without its keys", scenario(async (w) => {
  const server = w.keep(await startBlank());
  const from = await (await w.browser("chrome")).open(server.url);
  await open(from, { name: "moving" });
  const passphrase = await signUp(from);
  await write(from, names("public", 300));
  const file = await from.run(async () => {
    await node.home.put("secret", "only mine", { private: true });
    await node.home.put("large", "y".repeat(900_000));
    const other = await node.createSpace({ title: "Beside" });
    await other.put("there", 1);
    const bytes = new Uint8Array(await (await node.export()).arrayBuffer());
    const text = new TextDecoder("latin1").decode(bytes);
    let base = "";
    for (let at = 0; at < bytes.length; at += 30_000) base += String.fromCharCode(...bytes.subarray(at, at + 30_000));
    return { bytes: btoa(base), open: text.includes("public/001"), sealed: !text.includes("only mine") };
  });
  assert.deepEqual([file.open, file.sealed], [true, true]);
  const to = await (await w.browser("firefox")).open(server.url);
  await open(to, { name: "moving" });
  const tried = await to.run(async (base) => {
    const bytes = Uint8Array.from(atob(base), (char) => char.charCodeAt(0));
    const tried = [];
    const attempt = (blob) => node.import(blob).then(() => tried.push("whole"), ({ code, message }) => tried.push(`${code}: ${message}`));
    await attempt(new Blob(["something else"]));
    await attempt("no file");
    const newer = bytes.slice();
    newer[12] = 2;
    await attempt(new Blob([newer]));
    const cut = bytes.slice(0, bytes.length * 0.6);
    await attempt(new Blob([cut]));
    const spoiled = bytes.slice();
    spoiled[bytes.length >> 1] ^= 1;
    await attempt(new Blob([spoiled]));
    await attempt(new Blob([bytes]));
    await attempt(new Blob([bytes]));
    return { tried, state: node.state, keys: await keys(), beside: await keys(node.spaces()[1]) };
  }, file.bytes);
  const fits = [/^BAD_INPUT: this is not such a file/, /^BAD_INPUT: import\(\) takes/, /^UNSUPPORTED: a newer version/, /^CORRUPT: .*its end is missing/,
    /^CORRUPT: .*1 of its parts are damaged/, /^whole$/, /^whole$/];
  assert.equal(tried.tried.length, fits.length);
  fits.forEach((fit, at) => assert.match(tried.tried[at], fit));
  assert.equal(tried.state, "visitor");
  assert.deepEqual(tried.keys, ["large", ...names("public", 300)]);
  assert.deepEqual(tried.beside, ["hypha/title", "there"]);
  // A new install, which the passphrase lets in.
  await to.run(async (passphrase) => {
    await node.recover(passphrase, { device: "Second" });
    await until("what is private", async () => (await node.home.get("secret"))?.value === "only mine");
    await node.home.put("after", 1);
  }, passphrase);
}));

/** A browser with a diary, a reader who has all of it, and a copy of the profile from the middle. */
async function backedUp(w) {
  const server = await w.server();
  const blank = new URL("/icon.svg", server.url).href;
  const options = { name: "old profile", hubs: [server.hub] };
  const browser = await w.browser("chrome");
  let tab = await browser.open(blank);
  await open(tab, options);
  const passphrase = await signUp(tab);
  const link = await tab.run(() => node.home.link);
  await write(tab, names("before", 5));
  await tab.run(() => node.close());
  await browser.close();
  const copy = mkdtempSync(path.join(tmpdir(), "hypha-copy-"));
  w.keep({ stop: () => rmSync(copy, { recursive: true, force: true }) });
  cpSync(browser.profile, copy, { recursive: true });
  await browser.relaunch();
  tab = await browser.open(blank);
  assert.equal(await open(tab, options), "writer");
  await write(tab, names("since", 40));
  const reader = await (await w.browser("chrome")).open(blank);
  await open(reader, { name: "reader", hubs: [server.hub], link });
  await reader.run(() => until("all of it", async () => (await keys()).length === 45));
  await tab.run(() => node.close());
  await browser.close();
  rmSync(browser.profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  cpSync(copy, browser.profile, { recursive: true });
  await browser.relaunch();
  return { browser, reader, blank, options, passphrase };
}

test("an old profile that was put back fetches what it wrote since, and goes on behind it", scenario(async (w) => {
  const { browser, reader, blank, options } = await backedUp(w);
  const tab = await browser.open(blank);
  await open(tab, options);
  // It meets the reader, who shows it its own longer feed.
  await tab.run(() => until("what it wrote since", async () => (await keys()).length === 45));
  await write(tab, names("after", 5));
  await reader.run(() => until("what came after", async () => (await keys()).length === 50));
  const [own, ...others] = await reader.run(() => node.home.writers());
  assert.deepEqual([own.state, others.length], ["active", 0], "one feed, not forked");
}));

test("an old profile that wrote alone is a fork: both histories are kept, and it signs in anew", scenario(async (w) => {
  const { browser, reader, blank, options, passphrase } = await backedUp(w);
  let tab = await browser.open(blank);
  await open(tab, { ...options, hubs: [] });
  await write(tab, names("alone", 3));
  assert.equal((await tab.run(() => keys())).length, 8);
  await tab.run(() => node.close());
  await tab.reload();
  await open(tab, options);
  await tab.run(() => until("found out", () => node.state === "revoked"));
  await reader.run(() => until("found out", () => node.home.writers()[0].state === "forked"));
  await tab.run((passphrase) => node.recover(passphrase, { device: "Again" }), passphrase);
  await write(tab, ["again"]);
  const kept = () => tab.run(async () => {
    const kept = await keys();
    for await (const { key } of node.home.quarantine()) kept.push(key);
    return [...new Set(kept)].sort();
  });
  const all = ["again", ...names("alone", 3), ...names("before", 5), ...names("since", 40)].sort();
  for (const deadline = Date.now() + 120_000; Date.now() < deadline && (await kept()).length < all.length;);
  assert.deepEqual(await kept(), all, "what is shown and what is in the quarantine");
  await reader.run(() => until("the new one's", async () => (await keys()).includes("again")));
}));

test("the page says that the disk is full, keeps what was typed and shows no post that is not kept; once there is room it is posted", scenario(async (w) => {
  const server = await w.server();
  const tab = await (await w.browser("chrome")).open(server.url);
  const session = await tab.page.createCDPSession();
  const room = (quotaSize) => session.send("Storage.overrideQuotaForOrigin", { origin: new URL(server.url).origin, quotaSize });
  await room(2_000_000);
  await setUp(tab, { device: "First" });
  await post(tab, "there is room");
  /** Posts what is in the field; whether it was. */
  const submit = async () => {
    await tab.click("post");
    return until("an answer", () => tab.run(() => {
      const { readOnly, value } = document.querySelector("[data-testid=composer]");
      return !readOnly && { posted: value === "", told: /no room left/.test(document.body.innerText) };
    }));
  };
  let [posts, answer] = [1, { posted: true }];
  for (; answer.posted && posts < 40; posts += answer.posted ? 1 : 0) {
    await tab.run(() => {
      const field = document.querySelector("[data-testid=composer]");
      field.value = Array.from(crypto.getRandomValues(new Uint32Array(16_000)), (n) => n.toString(36)).join(" ");
      field.dispatchEvent(new Event("input"));
    });
    answer = await submit();
  }
  assert.deepEqual(answer, { posted: false, told: true });
  await tab.waitCount("post-item", posts);
  await inState(tab, "writer");
  // The browser takes a while to see that there is room.
  await room(500_000_000);
  await until("room", async () => (await submit()).posted);
  await tab.waitCount("post-item", posts + 1);
}));

test("the page says that its browser lost what it kept, and shows the way back", scenario(async (w) => {
  const server = await w.server();
  const browser = await w.browser("chrome");
  let tab = await browser.open(server.url);
  await setUp(tab, { device: "First", remember: true });
  const link = await tab.textOf("link");
  const other = await (await w.browser("chrome")).open(address(server.url, { link }));
  await inState(other, "visitor");
  await tab.close();
  // What browsers do that need room: the databases go, and the little note beside them stays.
  const blank = await browser.open(new URL("/icon.svg", server.url).href);
  await blank.run(() => new Promise((resolve, reject) => {
    const request = indexedDB.deleteDatabase("hypha");
    [request.onsuccess, request.onerror] = [resolve, () => reject(request.error)];
  }).then(() => {}));
  await blank.close();
  tab = await browser.open(server.url);
  await tab.waitText("lost", "You were signed in");
  await tab.click("lost-open");
  await inState(tab, "visitor");
  assert.equal(await tab.textOf("link"), link);
  assert.equal(await tab.count("lost"), 1, "until somebody signs in, or lets it rest");
  await tab.click("lost-rest");
  await tab.waitGone("lost");
}));
