// Everything an end-to-end test needs: the real server, hubs that can be stopped, separate browser processes.
//
// A test makes one `world(t)` and gets all from it; whatever it started ends with the test, by process id. There
// are no sleeps: every wait asks the page until it says what was wanted, and fails with what it said instead.
//
//   const w = world(t);
//   const server = await w.server();                          // xtask serve --no-build, own data folder
//   const origin = await w.browser("chrome");                 // own process, own fresh profile
//   const tab = await origin.open(server.url);                // errors on its console fail the test
//   await tab.click("start");

import assert from "node:assert/strict";
import { after } from "node:test";
import { Browser } from "./lib/browser.mjs";
import { startHub, startServer } from "./lib/servers.mjs";

/** What one test starts. `t` is its context; everything ends when it does. */
export function world(t) {
  const running = [];
  const keep = (thing) => (running.push(thing), thing);
  t.after(async () => {
    for (const thing of running.reverse()) await thing.stop();
  });
  return {
    /** The page with its embedded hub: `{ url, hub, claim, port, stop() }`. Options: `data`, `port`. */
    server: async (options) => keep(await startServer(options)),
    /** A hub on its own port: `{ url, plain, port, stop(), start() }`. Kinds: "embedded" (ours), and those of `HUBS` in servers.mjs. */
    hub: async (kind) => keep(await startHub(kind)),
    /** A browser process with a fresh profile; kinds: "chrome", "firefox". */
    browser: async (kind, options) => keep(await Browser.launch(kind, options)),
    /** Anything else that has to be stopped. */
    keep,
    /** Fails if a tab wrote errors to its console. */
    clean() {
      const errors = running.flatMap((thing) => thing.errors?.() ?? []);
      assert.equal(errors.length, 0, `errors on the console:\n${errors.join("\n")}`);
    },
  };
}

/** A test body in its world: `test(name, scenario(async (w) => { … }))`. Console errors fail it at its end. */
export function scenario(body) {
  return async (t) => {
    const w = world(t);
    await body(w, t);
    w.clean();
  };
}

// A browser that is still running when the file is done would be a leak of ours.
after(() => Browser.killAll());
