// Guards what a removed device, a stranger with the link and plain noise can do to honest pages, and what they cannot:
// whatever it is, all honest pages come to the same state, what was taken away is in the quarantine, and after a
// removal with the passphrase nothing that the device signs changes anything.
//
// The adversary has the keys it was given and a node that obeys it; it goes through the same hub and WebRTC as all.

import assert from "node:assert/strict";
import test from "node:test";
import { scenario } from "./harness.mjs";
import { admit, hostile, hostileSite, insider, level, listen, quarantine, standing, view } from "./lib/hostile.mjs";
import { MEETING, inState, post, reads, setUp } from "./lib/person.mjs";
import { until } from "./lib/wait.mjs";

/** A diary: two honest devices, in Chromium and Firefox, and a visitor; and a browser for those who are not. */
async function diary(w, { visitor: visitorKind = "chrome", enemy: enemyKind = "chrome" } = {}) {
  const server = await w.server();
  const site = await hostileSite(w);
  const [one, two, three, four] = await Promise.all(["chrome", "firefox", visitorKind, enemyKind].map((kind) => w.browser(kind)));
  const first = await one.open(server.claim);
  const words = await setUp(first, { device: "first", remember: true });
  await listen(first);
  const [second, visitor] = await Promise.all([two.open(server.url), three.open(server.url)]);
  for (const tab of [second, visitor]) {
    await inState(tab, "visitor");
    await listen(tab);
  }
  await second.run(async (words) => void (await hypha.signIn(words, { device: "second", remember: true })), words.join(" "));
  await admit(first, "second");
  await inState(second, "writer");
  const place = { link: await first.run(() => hypha.home.link), hub: server.hub };
  const honest = [first, second, visitor];
  await post(first, "honest");
  await level("the beginning", honest);
  return {
    words, honest, first, second, visitor,
    /** Devices that were removed with the passphrase, and what was held of them then. */
    gone: [],
    /** A device of this person's that is let in now and obeys the test. */
    thief: (name) => insider(four, site, place, name, { words, approver: first, honest }),
    /** Somebody who has the link. */
    stranger: (name) => hostile(four, site, place, name),
    cut: (writer, { root }) => first.run((writer, passphrase) => hypha.home.cut(writer, { passphrase: passphrase ?? undefined }), writer, root ? words.join(" ") : null),
    writers: () => Promise.all([first, second].map((tab) => tab.run(() => hypha.home.writers().find(({ self }) => self).key))),
  };
}

/** Has a removed device write a post. */
const writesOn = (thief, text) => thief.run((text) => core.hostileAppend(ops(`posts/${new Date().toISOString()}-${text}`, text)), text);
const ignoresCut = (thief) => thief.run(() => core.hostileIgnoreCut());

/** That all honest nodes hold so much of a removed writer, and say so alike. */
const stands = (tabs, writer, state) => level(`${state}`, tabs, async () => (await standing(tabs.at(-1), writer)).state === state);

/** Has a device that was removed with the passphrase do all it can, and checks that nothing changes. */
async function nothingMoves({ honest, writers, gone }, thief, shown) {
  const before = await level("before it goes on", honest);
  const held = await holds(honest, thief.writer);
  gone.push({ thief, held });
  const all = await writers();
  await writesOn(thief, "and on");
  await thief.run(async (all) => {
    core.hostileCut(all);
    core.hostileGrant("09".repeat(32));
    // What it says goes the same way, behind all that.
    await hypha.home.messages.send(`done ${core.hostileAppend(ops("posts/9", "last"))}`, { private: false });
  }, all);
  for (const tab of honest) {
    await until("what it says", () => tab.run(() => heard.some(({ name, data }) => name === "message" && data.startsWith("done "))), MEETING);
    await tab.run(() => hypha.home.sync({ timeout: 60_000 }));
    await tab.run(() => void (heard = heard.filter(({ name }) => name !== "message")));
  }
  assert.deepEqual(await Promise.all(honest.map(view)), honest.map(() => before));
  assert.deepEqual(await holds(honest, thief.writer), held, "nothing more was fetched");
  for (const tab of honest) await reads(tab, shown);
}

