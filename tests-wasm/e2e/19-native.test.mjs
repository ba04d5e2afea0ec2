// Guards that whoever speaks the protocol can join, browser or not: a node on webrtc-rs, which has nothing but a hyphalink
// and a hub, exchanges verified data with real browsers, both ways, and asks and lets in as they do.

import assert from "node:assert/strict";
import test from "node:test";
import { scenario } from "./harness.mjs";
import { nativePeer } from "./lib/native.mjs";
import { MEETING, address, approve, askToSignIn, inState, post, reads, setUp } from "./lib/person.mjs";
import { until } from "./lib/wait.mjs";

const PASSPHRASE = "abacus drop-down felt-tip t-shirt yo-yo zoom coffee able";

for (const kind of ["chrome", "firefox"]) {
  test(`a visitor on webrtc-rs reads a diary in ${kind}, signs in, and is read there`, scenario(async (w) => {
    const server = await w.server();
    const origin = await (await w.browser(kind)).open(server.claim);
    const words = await setUp(origin, { device: "first device" });
    await post(origin, "from a browser");
    const link = await origin.textOf("link");
    const native = nativePeer(w, { link: link.match(/hypha:\/\/[0-9a-f]{64}/)[0], hub: server.hub });
    const [read] = await native.reads(["from a browser"], MEETING);
    assert.equal(read.mine, false);
    assert.equal((await native.ask("state")).state, "visitor");
    const [peer] = (await native.ask("peers")).filter(({ open }) => open);
    assert.ok(peer && peer.bytesIn > 0 && peer.bytesOut > 0, "over a connection of its own");
    await assert.rejects(native.ask("write", { key: "posts/9", value: { text: "not mine to write" } }), { code: "NOT_AUTHORISED" });

    // More than fits into one frame, or into many.
    const long = "webrtc-rs ".repeat(20_000);
    await origin.run(async (long) => {
      const { Hypha } = await import("/pkg/index.js");
      await (await Hypha.open({})).home.put("long", long);
    }, long);
    await until("the long text", async () => {
      const [found] = await native.ask("list", { prefix: "long" });
      return found?.value === long;
    }, MEETING);

    const shown = await native.ask("signIn", { passphrase: words.join(" "), device: "native device" });
    await approve(origin, shown);
    await native.inState("writer", MEETING);
    await native.ask("write", { key: "posts/9999999999999", value: { text: "from webrtc-rs" } });
    await reads(origin, ["from a browser", "from webrtc-rs"]);
    await native.ask("write", { key: "secret", value: { text: "for devices" }, private: true });
    await until("what it wrote for devices only", () => origin.run(async () => {
      const { Hypha } = await import("/pkg/index.js");
      return (await (await Hypha.open({})).home.get("secret"))?.value.text === "for devices";
    }), MEETING);
  }));
}

test("a diary begun on webrtc-rs is visited by browsers, which it lets in", scenario(async (w) => {
  const server = await w.server();
  const native = nativePeer(w, { hub: server.hub });
  const link = await native.ask("signUp", { passphrase: PASSPHRASE, device: "native device" });
  await native.ask("write", { key: "posts/1", value: { text: "begun on webrtc-rs" } });
  const visitor = await (await w.browser("firefox")).open(address(server.url, { link }));
  await inState(visitor, "visitor");
  await reads(visitor, ["begun on webrtc-rs"]);
  const other = await (await w.browser("chrome")).open(address(server.url, { link }));
  await inState(other, "visitor");
  const words = await askToSignIn(other, PASSPHRASE.split(" "), "a browser");
  const request = await until("the request", async () => (await native.ask("requests"))[0], MEETING);
  assert.deepEqual([request.device, request.words], ["a browser", words]);
  await native.ask("approve", { request: request.id, words });
  await inState(other, "writer");
  await post(other, "from a browser");
  await native.reads(["begun on webrtc-rs", "from a browser"], MEETING);
  await reads(visitor, ["begun on webrtc-rs", "from a browser"]);
}));
