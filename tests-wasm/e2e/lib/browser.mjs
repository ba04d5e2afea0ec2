// A browser as a process of its own, with a profile of its own: it can be closed, killed and started again on the
// same profile, as a person's browser is.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import puppeteer from "puppeteer-core";
import { Tab } from "./tab.mjs";
import { within } from "./wait.mjs";

/** Chromium as puppeteer starts it. */
export const CHROME = {
  browser: "chrome",
  executablePath: process.env.HYPHA_CHROMIUM ?? "/usr/bin/chromium",
  args: [
    "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run", "--disable-quic",
    // Two peers on one machine without a network, and no mDNS names that nobody resolves.
    "--allow-loopback-in-peer-connection", "--disable-features=WebRtcHideLocalIpsWithMdns",
    // A tab that is not in front is as awake as one that is.
    "--disable-background-timer-throttling", "--disable-renderer-backgrounding", "--disable-backgrounding-occluded-windows",
  ],
};

const FIREFOX = {
  browser: "firefox",
  executablePath: process.env.HYPHA_FIREFOX ?? "/usr/bin/firefox-esr",
  extraPrefsFirefox: {
    "media.peerconnection.ice.loopback": true,
    "media.peerconnection.ice.obfuscate_host_addresses": false,
    "dom.min_background_timeout_value": 4,
    "dom.timeout.enable_budget_timer_throttling": false,
    // Closing must leave the profile as a person's browser would.
    "toolkit.shutdown.fastShutdownStage": 0,
  },
};

const all = new Set();

export class Browser {
  /** `program`: another way to start it (Chrome only), such as in another network; `prefs`: settings (Firefox only). */
  static async launch(kind, { program, prefs } = {}) {
    const browser = new Browser(kind);
    if (prefs) browser.#options = { ...browser.#options, extraPrefsFirefox: { ...browser.#options.extraPrefsFirefox, ...prefs } };
    // Over a pipe: a port of another network is out of reach.
    if (program) browser.#options = { ...browser.#options, executablePath: program, pipe: true };
    await browser.#start();
    return browser;
  }

  /** Ends whatever a test left behind. */
  static async killAll() {
    for (const browser of [...all]) await browser.stop();
  }

  #options;
  #browser;
  #tabs = [];
  #past = [];

  constructor(kind) {
    this.kind = kind;
    this.#options = { chrome: CHROME, firefox: FIREFOX }[kind];
    if (!this.#options) throw new Error(`there is no browser kind ${kind}`);
    this.profile = mkdtempSync(path.join(tmpdir(), `hypha-${kind}-`));
    all.add(this);
  }

  async #start() {
    const launch = () => puppeteer.launch({
      ...this.#options, headless: true, userDataDir: this.profile, protocolTimeout: 600_000, timeout: 180_000,
      defaultViewport: { width: 1100, height: 900 },
    });
    try {
      this.#browser = await launch();
    } catch (error) {
      // What puppeteer puts back of a Firefox profile that was killed can vanish while it looks at it again.
      if (error.code !== "ENOENT") throw error;
      this.#browser = await launch();
    }
  }

  /** A new tab at `url`. */
  async open(url) {
    const tab = new Tab(await this.#browser.newPage(), this.kind);
    this.#tabs.push(tab);
    await tab.goto(url);
    return tab;
  }

  /** A tab in a browsing context of its own, as in a private window: it shares neither storage nor channels with any other. */
  async openApart(url) {
    const context = await this.#browser.createBrowserContext();
    const tab = new Tab(await context.newPage(), this.kind);
    this.#tabs.push(tab);
    await tab.goto(url);
    return tab;
  }

  /** Errors that tabs wrote to their consoles, those of earlier launches too. */
  errors() {
    return [...this.#past, ...this.#tabs.flatMap((tab) => tab.errors.map((error) => `${this.kind}: ${error}`))];
  }

  /** Closes the browser as a person does; the profile stays. */
  async close() {
    const browser = this.#browser;
    if (!browser) return;
    this.#retire();
    await within(60_000, "closing the browser", browser.close()).catch(() => this.#kill(browser));
  }

  /** Ends the browser's processes at once, as a crash or an empty battery does; the profile stays. */
  async kill() {
    const browser = this.#browser;
    if (!browser) return;
    this.#retire();
    await this.#kill(browser);
  }

  /** Sends a signal to all its processes: stopped, it sleeps as with a closed lid. */
  signal(name) {
    process.kill(-this.#browser.process().pid, name);
  }

  /** Starts it again with the same profile, closing it first if it runs. Tabs are to be opened anew. */
  async relaunch() {
    await this.close();
    await this.#start();
  }

  /** Ends it and removes its profile. */
  async stop() {
    await this.close();
    all.delete(this);
    rmSync(this.profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  }

  #retire() {
    this.#past = this.errors();
    this.#tabs = [];
    this.#browser = undefined;
  }

  async #kill(browser) {
    const child = browser.process();
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    try {
      // The browser leads a process group of its own, made by puppeteer.
      process.kill(-child.pid, "SIGKILL");
    } catch {
      child.kill("SIGKILL");
    }
    await within(60_000, "the end of the browser", ended);
  }
}