/** How much of a feed each node has. */
const holds = (tabs, writer) => Promise.all(tabs.map(async (tab) => (await standing(tab, writer)).held));

/** Waits until what is in the quarantine of a writer, everywhere, is this and nothing else. */
async function quarantined(tabs, writer, expected) {
  for (const tab of tabs) {
    const held = () => quarantine(tab, writer);
    await until(`${expected} in the quarantine`, async () => String(await held()) === String(expected), { ...MEETING, told: held });
  }
}

test("a removed device that goes on with its keys", scenario(async (w, t) => {
  const d = await diary(w);
  const { first, second, visitor, honest } = d;
  const shown = ["honest"];

  await t.test("keeps writing", async () => {
    const thief = await d.thief("keeps writing");
    await writesOn(thief, "while it may");
    shown.push("while it may");
    for (const tab of honest) await reads(tab, shown);
    await ignoresCut(thief);
    await d.cut(thief.writer, { root: false });
    for (let n = 0; n < 5; n++) await writesOn(thief, `late ${n}`);
    await stands(honest, thief.writer, "cut");
    const late = Array.from({ length: 5 }, (_, n) => `late ${n}: cut`);
    await quarantined(honest, thief.writer, late);
    await first.run(() => hypha.home.put("secret", "not for the thief", { private: true }));
    await post(second, "after the cut");
    shown.push("after the cut");
    for (const tab of honest) await reads(tab, shown);
    await until("it hears what is public", async () => (await view(thief)).includes("after the cut"), MEETING);
    assert.equal(await thief.run(async () => (await hypha.home.get("secret"))?.value), undefined);
    await d.cut(thief.writer, { root: true });
    await stands(honest, thief.writer, "removed");
    await nothingMoves(d, thief, shown);
  });

  await t.test("back-dates", async () => {
    const thief = await d.thief("back-dates");
    await thief.run(() => core.hostileFreeze());
    await ignoresCut(thief);
    await d.cut(thief.writer, { root: false });
    await stands(honest, thief.writer, "cut");
    // It names nothing that came after that moment, the cut least of all, and its clock says so too.
    await writesOn(thief, "long ago");
    await quarantined(honest, thief.writer, ["long ago: cut"]);
    for (const tab of honest) await reads(tab, shown);
    await d.cut(thief.writer, { root: true });
    await stands(honest, thief.writer, "removed");
    await nothingMoves(d, thief, shown);
  });

  await t.test("forks", async () => {
    const thief = await d.thief("forks");
    await writesOn(thief, "common");
    await writesOn(thief, "branch one");
    for (const tab of honest) await reads(tab, [...shown, "common", "branch one"]);
    const at = (await standing(first, thief.writer)).length - 1;
    await ignoresCut(thief);
    await d.cut(thief.writer, { root: false });
    await stands(honest, thief.writer, "cut");
    await thief.run((at) => {
      core.hostileFork(at, ops(`posts/${new Date().toISOString()}-two`, "branch two"));
      // Whoever was told of the one history is told of the other at the next connection.
      for (const channel of channels) channel.close();
    }, at);
    await stands(honest, thief.writer, "forked");
    for (const tab of honest) {
      await reads(tab, [...shown, "common"]);
      await quarantined([tab], thief.writer, ["branch one: forked", "branch two: forked"]);
      const heard = await tab.run(() => heard);
      assert.ok(heard.some(({ name, writer }) => name === "equivocation" && writer === thief.writer));
      assert.ok(heard.some(({ name, writer, entries }) => name === "retracted" && writer === thief.writer && entries === 1), JSON.stringify(heard));
      await tab.run(() => hypha.home.sync({ timeout: 60_000 }));
    }
    // The passphrase picks the branch that the one who asks has.
    await d.cut(thief.writer, { root: true });
    await stands(honest, thief.writer, "removed");
    shown.push("common", "branch one");
    await quarantined(honest, thief.writer, ["branch two: forked"]);
    await nothingMoves(d, thief, shown);
  });

  await t.test("grants a friend", async () => {
    const [thief, friend] = [await d.thief("grants a friend"), await d.stranger("friend")];
    await until("the friend reads", () => friend.run(() => hypha.home?.writers().length > 0), MEETING);
    await level("friends", [...honest, friend]);
    for (const tab of [thief, friend]) await tab.run(() => core.hostileFreeze());
    await ignoresCut(thief);
    await d.cut(thief.writer, { root: false });
    await stands(honest, thief.writer, "cut");
    await friend.run(async (passphrase) => void (await hypha.signIn(passphrase, { device: "friend", remember: true })), d.words.join(" "));
    const request = () => first.run(() => hypha.requests().find(({ device }) => device === "friend")?.writer);
    const writer = await until("the friend's request", request, MEETING);
    await ignoresCut(friend);
    const granted = await thief.run((writer) => core.hostileGrant(writer), writer);
    await until("the friend has its grant", async () => (await standing(friend, thief.writer)).held > granted, MEETING);
    await friend.run((by, length) => {
      core.hostileAlsoSeen(by, length);
      core.hostileUnlock();
      core.hostileAppend(ops("posts/9", "from a friend"));
    }, thief.writer, granted + 1);
    // What the friend takes away is gone until the passphrase is asked, what it adds is nothing: so nobody can undo a cut.
    const [, other] = await d.writers();
    await friend.run((other) => core.hostileCut([other]), other);
    await stands(honest, other, "cut");
    for (const tab of honest) {
      assert.equal((await standing(tab, writer))?.role, undefined);
      await reads(tab, shown);
    }
    await d.cut(thief.writer, { root: true });
    await stands(honest, other, "active");
    await inState(second, "locked");
    await second.run((passphrase) => hypha.unlock(passphrase), d.words.join(" "));
    await friend.run(() => core.hostileAppend(ops("posts/99", "from a friend again")));
    await nothingMoves(d, thief, shown);
    for (const tab of honest) assert.equal((await standing(tab, writer))?.role, undefined);
    await first.run(() => hypha.requests().find(({ device }) => device === "friend").deny());
  });

  await t.test("cuts everyone else", async () => {
    const thief = await d.thief("cuts everyone else");
    await thief.run(() => core.hostileFreeze());
    await ignoresCut(thief);
    await d.cut(thief.writer, { root: false });
    await stands(honest, thief.writer, "cut");
    await post(first, "later");
    for (const tab of honest) await reads(tab, [...shown, "later"]);
    const all = await d.writers();
    await thief.run((all) => core.hostileCut(all), all);
    for (const tab of [first, second]) await inState(tab, "revoked");
    for (const writer of all) await stands(honest, writer, "cut");
    // Nothing that the thief had seen is gone, and the rest is in the quarantine, where everybody is told of it.
    for (const tab of honest) {
      await reads(tab, shown);
      await quarantined([tab], all[0], ["later: cut"]);
      assert.ok(await tab.run((writer) => heard.some((one) => one.name === "retracted" && one.writer === writer && one.keys.length === 1), all[0]));
    }
    // A page that was removed by it still takes the passphrase, which undoes it all.
    await d.cut(thief.writer, { root: true });
    for (const writer of all) await stands(honest, writer, "active");
    shown.push("later");
    for (const tab of honest) await reads(tab, shown);
    for (const tab of [first, second]) {
      await inState(tab, "locked");
      await tab.run((passphrase) => hypha.unlock(passphrase), d.words.join(" "));
      await inState(tab, "writer");
    }
    await post(second, "back");
    shown.push("back");
    for (const tab of honest) await reads(tab, shown);
    await nothingMoves(d, thief, shown);
  });

  await t.test("and all of them, removed for good, change nothing, while one removed provisionally is still looked at", async () => {
    const other = await d.thief("looked at");
    await ignoresCut(other);
    await d.cut(other.writer, { root: false });
    await stands(honest, other.writer, "cut");
    const before = await level("before they go on", honest);
    const late = [];
    // What is past a removal is fetched at intervals only: twice, so that one has passed for each.
    for (const text of ["look one", "look two"]) {
      for (const { thief } of d.gone) await writesOn(thief, `${text} of another`);
      await writesOn(other, text);
      late.push(`${text}: cut`);
      await quarantined(honest, other.writer, late);
    }
    assert.equal(d.gone.length, 5);
    for (const { thief, held } of d.gone) assert.deepEqual(await holds(honest, thief.writer), held);
    for (const tab of honest) {
      assert.equal(await view(tab), before);
      await reads(tab, shown);
      await tab.run(() => hypha.home.sync({ timeout: 60_000 }));
      assert.deepEqual(await tab.run(() => heard.filter(({ name }) => name === "error" || name === "storage")), []);
    }
  });
}));

