// Guards that what a browser derives here is what libsodium derives: keys, words and signatures, byte for byte, each
// computed in the same page by both. libsodium follows the protocol text, through functions of its own only. And that
// the page stays awake meanwhile. Served without the product's policy, under which libsodium need not run.

import assert from "node:assert/strict";
import { randomBytes, randomInt } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import path from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";
import sodium from "libsodium-wrappers-sumo";
import { scenario } from "./harness.mjs";
import { words } from "../vectors/js/vectors.mjs";

const HERE = path.dirname(fileURLToPath(import.meta.url));
const ROOTS = {
  pkg: path.join(HERE, "../../pkg"),
  sodium: path.join(HERE, "node_modules/libsodium-wrappers-sumo/dist/modules-sumo-esm"),
  core: path.join(HERE, "node_modules/libsodium-sumo/dist/modules-sumo-esm"),
};
const TYPES = { ".js": "text/javascript", ".mjs": "text/javascript", ".wasm": "application/wasm", ".html": "text/html" };

const PAGE = `<!doctype html><meta charset="utf-8"><title>libsodium</title><link rel="icon" href="data:,">
<script type="importmap">{"imports":{"libsodium-sumo":"/core/libsodium-sumo.mjs"}}</script>`;

const PASSPHRASES = 4;
const HASHES = 4;
/** Sign-ups of which the one that was least disturbed must fit; a quiet machine needs one. */
const SIGN_UPS = 12;
/** Longest time that the page may stand still while it signs up, milliseconds on a machine that does nothing else. */
const STILL = 200;
/** And in parts of the time for which the derivation itself, were it done in the page, makes it stand still. */
const PART = 0.75;

/** `url(host)` of a page with both libraries; `claims` are those that the page sent, `nonce` what they must sign. */
async function site(w) {
  const nonce = randomBytes(32);
  const claims = [];
  const server = createServer(async (request, response) => {
    const answer = (status, type, body) => response.writeHead(status, { "content-type": type, "cache-control": "no-store" }).end(body);
    const { pathname } = new URL(request.url, "http://localhost");
    if (request.method === "PUT" && pathname === "/.well-known/dat") {
      claims.push(JSON.parse(Buffer.concat(await request.toArray())));
      return answer(200, "text/plain", "");
    }
    if (pathname === "/.well-known/hypha-claim") return answer(200, "application/json", JSON.stringify({ nonce: nonce.toString("hex") }));
    if (pathname === "/") return answer(200, TYPES[".html"], PAGE);
    const [, folder, ...rest] = pathname.split("/");
    if (!ROOTS[folder] || rest.includes("..")) return answer(404, "text/plain", "there is no such file");
    try {
      answer(200, TYPES[path.extname(pathname)] ?? "application/octet-stream", readFileSync(path.join(ROOTS[folder], ...rest)));
    } catch {
      answer(404, "text/plain", "there is no such file");
    }
  });
  await new Promise((resolve) => server.listen(0, "localhost", resolve));
  w.keep({ stop: () => (server.closeAllConnections(), new Promise((resolve) => server.close(resolve))) });
  return { nonce, claims, url: (host) => `http://${host}:${server.address().port}/` };
}

