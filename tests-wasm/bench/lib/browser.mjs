// A browser process with a fresh profile, and the pages of a system in it.

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import puppeteer from "puppeteer-core";

const ARGS = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
  "--disable-background-timer-throttling", "--disable-renderer-backgrounding", "--disable-backgrounding-occluded-windows",
];

export class Browser {
  /** Of the browser that ran last. */
  static version;

  static async launch() {
    const browser = new Browser();
    browser.profile = mkdtempSync(path.join(tmpdir(), "hypha-bench-"));
    browser.process = await puppeteer.launch({
      executablePath: process.env.HYPHA_CHROMIUM ?? "/usr/bin/chromium",
      headless: true,
      userDataDir: browser.profile,
      protocolTimeout: 200_000,
      args: ARGS,
    });
    Browser.version = await browser.process.version();
    return browser;
  }

  /** Opens a page that is cold but for what the browser itself keeps; `apart` with storage of its own. */
  async open(address, apart = false) {
    const tab = await (apart ? await this.process.createBrowserContext() : this.process).newPage();
    const page = new Page(this.process, tab);
    await tab.goto(address);
    await tab.waitForFunction("globalThis.bench !== undefined", { timeout: 20_000 }).catch(() => {
      throw new Error(`the page did not start: ${page.errors.join(" | ")}`);
    });
    return page;
  }

  /** Time that its processors have worked for it so far, all processes together, in ms. */
  async cpu() {
    const session = await this.process.target().createCDPSession();
    const { processInfo } = await session.send("SystemInfo.getProcessInfo");
    await session.detach();
    return processInfo.reduce((sum, { cpuTime }) => sum + cpuTime * 1000, 0);
  }

  async stop() {
    await this.process.close().catch(() => {});
    rmSync(this.profile, { recursive: true, force: true, maxRetries: 3 });
  }
}

class Page {
  errors = [];
  #browser;
  #tab;

  constructor(browser, tab) {
    this.#browser = browser;
    this.#tab = tab;
    tab.on("pageerror", (error) => this.errors.push(String(error.message ?? error).slice(0, 200)));
  }

  /** Calls a method of `globalThis.bench`, for at most so long. */
  async call(limit, method, ...args) {
    let timer;
    const late = new Promise((_, reject) => (timer = setTimeout(() => reject(new Error(`${method}: not done after ${limit / 1000} s`)), limit)));
    const work = this.#tab.evaluate((method, args) => globalThis.bench[method](...args), method, args);
    try {
      return await Promise.race([work, late]);
    } finally {
      clearTimeout(timer);
      work.catch(() => {});
    }
  }

  /** What a system needs once before it can write. */
  async prepare(limit) {
    if (await this.#tab.evaluate(() => "prepare" in globalThis.bench)) await this.call(limit, "prepare");
  }

  /** Private memory of the renderer after a collection of garbage, in MB; undefined where the system does not say. */
  async memory() {
    const session = await this.#tab.createCDPSession();
    await session.send("HeapProfiler.collectGarbage");
    await session.detach();
    // Which of the renderers is the page's own nobody says: the one that works when the page does.
    const before = await this.#renderers();
    await this.#tab.evaluate(() => {
      for (const end = performance.now() + 200; performance.now() < end; ) /* works */;
    });
    const worked = (await this.#renderers()).map(({ id, cpuTime }) => ({ id, ms: cpuTime - (before.find((one) => one.id === id)?.cpuTime ?? 0) }));
    return privateMB(worked.reduce((most, one) => (one.ms > most.ms ? one : most)).id);
  }

  async #renderers() {
    const session = await this.#browser.target().createCDPSession();
    const { processInfo } = await session.send("SystemInfo.getProcessInfo");
    await session.detach();
    return processInfo.filter(({ type }) => type === "renderer");
  }

  async close() {
    await this.#tab.close().catch(() => {});
  }
}

function privateMB(process) {
  try {
    const lines = readFileSync(`/proc/${process}/smaps_rollup`, "utf8").matchAll(/^Private_(?:Dirty|Clean):\s+(\d+)/gm);
    return [...lines].reduce((sum, [, kB]) => sum + Number(kB) / 1000, 0);
  } catch {
    return undefined;
  }
}
