// Guards what all other tests stand on: that this machine's browsers start and keep their profiles, and that the
// harness sees what it must see. On a page of its own, so that a failure here is never the product's.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import test from "node:test";
import { scenario } from "./harness.mjs";
import { until } from "./lib/wait.mjs";

const PAGE = `<!doctype html><meta charset="utf-8"><title>probe</title><link rel="icon" href="data:,">
<input data-testid="name"><button data-testid="keep">keep</button><button data-testid="off" disabled>off</button>
<p data-testid="hidden" hidden>hidden</p><p data-testid="kept"></p><script type="module" src="probe.js"></script>`;

// Keeps a name in IndexedDB.
const SCRIPT = String.raw`
const say = (id, text) => { document.querySelector('[data-testid=' + id + ']').textContent = text; };
const done = (request) => new Promise((resolve, reject) => { request.onsuccess = () => resolve(request.result); request.onerror = () => reject(request.error); });
const opening = indexedDB.open("probe");
opening.onupgradeneeded = () => opening.result.createObjectStore("s");
const db = await done(opening);
say("kept", "kept: " + (await done(db.transaction("s").objectStore("s").get("name")) ?? "nothing"));
document.querySelector("[data-testid=keep]").onclick = () => {
  const name = document.querySelector("[data-testid=name]").value;
  if (name === "fail") throw new Error("as was asked");
  const change = db.transaction("s", "readwrite", { durability: "strict" });
  change.objectStore("s").put(name, "name");
  change.oncomplete = () => say("kept", "kept: " + name);
};`;

const POLICY = "default-src 'self'; script-src 'self'; connect-src 'self' ws:; img-src data:";

/** A site of the page above, under the policy that the real server sends. */
async function site(w) {
  const server = createServer(({ url }, answer) => {
    const script = url.startsWith("/probe.js");
    answer.writeHead(200, { "content-type": script ? "text/javascript" : "text/html", "content-security-policy": POLICY });
    answer.end(script ? SCRIPT : PAGE);
  });
  await new Promise((resolve) => server.listen(0, "localhost", resolve));
  w.keep({ stop: () => (server.closeAllConnections(), new Promise((resolve) => server.close(resolve))) });
  return `http://localhost:${server.address().port}/`;
}

for (const kind of ["chrome", "firefox"]) {
  test(`${kind}: what is typed, clicked and stored is there after reload, restart and kill`, scenario(async (w) => {
    const browser = await w.browser(kind);
    const url = await site(w);
    let tab = await browser.open(url);
    await tab.waitText("kept", "kept: nothing");
    await tab.type("name", "first");
    await tab.type("name", "second try");
    await tab.click("keep");
    await tab.waitText("kept", "kept: second try");
    await tab.reload();
    await tab.waitText("kept", "kept: second try");
    await browser.relaunch();
    tab = await browser.open(url);
    await tab.waitText("kept", "kept: second try");
    await browser.kill();
    await browser.relaunch();
    tab = await browser.open(url);
    await tab.waitText("kept", "kept: second try");
  }));

  test(`${kind}: the harness sees errors, and neither hidden nor disabled elements`, scenario(async (w) => {
    const browser = await w.browser(kind);
    const tab = await browser.open(await site(w));
    await tab.type("name", "fail");
    await tab.click("keep");
    await until("the error", () => tab.errors.length > 0);
    await assert.rejects(tab.waitText("kept", "never", { timeout: 500 }), /waited 0.5 s .*as was asked/s);
    assert.throws(() => w.clean(), /as was asked/);
    tab.forgive(/as was asked/);
    await assert.rejects(tab.byId("hidden", { timeout: 300 }), /waited 0.3 s/);
    await assert.rejects(tab.click("off", { timeout: 300 }), /waited 0.3 s/);
    assert.deepEqual(await tab.texts("hidden"), []);
  }));
}
