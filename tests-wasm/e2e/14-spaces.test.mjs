// Guards the API beyond the home: spaces that are made and joined by invite, several of them over one connection,
// messages, presence, history, checkout, and that a removed device reads nothing private any more.

import assert from "node:assert/strict";
import test from "node:test";
import { scenario } from "./harness.mjs";

/** A blank page with a node in it. */
async function node(w, kind, server, name, link) {
  const tab = await (await w.browser(kind)).open(new URL("/icon.svg", server.url).href);
  await tab.run(async ([hub, name, link]) => {
    const { Hypha } = await import("/pkg/index.js");
    window.Hypha = Hypha;
    window.hypha = await Hypha.open({ name, hubs: [hub], link: link ?? undefined });
    window.until = async (what, done) => {
      for (const end = Date.now() + 90_000; Date.now() < end; ) {
        const value = await done();
        if (value) return value;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      throw new Error(`never ${what}`);
    };
    window.code = (promise) => promise.then(() => "done", (error) => error.code);
    window.all = async (entries) => {
      const found = [];
      for await (const entry of entries) found.push(entry);
      return found;
    };
  }, [server.hub, name, link]);
  return tab;
}

const signUp = (tab, device) => tab.run(async (device) => {
  window.passphrase = await Hypha.generatePassphrase();
  await hypha.signUp(passphrase, { device });
  return { link: hypha.home.link, passphrase };
}, device);

for (const [first, second] of [["chrome", "firefox"], ["firefox", "chrome"]]) {
  test(`two people in a space, ${first} and ${second}: invite, write, talk, leave`, scenario(async (w) => {
    const server = await w.server();
    const ada = await node(w, first, server, "ada");
    const ben = await node(w, second, server, "ben");
    await signUp(ada, "Ada's desk");
    await signUp(ben, "Ben's phone");

    const { link, invite, code } = await ada.run(async () => {
      window.garden = await hypha.createSpace({ title: "Garden" });
      await garden.put("plants/1", "beans");
      await garden.put("secret", { where: "shed" }, { private: true });
      return { link: garden.link, invite: await garden.invite({ uses: 1 }), code: garden.code() };
    });
    assert.match(code, /^[a-z-]+( [a-z-]+){5}$/);
    assert.ok(invite.startsWith(`${link}/invite/`));

    // By the link alone: read, not written.
    assert.equal(await ben.run(async (link) => {
      window.garden = await hypha.join(link);
      await until("beans", async () => (await garden.get("plants/1"))?.value === "beans");
      if (garden.title !== "Garden" || garden.writable || hypha.spaces().length !== 2) throw new Error("reads only");
      if (await garden.get("secret")) throw new Error("nothing private");
      return code(garden.put("plants/2", "peas"));
    }, link), "NOT_AUTHORISED");
    assert.equal(await ben.run(() => code(hypha.join("hypha://nonsense"))), "BAD_LINK");

    // By the invite: let in without anybody's click.
    await ben.run(async (invite) => {
      await hypha.join(invite);
      await until("let in", () => garden.writable);
      await garden.put("plants/2", "peas");
      await until("private data", async () => (await garden.get("secret"))?.value.where === "shed");
    }, invite);
    const seen = await ada.run(async () => {
      await until("peas", async () => (await garden.get("plants/2"))?.value === "peas");
      await garden.sync();
      const writers = garden.writers();
      return { persons: new Set(writers.map(({ person }) => person)).size, roles: writers.map(({ role }) => role).sort(), invites: garden.invites() };
    });
    assert.deepEqual(seen.roles, ["admin", "writer"]);
    assert.equal(seen.persons, 2);
    assert.equal(seen.invites[0]?.used, 1);
    // A writer invites nobody and removes nobody else.
    assert.equal(await ben.run(() => code(garden.invite())), "NOT_AUTHORISED");
    assert.equal(await ben.run(() => code(garden.cut(garden.writers().find(({ self }) => !self).key))), "NOT_AUTHORISED");

    // One connection carries all that both share.
    await ada.run(() => until("one connection", () => JSON.stringify(hypha.peers().map(({ spaces }) => spaces.length)) === "[1]"));

    // Said and not kept.
    await ada.run(() => {
      window.heard = [];
      garden.messages.onmessage = (message) => heard.push(message);
    });
    await ben.run(async () => {
      await garden.messages.send({ text: "hello" });
      await garden.messages.send("aloud", { private: false });
      await garden.presence.set({ typing: true });
    });
    const told = await ada.run(async () => {
      await until("both messages", () => heard.length === 2);
      const [present] = await until("presence", () => garden.presence.list().length > 0 && garden.presence.list());
      const ben = garden.writers().find(({ self }) => !self).key;
      await garden.messages.send("to you", { to: ben });
      return { data: heard.map(({ data, private: secret, writer }) => ({ data, secret, writer })), mine: heard.every(({ from }) => from === ben), present, ben };
    });
    assert.deepEqual(told.data, [{ data: { text: "hello" }, secret: true, writer: true }, { data: "aloud", secret: false, writer: true }]);
    assert.ok(told.mine);
    assert.deepEqual([told.present.key, told.present.state], [told.ben, { typing: true }]);
    assert.equal(await ben.run(() => code(garden.messages.send("x".repeat(20_000)))), "TOO_LARGE");

    // What was, when.
    const past = await ada.run(async () => {
      const then = garden.clock();
      await garden.put("plants/1", "broad beans");
      const view = garden.checkout(then);
      const texts = (await all(garden.history({ key: "plants/1" }))).map(({ value }) => value);
      const live = garden.history({ key: "plants/3", live: true });
      const next = live.next();
      await garden.put("plants/3", "kale");
      const value = (await next).value.value;
      // One that waits ends at once, though nothing comes.
      const waits = live.next();
      await live.return();
      const ended = (await waits).done;
      return { ended, then: (await view.get("plants/1")).value, keys: (await all(view.list({ prefix: "plants/" }))).length, texts, value };
    });
    assert.deepEqual(past, { ended: true, then: "beans", keys: 2, texts: ["beans", "broad beans"], value: "kale" });

    // Removed: what is private from then on stays closed, what was known stays known.
    await ada.run(async () => {
      await garden.cut(garden.writers().find(({ self }) => !self).key);
      await garden.put("secret", { where: "attic" }, { private: true });
    });
    const left = await ben.run(async () => {
      await until("removed", () => !garden.writable);
      await until("level", () => code(garden.sync({ timeout: 2000 })).then((code) => code === "done"));
      const where = (await garden.get("secret"))?.value?.where;
      const refused = await code(garden.put("plants/9", "weeds"));
      await garden.leave();
      return { where, refused, spaces: hypha.spaces().length };
    });
    assert.deepEqual(left, { where: "shed", refused: "NOT_AUTHORISED", spaces: 1 });
  }));
}

test("a person's second device comes to their spaces by itself", scenario(async (w) => {
  const server = await w.server();
  const desk = await node(w, "chrome", server, "desk");
  const { link, passphrase } = await signUp(desk, "Desk");
  await desk.run(async () => {
    window.garden = await hypha.createSpace({ title: "Garden" });
    await garden.put("plants/1", "beans", { private: true });
  });
  const phone = await node(w, "firefox", server, "phone", link);
  await phone.run(async (passphrase) => {
    window.asked = await hypha.signIn(passphrase, { device: "Phone" });
  }, passphrase);
  await desk.run(async () => {
    const [request] = await until("request", () => hypha.requests().length > 0 && hypha.requests());
    await request.approve();
  });
  await phone.run(async () => {
    await asked.granted;
    const garden = await until("the space", () => hypha.spaces().find(({ title }) => title === "Garden"));
    await until("let in", () => garden.writable);
    await until("private data", async () => (await garden.get("plants/1"))?.value === "beans");
    await garden.put("plants/2", "peas");
  });
  assert.equal(await desk.run(async () => {
    await until("peas", async () => (await garden.get("plants/2"))?.value === "peas");
    return new Set(garden.writers().map(({ person }) => person)).size;
  }), 1);
}));
