// Drives the page over a module that tells which of its functions run, through what a page does until its first write.
// Prints them: `ran 1,2,3`. Started by `cargo xtask profile`.

import { Browser } from "../lib/browser.mjs";
import { address, inState, post, reads, setUp } from "../lib/person.mjs";
import { startServer } from "../lib/servers.mjs";
import { until } from "../lib/wait.mjs";

const ran = new Set();
try {
  // Keys, words and hashes differ each time, and with them which way some code goes.
  for (let turn = 1; turn <= 2; turn++) {
    const browser = await Browser.launch("chrome");
    const server = await startServer({ pkg: process.env.HYPHA_PKG });
    try {
      await oneLife(browser, server, turn);
    } finally {
      await browser.stop();
      await server.stop();
    }
  }
  console.log(`ran ${[...ran].join(",")}`);
} finally {
  await Browser.killAll();
}

/** The field is cleared once the post is stored. */
function written(tab) {
  return until("an empty composer", () => tab.run(() => document.querySelector("[data-testid=composer]").value === ""));
}

/** From the first look at the page to the third post, with a reload. */
async function oneLife(browser, server, turn) {
  const told = async (tab, what) => {
    const before = ran.size;
    for (const at of await tab.run(() => [...globalThis.hyphaRan])) ran.add(at);
    console.log(`${turn}, ${what}: ${ran.size - before} more`);
  };
  const tab = await browser.open(address(server.claim, { hub: server.hub }));
  await inState(tab, "uninitialised");
  await told(tab, "opened");
  await setUp(tab, { device: "first device", remember: turn === 1 });
  await told(tab, "signed up");
  await post(tab, "one");
  await written(tab);
  await told(tab, "written");
  await post(tab, "two");
  await written(tab);
  await told(tab, "written again");
  // One stays signed in, the other does not.
  if (turn > 1) return;
  await tab.reload();
  await inState(tab, "writer");
  await reads(tab, ["one", "two"]);
  await told(tab, "opened again");
  await post(tab, "three");
  await told(tab, "written after that");
}