/** A tab with both libraries; `window.theirs` is the protocol text in libsodium's words. */
async function opened(browser, url) {
  const tab = await browser.open(url);
  await tab.run(async () => {
    const { default: sodium } = await import("/sodium/libsodium-wrappers.mjs");
    await sodium.ready;
    window.ours = await import("/pkg/worker-client.js");
    window.Hypha = (await import("/pkg/index.js")).Hypha;
    window.hex = (bytes) => sodium.to_hex(bytes);
    const join = (...parts) => new Uint8Array(parts.flatMap((part) => [...(typeof part === "string" ? sodium.from_string(part) : part)]));
    const hash = (size, ...parts) => sodium.crypto_generichash(size, join(...parts), null);
    const argon = (input, salt, mib, passes) =>
      sodium.crypto_pwhash(32, input, salt, passes, mib * 2 ** 20, sodium.crypto_pwhash_ALG_ARGON2ID13);
    const ns = (purpose) => hash(32, `hypha/v1/${purpose}`);
    window.theirs = {
      version: sodium.sodium_version_string(),
      root: (passphrase, domain) => argon(passphrase, hash(16, "hypha/v1/domain", domain), 64, 3),
      words: (request) => argon(request, ns("words").slice(0, 16), 19, 2),
      space(root) {
        const pair = sodium.crypto_sign_seed_keypair(sodium.crypto_kdf_derive_from_key(32, 1, "hypharot", root));
        const claimed = (domain, nonce) => join(ns("claim"), pair.publicKey, [domain.length & 255, domain.length >> 8], domain, nonce);
        return {
          key: pair.publicKey,
          discoveryKey: sodium.crypto_generichash(32, sodium.from_string("hypha"), pair.publicKey),
          claim: (domain, nonce) => sodium.crypto_sign_detached(claimed(domain, nonce), pair.privateKey),
        };
      },
    };
    window.timed = async (work) => {
      const start = performance.now();
      return [await work(), Math.round(performance.now() - start)];
    };
  });
  return tab;
}

/** A domain as a person may type it, and as it is derived from. */
function randomDomain() {
  const label = () => randomBytes(randomInt(1, 16)).toString("hex");
  const plain = Array.from({ length: randomInt(1, 4) }, label).join(".") + ".example";
  const typed = [plain, `WWW.${plain.toUpperCase()}`, `${plain}:${randomInt(1, 65536)}`, ` ${plain}. `][randomInt(4)];
  return { plain, typed };
}

/** The same words as a person may type them. */
const retyped = (words) => [words, ` ${words.toUpperCase()}\n`, words.replaceAll(" ", "-"), words.replaceAll(" ", " \t ")][randomInt(4)];

for (const kind of ["chrome", "firefox"]) {
  test(`${kind}: root secrets are libsodium's`, scenario(async (w, t) => {
    const tab = await opened(await w.browser(kind), (await site(w)).url("localhost"));
    const took = { ours: [], theirs: [] };
    for (let round = 0; round < PASSPHRASES; round++) {
      const passphrase = await tab.run((words) => Hypha.generatePassphrase(words), 8 + round * 3);
      assert.equal(passphrase.split(" ").length, 8 + round * 3);
      assert.ok(passphrase.split(" ").every((word) => words.includes(word)), `not of the list: ${passphrase}`);
      const { plain, typed } = randomDomain();
      const [ours, theirs] = await tab.run(async (entered, typed, passphrase, plain) => {
        const [ours, a] = await timed(() => window.ours.deriveRoot(entered, typed));
        const [theirs, b] = await timed(() => window.theirs.root(passphrase, plain));
        return [[hex(ours), a], [hex(theirs), b]];
      }, retyped(passphrase), typed, passphrase, plain);
      assert.equal(ours[0].length, 64);
      assert.equal(ours[0], theirs[0], `“${passphrase}” at ${plain}`);
      took.ours.push(ours[1]);
      took.theirs.push(theirs[1]);
    }
    const fastest = (times) => Math.min(...times);
    t.diagnostic(`${kind}: root secret in ${fastest(took.ours)} ms with the worker's start, libsodium ${fastest(took.theirs)} ms`);
  }));

  test(`${kind}: the words of a request are libsodium's`, scenario(async (w) => {
    const tab = await opened(await w.browser(kind), (await site(w)).url("localhost"));
    const hashes = [Buffer.alloc(32), Buffer.alloc(32, 255), ...Array.from({ length: HASHES }, () => randomBytes(32))];
    for (const hash of hashes) {
      const { ours, theirs } = await tab.run(async (hash) => {
        const ours = await window.ours.requestWords(Uint8Array.from(hash));
        return { ours, theirs: [...window.theirs.words(Uint8Array.from(hash))] };
      }, [...hash]);
      const expected = [0, 4, 8, 12].map((at) => words[Buffer.from(theirs).readUInt32LE(at) % words.length]);
      assert.deepEqual(ours, expected, hash.toString("hex"));
    }
  }));

  test(`${kind}: signing up keeps the page awake, and its keys and its claim are libsodium's`, scenario(async (w, t) => {
    const { url, nonce, claims } = await site(w);
    const browser = await w.browser(kind);
    // Of several, each on a site of its own and so in a process of its own, the best of everything: other work of the machine
    // only ever adds, and what the page does itself is there each time.
    const best = { longest: Infinity, blocked: Infinity, slowness: Infinity, ticks: 0 };
    const isAwake = () => best.ticks >= 20 && best.longest < STILL * best.slowness && best.longest < best.blocked * PART;
    const rounds = [];
    while (!isAwake() && rounds.length < SIGN_UPS) {
      const { longest, blocked, ...more } = await signedUp(browser, { url, nonce, claims });
      best.longest = Math.min(best.longest, longest);
      best.blocked = Math.min(best.blocked, blocked);
      best.slowness = Math.min(best.slowness, await slowness());
      best.ticks = Math.max(best.ticks, more.ticks);
      rounds.push({ longest, blocked, ...more });
      t.diagnostic(`${kind}: signing up took ${more.took} ms, ${more.ticks} ticks, none later than ${longest} ms; libsodium ${more.version} blocks for ${blocked} ms; `
        + `the machine is ${best.slowness.toFixed(1)} times slower than if it did nothing else`);
    }
    assert.ok(isAwake(), `each of ${rounds.length} times the page stood still for ${best.longest} ms or more, libsodium for ${best.blocked} ms: ${JSON.stringify(rounds)}`);
  }));
}

