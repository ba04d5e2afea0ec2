// Guards parts of the page by themselves, in a real browser on a node that is made up: what they do when a call fails, takes
// its time, or gives what no page of ours would write.

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import path from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { scenario } from "./harness.mjs";
import { startStatic } from "./lib/static.mjs";

const WWW = fileURLToPath(new URL("../../www/", import.meta.url));

/** An empty page beside which the page's own scripts lie, as they are written. */
async function parts(w) {
  const server = w.keep(await startStatic());
  for (const entry of readdirSync(WWW, { recursive: true, withFileTypes: true })) {
    const file = path.join(entry.parentPath ?? entry.path, entry.name);
    const name = path.relative(WWW, file);
    if (entry.isFile() && name.endsWith(".js") && !name.startsWith("pkg")) server.files.set(`/www/${name}`, readFileSync(file));
  }
  server.files.set("/blank.html", Buffer.from("<!doctype html><title>parts</title><link rel=icon href=data:,><main id=content tabindex=-1></main><div id=toasts></div>"));
  const tab = await (await w.browser("chrome")).open(`${server.url}blank.html`);
  await tab.run(() => {
    window.byId = (id) => document.querySelector(`[data-testid="${id}"]`);
    window.text = (selector) => [...document.querySelectorAll(selector)].map((element) => element.textContent.replace(/\s+/g, " ").trim());
    window.failure = (code, message = "made up") => Object.assign(new Error(message), { code });
    window.until = async (what, done) => {
      for (const end = Date.now() + 20_000; Date.now() < end; await new Promise((next) => setTimeout(next, 10))) if (await done()) return;
      throw new Error(`never ${what}: ${document.body.innerText}`);
    };
    /** A view of a script, on screen. */
    window.mount = async (name, app, called = name) => {
      const view = (await import(`/www/views/${name}.js`))[called](app);
      document.getElementById("content").append(view.node);
      view.update?.("state");
      return view;
    };
    window.listed = (entries) => async function* list() { yield* entries; };
  });
  return tab;
}

test("what was to be private is private when its field comes back", scenario(async (w) => {
  const tab = await parts(w);
  await tab.run(async () => {
    window.puts = [];
    window.app = { state: "writer", update() {}, hypha: { home: { put: async (key, value, options) => void puts.push({ ...options, text: value.text }) } } };
    window.view = await mount("composer", app);
  });
  await tab.type("composer", "for me alone");
  await tab.click("composer-private");
  await tab.run(async () => {
    view.node.remove();
    await mount("composer", app);
  });
  assert.deepEqual(await tab.run(() => [byId("composer").value, byId("composer-private").checked, ...text("#composer-readers")]),
    ["for me alone", true, "Only your own devices can read it."]);
  await tab.click("post");
  await tab.run(() => until("posted", () => byId("composer").value === ""));
  assert.deepEqual(await tab.run(() => puts), [{ private: true, text: "for me alone" }]);
}));

test("a full disk is said once, beside what was typed, and elsewhere not as if something had been", scenario(async (w) => {
  const tab = await parts(w);
  const [first, beside, again, elsewhere] = await tab.run(async () => {
    const { toastProblem } = await import("/www/views/toast.js");
    const full = failure("QUOTA", "the disk is full");
    let seen;
    const put = async () => {
      await toastProblem(full);
      seen = text(".toast");
      throw full;
    };
    const view = await mount("composer", { state: "writer", update() {}, hypha: { home: { put } } });
    byId("composer").value = "too much";
    byId("post").click();
    await until("told", () => text(".problem")[0]);
    const beside = [text(".toast"), text(".problem")];
    await toastProblem(full);
    const again = text(".toast");
    view.node.remove();
    await toastProblem(full);
    return [seen, beside, again, text(".toast")];
  });
  assert.match(first[0], /no room left/);
  assert.deepEqual(beside[0], [], "the toast goes");
  assert.match(beside[1][0], /no room left.*What you typed is still here\. QUOTA/);
  assert.deepEqual(again, [], "it stands there already");
  assert.match(elsewhere[0], /no room left/);
  for (const told of [...first, ...elsewhere]) assert.doesNotMatch(told, /typed/);
}));

