// Guards what the passphrase alone can do: begin again from a visitor's copy when every device is lost, remove a
// device for good, and make way for another passphrase.

import assert from "node:assert/strict";
import test from "node:test";
import { scenario } from "./harness.mjs";
import { address, approve, askToSignIn, fillSignIn, inState, post, reads, setUp } from "./lib/person.mjs";

test("all devices lost: a visitor's copy and the passphrase are enough", scenario(async (w) => {
  const server = await w.server();
  const lost = await w.browser("chrome");
  const first = await lost.open(server.claim);
  const words = await setUp(first, { device: "lost laptop" });
  await post(first, "before the loss");
  await post(first, "kept to myself", { secret: true });
  const visitor = await (await w.browser("firefox")).open(server.url);
  await reads(visitor, ["before the loss"]);
  await first.close();

  const second = await (await w.browser("chrome")).open(server.url);
  await reads(second, ["before the loss"]);
  await askToSignIn(second, words, "new laptop");
  await second.click("recover");
  await second.click("recover-start");
  await second.type("recover-passphrase", words.join(" "));
  await second.click("recover-cut");
  await second.click("recover-confirm");
  await inState(second, "writer");
  await reads(second, ["before the loss", "kept to myself"]);
  await post(second, "after it");
  await reads(visitor, ["before the loss", "after it"]);
}));

test("a removed device is told, reads on as a visitor and comes back only by asking", scenario(async (w) => {
  const server = await w.server();
  const first = await (await w.browser("chrome")).open(server.claim);
  const words = await setUp(first, { device: "first" });
  const second = await (await w.browser("firefox")).open(server.url);
  await inState(second, "visitor");
  await approve(first, await askToSignIn(second, words, "second"));
  await inState(second, "writer");
  await post(second, "while it may");
  await reads(first, ["while it may"]);
  await first.click("remove-device");
  await first.type("remove-passphrase", words.join(" "));
  await first.click("remove-confirm");
  await inState(second, "revoked");
  await post(first, "public again");
  await post(first, "not for the removed one", { secret: true });
  await reads(second, ["while it may", "public again"]);
  await second.reload();
  await inState(second, "revoked");
  await approve(first, await askToSignIn(second, words, "second again"));
  await inState(second, "writer");
  await reads(second, ["while it may", "public again", "not for the removed one"]);
}));

test("another passphrase takes the place of the old one", scenario(async (w) => {
  const server = await w.server();
  const first = await (await w.browser("chrome")).open(server.claim);
  const words = await setUp(first, { device: "first" });
  await post(first, "still here");
  const second = await (await w.browser("chrome")).open(address(server.url));
  await inState(second, "visitor");
  await approve(first, await askToSignIn(second, words, "second"));
  await inState(second, "writer");
  const next = await first.run(async (old) => {
    const { Hypha } = await import("/pkg/index.js");
    const next = await Hypha.generatePassphrase();
    // The same node as the page's, from another call: one node serves all that this origin opens.
    const hypha = await Hypha.open({});
    await hypha.changePassphrase(old, next);
    return next;
  }, words.join(" "));
  await inState(second, "revoked");
  await fillSignIn(second, words, "second");
  await second.waitSeen(/changed for others/);
  await approve(first, await askToSignIn(second, next.split(" "), "second"));
  await inState(second, "writer");
  await reads(second, ["still here"]);
}));
