// Guards what the page promises without a browser: it works under a strict content security policy, uses only the
// public package, keeps its files small, has the fixed test ids, and its few pure functions do what they say.
//
//   node --test tests-wasm/page/

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";

const www = fileURLToPath(new URL("../../www/", import.meta.url));
const files = readdirSync(www, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => join(entry.parentPath ?? entry.path, entry.name).slice(www.length))
  .filter((path) => !path.startsWith("pkg"));
const read = (path) => readFileSync(join(www, path), "utf8");
const scripts = files.filter((path) => path.endsWith(".js"));

const TEST_IDS = ("setup start have-passphrase open-link passphrase draw-again confirm-word-1 confirm-word-2 device-name create composer "
  + "composer-private post posts post-item sign-in sign-in-passphrase sign-in-submit waiting-words request request-words approve deny devices "
  + "device-item remove-device state peers hubs link replica-status quarantine quarantine-item adopt change-passphrase old-passphrase "
  + "change-confirm").split(" ");

// What a page may fetch of it by itself: its door, and what that loads first.
const OF_THE_PACKAGE = ["pkg/index.js", "pkg/wasm/core_bg.wasm"];

test("the HTML has no inline script, style or handler, and what it names exists", () => {
  for (const html of files.filter((path) => path.endsWith(".html")).map(read)) {
    assert.doesNotMatch(html, /<style|\sstyle=|\son[a-z]+=/i);
    assert.doesNotMatch(html, /<script(?![^>]*\bsrc=)/i);
    for (const [, path] of html.matchAll(/(?:href|src)="\.\/([^"]+)"/g)) {
      assert.ok(OF_THE_PACKAGE.includes(path) || files.includes(path), `${path} is missing`);
    }
  }
});