test("strangers and removed devices that flood and babble", scenario(async (w, t) => {
  const d = await diary(w, { visitor: "firefox" });
  const { first, second, visitor, honest } = d;
  const noise = await d.stranger("noise");
  await until("it reads", async () => (await view(noise)).includes("honest"), MEETING);
  const shown = ["honest"];

  await t.test("random bytes on the wire end their own connection and nothing else", async () => {
    const between = () => first.run(() => hypha.peers().map(({ id, since }) => `${id} ${since}`).sort());
    const open = () => noise.run(() => [...channels].filter(({ readyState }) => readyState === "open").length);
    await until("everybody is connected with everybody", async () => (await between()).length === 3 && (await open()) >= 3, MEETING);
    const before = await between();
    // On connections that stand, each another kind of noise, and text where there is none.
    await noise.run(() => {
      const random = (length) => crypto.getRandomValues(new Uint8Array(length));
      const sent = [...channels].filter(({ readyState }) => readyState === "open");
      sent.forEach((channel, at) => {
        for (const data of [random(1), random(100), "text", random(16_000)].slice(at % 2)) if (channel.readyState === "open") sendRaw(channel, data);
      });
      // From the first byte on, on those that come.
      window.garbled = 0;
      window.garble = (data) => (garbled++, random(data.byteLength ?? 100));
    });
    await until("new connections that babble from the start", () => noise.run(() => garbled > 6), MEETING);
    await post(first, "in spite of it");
    await post(second, "all the same");
    shown.push("in spite of it", "all the same");
    for (const tab of honest) {
      await reads(tab, shown);
      await tab.run(() => hypha.home.sync({ timeout: 60_000 }));
    }
    const after = await between();
    assert.equal(before.filter((link) => after.includes(link)).length, 2, `honest connections stand: ${before} / ${after}`);
    // Once it behaves it is let read again.
    await noise.run(() => void (window.garble = undefined));
    await until("it reads again", async () => (await view(noise)).includes("all the same"), MEETING);
  });

  await t.test("a flood of requests keeps nobody out", async () => {
    const thief = await d.thief("floods");
    await ignoresCut(thief);
    await d.cut(thief.writer, { root: true });
    await stands(honest, thief.writer, "removed");
    // As much in a second as a machine can send in a part of it: on one that has no time for that, no more than it has time for.
    const flood = (tab, send) => tab.run((code) => {
      const again = () => {
        const since = performance.now();
        (0, eval)(code)();
        setTimeout(again, Math.max(1000, 3 * (performance.now() - since)));
      };
      again();
    }, String(send));
    await flood(thief, () => core.hostileRequests(100));
    await flood(noise, () => core.hostileEnvelopes(100, 400));
    await until("the flood has come", () => first.run(() => hypha.requests().length >= 10), MEETING);
    assert.ok(await first.run(() => hypha.requests().every(({ suspect }) => suspect)), "they are marked");
    await post(second, "meanwhile");
    shown.push("meanwhile");
    await reads(first, shown);
    await visitor.run(async (words) => void (await hypha.signIn(words, { device: "third", remember: true })), d.words.join(" "));
    await admit(first, "third");
    await inState(visitor, "writer");
    await post(visitor, "let in");
    shown.push("let in");
    for (const tab of honest) await reads(tab, shown);
    assert.ok(await first.run(() => hypha.requests().length <= 20), "what waits is bounded");
    for (const tab of honest) assert.deepEqual(await tab.run(() => heard.filter(({ name }) => name === "error" || name === "storage")), []);
  });
}));
