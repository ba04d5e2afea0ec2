// Guards what all other tests stand on: that this machine's browsers start, keep their profiles, reach each other
// over WebRTC through both kinds of hub, and that the harness sees what it must see. On a page of its own, so that a
// failure here is never the product's.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import test from "node:test";
import { scenario } from "./harness.mjs";

const PAGE = `<!doctype html><meta charset="utf-8"><title>probe</title><link rel="icon" href="data:,">
<input data-testid="name"><button data-testid="keep">keep</button><button data-testid="off" disabled>off</button>
<p data-testid="hidden" hidden>hidden</p><p data-testid="kept"></p><p data-testid="link">not linked</p><script type="module" src="probe.js"></script>`;

// Keeps a name in IndexedDB; links up with another tab over WebRTC when `?hub=` says through which hub.
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
};
const query = new URLSearchParams(location.search);
if (query.has("hub")) link(query.get("hub"), query.has("offers"));
function link(url, offers) {
  const hub = new WebSocket(url);
  const peer = new RTCPeerConnection();
  const send = (data) => hub.send(JSON.stringify({ type: "publish", topic: "probe", from: offers, ...data }));
  peer.onicecandidate = ({ candidate }) => { if (candidate) send({ candidate }); };
  const use = (channel) => {
    channel.onopen = () => channel.send("hello from " + (offers ? "one" : "the other"));
    channel.onmessage = ({ data }) => say("link", data);
  };
  if (offers) use(peer.createDataChannel("probe"));
  peer.ondatachannel = ({ channel }) => use(channel);
  hub.onopen = () => {
    hub.send(JSON.stringify({ type: "subscribe", topics: ["probe"] }));
    send({ here: true });
  };
  let chain = Promise.resolve();
  hub.onmessage = ({ data }) => { chain = chain.then(() => heard(JSON.parse(data))); };
  async function heard(message) {
    if (message.from === offers) return;
    // Whoever came first missed the other's greeting, so the one that answers greets back.
    if (message.here && !offers) send({ here: true });
    else if (message.here && peer.localDescription) return;
    else if (message.here) {
      await peer.setLocalDescription();
      send({ description: peer.localDescription });
    } else if (message.description) {
      await peer.setRemoteDescription(message.description);
      if (offers) return;
      await peer.setLocalDescription();
      send({ description: peer.localDescription });
    } else if (message.candidate) await peer.addIceCandidate(message.candidate);
  }
}`;

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
    await assert.rejects(tab.waitText("kept", "never", { timeout: 500 }), /waited 0.5 s .*as was asked/s);
    assert.throws(() => w.clean(), /as was asked/);
    tab.forgive(/as was asked/);
    await assert.rejects(tab.byId("hidden", { timeout: 300 }), /waited 0.3 s/);
    await assert.rejects(tab.click("off", { timeout: 300 }), /waited 0.3 s/);
    assert.deepEqual(await tab.texts("hidden"), []);
  }));
}

for (const [one, other, kind] of [["chrome", "firefox", "embedded"], ["firefox", "chrome", "y-webrtc"], ["chrome", "chrome", "embedded"]]) {
  test(`${one} and ${other} reach each other over WebRTC through a hub (${kind}) that was restarted`, scenario(async (w) => {
    const hub = await w.hub(kind);
    await hub.stop();
    await hub.start();
    const url = `${await site(w)}?hub=${encodeURIComponent(hub.url.replace("y-webrtc+", ""))}`;
    const first = await (await w.browser(one)).open(`${url}&offers`);
    const second = await (await w.browser(other)).open(url);
    await first.waitText("link", "hello from the other");
    await second.waitText("link", "hello from one");
  }));
}
