// Drives the page over a module that tells which of its places run, through what a page does until its first write and
// soon after. Prints them by the stage in which each was first reached, a line for each stage: `ran 0 1,2,3`. Started by
// `cargo xtask profile`.
//
//   0  opened, until the person confirms the set-up
//   1  set up: keys, the first records, all until they are stored
//   2  posts, and the page opened again

import { Browser } from "../lib/browser.mjs";
import { address, hide, inState, post, reads, setUp } from "../lib/person.mjs";
import { startServer } from "../lib/servers.mjs";
import { until } from "../lib/wait.mjs";

const IDLE_MS = 4000;
const FINAL_MS = 100;
const passes = (ms) => new Promise((done) => setTimeout(done, ms));

// Words are shorter and longer than most, some have a hyphen of their own, and people put others between them.
const PHRASES = ["acid acre afar aged ahoy alarm acid acre", "yo-yo t-shirt felt-tip drop-down ".repeat(2), "abdomen-abdominal-abide-ability-".repeat(3), " Unrevised  UNREVISED unrevised".repeat(4)];

const LIVES = 6;
const ran = new Map(); // place -> stage
try {
  // Keys, words and hashes differ each time, and browsers do, and with them which way some code goes.
  for (let turn = 1; turn <= LIVES + 2; turn++) {
    const browser = await Browser.launch(turn % 3 === 2 ? "firefox" : "chrome");
    const server = await startServer({ pkg: process.env.HYPHA_PKG });
    try {
      await (turn <= LIVES ? oneLife(browser, server, turn) : byScript(browser, server, turn > LIVES + 1 ? { storage: "memory" } : {}));
    } finally {
      await browser.stop();
      await server.stop();
    }
  }
  for (const stage of [0, 1, 2]) console.log(`ran ${stage} ${[...ran.keys()].filter((at) => ran.get(at) === stage).join(",")}`);
} finally {
  await Browser.killAll();
}

/** The field is cleared once the post is stored. */
function written(tab) {
  return until("an empty composer", () => tab.run(() => document.querySelector("[data-testid=composer]").value === ""));
}

/** The same asked of the package by a script, without any hub. */
async function byScript(browser, server, options) {
  const tab = await browser.open(address(server.url, { hub: server.hub }));
  await inState(tab, "uninitialised");
  await tab.run(async (options) => {
    const { Hypha } = await import("/pkg/index.js");
    window.scripted = await Hypha.open({ name: "scripted", ...options });
    window.words = await Hypha.generatePassphrase();
  }, options);
  await confirming(tab);
  await tab.run(() => scripted.signUp(words, { device: "one" }).then(() => {}));
  await told(tab, 1, "set up by a script");
  await tab.run(async () => {
    await scripted.home.put("a", { n: 1 });
    await scripted.home.get("a");
    for await (const { key } of scripted.home.list()) await scripted.home.get(key);
    scripted.home.code();
  });
  await told(tab, 2, "written by a script");
}

/** As it begins, and before anything comes, the words are looked at. */
async function confirming(tab) {
  await tab.run(async (phrases) => {
    const [{ wasm }, { Hypha }, { deriveRoot }] = await Promise.all([import("/pkg/wasm.js"), import("/pkg/index.js"), import("/pkg/worker-client.js")]);
    const { core } = await wasm();
    core.checkPassphrase(await Hypha.generatePassphrase());
    for (const phrase of phrases) await deriveRoot(core.checkPassphrase(phrase), "localhost");
  }, PHRASES);
  await told(tab, 0, "about to be set up");
}

/** What runs when a function that the page held is collected, which is at any time. */
async function collected(tab) {
  if (tab.kind !== "chrome") return;
  const protocol = await tab.page.createCDPSession();
  await protocol.send("HeapProfiler.collectGarbage");
  await protocol.detach();
  await passes(FINAL_MS);
}

/** Adds what a tab ran to a stage; what an earlier one ran stays there. */
async function told(tab, stage, what) {
  await collected(tab);
  let more = 0;
  // A worker that derives keys has the first part alone, and does not wait.
  const [here, elsewhere] = await tab.run(() => [[...globalThis.hyphaRan], [...globalThis.hyphaRanElsewhere]]);
  for (const [list, first] of [[here, stage], [elsewhere, 0]]) {
    for (const at of list) {
      if (ran.get(at) <= first) continue;
      ran.set(at, first);
      more++;
    }
  }
  console.log(`${what}: ${more} more`);
}

/** From the first look at the page to the third post, with a reload. */
async function oneLife(browser, server, turn) {
  const tab = await browser.open(address(server.claim, { hub: server.hub }));
  await inState(tab, "uninitialised");
  // What runs when it is left is in the first part too: a page that goes away cannot fetch anything any more.
  await hide(tab);
  await told(tab, 0, "opened");
  // Now there is a database, with nothing in it.
  await tab.reload();
  await inState(tab, "uninitialised");
  await told(tab, 0, "opened again with nothing in it");
  // What goes by the clock, such as asking hubs whether they are there.
  if (turn === 1) await passes(IDLE_MS);
  await setUp(tab, { device: "first device", remember: turn === 1, before: () => confirming(tab) });
  if (turn === 1) await passes(IDLE_MS);
  await told(tab, 1, "set up");
  await post(tab, "one");
  await written(tab);
  await told(tab, 2, "written");
  await post(tab, "two");
  await written(tab);
  await told(tab, 2, "written again");
  // One stays signed in, the other does not.
  if (turn > 1) return;
  await tab.reload();
  await inState(tab, "writer");
  await reads(tab, ["one", "two"]);
  await told(tab, 2, "opened again");
  await post(tab, "three");
  await told(tab, 2, "written after that");
}