test("a question stays on screen while its answer is at work, and what fails is told", scenario(async (w) => {
  const tab = await parts(w);
  const open = () => tab.run(async () => {
    const { ask } = await import("/www/lib/dialog.js");
    window.done = [];
    const act = (name) => () => new Promise((resolve, reject) => (done.push(name), Object.assign(window, { resolve, reject })));
    window.dialog = ask({ title: "Sure?", choices: [{ label: "One", test: "one", act: act("one") }, { label: "Two", test: "two", act: act("two") }] });
  });
  await open();
  await tab.click("one");
  await tab.click("two");
  await tab.run(() => dialog.querySelector("button.quiet").click());
  await tab.page.keyboard.press("Escape");
  assert.deepEqual(await tab.run(() => [done, dialog.open]), [["one"], true]);
  await tab.run(async () => {
    reject(failure("TIMEOUT"));
    await until("told", () => /Nobody answered/.test(text("dialog .problem")[0]));
  });
  await tab.click("two");
  assert.deepEqual(await tab.run(() => done), ["one", "two"], "after that there is another choice");
  await tab.run(async () => {
    resolve();
    await until("gone", () => text("dialog").length === 0);
  });
  await open();
  await tab.page.keyboard.press("Escape");
  await tab.run(() => until("gone by Escape", () => text("dialog").length === 0));
  // Some browsers let a second Escape through.
  await open();
  await tab.click("one");
  await tab.run(async () => {
    dialog.close();
    await until("gone", () => text("dialog").length === 0);
    reject(failure("TIMEOUT"));
    await until("told all the same", () => /Nobody answered/.test(text(".toast")[0]));
  });
}));

test("odd times in what others wrote leave the lists as they are", scenario(async (w) => {
  const tab = await parts(w);
  const [posts, taken, focus] = await tab.run(async () => {
    const times = [{}, { toString: 1, valueOf: 1 }, Object.create(null), [], true, "never", 1e300, null, undefined, "2026-05-03T12:00:00Z"];
    const entries = times.map((time, at) => ({ key: `posts/${at}`, value: { text: `post ${at}`, time }, version: `w/${at}/0`, writer: "w", why: "cut",
      time: new Date(at === 1 ? NaN : 0), conflicts: [] }));
    const adopted = new Set();
    const home = { link: "hypha://x", writers: () => [{ key: "w", device: "Desk" }], watch: () => () => {}, list: listed(entries), quarantine: listed(entries),
      get: async (key) => adopted.has(key) && { adopted: entries[key.slice(6)].version }, adopt: async ({ key }) => void adopted.add(key) };
    const app = { state: "writer", seen: new Set(), update() {}, hypha: { home } };
    await mount("posts", app);
    await until("posts", () => text("[data-testid=post-item]").length === times.length);
    await mount("taken", app);
    await until("what was taken", () => text("[data-testid=quarantine-item]").length === times.length);
    const seen = [text("[data-testid=post-item] .text"), text("[data-testid=quarantine-item] .text")];
    byId("adopt-all").focus();
    byId("adopt-all").click();
    await until("all again", () => text("[data-testid=adopted]").length === times.length);
    return [...seen, document.activeElement.textContent];
  });
  const all = Array.from({ length: 10 }, (_, at) => `post ${at}`);
  assert.deepEqual(posts.toSorted(), all);
  assert.deepEqual(taken.toSorted(), all);
  assert.equal(focus, "Desk", "the focus stays with the device");
}));

test("pairing: two first codes are one too many, and what failed is over", scenario(async (w) => {
  const tab = await parts(w);
  await tab.run(async () => {
    window.calls = [];
    window.rejects = {}; // by name of a call
    const call = (name, result) => async (given) => {
      calls.push(given === undefined ? name : `${name} ${given}`);
      if (rejects[name]) throw rejects[name];
      return result;
    };
    const hypha = {
      pair: call("pair", { offer: "hypha:first", accept: call("accept"), cancel: call("cancel first") }),
      answer: call("answer", { answer: "hypha:answer", connect: call("connect"), cancel: call("cancel answer") }),
    };
    await mount("offline", { state: "writer", update() {}, hypha });
    /** What is asked, shown and said after a click. */
    window.press = async (id) => {
      calls.length = 0;
      const control = byId(id);
      control.click();
      await until("done", () => !control.hasAttribute("aria-busy"));
      return { calls: [...calls], shown: text("[data-testid=pair-out]")[0], said: text("[data-testid=pair-state]")[0], problem: text(".card > .problem")[0] };
    };
  });
  const press = (id, rejected = {}) => tab.run((id, rejected) => {
    rejects = Object.fromEntries(Object.entries(rejected).map(([name, [code, message]]) => [name, failure(code, message)]));
    return press(id);
  }, id, rejected);
  assert.equal((await press("pair-begin")).shown, "hypha:first");
  await tab.type("pair-in", "hypha:x");
  const wrong = await press("pair-read", { accept: ["BAD_INPUT", "not the answer"], answer: ["BAD_INPUT", "no first code"] });
  assert.deepEqual(wrong, { calls: ["accept hypha:x", "answer hypha:x"], shown: "hypha:first", said: "", problem: "not the answer BAD_INPUT" });
  const other = await press("pair-read", { accept: ["BAD_INPUT", "not the answer"], answer: ["BAD_LINK", "of another diary"] });
  assert.deepEqual([other.shown, other.said, other.problem], ["hypha:first", "", "of another diary"]);
  const both = await press("pair-read", { accept: ["BAD_INPUT", "not the answer"] });
  assert.deepEqual(both, { calls: ["accept hypha:x", "answer hypha:x", "cancel first"], shown: "hypha:answer", said: "", problem: "" });
  const late = await press("pair-connect", { connect: ["TIMEOUT", "too late"] });
  assert.deepEqual([late.calls, late.shown, late.said], [["connect", "cancel answer"], undefined, ""]);
  assert.match(late.problem, /TIMEOUT · too late/);
  // The next code is a first one again.
  await tab.type("pair-in", "hypha:y");
  assert.deepEqual((await press("pair-read")).calls, ["answer hypha:y"]);
}));

