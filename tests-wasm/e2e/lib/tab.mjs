// One tab, driven as a person would: by what is visible, by clicks and by keys. Elements go by their data-testid.

import assert from "node:assert/strict";
import { PATIENCE, until } from "./wait.mjs";

// What browsers themselves write when a test takes a hub or a peer away on purpose, or a file may be missing.
const EXPECTED = [/WebSocket connection to|can.t establish a connection to the server at ws|The connection to ws\S+ was interrupted/i, /WebRTC: ICE failed/];
const MAY_BE_MISSING = /\/(favicon\.ico|\.well-known\/(dat|hypha-claim|hypha-hub|hypha-snapshot\/head))$/;

export class Tab {
  /** Errors on the console and uncaught ones. A test that provokes some takes them out with `forgive`. */
  errors = [];

  constructor(page, kind) {
    this.page = page;
    this.kind = kind;
    page.on("pageerror", (error) => {
      const text = String(error.stack ?? error.message ?? error);
      // Firefox over BiDi reports a hub that is down, or a peer that went while connecting, here and not as a line on the console.
      if (!EXPECTED.some((known) => known.test(text))) this.errors.push(`uncaught: ${text}`);
    });
    // What is nowhere else yet is asked about before a page is left; here whoever leaves means it.
    page.on("dialog", (dialog) => dialog.type() === "beforeunload" && dialog.accept().catch(() => {}));
    page.on("console", (message) => {
      if (message.type() !== "error") return;
      const { url = "" } = message.location() ?? {};
      if (EXPECTED.some((known) => known.test(message.text())) || MAY_BE_MISSING.test(url)) return;
      this.errors.push(`${message.text()} ${url}`);
    });
  }

  goto(url) {
    return this.page.goto(url, { waitUntil: "load", timeout: 120_000 });
  }

  reload() {
    return this.page.reload({ waitUntil: "load", timeout: 120_000 });
  }

  close() {
    return this.page.close();
  }

  /** Runs a function in the page. */
  run(code, ...args) {
    return this.page.evaluate(code, ...args);
  }

  /** The first visible and enabled element with this id, once there is one. */
  async byId(id, options) {
    return until(`[data-testid=${id}]`, () => this.#find(id), { ...options, told: () => this.seen() });
  }

  async #find(id, fits = () => true) {
    for (const element of await this.page.$$(`[data-testid="${id}"]`)) {
      if ((await element.isVisible()) && (await element.evaluate((element) => !element.disabled)) && (await fits(element))) return element;
      await element.dispose();
    }
  }

  /** How many visible elements have this id now. */
  async count(id) {
    return (await this.texts(id)).length;
  }

  /** Text of each visible element with this id, in the order of the page. */
  texts(id) {
    return this.run((id) => [...document.querySelectorAll(`[data-testid="${id}"]`)]
      .filter((element) => element.checkVisibility?.() ?? element.getClientRects().length > 0)
      .map((element) => element.textContent.replace(/\s+/g, " ").trim()), id);
  }

  /** Text of the first visible element with this id, once there is one. */
  async textOf(id, options) {
    const element = await this.byId(id, options);
    return element.evaluate((element) => element.textContent.replace(/\s+/g, " ").trim());
  }

  /** An attribute of the first visible element with this id. */
  async attribute(id, name, options) {
    const element = await this.byId(id, options);
    return element.evaluate((element, name) => element.getAttribute(name), name);
  }

  /** Waits until the text of an element fits: a string it holds, a pattern, or a function of it. Returns the text. */
  async waitText(id, wanted, options) {
    const fits = typeof wanted === "function" ? wanted : (text) => (wanted instanceof RegExp ? wanted.test(text) : text.includes(wanted));
    return until(`${wanted} in [data-testid=${id}]`, async () => (await this.texts(id)).find(fits), { ...options, told: () => this.seen() });
  }

  /** Waits until the page, as a person sees it, says what fits `pattern` anywhere. */
  async waitSeen(pattern, options) {
    await until(`${pattern} on the page`, async () => pattern.test(await this.run(() => document.body.innerText)), { ...options, told: () => this.seen() });
  }

  /** Waits until an attribute has a value. */
  async waitAttribute(id, name, value, options) {
    await until(`${name}=${value} on [data-testid=${id}]`, () => this.run(
      (id, name, value) => [...document.querySelectorAll(`[data-testid="${id}"]`)].some((element) => element.getAttribute(name) === value),
      id, name, value), { ...options, told: () => this.seen() });
  }

  /** Waits until so many elements with this id are visible; returns their texts. */
  async waitCount(id, count, options) {
    return until(`${count} × [data-testid=${id}]`, async () => {
      const texts = await this.texts(id);
      return texts.length === count && texts;
    }, { ...options, told: async () => `${await this.count(id)} of them; ${await this.seen()}` });
  }

  /** Waits until no element with this id is visible. */
  async waitGone(id, options) {
    await this.waitCount(id, 0, options);
  }

  /** Clicks an element once it is visible and enabled; with `text`, the one that says exactly that. */
  async click(id, { text, ...options } = {}) {
    const says = async (element) => text === undefined || text === await element.evaluate((element) => element.textContent.replace(/\s+/g, " ").trim());
    await until(`[data-testid=${id}]${text ? ` with “${text}”` : ""} to click`, async () => {
      const element = await this.#find(id, says);
      if (!element) return false;
      const heard = await element.evaluateHandle((element) => {
        const heard = { click: false };
        element.addEventListener("click", () => (heard.click = true), { once: true, capture: true });
        return heard;
      });
      await element.click();
      // What moved away under the pointer, or was rendered anew just then, was not clicked. A page that was left by it was.
      return heard.evaluate(({ click }) => click).catch(() => true);
    }, { ...options, told: () => this.seen() });
  }

  /** Types into a field, in place of what it held. */
  async type(id, text, options) {
    const element = await this.byId(id, options);
    // While a post is stored its field takes nothing; it is in the list a moment before.
    await until(`[data-testid=${id}] to take what is typed`, () => element.evaluate((element) => !element.readOnly), options);
    await element.focus();
    await element.evaluate((element) => element.select());
    await this.page.keyboard.press("Backspace");
    await element.type(text);
    // A field that rewrites what is typed, or a section that was rendered anew meanwhile, must not go unnoticed.
    assert.equal(await element.evaluate((element) => element.value), text, `what [data-testid=${id}] holds after typing`);
  }

  /** Takes expected errors out: those that fit `pattern`. At least one must be there. */
  forgive(pattern) {
    const before = this.errors.length;
    this.errors = this.errors.filter((error) => !pattern.test(error));
    assert.ok(this.errors.length < before, `no error on the console fits ${pattern}`);
  }

  /** What is on the screen, for messages. */
  async seen() {
    const text = await this.run(() => document.body.innerText.replace(/\s+/g, " ").slice(0, 600));
    return `“${text}”${this.errors.length > 0 ? `\nconsole: ${this.errors.slice(0, 5).join("\n")}` : ""}`;
  }
}

export { PATIENCE };