/** How much longer than it runs a derivation takes now in this process, because the machine does other things: 1 if it does not. */
async function slowness() {
  await sodium.ready;
  const derive = () => sodium.crypto_pwhash(32, "slowness", new Uint8Array(16), 3, 64 * 2 ** 20, sodium.crypto_pwhash_ALG_ARGON2ID13);
  const [since, ran] = [performance.now(), process.cpuUsage()];
  derive();
  const [took, { user, system }] = [performance.now() - since, process.cpuUsage(ran)];
  return Math.max(1, took / ((user + system) / 1000));
}

/** Signs up in a new tab at a domain of its own, and has libsodium derive the same in the same page: all must be equal. How long each took. */
async function signedUp(browser, { url, nonce, claims }) {
  const domain = `${randomBytes(6).toString("hex")}.localhost`;
  const tab = await opened(browser, url(domain));
  const token = randomBytes(16).toString("hex");
  const found = await tab.run(async (token) => {
    const hypha = await Hypha.open();
    const passphrase = await Hypha.generatePassphrase();
    let [last, longest, ticks] = [performance.now(), 0, 0];
    const tick = () => {
      const now = performance.now();
      longest = Math.max(longest, now - last);
      last = now;
    };
    const timer = setInterval(() => (tick(), ticks++), 5);
    const [home, took] = await timed(() => hypha.signUp(passphrase, { device: "Beside libsodium", claim: token }));
    tick(); // what stands still at the very end counts too
    clearInterval(timer);
    const { key, discoveryKey, link } = home;
    return { passphrase, key, discoveryKey, link, claim: hypha.claim, longest: Math.round(longest), ticks, took };
  }, token);
  const theirs = await tab.run(async (passphrase, domain, nonce) => {
    const [root, blocked] = await timed(() => window.theirs.root(passphrase, domain));
    const space = window.theirs.space(root);
    return { blocked, key: hex(space.key), discoveryKey: hex(space.discoveryKey), claim: hex(space.claim(domain, nonce)), version: window.theirs.version };
  }, found.passphrase, domain, [...nonce]);
  await tab.close();

  const what = `“${found.passphrase}” at ${domain}`;
  assert.deepEqual([found.key, found.discoveryKey, found.link], [theirs.key, theirs.discoveryKey, `hypha://${theirs.key}`], what);
  assert.equal(found.claim, "published");
  const claimed = claims.splice(0);
  assert.deepEqual(claimed, [{ token, key: theirs.key, domain, nonce: nonce.toString("hex"), signature: theirs.claim }], what);
  return { longest: found.longest, ticks: found.ticks, took: found.took, blocked: theirs.blocked, version: theirs.version };
}