test("a hub that another tab added is not forgotten when one is removed here", scenario(async (w) => {
  const tab = await parts(w);
  const [kept, focus] = await tab.run(async () => {
    let hubs = ["wss://a.example", "wss://b.example"];
    const hypha = { home: undefined, peers: () => [{ state: "open", path: "tab" }, { state: "connecting", path: "direct" }],
      stats: async () => ({ hubs: hubs.map((url) => ({ url, state: "open" })) }), removeHub: async (gone) => (hubs = hubs.filter((url) => url !== gone)) };
    const app = { state: "writer", hubs: ["wss://a.example"], hypha, update: (why) => view.update(why) };
    const view = await mount("status", app);
    await until("both", () => text(".url").length === 2);
    const remove = document.querySelector("[data-url='wss://a.example'] button");
    remove.focus();
    remove.click();
    await until("gone", () => text(".url").length === 1);
    await until("kept", () => localStorage.length > 0);
    return [Object.values(localStorage), document.activeElement.getAttribute("aria-label")];
  });
  assert.deepEqual(kept, ['["wss://b.example"]']);
  assert.equal(focus, "Remove the hub wss://b.example");
  assert.equal(await tab.run(() => text("[data-testid=peers] p")[0]), "Connected to 1 other browser:");
}));

test("a change of passphrase cannot be left half-way, and is told wherever the person is by then", scenario(async (w) => {
  const tab = await parts(w);
  const [during, told, elsewhere, failed, problems] = await tab.run(async () => {
    const words = "one two three four five six seven eight".split(" ");
    const told = [];
    let settle;
    const app = { at: "passphrase", toast: (text) => told.push(text), go: (place) => (location.hash = place), Hypha: { generatePassphrase: async () => words.join(" ") },
      hypha: { changePassphrase: () => new Promise((resolve, reject) => (settle = { resolve, reject })) } };
    const begin = async () => {
      const { node } = await mount("passphrase", app);
      await until("words", () => byId("confirm-word-2").dataset.index);
      for (const id of ["confirm-word-1", "confirm-word-2"]) byId(id).value = words[byId(id).dataset.index - 1];
      byId("old-passphrase").value = "old";
      byId("change-confirm").click();
      await until("begun", () => settle);
      return node;
    };
    let node = await begin();
    const during = node.querySelector(".actions a[href='#']").hidden;
    settle.resolve();
    await until("told after going to the diary", () => told.length === 1);
    node.remove();
    // Another time the person goes back meanwhile.
    settle = undefined;
    node = await begin();
    Object.assign(app, { at: "diary" });
    node.remove();
    settle.resolve();
    await until("told at once", () => told.length === 2);
    const elsewhere = told[1] === told[0];
    settle = undefined;
    node = await begin();
    node.remove();
    settle.reject(failure("WRONG_PASSPHRASE"));
    await until("told that it failed", () => text(".toast").length === 1);
    return [during, told[0], elsewhere, told.length === 2, text(".toast")];
  });
  assert.deepEqual([during, elsewhere, failed], [true, true, true]);
  assert.match(told, /^The passphrase was changed/);
  assert.match(problems[0], /not the passphrase/);
}));