test("no script sets markup or styles, or evaluates text", () => {
  for (const path of scripts) assert.doesNotMatch(read(path), /innerHTML|outerHTML|insertAdjacentHTML|\.style\b|"style"|\beval\(|new Function/, path);
});

test("scripts import only each other, and of the package only its public door", () => {
  for (const path of scripts) {
    for (const [, name] of read(path).matchAll(/(?:from |import\()"([^"]+)"/g)) {
      const target = normalize(join(dirname(path), name));
      assert.ok(target === "pkg/index.js" || files.includes(target), `${path} imports ${name}`);
    }
  }
});

test("what is not needed before the first write is fetched when it is first shown", () => {
  const atOnce = new Set(["app.js"]);
  for (const path of atOnce) {
    for (const [, name] of read(path).matchAll(/^(?:import|export)\b[^;]*?from "([^"]+)"/gm)) atOnce.add(normalize(join(dirname(path), name)));
  }
  const later = ["begin", "devices", "requests", "replicas", "remove", "look", "hubs", "taken", "trouble", "offline", "told", "waiting", "passphrase", "unlock", "lost",
    "changed", "removed", "sign-in", "files"].map((name) => `views/${name}.js`);
  for (const path of [...later, "lib/dialog.js", "lib/qr.js", "lib/devices.js", "lib/hub-problem.js"]) {
    assert.ok(files.includes(path) && !atOnce.has(path), path);
  }
  assert.ok(atOnce.has("views/composer.js"), "else this shows nothing");
});

test("every file has a header and fewer than 200 lines", () => {
  for (const path of files.filter((path) => !path.endsWith(".png"))) {
    const text = read(path);
    assert.ok(text.split("\n").length < 200, path);
    if (/\.(js|css)$/.test(path)) assert.match(text, /^(\/\/|\/\*) /, path);
  }
});

/** The test ids that elements are given, in markup and in scripts. */
const given = new Set([...scripts, "index.html"].flatMap((path) =>
  [...read(path).matchAll(/(?:\btest: |data-testid=|\bconfirmField\()"([^"]+)"/g)].map(([, id]) => id)));

test("every fixed test id is given to an element of the page", () => {
  assert.deepEqual(TEST_IDS.filter((id) => !given.has(id)), []);
});

test("every fixed query parameter is read", () => { // `hub` by a test of its own below
  const settings = read("lib/settings.js");
  assert.deepEqual(["domain", "name", "link"].filter((name) => !new RegExp(`\\bquery\\.get\\("${name}"\\)`).test(settings)), []);
});

test("what the end-to-end tests look for is in the page", () => {
  const folder = fileURLToPath(new URL("../e2e/", import.meta.url));
  const named = /\b(?:byId|click|type|texts|textOf|waitText|waitAttribute|waitCount|waitGone|count|attribute)\("([^"]+)"/g;
  let looked = 0;
  // The first file is about the harness and brings a page of its own.
  for (const file of [...readdirSync(folder).filter((name) => /^(0[1-9]|15).*\.mjs$/.test(name)), "lib/person.mjs"]) {
    for (const [, id] of readFileSync(join(folder, file), "utf8").matchAll(named)) {
      assert.ok(given.has(id), `${file} looks for ${id}`);
      looked++;
    }
  }
  assert.ok(looked > 50, `only ${looked} places were found`);
});

test("the page decides only by codes that the package has", async () => {
  const { CODES } = await import("../../pkg-template/errors.js");
  let looked = 0;
  for (const path of scripts) {
    for (const [, code] of read(path).matchAll(/"([A-Z]+(?:_[A-Z]+)*)"/g)) {
      if (code.length < 3) continue;
      assert.ok(CODES.includes(code), `${path}: ${code}`);
      looked++;
    }
  }
  assert.ok(looked >= 5, `only ${looked} codes were found`);
});

test("device names are guessed from what browsers say of themselves", async () => {
  const { deviceName } = await import(join(www, "lib/device.js"));
  const agents = {
    "Firefox on Ubuntu": "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Chrome on Android": "Mozilla/5.0 (Linux; Android 15; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36",
    "Safari on iPhone": "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
    "Edge on Windows": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0",
    "Browser on this computer": "something else",
  };
  for (const [name, agent] of Object.entries(agents)) assert.equal(deviceName(agent), name);
});

// A laptop began; it let the phone in, the phone the tablet, the tablet the watch.
const family = (states = {}) => [["laptop", []], ["phone", ["laptop"]], ["tablet", ["phone"]], ["watch", ["tablet"]]].map(([key, grantedBy]) => ({
  key, grantedBy, device: key, role: "admin", state: states[key] ?? "active", byRoot: key === "laptop", self: key === "laptop", length: 14, held: 12 }));

test("a device is told in plain words", async () => {
  const { freshness, inOrder, origin, quoted, standing } = await import(join(www, "lib/devices.js"));
  const writers = family({ phone: "removed", tablet: "cut" });
  assert.deepEqual(writers.map(standing), ["can write", "removed for good", "removed, provisionally", "can write"]);
  assert.equal(standing({ state: "active", role: "writer" }), "can write, but let nobody in");
  assert.equal(standing({ state: "active", hiddenFrom: 0 }), "can write, hidden");
  assert.equal(standing({ state: "cut", hiddenFrom: 3 }), "removed, provisionally, partly hidden");
  assert.equal(origin(writers[0], writers), "let in by the passphrase");
  assert.match(origin({ ...writers[1], grantedAt: Date.UTC(2026, 4, 3, 12) }, writers), /^let in by “laptop” on .*2026/);
  assert.equal(origin({ grantedBy: ["unheard of"] }, writers), "let in by another device");
  assert.equal(quoted(writers.slice(0, 3)), "“laptop”, “phone”, and “tablet”");
  assert.equal(freshness({ length: 0, held: 0 }), "has not written yet");
  assert.match(freshness({ length: 14, held: 12, lastTime: Date.now() - 120_000 }), /^last wrote 2 minutes ago · 12 of 14 entries are here$/);
  assert.match(freshness({ length: 14, held: 14 }), /all 14 entries are here$/);
  assert.match(freshness({ length: 14, held: 14, state: "cut", cutAt: 11 }), /all 14 entries are here · 3 of them came after it was removed$/);
  assert.match(freshness({ length: 14, held: 11, state: "removed", cutAt: 11 }), /all 11 entries are here$/);
  assert.match(freshness({ length: 1, held: 1 }), /its one entry is here$/);
  assert.deepEqual(inOrder([...writers].reverse()).map(({ key }) => key), ["laptop", "watch", "phone", "tablet"]);
});

test("what goes along with a device, and what is to be looked at after it", async () => {
  const { descendants, orphans, unknown } = await import(join(www, "lib/devices.js"));
  const keys = (writers) => writers.map(({ key }) => key);
  assert.deepEqual(keys(descendants("phone", family())), ["tablet", "watch"]);
  assert.deepEqual(keys(descendants("phone", family({ tablet: "cut" }))), ["watch"], "past one that is out already");
  assert.deepEqual(keys(descendants("watch", family())), []);
  const around = family();
  around[0].grantedBy = ["watch"];
  assert.deepEqual(keys(descendants("phone", around)), ["tablet", "watch"], "a circle ends, and never takes this device");
  const twice = family();
  twice[2].grantedBy = ["phone", "laptop"];
  assert.deepEqual(descendants("phone", twice), [], "whom another one let in too stays, with those that it let in");
  assert.deepEqual(keys(descendants("tablet", twice)), ["watch"]);
  const told = (writers, kept = []) => orphans(writers, kept).map(({ writer, by }) => [writer.key, ...keys(by)]);
  assert.deepEqual(told(family()), []);
  assert.deepEqual(told(family({ phone: "cut" })), [["tablet", "phone"]]);
  assert.deepEqual(told(family({ phone: "removed" }), ["tablet"]), [], "kept");
  assert.deepEqual(told(family({ phone: "removed", tablet: "pending" })), [], "not let in any more");
  const vouched = family({ phone: "removed" });
  vouched[2].grantedBy.push("laptop");
  assert.deepEqual(told(vouched), [], "another one vouches for it");
  const rooted = family({ watch: "removed" });
  for (const writer of rooted) writer.byRoot = true;
  assert.deepEqual(keys(unknown(rooted, ["phone"])), ["tablet"]);
});

test("since when is a date, or asked for", async () => {
  const { sinceDate } = await import(join(www, "lib/time.js"));
  const now = new Date(2026, 4, 3, 15, 30);
  const since = (choice, typed) => sinceDate(choice, typed, now.getTime())?.getTime();
  assert.equal(since("hour"), new Date(2026, 4, 3, 14, 30).getTime());
  assert.equal(since("today"), new Date(2026, 4, 3).getTime());
  assert.equal(since("yesterday"), new Date(2026, 4, 2).getTime());
  assert.equal(since("week"), now.getTime() - 7 * 86_400_000);
  assert.equal(since("all"), 0);
  assert.equal(since("other", "2026-05-01T08:00"), new Date(2026, 4, 1, 8).getTime());
  assert.equal(since("other", ""), undefined);
});

test("the address of a hub is judged before it is used", async () => {
  globalThis.location = new URL("https://diary.example/?hub=wss://a.example");
  const { currentHubs } = await import(join(www, "lib/settings.js"));
  const { hubProblem } = await import(join(www, "lib/hub-problem.js"));
  for (const good of ["wss://hub.example", "y-webrtc+wss://hub.example/a#b", "ws://localhost:8080/hub"]) assert.equal(hubProblem(good, []), "", good);
  for (const bad of ["", "hub.example", "https://hub.example", "wss://", "wss:// x", "ws://hub.example"]) assert.notEqual(hubProblem(bad, []), "", bad);
  assert.notEqual(hubProblem("wss://a.example", ["wss://a.example"]), "");
  globalThis.location = new URL("https://diary.example/?hub=y-webrtc+wss://a.example&hub=wss://b.example");
  assert.deepEqual(await currentHubs(), ["y-webrtc+wss://a.example", "wss://b.example"]);
});

test("how safe it is, is said in plain words", async () => {
  const { alone, safetyLine, says } = await import(join(www, "lib/safety.js"));
  const home = (safety, writable = true) => ({ writable, safety: () => ({ replicas: 0, devices: 0, unreplicated: 0, pinned: 0, others: 0, ...safety }) });
  assert.equal(safetyLine(undefined), "");
  assert.equal(safetyLine(home({ unreplicated: 9 })), "", "nobody is there to keep it");
  assert.equal(safetyLine(home({ pinned: 1 }, false)), "");
  assert.equal(safetyLine(home({ pinned: 2, replicas: 1 })), "Safe on 1 replica.");
  assert.equal(safetyLine(home({ pinned: 2, others: 1, devices: 1, unreplicated: 0 })), "Safe on 0 replicas and on 1 other device.");
  assert.match(safetyLine(home({ pinned: 1, unreplicated: 1 })), /^Safe on 0 replicas\. 1 entry is in this browser alone so far; the others get it when/);
  assert.match(safetyLine(home({ others: 2, unreplicated: 3 })), /on 0 other devices\. 3 entries are/);
  assert.equal(alone(home({ unreplicated: 3, others: 1 })), "", "said by the line above");
  assert.equal(alone(home({})), "", "nothing is written yet");
  assert.match(alone(home({ unreplicated: 3 })), /in this browser alone\. .*save a back-up/);
  assert.match(says({ full: true }), /no more room/);
  assert.match(says({ connected: false }), /^Not here now · it has not shown yet/);
  assert.match(says({ connected: true, length: 1, expires: new Date() }), /keeps 1 entry of/);
  assert.match(says({ connected: true, length: 4, expires: new Date(Date.UTC(2027, 1, 2)) }), /^Connected · keeps 4 entries .*2027/);
});

test("what went wrong is said in words that fit where it is said", async () => {
  const { describe } = await import(join(www, "lib/words.js"));
  const full = describe({ code: "QUOTA", message: "the disk" });
  assert.match(full.text, /no room left/);
  assert.deepEqual([full.code, full.typed], ["QUOTA · the disk", "What you typed is still here."]);
  assert.doesNotMatch(full.text, /typed/, "a peer's data, and other tabs");
  assert.equal(describe({ code: "TIMEOUT" }).typed, undefined);
  const filling = describe({ kind: "filling", usage: 80.9, quota: 100, message: "export() and move" });
  assert.match(filling.text, /^80 % of the room .*back-up/);
  assert.doesNotMatch(filling.text + filling.code, /export\(/);
});

test("a time is a date, or nothing", async () => {
  const { toDate } = await import(join(www, "lib/time.js"));
  const day = new Date(Date.UTC(2026, 4, 3));
  for (const good of [day, day.getTime(), BigInt(day.getTime()), day.toISOString()]) assert.equal(toDate(good)?.getTime(), day.getTime());
  const odd = [undefined, null, {}, [], true, "soon", NaN, 1e300, 10n ** 18n, new Date(NaN), Object.create(null), { toString: 1, valueOf: 1 }];
  for (const bad of odd) assert.equal(toDate(bad), undefined);
});

test("sizes are read and written as people do", async () => {
  const { bytesOf, sizeOf } = await import(join(www, "lib/sizes.js"));
  const read = { "200 MB": 2e8, "1.5GB": 1.5e9, 4096: 4096, " 300 kb ": 3e5, "2g": 2e9, "7 B": 7 };
  for (const [text, bytes] of Object.entries(read)) assert.equal(bytesOf(text), bytes, text);
  for (const text of ["", "MB", "-1", "1 2", "1e9", "12 pigeons", undefined, null]) assert.equal(bytesOf(text), undefined, `${text}`);
  assert.deepEqual([0, 999, 1000, 1500, 123_456, 2e9, 5e12].map(sizeOf), ["0 B", "999 B", "1.0 kB", "1.5 kB", "123 kB", "2.0 GB", "5.0 TB"]);
});

test("closing is asked about only while there is a reason", async () => {
  const listening = new Set();
  globalThis.document ??= { body: { dataset: {} } };
  const real = [globalThis.addEventListener, globalThis.removeEventListener];
  globalThis.addEventListener = (name) => listening.add(name);
  globalThis.removeEventListener = (name) => listening.delete(name);
  try {
    const { guard, untilStored } = await import(join(www, "lib/leaving.js"));
    const node = (safety, { near = false, writable = true } = {}) => ({
      home: { key: "h", writable, safety: () => ({ pinned: 0, others: 0, unreplicated: 1, ...safety }) },
      peers: () => (near ? [{ state: "open", spaces: ["h"] }] : [{ state: "connecting", spaces: ["h"] }, { state: "open", spaces: ["other"] }]),
    });
    const asks = (what, now, wanted, note) => {
      guard(what, now);
      assert.equal(listening.has("beforeunload"), wanted, note);
    };
    asks(node({ pinned: 1 }), 0, true, "a replica is relied on, and is away");
    asks(node({ pinned: 1, unreplicated: 0 }), 0, false, "it has everything");
    asks(node({}), 0, false, "there is nobody else");
    asks(node({ others: 1 }), 0, false, "the other devices are away: waiting is of no use");
    asks(node({ others: 1 }, { writable: false }), 0, false, "a reader");
    asks(undefined, 0, false, "no node");
    for (const given of [{ others: 1 }, { pinned: 1 }]) {
      guard(undefined);
      asks(node(given, { near: true }), 10_000, false, "they are given the time to take it");
      asks(node(given, { near: true }), 13_900, false, "still");
      asks(node(given, { near: true }), 14_000, true, "and have not");
      asks(node({ ...given, unreplicated: 0 }, { near: true }), 14_100, false, "now they have");
      asks(node(given, { near: true }), 15_000, false, "another post");
    }
    guard(undefined);
    let stored;
    const write = untilStored(new Promise((resolve) => (stored = resolve)));
    assert.ok(listening.has("beforeunload"), "not stored yet");
    stored("done");
    assert.equal(await write, "done");
    assert.ok(!listening.has("beforeunload"));
    await assert.rejects(untilStored(Promise.reject(new Error("full"))));
    assert.ok(!listening.has("beforeunload"));
  } finally {
    [globalThis.addEventListener, globalThis.removeEventListener] = real;
  }
});
